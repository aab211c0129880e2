"""Conversations of a cell, a rule or a class: one step deeper, towards flows and packets."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.lines import CONVERSATION_COLUMNS, Story, conversation_row, ordered, stories
from workbench.tui.screens.base import Rows, WorkScreen
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    pass


class ConversationsScreen(WorkScreen):
    """A list of conversations, however long; Enter shows the flows of one."""

    def __init__(self, tab: str, title: str, rows: Rows) -> None:
        self.TAB = tab  # type: ignore[misc]
        super().__init__()
        self._title = title
        self._find = rows
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)

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
            return ordered(session, rows[session.select(chosen)[rows]], key, descending)

        self.ask("rows", question, self._show)

    def _show(self, rows: NDArray[np.int64]) -> None:
        self._rows = rows
        self.query_one(PagedTable).show(len(rows))

    @on(PagedTable.Wanted)
    def _page_wanted(self, event: PagedTable.Wanted) -> None:
        session, rows = self.opened, self._rows[event.start : event.start + event.count]

        def show(found: list[Story]) -> None:
            page = [conversation_row(story) for story in found]
            event.table.put(event.generation, event.start, page)

        self.ask(f"page {event.start}", lambda: stories(session, rows), show)

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self.reload()

    def subject(self) -> Rows | None:
        key = self.query_one(PagedTable).key
        return (lambda: np.array([key], np.int64)) if isinstance(key, int) else None

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        from workbench.tui.screens.flowlist import FlowListScreen

        row = event.key
        assert isinstance(row, int)  # noqa: S101
        self.app.push_screen(FlowListScreen(self.TAB, self._title, row))
