"""Capture files as blocks of records: pcap and pcapng, plain, gzip or zstd, in bounded memory.

What is wrong with a file is said in `problems`, never hidden; what is whole before it is kept.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

from workbench.capture import framing, layout
from workbench.capture.ahead import MARGIN, ReadAhead
from workbench.capture.files import Damaged, open_source
from workbench.capture.links import link_name
from workbench.model.errors import CaptureError

ROOM = 4096
"""Records in a block at most."""
MAX_CAPTURED = MARGIN - 4096
"""Captured bytes of one packet; more than any snap length or GSO packet, so more is nonsense."""
MAX_INTERFACES = 1 << 14
_PCAP = {  # magic → big-endian, nanoseconds, bytes of a record header
    b"\xa1\xb2\xc3\xd4": (True, False, 16),
    b"\xd4\xc3\xb2\xa1": (False, False, 16),
    b"\xa1\xb2\x3c\x4d": (True, True, 16),
    b"\x4d\x3c\xb2\xa1": (False, True, 16),
    b"\xa1\xb2\xcd\x34": (True, False, 24),  # Alexey Kuznetzov's modified libpcap
    b"\x34\xcd\xb2\xa1": (False, False, 24),
}
_SECTION = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER = b"\x1a\x2b\x3c\x4d"
_INTERFACE = 1
_PACKETS = (2, 3, 6)
_OPTION_TSRESOL = 9
_OPTION_TSOFFSET = 14


@dataclass(frozen=True, slots=True)
class Block:
    """Up to ROOM records and the buffer they point into; valid until the next block."""

    buffer: memoryview
    records: memoryview
    count: int


class Reader:
    """One open capture file. Iterate `blocks()` once; the attributes fill up as it goes."""

    def __init__(self, path: Path) -> None:
        """Raises CaptureError when the file is no capture at all."""
        self.path = path
        self.problems: list[str] = []
        self.link_types: dict[int, None] = {}
        self.interfaces = 0
        self.snaplen = 0
        self._buffer = memoryview(b"")
        """The bytes at hand."""
        self._base = 0
        """Their offset in the inflated file."""
        self._ended = False
        self._records = np.zeros((ROOM, layout.RECORD_WORDS), np.uint64).data
        self._interfaces = np.zeros((MAX_INTERFACES, layout.INTERFACE_WORDS), np.uint64).data
        self._splitter = framing.Splitter(self._records, self._interfaces, MAX_CAPTURED)
        self._oversized = self._strays = 0
        if path.exists() and not path.is_file():  # opening a pipe would wait for ever
            raise CaptureError(path, "not a regular file")
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise CaptureError(path, error.strerror or "cannot be read") from error
        magic = self._file.read(4) or b""
        self._file.seek(0)
        source, packed = open_source(self._file, magic)
        self._ahead = ReadAhead(source)
        try:
            self._begin(packed)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ahead.close()
        self._file.close()

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return self._file.tell()

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size

    def _begin(self, packed: str) -> None:
        self._fill(28)
        head = bytes(self._buffer[:4])
        if head not in _PCAP and head != _SECTION:
            raise CaptureError(self.path, self._not_a_capture(packed))
        self._section_first = head == _SECTION
        self.format = "pcapng" if self._section_first else "pcap"
        if head in _PCAP and self._have < 24:
            raise CaptureError(self.path, f"a pcap file header cut short at byte {self._have}")
        if packed:
            self.format += f" ({packed})"

    def _not_a_capture(self, packed: str) -> str:
        if self.problems:
            return f"no capture: {self.problems[0]}"
        if not self._have:
            return "an empty file, no capture"
        inside = f" inside the {packed} data" if packed else ""
        shown = " ".join(f"{byte:02x}" for byte in self._buffer[: min(4, self._have)])
        return f"no capture: neither pcap nor pcapng{inside} (it begins with {shown})"

    @property
    def _have(self) -> int:
        return len(self._buffer)

    def _fill(self, wanted: int) -> bool:
        """Read until `wanted` bytes are at hand; False when the file ends before."""
        while self._have < wanted and not self._ended:
            have = self._have
            try:
                self._buffer = self._ahead.more(self._buffer)
                self._ended = self._have == have
            except Damaged as damage:
                self._say(f"{damage} at byte {self._base + have} of the content")
                self._ended = True
            except OSError as error:
                self._say(f"read error at byte {self._base + have}: {error.strerror or error}")
                self._ended = True
        return self._have >= wanted

    def _drop(self, count: int) -> None:
        """Forget the first `count` bytes at hand."""
        self._buffer = self._buffer[count:]
        self._base += count

    def _pass(self, count: int) -> bool:
        """Move over `count` bytes, however many; False when the file ends before."""
        while count > self._have:
            count -= self._have
            self._drop(self._have)
            if not self._fill(1):
                return False
        self._drop(count)
        return True

    def blocks(self) -> Iterator[Block]:
        """All records in file order."""
        yield from self._pcapng_blocks() if self._section_first else self._pcap_blocks()
        self._final_problems()

    def _final_problems(self) -> None:
        counts = {
            f"packets of more than {MAX_CAPTURED} bytes were skipped": self._oversized,
            "packets of interfaces that are not described were skipped": self._strays,
            "packets carry no time and took that of the packet before": self._splitter.timeless,
            "times before 1970 or after 9999 were clamped": self._splitter.odd_times,
        }
        for words, count in counts.items():
            if count:
                self._say(f"{count} {words}")

    def _say(self, problem: str) -> None:
        self.problems.append(problem)

    def _describe(self, link: int, snaplen: int) -> None:
        self.link_types[link] = None
        self.interfaces += 1
        self.snaplen = max(self.snaplen, snaplen)

    def _block(self) -> Block:
        return Block(self._buffer, self._records, self._splitter.count)

    # pcap

    def _pcap_blocks(self) -> Iterator[Block]:
        big, nano, header = _PCAP[bytes(self._buffer[:4])]
        splitter = self._splitter
        splitter.big, splitter.known = big, 1
        link = self._int(20, 4) & 0xFFFF
        self._interfaces[0, layout.IF_LINK] = link
        self._interfaces[0, layout.IF_UNITS] = 1_000_000_000 if nano else 1_000_000
        self._describe(link, self._int(16, 4))
        at = 24
        while True:
            stop = splitter.split_pcap(self._buffer, at, self._have, self._base, header)
            at = splitter.at
            if splitter.count:
                yield self._block()
            if stop == framing.ABSURD:
                where, length = self._base + at, self._int(at + 8, 4)
                self._say(f"stopped at byte {where}: a packet cannot be {length} bytes long")
                return
            if stop == framing.MORE:
                self._drop(at)
                at = 0
                if not self._fill(self._have + 1):
                    if self._have:
                        whole = header + self._int(8, 4) if self._have >= header else 0
                        self._cut("packet", self._base, self._have, whole or f"at least {header}")
                    return

    def _cut(self, what: str, start: int, have: int, whole: int | str) -> None:
        self._say(f"cut short: the {what} at byte {start} has {have} of {whole} bytes")

    # pcapng

    def _pcapng_blocks(self) -> Iterator[Block]:
        at = 0
        while True:
            stop = self._splitter.split_pcapng(self._buffer, at, self._have, self._base)
            at = self._splitter.at
            if self._splitter.count:
                yield self._block()
            if stop == framing.FULL:
                continue
            self._drop(at)
            at = 0
            if stop == framing.MORE:
                if not self._fill(self._have + 1):
                    if self._have:
                        self._cut("block", self._base, self._have, self._length() or "at least 12")
                    return
            elif not self._other(stop):
                return

    def _length(self) -> int:
        """Total length of the block at the front of the buffer; 0 where it is not known yet."""
        return self._int(4, 4) if self._have >= 8 else 0

    def _int(self, at: int, size: int, signed: bool = False) -> int:
        order: Literal["big", "little"] = "big" if self._splitter.big else "little"
        return int.from_bytes(self._buffer[at : at + size], order, signed=signed)

    def _other(self, stop: int) -> bool:
        """Digest the block at the front that is no good packet; False ends the file."""
        if self._buffer[:4] == _SECTION:
            return self._section()
        kind, length = self._int(0, 4), self._length()
        if stop == framing.NO_INTERFACE:
            self._strays += 1
            return self._skip(length)
        oversized = kind in _PACKETS and length > MAX_CAPTURED + 32 and length % 4 == 0
        if length < 12 or length % 4 or (kind in _PACKETS and not oversized):
            return self._stop(f"a broken block (type {kind:#x}, length {length})")
        self._oversized += oversized
        if kind == _INTERFACE:
            return self._interface(length)
        return self._skip(length)

    def _stop(self, problem: str) -> bool:
        self._say(f"stopped at byte {self._base}: {problem}")
        return False

    def _skip(self, length: int) -> bool:
        start = self._base
        if self._pass(length):
            return True
        self._cut("block", start, self._base + self._have - start, length)
        return False

    def _section(self) -> bool:
        """A section header: its byte order, and no interface known yet."""
        if not self._fill(28):
            self._cut("section header", self._base, self._have, 28)
            return False
        magic = bytes(self._buffer[8:12])
        if magic not in (_BYTE_ORDER, _BYTE_ORDER[::-1]):
            return self._stop("a section without byte order")
        self._splitter.big = magic == _BYTE_ORDER
        self._splitter.known = 0
        length = self._length()
        if length < 28 or length % 4:
            return self._stop(f"a section header of {length} bytes")
        if (major := self._int(12, 2)) != 1:
            return self._stop(f"pcapng version {major} is unknown")
        return self._skip(length)

    def _interface(self, length: int) -> bool:
        number = self._splitter.known
        if length < 20 or length > MARGIN:
            return self._stop(f"an interface description of {length} bytes")
        if number == MAX_INTERFACES:
            return self._stop(f"more than {MAX_INTERFACES} interfaces in a section")
        if not self._fill(length):
            self._cut("block", self._base, self._have, length)
            return False
        link, snaplen = self._int(8, 2), self._int(12, 4)
        resolution, offset = 6, 0
        for code, at, size in self._options(16, length - 4):
            if code == _OPTION_TSRESOL and size >= 1:
                resolution = self._buffer[at]
            elif code == _OPTION_TSOFFSET and size >= 8:
                offset = self._int(at, 8, signed=True)
        before, units = _ticks(resolution)
        limit = layout.OFFSET_BIAS - 1
        words = (link, before, units, layout.OFFSET_BIAS + max(-limit, min(offset, limit)), snaplen)
        for word, value in enumerate(words):
            self._interfaces[number, word] = value
        self._splitter.known = number + 1
        self._describe(link, snaplen)
        return self._skip(length)

    def _options(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Code, index of the value, length of each option."""
        while at + 4 <= end:
            code, size = self._int(at, 2), self._int(at + 2, 2)
            if code == 0 or at + 4 + size > end:
                return
            yield code, at + 4, size
            at += 4 + (size + 3) // 4 * 4


def _ticks(resolution: int) -> tuple[int, int]:
    """if_tsresol as (PRE, UNITS): finer than 2^-40 s is first divided down, which loses nothing."""
    power, base = resolution & 0x7F, 2 if resolution & 0x80 else 10
    fine = 40 if base == 2 else 12
    return min(base ** max(0, power - fine), (1 << 63)), base ** min(power, fine)


def link_names(reader: Reader) -> tuple[str, ...]:
    """Names of the link types met so far, each once."""
    return tuple(link_name(link) for link in reader.link_types)


def raw_records(path: Path) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """Every record: file offset, microseconds, wire length, captured length, link type, bytes.

    For looking into a capture, not for bulk. Raises CaptureError when it is none.
    """
    with Reader(path) as reader:
        for block in reader.blocks():
            for row in range(block.count):
                start, caplen, wirelen, time, link, offset = (
                    block.records[row, word] for word in range(layout.REC_IP)
                )
                data = bytes(block.buffer[start : start + caplen])
                yield offset, time, wirelen, caplen, link, data
