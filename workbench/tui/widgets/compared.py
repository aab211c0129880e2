"""Figures side by side: a column a scenario, a line a ring, numbers with bars."""

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.text import short_count
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.widgets.fitting import fitted

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(share: float, width: int) -> str:
    """`███▌    `: exactly `width` cells; at least a sliver of anything."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    eighths = max(eighths, 1) if share > 0 else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)[:width]


@dataclass(frozen=True, slots=True)
class Compared:
    """Columns and lines; every line has a count for every column."""

    title: str
    columns: Sequence[tuple[str, str]]
    """Name and tone."""
    lines: Sequence[tuple[str, Sequence[int]]]
    whole: int
    """What a full bar stands for."""


Lines = Sequence[Sequence[tuple[str, str]]]
"""Lines of text and tone."""


class Head(Static):
    """Above a table: Compared figures, or lines that are cut where they do not fit."""

    shown: reactive[Compared | Lines] = reactive((), layout=True)

    def watch_shown(self, shown: Compared | Lines) -> None:
        self.display = bool(shown)

    def render(self) -> Content:
        shown, width = self.shown, self.size.width
        lines = compared_lines(shown, width) if isinstance(shown, Compared) else shown
        contents = (
            Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in line)) for line in lines
        )
        return Content("\n").join(one.truncate(max(1, width), ellipsis=True) for one in contents)


def compared_lines(shown: Compared, width: int) -> Lines:
    """Names above, then a line each: numbers, and bars as shares of the whole."""
    label = max(10, min(24, max(len(name) for name, _ in shown.lines) + 2, width // 5))
    label = max(label, min(len(shown.title) + 2, width // 4))
    room = max(8, (width - label) // max(1, len(shown.columns)))
    names = [(fitted(name, room - 1, "left") + " ", tone) for name, tone in shown.columns]
    lines = [[(fitted(f" {shown.title}", label, "left"), "strong"), *names]]
    for name, counts in shown.lines:
        parts = [(fitted(f" {name}", label, "left"), "")]
        for (_, tone), count in zip(shown.columns, counts, strict=True):
            number = f"{short_count(count):>5} " if count else "    – "
            full = min(30, room - len(number) - 1)
            share = count / shown.whole if shown.whole else 0.0
            parts += [(number, "" if count else "dim"), (bar(share, full).ljust(room - 6), tone)]
        lines.append(parts)
    return lines
