"""What a policy says about a conversation, and what production would feel."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from workbench.model.net import ICMP, ICMPV6, UDP, AddressSet, ServiceRange
from workbench.model.traffic import Outcome


class Verdict(IntEnum):
    """What the policy says of one conversation."""

    ALLOWED = 1
    BLOCKED = 2
    OUT_OF_SCOPE = 3
    UNCERTAIN = 4
    """The direction is unknown and the two readings differ."""

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", "-")


class Class(IntEnum):
    """Verdict × outcome: the cells of the table in docs/simulate.md."""

    PERMITTED = 1
    """Allowed, and it worked."""
    WOULD_BLOCK = 2
    """It worked, and the policy blocks it: what production would feel."""
    MISDROPPED = 3
    """Allowed, and it failed anyway."""
    REJECTED = 4
    """Blocked, and it failed already."""
    UNCERTAIN = 5
    """The recording cannot tell."""
    OUT_OF_SCOPE = 6
    EXCLUDED = 7
    """Covered by an exclusion in force: neither learnt from nor counted."""

    @property
    def text(self) -> str:
        return self.name.lower().replace("_", "-")


GLYPHS = {
    Verdict.ALLOWED: "✓",
    Verdict.BLOCKED: "✗",
    Verdict.UNCERTAIN: "?",
    Verdict.OUT_OF_SCOPE: "–",
}
CLASS_GLYPHS = {
    Class.PERMITTED: "✓",
    Class.WOULD_BLOCK: "✗",
    Class.MISDROPPED: "✓",
    Class.REJECTED: "✗",
    Class.UNCERTAIN: "?",
    Class.OUT_OF_SCOPE: "–",
    Class.EXCLUDED: "–",
}
CLASS_WORDS = {
    Class.PERMITTED: "allowed",
    Class.WOULD_BLOCK: "would block",
    Class.MISDROPPED: "allowed, failing",
    Class.REJECTED: "rejected",
    Class.UNCERTAIN: "uncertain",
    Class.OUT_OF_SCOPE: "out of scope",
    Class.EXCLUDED: "excluded",
}


def class_of(verdict: Verdict, outcome: Outcome) -> Class:
    """The table itself (exclusions are applied by the caller)."""
    if verdict is Verdict.OUT_OF_SCOPE:
        return Class.OUT_OF_SCOPE
    if verdict is Verdict.UNCERTAIN or outcome in (Outcome.MID_STREAM, Outcome.ONE_WAY):
        return Class.UNCERTAIN
    worked = outcome is Outcome.ESTABLISHED
    if verdict is Verdict.ALLOWED:
        return Class.PERMITTED if worked else Class.MISDROPPED
    return Class.WOULD_BLOCK if worked else Class.REJECTED


@dataclass(frozen=True, slots=True)
class Decision:
    """The reference answer for one conversation."""

    verdict: Verdict
    rules: tuple[str, ...] = ()
    """Every rule that allows it, policy order; empty unless allowed."""
    reason: str = ""
    """Why it is out of scope, blocked or uncertain, in words."""


NOT_POLICY = AddressSet.of_cidrs(
    [
        "0.0.0.0/32",  # this host (RFC 1122 section 3.2.1.3)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local (RFC 3927)
        "224.0.0.0/4",  # multicast (RFC 5771)
        "255.255.255.255/32",  # limited broadcast (RFC 919)
        "::/127",  # unspecified and loopback (RFC 4291)
        "fe80::/10",  # link-local
        "ff00::/8",  # multicast
    ]
)
"""A conversation with either end in here is no matter for a policy."""

IGMP = 2
NOT_POLICY_PORTS = {
    UDP: frozenset({67, 68, 546, 547}),  # DHCPv4 (RFC 2131), DHCPv6 (RFC 8415)
    ICMP: frozenset({3, 4, 5, 9, 10, 11, 12}),  # errors come with their flow; router discovery
    ICMPV6: frozenset({1, 2, 3, 4, 130, 131, 132, 133, 134, 135, 136, 137, 143}),  # errors, MLD, ND
}
"""Protocol → server ports or message types that are no matter for a policy."""
NOT_POLICY_SERVICES = (
    ServiceRange(IGMP, 0, 65535),
    *(
        ServiceRange(protocol, port, port)
        for protocol, ports in NOT_POLICY_PORTS.items()
        for port in sorted(ports)
    ),
)
"""All services that are no matter for a policy."""


def not_policy(client: int, server: int, protocol: int, port: int) -> str:
    """Why this conversation is never policy, in words; empty when it may be."""
    if client in NOT_POLICY or server in NOT_POLICY:
        return "link-local/multicast"
    if protocol == IGMP:
        return "IGMP"
    if port in NOT_POLICY_PORTS.get(protocol, ()):
        return "DHCP" if protocol == UDP else "ICMP error, ND or MLD"
    return ""


@dataclass(frozen=True, slots=True)
class RuleUse:
    """What the recorded traffic says about one rule."""

    id: str
    hits: int
    """Conversations the rule allows."""
    sole_hits: int
    """Conversations only this rule allows: what breaks without it."""
    flows: int
    bytes: int
    last_us: int | None
    """When it last allowed something; None if never."""
    state: str = "active"
    """active, unused or expired."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Covered of all in scope (excluded and uncertain ones left out)."""

    conversations: int
    in_scope: int
    bytes: int
    bytes_in_scope: int

    @property
    def share(self) -> float:
        """0 to 1; 1 when nothing is in scope."""
        return self.conversations / self.in_scope if self.in_scope else 1.0

    @property
    def bytes_share(self) -> float:
        return self.bytes / self.bytes_in_scope if self.bytes_in_scope else 1.0


@dataclass(frozen=True, slots=True)
class Totals:
    """How many of what."""

    conversations: int
    flows: int
    bytes: int
    by_class: Mapping[Class, int]
    """Conversations; every class is present."""
    bytes_by_class: Mapping[Class, int]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that almost allows a conversation."""

    rule: str
    lacks: tuple[str, ...]
    """Which of `from`, `to`, `services` do not fit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a conversation is judged as it is, observed or hypothetical."""

    conversation: str
    decision: Decision
    klass: Class | None
    """None for hypothetical traffic."""
    observed_flows: int
    client_segments: tuple[str, ...]
    server_segments: tuple[str, ...]
    near_misses: tuple[NearMiss, ...] = ()
    """Best first; empty when allowed."""
