"""The captures: how good each recording is, and what none of them could have seen."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from workbench.model.errors import CaptureError, DuplicateCapture, WorkbenchError
from workbench.model.facts import strip
from workbench.model.filters import Filter
from workbench.model.packets import printable
from workbench.model.quality import CaptureQuality, Coverage, Quality, Weight
from workbench.model.text import plural, short_bytes, short_count
from workbench.model.traffic import CaptureReport
from workbench.tui.lines import clock
from workbench.tui.paths import complete_path
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.capturepanel import TABS, CapturePanel
from workbench.tui.widgets.completing import CompletingInput
from workbench.tui.widgets.pagedtable import PAGE, Column, PagedTable, Row

if TYPE_CHECKING:
    from workbench.session import Session

_STRIP = 16
COLUMNS = (
    Column("capture", 16, "name", flex=4, middle=True),
    Column("packets", 7, "packets", right=True),
    Column("flows", 6, "flows", right=True),
    Column("care", 18, "care", flex=4),
    Column("when", _STRIP, "first", spare=2),
    Column("first (UTC)", 14, "first", spare=3),
    Column("size", 8, "size", right=True, spare=4),
    Column("format", 8, "format", spare=5),
)
_ORDERS: dict[str, Callable[[CaptureQuality], int | str]] = {
    "name": lambda one: Path(one.report.path).name,
    "packets": lambda one: one.report.packets,
    "flows": lambda one: one.report.flows,
    "care": lambda one: -len(cares(one)),  # the worst come first
    "first": lambda one: one.report.first_us or 0,
    "size": lambda one: one.report.size,
    "format": lambda one: one.report.format,
}
Outcome = tuple[Sequence[CaptureReport], Sequence[Path]]
"""Reports of what was loaded, and the files that were known already."""
_EMPTY = (
    "No captures yet: press i and give a file, a folder or a pattern (pcap, pcapng, gzip, zstd)."
)


class CapturesScreen(WorkScreen):
    """A table of captures, and beside or below it what there is to know of them."""

    TAB = "captures"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "ingest", "load captures", id="captures.ingest",
                tooltip="A file, a folder or a pattern such as site/*.pcap"),
        Binding("v", "page(1)", "view", id="captures.view",
                tooltip="This capture, all of them, or what none of them could have seen"),
        Binding("V", "page(-1)", "previous view", show=False, id="captures.previous"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._quality: Quality | None = None
        self._order: list[CaptureQuality] = []

    def body(self) -> Iterable[Widget]:
        with Container(id="captures"):
            yield PagedTable(COLUMNS, empty=_EMPTY, id="table")
            yield CapturePanel(id="capture-panel")
        yield CompletingInput(
            complete_path, placeholder="path of a capture, a folder or a pattern", id="path"
        )

    def on_mount(self) -> None:
        self.query_one("#path").display = False
        self.query_one(CapturePanel).display = False

    def load(self) -> None:
        self.ask("quality", self.opened.quality, self._show)
        if waiting := self.bench.captures_to_load:
            self.bench.captures_to_load = ()
            self._ingest(waiting, first=True)

    def _show(self, quality: Quality) -> None:
        self._quality = quality
        panel = self.query_one(CapturePanel)
        panel.quality = quality
        panel.display = bool(quality.captures)
        self._arrange()

    def _arrange(self) -> None:
        """Put the captures in the order asked for, and show them from the cursor on."""
        table = self.query_one(PagedTable)
        self._order = list(self._quality.captures if self._quality else ())
        if key := table.sort_key:
            self._order.sort(key=_ORDERS[key], reverse=table.descending)
        table.set_class(bool(self._order), "-some")  # a short list leaves its room to the panel
        table.show(len(self._order))
        if self._order:  # the row under the cursor, whatever of the rest is asked for
            table.put(table.generation, *self._page(table.cursor))

    def _page(self, at: int) -> tuple[int, list[Row]]:
        start = at - at % PAGE
        time = self._quality.dataset.time if self._quality else Coverage()
        rows = [
            capture_row(number, one, time)
            for number, one in enumerate(self._order[start : start + PAGE], start)
        ]
        return start, rows

    @on(PagedTable.Wanted)
    def _rows_wanted(self, event: PagedTable.Wanted) -> None:
        event.table.put(event.generation, *self._page(event.start))

    @on(PagedTable.Sorted)
    def _sorted(self, event: PagedTable.Sorted) -> None:
        """The cursor stays on its capture."""
        on = self._order[event.table.cursor] if self._order else None
        self._arrange()
        if on is not None:
            event.table.cursor = self._order.index(on)

    @on(PagedTable.Moved)
    def _row_moved(self, event: PagedTable.Moved) -> None:
        at = event.key if isinstance(event.key, int) and event.key < len(self._order) else None
        self.query_one(CapturePanel).one = None if at is None else self._order[at]

    @on(PagedTable.Chosen)
    def _flows_of(self, event: PagedTable.Chosen) -> None:
        """The flows of this capture, with whatever else the filter asks for."""
        if not isinstance(event.key, int):
            return
        session, number = self.opened, self._order[event.key].report.id
        kept = [str(term) for term in self.bench.chosen.terms if term.field != "capture"]
        text = " ".join([*kept, f"capture:{number}"])

        def take(found: Filter) -> None:
            self.bench.chosen = found
            self.bench.action_goto("flows")

        self.ask("flows", lambda: session.parse(text), take)

    def action_page(self, by: int) -> None:
        panel = self.query_one(CapturePanel)
        panel.page = (panel.page + by) % len(TABS)

    # ── loading captures ───────────────────────────────────────────────────────────────────

    def action_ingest(self) -> None:
        path = self.query_one("#path", CompletingInput)
        path.display = True
        path.focus()

    @on(CompletingInput.Left, "#path")
    def _path_left(self) -> None:
        self.query_one("#path").display = False
        self.query_one(PagedTable).focus()

    @on(CompletingInput.Entered, "#path")
    def _path_entered(self, event: CompletingInput.Entered) -> None:
        if text := event.value.strip():
            event.field.value = ""
            self._path_left()
            self._ingest((Path(text).expanduser(),))

    def _ingest(self, paths: Sequence[Path], *, first: bool = False) -> None:
        """`first`: named on the command line, so the matrix is what the user came for."""
        session = self.opened
        first = first or not self._order
        refused: list[CaptureError] = []

        def done(outcome: Outcome) -> None:
            self._ingested(outcome, refused)
            if first and outcome[0]:
                self.bench.action_goto("matrix")

        def failed(error: WorkbenchError) -> None:
            if first and isinstance(error, DuplicateCapture):
                self.bench.action_goto("matrix")
            else:
                self.bench.show_error(error)

        self.bench.long_work(
            lambda tell, stopped: session.ingest(paths, tell, stopped, refused.append), done, failed
        )

    def _ingested(self, outcome: Outcome, refused: Sequence[CaptureError]) -> None:
        new, known = outcome
        packets = sum(report.packets for report in new)
        told = f"loaded {plural(len(new), 'capture')}, {plural(packets, 'packet')}"
        if known:
            told += f"; {len(known)} already known, left out"
        if refused:
            more = f", and {len(refused) - 1} more" if refused[1:] else ""
            told += f"; left out: {refused[0]}{more}"

        def look(_: "Session") -> str:
            return told

        self.bench.edit(look)


def cares(one: CaptureQuality) -> tuple[str, ...]:
    """What of it may mislead, in a word each."""
    kinds = [remark.kind for remark in one.remarks if remark.weight is Weight.CARE]
    return tuple(dict.fromkeys(kinds))


def capture_row(at: int, one: CaptureQuality, time: Coverage) -> Row:
    """In the order of COLUMNS; `time` is that of all captures."""
    report, words = one.report, cares(one)
    when = ""
    if report.first_us is not None and report.last_us is not None:
        begin, end = time.first_us or 0, time.last_us or 0
        when = strip(report.first_us, report.last_us, begin, end, _STRIP)
    cells = (
        printable(Path(report.path).name),
        short_count(report.packets),
        short_count(report.flows),
        (f"! {len(words)} {', '.join(words)}", "warn") if words else ("✓ fine", "allowed"),
        (when, "accent"),
        clock(report.first_us),
        short_bytes(report.size),
        report.format,
    )
    return Row(at, cells)
