"""Captures into the store: all of them, or none."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from workbench.capture import find_captures, fingerprint, read_capture
from workbench.model.errors import CaptureError, DuplicateCapture
from workbench.model.net import ServiceRange
from workbench.model.traffic import CaptureReport, Progress
from workbench.store import Store


def ingest(
    store: Store,
    paths: Iterable[Path],
    hints: Sequence[ServiceRange],
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[tuple[CaptureReport, ...], tuple[Path, ...]]:
    """Load files, folders and globs in one transaction.

    Returns the reports of what was loaded, and the files left out because the workspace already
    holds them. Raises DuplicateCapture when that leaves nothing to load.
    """
    new, known = _sort_out(store, _found(paths))
    if not new:
        raise DuplicateCapture(f"{known[0]}: already in the workspace; nothing was loaded")
    meter = _Meter(sum(size for _, size in new.values()), progress)
    reports = []
    with store.load() as load:
        for path, (digest, _) in new.items():
            capture = load.begin(str(path), digest)
            report = read_capture(
                path,
                on_flows=partial(load.flows, capture),
                hints=hints,
                progress=meter.report if progress else None,
                cancelled=cancelled,
            )
            if report.fingerprint != digest:
                problem = "changed while it was read; stop the recording, or load a copy"
                raise CaptureError(path, problem)
            load.finish(capture, report)
            meter.next_file(report)
            reports.append(replace(report, id=capture))
    return tuple(reports), tuple(known)


def _found(paths: Iterable[Path]) -> tuple[Path, ...]:
    try:
        return find_captures(paths)
    except OSError as error:  # a folder that may not be searched, a name that is too long
        raise CaptureError(
            error.filename or "captures", error.strerror or "no such file"
        ) from error


def _sort_out(
    store: Store, paths: Iterable[Path]
) -> tuple[dict[Path, tuple[str, int]], list[Path]]:
    """New files with fingerprint and size, and the files whose content is here already."""
    seen = {report.fingerprint for report in store.captures()}
    new: dict[Path, tuple[str, int]] = {}
    known: list[Path] = []
    for path in paths:
        digest = fingerprint(path)
        if path.resolve() in new:
            continue  # one file under two names
        if digest in seen:
            known.append(path)
        else:
            seen.add(digest)
            new[path.resolve()] = digest, path.stat().st_size
    return new, known


class _Meter:
    """Progress over several files as one figure, in bytes."""

    def __init__(self, total: int, tell: Callable[[Progress], None] | None) -> None:
        self._total = total
        self._tell = tell
        self._before = 0
        self._packets_before = 0
        self._packets = 0
        self._start = time.monotonic()

    def report(self, part: Progress) -> None:
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
        self._before += report.size
        self._packets_before += self._packets
        self._packets = 0
