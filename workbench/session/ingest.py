"""Captures into the store, each a transaction."""

import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.capture import (
    STANDARD_INPUT,
    Fragments,
    find_captures,
    fingerprint,
    former_fingerprint,
    judge_again,
)
from workbench.model.errors import CaptureError, DuplicateCapture, StoreBusy, StoreError
from workbench.model.net import ANY_SERVICE, ServiceRange
from workbench.model.recording import Ending
from workbench.model.text import plural
from workbench.model.traffic import CaptureReport, Progress, Stop, Tell
from workbench.model.vantage import replaced
from workbench.session.folder import POLICY, STORE, made_workspace
from workbench.session.reading import Reading

if TYPE_CHECKING:
    from workbench.model.policy import Policy
    from workbench.store import Store
    from workbench.store.loading import Loading

Loaded = tuple[tuple[CaptureReport, ...], tuple[Path, ...]]
"""Reports of what was loaded, and the files left out because the workspace already holds them."""
Refuse = Callable[[CaptureError], None] | None
"""Told of each file that cannot be read, while the others are loaded."""


def ingest_folder(
    folder: Path,
    paths: Iterable[Path],
    progress: Tell = None,
    cancelled: Stop = None,
    refused: Refuse = None,
    fragments: Fragments | None = None,
) -> Loaded:
    """`ingest` into a workspace that nobody has open, without the cost of a session.

    A workspace that was not there is only there afterwards if something was loaded into it.
    """
    opened: list[Store] = []
    with made_workspace(folder) as home:
        file = home / STORE
        new = not file.exists()

        def store() -> "Store":
            from workbench.store import Store  # imports duckdb while the first capture is read

            try:
                opened.append(Store.open(file))
            except StoreError as error:
                if new and not isinstance(error, StoreBusy):  # a full disk: a file that is no store
                    file.unlink(missing_ok=True)
                raise
            return opened[0]

        try:
            hints = _saved_hints(home / POLICY)
            return ingest(store, paths, hints, progress, cancelled, refused, fragments)
        finally:
            for one in opened:
                with suppress(StoreError):  # one that failed cannot tell, and must not hide why
                    if new and not one.captures():
                        file.unlink()  # while it is ours: nobody else can have opened it
                one.close()


def _saved_hints(path: Path) -> tuple[ServiceRange, ...]:
    if not os.path.lexists(path):  # before anything is imported
        return ()
    from workbench.documents import read_text
    from workbench.policy import load_policy

    return service_hints(load_policy(read_text(path), str(path)))


def service_hints(policy: "Policy") -> tuple[ServiceRange, ...]:
    """The user's services are evidence for direction; `any` says nothing."""
    ranges = (one for group in policy.services for one in group.ranges)
    return tuple(one for one in ranges if one != ANY_SERVICE)


def ingest(
    store: Callable[[], "Store"],
    paths: Iterable[Path],
    hints: Sequence[ServiceRange],
    progress: Tell = None,
    cancelled: Stop = None,
    refused: Refuse = None,
    fragments: Fragments | None = None,
) -> Loaded:
    """Load files, folders, globs and pipes; `store` may take its time to open.

    A file that has grown since it was loaded, or that was read in part, is read on from there. On
    an error the captures that were finished stay, and so do the finished stretches of a large one.
    One of several files that cannot be read is told to `refused`; it is raised where there is only
    that one, or nobody to tell. Datagrams in pieces go on from file to file, and from one load to
    the next with the same `fragments`. Raises DuplicateCapture when the workspace holds everything.
    """
    files = _distinct(paths, refused)
    if not files:
        return (), ()
    job = _Job(files, hints, progress, cancelled, refused, fragments or Fragments())
    try:
        return job.store(store())
    finally:
        job.stop()


@dataclass(frozen=True, slots=True)
class _File:
    """One that is to be loaded, as it was found."""

    path: Path
    size: int = 0
    """0 for a pipe."""
    fingerprint: str = ""
    """Empty for a pipe: it has none before it is read."""


def _distinct(paths: Iterable[Path], refused: Refuse) -> tuple[_File, ...]:
    """Each file once, under the first of its names."""
    try:
        found = find_captures(paths)
    except OSError as error:  # a folder that may not be searched, a name that is too long
        raise CaptureError(
            error.filename or "captures", error.strerror or "no such file"
        ) from error
    files = []
    for path in found:
        try:
            files.append(_file(path))
        except CaptureError as error:
            if refused is None or len(found) == 1:
                raise
            refused(error)
    return tuple(files)


def _file(path: Path) -> _File:
    try:
        if path == STANDARD_INPUT or path.is_fifo():
            return _File(path)
        size = path.stat().st_size
    except OSError as error:  # gone by now
        raise CaptureError(path, error.strerror or "cannot be read") from error
    return _File(path, size, fingerprint(path, size))


