"""Names to addresses: what is judged is what is exported."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import date

from workbench.model.net import (
    EVERYWHERE,
    AddressRange,
    AddressSet,
    ServiceRange,
    merge_services,
    parse_service,
)
from workbench.model.policy import (
    ANY,
    Exclusion,
    Guardrail,
    Policy,
    ResolvedGuardrail,
    ResolvedPolicy,
    ResolvedRule,
    Rule,
    Segment,
    Side,
)
from workbench.model.site import Inventory, Labels, Network
from workbench.policy.validate import validate


def resolve(policy: Policy, inventory: Inventory, seen: Iterable[int], on: date) -> ResolvedPolicy:
    """The policy in force on `on`, over the hosts of the inventory and those seen in traffic.

    A segment with `match` holds the hosts, seen or listed, whose labels fit; with `cidrs` also
    every address in them. Raises PolicyError when the policy is not valid.
    """
    validate(policy)
    hosts = _Hosts(inventory, seen)
    segments = {segment.name: _addresses(segment, hosts) for segment in policy.segments}
    box = _boxes(segments, policy)
    rules = [rule for rule in policy.rules if in_force(rule, on)]
    exclusions = [exclusion for exclusion in policy.exclusions if in_force(exclusion, on)]
    dated: tuple[Rule | Exclusion, ...] = (*policy.rules, *policy.exclusions)
    return ResolvedPolicy(
        name=policy.name,
        segments=tuple(segments.items()),
        protected_ingress=_protected(policy, segments, Side.INGRESS),
        protected_egress=_protected(policy, segments, Side.EGRESS),
        rules=tuple(map(box, rules)),
        guardrails=tuple(ResolvedGuardrail(g.assertion, box(g)) for g in policy.guardrails),
        exclusions=tuple(map(box, exclusions)),
        expired=tuple(entry.id for entry in dated if not in_force(entry, on)),
        on=on,
    )


def in_force(entry: Rule | Exclusion, on: date) -> bool:
    """True up to and including the day it expires."""
    return entry.expires is None or entry.expires >= on


def union(sets: Iterable[AddressSet]) -> AddressSet:
    """All addresses of all sets."""
    found = [addresses for addresses in sets if addresses]
    if len(found) == 1:
        return found[0]
    return AddressSet.of(piece for addresses in found for piece in addresses.ranges)


def _boxes(
    segments: Mapping[str, AddressSet], policy: Policy
) -> Callable[[Rule | Guardrail | Exclusion], ResolvedRule]:
    """A function from what the user wrote to addresses and port ranges."""
    places = {ANY: EVERYWHERE, **segments}
    groups = {group.name: tuple(map(parse_service, group.services)) for group in policy.services}
    unions: dict[tuple[str, ...], AddressSet] = {}

    def addresses(names: tuple[str, ...]) -> AddressSet:
        if names not in unions:
            unions[names] = EVERYWHERE if ANY in names else union(places[name] for name in names)
        return unions[names]

    def ports(names: tuple[str, ...]) -> tuple[ServiceRange, ...]:
        return merge_services(
            service for name in names for service in groups.get(name) or (parse_service(name),)
        )

    def box(entry: Rule | Guardrail | Exclusion) -> ResolvedRule:
        return ResolvedRule(
            id=entry.id,
            clients=addresses(entry.clients),
            servers=addresses(entry.servers),
            services=ports(entry.services),
            client_segments=entry.clients,
            server_segments=entry.servers,
        )

    return box


def _protected(policy: Policy, segments: Mapping[str, AddressSet], side: Side) -> AddressSet:
    return union(
        segments[protection.segment]
        for protection in policy.protect
        if side in protection.directions
    )


def _addresses(segment: Segment, hosts: "_Hosts") -> AddressSet:
    cidrs = AddressSet.of_cidrs(segment.cidrs)
    found = hosts.matching(segment.match) if segment.match else cidrs
    if segment.match and segment.cidrs:
        found &= cidrs
    return found - AddressSet.of_cidrs(segment.excepts) if segment.excepts else found


class _Hosts:
    """Every known address, grouped by equal labels so that segments cost by the group."""

    def __init__(self, inventory: Inventory, seen: Iterable[int]) -> None:
        self._addresses = sorted({*seen, *inventory.by_address})
        networks = self._networks(inventory)
        groups: dict[tuple[tuple[int, ...], Labels], list[int]] = {}
        for at, address in enumerate(self._addresses):
            host = inventory.by_address.get(address)
            key = (tuple(networks[at]), host.labels if host else ())
            groups.setdefault(key, []).append(at)
        self._members = list(groups.values())
        self._having: dict[tuple[str, str], set[int]] = {}
        narrowing = _narrowing(inventory)
        for number, (inside, own) in enumerate(groups):
            labels: dict[str, str] = {}
            for network in inside:
                labels |= dict(narrowing[network].labels)
            for label in (labels | dict(own)).items():
                self._having.setdefault(label, set()).add(number)

    def _networks(self, inventory: Inventory) -> list[list[int]]:
        """For each address the numbers of the networks around it, widest first."""
        around: list[list[int]] = [[] for _ in self._addresses]
        for number, network in enumerate(_narrowing(inventory)):
            for piece in network.addresses.ranges:
                first = bisect_left(self._addresses, piece.first)
                for at in range(first, bisect_right(self._addresses, piece.last)):
                    around[at].append(number)
        return around

    def matching(self, match: tuple[tuple[str, tuple[str, ...]], ...]) -> AddressSet:
        """Addresses whose labels have one of the values for every key."""
        groups = set.intersection(
            *(
                set().union(*(self._having.get((key, value), set()) for value in values))
                for key, values in match
            )
        )
        return _as_set(
            sorted(at for group in groups for at in self._members[group]), self._addresses
        )


def _narrowing(inventory: Inventory) -> list[Network]:
    """Networks as labels are laid over each other: widest first."""
    return sorted(inventory.networks, key=lambda network: -network.addresses.size)


def _as_set(places: list[int], addresses: list[int]) -> AddressSet:
    """The addresses at ascending `places` of the ascending list `addresses`."""
    ranges: list[AddressRange] = []
    first = last = -2
    for at in places:
        address = addresses[at]
        if address != last + 1:
            if last >= 0:
                ranges.append(AddressRange(first, last))
            first = address
        last = address
    if last >= 0:
        ranges.append(AddressRange(first, last))
    return AddressSet(tuple(ranges))
