"""The captures: what was read, and what each of them lacked."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import DuplicateCapture, WorkbenchError
from workbench.model.packets import printable
from workbench.model.text import short_bytes, short_count
from workbench.model.traffic import CaptureReport
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import clock
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.completing import CompletingInput
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

if TYPE_CHECKING:
    from workbench.session import Session

COLUMNS = (
    Column("capture", 16, flex=1),
    Column("format", 8, spare=4),
    Column("size", 8, right=True, spare=3),
    Column("packets", 8, right=True),
    Column("flows", 7, right=True),
    Column("first (UTC)", 14, spare=1),
    Column("last (UTC)", 14, spare=2),
    Column("lacking", 22, flex=2),
)
Outcome = tuple[Sequence[CaptureReport], Sequence[Path]]
"""Reports of what was loaded, and the files that were known already."""
_EMPTY = (
    "No captures yet: press i and give a file, a folder or a pattern (pcap, pcapng, gzip, zstd)."
)


class SourcesScreen(WorkScreen):
    """A table of captures; the one under the cursor in full below it."""

    TAB = "sources"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "ingest", "load captures", id="sources.ingest",
                tooltip="A file, a folder or a pattern such as site/*.pcap"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._reports: dict[int, CaptureReport] = {}

    def body(self) -> Iterable[Widget]:
        yield PagedTable(COLUMNS, empty=_EMPTY, id="table")
        with VerticalScroll(id="capture-detail"):
            yield Static(id="capture-text")
        yield CompletingInput(
            complete_path, placeholder="path of a capture, a folder or a pattern", id="path"
        )

    def on_mount(self) -> None:
        self.query_one("#path").display = False

    def load(self) -> None:
        self.ask("captures", self.opened.captures, self._show)
        if waiting := self.bench.captures_to_load:
            self.bench.captures_to_load = ()
            self._ingest(waiting, first=True)

    def _show(self, reports: tuple[CaptureReport, ...]) -> None:
        self._reports = dict(enumerate(reports))
        rows = [capture_row(at, report) for at, report in self._reports.items()]
        self.query_one(PagedTable).show_rows(rows)

    @on(PagedTable.Moved)
    def _row_moved(self, event: PagedTable.Moved) -> None:
        report = self._reports.get(event.key) if isinstance(event.key, int) else None
        text = capture_content(report) if report else Content("")
        self.query_one("#capture-text", Static).update(text)

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
        first = first or not self._reports

        def done(outcome: Outcome) -> None:
            self._ingested(outcome)
            if first:
                self.bench.action_goto("matrix")

        def failed(error: WorkbenchError) -> None:
            if first and isinstance(error, DuplicateCapture):
                self.bench.action_goto("matrix")
            else:
                self.bench.show_error(error)

        self.bench.long_work(
            lambda tell, stopped: session.ingest(paths, tell, stopped), done, failed
        )

    def _ingested(self, outcome: Outcome) -> None:
        new, known = outcome
        packets = sum(report.packets for report in new)
        told = f"loaded {len(new)} capture{'' if len(new) == 1 else 's'}, {packets:,} packets"
        if known:
            told += f"; {len(known)} already known, left out"

        def look(_: "Session") -> str:
            return told

        self.bench.edit(look)


def complete_path(text: str, cursor: int) -> tuple[int, Sequence[str]]:
    """Names in the folder typed so far: folders, and files that may be captures."""
    head, _, tail = text[:cursor].rpartition("/")
    folder = Path(head or ("/" if text.startswith("/") else ".")).expanduser()
    try:
        with os.scandir(folder) as found:
            entries = [(entry.name, entry.is_dir()) for _, entry in zip(range(5000), found)]  # noqa: B905
    except OSError:
        return cursor, ()
    names = sorted(
        f"{name}/" if is_folder else name
        for name, is_folder in entries
        if name.startswith(tail)
        and (tail.startswith(".") or not name.startswith("."))
        and (is_folder or ".pcap" in name or ".cap" in name)
    )
    return cursor - len(tail), names


def lacking(report: CaptureReport) -> tuple[str, ...]:
    """What a capture did not have, one short line each; empty when all was read."""
    lines = [*report.problems]
    if report.truncated_packets:
        limit = f", snap length {report.snaplen}" if report.snaplen else ""
        lines.append(f"{report.truncated_packets:,} packets cut short{limit}")
    skipped = sorted(report.skipped.items(), key=lambda item: -item[1])
    lines += [f"{count:,} × {reason}" for reason, count in skipped]
    return tuple(printable(line) for line in lines)


def capture_row(at: int, report: CaptureReport) -> Row:
    """In the order of COLUMNS."""
    lines = lacking(report)
    more = f" (+{len(lines) - 1})" if len(lines) > 1 else ""
    serious = bool(report.problems or report.truncated_packets)
    cells = (
        printable(Path(report.path).name),
        report.format,
        short_bytes(report.size),
        short_count(report.packets),
        short_count(report.flows),
        clock(report.first_us),
        clock(report.last_us),
        (lines[0] + more, "warn" if serious else "dim") if lines else ("nothing", "allowed"),
    )
    return Row(at, cells)


def capture_content(report: CaptureReport) -> Content:
    """Everything known of one capture."""
    share = report.decoded / report.packets if report.packets else 1.0
    facts = (
        ("path", printable(report.path)),
        ("format", f"{report.format}, {report.size:,} bytes on disk"),
        ("links", f"{', '.join(report.link_types) or 'none'}; {report.interfaces} interface(s)"),
        ("packets", f"{report.packets:,}; {report.decoded:,} became flows ({share:.1%})"),
        ("wire", f"{report.wire_bytes:,} bytes in {report.flows:,} flows"),
        ("time", f"{clock(report.first_us)} to {clock(report.last_us)} UTC"),
    )
    parts = [part for name, text in facts for part in ((f" {name:<9}", "dim"), (f"{text}\n", ""))]
    lines = lacking(report)
    parts.append((" lacking  ", "dim"))
    if not lines:
        parts.append(("nothing: every record was read", "allowed"))
    for at, line in enumerate(lines):
        parts.append((f"{'' if at == 0 else ' ' * 10}{line}\n", "warn"))
    return Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in parts))
