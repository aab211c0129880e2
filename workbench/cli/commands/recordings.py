"""What is loaded, and what the recordings lack."""

from fnmatch import fnmatchcase
from pathlib import Path

from workbench.cli import heads, quality
from workbench.cli.commands.opening import Options, open_session
from workbench.cli.output import emit, emit_object
from workbench.cli.reports import print_captures
from workbench.model.errors import InputError
from workbench.model.traffic import CaptureReport


def captures(options: Options) -> int:
    """What is loaded and what it lacked, one by one and together; or one capture in full."""
    if options.dataset and options.capture is not None:
        raise InputError("--dataset judges all captures together: name no CAPTURE")
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
        emit(quality.remark_records(found), "csv", heads.REMARK)
    else:
        print_captures(map(quality.quality_record, chosen), options.format, heads.QUALITY)
        if options.format == "table" and chosen:
            quality.print_dataset(found)
    return 0


def _called(report: CaptureReport, text: str | None) -> bool:
    """By number, by path, or by file name with `*`; None for all."""
    if text is None or text in (str(report.id), report.path):
        return True
    return fnmatchcase(Path(report.path).name, text)
