"""Conversations of a cell, a rule or a class: one step deeper, towards flows and packets."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.lines import CONVERSATION_COLUMNS
from workbench.tui.screens.base import Rows
from workbench.tui.screens.conversationlist import ConversationListScreen
from workbench.tui.widgets.pagedtable import PagedTable


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
            empty="No conversations.",
            id="table",
        )

    def load(self) -> None:
        session, table = self.opened, self.query_one(PagedTable)
        find, chosen = self._find, self.bench.chosen
        key, descending = table.sort_key, table.descending

        def question() -> NDArray[np.int64]:
            rows = find()
            return session.ordered(rows[session.select(chosen)[rows]], key, descending)

        self.ask("rows", question, self._show)

    def _show(self, rows: NDArray[np.int64]) -> None:
        self._rows = rows
        self.query_one(PagedTable).show(len(rows))

    def crumb(self) -> str:
        return self._title
