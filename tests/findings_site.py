"""Traffic for the detectors, written down in a few words, and one line to look at it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from store_samples import flow, load

from workbench.analysis.findings import SERVICES, Scene, detect
from workbench.model.finding import Finding, Thresholds, Window
from workbench.model.net import ICMP, TCP, UDP, parse_address
from workbench.model.site import Host, Inventory
from workbench.model.traffic import Direction, Flow, Outcome
from workbench.store import Store

BEGIN = 1_800_000_000_000_000
"""When every recording here begins, µs."""
SECOND = 1_000_000
HOUR = 3600
NOBODY = Inventory()
PLAIN = Thresholds()
DAY = 24 * HOUR


def seen(client: str, server: str, port: int, at: float, **values: Any) -> Flow:
    """A TCP flow `at` seconds into the recording, used for two seconds unless told."""
    first = BEGIN + round(at * SECOND)
    plain: dict[str, Any] = {
        "client": parse_address(client),
        "server": parse_address(server),
        "protocol": TCP,
        "server_port": port,
        "client_port": 32_768 + round(at * 7) % 28_000,
        "first_us": first,
        "last_us": first + 2 * SECOND,
        "packets_to_server": 12,
        "packets_to_client": 10,
        "bytes_to_server": 2_000,
        "bytes_to_client": 3_000,
        "direction": Direction.SYN,
        "outcome": Outcome.ESTABLISHED,
    }
    return flow(**{**plain, **values})


def failed(client: str, server: str, port: int, at: float, *, refused: bool = True) -> Flow:
    """A SYN that came to nothing."""
    outcome = Outcome.REFUSED if refused else Outcome.UNANSWERED
    return seen(
        client, server, port, at, outcome=outcome,
        packets_to_server=1, packets_to_client=int(refused),
        bytes_to_server=60, bytes_to_client=40 * refused,
    )  # fmt: skip


def opened(client: str, server: str, port: int, at: float) -> Flow:
    """A connection in which the client says nothing, as a connect scan makes."""
    return seen(
        client, server, port, at,
        packets_to_server=4, packets_to_client=2, bytes_to_server=216, bytes_to_client=112,
    )  # fmt: skip


def ping(client: str, server: str, at: float, *, answered: bool = True) -> Flow:
    return seen(
        client, server, 8, at, protocol=ICMP, packets_to_server=1,
        packets_to_client=int(answered), bytes_to_server=84, bytes_to_client=84 * answered,
        outcome=Outcome.ESTABLISHED if answered else Outcome.UNANSWERED,
    )  # fmt: skip


def question(client: str, server: str, at: float, **values: Any) -> Flow:
    """One DNS question and its answer."""
    plain = {"protocol": UDP, "bytes_to_server": 70, "bytes_to_client": 120}
    return seen(client, server, 53, at, **{**plain, **values})


def office(hours: float = 8, pcs: int = 8) -> list[Flow]:
    """A day that nobody minds: names, sign-in, files, a printer, a monitoring host, an update."""
    flows = []
    for number in range(1, pcs + 1):
        pc = f"10.1.0.{number + 10}"
        for hour in range(int(hours)):
            at = hour * HOUR + number * 97
            flows += [
                question(pc, "10.2.0.10", at),
                seen(pc, "10.2.0.10", 88, at + 1),
                seen(pc, "10.2.0.10", 389, at + 2, bytes_to_client=20_000),
                seen(pc, "10.2.0.10", 445, at + 3),
                seen(pc, "10.2.0.20", 445, at + 40, bytes_to_client=90_000),
                seen(pc, "203.0.113.10", 443, at + 60),
                failed(pc, "10.1.0.99", 9100, at + 70),
            ]
            flows.append(seen("10.2.0.40", pc, 9100, at + 300))
    return flows


def inventory(**roles: str) -> Inventory:
    """`jump="10.9.0.1"` …: one host a role."""
    return Inventory(
        tuple(
            Host(f"{role}-1", (parse_address(address),), (("role", role),))
            for role, address in roles.items()
        )
    )


def look(
    folder: Path,
    *captures: Sequence[Flow],
    before: Sequence[Flow] = (),
    known: Inventory = NOBODY,
    limits: Thresholds = PLAIN,
    **talk: Any,
) -> tuple[Finding, ...]:
    """The findings of some captures; `before` is the baseline, `talk` what payload says."""
    every = [one for capture in captures for one in capture]
    with Store.open(folder / "flows.duckdb") as store:
        load(store, *([before] if before else []), *captures)
        first = 2 if before else 1
        numbers = tuple(range(first, first + len(captures)))

        def traces(window: Window) -> Any:
            return store.traces(window, SERVICES, limits)

        scene = Scene(
            hosts=store.hosts(),
            inventory=known,
            now=traces(Window(captures=numbers)),
            before=traces(Window(captures=(1,))) if before else None,
            covered=((BEGIN, max(one.last_us for one in every)),),
            limits=limits,
            **talk,
        )
        return detect(scene)


def of_kind(found: Iterable[Finding], *kinds: str) -> list[Finding]:
    return [one for one in found if one.kind in kinds]


def only(found: Iterable[Finding], kind: str) -> Finding:
    [one] = of_kind(found, kind)
    return one
