"""A capture's own bytes, from a file or a pipe: counted, peeked into, and never waited for in vain.

Opening is careful: a pipe without a writer, a terminal, a device or a folder each get a clear line
instead of a program that hangs.
"""

import io
import os
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol

from workbench.capture.files import STANDARD_INPUT, Fingerprint, sampled
from workbench.model.errors import CaptureError

WRITER_PATIENCE = 5.0
"""Seconds that a named pipe is waited for until something opens its other end."""
Tick = Callable[[], None] | None
"""Called while bytes are read or waited for; may raise to stop."""
_POLL = 100
"""Milliseconds between looks at the clock and at the user's wish to stop."""
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


class RawStream(Protocol):
    """What a capture can be read from: an unbuffered file, or any binary stream."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...
    def seekable(self) -> bool: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...


class RawFile:
    """An open capture file or pipe; `position` counts the bytes read of it."""

    def __init__(
        self,
        path: Path,
        stream: RawStream,
        tick: Tick = None,
        head: bytes = b"",
    ) -> None:
        """tick: called while `peek` waits; head: bytes that were already taken off a pipe."""
        self.path = path
        self.position = len(head)
        self.seekable = stream.seekable()
        self._stream = stream
        self._head = head
        self._tick = tick
        self._stopped = False
        self._moving = Lock()
        self._poll: Callable[[int], Sequence[object]] | None = None
        self._passed: Fingerprint | None = None
        if self.seekable:
            self._start = stream.tell()
        else:
            self._passed = Fingerprint()
            self._passed.add(memoryview(head))
            self._poll = _pollable(stream)
        self.first_size = self.size

    @property
    def size(self) -> int:
        """Bytes in all as of now; 0 where that is unknown."""
        if not self.seekable:
            return 0
        try:
            return max(0, os.fstat(self._stream.fileno()).st_size - self._start)
        except io.UnsupportedOperation:  # in memory
            here = self._stream.tell()
            size = self._stream.seek(0, io.SEEK_END) - self._start
            self._stream.seek(here)
            return size

    def peek(self, size: int, /) -> bytes:
        """The next bytes, fewer only at the end, without moving on."""
        while len(self._head) < size:
            more = bytearray(size - len(self._head))
            if not (got := self._get(memoryview(more), self._tick)):
                break
            self._head += more[:got]
        return self._head[:size]

    def seek(self, offset: int) -> None:
        """Go to a byte of a seekable file."""
        self._head = b""
        self._stream.seek(self._start + offset)
        self.position = offset

    def readinto(self, buffer: memoryview, /) -> int:
        if self._head:
            got = min(len(buffer), len(self._head))
            buffer[:got] = self._head[:got]
            self._head = self._head[got:]
            return got
        return self._get(buffer)

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""
        data = bytearray(size if size >= 0 else 1 << 16)
        return bytes(data[: self.readinto(memoryview(data))])

    def _get(self, buffer: memoryview, tick: Tick = None) -> int:
        got = None
        while got is None:
            while self._poll is not None and not self._poll(_POLL):
                if self._stopped:
                    return 0
                if tick is not None:
                    tick()
            got = self._stream.readinto(buffer)
        self.position += got
        if self._passed is not None:
            self._passed.add(buffer[:got])
        return got

    def fingerprint(self, upto: int | None = None) -> str:
        """Of the bytes before `position`, or the first `upto` of a seekable file.

        To be asked for before the file is closed.
        """
        if self._passed is not None:
            return self._passed.hexdigest()
        return sampled(self._sample, self.position if upto is None else upto)

    def _sample(self, size: int, offset: int) -> bytes:
        data = bytearray(size)
        return bytes(data[: self.read_at(offset, memoryview(data))])

    def read_at(self, offset: int, buffer: memoryview) -> int:
        """Fill the buffer from a byte of a seekable file, in any thread; fewer bytes at the end.

        `position` stays as it is.
        """
        try:
            return os.preadv(self._stream.fileno(), [buffer], self._start + offset)
        except io.UnsupportedOperation:  # in memory
            with self._moving:
                here = self._stream.tell()
                self._stream.seek(self._start + offset)
                got = self._stream.readinto(buffer) or 0
                self._stream.seek(here)
                return got

    def stop(self) -> None:
        """Reads that wait, in whatever thread, end now."""
        self._stopped = True

    def close(self) -> None:
        self._stream.close()


def _pollable(stream: RawStream) -> Callable[[int], Sequence[object]] | None:
    """Waits so many milliseconds for something to read."""
    try:
        poll = select.poll()
        poll.register(stream.fileno(), select.POLLIN)
    except (OSError, AttributeError):  # in memory; or a system without poll
        return None
    return poll.poll


def open_raw(path: Path, tick: Tick = None) -> RawFile:
    """Open a regular file, a named pipe, or standard input (`-`).

    tick: called while a pipe is waited for; it may raise. Raises CaptureError, in words.
    """
    if path == STANDARD_INPUT:
        return _standard_input(path, tick)
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind in _KINDS:
            raise CaptureError(path, f"{_KINDS[kind]}, not a regular file")
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        file = io.FileIO(handle, "rb")
    except OSError as error:
        raise CaptureError(path, error.strerror or "cannot be read") from error
    try:
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
        if kind not in (stat.S_IFREG, stat.S_IFIFO):
            raise CaptureError(path, "not a regular file")
        head = _first_byte(path, handle, tick) if kind == stat.S_IFIFO else b""
        return RawFile(path, file, tick, head)
    except BaseException:
        file.close()
        raise


def _standard_input(path: Path, tick: Tick) -> RawFile:
    try:
        handle = sys.__stdin__.fileno() if sys.__stdin__ else 0
        kind = stat.S_IFMT(os.fstat(handle).st_mode)
    except (OSError, ValueError) as error:
        raise CaptureError(path, "there is no standard input") from error
    if os.isatty(handle):
        raise CaptureError(path, "standard input is a terminal: pipe a capture into it")
    if kind not in (stat.S_IFREG, stat.S_IFIFO, stat.S_IFSOCK):
        raise CaptureError(path, f"standard input is {_KINDS.get(kind, 'no file')}")
    return RawFile(path, io.FileIO(handle, "rb", closefd=False), tick)


def _first_byte(path: Path, handle: int, tick: Tick) -> bytes:
    """Of a pipe; none where it is silent as yet, though somebody is there to write to it."""
    until = time.monotonic() + WRITER_PATIENCE
    while True:
        try:
            if byte := os.read(handle, 1):
                return byte
        except BlockingIOError:
            return b""
        if time.monotonic() > until:
            words = f"a pipe that nothing writes to (waited {WRITER_PATIENCE:.0f} s)"
            raise CaptureError(path, words)
        if tick is not None:
            tick()
        time.sleep(_POLL / 1000)
