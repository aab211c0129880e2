"""Conversations, flows and packets in words: what tables and panels are made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.model.net import PORT_PROTOCOLS, format_address
from workbench.model.packets import Packet, printable
from workbench.model.text import duration, short_bytes, short_count
from workbench.model.traffic import Conversation, Direction, Flow, Outcome, time_of
from workbench.model.verdict import Class, Verdict
from workbench.tui.glyphs import CLASS_TONES, class_label
from workbench.tui.widgets.pagedtable import Column, Row

if TYPE_CHECKING:
    from workbench.session import Session


@dataclass(frozen=True, slots=True)
class Story:
    """One conversation, judged and named."""

    row: int
    conversation: Conversation
    klass: Class
    client: str
    """Name, or address where there is none."""
    server: str
    why: str
    """The rules that allow it, or why nothing does."""


def stories(session: "Session", rows: Iterable[int]) -> list[Story]:
    """Name and explain conversations; a few hundred at a time."""
    simulation, inventory = session.simulation, session.inventory
    found = []
    for row in map(int, rows):
        seen = session.table.at(row)
        klass = Class(int(simulation.classes[row]))
        names = printable(inventory.name(seen.client)), printable(inventory.name(seen.server))
        found.append(Story(row, seen, klass, *names, _why(session, row)))
    return found


def _why(session: "Session", row: int) -> str:
    simulation = session.simulation
    if Verdict(int(simulation.verdicts[row])) is Verdict.ALLOWED:
        return ", ".join(simulation.rules_of(row))
    return session.explain_row(row).decision.reason


def clock(microseconds: int | None, *, day: bool = True) -> str:
    """`03-31 14:02:09` UTC, or the time alone."""
    if microseconds is None:
        return "never"
    moment = time_of(microseconds)
    return f"{moment:%m-%d %H:%M:%S}" if day else f"{moment:%H:%M:%S}"


def period(first_us: int, last_us: int) -> str:
    """`03-31 14:02–14:09`, with both days where they differ."""
    first, last = time_of(first_us), time_of(last_us)
    same = first.date() == last.date()
    return f"{first:%m-%d %H:%M}–{last:{'%H:%M' if same else '%m-%d %H:%M'}}"


CONVERSATION_COLUMNS = (
    Column("verdict", 18, "class"),
    Column("service", 12, "port"),
    Column("client", 12, "client", flex=1, middle=True),
    Column("server", 12, "server", flex=1, middle=True),
    Column("flows", 6, "flows", right=True),
    Column("bytes", 8, "bytes", right=True, spare=1),
    Column("outcome", 11, "outcome", spare=3),
    Column("last seen (UTC)", 16, "last_us", spare=4),
    Column("why", 20, flex=4, spare=2),
)


def conversation_row(story: Story) -> Row:
    """In the order of CONVERSATION_COLUMNS."""
    seen = story.conversation
    tone = CLASS_TONES[story.klass]
    return Row(
        story.row,
        (
            (class_label(story.klass), tone),
            seen.service,
            story.client,
            story.server,
            short_count(seen.flows),
            short_bytes(seen.bytes),
            seen.outcome.text,
            clock(seen.last_us),
            (story.why, "dim"),
        ),
    )


FLOW_COLUMNS = (
    Column("first seen (UTC)", 17, "first_us"),
    Column("client", 13, "client", flex=2, middle=True),
    Column("server", 13, "server", flex=2, middle=True),
    Column("service", 12, "server_port"),
    Column("outcome", 11, "outcome"),
    Column("direction", 10, "direction", spare=2),
    Column("c.port", 6, "client_port", right=True, spare=4),
    Column("packets", 7, "packets", right=True, spare=3),
    Column("bytes", 8, "bytes", right=True, spare=1),
    Column("lasted", 11, "duration", right=True, spare=5),
)


_OUTCOME_TONES = {
    Outcome.ESTABLISHED: "",
    Outcome.REFUSED: "blocked",
    Outcome.UNANSWERED: "uncertain",
}


def flow_row(flow: Flow, client: str, server: str) -> Row:
    """In the order of FLOW_COLUMNS."""
    return Row(
        flow,
        (
            clock(flow.first_us),
            printable(client),
            printable(server),
            flow.service,
            (flow.outcome.text, _OUTCOME_TONES.get(flow.outcome, "dim")),
            (flow.direction.text, "uncertain" if flow.direction == Direction.FIRST else ""),
            str(flow.client_port) if flow.protocol in PORT_PROTOCOLS else "–",
            short_count(flow.packets_to_server + flow.packets_to_client),
            short_bytes(flow.bytes_to_server + flow.bytes_to_client),
            duration(flow.last_us - flow.first_us),
        ),
    )


PACKET_COLUMNS = (
    Column("#", 5, right=True),
    Column("time (UTC)", 15),
    Column("", 2),
    Column("bytes", 6, right=True),
    Column("protocol", 9, spare=1),
    Column("what", 20, flex=1),
)


def packet_row(packet: Packet) -> Row:
    """In the order of PACKET_COLUMNS."""
    moment = time_of(packet.time_us)
    arrow = ("→ ", "accent") if packet.to_server else (" ←", "allowed")
    cells = (
        str(packet.number),
        f"{moment:%H:%M:%S.%f}",
        arrow,
        str(packet.length),
        printable(packet.protocol, 20),
        printable(packet.info),
    )
    return Row(packet.number, cells)


def ends(flow: Flow) -> str:
    """`10.1.0.7:50412 → 10.2.0.5 tcp/443`."""
    port = f":{flow.client_port}" if flow.protocol in PORT_PROTOCOLS else ""
    client, server = format_address(flow.client), format_address(flow.server)
    client = f"[{client}]" if port and ":" in client else client
    return f"{client}{port} → {server} {flow.service}"
