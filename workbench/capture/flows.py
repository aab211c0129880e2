"""Rows of the flow table to flow columns: who is the client and why, and what came of it.

The settled order of evidence: syn > hint > well-known > degree > first. Weaker evidence never
overturns stronger. Flows keep what was seen of them (`marks`), so that they can be judged again,
with other hints or over a whole dataset, without their packets.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.ends import Bools, Ends, Rows
from workbench.capture.ports import (
    CALLING,
    CLIENT_PORTS,
    RANKS,
    SILENT_UDP,
    WELL_KNOWN,
    hint_masks,
    port_mask,
)
from workbench.model.net import ICMP, ICMPV6, SCTP, TCP, UDP, V4_BASE, ServiceRange
from workbench.model.traffic import (
    FLOW_DTYPES,
    PAIRS,
    SEVERAL_CLIENTS,
    Direction,
    FlowColumns,
    Mark,
    Outcome,
    TcpFlag,
)

Counts = NDArray[np.int64]

_WELL_KNOWN = {protocol: port_mask(ports) for protocol, ports in WELL_KNOWN.items()}
_SILENT = port_mask(SILENT_UDP)
_CALLING = {protocol: port_mask(ports) for protocol, ports in CALLING.items()}
_ICMP_REQUESTS = {ICMP: port_mask((8, 13, 15, 17)), ICMPV6: port_mask((128, 139))}


def flow_columns(rows: Rows, hints: Sequence[ServiceRange] = ()) -> FlowColumns:
    """Finish flows: turn each so that it runs client → server, with outcome and evidence."""
    return judged(Ends.of_rows(rows), hints)


def judge_again(
    columns: FlowColumns,
    hints: Sequence[ServiceRange],
    clients: tuple[Counts, Counts] | None = None,
) -> FlowColumns:
    """Finished flows as if they had been seen with these hints, and with the whole dataset.

    clients: how many client ends use each flow's client endpoint, and its server endpoint, as a
    server; without it, the flows at hand are counted.
    """
    ends = Ends.of_columns(columns)
    if clients is None:
        return judged(ends, hints)
    turned = (columns["marks"] & np.uint16(Mark.SERVER_FIRST)) != 0
    known = np.where(turned, clients[1], clients[0]), np.where(turned, *clients)
    return judged(ends, hints, known)


def judged(
    ends: Ends, hints: Sequence[ServiceRange], clients: tuple[Counts, Counts] | None = None
) -> FlowColumns:
    """Columns in the order and types of FLOW_DTYPES; `clients` of end A's port and of end B's."""
    b_opens, direction = _directions(ends, hints, clients)
    outcome = _outcomes(ends, b_opens)
    columns: dict[str, NDArray[Any]] = {
        "protocol": ends.protocol,
        "outcome": outcome,
        "direction": direction,
        "marks": ends.marks & ~np.uint16(Mark.SERVER_FIRST)
        | b_opens * np.uint16(Mark.SERVER_FIRST),
        **ends.whole,
    }
    for client, server in PAIRS.items():
        a, b = ends.pairs[client]
        columns[client], columns[server] = np.where(b_opens, b, a), np.where(b_opens, a, b)
    return {name: np.ascontiguousarray(columns[name], kind) for name, kind in FLOW_DTYPES.items()}


class _Verdicts:
    """Where B is the client, and the Direction that says so; what is settled stays."""

    def __init__(self, flows: int) -> None:
        self.b_opens = np.zeros(flows, np.bool_)  # A spoke first
        self.direction = np.full(flows, Direction.FIRST, np.uint8)
        self.to_group = np.zeros(flows, np.bool_)
        """B is a group of hosts, which asks for nothing."""

    def settle(self, a_serves: Bools, b_serves: Bools, evidence: Direction) -> None:
        told = (a_serves != b_serves) & (self.direction == Direction.FIRST)
        told &= ~(a_serves & self.to_group)
        self.b_opens[told] = a_serves[told]
        self.direction[told] = evidence


def _directions(
    ends: Ends, hints: Sequence[ServiceRange], clients: tuple[Counts, Counts] | None
) -> tuple[Bools, NDArray[np.uint8]]:
    """Where B is the client, and the Direction that says so."""
    found = _Verdicts(len(ends.protocol))
    a_open, b_open = ends.marked(Mark.OPEN), ends.marked(Mark.OPEN, True)
    found.settle(~a_open & b_open, a_open & ~b_open, Direction.SYN)
    both = a_open & b_open  # a simultaneous open: the first one counts
    found.direction[both] = Direction.SYN
    found.settle(ends.marked(Mark.ANSWER), ends.marked(Mark.ANSWER, True), Direction.SYN)
    rest = np.flatnonzero(found.direction == Direction.FIRST)
    if len(rest):
        by_ports = _by_ports(ends.at(rest), hints)
        for name, values in vars(by_ports).items():
            getattr(found, name)[rest] = values
    unsettled = (found.direction == Direction.FIRST) & np.isin(ends.protocol, (TCP, UDP, SCTP))
    if unsettled.any():
        a, b = clients or _clients(ends, found.b_opens, found.direction, unsettled)
        popular = (
            unsettled & (a >= SEVERAL_CLIENTS) & (a > b),
            unsettled & (b >= SEVERAL_CLIENTS) & (b > a),
        )
        found.settle(*popular, Direction.DEGREE)
    return found.b_opens, found.direction


def _by_ports(ends: Ends, hints: Sequence[ServiceRange]) -> _Verdicts:
    found = _Verdicts(len(ends.protocol))
    found.to_group = _to_many(ends, found.b_opens) | ends.marked(Mark.GROUP) & ~ends.sent[1]
    if hints:
        found.settle(*_listed(ends, hint_masks(hints)), Direction.HINT)
    for serving in _well_known(ends):
        found.settle(*serving, Direction.WELL_KNOWN)
    # A TCP flow caught in the middle is as likely to begin with either end: a port that no system
    # gives to clients serves. UDP begins with a question.
    guessed = (found.direction == Direction.FIRST) & (ends.protocol == TCP)
    guessed &= (ends.ports[0] < CLIENT_PORTS) & (ends.ports[1] >= CLIENT_PORTS)
    found.b_opens[guessed] = True
    return found


def _well_known(ends: Ends) -> Iterator[tuple[Bools, Bools]]:
    """Where A serves and where B does, as their ports say; what comes first is stronger."""
    a_calls, b_calls = _listed(ends, _CALLING)
    yield b_calls, a_calls
    a, b = _listed(ends, _WELL_KNOWN)
    a_port, b_port = ends.ports
    # Listed, but given to clients too: not where it asks first, and a port that never is.
    asks = (ends.protocol == UDP) & (a_port >= CLIENT_PORTS) & (b_port < CLIENT_PORTS)
    a &= ~asks
    yield a, b
    both, a_rank, b_rank = a & b, RANKS[a_port], RANKS[b_port]
    none = np.zeros(len(a), np.bool_)
    silent = (ends.protocol == UDP) & _SILENT[b_port] & ~ends.sent[1]
    yield none, silent & ((a_rank > 0) | (b_rank == 0))
    yield both & (a_rank < b_rank), both & (b_rank < a_rank)
    # The same port at both ends (NetBIOS, NTP …): a frame sent to many shows the serving end.
    yield none, b & (_to_many(ends, none) | ends.marked(Mark.GROUP))


def _listed(ends: Ends, masks: dict[int, Bools]) -> tuple[Bools, Bools]:
    """Where A's and where B's port is in a table of server ports."""
    a, b = (np.zeros(len(ends.protocol), np.bool_) for _ in range(2))
    for protocol, mask in masks.items():
        here = ends.protocol == protocol
        a[here], b[here] = mask[ends.ports[0][here]], mask[ends.ports[1][here]]
    return a, b


def _clients(
    ends: Ends, b_opens: Bools, direction: NDArray[np.uint8], asked: Bools
) -> tuple[Counts, Counts]:
    """How many client ends use A's and B's endpoint as a server; among these flows, where `asked`.

    An end counts as a client where stronger evidence or, for want of it, the first packet says so:
    a scanner's port meets many hosts too, but it speaks first. A SYN seen proves a server at once;
    an endpoint that asks a known service is no server, however many answer (SSDP, WS-Discovery).
    """
    a_key, b_key = _endpoint_keys(ends)
    wanted = np.unique(np.concatenate([a_key[asked], b_key[asked]]))
    server = np.where(b_opens, a_key, b_key)
    client = np.where(b_opens, b_key, a_key)
    among = np.isin(server, wanted)
    pairs = np.unique(np.stack([server[among], client[among]]), axis=1)
    clients = np.bincount(np.searchsorted(wanted, pairs[0]), minlength=len(wanted))
    proven = np.unique(server[among & (direction == Direction.SYN)])
    clients[np.searchsorted(wanted, proven)] += SEVERAL_CLIENTS - 1
    clients[np.isin(wanted, client[direction >= Direction.WELL_KNOWN])] = 0
    a, b = np.zeros(len(server), np.int64), np.zeros(len(server), np.int64)
    a[asked] = clients[np.searchsorted(wanted, a_key[asked])]
    b[asked] = clients[np.searchsorted(wanted, b_key[asked])]
    return a, b


def _endpoint_keys(ends: Ends) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """64 mixed bits for each end's address, protocol and port."""
    a, b = (
        _mixed(ends.protocol.astype(np.uint64) << np.uint64(16) | port, hi, lo)
        for hi, lo, port in zip(
            ends.pairs["client_hi"], ends.pairs["client_lo"], ends.ports, strict=True
        )
    )
    return a, b


