"""Captures that are still being written: read on as they grow, new ones as they come."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from workbench.capture import Fragments, find_captures
from workbench.model.errors import CaptureError, DuplicateCapture, StoreBusy
from workbench.model.traffic import CaptureReport, Tell
from workbench.session.ingest import ingest_folder

_TICK = 0.1
"""Seconds between looks at whether to stop."""

Seen = tuple[int, int, int]
"""Inode, size and time of change: what tells that a file is worth another look."""


Told = CaptureReport | CaptureError | StoreBusy


def follow_folder(
    folder: Path,
    paths: Iterable[Path],
    progress: Tell,
    cancelled: Callable[[], bool],
    every: float = 1.0,
) -> Iterator[Told]:
    """Load files, folders and globs, then what grows or comes, until `cancelled`.

    Yields a report after each reading, once for each state of a file why it cannot be read (a file
    just begun is no capture yet), and that another process has the workspace: what it keeps us from
    loading is loaded afterwards. Raises StoreBusy where one has it from the start. every: seconds
    between looks.
    """
    asked = tuple(paths)
    fragments = Fragments()  # of a ring's files, which come one after the other
    seen: dict[Path, Seen] = {}
    first, waiting = True, False
    while not cancelled():
        try:
            found = find_captures(asked)
        except CaptureError as error:
            if first:
                raise
            yield error
            found = ()
        changed = [path for path in found if seen.get(path) != _now(path)]
        states = {path: _now(path) for path in changed}
        try:
            yield from _loaded(folder, changed, progress, cancelled, fragments)
            seen |= states
            waiting = waiting and not changed
        except StoreBusy as error:
            if first:
                raise
            if not waiting:
                yield error
            waiting = True
        first = False
        until = time.monotonic() + every
        while time.monotonic() < until and not cancelled():
            time.sleep(_TICK)


def _loaded(
    folder: Path,
    changed: Sequence[Path],
    progress: Tell,
    cancelled: Callable[[], bool],
    fragments: Fragments,
) -> Iterator[CaptureReport | CaptureError]:
    """What one look found; those that cannot be read are left out. Raises StoreBusy."""
    while changed:
        refused: list[CaptureError] = []
        reports: tuple[CaptureReport, ...] = ()
        left = []
        try:
            reports, _ = ingest_folder(
                folder, changed, progress, cancelled, refused.append, fragments
            )
        except DuplicateCapture:
            pass
        except CaptureError as error:  # after a part of that file was stored
            left = [path for path in changed if not _same(path, error.path)]
            refused.append(error)
        yield from refused
        yield from reports
        changed = left


def _same(path: Path, other: Path | str) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _now(path: Path) -> Seen:
    with suppress(OSError):
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns
    return 0, 0, 0
