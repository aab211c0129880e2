"""Sets of hosts and services taken out of names, exactly."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from workbench.model.net import (
    ANY_PROTOCOL,
    EVERYWHERE,
    PROTOCOLS,
    AddressSet,
    ServiceRange,
    last_port,
    parse_service,
)
from workbench.model.policy import (
    ANY,
    Policy,
    ResolvedPolicy,
    Segment,
    ServiceGroup,
    slug,
    unused,
)

EVERY_CIDR = ("0.0.0.0/0", "::/0")
"""Every address, as `any`."""
HOST = "host"
"""What a name begins with that would begin with a digit."""
_WHOLE = (
    *PROTOCOLS,
    *(f"ip/{number}" for number in range(256) if number not in PROTOCOLS.values()),
)
"""Every protocol as service text: together they are `any`."""


def texts(addresses: AddressSet) -> tuple[str, ...]:
    """As people write them: single addresses without a prefix length."""
    return tuple(text.removesuffix("/128" if ":" in text else "/32") for text in addresses.cidrs())


class Carving:
    """The segments and service groups of a policy, and those that an edit adds to them."""

    def __init__(self, policy: Policy, resolved: ResolvedPolicy) -> None:
        """resolved: the same policy."""
        self._policy = policy
        self._sets = dict(resolved.segments)
        self._segments = list(policy.segments)
        self._groups = list(policy.services)

    def into(self, policy: Policy) -> Policy:
        """That policy with the segments and service groups which the carving made."""
        return replace(policy, segments=tuple(self._segments), services=tuple(self._groups))

    # ── hosts ──────────────────────────────────────────────────────────────────────────────

    def addresses(self, names: Iterable[str]) -> AddressSet:
        """What the names hold."""
        wanted = tuple(names)
        if ANY in wanted:
            return EVERYWHERE
        return AddressSet.union(self._sets[name] for name in wanted)

    def listing(self, addresses: AddressSet, wish: str) -> str:
        """A segment that holds exactly these: one there is, or a new one that lists them."""
        known = next((one.name for one in self._segments if self._sets[one.name] == addresses), "")
        return known or self._add(Segment(wish, cidrs=texts(addresses)), addresses)

    def without(self, names: Iterable[str], out: AddressSet, word: str) -> tuple[str, ...]:
        """The names without some addresses: `office` becomes `office-without-pc-07`.

        Empty when nothing is left.
        """
        wanted = tuple(names)
        kept = (self._one_without(name, out, word) for name in (ANY,) * (ANY in wanted) or wanted)
        return tuple(dict.fromkeys(name for name in kept if name))

    def _one_without(self, name: str, out: AddressSet, word: str) -> str:
        inside = self.addresses([name])
        met = inside & out
        if not met:
            return name
        left = inside - met
        if not left:
            return ""
        by_name = {one.name: one for one in self._segments}
        old = Segment(ANY, cidrs=EVERY_CIDR) if name == ANY else by_name[name]
        made = replace(old, name="", excepts=(*old.excepts, *texts(met)))
        for one in self._segments:
            if replace(one, name="") == made:
                return one.name
        return self._add(replace(made, name=slug(f"{name}-without-{word}", HOST)), left)

    def _add(self, segment: Segment, addresses: AddressSet) -> str:
        name = unused(slug(segment.name, HOST), {ANY, *self._sets})
        self._segments.append(replace(segment, name=name))
        self._sets[name] = addresses
        return name

    # ── services ───────────────────────────────────────────────────────────────────────────

    def ranges(self, name: str) -> tuple[ServiceRange, ...]:
        """What one entry of `services` stands for."""
        groups = {group.name: group.ranges for group in self._groups}
        return groups[name] if name in groups else (parse_service(name),)

    def services_without(
        self, names: Iterable[str], out: Sequence[tuple[int, int]]
    ) -> tuple[str, ...]:
        """The services without some (protocol, port); groups that lose nothing stay names."""
        left: list[str] = []
        for name in names:
            ranges = self.ranges(name)
            met = [one for one in out if any(piece.covers(*one) for piece in ranges)]
            left += [name] if not met else self._pieces(ranges, met)
        return tuple(dict.fromkeys(left))

    def _pieces(self, ranges: Sequence[ServiceRange], out: list[tuple[int, int]]) -> list[str]:
        whole = any(piece.protocol == ANY_PROTOCOL for piece in ranges)
        rest = map(parse_service, _WHOLE) if whole else iter(ranges)
        texts = list(dict.fromkeys(str(piece) for one in rest for piece in _minus(one, out)))
        if not whole:
            return texts
        known = next((one.name for one in self._groups if one.services == tuple(texts)), "")
        if not known:
            known = unused("all-but-some", {ANY, *(one.name for one in self._groups)})
            self._groups.append(ServiceGroup(known, tuple(texts)))
        return [known]


def _minus(piece: ServiceRange, out: Iterable[tuple[int, int]]) -> Iterator[ServiceRange]:
    """A range without single ports; a protocol without ports goes as a whole."""
    first = piece.first
    for port in sorted(port for protocol, port in out if piece.covers(protocol, port)):
        if not last_port(piece.protocol):
            return
        if port > first:
            yield ServiceRange(piece.protocol, first, port - 1)
        first = port + 1
    if first <= piece.last:
        yield ServiceRange(piece.protocol, first, piece.last)
