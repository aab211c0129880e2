"""What a careful reader would ask about a valid policy. Warnings, never errors."""

from collections.abc import Iterator
from datetime import timedelta

from workbench.model.net import AddressSet
from workbench.model.policy import ANY, Exclusion, Policy, ResolvedPolicy, Rule, in_force
from workbench.policy.edit import segment_uses, service_uses

SOON = timedelta(days=14)
"""How long before its last day an entry is called out."""


def lint(policy: Policy, resolved: ResolvedPolicy) -> tuple[str, ...]:
    """One line a warning, in document order; `resolved` is `policy` resolved for the day."""
    return (
        *_protection(policy),
        *_segments(policy, resolved),
        *_services(policy),
        *_rules(policy, resolved),
        *_dates(policy, resolved),
    )


def _protection(policy: Policy) -> Iterator[str]:
    if not policy.protect:
        yield "protect: no segment is protected, so nothing is in scope"


def _segments(policy: Policy, resolved: ResolvedPolicy) -> Iterator[str]:
    for name, addresses in resolved.segments:
        if not addresses:
            yield f"segment {name}: no host belongs to it"
        if not segment_uses(policy, name):
            yield f"segment {name}: nothing uses it"


def _services(policy: Policy) -> Iterator[str]:
    for group in policy.services:
        if not service_uses(policy, group.name):
            yield f"service {group.name}: nothing uses it"


def _rules(policy: Policy, resolved: ResolvedPolicy) -> Iterator[str]:
    for rule in resolved.rules:
        inside = _overlap(rule.clients, resolved.protected_egress)
        if policy.protect and not inside and not _overlap(rule.servers, resolved.protected_ingress):
            yield f"rule {rule.id}: neither its clients nor its servers are protected"
    for written in policy.rules:
        if ANY in written.clients and ANY in written.servers:
            on = ", ".join(written.services)
            yield f"rule {written.id}: allows any to any on {on}"
        elif any(ANY in names and len(names) > 1 for names in (written.clients, written.servers)):
            yield f"rule {written.id}: `any` already holds the segments beside it"


def _dates(policy: Policy, resolved: ResolvedPolicy) -> Iterator[str]:
    dated: tuple[tuple[str, tuple[Rule | Exclusion, ...]], ...] = (
        ("rule", policy.rules),
        ("exclusion", policy.exclusions),
    )
    for kind, entries in dated:
        for entry in entries:
            if entry.expires is None:
                continue
            if not in_force(entry, resolved.on):
                yield f"{kind} {entry.id}: expired on {entry.expires}"
            elif entry.expires - resolved.on <= SOON:
                yield f"{kind} {entry.id}: expires soon, on {entry.expires}"


def _overlap(first: AddressSet, second: AddressSet) -> bool:
    """Whether they share an address: stops at the first."""
    few, many = sorted((first, second), key=lambda addresses: len(addresses.ranges))
    return any(
        piece.first in many or piece.last in many or AddressSet((piece,)) & many
        for piece in few.ranges
    )
