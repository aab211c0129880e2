"""Captures into the workspace."""

from collections.abc import Sequence

from workbench.cli import records
from workbench.cli.commands.opening import Options, open_session, warn_uncompiled
from workbench.cli.meter import Meter
from workbench.cli.output import emit
from workbench.cli.table import Record, say
from workbench.session import ingest_folder


def ingest(options: Options) -> int:
    """Load captures; print what each held and lacked."""
    warn_uncompiled()
    with Meter(quiet=options.quiet) as meter:
        workspace, paths = options.workspace, options.paths
        reports, known = ingest_folder(workspace, paths, meter.tell, meter.cancelled)
    for path in known:
        say(f"{path}: already in the workspace, left out")
    for report in reports:
        for problem in report.problems:
            say(f"{report.path}: {problem}")
    _print_captures([records.capture_record(report) for report in reports], options.format)
    return 0


def captures(options: Options) -> int:
    """What is loaded."""
    with open_session(options) as session:
        found = [records.capture_record(report) for report in session.captures()]
    _print_captures(found, options.format)
    return 0


def _print_captures(found: Sequence[Record], form: str) -> None:
    shown = (
        "id", "file", "packets", "flows", "first_seen", "last_seen", "skipped", "problems",
        "truncated_packets", "format", "size", "path",
    )  # fmt: skip
    emit(found, form, columns=shown)
