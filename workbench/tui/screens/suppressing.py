"""`x` on a finding: known and harmless, for a reason and a time; or not any more."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.days import last_day
from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.form import Field, Form, Parts, Values

if TYPE_CHECKING:
    from workbench.session import Session


class SuppressForm(Form):
    """A reason, and the last day it holds; written to findings.yaml at once."""

    TITLE_TEXT = "Suppress this finding"

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self._finding = finding

    def fields(self) -> Iterable[Field]:
        yield Field("reason", "reason", hint="why it is known and harmless")
        yield Field("until", "last day", hint="2027-03-31; empty for good")

    def preview(self, session: "Session", values: Values) -> Parts:
        day = last_day(values["until"], session.findings.today)
        told = f"until {day}" if day else "for good"
        return [
            (f"{printable(self._finding.title)}\n", "strong"),
            (f"by {printable(session.name_of(self._finding.host))}\n", ""),
            (f"shown as suppressed {told}, and still counted", "dim"),
            ("" if values["reason"] else "\na reason is needed", "warn"),
            (f"\nkept in {session.findings.file}", "dim"),
        ]

    def change(self, session: "Session", values: Values) -> str:
        findings = session.findings
        findings.suppress(
            self._finding.id, values["reason"], last_day(values["until"], findings.today)
        )
        return "suppressed: still listed, as such"


class LiftScreen(Dialog):
    """Why it is suppressed, and a way back."""

    TITLE_TEXT = "Suppressed"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,x", "lift", "lift it", id="findings.lift", tooltip="Suppressed no longer"),
    ]

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self._finding = finding

    def body(self) -> Iterable[Widget]:
        aside = self._finding.suppression
        if aside is None:
            return
        until = f"until {aside.until}" if aside.until else "for good"
        told = f"{printable(self._finding.title)}\n\n{printable(aside.reason)}\n"
        yield Static(Content.assemble(told, (until, "$dim")), id="form-preview")

    def action_lift(self) -> None:
        name = self._finding.id

        def lift(session: "Session") -> str:
            session.findings.lift(name)
            return "suppressed no longer"

        self.change_with(lift)
