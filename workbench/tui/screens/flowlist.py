"""The flows of one conversation; Enter shows the packets of one."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.packets import MOST_SAVED
from workbench.model.text import plural
from workbench.model.traffic import Conversation, Flow
from workbench.tui.asking import Pager
from workbench.tui.lines import FLOW_COLUMNS, flow_row
from workbench.tui.screens.base import Rows, WorkScreen, one_row, row_of_flow
from workbench.tui.widgets.pagedtable import PagedTable, Row

if TYPE_CHECKING:
    from workbench.session import Session


class FlowsBase(WorkScreen):
    """A table of flows over a view of the store, however many; subclasses say which view."""

    _pager: Pager | None = None

    def view(self, sort: str, descending: bool) -> Callable[[], Pager]:
        """Which flows: a question for a worker."""
        raise NotImplementedError

    def table(self) -> PagedTable:
        return PagedTable(FLOW_COLUMNS, sort="first_us", empty="No flows match.", id="table")

    def load(self) -> None:
        table = self.query_one(PagedTable)
        self.ask("view", self.view(table.sort_key, table.descending), self._show)

    def _show(self, pager: Pager) -> None:
        if self._pager is not None:
            self._pager.close()
        self._pager = pager
        self.query_one(PagedTable).show(pager.view.total)
        self.told(pager)

    def told(self, pager: Pager) -> None:
        """Show the totals of what is listed."""

    @on(PagedTable.Wanted)
    def _page_wanted(self, event: PagedTable.Wanted) -> None:
        session, pager = self.opened, self._pager
        if pager is None:
            return

        def question() -> list[Row]:
            name = session.inventory.name
            flows = pager.page(event.start, event.count)
            return [flow_row(flow, name(flow.client), name(flow.server)) for flow in flows]

        def show(page: list[Row]) -> None:
            event.table.put(event.generation, event.start, page)

        self.ask(f"page {event.start}", question, show)

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self.reload()

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        from workbench.tui.screens.packets import PacketsScreen

        assert isinstance(event.key, Flow)  # noqa: S101
        self.deeper(PacketsScreen(self.TAB, event.key))

    def on_unmount(self) -> None:
        if self._pager is not None:
            self._pager.close()

    def subject(self) -> Rows | None:
        session, flow = self.opened, self.query_one(PagedTable).key
        return row_of_flow(session, flow) if isinstance(flow, Flow) else None


class FlowListScreen(FlowsBase):
    """One conversation's flows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "save", "save packets", id="flows.save",
                tooltip="Write the packets of this conversation to a capture file of their own"),
    ]  # fmt: skip

    def __init__(self, tab: str, title: str, one: Conversation) -> None:
        self.TAB = tab  # type: ignore[misc]
        super().__init__()
        self._title = title
        self._one = one

    def body(self) -> Iterable[Widget]:
        yield Static(Content(f" {self._title}"), id="crumbs")
        yield self.table()

    def view(self, sort: str, descending: bool) -> Callable[[], Pager]:
        session, rows = self.opened, self.subject()
        return lambda: Pager(session.flows_of(rows(), sort, descending))

    def action_save(self) -> None:
        from workbench.tui.screens.savepackets import SavePacketsScreen

        rows, pager = self.subject(), self._pager
        if pager is None:
            return

        def flows(session: "Session") -> Sequence[Flow]:
            view = session.flows_of(rows())
            try:
                return view.page(0, MOST_SAVED)
            finally:
                view.close()

        total = pager.view.total
        what = f"{plural(total, 'flow')} of {self._title}"
        self.deeper(SavePacketsScreen(flows, total, what, "conversation.pcapng"))

    def told(self, pager: Pager) -> None:
        crumbs = f" {self._title} › {plural(pager.view.total, 'flow')}"
        note = "   all of them, whatever the filter" if self.bench.chosen else ""
        self.query_one("#crumbs", Static).update(Content.assemble(crumbs, (note, "not bold $dim")))

    def subject(self) -> Rows:
        one = self._one
        return one_row(self.opened, one.client, one.server, one.protocol, one.port)
