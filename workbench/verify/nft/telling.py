"""What a ruleset is able to tell apart: the sets its rules look addresses and services up in."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

import numpy as np

from workbench.model.net import (
    ANY_SERVICE,
    PORT_PROTOCOLS,
    AddressRange,
    AddressSet,
    ServiceRange,
)
from workbench.verify.kinds import Services, Sides, Telling
from workbench.verify.nft.evaluate import ICMP_REQUESTS
from workbench.verify.nft.ruleset import Element, Match, Rule, Ruleset, Selector, Table

ENDS = ("client", "server")
SERVICE = ("protocol", "dport", "icmp")
"""Columns that say what a packet is about. (`sport` is the client's: see nftables.found.)"""
CONSTANT = frozenset(
    {
        tuple(ServiceRange(protocol, 0, 65535) for protocol in sorted(PORT_PROTOCOLS)),
        tuple(
            ServiceRange(protocol, kind, kind)
            for protocol, kinds in ICMP_REQUESTS.items()
            for kind in kinds
        ),
    }
)
"""What the evaluator itself tells apart: where ports are, and what begins a flow."""


def telling(ruleset: Ruleset) -> Telling:
    """The services, and for each service the addresses, that some rule distinguishes."""
    looks: dict[int, _Look] = {}
    for table in ruleset.tables:
        named: dict[object, _Look] = {}
        for match in (m for c in table.chains.values() for r in c.rules for m in _matches(r)):
            same = (match.key, match.set_name or id(match))  # many rules look into one named set
            if same not in named:
                named[same] = _Look(table, match)
            looks[id(match)] = named[same]
    services = {found for look in looks.values() for found in look.services()}

    def sets(protocol: int, port: int) -> Sides:
        found: tuple[set[AddressSet], set[AddressSet]] = set(), set()
        for table in ruleset.tables:
            for rule in _reachable(table, looks, protocol, port):
                for match in _matches(rule):
                    for side, addresses in looks[id(match)].sets(protocol, port):
                        found[side].add(addresses)
        return frozenset(found[0]), frozenset(found[1])

    return Telling(CONSTANT | services, sets)


def client_ports(ruleset: Ruleset) -> tuple[int, ...]:
    """One client port of every kind that rules tell apart; none where no rule looks at it."""
    edges = {
        edge
        for table in ruleset.tables
        for chain in table.chains.values()
        for rule in chain.rules
        for match in _matches(rule)
        for place, part in enumerate(match.key)
        if part.column == "sport"
        for element in _elements(table, match)
        for edge in (element.box[place][0], element.box[place][1] + 1)
    }
    return tuple(sorted({1, *(edge for edge in edges if 1 < edge <= 65535)} if edges else ()))


def _elements(table: Table, match: Match) -> tuple[Element, ...]:
    return table.sets[match.set_name].elements if match.set_name else match.elements


def _matches(rule: Rule) -> tuple[Match, ...]:
    return (*rule.matches, *([rule.vmap] if rule.vmap else []))


class _Look:
    """One match: the services and the addresses that its elements speak of."""

    def __init__(self, table: Table, match: Match) -> None:
        elements = _elements(table, match)
        columns = [part.column for part in match.key]
        self._speaks = any(part.column in SERVICE or part.protocol >= 0 for part in match.key)
        self._elements = [
            (element, _services(match.key, element) if self._speaks else (ANY_SERVICE,))
            for element in elements
        ]
        self._ends = [
            (place, ENDS.index(name)) for place, name in enumerate(columns) if name in ENDS
        ]
        self._apart = len(self._ends) > 1 or not {*columns} <= {*SERVICE, *ENDS}
        """Does each element count by itself? Else those with one verdict count together."""
        self._everywhere = None if self._speaks else (list(elements), self._sets(elements))
        pieces: defaultdict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for number, (_, services) in enumerate(self._elements):
            for piece in services:
                pieces[piece.protocol].append((piece.first, piece.last, number))
        self._pieces = {protocol: np.array(found).T for protocol, found in pieces.items()}

    def at(self, protocol: int, port: int) -> list[Element]:
        """The elements that may hold a packet of this service."""
        if self._everywhere:
            return self._everywhere[0]
        if protocol not in self._pieces:
            return []
        first, last, number = self._pieces[protocol]
        held = number[(first <= port) & (port <= last)].tolist()
        return [self._elements[at][0] for at in held]

    def services(self) -> Iterator[Services]:
        """Sets of services that are answered in different ways."""
        found: dict[Hashable, set[ServiceRange]] = {}
        for element, services in self._elements if self._speaks else ():
            key = services if self._ends or self._apart else element.verdict
            found.setdefault(key, set()).update(services)
        return (tuple(sorted(services)) for services in found.values())

    def sets(self, protocol: int, port: int) -> tuple[tuple[int, AddressSet], ...]:
        """Sets of clients (0) and servers (1) that are answered in different ways."""
        if self._everywhere:
            return self._everywhere[1]
        return self._sets(self.at(protocol, port))

    def _sets(self, elements: Iterable[Element]) -> tuple[tuple[int, AddressSet], ...]:
        found: dict[tuple[int, Hashable], list[AddressRange]] = {}
        for element in elements:
            for place, side in self._ends:
                key = element.box[place] if self._apart else element.verdict
                found.setdefault((side, key), []).append(AddressRange(*element.box[place]))
        return tuple((side, AddressSet.of(pieces)) for (side, _), pieces in found.items())


def _services(key: tuple[Selector, ...], element: Element) -> Services:
    """The services of the packets that may have such a key; ports where there are any."""
    low, high, ports, kinds = 0, 255, (0, 65535), (0, 65535)
    for part, (first, last) in zip(key, element.box, strict=True):
        if part.protocol >= 0:
            low, high = max(low, part.protocol), min(high, part.protocol)
        if part.column == "protocol":
            low, high = max(low, first), min(high, last)
        elif part.column == "dport":
            ports = max(ports[0], first), min(ports[1], last)
        elif part.column == "icmp":
            kinds = max(kinds[0], first), min(kinds[1], last)
    return tuple(
        ServiceRange(protocol, *(ports if protocol in PORT_PROTOCOLS else kinds))
        for protocol in range(low, high + 1)
    )


def _reachable(table: Table, looks: dict[int, _Look], protocol: int, port: int) -> Iterator[Rule]:
    """The rules that packets of one service may come to, whatever their ends are."""
    ways = [name for name, chain in table.chains.items() if chain.hook]
    seen = set(ways)
    while ways:
        for rule in table.chains[ways.pop()].rules:
            held = [
                match.negated or looks[id(match)].at(protocol, port) for match in _matches(rule)
            ]
            if not all(held) or not (rule.verdict or rule.vmap):
                continue
            yield rule
            verdicts = {rule.verdict}
            if rule.vmap:
                verdicts |= {element.verdict for element in looks[id(rule.vmap)].at(protocol, port)}
            more = {verdict.chain for verdict in verdicts if verdict and verdict.chain} - seen
            seen |= more
            ways += sorted(more)