def _mixed(
    service: NDArray[np.uint64], hi: NDArray[np.uint64], lo: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    host = hi * np.uint64(layout.MIX_1) + lo
    host = (host ^ host >> np.uint64(29)) * np.uint64(layout.MIX_2)
    key = (host ^ service) * np.uint64(0x94D049BB133111EB)
    return np.asarray(key ^ key >> np.uint64(31))


def _outcomes(ends: Ends, b_opens: Bools) -> NDArray[np.uint8]:
    """What came of each flow (see Outcome); `b_opens`: B is the client."""
    outcomes = _tcp_outcomes(ends, b_opens).astype(np.uint8)
    others = np.flatnonzero(ends.protocol != TCP)
    if len(others):
        outcomes[others] = _plain_outcomes(ends.at(others), b_opens[others])
    return outcomes


def _tcp_outcomes(ends: Ends, b_opens: Bools) -> NDArray[np.int64]:
    serving = ~b_opens
    both = np.logical_and(*ends.sent)
    refused = ends.marked(Mark.QUOTED, b_opens)
    opened = ends.marked(Mark.OPEN, b_opens) | ends.marked(Mark.OPEN, serving)
    answered = ends.marked(Mark.ANSWER, serving)
    client_live, server_live = ends.marked(Mark.LIVE, b_opens), ends.marked(Mark.LIVE, serving)
    client_more = client_live | ends.flagged(TcpFlag.RST, b_opens)
    reset = ends.flagged(TcpFlag.RST, serving)
    return np.select(
        [
            both & ((opened & (answered | server_live)) | (answered & client_live)),
            opened & both & reset & ~client_live,
            opened & both,  # SYNs from both ends, or an answer that only the client's next shows
            opened & refused,
            opened & ~client_more,
            ~both,
        ],
        [
            Outcome.ESTABLISHED,
            Outcome.REFUSED,
            Outcome.ESTABLISHED,
            Outcome.REFUSED,
            Outcome.UNANSWERED,
            Outcome.ONE_WAY,
        ],
        Outcome.MID_STREAM,
    )


def _plain_outcomes(ends: Ends, b_opens: Bools) -> NDArray[np.int64]:
    a_sent, b_sent = ends.sent
    client_sent = np.where(b_opens, b_sent, a_sent)
    refused = ends.marked(Mark.QUOTED, b_opens)
    port = np.where(b_opens, ends.ports[0], ends.ports[1])
    answers = np.isin(ends.protocol, (UDP, SCTP))
    answers &= ~((ends.protocol == UDP) & _SILENT[port])
    for protocol, requests in _ICMP_REQUESTS.items():
        answers |= (ends.protocol == protocol) & requests[port]
    answers &= ~(_to_many(ends, b_opens) | ends.marked(Mark.GROUP, b_opens))
    aborted = ends.marked(Mark.ABORT, ~b_opens) & ~ends.marked(Mark.ANSWER, ~b_opens)
    return np.select(
        [
            ~client_sent,  # an answer, whose question went another way
            aborted & (ends.protocol == SCTP),
            a_sent & b_sent,
            refused,
            answers,
        ],
        [
            Outcome.ONE_WAY,
            Outcome.REFUSED,
            Outcome.ESTABLISHED,
            Outcome.REFUSED,
            Outcome.UNANSWERED,
        ],
        Outcome.ONE_WAY,
    )


def _to_many(ends: Ends, b_opens: Bools) -> Bools:
    """Where the server is a multicast group or the limited broadcast address."""
    hi, lo = (np.where(b_opens, *ends.pairs[name]) for name in ("client_hi", "client_lo"))
    v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(V4_BASE >> 32))
    top = lo & np.uint64(0xFFFF_FFFF)
    group = (top >> np.uint64(28) == 14) | (top == 0xFFFF_FFFF)
    return np.asarray(np.where(v4, group, hi >> np.uint64(56) == 0xFF))
