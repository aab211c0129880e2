"""Capture files on disk: finding them, telling them apart, and inflating compressed ones."""

import glob
import hashlib
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import zstandard

from workbench.model.errors import CaptureError

SUFFIXES = tuple(
    kind + packed
    for kind in (".pcap", ".pcapng", ".cap", ".ntar")
    for packed in ("", ".gz", ".zst")
)
"""What a folder is searched for. A file named outright may be called anything."""
GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_CHUNK = 1 << 16
_STEP = 1 << 15
"""Bytes inflated at a time: what is lost at most before a damaged place."""
_SAMPLES = 16
_ZSTD_WINDOW = 1 << 27
"""Bytes of history that a zstd file may ask for (`zstd --long` uses this much)."""


def find_captures(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files, folders (searched through) and glob patterns as a list of regular files.

    Natural order within each argument, every file once. Raises CaptureError for an argument that
    gives nothing.
    """
    found: dict[Path, None] = {}
    for path in paths:
        here = sorted(_expanded(path), key=_natural)
        if not here:
            raise CaptureError(path, _why_nothing(path))
        found |= dict.fromkeys(here)
    if not found:
        raise CaptureError("captures", "no file was named")
    return tuple(found)


def _expanded(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for inside in path.rglob("*"):
            if inside.name.lower().endswith(SUFFIXES) and inside.is_file():
                yield inside
    elif not path.exists() and glob.has_magic(str(path)):
        for match in map(Path, glob.glob(str(path), recursive=True)):  # noqa: PTH207
            if match.is_file():
                yield match


def _why_nothing(path: Path) -> str:
    if path.is_dir():
        return f"no capture in this folder ({', '.join(SUFFIXES)})"
    if path.exists():
        return "not a regular file"
    return "matches no file" if glob.has_magic(str(path)) else "no such file"


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """`site-2` before `site-10`."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.split(r"([0-9]+)", str(path))
        if part
    ]


def fingerprint(path: Path) -> str:
    """A hex digest of the size and of samples spread over the content: quick on huge files.

    Raises CaptureError where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            digest = hashlib.blake2b(str(size).encode(), digest_size=16)
            step = max(_CHUNK, size // _SAMPLES)
            for at in range(0, size, step):
                file.seek(at)
                digest.update(file.read(_CHUNK))
            file.seek(max(0, size - _CHUNK))
            digest.update(file.read(_CHUNK))
    except OSError as error:
        raise CaptureError(path, error.strerror or "cannot be read") from error
    return digest.hexdigest()


class Source(Protocol):
    """A stream of inflated bytes."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Some bytes, 0 at the end. Raises Damaged."""
        ...


class Damaged(Exception):
    """A compressed stream is cut short or corrupt, in words; what came before it is good."""


class Gunzip:
    """gzip, several members, bounded memory; keeps every byte before the damage."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._input = b""
        self._fed = False

    def readinto(self, buffer: memoryview, /) -> int:
        while True:
            if not self._input:
                self._input = self._file.read(_CHUNK) or b""
            if self._inflate.eof:
                if self._input[:1] != GZIP_MAGIC[:1]:  # the end, or padding that gzip tolerates
                    return 0
                self._inflate = zlib.decompressobj(31)
            try:
                data = self._inflate.decompress(self._input, min(len(buffer), _STEP))
            except zlib.error as error:
                raise Damaged(f"the gzip data are corrupt ({error})") from error
            ended = not self._input
            self._input = self._inflate.unused_data or self._inflate.unconsumed_tail
            if data:
                buffer[: len(data)] = data
                return len(data)
            if ended and not self._inflate.eof:
                raise Damaged("the gzip data are cut short")


class Unzstd:
    """zstd, several frames, bounded window."""

    def __init__(self, file: io.FileIO) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._stream = decompressor.stream_reader(file, read_across_frames=True, closefd=False)

    def readinto(self, buffer: memoryview, /) -> int:
        try:
            return self._stream.readinto1(buffer)
        except zstandard.ZstdError as error:
            raise Damaged(f"the zstd data are corrupt ({error})") from error


def open_source(file: io.FileIO, magic: bytes) -> tuple[Source, str]:
    """The inflated bytes of a file at its beginning, and how it is packed (empty for plain)."""
    if magic.startswith(GZIP_MAGIC):
        return Gunzip(file), "gzip"
    if magic.startswith(ZSTD_MAGIC):
        return Unzstd(file), "zstd"
    return file, ""
