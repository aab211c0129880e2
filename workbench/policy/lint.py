"""What a careful reader would ask about a valid policy. Warnings, never errors."""

from collections.abc import Iterator
from datetime import timedelta

from workbench.model.net import AddressSet
from workbench.model.policy import ANY, Doubt, Exclusion, Policy, ResolvedPolicy, Rule, in_force
from workbench.model.text import noun
from workbench.policy.edit import segment_uses, service_uses

SOON = timedelta(days=14)
"""How long before its last day an entry is called out."""


def lint(policy: Policy, resolved: ResolvedPolicy) -> tuple[Doubt, ...]:
    """In document order; `resolved` is `policy` resolved for the day."""
    return (
        *_protection(policy),
        *_segments(policy, resolved),
        *_services(policy),
        *_rules(policy, resolved),
        *_dates(policy, resolved),
    )


def _doubt(what: str, name: str, problem: str, detail: str = "") -> Doubt:
    return Doubt(f"{noun(2, what)}: {problem}", f"{what} {name}: {problem}{detail}")


def _protection(policy: Policy) -> Iterator[Doubt]:
    if not policy.protect:
        text = "protect: no segment is protected, so nothing is in scope"
        yield Doubt(text, text)


def _segments(policy: Policy, resolved: ResolvedPolicy) -> Iterator[Doubt]:
    for name, addresses in resolved.segments:
        if not addresses:
            yield _doubt("segment", name, "no host belongs to it")
        if not segment_uses(policy, name):
            yield _doubt("segment", name, "nothing uses it")


def _services(policy: Policy) -> Iterator[Doubt]:
    for group in policy.services:
        if not service_uses(policy, group.name):
            yield _doubt("service", group.name, "nothing uses it")


def _rules(policy: Policy, resolved: ResolvedPolicy) -> Iterator[Doubt]:
    for rule in resolved.rules:
        inside = _overlap(rule.clients, resolved.protected_egress)
        if policy.protect and not inside and not _overlap(rule.servers, resolved.protected_ingress):
            yield _doubt("rule", rule.id, "neither its clients nor its servers are protected")
    for written in policy.rules:
        if ANY in written.clients and ANY in written.servers:
            on = ", ".join(written.services)
            yield _doubt("rule", written.id, "allows any to any", f" on {on}")
        elif any(ANY in names and len(names) > 1 for names in (written.clients, written.servers)):
            yield _doubt("rule", written.id, "`any` already holds the segments beside it")


def _dates(policy: Policy, resolved: ResolvedPolicy) -> Iterator[Doubt]:
    dated: tuple[tuple[str, tuple[Rule | Exclusion, ...]], ...] = (
        ("rule", policy.rules),
        ("exclusion", policy.exclusions),
    )
    for kind, entries in dated:
        for entry in entries:
            if entry.expires is None:
                continue
            if not in_force(entry, resolved.on):
                yield _doubt(kind, entry.id, "expired", f" on {entry.expires}")
            elif entry.expires - resolved.on <= SOON:
                yield _doubt(kind, entry.id, "expires soon", f", on {entry.expires}")


def _overlap(first: AddressSet, second: AddressSet) -> bool:
    """Whether they share an address: stops at the first."""
    few, many = sorted((first, second), key=lambda addresses: len(addresses.ranges))
    return any(
        piece.first in many or piece.last in many or AddressSet((piece,)) & many
        for piece in few.ranges
    )
