"""Every flow that the filter lets through, however many."""

from collections.abc import Callable, Iterable

from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.text import plural, short_bytes
from workbench.tui.asking import Pager
from workbench.tui.screens.flowlist import FlowsBase


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
