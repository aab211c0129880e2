"""A capture read in a thread of its own, so that reading, opening the store and storing overlap."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread

from workbench.capture import Fragments, read_capture
from workbench.model.net import ServiceRange
from workbench.model.traffic import CaptureReport, FlowColumns, Stop, Tell

STRETCH = 8 << 30
"""Bytes of a file read in one go: what is lost at most when the work is interrupted."""
_AHEAD = 4
"""Batches of flows read and not yet stored: this bounds the memory between the two threads."""
_PATIENCE = 0.1
"""Seconds between looks at whether anybody still wants the flows."""


class Reading:
    """Starts at once. Take `flows()`, then `report`; or `stop()` it."""

    def __init__(
        self,
        path: Path,
        hints: Sequence[ServiceRange],
        progress: Tell,
        cancelled: Stop,
        before: CaptureReport | None = None,
        fragments: Fragments | None = None,
    ) -> None:
        """before: go on from there. fragments: see `read_capture`."""
        self.path = path
        self.before = before
        self._fragments = fragments
        self._queue: Queue[FlowColumns | CaptureReport | BaseException] = Queue(_AHEAD)
        self._stop = Event()
        self._thread = Thread(
            target=self._run, args=(hints, progress, cancelled), name="read-capture", daemon=True
        )
        self._thread.start()

    def flows(self) -> Iterator[FlowColumns]:
        """Batches as they are read; raises what reading raised (CaptureError, Cancelled)."""
        while True:
            item = self._queue.get()
            if isinstance(item, BaseException):
                try:
                    raise item
                finally:
                    del item  # or the error would hold this frame, and this frame the error
            if isinstance(item, CaptureReport):
                self.report = item
                return
            yield item

    def stop(self) -> None:
        """Give up; returns when the thread is gone."""
        self._stop.set()
        self._thread.join()

    def _run(
        self,
        hints: Sequence[ServiceRange],
        progress: Tell,
        cancelled: Stop,
    ) -> None:
        def stopped() -> bool:
            return self._stop.is_set() or (cancelled is not None and cancelled())

        try:
            report = read_capture(
                self.path,
                on_flows=self._put,
                hints=hints,
                progress=progress,
                cancelled=stopped,
                before=self.before,
                limit=STRETCH,
                fragments=self._fragments,
            )
        except BaseException as error:  # raised again where the flows are taken
            self._put(error)
        else:
            self._put(report)

    def _put(self, item: FlowColumns | CaptureReport | BaseException) -> None:
        while not self._stop.is_set():
            try:
                return self._queue.put(item, timeout=_PATIENCE)
            except Full:
                continue
        return None
