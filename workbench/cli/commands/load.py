"""Captures into the workspace."""

from contextlib import suppress
from pathlib import Path

from workbench.cli.commands.opening import Options, warn_uncompiled
from workbench.cli.meter import Meter
from workbench.cli.reports import print_captures, report_record
from workbench.cli.table import say, say_few
from workbench.model.errors import Cancelled, CaptureError, WorkbenchError
from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.model.traffic import CaptureReport
from workbench.session import follow_folder, ingest_folder


def ingest(options: Options) -> int:
    """Load captures; print what each held and lacked."""
    warn_uncompiled()
    if options.follow:
        return _follow(options)
    refused: list[CaptureError] = []
    with Meter(quiet=options.quiet) as meter:
        workspace, paths = options.workspace, options.paths
        try:
            reports, known = ingest_folder(
                workspace, paths, meter.tell, meter.cancelled, refused.append
            )
        except Cancelled:
            meter.clear()
            say("stopped; what was finished stays, and the same command goes on from there")
            return 130
    why = "already in the workspace, left out"
    say_few((f"files: {why}", f"{path}: {why}") for path in known)
    if known and not reports and not refused:
        say("nothing new; captures that were moved are found where they are now")
    for report in reports:
        _say_problems(report)
    for error in refused:
        say(f"{error}; left out")
    if reports or options.format != "table":
        print_captures(map(report_record, reports), options.format)
    return 2 if refused else 0


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
                if isinstance(report, WorkbenchError):
                    say(str(report))
                else:
                    latest[report.id] = report
                    name = printable(Path(report.path).name)
                    flows = plural(report.flows, "flow")
                    say(f"{name}: {plural(report.packets, 'packet')}, {flows} so far")
    for report in latest.values():
        _say_problems(report)
    print_captures(map(report_record, latest.values()), options.format)
    return 0
