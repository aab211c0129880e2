"""Writing a report: one file, or a folder of tables; never over what is not a report of ours."""

from pathlib import Path
from typing import TYPE_CHECKING

from workbench import report
from workbench.documents import write_atomic
from workbench.model.errors import InputError
from workbench.model.report import ReportFormat
from workbench.model.traffic import Stop, Tell
from workbench.session.folder import own_files, real
from workbench.session.reporting import Wish, gather

if TYPE_CHECKING:
    from workbench.session.session import Session

_HEAD = 4096
"""Bytes within which a report says what it is."""
_ABOUT = "about.csv"


def write_report(
    session: "Session",
    out: Path,
    form: ReportFormat = ReportFormat.HTML,
    wish: Wish | None = None,
    *,
    replace: bool = False,
    progress: Tell = None,
    cancelled: Stop = None,
) -> tuple[Path, ...]:
    """Gather and write; the paths written. CSV makes a folder of `out`.

    An older report may be replaced, and is kept as `<name>~`; anything else only with `replace`.
    Raises InputError, Cancelled, and then nothing was written.
    """
    _spare(session, out)
    _refuse(out, form, replace)
    facts = gather(session, wish or Wish(), progress, cancelled)
    document = report.document(facts)
    if form is ReportFormat.CSV:
        texts = {out / name: text for name, text in report.csv_files(document).items()}
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{out}: cannot make the folder: {error.strerror}") from error
    else:
        page = report.html_page if form is ReportFormat.HTML else report.markdown_page
        texts = {out: page(document)}
    for path, text in texts.items():
        write_atomic(path, text)
    return tuple(texts)


def _spare(session: "Session", out: Path) -> None:
    """What the report is made from is never its place, whatever the user says."""
    sources = {real(Path(report.path)) for report in session.captures()}
    if real(out) in sources | own_files(session.workspace):
        raise InputError(f"{out}: the report is made from it; write the report elsewhere")


def _refuse(out: Path, form: ReportFormat, replace: bool) -> None:
    """Before the work begins. Raises InputError."""
    folder = form is ReportFormat.CSV
    if not out.absolute().parent.is_dir():
        raise InputError(f"{out}: no such folder to write it in")
    if not out.exists() or replace:
        return
    if folder and not out.is_dir():
        raise InputError(f"{out}: is a file; CSV is written as a folder of tables")
    if not folder and not out.is_file():
        raise InputError(f"{out}: is no regular file; name one to write the report to")
    if folder and not any(out.iterdir()):
        return
    about = out / _ABOUT if folder else out
    if not _is_report(about):
        raise InputError(
            f"{out}: is there already and no report; nothing was written (--replace replaces it)"
        )


def _is_report(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        return report.MARK_LINE.encode() in file.read(_HEAD)
