"""Policies: as the user writes them (names), and resolved (addresses and port ranges).

Frozen throughout: an edit makes a new value, so history is a list and undo is an index.
"""

import re
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from workbench.model.net import EVERYWHERE, AddressSet, ServiceRange, parse_service

LONGEST = 63
"""Characters of an id or a name."""
SLUG = re.compile(r"[a-z][a-z0-9-]{0,62}")
"""Ids and names: nft identifiers must start with a letter, nft strings cannot escape a quote."""
ANY = "any"
"""Stands for every address in `from` and `to`, and for every service in `services`."""


class Side(StrEnum):
    """A direction of protection, seen from the protected host."""

    INGRESS = "ingress"
    EGRESS = "egress"


BOTH_SIDES = frozenset(Side)


def slug(text: str, fallback: str) -> str:
    """The nearest id or name: `Web (prod)` → `web-prod`, `10.1.2` → `hosts-10-1-2` (`hosts`)."""
    words = re.sub(r"[^a-z0-9]+", "-", text.casefold()).strip("-")
    return (words if words[:1].isalpha() else f"{fallback}-{words}")[:LONGEST].rstrip("-")


def unused(wish: str, taken: Container[str]) -> str:
    """`wish`, or `wish-2` and so on where that is taken."""
    name, number = wish[:LONGEST], 2
    while name in taken:
        end = f"-{number}"
        name, number = wish[: LONGEST - len(end)].rstrip("-") + end, number + 1
    return name


@dataclass(frozen=True, slots=True)
class Segment:
    """A named set of hosts. With both `match` and `cidrs`, a host must satisfy both."""

    name: str
    match: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Label key → accepted values: keys are ANDed, values ORed."""
    cidrs: tuple[str, ...] = ()
    excepts: tuple[str, ...] = ()
    """CIDRs taken out (`except:` in YAML)."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A segment that the policy protects."""

    segment: str
    directions: frozenset[Side] = BOTH_SIDES


@dataclass(frozen=True, slots=True)
class ServiceGroup:
    """A name for several services."""

    name: str
    services: tuple[str, ...]

    @property
    def ranges(self) -> tuple[ServiceRange, ...]:
        """The services as ranges, as written. Raises ValueError for text that is none."""
        return tuple(map(parse_service, self.services))


@dataclass(frozen=True, slots=True)
class Rule:
    """Allow `clients` to open `services` on `servers`; replies come with it."""

    id: str
    clients: tuple[str, ...]
    """Segment names or `any` (`from:` in YAML)."""
    servers: tuple[str, ...]
    """Segment names or `any` (`to:` in YAML)."""
    services: tuple[str, ...]
    """Service group names, `any`, or literals such as `tcp/443`."""
    reason: str = ""
    expires: date | None = None
    """Last day on which the rule allows anything."""


class Assertion(StrEnum):
    """What a guardrail demands."""

    NEVER = "never"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class Guardrail:
    """An assertion that must hold whatever the rules say."""

    id: str
    assertion: Assertion
    clients: tuple[str, ...]
    servers: tuple[str, ...]
    services: tuple[str, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Traffic not to learn from or judge."""

    id: str
    clients: tuple[str, ...]
    servers: tuple[str, ...]
    services: tuple[str, ...]
    reason: str
    expires: date | None = None


def in_force(entry: Rule | Exclusion, on: date) -> bool:
    """True up to and including the day it expires."""
    return entry.expires is None or entry.expires >= on


class Doubt(NamedTuple):
    """What a careful reader would ask about a valid policy."""

    kind: str
    """What it has in common with others: `rules: expired`."""
    text: str
    """`rule old: expired on 2026-06-14`."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`policy.yaml` as a value. Order is the user's and is kept; meaning does not depend on it."""

    name: str = "policy"
    protect: tuple[Protection, ...] = ()
    segments: tuple[Segment, ...] = ()
    services: tuple[ServiceGroup, ...] = ()
    rules: tuple[Rule, ...] = ()
    guardrails: tuple[Guardrail, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Of rules, guardrails and exclusions, which may not share one."""
        entries = (self.rules, self.guardrails, self.exclusions)
        return frozenset(entry.id for section in entries for entry in section)

    def rule(self, rule_id: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """A rule (or the box of a guardrail or exclusion) as addresses and port ranges."""

    id: str
    clients: AddressSet
    servers: AddressSet
    services: tuple[ServiceRange, ...]
    """Sorted, disjoint (merge_services)."""
    client_segments: tuple[str, ...] = ()
    """The names it was written with, for exporters and people."""
    server_segments: tuple[str, ...] = ()

    def matches(self, client: int, server: int, protocol: int, port: int) -> bool:
        return (
            client in self.clients
            and server in self.servers
            and any(service.covers(protocol, port) for service in self.services)
        )


@dataclass(frozen=True, slots=True)
class ResolvedGuardrail:
    """A guardrail as a box of addresses and services."""

    assertion: Assertion
    box: ResolvedRule


@dataclass(frozen=True)
class ResolvedPolicy:
    """What is judged is what is exported: no names are looked up after this point."""

    name: str
    segments: tuple[tuple[str, AddressSet], ...] = ()
    """Every segment, policy order. `any` is not listed."""
    protected_ingress: AddressSet = field(default_factory=AddressSet)
    """Servers whose incoming conversations are in scope."""
    protected_egress: AddressSet = field(default_factory=AddressSet)
    """Clients whose outgoing conversations are in scope."""
    rules: tuple[ResolvedRule, ...] = ()
    """Only rules in force on `on`."""
    guardrails: tuple[ResolvedGuardrail, ...] = ()
    exclusions: tuple[ResolvedRule, ...] = ()
    """Only exclusions in force on `on`."""
    expired: tuple[str, ...] = ()
    """Ids of rules and exclusions that ended before `on`: they allow and exclude nothing."""
    on: date = date.min
    """The day the policy was resolved for."""

    def segment(self, name: str) -> AddressSet:
        """Addresses of one segment; `any` is everywhere. Raises KeyError for an unknown name."""
        return EVERYWHERE if name == ANY else dict(self.segments)[name]

    def segments_of(self, address: int) -> tuple[str, ...]:
        """Segments that an address is in, policy order."""
        return tuple(name for name, inside in self.segments if address in inside)

    def home(self, address: int) -> str:
        """The segment with fewest addresses that an address is in; empty for none."""
        inside = (segment for segment in self.segments if address in segment[1])
        return min(inside, key=lambda one: one[1].size, default=("", AddressSet()))[0]