class _Job:
    """One load. The first file is being read from the start, whoever opens the store meanwhile."""

    def __init__(
        self,
        files: tuple[_File, ...],
        hints: Sequence[ServiceRange],
        progress: Tell,
        cancelled: Stop,
        refused: Refuse,
        fragments: Fragments,
    ) -> None:
        self._files = files
        self._refused = refused if len(files) > 1 else None
        self._hints = hints
        self._cancelled = cancelled
        self._fragments = fragments
        self._meter = _Meter(sum(file.size for file in files), progress)
        self._reading = self._read(files[0].path)

    def _read(self, path: Path, before: CaptureReport | None = None) -> Reading:
        report, cancelled = self._meter.report, self._cancelled
        return Reading(path, self._hints, report, cancelled, before, self._fragments)

    def stop(self) -> None:
        self._reading.stop()

    def store(self, store: "Store") -> Loaded:
        """Raises DuplicateCapture, CaptureError, Cancelled; what was finished stays."""
        held = store.captures()
        sizes = {report.size for report in held if not report.state}
        seen = {report.fingerprint for report in held}
        new: list[tuple[_File, CaptureReport | None]] = []
        there: list[_File] = []
        for file in self._files:
            if file.size in sizes and file.fingerprint not in seen:
                file = replace(file, fingerprint=_as_held(file, seen))
            if file.fingerprint in seen:
                there.append(file)
            else:
                new.append((file, _begun(file, held)))
            seen |= {file.fingerprint} - {""}
        known = tuple(file.path for file in there)
        if moved := _moved(held, there, new):
            store.relocate(moved)
        if not new and not moved:
            more = f", and {plural(len(known) - 1, 'more file')}" if known[1:] else ""
            raise DuplicateCapture(
                f"{known[0]}{more}: already in the workspace; nothing was loaded"
            )
        if not new:
            return (), known
        from workbench.store import Judge  # there already, now that there is a store

        with store.load(Judge(judge_again, tuple(self._hints))) as load:
            reports = [self._tried(load, file, before) for file, before in new]
        flows = {report.id: report.flows for report in store.captures()}  # put together by now
        return tuple(replace(report, flows=flows[report.id]) for report in reports if report), known

    def _tried(
        self, load: "Loading", file: _File, before: CaptureReport | None
    ) -> CaptureReport | None:
        """None for a file that cannot be read."""
        self._stored = False
        try:
            report = self._load(load, file, before)
        except CaptureError as error:
            if self._stored or self._refused is None:
                raise
            self._refused(error)
            self._meter.next_file(file.size)
            return None
        self._meter.next_file(report.size)
        return report

    def _load(self, load: "Loading", file: _File, before: CaptureReport | None) -> CaptureReport:
        """One file to its end, a stretch at a time."""
        while True:
            reading = self._take(file.path, before)
            if before is None or before.id is None:
                number = load.begin(str(file.path), file.fingerprint)
            else:
                number = before.id
                load.extend(number)
            for flows in reading.flows():
                self._stored = True
                load.flows(number, flows)
            report = reading.report
            if report.size == file.size and report.fingerprint != file.fingerprint:
                problem = "changed while it was read; stop the recording, or load a copy"
                raise CaptureError(file.path, problem)
            load.finish(number, report)
            before = replace(report, id=number)
            if report.ending is not Ending.PART:
                return before

    def _take(self, path: Path, before: CaptureReport | None) -> Reading:
        if (self._reading.path, self._reading.before) != (path, before):
            self._reading.stop()
            self._reading = self._read(path, before)
        return self._reading


def _as_held(file: _File, seen: Collection[str]) -> str:
    """The fingerprint by which an older version knows it, if one does."""
    former = former_fingerprint(file.path)
    return former if former in seen else file.fingerprint


def _moved(
    held: Sequence[CaptureReport],
    there: Iterable[_File],
    new: Sequence[tuple[_File, CaptureReport | None]],
) -> dict[int, str]:
    """Captures whose files are now elsewhere → where: the old name is gone, or another's."""
    others = {os.path.realpath(file.path): begun for file, begun in new}
    older = replaced(held)
    lost = {
        report.fingerprint: report.id or 0
        for report in held
        if _is_gone(report)
        or report.id in older
        or (report.path in others and others[report.path] is not report)
    }
    return {
        lost[file.fingerprint]: os.path.realpath(file.path)
        for file in there
        if file.fingerprint in lost
    }


def _is_gone(report: CaptureReport) -> bool:
    """Whether its file was moved away; a pipe leaves none."""
    return Path(report.path).is_absolute() and not Path(report.path).exists()


def _begun(file: _File, held: Iterable[CaptureReport]) -> CaptureReport | None:
    """The capture that is the beginning of this file."""
    for report in held:
        if (
            report.path == os.path.realpath(file.path)
            and report.state
            and report.size < file.size
            and report.fingerprint == fingerprint(file.path, report.size)
        ):
            return report
    return None


class _Meter:
    """Progress over several files as one figure, in bytes."""

    def __init__(self, total: int, tell: Tell) -> None:
        self._total = total
        self._tell = tell
        self._before = 0
        self._packets_before = 0
        self._packets = 0
        self._start = time.monotonic()

    def report(self, part: Progress) -> None:
        """Show how far one file is, as part of all of them."""
        self._packets = part.packets
        if self._tell:
            self._tell(
                Progress(
                    part.label,
                    self._before + part.done,
                    self._total,
                    self._packets_before + part.packets,
                    time.monotonic() - self._start,
                )
            )

    def next_file(self, size: int) -> None:
        """One file is done."""
        self._before += size
        self._packets_before += self._packets
        self._packets = 0
