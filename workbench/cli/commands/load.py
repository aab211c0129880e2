"""Captures into the workspace."""

from collections.abc import Iterable
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from workbench.cli import quality
from workbench.cli.commands.opening import Options, open_session, warn_uncompiled
from workbench.cli.meter import Meter
from workbench.cli.output import emit, emit_object
from workbench.cli.table import Record, say
from workbench.model.errors import Cancelled, CaptureError, InputError
from workbench.model.packets import printable
from workbench.model.traffic import CaptureReport
from workbench.session import follow_folder, ingest_folder


def ingest(options: Options) -> int:
    """Load captures; print what each held and lacked."""
    warn_uncompiled()
    if options.follow:
        return _follow(options)
    with Meter(quiet=options.quiet) as meter:
        workspace, paths = options.workspace, options.paths
        reports, known = ingest_folder(workspace, paths, meter.tell, meter.cancelled)
    for path in known:
        say(f"{path}: already in the workspace, left out")
    for report in reports:
        _say_problems(report)
    _print_captures(map(quality.report_record, reports), options.format)
    return 0


def _say_problems(report: CaptureReport) -> None:
    for problem in report.problems:
        say(f"{report.path}: {problem}")


def _follow(options: Options) -> int:
    """Until Ctrl-C; then what was read, once for each capture."""
    latest: dict[int | None, CaptureReport] = {}
    with Meter(quiet=options.quiet) as meter:
        told = follow_folder(options.workspace, options.paths, meter.tell, meter.cancelled)
        with suppress(Cancelled):
            for report in told:
                meter.clear()
                if isinstance(report, CaptureError):
                    say(str(report))
                else:
                    latest[report.id] = report
                    name = printable(Path(report.path).name)
                    say(f"{name}: {report.packets:,} packets, {report.flows:,} flows so far")
    for report in latest.values():
        _say_problems(report)
    _print_captures(map(quality.report_record, latest.values()), options.format)
    return 0


def captures(options: Options) -> int:
    """What is loaded and what it lacked, one by one and together; or one capture in full."""
    with open_session(options) as session:
        found = session.quality()
    chosen = [one for one in found.captures if _called(one.report, options.capture)]
    if options.capture and not chosen:
        raise InputError(f"no capture is called {options.capture!r}; without a name all are listed")
    if options.format == "table" and options.capture:
        for one in chosen:
            quality.print_capture(one)
    elif options.dataset and options.format == "json":
        listed = list(map(quality.quality_record, chosen))
        emit_object({"captures": listed, "dataset": quality.dataset_record(found.dataset)})
    elif options.dataset and options.format == "csv":
        emit(quality.remark_records(found), "csv")
    else:
        _print_captures(map(quality.quality_record, chosen), options.format)
        if options.format == "table" and chosen:
            quality.print_dataset(found)
    return 0


def _called(report: CaptureReport, text: str | None) -> bool:
    """By number, by path, or by file name with `*`; None for all."""
    if text is None or text in (str(report.id), report.path):
        return True
    return fnmatchcase(Path(report.path).name, text)


def _print_captures(found: Iterable[Record], form: str) -> None:
    emit(found, form, columns=quality.LISTED)
