"""The header: a line of facts that moves as the user edits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.text import noun, short_count
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.weighing import Weight

if TYPE_CHECKING:
    from workbench.session import Summary

Part = tuple[str, str]
"""Text and tone."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact, in full and short."""

    full: Sequence[Part]
    short: Sequence[Part]


class FactsLine(Static):
    """Workspace, traffic, draft, coverage, would-block count; shorter where space is short."""

    summary: "reactive[Summary | None]" = reactive(None)
    weight: reactive[Weight | None] = reactive(None)
    busy: reactive[str] = reactive("")
    """What is going on, in words, while there is no summary yet."""

    def render(self) -> Content:
        if self.summary is None:
            return _content([Fact([(" Workbench ", "accent"), (self.busy, "dim")], [])])
        left, right = left_facts(self.summary), right_facts(self.summary, self.weight)
        width = self.size.width
        steps = [(0, 0), *((len(left), short) for short in range(len(right) + 1))]
        for short_left, short_right in steps:
            before, after = _content(left, short_left), _content(right, short_right)
            gap = width - before.cell_length - after.cell_length
            if gap >= 1:
                break
        else:
            before = before.truncate(max(0, width - after.cell_length - 1), ellipsis=True)
            gap = width - before.cell_length - after.cell_length
        return Content.assemble(before, " " * max(1, gap), after)


def _content(facts: Sequence[Fact], short: int = 0) -> Content:
    """The first `short` facts are shown short."""
    parts = [part for at, fact in enumerate(facts)
             for part in (fact.short if at < short else fact.full)]  # fmt: skip
    return Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in parts))


def left_facts(summary: "Summary") -> list[Fact]:
    """Where we are and how much of it there is."""
    counts = (
        (summary.captures, "capture", "cap"),
        (summary.hosts, "host", "hosts"),
        (summary.conversations, "conversation", "conv"),
    )
    words = []
    for count, word, short in counts:
        told = short_count(count)
        words.append(Fact([(f" · {told} {noun(count, word)}", "")], [(f" · {told} {short}", "")]))
    name = Fact(
        [(" Workbench ", "accent"), (summary.name, "strong")], [(f" {summary.name}", "strong")]
    )
    return [name, *words]


def right_facts(summary: "Summary", weight: Weight | None = None) -> list[Fact]:
    """What the draft does, and how that differs from the saved policy."""
    changes = summary.draft_changes
    if summary.changed:
        does = f", {short_count(changes)} {noun(changes, 'verdict')} changed" if changes else ""
        draft = Fact([(f"● unsaved{does}", "warn")], [("● unsaved", "warn")])
    else:
        draft = Fact([("saved", "dim")], [("saved", "dim")])
    now, saved = summary.coverage.share, summary.saved_coverage.share
    share = f"{percent(now)} %" if summary.coverage.in_scope else "–"
    moved = _moved(percent(now) - percent(saved), good_up=True)
    blocked = (f" ✗ would block {short_count(summary.would_block)}", "blocked")
    block_moved = _moved(summary.would_block - summary.saved_would_block, good_up=False)
    blocks = f"✗ {short_count(summary.would_block)}"
    gap, end = ("  ", ""), (" ", "")
    return [
        draft,
        Fact(
            [("   coverage ", "dim"), (share, "strong"), *moved], [gap, (share, "strong"), *moved]
        ),
        Fact([gap, blocked, *block_moved], [gap, (blocks, "blocked"), *block_moved]),
        *exposure_facts(weight),
        Fact([end], [end]),
    ]


def exposure_facts(weight: Weight | None) -> list[Fact]:
    """`exposure 52.6 ▼4.5`: how far an intruder gets under the draft, against what is saved."""
    if weight is None:
        return []
    by = round(weight.draft - weight.saved, 1)
    moved: list[Part] = [(" …", "dim")] if weight.stale else []
    if by and not weight.stale:
        arrow, tone = ("▲", "blocked") if by > 0 else ("▼", "allowed")
        moved = [(f" {arrow}{figure(abs(by))}", tone)]
    now = (figure(weight.draft), "strong")
    return [Fact([("   exposure ", "dim"), now, *moved], [("  exp ", "dim"), now, *moved])]


def figure(score: float) -> str:
    """`100`, `52.6`, `3.5`: one decimal, none where it is a whole hundred."""
    return "100" if score >= 99.95 else f"{score:.1f}"


def percent(share: float) -> int:
    """Whole percent, never rounded up to a 100 that is not true."""
    return 100 if share >= 1 else min(99, round(share * 100))


def _moved(by: int, *, good_up: bool) -> list[Part]:
    if not by:
        return []
    tone = "allowed" if (by > 0) == good_up else "blocked"
    return [(f" {'▲' if by > 0 else '▼'}{short_count(abs(by))}", tone)]
