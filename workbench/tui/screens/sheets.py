"""A screen of one sheet: a table, and what stands above it."""

from collections.abc import Callable
from typing import Any, cast

from textual import on

from workbench.model.errors import WorkbenchError
from workbench.model.traffic import Progress
from workbench.tui.desk import Stopped, Tell
from workbench.tui.exposed.sheet import Sheet
from workbench.tui.screens.seeking import SOON, SeekingScreen
from workbench.tui.widgets.compared import Head
from workbench.tui.widgets.pagedtable import PagedTable, Row


class SheetScreen(SeekingScreen):
    """Holds one PagedTable and one Head. Subclasses call `seek`, and may look at `sheet`."""

    QUESTION = "sheet"

    def __init__(self) -> None:
        super().__init__()
        self.sheet: Sheet | None = None
        self._of: object = None
        """What the table shows is of: the cursor stays where it was while that is the same."""

    def seek(self, of: object, question: Callable[[Tell, Stopped], Sheet]) -> Stopped:
        """Ask for a sheet, and give up what was asked before; whether this is given up."""
        given_up = self.look(question, lambda sheet: self._show(of, sheet), self._failed)
        waiting = self.Looking(self._question, Progress("working it out", 0, 0))
        self.set_timer(SOON, lambda: self.post_message(waiting))
        return given_up

    def _failed(self, error: WorkbenchError) -> None:
        self.say(str(error))

    def say(self, words: str) -> None:
        """Words in place of a sheet."""
        self._show(None, Sheet((), (), words))

    def _show(self, of: object, sheet: Sheet) -> None:
        table = self.query_one(PagedTable)
        same, self._of, self.sheet = of == self._of, of, sheet
        if not same:
            table.set_reactive(PagedTable.sort_key, "")
        table.set_columns(sheet.columns, sheet.empty)
        self.query_one(Head).shown = sheet.head
        table.show_rows(self._in_order(), keep_cursor=same)
        self.refresh_bindings()

    def _in_order(self) -> list[Row]:
        """As worked out, or by the column that the user sorts by."""
        sheet, table = self.sheet, self.query_one(PagedTable)
        if sheet is None or not table.sort_key or not sheet.figures:
            return list(sheet.rows) if sheet else []
        at, figures = int(table.sort_key), sheet.figures
        order = sorted(
            range(len(sheet.rows)),
            key=lambda row: cast("Any", figures[row][at]),
            reverse=table.descending,
        )
        return [sheet.rows[row] for row in order]

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self.query_one(PagedTable).show_rows(self._in_order())

    def stopped(self) -> None:
        self.say("Stopped. ] and [ turn to other pages; back here it is worked out again.")
