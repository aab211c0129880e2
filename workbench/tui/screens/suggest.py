"""`p`: rules for everything that works today and that no rule allows; take some, or all."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.simulation import Proposal, Suggestion
from workbench.model.text import short_bytes, short_count
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import clock
from workbench.tui.screens.allow import Effect, effect_of, effect_parts, proposal_parts
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.pagedtable import PAGE, Column, PagedTable, Row

COLUMNS = (
    Column("", 1),
    Column("rule", 16, flex=2, middle=True),
    Column("from", 10, flex=1, names=True),
    Column("to", 10, flex=1, names=True),
    Column("services", 12, flex=2),
    Column("flows", 6, right=True, spare=1),
    Column("bytes", 8, right=True, spare=2),
    Column("last (UTC)", 15, spare=3),
    Column("look twice", 12, flex=2, spare=4),
)


class SuggestScreen(Dialog):
    """What needs no second look is taken to begin with; space turns one, Enter adds what is taken.

    What breaks a guardrail is only taken by itself.
    """

    TITLE_TEXT = "Rules the traffic asks for"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "take or leave", id="suggest.mark"),
        Binding("A", "mark_all", "all or none", id="suggest.all",
                tooltip="But for those that break a guardrail: space takes them"),
        Binding("enter", "accept", "add to the draft", id="suggest.accept", priority=True),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._suggestion: Suggestion | None = None
        self._taken: set[str] = set()

    def body(self) -> Iterable[Widget]:
        yield Static("looking at what no rule allows …", id="suggest-head")
        yield PagedTable(
            COLUMNS, empty="Nothing to propose: all that works is allowed.", id="table"
        )
        with VerticalScroll(id="suggest-detail"):
            yield Static(id="suggest-text")

    def on_mount(self) -> None:
        session, bench = self.bench.session, self.bench
        if session is None:
            return

        def question() -> Suggestion:
            bench.edits_made()  # or it would propose against a draft that is about to change
            return session.suggest()

        self.ask("suggest", question, self._show, self.say)

    def _show(self, suggestion: Suggestion) -> None:
        """What needs a second look is not taken unless the user says so."""
        self._suggestion = suggestion
        self._taken = {one.rule.id for one in suggestion.proposals if not one.caution}
        self._draw()

    def _draw(self) -> None:
        session, suggestion, taken = self.bench.session, self._suggestion, frozenset(self._taken)
        if session is None or suggestion is None:
            return
        table = self.query_one(PagedTable)
        table.show(len(suggestion.proposals))
        table.put(table.generation, *self._page(table.cursor))

        def effect() -> Effect:
            wanted = taken | {rule.id for rule in session.policy.rules}
            kept = tuple(rule for rule in suggestion.policy.rules if rule.id in wanted)
            return effect_of(session, replace(suggestion.policy, rules=kept))

        self.ask("effect", effect, self._show_effect, self.say)

    def _page(self, at: int) -> tuple[int, list[Row]]:
        """Where the page around a row begins, and its rows: there may be thousands of pages."""
        found = self._suggestion.proposals if self._suggestion else ()
        start = at - at % PAGE
        page = found[start : start + PAGE]
        return start, [proposal_row(one, one.rule.id in self._taken) for one in page]

    @on(PagedTable.Wanted)
    def _rows_wanted(self, event: PagedTable.Wanted) -> None:
        event.table.put(event.generation, *self._page(event.start))

    def _show_effect(self, effect: Effect) -> None:
        every = len(self._suggestion.proposals) if self._suggestion else 0
        parts = [(f"{len(self._taken)} of {every} taken: ", "strong"), *effect_parts(effect)]
        spans = ((text.removeprefix("\n"), CLASS_STYLES[tone]) for text, tone in parts)
        self.query_one("#suggest-head", Static).update(Content.assemble(*spans))

    @on(PagedTable.Moved)
    def _row_moved(self, event: PagedTable.Moved) -> None:
        found = self._suggestion.proposals if self._suggestion else ()
        one = found[event.table.cursor] if event.key is not None else None
        parts = proposal_parts(one) if one else []
        spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
        self.query_one("#suggest-text", Static).update(Content.assemble(*spans))

    def action_mark(self) -> None:
        table = self.query_one(PagedTable)
        if isinstance(table.key, str):
            self._taken ^= {table.key}
            self._draw()
            table.action_step(1)

    def action_mark_all(self) -> None:
        if self._suggestion is not None:
            every = set(self._suggestion.harmless)
            self._taken = set() if self._taken >= every else every
            self._draw()

    def action_accept(self) -> None:
        """Not before it is seen what is accepted."""
        suggestion, taken = self._suggestion, frozenset(self._taken)
        if suggestion is None:
            return
        if taken:
            self.bench.edit(lambda session: session.draft.accept(suggestion, taken))
        self.dismiss()


def proposal_row(proposal: Proposal, taken: bool) -> Row:
    """In the order of COLUMNS."""
    rule, seen = proposal.rule, proposal.evidence
    cells = (
        ("✓", "allowed") if taken else ("·", "dim"),
        rule.id,
        ", ".join(rule.clients),
        ", ".join(rule.servers),
        " ".join(rule.services),
        short_count(seen.flows),
        short_bytes(seen.bytes),
        clock(seen.last_us),
        (proposal.caution, "warn"),
    )
    return Row(rule.id, cells)
