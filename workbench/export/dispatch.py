"""Which rules answer for which services: disjoint pieces, so that a map lookup finds the rules.

Kept apart from the text of any target: numbers in, numbers out.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from workbench.model.net import ANY_PROTOCOL, ServiceRange, last_port
from workbench.model.policy import ResolvedRule

Rules = tuple[int, ...]
"""Indexes into the policy's rules, ascending."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Every service that some rule names, and the rules that answer for it."""

    chains: tuple[tuple[Rules, tuple[ServiceRange, ...]], ...]
    """Equal rules share a chain. Pieces are disjoint over all chains; chains and pieces are sorted
    by service. Rules for `any` are left out: they answer for every service."""
    any_service: Rules


def dispatch(rules: Sequence[ResolvedRule]) -> Dispatch:
    """Cut the services of all rules into disjoint pieces with equal rules."""
    ranges: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for index, rule in enumerate(rules):
        for service in rule.services:
            last = min(service.last, last_port(service.protocol))
            if service.protocol != ANY_PROTOCOL and service.first <= last:
                ranges[service.protocol].append((service.first, last, index))
    chains: dict[Rules, list[ServiceRange]] = defaultdict(list)
    for protocol in sorted(ranges):
        for first, last, found in _pieces(ranges[protocol]):
            chains[found].append(ServiceRange(protocol, first, last))
    everything = (at for at, rule in enumerate(rules) if is_any(rule))
    return Dispatch(
        tuple(sorted(((key, tuple(found)) for key, found in chains.items()), key=lambda c: c[1])),
        tuple(everything),
    )


def is_any(rule: ResolvedRule) -> bool:
    """True when the rule allows every service."""
    return any(service.protocol == ANY_PROTOCOL for service in rule.services)


def _pieces(ranges: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, Rules]]:
    """(first, last, rule) → disjoint (first, last, rules), ascending, neighbours differing."""
    changes: dict[int, list[tuple[int, bool]]] = defaultdict(list)
    for first, last, rule in ranges:
        changes[first].append((rule, True))
        changes[last + 1].append((rule, False))
    active: dict[int, int] = defaultdict(int)
    start, before = 0, Rules()
    for at in sorted(changes):
        for rule, begins in changes[at]:
            active[rule] += 1 if begins else -1
        now = tuple(sorted(rule for rule, count in active.items() if count))
        if now != before:
            if before:
                yield start, at - 1, before
            start, before = at, now
