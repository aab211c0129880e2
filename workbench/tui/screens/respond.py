"""`r` on a finding: what could be done about it, each tried out before anything is drafted."""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.model.policy import ANY
from workbench.model.response import Replayed
from workbench.tui.found.answers import (
    COLUMNS,
    Option,
    Stop,
    Tried,
    answer_row,
    options,
    tried,
)
from workbench.tui.found.rows import Part
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.form import Field, Form, Parts, Values, always, listed
from workbench.tui.widgets.completing import words_of
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.response import Answered


class RespondScreen(Dialog):
    """Answers on top, tried out one after the other; the one under the cursor in full below."""

    TITLE_TEXT = "Respond"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "draft it", id="respond.take", priority=True,
                tooltip="Make the answer the draft, in one step of undo"),
        Binding("y", "diff", "as YAML", id="respond.diff", tooltip="The edit of policy.yaml"),
        Binding("n", "name", "name who gets in", id="respond.name",
                tooltip="Quarantine, with access for those you name"),
        Binding("tab", "other", "scroll", show=False, id="respond.other",
                tooltip="Between the answers and the text below"),
    ]  # fmt: skip

    def __init__(self, finding: Finding, among: Sequence[Finding]) -> None:
        """among: all that was found in the same look."""
        super().__init__()
        self._finding = finding
        self._among = among
        self._options: tuple[Option, ...] = ()
        self._tried: list[Tried | str | None] = []
        self._stop = threading.Event()
        self._as_yaml = False

    def body(self) -> Iterable[Widget]:
        yield Static(id="respond-about")
        yield PagedTable(COLUMNS, empty="", id="answers")
        with VerticalScroll(id="respond-detail"):
            yield Static(id="respond-text")

    def on_mount(self) -> None:
        session, one = self.bench.session, self._finding
        self.query_one(PagedTable).focus()
        if session is None:
            return
        about = Content.assemble(
            (printable(one.title), "bold"), (f"   by {printable(session.name_of(one.host))}", "")
        )
        self.query_one("#respond-about", Static).update(about)
        self._options = tuple(options(session, one, self._among))
        self._tried = [None] * len(self._options)
        self._draw()
        self._try(0)

    def on_unmount(self) -> None:
        self._stop.set()

    def _try(self, at: int) -> None:
        """One after the other: each is shown as soon as it is known."""
        session = self.bench.session
        if session is None or at == len(self._options):
            return
        option, stopped = self._options[at], self._stop.is_set

        def known(answer: Tried | str) -> None:
            self._tried[at] = answer
            self._draw()
            self._try(at + 1)

        def impossible(error: WorkbenchError) -> None:
            known(str(error))

        one, among, before = self._finding, self._among, self._before

        def question() -> Tried:
            return tried(session, option, one, among, before, stopped)

        self.ask("answer", question, known, impossible)

    def _draw(self) -> None:
        rows, seen = [], []
        for at, (option, known) in enumerate(zip(self._options, self._tried, strict=True)):
            policy = known.answered.edit.policy if isinstance(known, Tried) else None
            rows.append(answer_row(at, option, known, again=policy in seen))
            if policy is not None:
                seen.append(policy)
        self.query_one(PagedTable).show_rows(rows)

    @property
    def _before(self) -> Replayed | None:
        """The intrusion under the draft, once one answer was tried out."""
        return next((known.before for known in self._tried if isinstance(known, Tried)), None)

    @property
    def _at(self) -> int:
        key = self.query_one(PagedTable).key
        return key if isinstance(key, int) else 0

    @on(PagedTable.Moved)
    def _tell(self) -> None:
        known = self._tried[self._at] if self._tried else None
        parts: list[Part]
        if isinstance(known, Tried):
            parts = known.diff if self._as_yaml else known.parts
        else:
            parts = [(printable(known), "uncertain") if known else ("trying it out …", "dim")]
        spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
        self.query_one("#respond-text", Static).update(Content.assemble(*spans))
        self.refresh_bindings()

    def action_diff(self) -> None:
        self._as_yaml = not self._as_yaml
        self._tell()

    def action_other(self) -> None:
        table = self.query_one(PagedTable)
        (self.query_one("#respond-detail") if table.has_focus else table).focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only a quarantine has somebody to name."""
        if action != "name":
            return True
        return bool(self._options) and self._options[self._at].host is not None

    def action_name(self) -> None:
        host = self._options[self._at].host
        if host is not None:
            form = QuarantineForm(self._finding, self._among, host, self._before, self.accepted)
            self.deeper(form)

    @on(PagedTable.Chosen)
    def action_accept(self) -> None:
        known = self._tried[self._at] if self._tried else None
        if not isinstance(known, Tried):
            return
        answered = known.answered
        if not answered.changed:
            self.say("This changes nothing: choose another answer.")
            return
        self.change_with(lambda session: session.response.take(answered))


class QuarantineForm(Form):
    """Who may still get to the host, and how; tried out as it is typed."""

    TITLE_TEXT = "Quarantine"

    def __init__(
        self,
        finding: Finding,
        among: Sequence[Finding],
        host: int,
        before: Replayed | None,
        done: Callable[[], object],
    ) -> None:
        super().__init__()
        self._finding = finding
        self._among = among
        self._host = host
        self._before = before
        self._done = done

    def fields(self) -> Iterable[Field]:
        session = self.opened
        names = [segment.name for segment in session.policy.segments]
        names += sorted({host.name for host in session.inventory.hosts})
        kinds = [group.name for group in session.policy.services] + ["tcp/22", "tcp/3389", "any"]
        yield Field("admins", "access for", hint="segments, hosts or addresses; empty: nobody",
                    completer=words_of(always(names)))  # fmt: skip
        yield Field("services", "on", hint="tcp/22 rdp; empty: any",
                    completer=words_of(always(kinds)))  # fmt: skip

    def _option(self, values: Values) -> Option:
        admins, services = listed(values["admins"]), listed(values["services"]) or (ANY,)
        one, among, host = self._finding, self._among, self._host

        def work(session: "Session", stop: Stop) -> "Answered":
            return session.response.quarantine(
                one, admins, services, host=host, among=among, cancelled=stop
            )

        return Option("quarantine", work, host)

    def preview(self, session: "Session", values: Values) -> Parts:
        option = self._option(values)
        one, among, before = self._finding, self._among, self._before
        return tried(session, option, one, among, before, lambda: False).parts

    def change(self, session: "Session", values: Values) -> None:
        session.response.take(self._option(values).work(session, lambda: False))

    def accepted(self) -> None:
        super().accepted()
        self._done()
