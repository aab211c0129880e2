"""What the list of findings and the story of a host share: looking, with a way to stop; acts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from workbench.model.errors import DocumentError, WorkbenchError
from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.tui.desk import Stopped, Tell
from workbench.tui.found.panel import FindingPanel, finding_parts
from workbench.tui.found.rows import Part
from workbench.tui.screens.base import Rows
from workbench.tui.screens.seeking import SeekingScreen
from workbench.tui.widgets.pagedtable import PagedTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the traffic is compared with: nothing, the time before a moment, or captures."""

    moment: int | None = None
    """µs."""
    against: str = ""


class FindingBase(SeekingScreen):
    """Holds a PagedTable and a FindingPanel. Subclasses say which finding the cursor is on."""

    TAB = "findings"
    QUESTION = "findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "story", "story", id="findings.story",
                tooltip="What this host did and what was done to it, on a timeline"),
        Binding("r", "respond", "respond", id="findings.respond",
                tooltip="Guardrail, narrower rule or quarantine: tried out before it is drafted"),
        Binding("p", "replay", "replay", id="findings.replay",
                tooltip="The steps under no policy, the saved one, the draft: stopped where?"),
        Binding("x", "suppress", "suppress", id="findings.suppress",
                tooltip="Known and harmless: with a reason and a last day; again to lift it"),
        Binding("d", "details", "details", id="findings.details", tooltip="Side panel on or off"),
        Binding("f5", "again", "look again", show=False, id="findings.again",
                tooltip="Read findings.yaml and look through the traffic again"),
    ]  # fmt: skip

    def __init__(self, baseline: Baseline = Baseline()) -> None:
        super().__init__()
        self.baseline = baseline
        self.found: tuple[Finding, ...] = ()
        """Every finding, whatever is shown of them."""
        self.trouble = True
        """Words stand in place of findings, as they do in the beginning."""
        self.problem = ""
        """Why nothing can be found, and what to do."""

    def finding(self) -> Finding | None:
        """What the cursor is on."""
        raise NotImplementedError

    # ── looking ────────────────────────────────────────────────────────────────────────────

    def search(
        self, more: Callable[[tuple[Finding, ...], Stopped], T], show: Callable[[T], None]
    ) -> None:
        """Find in a thread, and `more` there; `show` here. A search under way is given up."""
        session, baseline = self.opened, self.baseline

        def question(tell: Tell, stopped: Stopped) -> tuple[tuple[Finding, ...], T]:
            found = session.findings.find(
                baseline=baseline.moment,
                against=baseline.against,
                progress=tell,
                cancelled=stopped,
            )
            return found, more(found, stopped)

        def answer(value: tuple[tuple[Finding, ...], T]) -> None:
            self.trouble, self.problem = False, ""
            self.found, told = value
            show(told)

        self.look(question, answer, self._not_found)

    def _not_found(self, error: WorkbenchError) -> None:
        self.found = ()
        self.problem = f"{error}   f5 looks again"
        if isinstance(error, DocumentError) and error.file:
            told = str(error).replace(error.file, Path(error.file).name, 1)
            self.problem = f"{told} – mend it, then f5 looks again"
        self.nothing(self.problem)

    def nothing(self, words: str) -> None:
        """Words in place of findings."""
        self.trouble = True
        table = self.query_one(PagedTable)
        table.empty = words
        table.show_rows([])
        self.query_one("#list-title", Static).update("")

    def on_screen_resume(self) -> None:
        self._seen = None  # findings.yaml may be another one by now; nothing is found twice

    def action_again(self) -> None:
        self.reload()

    def stopped(self) -> None:
        self.nothing("Stopped before the end. f5 looks again.")

    # ── the one under the cursor ───────────────────────────────────────────────────────────

    @on(PagedTable.Moved)
    def _moved_to(self) -> None:
        """The panel tells all of it; without a panel, two lines tell what it is and why."""
        one, panel = self.finding(), self.query_one(FindingPanel)
        note = self.query_one("#finding-note", Static)
        note.display = not panel.display
        self.refresh_bindings()
        if one is None:
            panel.show([])
            note.update("")
            return
        session = self.opened
        said = ((f"{printable(one.title)}: ", "bold"), (printable(one.why), "$dim"))
        note.update(Content.assemble(*said))
        if panel.display:
            about = self.about()
            self.ask("panel", lambda: [*about, *finding_parts(session, one)], panel.show)

    def about(self) -> list[Part]:
        """What the panel says before the finding."""
        return []

    def action_details(self) -> None:
        panel = self.query_one(FindingPanel)
        shown = panel.display
        panel.set_class(shown, "-hidden")
        panel.set_class(not shown, "-shown")
        self.call_after_refresh(self._moved_to)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """An intruder's traffic is not for allowing; the rest needs a finding."""
        if action == "allow":
            return False
        if action in ("story", "respond", "replay", "suppress") and self.finding() is None:
            return True if self.problem else None  # the key says what is wrong
        return super().check_action(action, parameters)

    def subject(self) -> Rows | None:
        one, session = self.finding(), self.opened
        return None if one is None else lambda: session.findings.rows_of(one)

    @on(PagedTable.Chosen)
    def _chosen(self) -> None:
        from workbench.tui.screens.findingflows import FindingFlowsScreen

        if one := self.finding():
            self.deeper(FindingFlowsScreen(one))

    def intrusion(self) -> tuple[str, Iterable[Finding]]:
        """What `p` replays: in words, and the findings; suppressed ones are left out."""
        raise NotImplementedError

    def other_end(self, one: Finding) -> int:
        """Whose story `t` tells."""
        return one.host

    def _chosen_one(self) -> Finding | None:
        """The one under the cursor, for a key; why there is none is said."""
        one = self.finding()
        if one is None and self.problem:
            self.notify(self.problem, severity="error", markup=False, timeout=12)
        return one

    def action_story(self) -> None:
        from workbench.tui.screens.story import StoryScreen

        if one := self._chosen_one():
            self.deeper(StoryScreen(self.other_end(one), self.baseline))

    def action_respond(self) -> None:
        from workbench.tui.screens.respond import RespondScreen

        if one := self._chosen_one():
            self.deeper(RespondScreen(one, self.found))

    def action_replay(self) -> None:
        from workbench.tui.screens.replay import ReplayScreen

        if self._chosen_one():
            about, found = self.intrusion()
            wanted = [one.id for one in found if not one.suppression]
            self.deeper(ReplayScreen(about, wanted, self.baseline))

    def action_suppress(self) -> None:
        from workbench.tui.screens.suppressing import LiftScreen, SuppressForm

        if one := self._chosen_one():
            form = LiftScreen if one.suppression else SuppressForm
            self.deeper(form(one))

    def say(self, *parts: tuple[str, str]) -> None:
        """The line above the list: text and styles."""
        self.query_one("#list-title", Static).update(Content.assemble(*parts))
