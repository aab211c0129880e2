"""The frame around every screen: facts, tabs, filter, body, progress, keys."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widget import Widget

from workbench.model.errors import FilterError, WorkbenchError
from workbench.model.filters import Filter
from workbench.model.traffic import Flow, Progress
from workbench.tui.app import TABS
from workbench.tui.asking import Asking
from workbench.tui.weighing import Weight
from workbench.tui.widgets.facts import FactsLine
from workbench.tui.widgets.filterbar import FilterBar
from workbench.tui.widgets.keybar import KeyBar
from workbench.tui.widgets.progress import ProgressLine
from workbench.tui.widgets.tabs import TabLine

if TYPE_CHECKING:
    from workbench.session import Session, Summary

Rows = Callable[[], NDArray[np.int64]]
"""Conversations (table rows) that a key is about; called in a worker."""


class WorkScreen(Asking[None]):
    """One tab, or something deeper inside it. Subclasses give `body` and `load`."""

    TAB: ClassVar[str] = ""
    AUTO_FOCUS = "#body MatrixView, #body PagedTable, #body Tree, #body Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/", id="filter",
                tooltip="Edit the filter line that all screens share"),
        Binding("a", "allow", "allow", id="allow",
                tooltip="Propose the rule that would allow what the cursor is on"),
        Binding("e", "explain", "explain", id="explain",
                tooltip="Why it is judged as it is: the deciding rule, or the missing one"),
        Binding("escape", "back", "back", show=False, id="back", tooltip="Back; stop long work"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._seen: tuple[int, Filter] | None = None

    def compose(self) -> ComposeResult:
        yield FactsLine()
        yield TabLine(TABS, self.TAB)
        yield FilterBar(self._complete)
        with Vertical(id="body"):
            yield from self.body()
        yield ProgressLine()
        yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """The widgets of this screen."""
        return ()

    def load(self) -> None:
        """Ask for everything shown; runs when the draft, the traffic or the filter has moved."""

    def reload(self) -> None:
        """Load again, another way: sorted, grouped or narrowed otherwise."""
        if self.bench.session is not None:
            self.load()

    def subject(self) -> Rows | None:
        """What `a` and `e` are about; None when the cursor is on nothing."""
        return None

    # ── keeping up ─────────────────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        self.query_one(FactsLine).busy = "opening the workspace …"
        self.watch(self.app, "summary", self._show_summary)
        self.watch(self.app, "weight", self._show_weight)
        self.watch(self.app, "progress", self._show_progress)
        self.watch(self.app, "revision", self._moved)
        self.watch(self.app, "chosen", self._moved)

    def _show_summary(self, summary: "Summary | None") -> None:
        self.query_one(FactsLine).summary = summary

    def _show_weight(self, weight: Weight | None) -> None:
        self.query_one(FactsLine).weight = weight

    def _show_progress(self, progress: Progress | None) -> None:
        self.query_one(ProgressLine).progress = progress

    def on_screen_resume(self) -> None:
        self._moved()

    def _moved(self) -> None:
        """Load again if what is shown is not what is."""
        session, state = self.bench.session, (self.bench.revision, self.bench.chosen)
        if session is None or not self.in_front or state == self._seen:
            return
        self._seen = state
        chosen = self.bench.chosen
        self.query_one(FilterBar).apply(str(chosen))
        self.refresh_bindings()
        self.ask("counts", lambda: _counts(session, chosen), self._show_counts)
        self.load()

    def _show_counts(self, counts: tuple[int, int]) -> None:
        self.query_one(FilterBar).counts = counts

    @property
    def in_front(self) -> bool:
        """In front, or only under a dialog."""
        stack = self.app.screen_stack
        return any(screen is self for screen in stack) and not any(
            isinstance(screen, WorkScreen) for screen in stack[stack.index(self) + 1 :]
        )

    # ── the filter ─────────────────────────────────────────────────────────────────────────

    def _complete(self, text: str, cursor: int) -> tuple[int, tuple[str, ...]]:
        session = self.bench.session
        if session is None:
            return 0, ()
        start = text.rfind(" ", 0, cursor)
        typed = text[start + 1 : cursor]
        choices = session.complete(text, cursor)
        return start + 1, () if typed in choices else choices

    @on(FilterBar.Wanted)
    def _filter_wanted(self, event: FilterBar.Wanted) -> None:
        bar, session = self.query_one(FilterBar), self.bench.session
        if session is None:
            return

        def take(found: Filter) -> None:
            bar.show_error(None)
            self.bench.chosen = found
            bar.reset()
            self.focus_body()

        def refuse(error: WorkbenchError) -> None:
            if isinstance(error, FilterError):
                bar.show_error(error)
            else:
                self.bench.show_error(error)

        self.ask("filter", lambda: session.parse(event.text), take, refuse)

    @on(FilterBar.Left)
    def _filter_left(self) -> None:
        bar = self.query_one(FilterBar)
        bar.show_error(None)
        bar.reset()
        self.focus_body()

    @on(TabLine.Picked)
    def _tab_picked(self, event: TabLine.Picked) -> None:
        self.bench.action_goto(event.name)

    def focus_body(self) -> None:
        """Give the focus back to the screen's main widget."""
        for widget in self.query_one("#body").query("*"):
            if widget.focusable:
                widget.focus()
                return

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Nothing to act on while the workspace opens; `a` and `e` only where traffic is shown."""
        if self.bench.session is None and action not in ("filter", "back"):
            return None
        return action not in ("allow", "explain") or type(self).subject is not WorkScreen.subject

    def action_filter(self) -> None:
        self.query_one(FilterBar).focus()

    def action_back(self) -> None:
        """Stop long work, or out of a drill-down; on the tab itself, nothing."""
        if self.bench.stop_work():
            return
        if self.app.screen_stack[0] is not self:
            self.dismiss()

    def action_allow(self) -> None:
        from workbench.tui.screens.allow import AllowScreen

        if rows := self.subject():
            self.deeper(AllowScreen(rows))

    def action_explain(self) -> None:
        from workbench.tui.screens.explain import ExplainScreen

        self.deeper(ExplainScreen(self.subject()))


def one_row(session: "Session", client: int, server: int, protocol: int, port: int) -> Rows:
    """One conversation's row, found when it is asked for: loading captures moves rows."""

    def rows() -> NDArray[np.int64]:
        row = session.table.find(client, server, protocol, port)
        return np.array([] if row is None else [row], np.int64)

    return rows


def row_of_flow(session: "Session", flow: Flow) -> Rows:
    """The row of a flow's conversation."""
    return one_row(session, flow.client, flow.server, flow.protocol, flow.server_port)


def _counts(session: "Session", chosen: Filter) -> tuple[int, int]:
    return int(session.select(chosen).sum()), len(session.table)
