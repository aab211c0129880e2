"""Edits: an old policy in, a new valid policy out. Each raises PolicyError and changes nothing."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from workbench.documents import suggestion
from workbench.model.errors import PolicyError
from workbench.model.policy import (
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    Rule,
    Segment,
    ServiceGroup,
    unused,
)
from workbench.model.text import and_more
from workbench.policy.validate import validate

Entry = TypeVar("Entry")
"""A rule, guardrail, exclusion, segment, service group or protection."""


def replace_parts(policy: Policy, **parts: Any) -> Policy:
    """The policy with whole sections (`rules=…`, `segments=…`) replaced."""
    return _checked(replace(policy, **parts))


def put_rule(policy: Policy, rule: Rule, *, replaces: str | None = None) -> Policy:
    """Add a rule at the end, or put it in the place of rule `replaces`."""
    return replace_parts(policy, rules=_put(policy.rules, rule, replaces, "rule"))


def remove_rule(policy: Policy, rule_id: str) -> Policy:
    """The policy without one rule."""
    return replace_parts(policy, rules=_without(policy.rules, rule_id, "rule"))


def duplicate_rule(policy: Policy, rule_id: str) -> Policy:
    """A copy of the rule, under a fresh id, right behind it."""
    at = _find(policy.rules, rule_id, "rule")
    copy = replace(policy.rules[at], id=fresh_id(policy, rule_id))
    return replace_parts(policy, rules=(*policy.rules[: at + 1], copy, *policy.rules[at + 1 :]))


def fresh_id(policy: Policy, wanted: str) -> str:
    """`wanted`, or `wanted-2`, `wanted-3` …: an id that nothing in the policy has."""
    taken = policy.ids
    base, _, tail = wanted.rpartition("-")
    is_copy = tail.isdigit() and base in taken  # else it may be a port: `web-to-app-tcp-8080`
    return unused(base if is_copy and wanted in taken else wanted, taken)


def put_segment(policy: Policy, segment: Segment, *, replaces: str | None = None) -> Policy:
    """Add a segment, or put it in the place of another; a new name follows into its uses."""
    segments = _put(policy.segments, segment, replaces, "segment")
    if replaces in (None, segment.name):
        return replace_parts(policy, segments=segments)
    renamed = _renamer(replaces, segment.name)

    def follow(entries: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(
            replace(entry, clients=renamed(entry.clients), servers=renamed(entry.servers))
            for entry in entries
        )

    return replace_parts(
        policy,
        segments=segments,
        protect=tuple(
            replace(item, segment=segment.name) if item.segment == replaces else item
            for item in policy.protect
        ),
        rules=follow(policy.rules),
        guardrails=follow(policy.guardrails),
        exclusions=follow(policy.exclusions),
    )


def remove_segment(policy: Policy, name: str) -> Policy:
    """The policy without a segment that nothing uses."""
    segments = _without(policy.segments, name, "segment")
    _refuse_used(f"segments.{name}", segment_uses(policy, name))
    return replace_parts(policy, segments=segments)


def put_protection(policy: Policy, protection: Protection) -> Policy:
    """Protect a segment, or change the directions in which it is."""
    known = any(item.segment == protection.segment for item in policy.protect)
    replaces = protection.segment if known else None
    return replace_parts(policy, protect=_put(policy.protect, protection, replaces, "protection"))


def remove_protection(policy: Policy, segment: str) -> Policy:
    """The policy no longer protects this segment."""
    return replace_parts(policy, protect=_without(policy.protect, segment, "protection"))


def put_services(policy: Policy, group: ServiceGroup, *, replaces: str | None = None) -> Policy:
    """Add a service group, or put it in the place of another; a new name follows into its uses."""
    services = _put(policy.services, group, replaces, "service")
    if replaces in (None, group.name):
        return replace_parts(policy, services=services)
    renamed = _renamer(replaces, group.name)

    def follow(entries: Iterable[Any]) -> tuple[Any, ...]:
        return tuple(replace(entry, services=renamed(entry.services)) for entry in entries)

    return replace_parts(
        policy,
        services=services,
        rules=follow(policy.rules),
        guardrails=follow(policy.guardrails),
        exclusions=follow(policy.exclusions),
    )


def remove_services(policy: Policy, name: str) -> Policy:
    """The policy without a service group that nothing uses."""
    services = _without(policy.services, name, "service")
    _refuse_used(f"services.{name}", service_uses(policy, name))
    return replace_parts(policy, services=services)


def put_guardrail(policy: Policy, guardrail: Guardrail, *, replaces: str | None = None) -> Policy:
    """Add a guardrail, or put it in the place of another."""
    entries = _put(policy.guardrails, guardrail, replaces, "guardrail")
    return replace_parts(policy, guardrails=entries)


def remove_guardrail(policy: Policy, guardrail_id: str) -> Policy:
    """The policy without one guardrail."""
    entries = _without(policy.guardrails, guardrail_id, "guardrail")
    return replace_parts(policy, guardrails=entries)


def put_exclusion(policy: Policy, exclusion: Exclusion, *, replaces: str | None = None) -> Policy:
    """Add an exclusion, or put it in the place of another."""
    entries = _put(policy.exclusions, exclusion, replaces, "exclusion")
    return replace_parts(policy, exclusions=entries)


def remove_exclusion(policy: Policy, exclusion_id: str) -> Policy:
    """The policy without one exclusion."""
    entries = _without(policy.exclusions, exclusion_id, "exclusion")
    return replace_parts(policy, exclusions=entries)


def restrict(policy: Policy, segments: Collection[str]) -> Policy:
    """The same policy protecting only these segments: a first step of a roll-out."""
    known = [item.segment for item in policy.protect]
    for name in segments:
        if name not in known:
            raise PolicyError(
                f"unknown protected segment{suggestion(name, known)}", where="protect"
            )
    kept = tuple(item for item in policy.protect if item.segment in segments)
    return replace_parts(policy, protect=kept)


def segment_uses(policy: Policy, name: str) -> tuple[str, ...]:
    """Where a segment is used, as `rule web-to-db`, document order."""
    protected = [f"protect {name}" for item in policy.protect if item.segment == name]
    return (*protected, *_users(policy, lambda entry: name in (*entry.clients, *entry.servers)))


def service_uses(policy: Policy, name: str) -> tuple[str, ...]:
    """Where a service group is used, document order."""
    return _users(policy, lambda entry: name in entry.services)


def _users(policy: Policy, uses: Callable[[Any], bool]) -> tuple[str, ...]:
    sections: list[tuple[str, Sequence[Any]]] = [
        ("rule", policy.rules),
        ("guardrail", policy.guardrails),
        ("exclusion", policy.exclusions),
    ]
    return tuple(f"{kind} {entry.id}" for kind, all_ in sections for entry in all_ if uses(entry))


def _refuse_used(where: str, uses: Sequence[str]) -> None:
    if uses:
        raise PolicyError(f"still used by {and_more(uses, 5)}", where=where)


def _checked(policy: Policy) -> Policy:
    validate(policy)
    return policy


def _renamer(old: str | None, new: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    return lambda names: tuple(new if name == old else name for name in names)


def _key(entry: Any) -> str:
    """What an entry is called by: its id, its name, or the segment it protects."""
    if isinstance(entry, Protection):
        return entry.segment
    return str(entry.name if isinstance(entry, Segment | ServiceGroup) else entry.id)


def _find(entries: Sequence[Any], key: str, kind: str) -> int:
    known = [_key(entry) for entry in entries]
    if key not in known:
        raise PolicyError(f"unknown {kind}{suggestion(key, known)}")
    return known.index(key)


def _put(
    entries: tuple[Entry, ...], entry: Entry, replaces: str | None, kind: str
) -> tuple[Entry, ...]:
    if replaces is None:
        return (*entries, entry)
    at = _find(entries, replaces, kind)
    return (*entries[:at], entry, *entries[at + 1 :])


def _without(entries: tuple[Entry, ...], key: str, kind: str) -> tuple[Entry, ...]:
    at = _find(entries, key, kind)
    return (*entries[:at], *entries[at + 1 :])
