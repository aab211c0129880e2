"""What one load left in the store: read once, true until the next load."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from workbench import capture
from workbench.model.errors import CaptureError, FilterError, InputError, StoreBusy
from workbench.model.filters import Filter, Term
from workbench.model.packets import Piece
from workbench.model.traffic import CaptureReport, Flow
from workbench.store import Store

_KEPT = 16
"""Flow-level filters whose rows are remembered: screens ask for the same one again and again."""


class Traffic:
    """Captures and conversations, and which conversations have flows of some kind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._known: dict[tuple[Term, ...], NDArray[np.bool_]] = {}
        self.captures: tuple[CaptureReport, ...] = store.captures()
        self.table = store.conversations(store.hosts())
        """Of the hosts seen."""
        self.names = store.names()
        """Address → what captures call it."""

    def having(self, wanted: Filter) -> NDArray[np.bool_]:
        """Rows with a flow that fits all these (flow-level) terms at once. Raises FilterError."""
        self.check(wanted)
        with self._lock:
            rows = self._known.pop(wanted.terms, None)
            if rows is None:
                rows = self._store.having(wanted.terms)
                if len(rows) != len(self.table):  # a load was committed a moment ago
                    raise StoreBusy("captures have just been loaded: ask again")
                rows.setflags(write=False)
            self._known[wanted.terms] = rows  # the one asked for last comes last
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]
            return rows

    def check(self, wanted: Filter) -> None:
        """Raises FilterError for a capture that is not here."""
        for term in wanted.terms:
            for value in term.values if term.field == "capture" else ():
                if not any(_called(report, value) for report in self.captures):
                    problem = f"no capture is called {value!r}; `workbench captures` lists them"
                    raise FilterError(problem, text=str(wanted), position=term.position)

    def capture(self, number: int) -> CaptureReport:
        """One capture by its number. Raises InputError."""
        for report in self.captures:
            if report.id == number:
                return report
        raise InputError(f"capture {number} is not in the workspace any more")

    def pieces_of(self, flows: Iterable[Flow]) -> dict[Flow, tuple[Piece, ...]]:
        """Where the packets of flows are.

        Raises CaptureError where a file is not the one we read; each is looked at once.
        """
        wanted = tuple(flows)
        stretches = self._store.pieces(flow.id for flow in wanted)
        captures = {capture for one in stretches.values() for capture, *_ in one}
        paths = {number: unchanged(self.capture(number)) for number in captures}
        return {
            flow: tuple(Piece(paths[number], *place) for number, *place in stretches[flow.id])
            for flow in wanted
        }


def unchanged(report: CaptureReport) -> Path:
    """The file of a capture. Raises CaptureError where it is not the one that we read."""
    path = Path(report.path)
    if not report.state and not (path.is_absolute() and path.is_file()):
        raise CaptureError(path, "read from a pipe: flows stay, but their packets are gone")
    if not path.exists():
        problem = "not there any more: flows stay; to see packets, load it again where it is now"
        raise CaptureError(path, problem)
    if not path.is_file() or not _same(path, report):
        problem = "not the file that was loaded: it changed since; load it into a new workspace"
        raise CaptureError(path, problem)
    return path


def _same(path: Path, report: CaptureReport) -> bool:
    return (
        capture.fingerprint(path, report.size) == report.fingerprint
        or capture.former_fingerprint(path) == report.fingerprint
    )


def _called(report: CaptureReport, value: str) -> bool:
    """As the store finds captures: by number, by path, or by file name with `*`."""
    return value in (str(report.id), report.path) or fnmatchcase(Path(report.path).name, value)
