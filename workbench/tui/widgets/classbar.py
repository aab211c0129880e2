"""The classes of all conversations as a stacked bar, before and after."""

from collections.abc import Mapping

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.text import short_count
from workbench.model.verdict import Class
from workbench.tui.glyphs import CLASS_STYLES, CLASS_TONES, class_label

ORDER = (
    Class.PERMITTED,
    Class.MISDROPPED,
    Class.UNCERTAIN,
    Class.REJECTED,
    Class.WOULD_BLOCK,
    Class.OUT_OF_SCOPE,
    Class.EXCLUDED,
)
_FILL = {
    Class.PERMITTED: "█",
    Class.MISDROPPED: "▓",
    Class.UNCERTAIN: "▒",
    Class.REJECTED: "▒",
    Class.WOULD_BLOCK: "█",
    Class.OUT_OF_SCOPE: "░",
    Class.EXCLUDED: "░",
}
Counts = Mapping[Class, int]


def shares(counts: Counts, width: int) -> dict[Class, int]:
    """Cells for each class: at least one where there is anything, `width` in all."""
    total = sum(counts.get(klass, 0) for klass in ORDER)
    if not total or width <= 0:
        return {}
    cells = {
        klass: max(1, counts[klass] * width // total) for klass in ORDER if counts.get(klass, 0)
    }
    largest = max(cells, key=lambda klass: counts[klass])
    cells[largest] = max(1, cells[largest] + width - sum(cells.values()))
    return cells


class ClassBars(Static):
    """Two bars and a legend with the exact counts and how they moved."""

    before: reactive[Counts] = reactive({}, layout=True)
    after: reactive[Counts] = reactive({}, layout=True)

    def render(self) -> Content:
        width = max(10, self.size.width - 9)
        parts: list[tuple[str, str]] = []
        for name, counts in (("saved", self.before), ("draft", self.after)):
            parts.append((f" {name}  ", "$dim"))
            for klass, cells in shares(counts, width).items():
                parts.append((_FILL[klass] * cells, CLASS_STYLES[CLASS_TONES[klass]]))
            parts.append(("\n", ""))
        return Content.assemble(*parts, *legend(self.before, self.after, self.size.width))


def legend(before: Counts, after: Counts, width: int) -> list[tuple[str, str]]:
    """`✓ allowed 151 ▲3   ✗ would block 55`, a new line where the next entry does not fit."""
    parts: list[tuple[str, str]] = []
    room = 0
    for klass in ORDER:
        now, was = after.get(klass, 0), before.get(klass, 0)
        if not now and not was:
            continue
        moved = f" {'▲' if now > was else '▼'}{short_count(abs(now - was))}" if now != was else ""
        text = f" {class_label(klass)} {now:,}{moved}  "
        if parts and len(text) > room:
            parts.append(("\n", ""))
        if not parts or len(text) > room:
            room = width
        room -= len(text)
        parts.append((text, CLASS_STYLES[CLASS_TONES[klass]]))
    return parts
