"""Guardrails, exact over whole boxes of clients × servers × services, seen or not.

A service is a number here, so that services are sets of numbers with the same algebra as addresses,
and a box is three sets.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from workbench.analysis.numbers import pair, span
from workbench.model.net import (
    TCP,
    UDP,
    AddressRange,
    AddressSet,
    ServiceRange,
    format_address,
    last_port,
    service_text,
)
from workbench.model.policy import Assertion, ResolvedGuardrail, ResolvedPolicy, ResolvedRule
from workbench.model.verdict import NOT_POLICY, NOT_POLICY_SERVICES

Box = tuple[AddressSet, AddressSet, AddressSet]
"""Clients, servers, services; never with an empty side."""


@dataclass(frozen=True, slots=True)
class BrokenGuardrail:
    """A guardrail that does not hold, with one conversation that shows it."""

    id: str
    assertion: Assertion
    witness: str
    """`10.0.0.1 → 10.3.0.1 tcp/502`: never → let through, always → not let through."""
    because: str
    """Why, in words."""
    rule: str | None = None
    """The rule that lets the witness through; None where none does."""


def _numbers(services: Iterable[ServiceRange]) -> AddressSet:
    return AddressSet.of(AddressRange(*span(piece)) for piece in services)


SERVICES = _numbers(
    ServiceRange(protocol, 0, last_port(protocol)) for protocol in range(256)
) - _numbers(NOT_POLICY_SERVICES)
"""Every service that a conversation can have and a policy can judge."""
COMMON = _numbers([ServiceRange(TCP, 0, 65535), ServiceRange(UDP, 0, 65535)])


def check(policy: ResolvedPolicy) -> tuple[BrokenGuardrail, ...]:
    """The guardrails that do not hold, policy order, each once.

    *never* is broken by any conversation of its box that a rule allows, or that is out of scope
    (nothing would stop it). *always* is broken by any that is in scope and that no rule allows.
    Traffic that is no matter for a policy is left out of both.
    """
    allowed = [(rule.id, box) for rule in policy.rules for box in _box(rule)]
    found = (
        (_always if guardrail.assertion is Assertion.ALWAYS else _never)(guardrail, policy, allowed)
        for guardrail in policy.guardrails
    )
    return tuple(broken for broken in found if broken)


def newly_broken(before: ResolvedPolicy, after: ResolvedPolicy) -> tuple[BrokenGuardrail, ...]:
    """The guardrails that a policy breaks, less those that another one breaks too."""
    if not (broken := check(after)):
        return ()
    had = {one.id for one in check(before)}
    return tuple(one for one in broken if one.id not in had)


def forbidding(
    policy: ResolvedPolicy,
    clients: AddressSet,
    servers: AddressSet,
    services: Iterable[ServiceRange],
) -> tuple[str, ...]:
    """Ids of the *never* guardrails that a rule from `clients` to `servers` would break."""
    if not (nevers := _nevers(policy.guardrails)):
        return ()
    wanted = _box(ResolvedRule("", clients, servers, tuple(services)))
    met = (name for name, never in nevers for box in wanted if _meet(box, never))
    return tuple(dict.fromkeys(met))


@lru_cache(maxsize=4)
def _nevers(guardrails: tuple[ResolvedGuardrail, ...]) -> tuple[tuple[str, Box], ...]:
    """Ids and boxes of the *never* guardrails: thousands of rules are asked about the same."""
    return tuple(
        (guardrail.box.id, box)
        for guardrail in guardrails
        if guardrail.assertion is Assertion.NEVER
        for box in _box(guardrail.box)
    )


def _never(
    guardrail: ResolvedGuardrail, policy: ResolvedPolicy, allowed: list[tuple[str, Box]]
) -> BrokenGuardrail | None:
    for whole in _box(guardrail.box):
        for rule, box in allowed:
            for met in _meet(whole, box):
                return _broken(guardrail, met, f"rule {rule} allows it", rule)
        clients, servers = whole[0] - policy.protected_egress, whole[1] - policy.protected_ingress
        for open_to_all in _boxes(clients, servers, whole[2]):
            return _broken(guardrail, open_to_all, "out of scope: neither end is protected")
    return None


def _always(
    guardrail: ResolvedGuardrail, policy: ResolvedPolicy, allowed: list[tuple[str, Box]]
) -> BrokenGuardrail | None:
    egress, ingress = policy.protected_egress, policy.protected_ingress
    left = [
        piece
        for clients, servers, services in _box(guardrail.box)
        for piece in (
            *_boxes(clients & egress, servers, services),
            *_boxes(clients - egress, servers & ingress, services),
        )
    ]
    for _, taken in allowed:
        left = [piece for box in left for piece in _minus(box, taken)]
    return _broken(guardrail, left[0], "no rule allows it") if left else None


def _boxes(clients: AddressSet, servers: AddressSet, services: AddressSet) -> list[Box]:
    """One box, or none when a side is empty."""
    return [(clients, servers, services)] if clients and servers and services else []


def _box(rule: ResolvedRule) -> list[Box]:
    """What of a rule's box a policy can judge, family by family: no conversation has both."""
    clients, servers = rule.clients - NOT_POLICY, rule.servers - NOT_POLICY
    services = _numbers(rule.services) & SERVICES
    return [
        box
        for version in (4, 6)
        for box in _boxes(clients.family(version), servers.family(version), services)
    ]


def _meet(box: Box, other: Box) -> list[Box]:
    return _boxes(box[0] & other[0], box[1] & other[1], box[2] & other[2])


def _minus(box: Box, taken: Box) -> list[Box]:
    """`box` without `taken`, as disjoint boxes."""
    clients, servers, services = box
    shared, met = clients & taken[0], servers & taken[1]
    if not shared or not met or not services & taken[2]:
        return [box]
    return [
        *_boxes(clients - taken[0], servers, services),
        *_boxes(shared, servers - taken[1], services),
        *_boxes(shared, met, services - taken[2]),
    ]


def _broken(
    guardrail: ResolvedGuardrail, box: Box, because: str, rule: str | None = None
) -> BrokenGuardrail:
    clients, servers, services = box
    number = (services & COMMON or services).ranges[0].first
    client, server = (format_address(side.ranges[0].first) for side in (clients, servers))
    witness = f"{client} → {server} {service_text(*pair(number))}"
    return BrokenGuardrail(guardrail.box.id, guardrail.assertion, witness, because, rule)
