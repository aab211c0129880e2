"""Rows of the flow table to flow columns: who is the client and why, and what came of it.

The settled order of evidence: syn > hint > well-known > degree > first. Weaker evidence never
overturns stronger.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.ports import SILENT_UDP, WELL_KNOWN, hint_masks, port_mask
from workbench.model.net import ICMP, ICMPV6, SCTP, TCP, UDP, V4_BASE, ServiceRange
from workbench.model.traffic import FLOW_DTYPES, Direction, FlowColumns, Outcome, TcpFlag

Rows = NDArray[np.uint64]
"""(n, FLOW_WORDS), see layout."""
Bools = NDArray[np.bool_]

_WELL_KNOWN = {protocol: port_mask(ports) for protocol, ports in WELL_KNOWN.items()}
_SILENT = port_mask(SILENT_UDP)
_ICMP_REQUESTS = {ICMP: port_mask((8, 13, 15, 17)), ICMPV6: port_mask((128, 139))}
_CLIENT_PORTS = (1024, 32768)
"""Where client ports begin: anywhere, and on today's systems."""
_CLIENTS = 2
"""A server port of the `degree` evidence has at least this many clients."""


def flow_columns(rows: Rows, hints: Sequence[ServiceRange] = ()) -> FlowColumns:
    """Finish flows: turn each so that it runs client → server, with outcome and evidence."""
    ends = _Ends(rows)
    b_opens, direction = _directions(ends, hints)
    outcome = _outcomes(ends, b_opens)
    flags = ends.marks.astype(np.uint16).view(np.uint8).reshape(-1, 2)

    def turned(a: int, b: int) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.where(b_opens, rows[:, b], rows[:, a]), np.where(b_opens, rows[:, a], rows[:, b])

    columns: dict[str, NDArray[Any]] = {"protocol": ends.protocol, "outcome": outcome}
    columns["client_hi"], columns["server_hi"] = turned(layout.FLOW_A_HI, layout.FLOW_B_HI)
    columns["client_lo"], columns["server_lo"] = turned(layout.FLOW_A_LO, layout.FLOW_B_LO)
    columns["client_port"] = np.where(b_opens, ends.b_port, ends.a_port)
    columns["server_port"] = np.where(b_opens, ends.a_port, ends.b_port)
    columns["packets_to_server"], columns["packets_to_client"] = turned(
        layout.FLOW_PACKETS_A, layout.FLOW_PACKETS_B
    )
    columns["bytes_to_server"], columns["bytes_to_client"] = turned(
        layout.FLOW_BYTES_A, layout.FLOW_BYTES_B
    )
    columns["flags_to_server"] = np.where(b_opens, flags[:, 1], flags[:, 0])
    columns["flags_to_client"] = np.where(b_opens, flags[:, 0], flags[:, 1])
    columns["first_us"] = rows[:, layout.FLOW_FIRST]
    columns["last_us"] = rows[:, layout.FLOW_LAST]
    columns["direction"] = direction
    columns["vlan"] = ends.marks >> np.uint64(layout.VLAN_SHIFT) & np.uint64(0xFFF)
    columns["first_offset"] = rows[:, layout.FLOW_FIRST_OFFSET]
    columns["last_offset"] = rows[:, layout.FLOW_LAST_OFFSET]
    return {name: columns[name].astype(kind, order="C") for name, kind in FLOW_DTYPES.items()}


class _Ends:
    """The words of the rows that decide, unpacked."""

    def __init__(self, rows: Rows) -> None:
        who = rows[:, layout.FLOW_WHO]
        self.rows = rows
        self.marks = np.ascontiguousarray(rows[:, layout.FLOW_MARKS])
        self.protocol = (who >> np.uint64(32)).astype(np.uint8)
        self.a_port = (who >> np.uint64(16)).astype(np.uint16)
        self.b_port = who.astype(np.uint16)
        self.b_sent = rows[:, layout.FLOW_PACKETS_B] > 0

    def marked(self, mark: int, by_b: Bools | bool = False) -> Bools:
        """Where end A (or B) carries a mark."""
        a = (self.marks & np.uint64(mark)) != 0
        b = (self.marks & np.uint64(mark << 1)) != 0
        return np.asarray(np.where(by_b, b, a))

    def flagged(self, flag: int, by_b: Bools) -> Bools:
        """Where end A (or B) ever sent a TCP flag."""
        a = (self.marks & np.uint64(flag)) != 0
        b = (self.marks & np.uint64(flag << 8)) != 0
        return np.asarray(np.where(by_b, b, a))


