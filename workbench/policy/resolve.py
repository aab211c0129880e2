"""Names to addresses: what is judged is what is exported."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import cache

from workbench.model.net import (
    EVERYWHERE,
    AddressRange,
    AddressSet,
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
    ServiceGroup,
    Side,
    in_force,
)
from workbench.model.site import Inventory, Labels
from workbench.policy.validate import validate


def resolve(policy: Policy, inventory: Inventory, seen: Iterable[int], on: date) -> ResolvedPolicy:
    """The policy in force on `on`, over the hosts of the inventory and those seen in traffic.

    A segment with `match` holds the hosts, seen or listed, whose labels fit; with `cidrs` also
    only those inside them. Raises PolicyError when the policy is not valid.
    """
    return Resolver().resolve(policy, inventory, tuple(seen), on)


class Resolver:
    """Resolves policy after policy; while hosts and segments stay, their addresses are kept."""

    def __init__(self) -> None:
        self._hosts: tuple[Inventory, Sequence[int], _Hosts] | None = None
        self._segments: tuple[_Hosts, dict[Segment, AddressSet]] | None = None
        self._places: _Places | None = None

    def resolve(
        self, policy: Policy, inventory: Inventory, seen: Sequence[int], on: date
    ) -> ResolvedPolicy:
        """As `resolve`; `inventory` and `seen` count as unchanged when they are the same object."""
        validate(policy)
        found = self._resolved(policy.segments, self._known(inventory, seen))
        segments = {segment.name: found[segment] for segment in policy.segments}
        places = _Places(segments, policy.services)
        if self._places is None or not self._places.same_as(places):
            self._places = places
        return _resolved(policy, self._places, on)

    def _known(self, inventory: Inventory, seen: Sequence[int]) -> "_Hosts":
        kept = self._hosts
        if kept is None or kept[0] is not inventory or kept[1] is not seen:
            kept = self._hosts = (inventory, seen, _Hosts(inventory, seen))
        return kept[2]

    def _resolved(self, segments: Iterable[Segment], hosts: "_Hosts") -> dict[Segment, AddressSet]:
        kept = self._segments
        known = kept[1] if kept and kept[0] is hosts else {}
        found = {
            segment: known[segment] if segment in known else _addresses(segment, hosts)
            for segment in segments
        }
        self._segments = (hosts, found)
        return found


def _resolved(policy: Policy, places: "_Places", on: date) -> ResolvedPolicy:
    box = places.box
    rules = [rule for rule in policy.rules if in_force(rule, on)]
    exclusions = [exclusion for exclusion in policy.exclusions if in_force(exclusion, on)]
    dated: tuple[Rule | Exclusion, ...] = (*policy.rules, *policy.exclusions)
    return ResolvedPolicy(
        name=policy.name,
        segments=tuple(places.segments.items()),
        protected_ingress=places.addresses(_protected(policy, Side.INGRESS)),
        protected_egress=places.addresses(_protected(policy, Side.EGRESS)),
        rules=tuple(map(box, rules)),
        guardrails=tuple(ResolvedGuardrail(g.assertion, box(g)) for g in policy.guardrails),
        exclusions=tuple(map(box, exclusions)),
        expired=tuple(entry.id for entry in dated if not in_force(entry, on)),
        on=on,
    )


def _protected(policy: Policy, side: Side) -> tuple[str, ...]:
    return tuple(item.segment for item in policy.protect if side in item.directions)


class _Places:
    """What names stand for: segments, unions of them, services and boxes, each worked out once."""

    def __init__(
        self, segments: Mapping[str, AddressSet], services: tuple[ServiceGroup, ...]
    ) -> None:
        self.segments = segments
        self._services = services
        self._groups = {group.name: group.ranges for group in services}
        self.addresses = cache(self._addresses)
        self.box = cache(self._box)

    def same_as(self, other: "_Places") -> bool:
        mine, theirs = (tuple(one.segments.items()) for one in (self, other))
        return mine == theirs and self._services == other._services

    def _addresses(self, names: tuple[str, ...]) -> AddressSet:
        if ANY in names:
            return EVERYWHERE
        return AddressSet.union(self.segments[name] for name in names)

    def _box(self, entry: Rule | Guardrail | Exclusion) -> ResolvedRule:
        services = (
            piece
            for name in entry.services
            for piece in self._groups.get(name) or (parse_service(name),)
        )
        return ResolvedRule(
            id=entry.id,
            clients=self.addresses(entry.clients),
            servers=self.addresses(entry.servers),
            services=merge_services(services),
            client_segments=entry.clients,
            server_segments=entry.servers,
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
        self._singles = [AddressRange(address, address) for address in self._addresses]
        groups: dict[tuple[int, Labels], list[int]] = {}
        for at, address in enumerate(self._addresses):
            host = inventory.by_address.get(address)
            key = (inventory.area(address), host.labels if host else ())
            groups.setdefault(key, []).append(at)
        self._members = list(groups.values())
        self._having: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for number, members in enumerate(self._members):
            for label in inventory.labels(self._addresses[members[0]]).items():
                self._having[label].append(number)

    def matching(self, match: tuple[tuple[str, tuple[str, ...]], ...]) -> AddressSet:
        """Addresses whose labels have one of the values for every key."""
        groups = set.intersection(
            *(
                set[int]().union(*(self._having.get((key, value), ()) for value in values))
                for key, values in match
            )
        )
        runs: list[AddressRange] = []
        for at in sorted(at for group in groups for at in self._members[group]):
            piece = self._singles[at]
            if runs and piece.first == runs[-1].last + 1:
                runs[-1] = AddressRange(runs[-1].first, piece.last)
            else:
                runs.append(piece)
        return AddressSet(tuple(runs))
