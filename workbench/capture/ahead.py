"""Reading ahead: a thread fills buffers while the kernel, which needs no GIL, empties others."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread

import numpy as np

from workbench.capture.inflate import Source

CHUNK = 1 << 20
"""Bytes read at a time."""
MARGIN = 1 << 20
"""Bytes that may be carried from one buffer to the front of the next."""
_BUFFERS = 3
_TICK = 0.1
"""Seconds between ticks."""


class ReadAhead:
    """The bytes of a source as growing pieces, a few chunks ahead of their use."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int | BaseException]] = SimpleQueue()
        for _ in range(_BUFFERS):
            self._free.put(np.empty(MARGIN + CHUNK, np.uint8).data)
        self._current: memoryview | None = None
        self._closing = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        got: int | BaseException = 1
        while isinstance(got, int) and got and not self._closing:
            buffer = self._free.get()
            if buffer is None:
                return
            try:
                got = self._source.readinto(buffer[MARGIN:]) or 0
            except BaseException as error:  # raised again by `more`, where it belongs
                got = error
            self._full.put((buffer, got))

    def more(self, rest: memoryview, tick: Callable[[], None] | None = None) -> memoryview:
        """`rest`, at most MARGIN bytes, and what follows it; just `rest` at the end.

        What was given before is valid no longer. Must not be called again after the end.
        `tick` is called before and while waiting, and may raise. Raises Damaged or OSError when
        reading fails.
        """
        buffer, got = self._wait(tick)
        if isinstance(got, BaseException):
            raise got
        start = MARGIN - len(rest)
        buffer[start:MARGIN] = rest
        if self._current is not None:
            self._free.put(self._current)
        self._current = buffer
        return buffer[start : MARGIN + got]

    def _wait(self, tick: Callable[[], None] | None) -> tuple[memoryview, int | BaseException]:
        while tick is not None:
            tick()
            try:
                return self._full.get(timeout=_TICK)
            except Empty:
                continue
        return self._full.get()

    def close(self) -> None:
        """End the thread; the source may be closed afterwards."""
        self._closing = True
        self._free.put(None)
        self._thread.join()
