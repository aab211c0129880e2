"""Buffers filled with a capture's bytes, ahead of their use.

Where the bytes take time to come (inflated, or from a pipe) a thread of its own waits for them. A
plain file's are copied out of the page cache, at gigabytes a second; next to that there is little
else to do, so several threads copy at once, whenever they have nothing better to do.
"""

from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, Queue, SimpleQueue
from threading import Lock, Thread

import numpy as np

from workbench.capture.inflate import Source
from workbench.capture.memory import on_a_page
from workbench.capture.rawfile import RawFile, Tick

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


class Feed(ABC):
    """The bytes of a capture as growing pieces."""

    def __init__(self) -> None:
        self._shelf: SimpleQueue[memoryview] = SimpleQueue()
        self.loan: Loan | None = None
        """Hold it as long as the bytes that `more` gave last are used."""

    def more(self, rest: memoryview, tick: Tick = None) -> memoryview:
        """`rest`, at most MARGIN bytes, and what follows it; just `rest` at the end.

        Valid as long as the `loan` is held. Must not be called again after the end. `tick` is
        called before and while waiting, and may raise. Raises Damaged or OSError when reading
        fails.
        """
        buffer, got = self._take(tick)
        start = MARGIN - len(rest)
        buffer[start:MARGIN] = rest
        self.loan = Loan(buffer, self._shelf)
        return buffer[start : MARGIN + got]

    def fill(self) -> bool:
        """Fill one buffer ahead, in the thread that calls; False where there is nothing to do."""
        return False

    def close(self) -> None:
        """End what is going on; the file may be closed afterwards."""
        return

    @abstractmethod
    def _take(self, tick: Tick) -> tuple[memoryview, int]:
        """The next buffer and how many bytes behind MARGIN are filled: none at the end."""

    def _empty(self) -> memoryview:
        try:
            return self._shelf.get_nowait()
        except Empty:
            return on_a_page(MARGIN + CHUNK, np.uint8).data


class ReadAhead(Feed):
    """A stream, read by a thread of its own."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._full: Queue[tuple[memoryview, int | BaseException]] = Queue(_AHEAD)
        self._closing = False
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        ended = False
        while not ended and not self._closing:
            buffer = self._empty()
            got: int | BaseException
            try:
                got = self._source.readinto(buffer[MARGIN:]) or 0
            except BaseException as error:  # raised again by `more`, where it belongs
                got = error
            ended = not isinstance(got, int) or not got
            self._full.put((buffer, got))

    def _take(self, tick: Tick) -> tuple[memoryview, int]:
        buffer, got = self._wait(tick)
        if isinstance(got, BaseException):
            raise got
        return buffer, got

    def _wait(self, tick: Tick) -> tuple[memoryview, int | BaseException]:
        while tick is not None:
            tick()
            try:
                return self._full.get(timeout=_TICK)
            except Empty:
                continue
        return self._full.get()

    def close(self) -> None:
        self._closing = True
        while self._thread.is_alive():
            with suppress(Empty):  # it may wait for room
                self._full.get_nowait()
            self._thread.join(0.001)


class Copying(Feed):
    """A plain file, copied by the threads that call: each takes the next stretch of it."""

    def __init__(self, file: RawFile) -> None:
        """From the file's position on, which follows what `more` gives."""
        super().__init__()
        self._file = file
        self._lock = Lock()
        self._place = file.position  # of the next stretch to be copied
        self._ahead: deque[_Stretch] = deque()
        self._ended = False

    def fill(self) -> bool:
        with self._lock:
            if self._ended or len(self._ahead) >= _AHEAD:
                return False
            stretch = self._stretch()
            self._ahead.append(stretch)
        stretch.copy(self._file)
        return True

    def _stretch(self) -> "_Stretch":
        place = self._place
        self._place += CHUNK
        return _Stretch(place, self._empty())

    def _take(self, tick: Tick) -> tuple[memoryview, int]:
        if tick is not None:
            tick()
        with self._lock:
            begun = bool(self._ahead)
            stretch = self._ahead.popleft() if begun else self._stretch()
        if not begun:
            stretch.copy(self._file)
        got = stretch.got.result()
        if got < len(stretch.buffer) - MARGIN:  # the end, for now: what comes next begins here
            with self._lock:
                self._ahead.clear()
                self._place = stretch.place + got
                self._ended = not got
        self._file.position = stretch.place + got
        return stretch.buffer, got


class _Stretch:
    """Some bytes of a file on their way into a buffer."""

    __slots__ = ("buffer", "got", "place")

    def __init__(self, place: int, buffer: memoryview) -> None:
        self.place = place
        self.buffer = buffer
        self.got: Future[int] = Future()

    def copy(self, file: RawFile) -> None:
        try:
            self.got.set_result(file.read_at(self.place, self.buffer[MARGIN:]))
        except BaseException as error:  # raised again where the bytes are needed
            self.got.set_exception(error)
