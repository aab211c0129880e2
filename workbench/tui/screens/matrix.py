"""The matrix: who talks to whom, and what the draft would do to it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.exposure import Scenario
from workbench.model.filters import NO_FILTER, Filter
from workbench.model.matrix import Cell
from workbench.session.departures import GONE, NEW, departed
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import Story, stories
from workbench.tui.screens.base import Rows, WorkScreen
from workbench.tui.screens.conversations import ConversationsScreen
from workbench.tui.widgets.cellpanel import CellPanel, cell_headline, open_parts
from workbench.tui.widgets.completing import CompletingInput, words_of
from workbench.tui.widgets.faces import Openness
from workbench.tui.widgets.grid import SORTS, Grid
from workbench.tui.widgets.matrix import SHOWS, MatrixView

if TYPE_CHECKING:
    from workbench.tui.screens.findingbase import Baseline

ALL = "all"
_LISTED = 20
"""Conversations in the side panel."""
_LEGEND = (
    ("░▒▓█", "dim", "bytes"),
    ("✗n", "blocked", "would block"),
    ("?n", "uncertain", "uncertain"),
    ("✓", "allowed", "allowed"),
    ("–", "out", "out of scope"),
    ("·", "dim", "nothing seen"),
)


class MatrixScreen(WorkScreen):
    """Clients down, servers across; the cell under the cursor beside it."""

    TAB = "matrix"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "group(1)", "group by", id="matrix.group",
                tooltip="Segment, host, subnet, or any label"),
        Binding("v", "show", "show", id="matrix.show",
                tooltip="Verdict, volume, both, or how open it is to an intruder"),
        Binding("s", "sort", "sort", id="matrix.sort",
                tooltip="By name, heavy first, bad first, alike together"),
        Binding("b", "against", "baseline", id="matrix.baseline",
                tooltip="All, new only, vanished: against a moment or captures that are normal"),
        Binding("B", "baseline", "other baseline", show=False, id="matrix.other-baseline"),
        Binding("f", "find", "find", id="matrix.find", tooltip="Jump to a row by typing its name"),
        Binding("d", "details", "details", id="matrix.details", tooltip="Side panel on or off"),
        Binding("p", "suggest", "propose", id="matrix.suggest",
                tooltip="Propose rules for everything that no rule allows yet"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._chosen_by = ""
        """Empty until the user picks a grouping."""
        self._by = "segment"
        """What is grouped by: what was chosen, as long as the draft has it."""
        self._sort = SORTS[0]
        self._normal: tuple[int | None, str] = (None, "")
        """The baseline: a moment (µs), or captures."""
        self._view = ALL
        """ALL, NEW or GONE against the baseline."""
        self._saved_openness: Openness | None = None
        self._shown: tuple[str, Filter, str] = ("", NO_FILTER, "")
        """Grouping, filter and view of the matrix that is shown."""

    def body(self) -> Iterable[Widget]:
        with Horizontal(id="matrix-row"):
            with Vertical(id="matrix-column"):
                yield MatrixView(id="matrix")
            yield CellPanel(id="cell-panel")
        yield Static(id="matrix-note")
        yield CompletingInput(words_of(self._names, " "), placeholder="name of a row", id="find")

    def on_mount(self) -> None:
        self.query_one("#find").display = False
        self._title()

    # ── loading ────────────────────────────────────────────────────────────────────────────

    def load(self) -> None:
        session, chosen = self.opened, self.bench.chosen
        choices = session.groupings()
        by = self._by = self._chosen_by if self._chosen_by in choices else choices[0]
        sort = self._sort
        view, normal = self._view, self._normal

        def question() -> Grid:
            silent = not chosen and view == ALL and by not in ("host", "subnet")
            if view == ALL:
                return Grid.of(session.matrix(by, chosen), sort, silent=silent)
            rows = departed(session, *normal, view) & session.select(chosen)
            return Grid.of(session.matrix_of(by, rows), sort, silent=silent)

        self.ask("matrix", question, lambda grid: self._show_grid(grid, (by, chosen, view)))
        self._look_how_open()

    def _look_how_open(self) -> None:
        """Under the draft, and under the saved policy to compare with."""
        view, session, by = self.query_one(MatrixView), self.opened, self._by
        view.openness = None
        self._saved_openness = None
        if view.show != SHOWS[-1]:
            return

        def question() -> tuple[Openness, Openness]:
            return session.openness(by, Scenario.DRAFT), session.openness(by, Scenario.SAVED)

        self.ask("openness", question, self._show_openness)

    def _show_openness(self, found: tuple[Openness, Openness]) -> None:
        view = self.query_one(MatrixView)
        view.openness, self._saved_openness = found
        if cell := view.cell:
            self._cell_note(cell)

    def _show_grid(self, grid: Grid, wanted: tuple[str, Filter, str]) -> None:
        view = self.query_one(MatrixView)
        same, self._shown = wanted == self._shown, wanted
        view.grid = grid
        if not same:
            view.land()
        self._title()
        if grid.empty:
            filtered = bool(self.bench.chosen) or self._view != ALL
            self._note(_empty(filtered, len(self.opened.table), self._view))

    def _title(self) -> None:
        view = self.query_one(MatrixView)
        at, size = view.cursor, (len(view.grid.rows), len(view.grid.columns))
        place = f"row {at[0] + 1}/{size[0]} column {at[1] + 1}/{size[1]}" if all(size) else "empty"
        against = "" if self._view == ALL else f"{self._view} ─ "
        text = f"{against}by {self._by} ─ show {view.show} ─ {self._sort} ─ {place}"
        view.border_title = Content(text)

    def _names(self) -> tuple[str, ...]:
        return self.query_one(MatrixView).grid.rows

    # ── the cell under the cursor ──────────────────────────────────────────────────────────

    @on(MatrixView.Moved)
    def _cell_moved(self, event: MatrixView.Moved) -> None:
        cell, panel = event.cell, self.query_one(CellPanel)
        self._title()
        self._cell_note(cell)
        panel.show(cell, None if cell.conversations else ())
        if cell.conversations:
            session, rows = self.opened, self._rows_of(cell, self._shown[1])

            def question() -> list[Story]:
                return stories(session, rows()[:_LISTED])

            self.ask("cell", question, lambda found: panel.show(cell, found))

    def _cell_note(self, cell: Cell) -> None:
        """Without a panel the cell is told in one line; with it, the legend has the room."""
        view = self.query_one(MatrixView)
        if view.show == SHOWS[-1]:
            told = open_parts(cell, view.openness, self._saved_openness)
            self._note([(f"{cell.row} → {cell.column}  ", "strong"), *told])
        elif self.query_one(CellPanel).display:
            parts = [(f"{glyph} ", tone) if at == 0 else (f"{word}   ", "dim")
                     for glyph, tone, word in _LEGEND for at in (0, 1)]  # fmt: skip
            self._note(parts)
        else:
            self._note([(f"{cell.row} → {cell.column}  ", "strong"), *cell_headline(cell)])

    def _note(self, parts: Iterable[tuple[str, str]]) -> None:
        spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
        self.query_one("#matrix-note", Static).update(Content.assemble(" ", *spans))

    def _rows_of(self, cell: Cell, chosen: Filter) -> Rows:
        """Of a cell that is shown, even while another matrix is on its way."""
        session, (by, _, view), normal = self.opened, self._shown, self._normal

        def rows() -> NDArray[np.int64]:
            found = session.cell_rows(by, cell.row, cell.column, chosen)
            if view == ALL:
                return found
            return found[departed(session, *normal, view)[found]]

        return rows

    def subject(self) -> Rows | None:
        cell = self.query_one(MatrixView).cell
        return self._rows_of(cell, self._shown[1]) if cell and cell.conversations else None

    @on(MatrixView.Chosen)
    def _cell_chosen(self, event: MatrixView.Chosen) -> None:
        title = f"{event.cell.row} → {event.cell.column}"
        rows = self._rows_of(event.cell, NO_FILTER)  # the list has the filter of its moment
        self.deeper(ConversationsScreen(self.TAB, title, rows))

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def action_group(self, by: int) -> None:
        choices = self.opened.groupings()
        at = choices.index(self._by) + by if self._by in choices else 0
        self._chosen_by = choices[at % len(choices)]
        self.load()

    def action_show(self) -> None:
        view = self.query_one(MatrixView)
        view.show = SHOWS[(SHOWS.index(view.show) + 1) % len(SHOWS)]
        self._look_how_open()
        self._title()
        if cell := view.cell:
            self._cell_note(cell)

    def action_against(self) -> None:
        """All, new only, vanished; the first time what is normal is asked for."""
        if self._normal == (None, ""):
            self.action_baseline()
            return
        views = (ALL, NEW, GONE)
        self._view = views[(views.index(self._view) + 1) % len(views)]
        self.load()

    def action_baseline(self) -> None:
        from workbench.tui.screens.baseline import BaselineForm
        from workbench.tui.screens.findingbase import Baseline

        self.deeper(BaselineForm(Baseline(*self._normal), self._compare))

    def _compare(self, baseline: "Baseline") -> None:
        self._normal = baseline.moment, baseline.against
        self._view = ALL if self._normal == (None, "") else NEW
        self.load()

    def action_sort(self) -> None:
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self.load()

    def action_details(self) -> None:
        panel = self.query_one(CellPanel)
        shown = panel.display
        panel.set_class(shown, "-hidden")
        panel.set_class(not shown, "-shown")
        if cell := self.query_one(MatrixView).cell:
            self._cell_note(cell)

    def action_suggest(self) -> None:
        from workbench.tui.screens.suggest import SuggestScreen

        self.deeper(SuggestScreen())

    def action_find(self) -> None:
        find = self.query_one("#find", CompletingInput)
        find.display = True
        find.value = ""
        find.focus()

    @on(CompletingInput.Edited, "#find")
    def _find_edited(self, event: CompletingInput.Edited) -> None:
        wanted = event.value.casefold()
        view = self.query_one(MatrixView)
        names = view.grid.rows
        near = [name for name in names if name.casefold().startswith(wanted)]
        near += [name for name in names if wanted in name.casefold()]
        if wanted and near:
            view.jump(row=near[0], column=near[0] if near[0] in view.grid.columns else None)

    @on(CompletingInput.Entered, "#find")
    @on(CompletingInput.Left, "#find")
    def _find_left(self) -> None:
        self.query_one("#find").display = False
        self.query_one(MatrixView).focus()


def _empty(filtered: bool, conversations: int, view: str) -> list[tuple[str, str]]:
    if conversations and view != ALL:
        what = "Nothing is new" if view == NEW else "Nothing has vanished"
        return [(f"{what} against the baseline: b shows the other views, B sets another.", "warn")]
    if filtered and conversations:
        return [("Nothing matches the filter: press / to change it.", "warn")]
    return [("No traffic yet: press 1 and load a capture.", "warn")]
