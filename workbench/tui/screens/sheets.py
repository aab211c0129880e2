"""A screen whose table takes a while to work out: numbered, with progress, stopped by Escape."""

import threading
import time
from collections.abc import Callable
from typing import Any, cast

from textual import on
from textual.message import Message

from workbench.model.errors import WorkbenchError
from workbench.model.traffic import Progress
from workbench.tui.exposed.sheet import Sheet
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.compared import Head
from workbench.tui.widgets.pagedtable import PagedTable, Row
from workbench.tui.widgets.progress import ProgressLine

Tell = Callable[[Progress], None]
Stopped = Callable[[], bool]
_SOON = 0.4
"""Seconds without an answer before the progress line appears."""


class SheetScreen(WorkScreen):
    """Holds one PagedTable and one Head. Subclasses call `seek`, and may look at `sheet`."""

    class Looking(Message):
        """How far the present question is."""

        def __init__(self, number: int, progress: Progress) -> None:
            super().__init__()
            self.number = number
            self.progress = progress

    def __init__(self) -> None:
        super().__init__()
        self.sheet: Sheet | None = None
        self.busy = False
        self._of: object = None
        """What the table shows is of: the cursor stays where it was while that is the same."""
        self._stop = threading.Event()
        self._question = 0

    def seek(self, of: object, question: Callable[[Tell, Stopped], Sheet]) -> Stopped:
        """Ask for a sheet, and give up what was asked before; whether this is given up."""
        self._stop.set()
        stop = self._stop = threading.Event()
        self._question += 1
        number, began = self._question, time.monotonic()

        def tell(progress: Progress) -> None:
            if time.monotonic() - began > _SOON:
                self.post_message(self.Looking(number, progress))

        def show(sheet: Sheet) -> None:
            self._rest()
            self._show(of, sheet)

        self.busy = True
        waiting = Progress("working it out", 0, 0)
        self.set_timer(_SOON, lambda: self.post_message(self.Looking(number, waiting)))
        self.ask("sheet", lambda: question(tell, stop.is_set), show, self._failed)
        return stop.is_set

    @on(Looking)
    def _looking(self, message: Looking) -> None:
        message.stop()
        if self.busy and message.number == self._question:
            self.query_one(ProgressLine).progress = message.progress

    def _rest(self) -> None:
        self.busy = False
        self.query_one(ProgressLine).progress = self.bench.progress

    def _failed(self, error: WorkbenchError) -> None:
        self._rest()
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

    def action_back(self) -> None:
        """Stop what is being worked out, before anything else."""
        if not self.busy:
            super().action_back()
            return
        self._stop.set()
        self.forget("sheet")
        self._rest()
        self.say("Stopped. ] and [ turn to other pages; back here it is worked out again.")
