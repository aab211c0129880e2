"""Boundary probes made from the policy itself: every edge of every set, one step to each side."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from workbench.model.net import (
    ALL_V4,
    ANY_PROTOCOL,
    ANY_SERVICE,
    EVERYWHERE,
    ICMP,
    ICMPV6,
    LAST_ADDRESS,
    PORT_PROTOCOLS,
    SCTP,
    TCP,
    UDP,
    AddressRange,
    AddressSet,
    ServiceRange,
    is_v4,
    last_port,
    parse_address,
)
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.verdict import NOT_POLICY

_T = TypeVar("_T")
Probe = tuple[int, int, int, int]
"""Client, server, protocol, port: a conversation whose opening is seen."""
LIMIT = 40_000
"""Probes for one policy."""
SEED = 0x5EED
SERVICES = ((TCP, 443), (UDP, 53), (SCTP, 443), (ICMP, 8), (ICMPV6, 128), (47, 0))
"""Asked of every rule, whatever it allows."""

FAMILIES = (ALL_V4, EVERYWHERE - ALL_V4)
OUTSIDERS = tuple(map(parse_address, ("198.51.100.7", "203.0.113.9", "2001:db8::7", "3fff::9")))
"""Documentation addresses (RFC 5737, RFC 3849, RFC 9637)."""


def boundary_probes(
    policy: ResolvedPolicy, hosts: Iterable[int] = (), *, limit: int = LIMIT
) -> tuple[Probe, ...]:
    """At most `limit` conversations, each once; the same policy gives the same probes.

    `hosts` are addresses to try besides the edges, wherever an end may be anybody.
    """
    dice = random.Random(SEED)  # noqa: S311 - repeatable sampling, no secret
    boxes = [*policy.rules, *_protected(policy)]
    share = max(16, limit // max(1, len(boxes)))
    others = {edge for _, segment in policy.segments for edge in edges(segment.ranges, EVERYWHERE)}
    strangers = sorted({*others, *OUTSIDERS, *hosts})
    found: dict[Probe, None] = {}
    for whole in FAMILIES:
        here = [address for address in strangers if address in whole]
        for box in boxes:
            found |= dict.fromkeys(_of_box(box, whole, here, share // 2, dice))
    probes = list(found)
    return tuple(probes if len(probes) <= limit else sorted(dice.sample(probes, limit)))


def _protected(policy: ResolvedPolicy) -> Iterator[ResolvedRule]:
    """The protected sets as boxes, so that their edges are probed like a rule's."""
    yield ResolvedRule("ingress", EVERYWHERE, policy.protected_ingress, (ANY_SERVICE,))
    yield ResolvedRule("egress", policy.protected_egress, EVERYWHERE, (ANY_SERVICE,))


@dataclass(frozen=True)
class _Axis(Generic[_T]):
    """One coordinate of a box: its edges with one step beyond, and the edges inside."""

    edges: list[_T]
    inside: list[_T]

    def at(self, step: int) -> _T:
        return self.edges[step % len(self.edges)]

    def pick(self, dice: random.Random) -> _T:
        """Mostly inside, so that the coordinate under test decides."""
        return dice.choice(self.inside if self.inside and dice.random() < 0.9 else self.edges)


def _of_box(
    box: ResolvedRule, whole: AddressSet, strangers: list[int], count: int, dice: random.Random
) -> Iterator[Probe]:
    """Walk the edges of one coordinate after the other, the other two mostly inside."""
    services = service_edges(box.services)
    third = _Axis(services, [pair for pair in services if _covered(box, pair)])
    clients = _axis(box.clients, whole, strangers, count, dice)
    servers = _axis(box.servers, whole, strangers, count, dice)
    for turn in range(count):
        client = clients.at(turn // 3) if turn % 3 == 0 else clients.pick(dice)
        server = servers.at(turn // 3) if turn % 3 == 1 else servers.pick(dice)
        service = third.at(turn // 3) if turn % 3 == 2 else third.pick(dice)
        ends = (server, client) if turn % 16 == 15 else (client, server)
        yield (*ends, *_of_family(client, *service))


def _axis(
    addresses: AddressSet,
    whole: AddressSet,
    strangers: list[int],
    count: int,
    dice: random.Random,
) -> _Axis[int]:
    """Edges of a set in one family; a set that has none, or all, gets edges of other segments."""
    pieces = addresses.ranges
    points = edges(pieces if len(pieces) <= count else dice.sample(pieces, count), whole)
    points += dice.sample(strangers, min(8 if points else count, len(strangers)))
    dice.shuffle(points)
    return _Axis(points, [point for point in points if point in addresses])


def _covered(box: ResolvedRule, service: tuple[int, int]) -> bool:
    return any(piece.covers(*service) for piece in box.services)


def _of_family(client: int, protocol: int, port: int) -> tuple[int, int]:
    """ICMP of the packet's own family; an echo request stays one."""
    right = ICMP if is_v4(client) else ICMPV6
    if protocol not in (ICMP, ICMPV6) or protocol == right:
        return protocol, port
    return right, {8: 128, 128: 8}.get(port, port)


def edges(ranges: Iterable[AddressRange], within: AddressSet) -> list[int]:
    """First, last, one before and one after every range, as far as they lie in `within`.

    Addresses that are no matter for a policy are left out.
    """
    found: dict[int, None] = {}
    for piece in ranges:
        steps = (piece.first, piece.last, piece.first - 1, piece.last + 1)
        found |= dict.fromkeys(at for at in steps if 0 <= at <= LAST_ADDRESS and at in within)
    return [at for at in found if at not in NOT_POLICY]


def service_edges(services: Iterable[ServiceRange]) -> list[tuple[int, int]]:
    """Both ends of every service, one step beyond, the same port of other protocols."""
    found = dict.fromkeys(SERVICES)
    for service in services:
        protocols = [service.protocol]
        if service.protocol in PORT_PROTOCOLS:
            protocols += sorted(PORT_PROTOCOLS - {service.protocol})
        elif service.protocol == ANY_PROTOCOL:
            protocols = sorted(PORT_PROTOCOLS)
        ports = (service.first, service.last, service.first - 1, service.last + 1)
        for port in ports:
            for protocol in protocols:
                if 0 <= port <= last_port(protocol):
                    found[protocol, port] = None
    return list(found)
