"""Records of flows as a capture file of their own."""

import contextlib
import os
import secrets
import stat
import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from workbench.capture.single import Found, Wanted, records_of
from workbench.model.errors import CaptureError, InputError
from workbench.model.net import format_address
from workbench.model.packets import SavedPackets, printable
from workbench.model.traffic import Flow, Stop, Tell

_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _APPLICATION, _RESOLUTION = 1, 4, 9
_LAST_NANO = (1 << 64) // 1000
"""Microseconds since the epoch beyond which nanoseconds do not fit into 64 bits (the year 2554)."""


class Cut:
    """Writes a pcapng file, record by record: one interface a source file and link type.

    Times are nanoseconds where they fit. Source: draft-ietf-opsawg-pcapng sections 3.5 and 4.1-4.3.
    """

    def __init__(self, file: BinaryIO, comment: str = "") -> None:
        self._file = file
        self._interfaces: dict[tuple[str, int, bool], int] = {}
        self.packets = 0
        head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        told = _text(_COMMENT, comment) + _text(_APPLICATION, "Segmentation Workbench")
        self._block(_SECTION, head + told + bytes(4))

    def add(self, record: Found) -> None:
        """The next packet; its interface is described when it comes for the first time."""
        fine = record.time_us < _LAST_NANO
        key = record.source, record.link, fine
        if key not in self._interfaces:
            self._interfaces[key] = len(self._interfaces)
            told = _text(_COMMENT, record.source and f"from {record.source}")
            told += struct.pack("<HHB3x", _RESOLUTION, 1, 9) if fine else b""
            ended = told and told + bytes(4)
            self._block(_INTERFACE, struct.pack("<HHI", record.link, 0, 0) + ended)
        ticks = record.time_us * 1000 + record.beyond if fine else record.time_us
        sizes = ticks >> 32, ticks & 0xFFFFFFFF, len(record.data), min(record.wire, 0xFFFFFFFF)
        self._block(_PACKET, struct.pack("<5I", self._interfaces[key], *sizes) + record.data)
        self.packets += 1

    def _block(self, kind: int, body: bytes) -> None:
        body += bytes(-len(body) % 4)
        size = struct.pack("<I", len(body) + 12)
        self._file.write(struct.pack("<I", kind) + size + body + size)


def _text(code: int, text: str) -> bytes:
    """A text option; names of files may hold anything."""
    value = printable(text, 1000).encode()
    head = struct.pack("<HH", code, len(value))
    return head + value + bytes(-len(value) % 4) if value else b""


def pcapng(records: Iterable[Found]) -> bytes:
    """Records as a whole file."""
    file = BytesIO()
    cut = Cut(file)
    for record in records:
        cut.add(record)
    return file.getvalue()


def save_packets(
    wanted: Wanted,
    path: Path,
    *,
    replace: bool = False,
    keep: Iterable[Path] = (),
    progress: Tell = None,
    cancelled: Stop = None,
) -> SavedPackets:
    """Write the packets of some flows to a new pcapng file, whole or not at all.

    replace: a file that is there may go, but neither a source nor one of `keep`. Raises
    InputError where it must not or cannot be written, CaptureError for a source that cannot be
    read, Cancelled.
    """
    sources = dict.fromkeys(piece.path for pieces in wanted.values() for piece in pieces)
    _refuse(path, (*sources, *keep), replace)
    names = ", ".join(source.name for source in sources)
    try:
        fresh = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.tmp")
        try:
            with fresh.open("xb") as file:
                cut = Cut(file, f"{_title(list(wanted))}, cut from {names}")
                for record in records_of(wanted, progress, cancelled):
                    cut.add(record)
                if not cut.packets:
                    raise CaptureError(names, "none of the packets is there any more")
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            if not replace:  # take the name, unless somebody else has it by now
                path.open("xb").close()
            fresh.replace(path)
        finally:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from error
    return SavedPackets(path, len(wanted), cut.packets, size)


def _title(flows: Sequence[Flow]) -> str:
    """`10.1.0.7 → 10.2.0.5 tcp/443`, or how many flows."""
    ends = {f"{format_address(one.client)} → {format_address(one.server)} {one.service}"
            for one in flows}  # fmt: skip
    title = ends.pop() if len(ends) == 1 else f"{len(ends):,} conversations"
    return title if len(flows) == 1 else f"{len(flows):,} flows of {title}"


def _exists(path: Path) -> InputError:
    return InputError(f"{path}: is there already; nothing was written")


def _refuse(path: Path, captures: Iterable[Path], replace: bool) -> None:
    """Raises InputError for what must not be written over."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot write: {error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: is not a regular file; nothing was written")
    for one in captures:
        with contextlib.suppress(OSError):
            if path.samefile(one):
                raise InputError(f"{path}: is a capture of this workspace; nothing was written")
    if not replace:
        raise _exists(path)
