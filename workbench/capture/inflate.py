"""Inflating gzip and zstd as streams, in bounded memory; what is whole before damage is kept.

Sources: RFC 1952 (gzip), RFC 8878 sections 3.1.1 and 3.1.2 (zstd frames).
"""

import zlib
from collections.abc import Callable
from typing import IO, Protocol, cast

import zstandard

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 16
_STEP = 1 << 15
"""Bytes inflated at a time: what is lost at most before a damaged place."""
_ENOUGH = 1 << 18
"""Bytes handed on at once."""
_ZSTD_WINDOW = 1 << 27
"""Bytes of history that a zstd file may ask for (`zstd --long` uses this much)."""


class Source(Protocol):
    """A stream of bytes."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Some bytes, 0 at the end. Raises Damaged."""
        ...


class Packed(Protocol):
    """The bytes of a compressed file."""

    def read(self, size: int = -1, /) -> bytes: ...


class Damaged(Exception):
    """A compressed stream is cut short or corrupt, in words; what came before it is good."""


class Gunzip:
    """gzip, several members; keeps every byte before the damage."""

    def __init__(self, file: Packed) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._input = b""
        self._damage: Damaged | None = None

    def readinto(self, buffer: memoryview, /) -> int:
        """Some bytes, without another read of the file once there are any."""
        got, enough = 0, min(len(buffer), _ENOUGH)
        while got < enough and self._damage is None and (self._input or not got):
            try:
                data = self._some(min(enough - got, _STEP))
            except Damaged as damage:
                self._damage = damage
                break
            if data is None:
                break
            buffer[got : got + len(data)] = data
            got += len(data)
        if self._damage is not None and not got:
            raise self._damage
        return got

    def _some(self, most: int) -> bytes | None:
        """The next bytes, none of them where more input is needed; None at the end."""
        if not self._input:
            self._input = self._file.read(_CHUNK)
        if self._inflate.eof:
            if not self._input.strip(b"\0"):  # the end, or padding that gzip tolerates too
                return None
            if not self._input.startswith(GZIP_MAGIC[: len(self._input)]):
                raise Damaged("something else follows the gzip data")
            self._inflate = zlib.decompressobj(31)
        ended = not self._input
        try:
            data = self._inflate.decompress(self._input, most)
        except zlib.error as error:
            raise Damaged(f"the gzip data are corrupt ({error})") from error
        self._input = self._inflate.unused_data or self._inflate.unconsumed_tail
        if ended and not data and not self._inflate.eof:
            raise Damaged("the gzip data are cut short")
        return data


class Unzstd:
    """zstd, several frames, bounded window."""

    def __init__(self, file: Packed) -> None:
        self._frames = _Frames(file)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.stream_reader(
            cast(IO[bytes], self._frames), read_size=_CHUNK, read_across_frames=True, closefd=False
        )

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            got: int = self._stream.readinto1(buffer[:_ENOUGH])
        except zstandard.ZstdError as error:
            raise Damaged(f"the zstd data are corrupt ({error})") from error
        if not got and not self._frames.whole:
            raise Damaged("the zstd data are cut short")
        return got


class _Frames:
    """Passes zstd bytes on and keeps count of frames and blocks, to know whether the last ended.

    The decompressor itself takes a stream that stops between two blocks for a whole one.
    """

    def __init__(self, file: Packed) -> None:
        self._file = file
        self._step: Callable[[bytes], None] = self._magic
        self._need = 4
        """Bytes that the next step looks at."""
        self._skip = 0
        """Bytes before them that nobody looks at."""
        self._held = b""
        self._checksum = False
        self._last = False
        self._lost = False

    @property
    def whole(self) -> bool:
        """The bytes so far end where a frame ends (or are no frames at all)."""
        between = self._step == self._magic and not self._skip and not self._held
        return between or self._lost

    def read(self, size: int = -1, /) -> bytes:
        data = self._file.read(size)
        at = 0
        while at < len(data) and not self._lost:
            passed = min(self._skip, len(data) - at)
            self._skip -= passed
            at += passed
            if not self._skip:
                more = data[at : at + self._need - len(self._held)]
                at += len(more)
                self._held += more
                if len(self._held) == self._need:
                    held, self._held = self._held, b""
                    self._step(held)
        return data

    def _next(self, step: Callable[[bytes], None], need: int, skip: int = 0) -> None:
        self._step, self._need, self._skip = step, need, skip

    def _magic(self, held: bytes) -> None:
        if held == ZSTD_MAGIC:
            self._next(self._descriptor, 1)
        elif held[1:] == b"\x2a\x4d\x18" and held[0] >> 4 == 5:
            self._next(self._skippable, 4)
        else:
            self._lost = True

    def _skippable(self, held: bytes) -> None:
        self._next(self._magic, 4, int.from_bytes(held, "little"))

    def _descriptor(self, held: bytes) -> None:
        single = held[0] >> 5 & 1
        self._checksum = bool(held[0] >> 2 & 1)
        content = (single, 2, 4, 8)[held[0] >> 6]
        dictionary = (0, 1, 2, 4)[held[0] & 3]
        self._next(self._block, 3, (not single) + dictionary + content)

    def _block(self, held: bytes) -> None:
        word = int.from_bytes(held, "little")
        size = 1 if word >> 1 & 3 == 1 else word >> 3  # a run of one byte has just that byte
        if word & 1:
            self._next(self._magic, 4, size + 4 * self._checksum)
        else:
            self._next(self._block, 3, size)


class Inflatable(Packed, Source, Protocol):
    """A file that may be compressed or not."""

    def peek(self, size: int, /) -> bytes:
        """The next bytes, without moving on."""
        ...


def inflated(file: Inflatable) -> tuple[Source, str]:
    """The inflated bytes of a file at its beginning, and how it is packed (empty for plain)."""
    magic = file.peek(4)
    if magic.startswith(GZIP_MAGIC):
        return Gunzip(file), "gzip"
    if magic == ZSTD_MAGIC or (magic[1:] == b"\x2a\x4d\x18" and magic[0] >> 4 == 5):
        return Unzstd(file), "zstd"
    return file, ""
