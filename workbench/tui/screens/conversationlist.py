"""What every list of conversations does: pages as they are looked at, Enter to the flows of one."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from textual import on

from workbench.model.traffic import ConversationTable
from workbench.tui.lines import Story, conversation_row, stories
from workbench.tui.screens.base import Rows, WorkScreen, one_row
from workbench.tui.widgets.pagedtable import PagedTable


class ConversationListScreen(WorkScreen):
    """Keeps `_rows`, in the order shown, behind its PagedTable, and the table they are of.

    Where captures are loaded, or services saved, the session's table is another one by the time
    that the list is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._of: ConversationTable | None = None

    def crumb(self) -> str:
        """What the flows of a conversation of this list are called."""
        return "conversation"

    def retold(self) -> Callable[[Story], Story]:
        """How this list tells a conversation's story."""
        return lambda story: story

    @on(PagedTable.Wanted)
    def _page_wanted(self, event: PagedTable.Wanted) -> None:
        session, of = self.opened, self._of
        rows = self._rows[event.start : event.start + event.count]
        retold = self.retold()

        def question() -> list[Story]:
            same = of is not None and of.columns is session.table.columns
            return stories(session, rows) if same else []  # the list is about to be told

        def show(found: list[Story]) -> None:
            page = [conversation_row(retold(story)) for story in found]
            event.table.put(event.generation, event.start, page)

        self.ask(f"page {event.start}", question, show)

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self.reload()

    def subject(self) -> Rows | None:
        key, of = self.query_one(PagedTable).key, self._of
        if of is None or not isinstance(key, int):
            return None
        one = of.at(key)
        return one_row(self.opened, one.client, one.server, one.protocol, one.port)

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        from workbench.tui.screens.flowlist import FlowListScreen

        if isinstance(event.key, int) and self._of is not None:
            self.deeper(FlowListScreen(self.TAB, self.crumb(), self._of.at(event.key)))
