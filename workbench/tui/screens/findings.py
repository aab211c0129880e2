"""What an intruder, or a mistake, left in the traffic: the worst first."""

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import Finding, FindingSettings, Level, Stage, Thresholds
from workbench.model.packets import printable
from workbench.tui.desk import Stopped
from workbench.tui.found.panel import FindingPanel
from workbench.tui.found.rows import ORDERS, VIEWS, FindingRows, Triage, columns, headline
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import clock
from workbench.tui.screens.findingbase import Baseline, FindingBase
from workbench.tui.widgets.pagedtable import PagedTable

_STAGES = (None, *Stage)
_LOOKING = "Looking through the traffic …"


class FindingsScreen(FindingBase):
    """The triage list, with the finding under the cursor beside it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("g", "stage(1)", "stage", id="findings.stage",
                tooltip="Reconnaissance, credentials, movement, departure, all"),
        Binding("l", "least", "how sure", id="findings.level",
                tooltip="All; medium confidence and above; high"),
        Binding("b", "baseline", "baseline", id="findings.baseline",
                tooltip="Compare with a time or with captures; empty for with nothing"),
        Binding("n", "view", "new or vanished", show=False, id="findings.new",
                tooltip="With a baseline: all, new only, vanished only"),
        Binding("z", "aside", "suppressed last", show=False, id="findings.aside",
                tooltip="Suppressed findings last, or where they belong; never hidden"),
        Binding("T", "thresholds", "thresholds", show=False, id="findings.thresholds",
                tooltip="Where the detectors begin to speak: look and change"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._triage = Triage()
        self._fitting: tuple[Finding, ...] = ()
        """What the filter lets through."""
        self._shown: list[Finding] = []
        self._settings = FindingSettings()

    def body(self) -> Iterable[Widget]:
        yield Static(id="list-title")
        with Container(id="findings-row"):
            yield PagedTable(columns(), sort="worst", empty=_LOOKING, id="table")
            yield FindingPanel(id="finding-panel")
        yield Static(id="finding-note")
        yield Static(id="totals")

    def load(self) -> None:
        session, chosen = self.opened, self.bench.chosen

        def more(
            found: tuple[Finding, ...],
            stopped: Stopped,  # noqa: ARG001 – quick
        ) -> tuple[tuple[Finding, ...], FindingSettings]:
            return session.findings.fitting(found, chosen), session.findings.settings()

        self.search(more, self._show)

    def _show(self, answer: tuple[tuple[Finding, ...], FindingSettings]) -> None:
        self._fitting, self._settings = answer
        self._list()

    def _place(self, old: Finding | None, at: int) -> int:
        """Where the finding is now that the cursor was on; its old place once it is put aside."""
        for now, one in enumerate(self._shown):
            if old and one.id == old.id and bool(one.suppression) == bool(old.suppression):
                return now
        return at

    def _list(self) -> None:
        """As the user looks at it now; what went wrong stays where it is said."""
        if self.trouble:
            return
        table, session = self.query_one(PagedTable), self.opened
        key = table.sort_key or "worst"
        old, at = self.finding(), table.cursor
        name = session.inventory.name
        self._shown = self._triage.sorted(self._fitting, key, table.descending, name)
        rows = FindingRows(session, self._shown)
        table.set_columns(columns(rows.day), self._empty())
        table.show_rows(rows)
        table.cursor = self._place(old, at)
        order = ORDERS[key][table.descending]
        parts = headline(self._shown, len(self.found), self._triage, order)
        self.say(*((text, CLASS_STYLES[tone]) for text, tone in parts))
        self._tell_settings()

    def _empty(self) -> str:
        if not self.opened.captures():
            return "No traffic yet: 1 loads captures, and what looks like an intruder stands here."
        if self._fitting:
            return "None of this kind: g another stage, l less sure ones, n all of the comparison."
        if self.found:
            return f"No finding fits the filter, of {len(self.found):,}: / changes it."
        return "Nothing that looks like an intruder. b compares with a baseline, 1 loads more."

    def _tell_settings(self) -> None:
        """What it is compared with, and the thresholds in force."""
        now, dim = self.baseline, CLASS_STYLES["dim"]
        told = "none" if now.moment is None else f"before {clock(now.moment)[:11]} UTC"
        parts = [(" baseline ", dim), (printable(now.against) or told, CLASS_STYLES["accent"])]
        changed = [
            f"{name} {getattr(self._settings.thresholds, name)}"
            for name in Thresholds.__slots__
            if getattr(self._settings.thresholds, name) != getattr(Thresholds(), name)
        ]
        told = ", ".join(changed) if changed else "as they come"
        parts += [("   thresholds (T) ", dim), (printable(told), "")]
        self.query_one("#totals", Static).update(Content.assemble(*parts))

    def finding(self) -> Finding | None:
        key = self.query_one(PagedTable).key if self.is_mounted else None
        return self._shown[key] if isinstance(key, int) and key < len(self._shown) else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a baseline nothing is new, and nothing has vanished."""
        if action == "view" and self.baseline == Baseline():
            return None
        return super().check_action(action, parameters)

    def intrusion(self) -> tuple[str, Iterable[Finding]]:
        """The surest of what is listed, and what the cursor is on."""
        here, listed = self.finding(), [one for one in self._shown if not one.suppression]
        least = max((one.confidence for one in listed), default=Level.LOW)
        found = [one for one in listed if one.confidence is least or one is here]
        return f"what is listed with {least.text} confidence", found

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self._list()

    def _look(self, triage: Triage) -> None:
        self._triage = triage
        self._list()

    def action_stage(self, by: int) -> None:
        at = (_STAGES.index(self._triage.stage) + by) % len(_STAGES)
        self._look(replace(self._triage, stage=_STAGES[at]))

    def action_least(self) -> None:
        self._look(replace(self._triage, least=Level(self._triage.least % 3 + 1)))

    def action_view(self) -> None:
        names = list(VIEWS)
        at = (names.index(self._triage.view) + 1) % len(names)
        self._look(replace(self._triage, view=names[at]))

    def action_aside(self) -> None:
        self._look(replace(self._triage, suppressed_last=not self._triage.suppressed_last))

    def action_baseline(self) -> None:
        from workbench.tui.screens.baseline import BaselineForm

        self.deeper(BaselineForm(self.baseline, self._compare))

    def _compare(self, baseline: Baseline) -> None:
        self.baseline = baseline
        self._triage = replace(self._triage, view="all")
        self.reload()

    def action_thresholds(self) -> None:
        from workbench.tui.screens.thresholds import ThresholdsScreen

        self.deeper(ThresholdsScreen())
