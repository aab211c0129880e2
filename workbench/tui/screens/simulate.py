"""What production would feel: classes before and after, and the list behind each of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.filters import Filter
from workbench.model.simulation import Simulation
from workbench.model.text import percent, plural
from workbench.model.verdict import Class
from workbench.tui.glyphs import CLASS_STYLES, CLASS_TONES, class_label
from workbench.tui.lines import CONVERSATION_COLUMNS, Story
from workbench.tui.screens.conversationlist import ConversationListScreen
from workbench.tui.widgets.classbar import ClassBars
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    from workbench.session import Session

_LISTS = (
    Class.WOULD_BLOCK,
    Class.UNCERTAIN,
    Class.MISDROPPED,
    Class.REJECTED,
    Class.PERMITTED,
    Class.OUT_OF_SCOPE,
    None,
)
"""What `c` goes through; None is everything."""
Found = tuple[NDArray[np.int64], Simulation, Simulation]
"""Rows to list, the saved policy's simulation, the draft's."""


class SimulateScreen(ConversationListScreen):
    """Bars on top, conversations of one class below, worst first."""

    TAB = "simulate"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "turn(1)", "class", id="simulate.class",
                tooltip="Would block, uncertain, allowed but failing, rejected, allowed, …"),
        Binding("C", "turn(-1)", "previous class", show=False, id="simulate.previous"),
        Binding("o", "changed", "only changed", id="simulate.changed",
                tooltip="Only what the draft judges differently from the saved policy"),
        Binding("p", "suggest", "propose", id="simulate.suggest",
                tooltip="Propose rules for everything that no rule allows yet"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._class: Class | None = Class.WOULD_BLOCK
        self._only_changed = False

    def body(self) -> Iterable[Widget]:
        yield ClassBars(id="classes")
        yield Static(id="list-title")
        yield PagedTable(CONVERSATION_COLUMNS, sort="flows", descending=True, id="table")

    def load(self) -> None:
        session, chosen = self.opened, self.bench.chosen
        table = self.query_one(PagedTable)
        klass, only = self._class, self._only_changed
        key, descending = table.sort_key, table.descending

        def question() -> Found:
            before, after = session.saved_simulation, session.simulation
            rows = listed_rows(session, chosen, klass, only)
            return session.ordered(rows, key, descending), before, after

        self.ask("simulate", question, self._show)

    def _show(self, answer: Found) -> None:
        self._rows, before, after = answer
        self._of = after.table
        bars = self.query_one(ClassBars)
        bars.before, bars.after = before.totals.by_class, after.totals.by_class
        table = self.query_one(PagedTable)
        table.empty = _empty(self._class, self._only_changed, bool(self.opened.policy.protect))
        table.show(len(self._rows))
        self._title(after)

    def _title(self, after: Simulation) -> None:
        name = class_label(self._class) if self._class else "all conversations"
        tone = CLASS_TONES[self._class] if self._class else "strong"
        changed = " changed by the draft" if self._only_changed else ""
        covered = after.coverage
        told = "   nothing is in scope"
        if covered.in_scope:
            whole = plural(covered.in_scope, "conversation")
            share = percent(covered.bytes_share, 1)
            told = f"   coverage {covered.conversations:,} of {whole}, {share} of the bytes"
        text = Content.assemble(
            (f" {name} ", CLASS_STYLES[tone]),
            (f"{len(self._rows):,}{changed}", "bold"),
            (told, "$dim"),
        )  # fmt: skip
        self.query_one("#list-title", Static).update(text)

    def retold(self) -> Callable[[Story], Story]:
        if not self._only_changed:
            return super().retold()
        was = self.opened.saved_simulation.classes
        return lambda story: _with_past(story, was)

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def action_turn(self, by: int) -> None:
        self._class = _LISTS[(_LISTS.index(self._class) + by) % len(_LISTS)]
        self._from_the_top()

    def action_changed(self) -> None:
        self._only_changed = not self._only_changed
        self._class = None if self._only_changed else Class.WOULD_BLOCK
        self._from_the_top()

    def _from_the_top(self) -> None:
        self.query_one(PagedTable).cursor = 0
        self.reload()

    def action_suggest(self) -> None:
        from workbench.tui.screens.suggest import SuggestScreen

        self.deeper(SuggestScreen())


def _with_past(story: Story, was: NDArray[np.uint8]) -> Story:
    """The story with what the saved policy says of it."""
    return replace(story, why=f"was {class_label(Class(int(was[story.row])))}; {story.why}")


def listed_rows(
    session: "Session", chosen: Filter, klass: Class | None, only_changed: bool
) -> NDArray[np.int64]:
    """Table rows of one class (None for all) that the filter lets through."""
    wanted = session.select(chosen)
    if klass is not None:
        wanted = wanted & (session.simulation.classes == klass)
    if only_changed:
        changed = np.zeros(len(wanted), np.bool_)
        changed[session.changes().rows] = True
        wanted = wanted & changed
    return np.flatnonzero(wanted)


def _empty(klass: Class | None, only_changed: bool, protects: bool) -> str:
    if not protects:
        return "Nothing is protected, so nothing is judged: p proposes a policy, 5 is the policy."
    if only_changed:
        return "The draft changes none of these: o shows everything, c another class."
    if klass is Class.WOULD_BLOCK:
        return "Nothing that works today would be blocked. 9 exports the policy."
    return "No conversations of this class: c shows another."
