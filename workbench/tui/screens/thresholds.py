"""`T` on Findings: where the detectors begin to speak."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import THRESHOLD_WORDS, FindingSettings, Thresholds
from workbench.model.packets import printable
from workbench.tui.screens.dialog import Dialog
from workbench.tui.screens.form import Field, Form, Parts, Values
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

if TYPE_CHECKING:
    from workbench.session import Session

_PLAIN = Thresholds()
_COLUMNS = (
    Column("threshold", 15),
    Column("now", 9, right=True),
    Column("unless told", 11, right=True, spare=2),
    Column("what it is", 30, flex=1),
)


def written(value: Any) -> str:
    """As it stands in findings.yaml."""
    return " ".join(value) if isinstance(value, tuple) else f"{value:g}"


class ThresholdsScreen(Dialog):
    """All of them; Enter changes one, in findings.yaml."""

    TITLE_TEXT = "Thresholds"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,T", "leave", "close", id="thresholds.leave"),
    ]

    def body(self) -> Iterable[Widget]:
        yield PagedTable(_COLUMNS, empty="Reading findings.yaml …", id="thresholds")
        yield Static(id="form-preview")

    def on_mount(self) -> None:
        self.query_one(PagedTable).focus()
        self.watch(self.app, "revision", self._load)

    def _load(self) -> None:
        session = self.bench.session
        if session is not None:
            self.ask("thresholds", session.findings.settings, self._show, self.say)

    def _show(self, settings: FindingSettings) -> None:
        session = self.bench.session
        rows = []
        for name, words in THRESHOLD_WORDS.items():
            now, plain = getattr(settings.thresholds, name), getattr(_PLAIN, name)
            tone = "accent" if now != plain else ""
            cells = (name, (printable(written(now)), tone), (written(plain), "dim"), words)
            rows.append(Row(name, cells))
        self.query_one(PagedTable).show_rows(rows)
        if session is not None:
            told = Content.assemble(("kept in ", "$dim"), printable(str(session.findings.file)))
            self.query_one("#form-preview", Static).update(told)

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        session = self.bench.session
        if session is not None:
            now = getattr(session.findings.settings().thresholds, str(event.key))
            self.deeper(ThresholdForm(str(event.key), written(now)))


class ThresholdForm(Form):
    """One threshold; empty for what it is unless told."""

    TITLE_TEXT = "Threshold"

    def __init__(self, name: str, now: str) -> None:
        super().__init__()
        self._threshold = name
        self._now = now

    def fields(self) -> Iterable[Field]:
        plain = written(getattr(_PLAIN, self._threshold))
        yield Field("value", "value", self._now, f"empty for {plain}")

    def preview(self, session: "Session", values: Values) -> Parts:
        session.findings.check_threshold(self._threshold, values["value"])
        plain = written(getattr(_PLAIN, self._threshold))
        return [
            (f"{self._threshold}  ", "strong"), (f"{THRESHOLD_WORDS[self._threshold]}\n", ""),
            (f"{plain} unless told", "dim"),
        ]  # fmt: skip

    def change(self, session: "Session", values: Values) -> str:
        session.findings.set_threshold(self._threshold, values["value"])
        return f"{self._threshold} is {values['value'] or 'what it is unless told'}"
