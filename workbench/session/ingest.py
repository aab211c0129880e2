"""Captures into the store, each a transaction."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.capture import find_captures, fingerprint, judge_again
from workbench.model.errors import CaptureError, DuplicateCapture
from workbench.model.net import ANY_SERVICE, ServiceRange
from workbench.model.policy import Policy
from workbench.model.traffic import CaptureReport, Progress
from workbench.session.folder import POLICY, STORE, workspace_folder
from workbench.session.reading import Reading

if TYPE_CHECKING:
    from workbench.store import Store

Loaded = tuple[tuple[CaptureReport, ...], tuple[Path, ...]]
"""Reports of what was loaded, and the files left out because the workspace already holds them."""
Tell = Callable[[Progress], None] | None
Stop = Callable[[], bool] | None


def ingest_folder(
    folder: Path, paths: Iterable[Path], progress: Tell = None, cancelled: Stop = None
) -> Loaded:
    """`ingest` into a workspace that nobody has open, without the cost of a session."""
    home = workspace_folder(folder)
    opened: list[Store] = []

    def store() -> "Store":
        from workbench.store import Store  # imports duckdb while the first capture is being read

        opened.append(Store.open(home / STORE))
        return opened[0]

    try:
        return ingest(store, paths, _saved_hints(home / POLICY), progress, cancelled)
    finally:
        for one in opened:
            one.close()


def _saved_hints(path: Path) -> tuple[ServiceRange, ...]:
    if not path.exists():
        return ()
    from workbench.documents import read_text
    from workbench.policy import load_policy

    return service_hints(load_policy(read_text(path), str(path)))


def service_hints(policy: Policy) -> tuple[ServiceRange, ...]:
    """The user's services are evidence for direction; `any` says nothing."""
    ranges = (one for group in policy.services for one in group.ranges)
    return tuple(one for one in ranges if one != ANY_SERVICE)


def ingest(
    store: Callable[[], "Store"],
    paths: Iterable[Path],
    hints: Sequence[ServiceRange],
    progress: Tell = None,
    cancelled: Stop = None,
) -> Loaded:
    """Load files, folders and globs; `store` may take its time to open.

    On an error the captures that were finished stay. Raises DuplicateCapture when the workspace
    already holds everything.
    """
    job = _Job(_distinct(paths), hints, progress, cancelled)
    try:
        return job.store(store())
    finally:
        job.stop()


def _distinct(paths: Iterable[Path]) -> dict[Path, tuple[str, int]]:
    """Each file once, under the first of its names: fingerprint and size."""
    try:
        found = find_captures(paths)
    except OSError as error:  # a folder that may not be searched, a name that is too long
        raise CaptureError(
            error.filename or "captures", error.strerror or "no such file"
        ) from error
    return {path.resolve(): (fingerprint(path), path.stat().st_size) for path in found}


class _Job:
    """One load. The first file is being read from the start, whoever opens the store meanwhile."""

    def __init__(
        self,
        files: dict[Path, tuple[str, int]],
        hints: Sequence[ServiceRange],
        progress: Tell,
        cancelled: Stop,
    ) -> None:
        self._files = files
        self._hints = hints
        self._cancelled = cancelled
        self._meter = _Meter(sum(size for _, size in files.values()), progress)
        self._reading = self._read(next(iter(files)))

    def _read(self, path: Path) -> Reading:
        return Reading(path, self._hints, self._meter.report, self._cancelled)

    def stop(self) -> None:
        self._reading.stop()

    def store(self, store: "Store") -> Loaded:
        """Raises DuplicateCapture, CaptureError, Cancelled; the store is then as it was."""
        seen = {report.fingerprint for report in store.captures()}
        new: list[Path] = []
        known: list[Path] = []
        for path, (digest, _) in self._files.items():
            (known if digest in seen else new).append(path)
            seen.add(digest)
        if not new:
            raise DuplicateCapture(f"{known[0]}: already in the workspace; nothing was loaded")
        from workbench.store import Judge  # there already, now that there is a store

        reports = []
        with store.load(Judge(judge_again, tuple(self._hints))) as load:
            for path in new:
                digest = self._files[path][0]
                reading = self._take(path)
                number = load.begin(str(path), digest)
                for flows in reading.flows():
                    load.flows(number, flows)
                report = reading.report
                if report.fingerprint != digest:
                    problem = "changed while it was read; stop the recording, or load a copy"
                    raise CaptureError(path, problem)
                load.finish(number, report)
                self._meter.next_file(report)
                reports.append(replace(report, id=number))
        return tuple(reports), tuple(known)

    def _take(self, path: Path) -> Reading:
        if self._reading.path != path:
            self._reading.stop()
            self._reading = self._read(path)
        return self._reading


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

    def next_file(self, report: CaptureReport) -> None:
        """One file is done."""
        self._before += report.size
        self._packets_before += self._packets
        self._packets = 0
