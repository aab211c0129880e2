"""A rule, and what it matches now; guardrails and exclusions have the same shape."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.model.days import last_day
from workbench.model.errors import PolicyError
from workbench.model.policy import ANY, Assertion, Exclusion, Guardrail, Policy, Rule
from workbench.model.simulation import Simulation
from workbench.model.text import plural, short_bytes
from workbench.model.traffic import Conversation
from workbench.model.verdict import Class
from workbench.tui.lines import clock
from workbench.tui.screens.form import Field, Form, Parts, Values, always, listed
from workbench.tui.widgets.completing import words_of

if TYPE_CHECKING:
    from workbench.session import Session

Entry = Rule | Guardrail | Exclusion
_SERVICES = ("tcp/", "udp/", "icmp/echo-request", "icmpv6/echo-request", "sctp/")


class EntryForm(Form):
    """What rules, guardrails and exclusions share: id, from, to, services, reason."""

    def __init__(self, entry: Entry, replaces: str | None) -> None:
        super().__init__()
        self._entry = entry
        self._replaces = replaces
        self._expires = None if isinstance(entry, Guardrail) else entry.expires

    def _last_day(self, session: "Session", values: Values) -> date | None:
        return last_day(values["expires"], session.resolved.on, self._expires)

    def fields(self) -> Iterable[Field]:
        entry, policy = self._entry, self.opened.policy
        segments = [segment.name for segment in policy.segments] + [ANY]
        services = [group.name for group in policy.services] + [ANY, *_SERVICES]
        ends, kinds = words_of(always(segments)), words_of(always(services))
        yield Field("id", "id", entry.id, "web-to-db")
        yield Field("clients", "from", " ".join(entry.clients), "segments, or any", ends)
        yield Field("servers", "to", " ".join(entry.servers), "segments, or any", ends)
        yield Field("services", "services", " ".join(entry.services), "tcp/443 dns", kinds)
        yield Field("reason", "reason", entry.reason, "for the next reader")


class RuleForm(EntryForm):
    """Add or edit a rule."""

    TITLE_TEXT = "Rule"

    def fields(self) -> Iterable[Field]:
        yield from super().fields()
        yield Field("expires", "expires", str(self._expires or ""), "2027-03-31, or nothing")

    def preview(self, session: "Session", values: Values) -> Parts:
        rule = self._read(session, values)
        wanted = with_rule(session.policy, rule, self._replaces)
        parts = rule_effect(session.simulation, session.try_policy(wanted), rule.id)
        breaks = (
            (f"! breaks guardrail {one.id}: {one.witness}\n", "warn")
            for one in session.newly_broken(wanted)
        )
        return [*breaks, *parts]

    def change(self, session: "Session", values: Values) -> None:
        session.draft.put_rule(self._read(session, values), replaces=self._replaces)

    def _read(self, session: "Session", values: Values) -> Rule:
        return Rule(*_ends(values), values["reason"], self._last_day(session, values))


class GuardrailForm(EntryForm):
    """Add or edit a guardrail: what must never, or must always, be allowed."""

    TITLE_TEXT = "Guardrail"

    def fields(self) -> Iterable[Field]:
        kind = self._entry.assertion if isinstance(self._entry, Guardrail) else Assertion.NEVER
        yield Field(
            "assertion", "must", kind, "never or always", words_of(always(tuple(Assertion)))
        )
        yield from super().fields()

    def preview(self, session: "Session", values: Values) -> Parts:
        guardrail = _read_guardrail(values)
        kept = tuple(one for one in session.policy.guardrails if one.id != self._replaces)
        wanted = replace(session.policy, guardrails=(*kept, guardrail))
        for one in session.check(wanted):
            if one.id == guardrail.id:
                return [("! the draft breaks it: ", "warn"), (one.witness, "strong"),
                        (f"\n  {one.because}", "dim")]  # fmt: skip
        return [("✓ the draft keeps it", "allowed")]

    def change(self, session: "Session", values: Values) -> None:
        session.draft.put_guardrail(_read_guardrail(values), replaces=self._replaces)


class ExclusionForm(EntryForm):
    """Add or edit an exclusion: traffic not to learn from or judge."""

    TITLE_TEXT = "Exclusion"

    def fields(self) -> Iterable[Field]:
        yield from super().fields()
        yield Field("expires", "expires", str(self._expires or ""), "2026-12-31, or nothing")

    def preview(self, session: "Session", values: Values) -> Parts:
        exclusion = self._read(session, values)
        kept = tuple(one for one in session.policy.exclusions if one.id != self._replaces)
        wanted = replace(session.policy, exclusions=(*kept, exclusion))
        count = session.try_policy(wanted).totals.by_class[Class.EXCLUDED]
        before = session.simulation.totals.by_class[Class.EXCLUDED]
        return [(f"{plural(count, 'conversation')} excluded, {before:,} before", "dim")]

    def change(self, session: "Session", values: Values) -> None:
        session.draft.put_exclusion(self._read(session, values), replaces=self._replaces)

    def _read(self, session: "Session", values: Values) -> Exclusion:
        return Exclusion(*_ends(values), values["reason"], self._last_day(session, values))


def _ends(values: Values) -> tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    lists = tuple(listed(values[key]) for key in ("clients", "servers", "services"))
    for name, found in zip(("from", "to", "services"), lists, strict=True):
        if not found:
            raise PolicyError(f"{name}: name at least one, or any")
    return values["id"], *lists  # type: ignore[return-value]


def _read_guardrail(values: Values) -> Guardrail:
    if values["assertion"] not in tuple(Assertion):
        raise PolicyError("a guardrail says never or always")
    name, clients, servers, services = _ends(values)
    kind = Assertion(values["assertion"])
    return Guardrail(name, kind, clients, servers, services, values["reason"])


def with_rule(policy: Policy, rule: Rule, replaces: str | None) -> Policy:
    """The policy with one rule more, or another one in its place."""
    kept = tuple(one for one in policy.rules if one.id != replaces)
    return replace(policy, rules=(*kept, rule))


def rule_effect(before: Simulation, after: Simulation, rule_id: str) -> Parts:
    """What a rule matches, and what it changes: newly allowed, newly blocked."""
    use = next((one for one in after.rules if one.id == rule_id), None)
    hits = use.hits if use else 0
    parts: list[tuple[str, str]] = []
    if use and hits:
        told = f"matches {plural(hits, 'conversation')} now, {plural(use.flows, 'flow')}, "
        told += short_bytes(use.bytes)
        parts.append((f"{told}, last {clock(use.last_us)}\n", "strong"))
        parts.append((f"{use.sole_hits:,} of them only through this rule\n", "dim"))
    else:
        parts.append(("○ allows nothing that was recorded\n", "dim"))
    allowed = (Class.PERMITTED, Class.MISDROPPED)
    was, now = np.isin(before.classes, allowed), np.isin(after.classes, allowed)
    more, fewer = np.flatnonzero(now & ~was), np.flatnonzero(was & ~now)
    for rows, glyph, word, tone in (
        (more, "✓", "allowed", "allowed"),
        (fewer, "✗", "blocked", "blocked"),
    ):
        if len(rows):
            parts.append((f"{glyph} newly {word} {len(rows):,}: {_examples(after, rows)}\n", tone))
    return parts


def _examples(simulation: Simulation, rows: NDArray[np.int64]) -> str:
    found: list[Conversation] = [simulation.table.at(int(row)) for row in rows[:2]]
    return "; ".join(map(str, found)) + (" …" if len(rows) > 2 else "")
