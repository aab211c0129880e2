"""Send packets through a ruleset, all at once: every column is an array over the packets.

A chain takes the packets that are still undecided, each rule splits them, and a jump is a call.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ICMP, ICMPV6, PORT_PROTOCOLS
from workbench.verify.batch import Batch
from workbench.verify.nft.lexer import CannotRead
from workbench.verify.nft.ruleset import (
    INVALID,
    NEW,
    NF_PROTOS,
    TOPS,
    Chain,
    Element,
    Match,
    Rule,
    Ruleset,
    Selector,
    Table,
    Verdict,
)

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Key = tuple[Selector, ...]
MAX_DEPTH = 16
"""NFT_JUMP_STACK_SIZE: the kernel refuses deeper chains."""
PATH = ("prerouting", "forward", "postrouting")
"""The hooks of a packet that the gateway forwards, in order."""
ICMP_REQUESTS = {ICMP: (8, 13, 15, 17), ICMPV6: (128, 139)}
"""Message types that begin a flow for conntrack; others are invalid when they come first."""
MOST_RULES = 2_000_000
"""Rules asked for one base chain: chains that jump twice to the next grow beyond all patience."""
FEW = 8
"""Elements up to which comparing beats sorting."""
CLIENT_PORTS = np.array([49152, 1, 1023, 65535])
"""A rule must not care about the client's port, so packets take turns with these."""


class Fate(IntEnum):
    """What becomes of a packet."""

    ACCEPT = 1
    DROP = 2
    CHANCE = 3
    """Depends on bytes that are no port: `th dport` was read of a protocol without ports."""


@dataclass(frozen=True)
class Packets:
    """Packets as columns of one length; client and server are the packet's source, destination."""

    batch: Batch
    state: int = NEW
    """The bit of `ct state` that they have (NEW: where conntrack sees a beginning)."""
    reply: bool = False
    """From the server back to the client."""
    client_port: int | None = None
    """None: they take turns with a few, as a rule must not care."""
    mapped: bool = False
    """IPv6 packets, whose addresses may be ::ffff:a.b.c.d."""

    def __len__(self) -> int:
        return len(self.batch)

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """By Selector.column; addresses as ranks of the batch."""
        batch = self.batch
        some = CLIENT_PORTS if self.client_port is None else np.array([self.client_port])
        ours = some[np.arange(len(batch)) % len(some)]
        ends, ports = [batch.client, batch.server], [ours, batch.port]
        if self.reply:
            ends, ports = ends[::-1], ports[::-1]
        v4 = batch.v4[batch.client] & (not self.mapped)
        family = np.where(v4, NF_PROTOS["ipv4"], NF_PROTOS["ipv6"])
        return {
            "client": ends[0],
            "server": ends[1],
            "sport": ports[0],
            "dport": ports[1],
            "protocol": batch.protocol,
            "family": family,
            "icmp": batch.port,
            "state": np.where(self._uninvited, INVALID, self.state),
        }

    @property
    def _uninvited(self) -> Mask:
        """ICMP that conntrack does not take for a new flow (nf_conntrack_proto_icmp*.c)."""
        icmp = np.isin(self.batch.protocol, list(ICMP_REQUESTS))
        services = self.batch.protocol << 16 | self.batch.port
        requests = [kind << 16 | port for kind, ports in ICMP_REQUESTS.items() for port in ports]
        return icmp & ~np.isin(services, requests) & (self.state == NEW)

    @cached_property
    def has_ports(self) -> Mask:
        return np.isin(self.batch.protocol, list(PORT_PROTOCOLS))

    def bounds(self, selector: Selector, first: int, last: int) -> tuple[int, int]:
        """The closed interval [first, last] of a field as a half-open one of its column."""
        if selector.column in ("client", "server"):
            return self.batch.ranks(first, last)
        return first, last + 1


def judge(ruleset: Ruleset, packets: Packets) -> NDArray[np.uint8]:
    """The Fate of each packet. Raises CannotRead where the ruleset means nothing definite."""
    fates = np.full(len(packets), Fate.ACCEPT, np.uint8)
    bases = [
        (PATH.index(chain.hook.hook), chain.hook.priority, table, chain)
        for table in ruleset.tables
        for chain in table.chains.values()
        if chain.hook and chain.hook.hook in PATH
    ]
    for _, _, table, chain in sorted(bases, key=lambda base: base[:2]):
        alive = np.flatnonzero(fates == Fate.ACCEPT)
        if table.family != "inet":
            family = NF_PROTOS["ipv4" if table.family == "ip" else "ipv6"]
            alive = alive[packets.columns["family"][alive] == family]
        _Walk(table, packets, fates).base(chain, alive)
    return fates


