"""Every flow that the filter lets through, however many."""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.text import plural, short_bytes
from workbench.model.traffic import Flow
from workbench.tui.asking import Pager
from workbench.tui.lines import row_of
from workbench.tui.screens.base import Rows
from workbench.tui.screens.flowlist import FlowsBase
from workbench.tui.widgets.pagedtable import PagedTable


class FlowsScreen(FlowsBase):
    """The table with its totals."""

    TAB = "flows"

    def body(self) -> Iterable[Widget]:
        yield self.table()
        yield Static(id="totals")

    def view(self, sort: str, descending: bool) -> Callable[[], Pager]:
        session, chosen = self.opened, self.bench.chosen
        return lambda: Pager(session.flow_view(chosen, sort, descending))

    def told(self, pager: Pager) -> None:
        sums = pager.view.totals
        exact = f"{short_bytes(sums.bytes)} ({plural(sums.bytes, 'byte')})"
        text = f" {plural(sums.flows, 'flow')}   {plural(sums.packets, 'packet')}   {exact}"
        self.query_one("#totals", Static).update(Content(text))

    def subject(self) -> Rows | None:
        session, flow = self.opened, self.query_one(PagedTable).key
        if not isinstance(flow, Flow):
            return None

        def rows() -> NDArray[np.int64]:
            row = row_of(session, flow)
            return np.array([] if row is None else [row], np.int64)

        return rows
