"""`e`: the rule that decides, or the one that is missing; for seen and imagined traffic."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.model.verdict import GLYPHS, Explanation
from workbench.tui.glyphs import CLASS_STYLES, VERDICT_TONES, class_label
from workbench.tui.screens.base import Rows
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.completing import CompletingInput, words_of

_MOST = 20


class ExplainScreen(Dialog):
    """Explains what the cursor is on; the line below takes any other question."""

    TITLE_TEXT = "Explain"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "close", id="explain.leave"),
        Binding("slash", "question", "ask about other traffic", key_display="/", id="explain.ask",
                tooltip="CLIENT SERVER SERVICE, seen or not"),
    ]  # fmt: skip

    def __init__(self, rows: Rows | None, otherwise: tuple[str, str, str] | None = None) -> None:
        """otherwise: client, server and service to explain where there are no rows."""
        super().__init__()
        self._rows = rows
        self._otherwise = otherwise

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="explain-scroll"):
            yield Static("looking …", id="explain-text")
        yield CompletingInput(
            words_of(self._words, " "),
            placeholder="CLIENT SERVER SERVICE, such as pc-01 db-1 tcp/5432",
            id="explain-question",
        )

    def on_mount(self) -> None:
        session, rows, otherwise = self.bench.session, self._rows, self._otherwise
        if session is None or rows is None:
            self._show(())
            self.query_one("#explain-question", CompletingInput).focus()
            return

        def question() -> tuple[Explanation, ...]:
            found = tuple(session.explain_row(row) for row in map(int, rows()[:_MOST]))
            return found or (() if otherwise is None else (session.explain(*otherwise),))

        self.ask("explain", question, self._show, self.say)
        self.query_one("#explain-scroll").focus()

    def _words(self) -> list[str]:
        session = self.bench.session
        if session is None:
            return []
        groups = [group.name for group in session.policy.services]
        return sorted({host.name for host in session.inventory.hosts}) + groups

    def _show(self, found: tuple[Explanation, ...]) -> None:
        parts = [part for one in found for part in (*explanation_parts(one), ("\n", ""))]
        text = Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in parts))
        self.query_one("#explain-text", Static).update(
            text if found else Content("Ask below: who, to whom, on which service?")
        )

    @on(CompletingInput.Entered)
    def _asked(self, event: CompletingInput.Entered) -> None:
        session, words = self.bench.session, event.value.split()
        if session is None:
            return
        if len(words) != 3:
            self.say("write three words: client, server, service")
            return

        client, server, service = words
        self.ask(
            "explain", lambda: session.explain(client, server, service), self._show_one, self.say
        )

    def _show_one(self, found: Explanation) -> None:
        self.say(None)
        self._show((found,))

    def action_question(self) -> None:
        self.query_one("#explain-question", CompletingInput).focus()


def explanation_parts(found: Explanation) -> list[tuple[str, str]]:
    """An explanation as text and tones."""
    decision = found.decision
    tone = VERDICT_TONES[decision.verdict]
    parts = [(f"{printable(found.conversation)}\n", "strong")]
    parts.append((f"{GLYPHS[decision.verdict]} {decision.verdict.text}", tone))
    if found.klass is not None:
        parts.append(
            (f"   {class_label(found.klass)}, {plural(found.observed_flows, 'flow')} seen\n", "")
        )
    else:
        parts.append(("   never seen: a hypothetical answer\n", "dim"))
    if decision.rules:
        parts += [("  allowed by ", "dim"), (f"{', '.join(decision.rules)}\n", "")]
    if decision.reason:
        parts.append((f"  {decision.reason}\n", ""))
    client, server = (
        ", ".join(names) or "no segment" for names in (found.client_segments, found.server_segments)
    )
    parts += [("  segments  ", "dim"), (f"{client} → {server}\n", "")]
    if found.near_misses:
        parts.append(("  nearest rules\n", "dim"))
    for miss in found.near_misses[:5]:
        parts += [
            (f"    {miss.rule}", ""),
            (f"  fits but for: {', '.join(miss.lacks)}\n", "dim"),
        ]
    return parts
