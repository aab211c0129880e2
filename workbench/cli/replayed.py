"""A replayed intrusion as records; for people, steps that are alike in one line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.cli.records import Record
from workbench.model.net import format_address, is_v4, service_text
from workbench.model.response import Replayed, Step
from workbench.model.text import plural
from workbench.model.traffic import format_time

if TYPE_CHECKING:
    from workbench.session import Session

STEP_COLUMNS = (
    "step", "time", "hop", "fate", "client_name", "server_name", "service", "because", "technique",
    "title",
)  # fmt: skip


def replayed_record(session: "Session", replayed: Replayed) -> Record:
    """All of it: hops, and every step."""
    return {
        "policy": replayed.policy,
        "stopped": replayed.stopped,
        "stopped_at": replayed.stopped_at,
        "text": replayed.text,
        "hops": [
            {
                "hop": hop.number,
                "client": format_address(hop.client),
                "client_name": session.inventory.name(hop.client),
                "server": format_address(hop.server),
                "server_name": session.inventory.name(hop.server),
                "first_seen": format_time(hop.first_us),
                "fate": hop.fate.value,
                "because": hop.because,
            }
            for hop in replayed.hops
        ],
        "steps": step_records(session, replayed),
    }


def step_records(session: "Session", replayed: Replayed) -> list[Record]:
    """Every step, one conversation each."""
    return [
        {
            "step": step.number,
            "time": format_time(step.time_us),
            "stage": step.stage.value,
            "technique": step.technique,
            "title": step.title,
            "findings": list(step.findings),
            "hop": step.hop,
            "fate": step.fate.value,
            "rules": list(step.rules),
            "because": step.because,
            "client": format_address(step.conversation.client),
            "client_name": session.inventory.name(step.conversation.client),
            "server": format_address(step.conversation.server),
            "server_name": session.inventory.name(step.conversation.server),
            "service": _service(step),
        }
        for step in replayed.steps
    ]


def folded(session: "Session", replayed: Replayed) -> list[Record]:
    """Steps of the same findings, client, hop and end that go to one network, as one; by time."""
    groups: dict[object, list[Step]] = {}
    for step in replayed.steps:
        ends = step.conversation.client, _network(step.conversation.server)
        groups.setdefault((step.findings, step.hop, step.fate, *ends), []).append(step)
    return [_row(session, steps) for steps in groups.values()]


def _row(session: "Session", steps: Sequence[Step]) -> Record:
    first, name = steps[0], session.inventory.name
    servers = {step.conversation.server for step in steps}
    reasons = dict.fromkeys(step.because for step in steps)
    services = dict.fromkeys(map(_service, steps))
    network = f"{_network(first.conversation.server)} ({plural(len(servers), 'host')})"
    more = len(reasons) - 1
    return {
        "steps": f"{len(steps):,} ×",
        "time": format_time(first.time_us),
        "hop": first.hop,
        "fate": first.fate.value,
        "client": name(first.conversation.client),
        "server": name(first.conversation.server) if len(servers) == 1 else network,
        "service": _service(first) if len(services) == 1 else plural(len(services), "service"),
        "because": first.because + (f", and {more:,} more like it" if more else ""),
        "technique": first.technique,
        "title": first.title,
    }


def _service(step: Step) -> str:
    return service_text(step.conversation.protocol, step.conversation.port)


def _network(address: int) -> str:
    """The /24 around it (IPv6: /64)."""
    host_bits, size = (8, 24) if is_v4(address) else (64, 64)
    return f"{format_address(address >> host_bits << host_bits)}/{size}"
