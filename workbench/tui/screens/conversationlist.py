"""What every list of conversations does: pages as they are looked at, Enter to the flows of one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from textual import on

from workbench.tui.lines import Story, conversation_row, stories
from workbench.tui.screens.base import Rows, WorkScreen
from workbench.tui.widgets.pagedtable import PagedTable


class ConversationListScreen(WorkScreen):
    """Keeps `_rows`, rows of the session's table in the order shown, behind its PagedTable."""

    def __init__(self) -> None:
        super().__init__()
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)

    def crumb(self) -> str:
        """What the flows of a conversation of this list are called."""
        return "conversation"

    def retold(self) -> Callable[[Story], Story]:
        """How this list tells a conversation's story."""
        return lambda story: story

    @on(PagedTable.Wanted)
    def _page_wanted(self, event: PagedTable.Wanted) -> None:
        session, rows = self.opened, self._rows[event.start : event.start + event.count]
        retold = self.retold()

        def show(found: list[Story]) -> None:
            page = [conversation_row(retold(story)) for story in found]
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

        if isinstance(event.key, int):
            one = self.opened.table.at(event.key)
            self.deeper(FlowListScreen(self.TAB, self.crumb(), one))
