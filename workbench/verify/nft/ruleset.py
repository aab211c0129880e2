"""What a ruleset says, as values: tables, chains, rules, sets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench.model.net import ICMP, ICMP_TYPES, ICMPV6, ICMPV6_TYPES, SCTP, TCP, UDP

Interval = tuple[int, int]
"""First and last value, both included. Addresses are numbers of the IPv6 space (model.net)."""

NEW, ESTABLISHED, RELATED, INVALID, UNTRACKED = 8, 2, 4, 1, 64
"""Bits of `ct state` as the kernel numbers them (nf_conntrack_common.h)."""
CT_STATES = {
    "invalid": INVALID,
    "established": ESTABLISHED,
    "related": RELATED,
    "new": NEW,
    "untracked": UNTRACKED,
}
EVERY_TABLE = "every table of the machine"
NF_PROTOS = {"ipv4": 2, "ipv6": 10}
INET_PROTOS = {
    "icmp": ICMP,
    "igmp": 2,
    "tcp": TCP,
    "udp": UDP,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "icmpv6": ICMPV6,
    "ipv6-icmp": ICMPV6,
    "comp": 108,
    "sctp": SCTP,
    "udplite": 136,
}
ICMP_NAMES = ICMP_TYPES | {"info-request": 15, "info-reply": 16}
ICMPV6_NAMES = ICMPV6_TYPES | {"mld-listener-reduction": 132, "router-renumbering": 138}
TOPS = {
    "ipv4_addr": (1 << 128) - 1,
    "ipv6_addr": (1 << 128) - 1,
    "inet_service": 65535,
    "inet_proto": 255,
    "nf_proto": 255,
    "icmp_type": 255,
    "icmpv6_type": 255,
    "ct_state": 255,
}
"""nft data type → the largest number we keep for it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Something a packet has: `ip saddr`, `tcp dport`, `ct state`."""

    column: str
    """client, server, sport, dport, protocol, family, icmp or state: a column of Packets."""
    datatype: str
    family: str = ""
    """ipv4 or ipv6: nft matches the family first (its implicit dependency)."""
    protocol: int = -1
    """nft matches this layer 4 protocol first; -1 for none."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """accept, drop, return, continue, jump or goto."""

    kind: str
    chain: str = ""
    """Target of jump and goto."""


@dataclass(frozen=True, slots=True)
class Element:
    """One box of a set, and its verdict in a verdict map."""

    box: tuple[Interval, ...]
    """One interval for each part of the key."""
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A named set or verdict map."""

    types: tuple[str, ...]
    is_map: bool
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """The key lies in (or, negated, outside) the elements."""

    key: tuple[Selector, ...]
    elements: tuple[Element, ...]
    set_name: str = ""
    """A named set stands for `elements`."""
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """All matches hold → the verdict, or the verdict that the map gives for its key."""

    line: int
    matches: tuple[Match, ...] = ()
    verdict: Verdict | None = None
    vmap: Match | None = None
    updates: tuple[str, ...] = ()
    """Sets that the rule fills from traffic."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Where a base chain sits."""

    hook: str
    priority: int
    accepts: bool
    """The chain's policy."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Rules in order; a base chain has a hook."""

    hook: Hook | None = None
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Table:
    """One table; `family` is inet, ip or ip6."""

    family: str
    name: str
    chains: Mapping[str, Chain] = field(default_factory=dict)
    sets: Mapping[str, NamedSet] = field(default_factory=dict)


@dataclass(frozen=True)
class Ruleset:
    """Everything a file leaves in an empty kernel."""

    tables: tuple[Table, ...] = ()
    touched: frozenset[str] = field(default=frozenset(), compare=False)
    """Tables that the file speaks of; EVERY_TABLE for `flush ruleset`."""
