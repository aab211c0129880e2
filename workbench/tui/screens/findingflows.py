"""The flows behind a finding; Enter shows the packets of one."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import Finding
from workbench.model.packets import MOST_SAVED, printable
from workbench.model.text import plural
from workbench.model.traffic import Flow
from workbench.tui.asking import Pager
from workbench.tui.screens.flowlist import FlowsBase

if TYPE_CHECKING:
    from workbench.session import Session


class FindingFlowsScreen(FlowsBase):
    """Flows of the finding's conversations, in the finding's time."""

    TAB = "findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "save", "save packets", id="findings.save",
                tooltip="Write the packets of this evidence to a capture file of their own"),
    ]  # fmt: skip

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self._finding = finding

    def body(self) -> Iterable[Widget]:
        yield Static(Content(self._crumbs()), id="crumbs")
        yield self.table()

    def _crumbs(self) -> str:
        one = self._finding
        return f" {one.technique} › {printable(one.title)}"

    def view(self, sort: str, descending: bool) -> Callable[[], Pager]:
        session, one = self.opened, self._finding
        return lambda: Pager(session.findings.flows_of(one, sort, descending))

    def told(self, pager: Pager) -> None:
        crumbs = f"{self._crumbs()} › {plural(pager.view.total, 'flow')}"
        note = "   all of them, whatever the filter" if self.bench.chosen else ""
        self.query_one("#crumbs", Static).update(Content.assemble(crumbs, (note, "not bold $dim")))

    def action_save(self) -> None:
        from workbench.tui.screens.savepackets import SavePacketsScreen

        one, pager = self._finding, self._pager
        if pager is None:
            return

        def flows(session: "Session") -> Sequence[Flow]:
            with session.findings.flows_of(one) as view:
                return view.page(0, MOST_SAVED)

        total = pager.view.total
        what = f"{plural(total, 'flow')} of {printable(one.title)}"
        self.deeper(SavePacketsScreen(flows, total, what, f"finding-{one.id}.pcapng"))
