"""Completions for the filter line."""

from collections.abc import Sequence

from workbench.analysis.words import HostWords
from workbench.model.filters import CHOICES, FIELDS, HOST_FIELDS

MOST = 50
"""Completions offered at once."""


def complete(
    text: str, cursor: int, words: HostWords, rules: Sequence[str] = ()
) -> tuple[str, ...]:
    """What the term under the cursor may become, whole terms: `-server:d` → `-server:db`, …

    First those that start with what is typed, then those that contain it.
    """
    start = max(text.rfind(" ", 0, cursor), text.rfind("\t", 0, cursor)) + 1
    typed = text[start:cursor]
    sign, body = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    field, colon, rest = body.partition(":")
    if not colon or field not in FIELDS:
        fields = [f"{name}:" for name in FIELDS if name.startswith(body)]
        hosts = _fitting(body, _values("host", words, rules)) if body else []
        return tuple(sign + item for item in [*fields, *hosts][:MOST])
    done, comma, last = rest.rpartition(",")
    head = f"{sign}{field}:{done}{comma}"
    return tuple(head + item for item in _fitting(last, _values(field, words, rules))[:MOST])


def _values(field: str, words: HostWords, rules: Sequence[str]) -> list[str]:
    if field in HOST_FIELDS:
        pairs = sorted({f"{key}={value}" for own in words.labels for key, value in own.items()})
        return [*dict(words.policy.segments), *sorted(set(words.names)), *pairs]
    if field == "service":
        return [*words.services, *words.seen_services]
    if field == "rule":
        return list(rules) or [rule.id for rule in words.policy.rules]
    return list(CHOICES.get(field, ()))


def _fitting(typed: str, values: Sequence[str]) -> list[str]:
    part = typed.casefold()
    holding = [value for value in values if part in value.casefold()]
    return sorted(holding, key=lambda value: not value.casefold().startswith(part))