@dataclass
class _Walk:
    """Packets on their way through one base chain."""

    table: Table
    packets: Packets
    fates: NDArray[np.uint8]
    known: dict[tuple[Key, int], tuple[tuple[Element, ...], list[Rows]]] = field(
        default_factory=dict
    )
    """Key and identity of the elements → the elements (kept alive) and their bounds."""
    asked: int = 0
    """Rules so far, counted every time a chain comes to them."""

    def base(self, chain: Chain, rows: Rows) -> None:
        rest = self.chain(chain, rows, 0)
        assert chain.hook is not None  # noqa: S101 - only base chains come here
        if not chain.hook.accepts:
            self.fates[rest] = Fate.DROP

    def chain(self, chain: Chain, rows: Rows, depth: int) -> Rows:
        """Returns the packets that leave at the chain's end or by `return`, undecided."""
        left: list[Rows] = []
        for rule in chain.rules:
            if not len(rows):
                break
            if depth > MAX_DEPTH:
                raise CannotRead(rule.line, "chains call each other too deeply, or in a circle")
            self.asked += 1
            if self.asked > MOST_RULES:
                raise CannotRead(rule.line, "chains call each other too often")
            rows = self.rule(rule, rows, left, depth)
        return np.concatenate([*left, rows])

    def rule(self, rule: Rule, rows: Rows, left: list[Rows], depth: int) -> Rows:
        """Returns the packets that go on with the next rule."""
        if not (rule.verdict or rule.vmap):
            return rows
        matches = (*rule.matches, *([rule.vmap] if rule.vmap else []))
        places = np.arange(len(rows))
        chance = np.zeros(len(rows), np.bool_)
        index = np.zeros(0, np.int64)
        for match in matches:
            index, unsure = self.lookup(match, rows[places])
            hit = ((index >= 0) != match.negated) | unsure
            chance[places[unsure]] = True
            places, index = places[hit], index[hit]
        unlucky = chance[places]
        self.fates[rows[places[unlucky]]] = Fate.CHANCE
        undecided = np.ones(len(rows), np.bool_)
        undecided[places] = False
        go_on = [rows[undecided]]
        sure, index = rows[places[~unlucky]], index[~unlucky] if matches else index
        if rule.verdict:
            self.decide(rule.verdict, sure, go_on, left, depth)
        elif rule.vmap:
            for verdict, numbers in _by_verdict(self.elements(rule.vmap), index).items():
                self.decide(verdict, sure[np.isin(index, numbers)], go_on, left, depth)
        return np.concatenate(go_on)

    def decide(
        self, verdict: Verdict, rows: Rows, go_on: list[Rows], left: list[Rows], depth: int
    ) -> None:
        """Apply a verdict to packets; those it leaves undecided join `go_on` or `left`."""
        if verdict.kind == "accept":
            self.fates[rows] = Fate.ACCEPT
        elif verdict.kind == "drop":
            self.fates[rows] = Fate.DROP
        elif verdict.kind == "return":
            left.append(rows)
        elif verdict.kind == "continue":
            go_on.append(rows)
        else:
            back = self.chain(self.table.chains[verdict.chain], rows, depth + 1)
            (go_on if verdict.kind == "jump" else left).append(back)

    def elements(self, match: Match) -> tuple[Element, ...]:
        return self.table.sets[match.set_name].elements if match.set_name else match.elements

    def lookup(self, match: Match, rows: Rows) -> tuple[NDArray[np.int64], Mask]:
        """Number of the element that holds each packet's key, or -1; and where chance decides.

        Where an implicit dependency fails the rule cannot match: for a negated match that is an
        element number, too.
        """
        elements = self.elements(match)
        columns = self.packets.columns
        fits = np.ones(len(rows), np.bool_)
        for part in match.key:
            if part.family:
                fits &= columns["family"][rows] == NF_PROTOS[part.family]
            if part.protocol >= 0:
                fits &= columns["protocol"][rows] == part.protocol
        index = np.full(len(rows), 0 if match.negated else -1, np.int64)
        unsure = np.zeros(len(rows), np.bool_)
        raw = [at for at, part in enumerate(match.key) if _is_raw(part)]
        blind = fits & ~self.packets.has_ports[rows] if raw else unsure
        seeing = np.flatnonzero(fits & ~blind)
        index[seeing] = self.find(match.key, elements, rows[seeing])
        if blind.any():
            at = np.flatnonzero(blind)
            wide = tuple(_widened(element, raw) for element in elements)
            index[at] = self.find(match.key, wide, rows[at])
            unsure[at] = index[at] >= 0
        return index, unsure

    def find(self, key: Key, elements: tuple[Element, ...], rows: Rows) -> NDArray[np.int64]:
        """Number of the element whose box holds each packet's key, or -1."""
        index = np.full(len(rows), -1, np.int64)
        if not len(rows) or not elements:
            return index
        columns = [self.packets.columns[part.column][rows] for part in key]
        if len(elements) > FEW:
            bounds = self.spans(key, elements)
            if len(key) == 1:
                return _find_in_line(columns[0], bounds[0], elements)
            return _find_in_boxes(columns, bounds, elements)
        for number, element in enumerate(elements):
            inside = np.arange(len(rows))
            for column, part, interval in zip(columns, key, element.box, strict=True):
                low, high = self.packets.bounds(part, *interval)
                values = column[inside]
                inside = inside[(values >= low) & (values < high)]
            index[inside] = _same(elements, index[inside], number)
        return index

    def spans(self, key: Key, elements: tuple[Element, ...]) -> list[Rows]:
        """For each part of the key an array (elements, 2) of half-open intervals."""
        name = (key, id(elements))
        if name not in self.known:
            bounds = [
                np.array([self.packets.bounds(part, *element.box[at]) for element in elements])
                for at, part in enumerate(key)
            ]
            self.known[name] = elements, bounds
        return self.known[name][1]


