"""The payload of captures is read when findings are looked for, once, and what it says is kept."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from workbench import capture
from workbench.model.errors import CaptureError, StoreError
from workbench.model.traffic import CaptureReport, Stop, Tell
from workbench.session.traffic import unchanged
from workbench.store import Store


def listened(
    store: Store, captures: Iterable[CaptureReport], progress: Tell = None, cancelled: Stop = None
) -> tuple[str, ...]:
    """Listen to captures that nobody has listened to as they are now.

    Gives a line for each that could not be listened to, or not to the end. Raises Cancelled; what
    was heard before is kept. A store that takes nothing now is left as it is.
    """
    known = store.heard(capture.PARSERS)
    problems = []
    for report in captures:
        if report.id is None:
            continue
        before = known.get(report.id)
        if before is not None and before[0] == report.fingerprint:
            problem = before[1]
        else:
            problem = _listen(store, report, report.id, progress, cancelled)
        if problem:
            problems.append(f"{Path(report.path).name}: {problem}")
    return tuple(problems)


def unread(store: Store, captures: Iterable[CaptureReport]) -> bool:
    """Whether there is a capture that can be listened to, and that nobody listened to."""
    known = store.heard(capture.PARSERS)
    return any(
        report.id is not None
        and known.get(report.id, ("", ""))[0] != report.fingerprint
        and _there(report)
        for report in captures
    )


def _there(report: CaptureReport) -> bool:
    try:
        unchanged(report)
    except CaptureError:
        return False
    return True


def _listen(
    store: Store, report: CaptureReport, number: int, progress: Tell, cancelled: Stop
) -> str:
    try:
        path = unchanged(report)
        if store.read_only:
            return "its payload was not read, as another process has the workspace: look again"
        found = capture.listen(path, progress, cancelled)
    except CaptureError as error:
        return str(error)
    with suppress(StoreError):  # being loaded into: the next look will keep it
        store.keep_heard(number, report.fingerprint, capture.PARSERS, found)
        return found.problem
    return "captures were being loaded: look again"
