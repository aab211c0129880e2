"""What an intruder, or a mistake, left in the traffic: the worst first."""

from collections.abc import Iterable

from textual.widget import Widget

from workbench.model.finding import Finding
from workbench.tui.lines import clock
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

_COLUMNS = (
    Column("first seen (UTC)", 17),
    Column("confidence", 10),
    Column("impact", 7),
    Column("technique", 10, spare=1),
    Column("host", 14, flex=1),
    Column("what", 18, flex=2),
)


class FindingsScreen(WorkScreen):
    """A list, worst first."""

    TAB = "findings"

    def body(self) -> Iterable[Widget]:
        yield PagedTable(_COLUMNS, empty="Looking through the traffic …", id="table")

    def load(self) -> None:
        session = self.opened
        self.ask("findings", session.findings.find, self._show)

    def _show(self, found: tuple[Finding, ...]) -> None:
        table = self.query_one(PagedTable)
        table.empty = "Nothing that looks like an intruder. 1 loads more captures."
        table.show_rows([self._row(one) for one in found])

    def _row(self, one: Finding) -> Row:
        cells = (
            clock(one.first_us),
            one.confidence.text,
            one.impact.text,
            one.technique,
            self.opened.name_of(one.host),
            one.title,
        )
        return Row(one.id, cells)
