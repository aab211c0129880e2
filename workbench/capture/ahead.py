"""Buffers filled from a source, ahead of their use: by a thread of their own where filling takes
time, else by whichever thread has nothing better to do."""

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue, SimpleQueue
from threading import Lock, Thread

import numpy as np

from workbench.capture.inflate import Source
from workbench.capture.memory import on_a_page

CHUNK = 1 << 22
"""Bytes read at a time."""
MARGIN = 1 << 20
"""Bytes that may be carried from one buffer to the front of the next."""
_AHEAD = 2
"""Buffers filled before they are asked for."""
_TICK = 0.1
"""Seconds between ticks."""


class Loan:
    """A buffer on loan: when nobody holds this any more, the buffer is filled again."""

    __slots__ = ("_shelf", "buffer")

    def __init__(self, buffer: memoryview, shelf: SimpleQueue[memoryview]) -> None:
        self.buffer = buffer
        self._shelf = shelf

    def __del__(self) -> None:
        self._shelf.put(self.buffer)


class ReadAhead:
    """The bytes of a source as growing pieces."""

    def __init__(self, source: Source, *, ahead: bool) -> None:
        """ahead: False starts no thread. What is just copied from the page cache is best used by
        the processor that copied it."""
        self._source = source
        self._shelf: SimpleQueue[memoryview] = SimpleQueue()
        self._full: Queue[tuple[memoryview, int | BaseException]] = Queue(_AHEAD)
        self.loan: Loan | None = None
        """Hold it as long as the bytes that `more` gave last are used."""
        self._reading = Lock()
        self._ended = False
        self._closing = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True) if ahead else None
        if self._thread is not None:
            self._thread.start()

    def _run(self) -> None:
        while not self._ended and not self._closing:
            self._full.put(self._read())

    def fill(self) -> bool:
        """Fill one buffer ahead, in the thread that calls; False where there is nothing to do."""
        if self._thread is not None or not self._reading.acquire(blocking=False):
            return False
        try:
            if self._ended or self._full.full():
                return False
            self._full.put(self._read())
            return True
        finally:
            self._reading.release()

    def _read(self) -> tuple[memoryview, int | BaseException]:
        buffer = self._empty()
        got: int | BaseException
        try:
            got = self._source.readinto(buffer[MARGIN:]) or 0
        except BaseException as error:  # raised again by `more`, where it belongs
            got = error
        self._ended = not isinstance(got, int) or not got
        return buffer, got

    def _empty(self) -> memoryview:
        try:
            return self._shelf.get_nowait()
        except Empty:
            return on_a_page(MARGIN + CHUNK, np.uint8).data

    def more(self, rest: memoryview, tick: Callable[[], None] | None = None) -> memoryview:
        """`rest`, at most MARGIN bytes, and what follows it; just `rest` at the end.

        Valid as long as the `loan` is held. Must not be called again after the end. `tick` is
        called before and while waiting, and may raise. Raises Damaged or OSError when reading
        fails.
        """
        if self._thread is None:
            if tick is not None:
                tick()
            with self._reading:
                buffer, got = self._read() if self._full.empty() else self._full.get_nowait()
        else:
            buffer, got = self._wait(tick)
        if isinstance(got, BaseException):
            raise got
        start = MARGIN - len(rest)
        buffer[start:MARGIN] = rest
        self.loan = Loan(buffer, self._shelf)
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
        while self._thread is not None and self._thread.is_alive():
            with suppress(Empty):  # it may wait for room
                self._full.get_nowait()
            self._thread.join(0.001)
