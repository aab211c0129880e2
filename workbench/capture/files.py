"""Capture files by name: finding them, and telling one from another."""

import glob
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import takewhile
from pathlib import Path

from workbench.model.errors import CaptureError

KINDS = ("pcap", "pcapng", "cap", "ntar")
_CAPTURE = re.compile(rf".*\.({'|'.join(KINDS)})[0-9]*(\.gz|\.zst)?", re.IGNORECASE | re.DOTALL)
"""What a folder is searched for; with digits, as `tcpdump -C` and `-W` number the files of a ring
behind the name they are given. A file named outright may be called anything."""
STANDARD_INPUT = Path("-")
_SAMPLE = 1 << 16


def find_captures(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files, folders (searched through) and glob patterns as a list of files.

    Natural order within each argument, every file once, under the first of its names. `-` is
    standard input; a pipe counts where it is named outright. Links to files are followed, links
    to folders are not. A folder that cannot be searched stands for what is in it: reading it will
    say why. Raises CaptureError for an argument that gives nothing.
    """
    found: dict[str, Path] = {}
    for path in paths:
        try:
            here = sorted(_expanded(path), key=_natural)
            problem = "" if here else _why_nothing(path)
        except OSError as error:
            here, problem = [], error.strerror or "cannot be searched"
        if problem:
            raise CaptureError(path, problem)
        for one in here:
            found.setdefault("-" if one == STANDARD_INPUT else os.path.realpath(one), one)
    if not found:
        raise CaptureError("captures", "no file was named")
    return tuple(found.values())


def called(path: Path) -> str:
    """What a capture is known by: its real, absolute path.

    What nobody can come back to has a name that is no absolute path: `-` is standard input, and
    `pipe (fd 63)` one that a shell made for `<(zcat x.gz)`.
    """
    if path == STANDARD_INPUT:
        return "-"
    real = os.path.realpath(path)
    numbered = path.parent.name == "fd" and path.name.isdigit()
    if path.is_fifo() and (numbered or not Path(real).exists()):
        return f"pipe (fd {path.name})" if numbered else f"pipe ({path})"
    return real


def _expanded(path: Path) -> Iterator[Path]:
    if path == STANDARD_INPUT or path.is_file() or path.is_fifo():
        yield path
    elif path.is_dir():
        closed: list[OSError] = []
        for folder, _, names in os.walk(path, onerror=closed.append):
            for name in names:
                inside = Path(folder, name)
                if _CAPTURE.fullmatch(name) and inside.is_file():
                    yield inside
        yield from (Path(error.filename) for error in closed)
    elif not path.exists() and glob.has_magic(str(path)):
        plain = list(takewhile(lambda part: not glob.has_magic(part), path.parts))
        pattern = Path(*path.parts[len(plain) :])
        with suppress(ValueError):  # a pattern that cannot match
            yield from (match for match in Path(*plain).glob(str(pattern)) if match.is_file())


def _why_nothing(path: Path) -> str:
    if path.is_dir():
        kinds = ", ".join(f".{kind}" for kind in KINDS)
        return f"no capture in this folder ({kinds}, numbered or not, also .gz and .zst)"
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


class Fingerprint:
    """Tells contents apart by their size, their end and samples at doubling distances.

    The samples' places don't depend on the size, so a stream can be told apart as it passes, and
    the fingerprint of a file's first bytes stays true while the file grows.
    """

    def __init__(self) -> None:
        self.size = 0
        """Bytes so far."""
        self._digest = hashlib.blake2b(digest_size=16)
        self._sample = 0
        """Where the current sample begins."""
        self._tail = b""

    def add(self, data: memoryview) -> None:
        """The next bytes of the content."""
        start, self.size = self.size, self.size + len(data)
        while self._sample < self.size:
            stop = self._sample + _SAMPLE
            self._digest.update(data[max(0, self._sample - start) : max(0, stop - start)])
            if stop > self.size:
                break
            self._sample = max(_SAMPLE, 2 * self._sample)
        self._tail = (self._tail + bytes(data[-_SAMPLE:]))[-_SAMPLE:]

    def hexdigest(self) -> str:
        digest = self._digest.copy()
        digest.update(self._tail)
        digest.update(str(self.size).encode())
        return digest.hexdigest()


def fingerprint(path: Path, upto: int | None = None) -> str:
    """A hex digest of a file, or of its first `upto` bytes: quick on huge files.

    Equal to the Fingerprint of the same bytes. Raises CaptureError where the file cannot be read.
    """
    try:
        if path == STANDARD_INPUT or path.is_fifo():
            raise CaptureError(path, "a pipe has no fingerprint before it is read")
        with path.open("rb", buffering=0) as file:
            handle = file.fileno()
            size = os.fstat(handle).st_size
            size = size if upto is None else min(size, upto)
            return sampled(partial(os.pread, handle), size)
    except OSError as error:
        raise CaptureError(path, error.strerror or "cannot be read") from error


def sampled(read: Callable[[int, int], bytes], size: int) -> str:
    """The fingerprint of so many bytes, by a function that reads a number of them at an offset."""
    digest = hashlib.blake2b(digest_size=16)
    at = 0
    while at < size:
        digest.update(read(min(_SAMPLE, size - at), at))
        at = max(_SAMPLE, 2 * at)
    tail = max(0, size - _SAMPLE)
    digest.update(read(size - tail, tail))
    digest.update(str(size).encode())
    return digest.hexdigest()


def former_fingerprint(path: Path) -> str:
    """What versions before `ingest --follow` took for the fingerprint of a whole file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.blake2b(str(size).encode(), digest_size=16)
            tail = max(0, size - _SAMPLE)
            for at in (*range(0, size, max(_SAMPLE, size // 16)), tail):
                file.seek(at)
                digest.update(file.read(_SAMPLE))
    except OSError as error:
        raise CaptureError(path, error.strerror or "cannot be read") from error
    return digest.hexdigest()
