"""One host's story: what it did and what was done to it, in order, along a time axis."""

from collections.abc import Iterable

from textual.containers import Container
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.tui.desk import Stopped
from workbench.tui.found.panel import FindingPanel
from workbench.tui.found.timeline import Axis, story_columns, story_rows
from workbench.tui.screens.findingbase import Baseline, FindingBase
from workbench.tui.widgets.pagedtable import PagedTable

Spans = tuple[tuple[int, int], ...]
_NARROWEST, _WIDEST = 18, 80
"""Cells of the axis."""


class StoryScreen(FindingBase):
    """Findings of one host; `t` goes on to the story of the other end."""

    def __init__(self, host: int, baseline: Baseline) -> None:
        super().__init__(baseline)
        self._host = host
        self._told: tuple[Finding, ...] = ()
        self._recorded: Spans = ()
        self._width = 0

    def body(self) -> Iterable[Widget]:
        yield Static(id="crumbs")
        with Container(id="findings-row"):
            yield PagedTable((), empty="Looking through the traffic …", id="table")
            yield FindingPanel(id="finding-panel")
        yield Static(id="finding-note")
        yield Static(id="list-title")

    def load(self) -> None:
        session, host = self.opened, self._host

        def more(
            found: tuple[Finding, ...],
            stopped: Stopped,  # noqa: ARG001 – quick
        ) -> tuple[tuple[Finding, ...], Spans]:
            return session.findings.story(host, found), session.findings.recorded()

        self.search(more, self._show)

    def _show(self, answer: tuple[tuple[Finding, ...], Spans]) -> None:
        first = not self._told
        self._told, self._recorded = answer
        self._draw()
        self.call_after_refresh(self._fit)
        if first:
            self.query_one(PagedTable).cursor = 1  # the line above is the recording's own

    def _draw(self) -> None:
        """Also when there is more or less room than before: the axis has its share."""
        table, session, name = self.query_one(PagedTable), self.opened, self._called
        if not self._told:
            self.nothing("Nothing is known against this host. escape goes back.")
            return
        self._width = table.size.width
        width = max(_NARROWEST, min(_WIDEST, (self._width - 44) // 2))
        spans = [(one.first_us, one.last_us) for one in self._told]
        axis = Axis.around(spans, width)
        rows = list(story_rows(self._told, self._mine, axis, self._recorded, name))
        table.set_columns(story_columns(axis, one_day=len(rows[1].cells[0]) <= 8), "")
        table.show_rows(rows)
        did = sum(one.host in self._mine for one in self._told)
        told = f"did {did:,}, had {len(self._told) - did:,} done to it"
        note = "   all of it, whatever the filter" if self.bench.chosen else ""
        self.query_one("#crumbs", Static).update(
            f" Story of {printable(session.name_of(self._host))} › "
            f"{plural(len(self._told), 'finding')}   {told}{note}"
        )
        self.say((" → did it   ← had it done   t follows to the other end   ", "$dim"),
                 ("● in colour of how sure", "$dim"))  # fmt: skip

    def on_resize(self) -> None:
        if self._told:
            self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        if self.query_one(PagedTable).size.width != self._width:
            self._draw()

    @property
    def _mine(self) -> tuple[int, ...]:
        return self.opened.inventory.machine(self._host)

    def _called(self, address: int) -> str:
        return self.opened.inventory.name(address)

    def finding(self) -> Finding | None:
        key = self.query_one(PagedTable).key if self.is_mounted else None
        return self._told[key] if isinstance(key, int) and key < len(self._told) else None

    def intrusion(self) -> tuple[str, Iterable[Finding]]:
        return f"the story of {printable(self._called(self._host))}", self._told

    def other_end(self, one: Finding) -> int:
        """Of whom the next story is: who did it, or the one it was done to."""
        if one.host not in self._mine or not one.peers:
            return one.host
        return next((peer for peer in one.peers if peer not in self._mine), one.host)
