"""`a`: the one narrowest rule that would allow something, and what else it would allow."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.policy import Policy
from workbench.model.simulation import Proposal, Suggestion
from workbench.model.text import plural, short_bytes
from workbench.model.verdict import Class, Verdict
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import period
from workbench.tui.screens.base import Rows
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.facts import percent

if TYPE_CHECKING:
    from workbench.session import Session

Effect = tuple[int, int, int]
"""Newly allowed, still would block, coverage in percent – with the proposal."""


class AllowScreen(Dialog):
    """Shows the proposed rule and its evidence; Enter takes it into the draft."""

    TITLE_TEXT = "Allow this?"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "allow", id="allow.accept", tooltip="Add the rule to the draft"),
    ]

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self._rows = rows
        self._suggestion: Suggestion | None = None

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="allow-scroll"):
            yield Static("looking for the narrowest rule …", id="allow-text")

    def on_mount(self) -> None:
        session, bench, rows = self.bench.session, self.bench, self._rows
        if session is None:
            return

        def question() -> tuple[Suggestion, Effect]:
            bench.edits_made()  # or it would propose against a draft that is about to change
            return _propose(session, rows)

        self.ask("propose", question, self._show, self.say)

    def _show(self, answer: tuple[Suggestion, Effect]) -> None:
        self._suggestion, effect = answer
        parts = [part for one in self._suggestion.proposals for part in proposal_parts(one)]
        if parts:
            parts += effect_parts(effect)
        else:
            parts = [("Nothing to allow: the draft allows all of it already.", "")]
        text = Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in parts))
        self.query_one("#allow-text", Static).update(text)

    def action_accept(self) -> None:
        """Not before it is seen what is accepted."""
        if (suggestion := self._suggestion) is None:
            return
        if every := [one.rule.id for one in suggestion.proposals]:
            self.bench.edit(lambda session: session.draft.accept(suggestion, every))
        self.dismiss()


def _propose(session: "Session", rows: Rows) -> tuple[Suggestion, Effect]:
    found = rows()
    found = found[session.simulation.verdicts[found] != Verdict.ALLOWED]
    now = session.policy
    suggestion = session.propose(found) if len(found) else Suggestion(now, (), now)
    return suggestion, effect_of(session, suggestion.policy)


def effect_of(session: "Session", wanted: Policy) -> Effect:
    """What another policy would do to the recorded traffic."""
    before, after = session.simulation, session.try_policy(wanted)
    allowed = [Class.PERMITTED, Class.MISDROPPED]
    more = sum(after.totals.by_class[klass] - before.totals.by_class[klass] for klass in allowed)
    return more, after.totals.by_class[Class.WOULD_BLOCK], percent(after.coverage.share)


def effect_parts(effect: Effect) -> list[tuple[str, str]]:
    """`✓ 4 newly allowed   ✗ 8 would block   coverage 93 %`."""
    more, still, coverage = effect
    return [
        (f"\n✓ {more:,} newly allowed", "allowed"),
        (f"   ✗ {still:,} would block", "blocked"),
        (f"   coverage {coverage} %", ""),
    ]


def proposal_parts(proposal: Proposal) -> list[tuple[str, str]]:
    """A proposed rule and why it is proposed."""
    rule, seen = proposal.rule, proposal.evidence
    worst = seen.weakest_direction or "nothing"
    outcomes = ", ".join(f"{count} {name}" for name, count in seen.outcomes.items())
    told = ", ".join((plural(seen.conversations, "conversation"), plural(seen.flows, "flow")))
    ends = ", ".join((plural(seen.clients, "client"), plural(seen.servers, "server")))
    parts = [
        (f"{rule.id}\n", "accent"),
        ("  from ", "dim"), (", ".join(rule.clients), "strong"),
        ("  to ", "dim"), (", ".join(rule.servers), "strong"),
        ("  on ", "dim"), (f"{', '.join(rule.services)}\n", "strong"),
        ("  evidence  ", "dim"), (f"{told}, {short_bytes(seen.bytes)}; {ends}\n", ""),
        ("            ", ""), (f"{period(seen.first_us, seen.last_us)} UTC; {outcomes}\n", ""),
        ("            ", ""), (f"direction by {worst}\n", "" if worst == "syn" else "uncertain"),
    ]  # fmt: skip
    if proposal.caution:
        parts.append((f"  ! look twice: {proposal.caution}\n", "warn"))
    return parts
