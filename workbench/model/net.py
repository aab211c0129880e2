"""Addresses, address sets, protocols and services as plain numbers.

An address is one integer in the IPv6 space; IPv4 a.b.c.d is ::ffff:a.b.c.d (RFC 4291 section
2.5.5.2), so that one range compare answers CIDR questions for both families.
"""

import ipaddress
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

V4_BASE = 0xFFFF_0000_0000
"""::ffff:0.0.0.0"""
V4_LAST = V4_BASE + 0xFFFF_FFFF
LAST_ADDRESS = (1 << 128) - 1


def parse_address(text: str) -> int:
    """`10.0.0.1` or `fd00::1` as a number. Raises ValueError; scope ids are refused."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv4Address):
        return V4_BASE + int(address)
    if address.scope_id is not None:
        raise ValueError(f"{text!r} carries a scope id")
    return int(address)


def is_v4(address: int) -> bool:
    """True for ::ffff:0:0/96."""
    return V4_BASE <= address <= V4_LAST


def format_address(address: int) -> str:
    """The usual text: dotted quad for IPv4, RFC 5952 for IPv6."""
    if is_v4(address):
        return str(ipaddress.IPv4Address(address - V4_BASE))
    return str(ipaddress.IPv6Address(address))


@dataclass(frozen=True, slots=True, order=True)
class AddressRange:
    """All addresses from `first` to `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def parse_cidr(text: str) -> tuple[AddressRange, ...]:
    """`10.0.0.0/8`, `fd00::/8` or a single address as ranges; host bits must be zero.

    An IPv6 prefix never includes IPv4: `::/0` gives the two ranges around ::ffff:0:0/96.
    Raises ValueError, for a scope id too.
    """
    if "%" in text:
        raise ValueError(f"{text!r} carries a scope id")
    network = ipaddress.ip_network(text)
    if isinstance(network, ipaddress.IPv4Network):
        first = V4_BASE + int(network.network_address)
        return (AddressRange(first, first + network.num_addresses - 1),)
    first = int(network.network_address)
    last = first + network.num_addresses - 1
    if is_v4(first) and is_v4(last):
        raise ValueError(f"{text!r} is an IPv4-mapped prefix: write it as IPv4")
    if first <= V4_BASE and last >= V4_LAST:
        return (AddressRange(first, V4_BASE - 1), AddressRange(V4_LAST + 1, last))
    return (AddressRange(first, last),)


def _merged(ranges: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    merged: list[AddressRange] = []
    for piece in sorted(ranges, key=attrgetter("first")):
        if merged and piece.first <= merged[-1].last + 1:
            merged[-1] = AddressRange(merged[-1].first, max(merged[-1].last, piece.last))
        else:
            merged.append(piece)
    return tuple(merged)


@dataclass(frozen=True)
class AddressSet:
    """A set of addresses: sorted, disjoint, merged ranges. Equal sets compare equal."""

    ranges: tuple[AddressRange, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[AddressRange]) -> "AddressSet":
        return cls(_merged(ranges))

    @classmethod
    def of_addresses(cls, addresses: Iterable[int]) -> "AddressSet":
        return cls.of(AddressRange(address, address) for address in addresses)

    @classmethod
    def of_cidrs(cls, cidrs: Iterable[str]) -> "AddressSet":
        """Raises ValueError for text that is no CIDR."""
        return cls.of(piece for cidr in cidrs for piece in parse_cidr(cidr))

    @classmethod
    def union(cls, sets: Iterable["AddressSet"]) -> "AddressSet":
        """All addresses of all sets; where only one has any, that very object."""
        found = [one for one in sets if one]
        if len(found) == 1:
            return found[0]
        return cls.of(piece for one in found for piece in one.ranges)

    @cached_property
    def _firsts(self) -> list[int]:
        return [piece.first for piece in self.ranges]

    @cached_property
    def _hash(self) -> int:
        return hash(self.ranges)

    def __hash__(self) -> int:
        """Worked out once: sets are looked up far more often than they are made."""
        return self._hash

    def __contains__(self, address: int) -> bool:
        at = bisect_right(self._firsts, address) - 1
        return at >= 0 and address <= self.ranges[at].last

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __or__(self, other: "AddressSet") -> "AddressSet":
        return AddressSet.of((*self.ranges, *other.ranges))

    def __and__(self, other: "AddressSet") -> "AddressSet":
        few, many = sorted((self, other), key=lambda one: len(one.ranges))
        pieces: list[AddressRange] = []
        for piece in few.ranges:
            for shared in many._from(piece):
                first, last = max(piece.first, shared.first), min(piece.last, shared.last)
                if first <= last:
                    pieces.append(AddressRange(first, last))
        return AddressSet(tuple(pieces))

    def __sub__(self, other: "AddressSet") -> "AddressSet":
        pieces: list[AddressRange] = []
        for piece in self.ranges:
            first = piece.first
            for hole in other._from(piece):
                if hole.first > first:
                    pieces.append(AddressRange(first, hole.first - 1))
                first = max(first, hole.last + 1)
            if first <= piece.last:
                pieces.append(AddressRange(first, piece.last))
        return AddressSet(tuple(pieces))

    def _from(self, piece: AddressRange) -> Iterator[AddressRange]:
        """The ranges that `piece` may meet: found, as most sets have few and some thousands."""
        for at in range(max(0, bisect_right(self._firsts, piece.first) - 1), len(self.ranges)):
            if self.ranges[at].first > piece.last:
                return
            yield self.ranges[at]

    @property
    def size(self) -> int:
        """Number of addresses."""
        return sum(piece.size for piece in self.ranges)

    def family(self, version: int) -> "AddressSet":
        """Only the IPv4 (4) or only the IPv6 (6) part."""
        return self & ALL_V4 if version == 4 else self - ALL_V4

    def cidrs(self) -> tuple[str, ...]:
        """The shortest exact list of CIDRs, IPv4 written as IPv4."""
        texts: list[str] = []
        for version in (4, 6):
            for piece in self.family(version).ranges:
                base = V4_BASE if version == 4 else 0
                kind = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
                texts += map(
                    str,
                    ipaddress.summarize_address_range(
                        kind(piece.first - base), kind(piece.last - base)
                    ),
                )
        return tuple(texts)


EVERYWHERE = AddressSet((AddressRange(0, LAST_ADDRESS),))
ALL_V4 = AddressSet((AddressRange(V4_BASE, V4_LAST),))

ICMP, TCP, UDP, ICMPV6, SCTP = 1, 6, 17, 58, 132
"""IANA protocol numbers."""

PROTOCOLS = {"icmp": ICMP, "tcp": TCP, "udp": UDP, "icmpv6": ICMPV6, "sctp": SCTP}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items()}
PORT_PROTOCOLS = frozenset({TCP, UDP, SCTP})
"""Protocols whose conversations have a server port."""

ICMP_TYPES = {
    "echo-reply": 0,
    "destination-unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "echo-request": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
    "address-mask-request": 17,
    "address-mask-reply": 18,
}
"""RFC 792, RFC 950, RFC 1256 names as nftables writes them."""
ICMPV6_TYPES = {
    "destination-unreachable": 1,
    "packet-too-big": 2,
    "time-exceeded": 3,
    "parameter-problem": 4,
    "echo-request": 128,
    "echo-reply": 129,
    "mld-listener-query": 130,
    "mld-listener-report": 131,
    "mld-listener-done": 132,
    "nd-router-solicit": 133,
    "nd-router-advert": 134,
    "nd-neighbor-solicit": 135,
    "nd-neighbor-advert": 136,
    "nd-redirect": 137,
    "mld2-listener-report": 143,
}
"""RFC 4443, RFC 4861, RFC 2710, RFC 3810 names as nftables writes them."""
_TYPE_NAMES = {
    ICMP: {number: name for name, number in ICMP_TYPES.items()},
    ICMPV6: {number: name for name, number in ICMPV6_TYPES.items()},
}


def last_port(protocol: int) -> int:
    """The largest port or message type that a conversation may have; 0 where it has neither."""
    if protocol in PORT_PROTOCOLS:
        return 65535
    return 255 if protocol in (ICMP, ICMPV6) else 0


def shown_port(protocol: int, port: int) -> int | None:
    """The port to show and export: None where the protocol has none (ICMP and the rest)."""
    return port if protocol in PORT_PROTOCOLS else None


def shown_type(protocol: int, port: int) -> int | None:
    """The ICMP message type, None for everything else."""
    return port if protocol in (ICMP, ICMPV6) else None


ANY_PROTOCOL = -1


@dataclass(frozen=True, slots=True, order=True)
class ServiceRange:
    """One protocol and a closed interval of ports.

    For icmp and icmpv6 the interval is over message types 0–255; for protocols without ports it is
    0–65535. `ANY_SERVICE` covers everything.
    """

    protocol: int
    first: int
    last: int

    def covers(self, protocol: int, port: int) -> bool:
        return self.protocol in (ANY_PROTOCOL, protocol) and self.first <= port <= self.last

    def __str__(self) -> str:
        if self.protocol == ANY_PROTOCOL:
            return "any"
        name = PROTOCOL_NAMES.get(self.protocol)
        if name is None:
            return f"ip/{self.protocol}"
        top = 255 if self.protocol in _TYPE_NAMES else 65535
        if (self.first, self.last) == (0, top):
            return name
        if self.first == self.last:
            return service_text(self.protocol, self.first)
        return f"{name}/{self.first}-{self.last}"


ANY_SERVICE = ServiceRange(ANY_PROTOCOL, 0, 65535)


def service_text(protocol: int, port: int) -> str:
    """`tcp/443`, `icmp/echo-request`, `ip/47`: always text that `parse_service` reads back."""
    name = PROTOCOL_NAMES.get(protocol)
    if name is None:
        return f"ip/{protocol}"
    return f"{name}/{_TYPE_NAMES.get(protocol, {}).get(port, port)}"


def parse_service(text: str) -> ServiceRange:
    """Read `any`, `tcp`, `tcp/443`, `udp/2222-2230`, `icmp/echo-request`, `icmpv6/128`, `ip/47`.

    Raises ValueError with the problem in words.
    """
    if text == "any":
        return ANY_SERVICE
    name, slash, rest = text.partition("/")
    if name == "ip":
        number = _number(rest, 255, f"{text!r}: ip/ takes a protocol number, 0 to 255")
        if number in PROTOCOL_NAMES:
            raise ValueError(f"{text!r}: write {PROTOCOL_NAMES[number]!r} instead")
        return ServiceRange(number, 0, 65535)
    if name not in PROTOCOLS:
        raise ValueError(f"{text!r}: unknown protocol {name!r} (tcp, udp, sctp, icmp, icmpv6, ip)")
    protocol = PROTOCOLS[name]
    types = {ICMP: ICMP_TYPES, ICMPV6: ICMPV6_TYPES}.get(protocol)
    top = 65535 if types is None else 255
    if not slash:
        return ServiceRange(protocol, 0, top)
    if types and rest in types:
        return ServiceRange(protocol, types[rest], types[rest])
    problem = f"{text!r}: expected {'a port' if types is None else 'an ICMP type'} 0 to {top}"
    low, dash, high = rest.partition("-")
    first = _number(low, top, problem)
    last = _number(high, top, problem) if dash else first
    if first > last:
        raise ValueError(f"{text!r}: the range runs backwards")
    return ServiceRange(protocol, first, last)


def _number(text: str, top: int, problem: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= top):
        raise ValueError(problem)
    return int(text)


def merge_services(services: Iterable[ServiceRange]) -> tuple[ServiceRange, ...]:
    """The same services as sorted, disjoint, maximal ranges; `any` swallows the rest."""
    merged: list[ServiceRange] = []
    for piece in sorted(services):
        if piece.protocol == ANY_PROTOCOL:
            return (ANY_SERVICE,)
        last = merged[-1] if merged else None
        if last and last.protocol == piece.protocol and piece.first <= last.last + 1:
            merged[-1] = ServiceRange(last.protocol, last.first, max(last.last, piece.last))
        else:
            merged.append(piece)
    return tuple(merged)