def _by_verdict(elements: tuple[Element, ...], index: Rows) -> dict[Verdict, list[int]]:
    found: dict[Verdict, list[int]] = {}
    for at in np.unique(index).tolist():
        verdict = elements[at].verdict
        if verdict:
            found.setdefault(verdict, []).append(at)
    return found


def _find_in_line(column: Rows, bounds: Rows, elements: tuple[Element, ...]) -> Rows:
    """One-part keys: sort the intervals, then bisect. Intervals may overlap if they agree."""
    order = np.argsort(bounds[:, 0], kind="stable")
    lows, highs = bounds[order].T
    reach = np.maximum.accumulate(highs)
    for at in np.flatnonzero(reach[:-1] > lows[1:]).tolist():
        if highs[at + 1] > lows[at + 1]:
            _same(elements, order[: at + 1][highs[: at + 1] > lows[at + 1]], int(order[at + 1]))
    place = np.searchsorted(lows, column, side="right") - 1
    inside = (place >= 0) & (column < reach[place])
    return np.where(inside, order[place], -1)


def _find_in_boxes(columns: list[Rows], bounds: list[Rows], elements: tuple[Element, ...]) -> Rows:
    """Keys of several parts: for each box look only at the packets of its rarest part."""
    index = np.full(len(columns[0]), -1, np.int64)
    orders = [np.argsort(column, kind="stable") for column in columns]
    spans = np.array(
        [
            np.searchsorted(column[order], bound)
            for column, order, bound in zip(columns, orders, bounds, strict=True)
        ]
    )
    best = np.argmin(spans[:, :, 1] - spans[:, :, 0], axis=0)
    for number, part in enumerate(best.tolist()):
        first, last = spans[part, number]
        inside = orders[part][first:last]
        for column, bound in zip(columns, bounds, strict=True):
            if len(inside):
                values = column[inside]
                inside = inside[(values >= bound[number, 0]) & (values < bound[number, 1])]
        index[inside] = _same(elements, index[inside], number)
    return index


def _same(elements: tuple[Element, ...], old: NDArray[np.int64], number: int) -> int:
    """Overlapping elements are fine as long as they say the same."""
    for other in np.unique(old[old >= 0]).tolist():
        if elements[other].verdict != elements[number].verdict:
            raise CannotRead(0, "two elements of a map overlap and say different things")
    return number


def _is_raw(part: Selector) -> bool:
    """`th dport`: read at a place, whatever the protocol is."""
    return part.column in ("sport", "dport") and part.protocol < 0


def _widened(element: Element, raw: list[int]) -> Element:
    box = list(element.box)
    for at in raw:
        box[at] = (0, TOPS["inet_service"])
    return Element(tuple(box), element.verdict)
