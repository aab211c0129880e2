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
        return Content.assemble(*parts, *self._legend())

    def _legend(self) -> list[tuple[str, str]]:
        parts: list[tuple[str, str]] = [(" ", "")]
        for klass in ORDER:
            now, was = self.after.get(klass, 0), self.before.get(klass, 0)
            if not now and not was:
                continue
            moved = (
                f" {'▲' if now > was else '▼'}{short_count(abs(now - was))}" if now != was else ""
            )
            text = f"{class_label(klass)} {now:,}{moved}".replace(" ", "\N{NO-BREAK SPACE}")
            parts += [(text, CLASS_STYLES[CLASS_TONES[klass]]), ("   ", "")]
        return parts
