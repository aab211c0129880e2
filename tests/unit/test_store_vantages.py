"""Captures of the same traffic from several places: recognised, compared, counted once."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import store_samples as samples

from workbench.capture import judge_again, read_capture
from workbench.model.filters import parse_filter
from workbench.model.net import ICMP, TCP, UDP
from workbench.model.traffic import Direction, Flow, FlowColumns, Mark, Outcome
from workbench.model.vantage import Vantage
from workbench.store import FlowQuery, Judge, Store

JUDGE = Judge(judge_again)
MINUTE, HOUR = 60_000_000, 3_600_000_000
OPENED = Mark.OPEN | Mark.ANSWER << 1 | Mark.LIVE | Mark.LIVE << 1
NAMES = count()
OURS = OPENED & 0x1555  # what the client is seen to do, and what the server is
THEIRS = OPENED & 0x2AAA


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "flows.duckdb") as store:
        yield store


def tcp(number: int, **values: object) -> Flow:
    """One of several connections, a second apart, as a place next to the client sees it."""
    plain = samples.flow(
        protocol=TCP, client_port=40_000 + number, first_us=number * 1_000_000,
        last_us=number * 1_000_000 + 5000, client_token=1000 + number, server_token=2000 + number,
        client_ttl=64, server_ttl=61, marks=OPENED,
    )  # fmt: skip
    return replace(plain, **values)  # type: ignore[arg-type]


def later(flow: Flow, by: int, **values: object) -> Flow:
    """The same as seen by another clock."""
    moved = replace(flow, first_us=flow.first_us + by, last_us=flow.last_us + by)
    return replace(moved, **values)  # type: ignore[arg-type]


def load(store: Store, *captures: Sequence[Flow]) -> None:
    with store.load(JUDGE) as job:
        for flows in captures:
            name = f"print {next(NAMES)}"
            number = job.begin(name, name)
            job.flows(number, samples.columns(flows))
            times = [time for flow in flows for time in (flow.first_us, flow.last_us)]
            job.finish(
                number,
                replace(samples.REPORT, fingerprint=name, first_us=min(times), last_us=max(times)),
            )


def flows(store: Store) -> tuple[Flow, ...]:
    with store.flow_view(FlowQuery()) as view:
        return view.page(0, view.total)


@pytest.mark.parametrize("ahead", [0, 1500, -2 * MINUTE, HOUR, -5 * HOUR, 400 * 24 * HOUR])
def test_copies_are_counted_once_whatever_the_clock(store: Store, ahead: int) -> None:
    here = [tcp(number) for number in range(7)]
    there = [
        later(flow, ahead + number * 10, client_ttl=61, server_ttl=64, packets_to_server=9)
        for number, flow in enumerate(here)
    ]
    load(store, here)
    load(store, there)
    assert store.vantages() == (
        Vantage(
            capture=2, reference=1, shared=7, offset_us=ahead + 30, spread_us=20, hops=3
        ),
    )  # fmt: skip
    assert store.vantages()[0].certain
    found = flows(store)
    assert len(found) == 7
    assert {(flow.packets_to_server, flow.packets_to_client) for flow in found} == {(9, 4)}
    assert all(
        abs(flow.first_us - one.first_us) <= 40 for flow, one in zip(found, here, strict=True)
    )
    conversations = store.conversations(store.hosts())
    assert conversations["flows"].tolist() == [7]
    assert conversations["packets"].tolist() == [7 * 13]
    # The packets are looked up where most of them are.
    assert {piece[0] for found in store.pieces(range(20)).values() for piece in found} == {2}


def test_what_only_one_place_saw_stays(store: Store) -> None:
    load(store, [tcp(number) for number in range(5)], [tcp(number) for number in range(3, 9)])
    assert [vantage.shared for vantage in store.vantages()] == [2]
    assert not store.vantages()[0].certain
    assert len(flows(store)) == 9
    for line, ports in (
        ("capture:1", range(5)),
        ("capture:2", range(3, 9)),
        ("-capture:1", (5, 6, 7, 8)),
    ):
        with store.flow_view(FlowQuery(terms=parse_filter(line).terms)) as view:
            assert [flow.client_port - 40_000 for flow in view.page(0, 99)] == [*ports]


def test_ports_used_again_are_no_copies(store: Store) -> None:
    """Same ends, same hour of another day; or the same moment in a network like ours."""
    first = [tcp(number) for number in range(5)]
    again = [later(tcp(number, client_token=5 + number, server_token=9), HOUR) for number in
             range(5)]  # fmt: skip
    elsewhere = [tcp(number, client_token=77 + number, server_token=99) for number in range(5)]
    load(store, first, again, elsewhere)
    assert store.vantages() == ()
    assert len(flows(store)) == 15


def test_ports_used_again_are_matched_where_clocks_agree_only_roughly(store: Store) -> None:
    """A recorder that stamps packets as it is handed them, several at once."""
    again = [
        later(tcp(0, client_token=100 + number, server_token=200 + number), number * 50_000)
        for number in range(3)
    ]
    late = [
        replace(flow, first_us=101_000 + n, last_us=101_000 + n) for n, flow in enumerate(again)
    ]
    load(store, [*again, tcp(5), tcp(6)], [*late, tcp(5), tcp(6)])
    assert len(flows(store)) == 5
    assert {flow.client_token for flow in flows(store)} == {100, 101, 102, 1005, 1006}


def test_networks_with_the_same_addresses_stay_apart(store: Store) -> None:
    """UDP between the same ends at the same time; nothing says that it was the same."""
    one = [samples.flow(protocol=UDP, first_us=0, last_us=MINUTE, client_token=3)]
    other = [samples.flow(protocol=UDP, first_us=9, last_us=MINUTE, client_token=4)]
    load(store, one, other)
    assert store.vantages() == () and len(flows(store)) == 2


def test_datagrams_are_copies_where_clocks_agree(store: Store) -> None:
    def datagrams(by: int) -> list[Flow]:
        return [
            later(
                samples.flow(
                    protocol=UDP if at else ICMP, client_port=50_000 + at, server_port=53,
                    first_us=at * 1_000_000, last_us=at * 1_000_000 + 10,
                    client_token=7 + at, server_token=8 + at,
                ),
                by,
            )
            for at in range(6)
        ]  # fmt: skip

    load(store, datagrams(0), datagrams(1200))
    assert [(one.shared, one.offset_us) for one in store.vantages()] == [(4, 1200)]
    assert len(flows(store)) == 6
    load(store, datagrams(HOUR))  # repeated an hour later, as clients do
    assert len(store.vantages()) == 1
    assert len(flows(store)) == 12


def test_two_halves_of_an_asymmetric_path_are_established(store: Store) -> None:
    def half(number: int, *, ours: bool) -> Flow:
        whole = tcp(number)
        if ours:
            return replace(
                whole, packets_to_client=0, bytes_to_client=0, flags_to_client=0, server_token=0,
                server_ttl=0, marks=OURS, outcome=Outcome.ONE_WAY,
            )  # fmt: skip
        # Seen from its answer on: the server spoke first.
        return replace(
            later(whole, 700), packets_to_server=0, bytes_to_server=0, flags_to_server=0,
            client_token=0, client_ttl=0, marks=THEIRS >> 1 | Mark.SERVER_FIRST,
            outcome=Outcome.ONE_WAY,
        )  # fmt: skip

    load(store, [half(number, ours=True) for number in range(4)])
    assert {flow.outcome for flow in flows(store)} == {Outcome.ONE_WAY}
    load(store, [half(number, ours=False) for number in range(4)])
    assert [vantage.offset_us for vantage in store.vantages()] == [700]
    found = flows(store)
    assert [(flow.outcome, flow.direction) for flow in found] == [
        (Outcome.ESTABLISHED, Direction.SYN)
    ] * 4
    assert [(flow.packets_to_server, flow.packets_to_client) for flow in found] == [(5, 4)] * 4
    assert [flow.client_port for flow in found] == [40_000, 40_001, 40_002, 40_003]


def test_a_syn_repeated_while_files_rotate_is_no_copy(store: Store) -> None:
    """To hosts that do not answer: the same SYN in two files, a second later in each case."""
    silent = {"packets_to_client": 0, "server_token": 0, "marks": Mark.OPEN, "flags_to_client": 0}
    first = [tcp(number, **silent) for number in range(6)]
    load(store, first, [later(flow, 8_000_000) for flow in first])
    assert store.vantages() == ()
    assert [(flow.packets_to_server, flow.outcome) for flow in flows(store)] == [
        (10, Outcome.UNANSWERED)
    ] * 6


def test_files_of_two_places_add_up_place_by_place(store: Store) -> None:
    """One long connection; each place changes its file at a time of its own."""
    whole = tcp(0, last_us=10 * MINUTE, packets_to_server=100, packets_to_client=90)

    def part(begin: int, end: int, packets: int, by: int, **values: object) -> list[Flow]:
        flow = replace(whole, first_us=begin * MINUTE, last_us=end * MINUTE - 1)
        return [later(replace(flow, packets_to_server=packets, **values), by)]  # type: ignore[arg-type]

    going_on = {"client_token": 0, "server_token": 0, "marks": Mark.LIVE | Mark.LIVE << 1}
    files = [
        part(0, 6, 60, 0),
        part(0, 3, 30, HOUR),
        part(6, 10, 40, 0, **going_on),
        part(3, 10, 69, HOUR, **going_on),
    ]
    # Other connections tell which files are of the same time.
    for number, (one, other, minute) in enumerate(((0, 1, 0), (0, 3, 4), (2, 3, 7)), 1):
        files[one].append(later(tcp(number), minute * MINUTE))
        files[other].append(later(tcp(number), minute * MINUTE + HOUR))
    load(store, *files[::2])
    load(store, *files[1::2])
    assert {(one.reference, one.capture) for one in store.vantages()} == {(1, 3), (1, 4), (2, 4)}
    [long] = [flow for flow in flows(store) if flow.client_port == 40_000]
    assert (long.packets_to_server, long.last_us) == (100, 10 * MINUTE - 1)
    [stretches] = store.pieces([long.id]).values()
    assert [capture for capture, *_ in stretches] == [1, 2]


PSEXEC = "empire_psexec_dcerpc_tcp_svcctl_WORKSTATION"
DATA = {
    "otrf": (f"{PSEXEC}5", f"{PSEXEC}6"),
    "apt29-day2": ("NEWYORK", "SCRANTON", "UTICA-A", "UTICA-C", "UTICA-ONE-DRIVE"),
}
SHARED = {
    "otrf": {(1, 2): 2},
    "apt29-day2": {(1, 2): 25, (1, 3): 32, (1, 4): 1},
}


@pytest.mark.parametrize("folder", DATA)
def test_machines_of_one_network_that_each_recorded(
    store: Store, shared_data: Path, folder: str
) -> None:
    paths = [next((shared_data / "lateral" / folder).glob(f"{name}*")) for name in DATA[folder]]
    apart: list[tuple[int, int]] = []
    with store.load(JUDGE) as job:
        for path in paths:
            number = job.begin(str(path), path.name)
            taken: list[FlowColumns] = []
            report = read_capture(path, on_flows=taken.append)
            for columns in taken:
                job.flows(number, columns)
                sizes = (columns["packets_to_server"], columns["packets_to_client"])
                apart += zip(*(size.tolist() for size in sizes), strict=True)
            job.finish(number, report)
    found = store.vantages()
    assert {(one.reference, one.capture): one.shared for one in found} == SHARED[folder]
    assert all(abs(one.offset_us) < 6000 and one.hops == 0 for one in found)  # one clock, one LAN
    merged = flows(store)
    assert len(apart) - len(merged) >= sum(SHARED[folder].values())
    counts = Counter((flow.packets_to_server, flow.packets_to_client) for flow in merged)
    seen = Counter(apart)
    # Nothing is added up: each way, a flow has what one of the captures has of it.
    assert {way for pair in counts for way in pair} <= {way for pair in seen for way in pair}
    assert sum(map(sum, counts.elements())) < sum(map(sum, apart))