def _directions(ends: _Ends, hints: Sequence[ServiceRange]) -> tuple[Bools, NDArray[np.uint8]]:
    """Where B is the client, and the Direction that says so."""
    b_opens = np.zeros(len(ends.protocol), np.bool_)  # A spoke first
    direction = np.full(len(ends.protocol), Direction.FIRST, np.uint8)

    def settle(a_serves: Bools, b_serves: Bools, evidence: Direction) -> None:
        told = (a_serves != b_serves) & (direction == Direction.FIRST)
        b_opens[told] = a_serves[told]
        direction[told] = evidence

    a_open, b_open = ends.marked(layout.OPEN), ends.marked(layout.OPEN, True)
    settle(~a_open & b_open, a_open & ~b_open, Direction.SYN)
    both = a_open & b_open  # a simultaneous open: the first one counts
    direction[both] = Direction.SYN
    settle(ends.marked(layout.ANSWER), ends.marked(layout.ANSWER, True), Direction.SYN)
    if hints:
        settle(*_listed(ends, hint_masks(hints)), Direction.HINT)
    a_known, b_known = _listed(ends, _WELL_KNOWN)
    settle(a_known, b_known, Direction.WELL_KNOWN)
    for limit in _CLIENT_PORTS:  # both are listed: the one that no client is given wins
        both = a_known & b_known
        settle(both & (ends.a_port < limit), both & (ends.b_port < limit), Direction.WELL_KNOWN)
    # The same port at both ends (NetBIOS, NTP …): a frame sent to many shows the serving end.
    none = np.zeros(len(a_known), np.bool_)
    settle(none, b_known & (_to_many(ends, none) | ends.marked(layout.GROUP)), Direction.WELL_KNOWN)
    settle(*_popular(ends, b_opens, direction), Direction.DEGREE)
    return b_opens, direction


def _listed(ends: _Ends, masks: dict[int, Bools]) -> tuple[Bools, Bools]:
    """Where A's and where B's port is in a table of server ports."""
    a, b = (np.zeros(len(ends.protocol), np.bool_) for _ in range(2))
    for protocol, mask in masks.items():
        here = ends.protocol == protocol
        a[here], b[here] = mask[ends.a_port[here]], mask[ends.b_port[here]]
    return a, b


def _popular(ends: _Ends, b_opens: Bools, direction: NDArray[np.uint8]) -> tuple[Bools, Bools]:
    """Where A's (B's) port serves several hosts, and more than the other's; within this batch.

    A host counts as a client where stronger evidence or, for want of it, the first packet says so:
    a scanner's port meets many hosts too, but it speaks first. A SYN seen proves a server at once.
    """
    open_question = (direction == Direction.FIRST) & np.isin(ends.protocol, (TCP, UDP, SCTP))
    if not open_question.any():
        return open_question, open_question
    a_host, a_key = _endpoint_keys(ends, layout.FLOW_A_HI, ends.a_port)
    b_host, b_key = _endpoint_keys(ends, layout.FLOW_B_HI, ends.b_port)
    asked = np.unique(np.concatenate([a_key[open_question], b_key[open_question]]))
    server = np.where(b_opens, a_key, b_key)
    client = np.where(b_opens, b_host, a_host)
    among = np.isin(server, asked)
    pairs = np.unique(np.stack([server[among], client[among]]), axis=1)
    clients = np.bincount(np.searchsorted(asked, pairs[0]), minlength=len(asked))
    proven = np.unique(server[among & (direction == Direction.SYN)])
    clients[np.searchsorted(asked, proven)] += _CLIENTS - 1
    a, b = np.zeros(len(server), np.int64), np.zeros(len(server), np.int64)
    a[open_question] = clients[np.searchsorted(asked, a_key[open_question])]
    b[open_question] = clients[np.searchsorted(asked, b_key[open_question])]
    return (a >= _CLIENTS) & (a > b), (b >= _CLIENTS) & (b > a)


