"""The lists of a policy as tables: rules, segments, services, guardrails, exclusions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from textual.containers import Vertical

from workbench.model.policy import Doubt, Exclusion, Policy, Rule, in_force
from workbench.model.simulation import rule_flags
from workbench.model.text import short_count
from workbench.model.verdict import RuleUse
from workbench.tui.lines import clock
from workbench.tui.screens.segmentform import match_text
from workbench.tui.widgets.pagedtable import Cell, Column, PagedTable, Row

if TYPE_CHECKING:
    from workbench.session import Session


@dataclass(frozen=True, slots=True)
class Listing:
    """One list, ready to show."""

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    empty: str
    sizes: tuple[tuple[str, int], ...]
    """Name and length of every list."""


class PolicyList(Vertical):
    """Holds the table of the list in front; each list has columns of its own."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.table = PagedTable((), empty="opening …", id="policy-table")
        self._name = ""

    def compose(self) -> Iterator[PagedTable]:
        yield self.table

    def show(self, listing: Listing) -> None:
        """Another list begins at its first row, the same one stays where it was."""
        same, self._name = listing.name == self._name, listing.name
        self.table.set_columns(listing.columns, listing.empty)
        self.table.show_rows(listing.rows, keep_cursor=same)


def doubts(session: "Session") -> tuple[Doubt, ...]:
    """Guardrails that the draft breaks, then what a careful reader would ask about it."""
    broken = (
        Doubt("broken guardrails", f"guardrail {one.id} is broken: {one.witness}, {one.because}")
        for one in session.check()
    )
    return (*broken, *session.warnings())


def _sizes(policy: Policy) -> tuple[tuple[str, int], ...]:
    return (
        ("rules", len(policy.rules)),
        ("segments", len(policy.segments)),
        ("services", len(policy.services)),
        ("guardrails", len(policy.guardrails)),
        ("exclusions", len(policy.exclusions)),
    )


_RULE_COLUMNS = (
    Column("id", 14, flex=2, middle=True),
    Column("from", 10, flex=2, names=True),
    Column("to", 10, flex=2, names=True),
    Column("services", 12, flex=3),
    Column("hits", 5, right=True),
    Column("sole", 5, right=True, spare=3),
    Column("last (UTC)", 14, spare=4),
    Column("flags", 12, flex=2),
)


def _rules(session: "Session") -> Listing:
    policy, uses = session.policy, {use.id: use for use in session.simulation.rules}
    today = session.resolved.on
    rows = [rule_row(rule, uses.get(rule.id), today) for rule in policy.rules]
    empty = "No rules: n writes one, 2 then p proposes them from the traffic."
    return Listing("rules", _RULE_COLUMNS, rows, empty, _sizes(policy))


def rule_row(rule: Rule, use: RuleUse | None, today: date) -> Row:
    """One rule with what the traffic says of it."""
    hits = use.hits if use else 0
    flags = rule_flags(rule, use, today)
    if rule.expires and not any(word.startswith("expire") for word in flags):
        flags.append(f"until {rule.expires}")
    serious = any(word in flags for word in ("broad", "expired"))
    cells: tuple[Cell, ...] = (
        rule.id,
        " ".join(rule.clients),
        " ".join(rule.servers),
        " ".join(rule.services),
        short_count(hits) if hits else ("○ 0", "dim"),
        short_count(use.sole_hits) if use else "0",
        clock(use.last_us) if use else "never",
        (", ".join(flags), "warn" if serious else "dim"),
    )
    return Row(rule.id, cells)


def _segments(session: "Session") -> Listing:
    policy, resolved = session.policy, session.resolved
    protected = {one.segment: one.directions for one in policy.protect}
    hosts = session.table.hosts.addresses
    rows = []
    for segment in policy.segments:
        inside = resolved.segment(segment.name)
        count = sum(address in inside for address in hosts)
        sides = protected.get(segment.name)
        shield: Cell = ("–", "dim")
        if sides is not None:
            shield = ("both" if len(sides) == 2 else next(iter(sides)).value, "allowed")
        except_ = f" except {' '.join(segment.excepts)}" if segment.excepts else ""
        cells = (
            segment.name,
            shield,
            str(count) if count else ("0", "warn"),
            match_text(segment),
            " ".join(segment.cidrs) + except_,
        )
        rows.append(Row(segment.name, cells))
    columns = (
        Column("segment", 14, flex=1, middle=True),
        Column("protected", 9),
        Column("hosts", 6, right=True),
        Column("labels", 18, flex=2),
        Column("addresses", 18, flex=2, spare=1),
    )
    empty = "No segments: n defines one, or mark hosts (4) and press S."
    return Listing("segments", columns, rows, empty, _sizes(policy))


def _services(session: "Session") -> Listing:
    policy = session.policy
    used = [name for rule in policy.rules for name in rule.services]
    rows = [
        Row(group.name, (group.name, " ".join(group.services), str(used.count(group.name))))
        for group in policy.services
    ]
    columns = (
        Column("service", 14, flex=1),
        Column("ports", 20, flex=3),
        Column("rules", 6, right=True),
    )
    return Listing("services", columns, rows, "No named services: n adds one.", _sizes(policy))


def _guardrails(session: "Session") -> Listing:
    policy, broken = session.policy, {one.id: one for one in session.check()}
    rows = []
    for one in policy.guardrails:
        found = broken.get(one.id)
        state: Cell = ("✓ kept", "allowed")
        if found:
            state = (f"! {found.witness}: {found.because}", "warn")
        cells = (one.id, one.assertion.value, " ".join(one.clients), " ".join(one.servers),
                 " ".join(one.services), state)  # fmt: skip
        rows.append(Row(one.id, cells))
    columns = (
        Column("id", 14, flex=1, middle=True),
        Column("must", 6),
        Column("from", 10, flex=1, names=True),
        Column("to", 10, flex=1, names=True),
        Column("services", 12, flex=1),
        Column("state", 12, flex=3),
    )
    empty = "No guardrails: n adds what must never, or must always, be allowed."
    return Listing("guardrails", columns, rows, empty, _sizes(policy))


def _exclusions(session: "Session") -> Listing:
    policy, today = session.policy, session.resolved.on
    rows = [_exclusion_row(one, today) for one in policy.exclusions]
    columns = (
        Column("id", 14, flex=1, middle=True),
        Column("from", 10, flex=1, names=True),
        Column("to", 10, flex=1, names=True),
        Column("services", 12, flex=1),
        Column("reason", 12, flex=2, spare=1),
        Column("expires", 12),
    )
    empty = "No exclusions: n adds traffic not to learn from or judge."
    return Listing("exclusions", columns, rows, empty, _sizes(policy))


def _exclusion_row(one: Exclusion, today: date) -> Row:
    over = not in_force(one, today)
    until: Cell = (f"{one.expires} over", "warn") if over else str(one.expires or "never")
    ends = (" ".join(one.clients), " ".join(one.servers), " ".join(one.services))
    return Row(one.id, (one.id, *ends, one.reason, until))


LISTS: Mapping[str, Callable[["Session"], Listing]] = {
    "rules": _rules,
    "segments": _segments,
    "services": _services,
    "guardrails": _guardrails,
    "exclusions": _exclusions,
}
"""In the order of the keys [ and ]."""
