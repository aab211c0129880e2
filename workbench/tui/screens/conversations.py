"""Conversations of a cell, a rule or a class: one step deeper, towards flows and packets."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.model.traffic import ConversationTable
from workbench.tui.lines import CONVERSATION_COLUMNS
from workbench.tui.screens.base import Rows
from workbench.tui.screens.conversationlist import ConversationListScreen
from workbench.tui.widgets.pagedtable import PagedTable

Listed = tuple[NDArray[np.int64], ConversationTable | None]
"""Rows, and the table they are of."""
_EMPTY = "No conversations."


class ConversationsScreen(ConversationListScreen):
    """A list of conversations, however long; Enter shows the flows of one."""

    def __init__(self, tab: str, title: str, rows: Rows) -> None:
        self.TAB = tab  # type: ignore[misc]
        super().__init__()
        self._title = title
        self._find = rows

    def body(self) -> Iterable[Widget]:
        yield Static(Content(f" {self._title} › conversations"), id="crumbs")
        yield PagedTable(
            CONVERSATION_COLUMNS,
            sort="bytes",
            descending=True,
            empty=_EMPTY,
            id="table",
        )

    def load(self) -> None:
        session, table = self.opened, self.query_one(PagedTable)
        find, chosen = self._find, self.bench.chosen
        key, descending = table.sort_key, table.descending

        def question() -> Listed:
            of, rows = session.table, find()
            return session.ordered(rows[session.select(chosen)[rows]], key, descending), of

        self.ask("rows", question, self._show, self._gone)

    def _gone(self, error: WorkbenchError) -> None:
        """The rule, host or group is no more in the draft: an undo brings it back."""
        self._show((np.zeros(0, np.int64), None), str(error))

    def _show(self, listed: Listed, empty: str = _EMPTY) -> None:
        self._rows, self._of = listed
        table = self.query_one(PagedTable)
        table.empty = empty
        table.show(len(self._rows))

    def crumb(self) -> str:
        return self._title