def _endpoint_keys(
    ends: _Ends, hi: int, port: NDArray[np.uint16]
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """64 mixed bits for each end's address, and for its address, protocol and port."""
    host = ends.rows[:, hi] * np.uint64(0x9E3779B97F4A7C15) + ends.rows[:, hi + 1]
    host = (host ^ host >> np.uint64(29)) * np.uint64(0xBF58476D1CE4E5B9)
    service = ends.protocol.astype(np.uint64) << np.uint64(16) | port
    key = (host ^ service) * np.uint64(0x94D049BB133111EB)
    return host, key ^ key >> np.uint64(31)


def _outcomes(ends: _Ends, b_opens: Bools) -> NDArray[np.uint8]:
    """What came of each flow (see Outcome); `b_opens`: B is the client."""
    packets_a = ends.rows[:, layout.FLOW_PACKETS_A] > 0
    client_sent = np.where(b_opens, ends.b_sent, packets_a)
    server_sent = np.where(b_opens, packets_a, ends.b_sent)
    both = client_sent & server_sent
    refused = ends.marked(layout.QUOTED, b_opens)
    return np.where(
        ends.protocol == TCP,
        _tcp_outcomes(ends, b_opens, both, refused),
        _plain_outcomes(ends, b_opens, both, refused),
    ).astype(np.uint8)


def _tcp_outcomes(ends: _Ends, b_opens: Bools, both: Bools, refused: Bools) -> NDArray[np.int64]:
    serving = ~b_opens
    opened = ends.marked(layout.OPEN, b_opens) | ends.marked(layout.OPEN, serving)
    answered = ends.marked(layout.ANSWER, serving)
    client_live, server_live = ends.marked(layout.LIVE, b_opens), ends.marked(layout.LIVE, serving)
    client_more = client_live | ends.flagged(TcpFlag.RST, b_opens)
    reset = ends.flagged(TcpFlag.RST, serving)
    return np.select(
        [
            both & ((opened & (answered | server_live)) | (answered & client_live)),
            opened & both & reset,
            opened & both,  # SYNs from both ends and no more
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


def _plain_outcomes(ends: _Ends, b_opens: Bools, both: Bools, refused: Bools) -> NDArray[np.int64]:
    port = np.where(b_opens, ends.a_port, ends.b_port)
    answers = np.isin(ends.protocol, (UDP, SCTP))
    answers &= ~((ends.protocol == UDP) & _SILENT[port])
    for protocol, requests in _ICMP_REQUESTS.items():
        answers |= (ends.protocol == protocol) & requests[port]
    answers &= ~(_to_many(ends, b_opens) | ends.marked(layout.GROUP, b_opens))
    aborted = ends.marked(layout.ABORT, ~b_opens) & ~ends.marked(layout.ANSWER, ~b_opens)
    return np.select(
        [aborted & (ends.protocol == SCTP), both, refused, answers],
        [Outcome.REFUSED, Outcome.ESTABLISHED, Outcome.REFUSED, Outcome.UNANSWERED],
        Outcome.ONE_WAY,
    )


def _to_many(ends: _Ends, b_opens: Bools) -> Bools:
    """Where the server is a multicast group or the limited broadcast address."""
    hi = np.where(b_opens, ends.rows[:, layout.FLOW_A_HI], ends.rows[:, layout.FLOW_B_HI])
    lo = np.where(b_opens, ends.rows[:, layout.FLOW_A_LO], ends.rows[:, layout.FLOW_B_LO])
    v4 = (hi == 0) & (lo >> np.uint64(32) == np.uint64(V4_BASE >> 32))
    top = lo & np.uint64(0xFFFF_FFFF)
    group = (top >> np.uint64(28) == 14) | (top == 0xFFFF_FFFF)
    return np.asarray(np.where(v4, group, hi >> np.uint64(56) == 0xFF))
