"""Capture files as blocks of records: pcap and pcapng, plain, gzip or zstd, in bounded memory.

What is wrong with a file is said in `problems`, never hidden; what is whole before it is kept. A
reader's state can be kept, and a new one goes on from it: with a file that has grown, or after an
interruption.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Self

import numpy as np

from workbench.capture import framing, layout
from workbench.capture.ahead import Copying, Feed, Loan, ReadAhead
from workbench.capture.inflate import inflated
from workbench.capture.links import link_name
from workbench.capture.memory import on_a_page
from workbench.capture.pcap import MAGICS, MAX_CAPTURED, Pcap, Shape, Unreadable, read_header
from workbench.capture.pcapng import MAX_INTERFACES, SECTION, Pcapng
from workbench.capture.rawfile import RawFile, RawStream, Tick, open_raw
from workbench.capture.state import State
from workbench.capture.window import Contents, Window
from workbench.model.errors import CaptureError
from workbench.model.text import plural

ROOM = 16384
"""Records in a block at most."""
_LAST = (1 << 63) - 1
_ANOTHER = "not the file that was read before, or cut since"
_TROUBLES = {  # what is counted, and what is wrong with it
    "oversized": ("packet", f"of more than {MAX_CAPTURED:,} bytes: skipped"),
    "strays": ("packet", "of interfaces that are not described: skipped"),
    "beyond": ("packet", f"of interfaces after a section's first {MAX_INTERFACES:,}: skipped"),
    "empty": ("record", "of nothing but zeros: skipped"),
    "broken": ("packet", "with fewer bytes in the block than claimed: skipped"),
    "timeless": ("packet", "without a time: given that of the packet before, or the first one's"),
    "odd_times": ("time", "before 1970 or after 9999: clamped"),
}
_DATELESS = ("packet", "without a time, and none has one: flows are shown at 1970-01-01")
_OTHERS = {  # what files begin with that are no captures to us, and what to do about it
    b"snoop\0": "a Solaris snoop file: convert it with editcap",
    b"GMBU": "a Microsoft Network Monitor file: convert it with editcap",
    b"RTSS": "a Microsoft Network Monitor file: convert it with editcap",
    b"XCP\0": "a Sniffer file: convert it with editcap",
    b"TRSNIFF": "a Sniffer file: convert it with editcap",
    b"BZh": "bzip2 data: unpack it first",
    b"\xfd7zXZ": "xz data: unpack it first",
    b"\x04\x22\x4d\x18": "lz4 data: unpack it first",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Up to ROOM records and the buffer they point into."""

    buffer: memoryview
    records: memoryview
    count: int
    loans: tuple[Loan | None, ...] = ()
    """What keeps the bytes and the records from being used again, as long as this block lives."""
    wireless: bool = False
    """There may be records of 802.11."""


class Reader:
    """One open capture file. Iterate `blocks()` once; what it says fills up as it goes."""

    def __init__(
        self,
        path: Path,
        *,
        stream: RawStream | None = None,
        state: State | None = None,
        tick: Tick = None,
    ) -> None:
        """Open a file, a named pipe, or standard input (`-`).

        stream: read this instead, `path` is only its name. state: go on from there; what the file
        said before counts on, but for names and problems. tick: called at least every tenth of a
        second while bytes are read or waited for; it may raise to stop. Raises CaptureError when
        the file is no capture at all, or not the one that the state is of.
        """
        self.path = path
        self._contents = Contents()
        self.problems = self._contents.problems
        """One line each."""
        self.link_types = self._contents.link_types
        """LINKTYPE numbers met so far, each once, in order."""
        self.names = self._contents.names
        """pcapng: 128-bit address → the first name that the file gives it, safe to show."""
        self._rooms: SimpleQueue[memoryview] = SimpleQueue()
        self._records = self._room()
        self._table = np.zeros((MAX_INTERFACES, layout.INTERFACE_WORDS), np.uint64)
        self._splitter = framing.Splitter(self._records.buffer, self._table.data, MAX_CAPTURED)
        self._raw = open_raw(path, tick) if stream is None else RawFile(path, stream, tick)
        try:
            source, self._packed = inflated(self._raw)
            plain = self._raw.seekable and not self._packed
            jump = state.offset if state and plain else 0
            head = self._raw.peek(4) if jump else b""
            if jump > self._raw.size:
                raise CaptureError(path, _ANOTHER)
            if plain:
                self._raw.seek(jump)
            self._feed: Feed = Copying(self._raw) if plain else ReadAhead(source)
        except OSError as error:
            self._raw.close()
            raise CaptureError(path, error.strerror or "cannot be read") from error
        except BaseException:
            self._raw.close()
            raise
        try:
            self._window = Window(self._feed, jump, self.problems, tick)
            self._framer = self._begin() if state is None else self._resume(state, head)
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
        self._raw.stop()
        self._feed.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file on disk read so far."""
        return self._raw.position

    @property
    def size(self) -> int:
        """Bytes on disk; 0 for a pipe."""
        return self._raw.size

    @property
    def given_up(self) -> bool:
        """Nothing sensible followed the records: the rest of the file was not looked at."""
        return not self._window.ended

    @property
    def growing(self) -> bool:
        """The file has become longer since it was opened, and there is more than was read."""
        return self._raw.size > max(self._raw.position, self._raw.first_size)

    @property
    def interfaces(self) -> int:
        """Interfaces described so far, in all sections."""
        return self._contents.interfaces

    @property
    def snaplen(self) -> int:
        """The largest that an interface declares; 0 for unlimited or unknown."""
        return self._contents.snaplen

    @property
    def drops(self) -> int | None:
        """Packets that the file itself reports as lost; None when it says nothing."""
        here = self._framer.drops if isinstance(self._framer, Pcapng) else None
        before = self._contents.drops
        return None if here is None and before is None else min((here or 0) + (before or 0), _LAST)

    @property
    def dated(self) -> bool:
        """Whether the packets have a time: simple packets of pcapng may come without any."""
        return self._splitter.now > 0 or not self._troubles()["timeless"]

    @property
    def cut_short(self) -> str:
        """The line among the problems that says the file ends inside a record, or nothing.

        A file that is still written to may just have more to come.
        """
        return self._contents.cut_short

    @property
    def block_counts(self) -> Mapping[str, int]:
        """pcapng: blocks read so far by their usual abbreviations: SHB, IDB, EPB …"""
        packets = {
            "EPB": self._splitter.enhanced,
            "SPB": self._splitter.simple,
            "OPB": self._splitter.obsolete,
        }
        return +(self._contents.blocks + Counter(packets))

    @property
    def offset(self) -> int:
        """Of the first record of the inflated file that was not given out yet."""
        return self._framer.next

    @property
    def seekable(self) -> bool:
        """A file that can be read again, not a pipe."""
        return self._raw.seekable

    @property
    def packed(self) -> str:
        """gzip or zstd; empty for plain."""
        return self._packed

    def fill(self) -> bool:
        """Read on ahead of `blocks`, from any thread; False where there is nothing to do."""
        return self._feed.fill()

    def fingerprint(self, upto: int | None = None) -> str:
        """Of the bytes read so far (for a pipe too), or the first `upto` of them.

        See `files.fingerprint`.
        """
        return self._raw.fingerprint(upto)

    def _begin(self) -> Pcap | Pcapng:
        window = self._window
        window.fill(4)
        self._format(bytes(window.buffer[:4]))
        if self.format.startswith("pcapng"):
            return Pcapng(window, self._splitter, self._table.data, self._contents)
        row, patient = self._table[0].data, self._raw.seekable
        try:
            shape = read_header(window, row, self._contents, patient=patient)
        except Unreadable as problem:
            raise CaptureError(self.path, str(problem)) from problem
        return Pcap(window, self._splitter, row, self._contents, shape)

    def _format(self, magic: bytes) -> None:
        if magic not in MAGICS and magic != SECTION:
            raise CaptureError(self.path, self._not_a_capture())
        packed = f" ({self._packed})" if self._packed else ""
        self.format = ("pcapng" if magic == SECTION else "pcap") + packed
        """pcap, pcapng, `pcap (gzip)` and the like."""

    def _not_a_capture(self) -> str:
        window = self._window
        window.fill(8)
        head = bytes(window.buffer[:8])
        if self.problems:
            return f"no capture: {self.problems[0]}"
        if not head:
            return "an empty file, no capture"
        for magic, words in _OTHERS.items():
            if head.startswith(magic):
                return f"no capture but {words}"
        inside = f" inside the {self._packed} data" if self._packed else ""
        shown = head[:4].hex(" ")
        return f"no capture: neither pcap nor pcapng{inside} (it begins with {shown})"

    # Going on where another reader stopped

    def state(self) -> State:
        """Where this reader stands: behind the records given out so far."""
        pcap = self._framer.shape if isinstance(self._framer, Pcap) else Shape(False, 0, 0)
        pcapng = self._framer if isinstance(self._framer, Pcapng) else None
        rows = self._table[: self._splitter.known].tolist()
        return State(
            format=self.format,
            offset=self._framer.next,
            big=bool(self._splitter.big),
            magic=pcap.magic,
            header=pcap.header,
            old=pcap.old,
            now=self._splitter.now,
            described=self._splitter.described,
            table=tuple(map(tuple, rows)),
            reported=tuple(pcapng.reported.items()) if pcapng else (),
            drops=self._contents.drops,
            link_types=tuple(self.link_types),
            interfaces=self.interfaces,
            snaplen=self.snaplen,
            blocks=dict(self.block_counts),
            troubles=dict(self._troubles()),
        )

    def _resume(self, state: State, head: bytes) -> Pcap | Pcapng:
        window, splitter, contents = self._window, self._splitter, self._contents
        if not window.base:
            window.fill(4)
            head = bytes(window.buffer[:4])
        self._format(head)
        if self.format != state.format or not window.skip(state.offset - window.base):
            raise CaptureError(self.path, _ANOTHER)
        self._table[: len(state.table)] = np.array(state.table, np.uint64).reshape(
            -1, layout.INTERFACE_WORDS
        )
        splitter.big, splitter.now = state.big, state.now
        splitter.known, splitter.described = len(state.table), state.described
        contents.link_types.update(dict.fromkeys(state.link_types))
        contents.interfaces, contents.snaplen = state.interfaces, state.snaplen
        contents.drops = state.drops
        contents.blocks.update(state.blocks)
        contents.troubles.update(state.troubles)
        if self.format.startswith("pcapng"):
            framer = Pcapng(window, splitter, self._table.data, contents)
            framer.reported.update(state.reported)
            return framer
        shape = Shape(state.big, state.magic, state.header, state.old)
        return Pcap(window, splitter, self._table[0].data, contents, shape)

    # Reading

    def blocks(self) -> Iterator[Block]:
        """All records in file order, or all that follow the state this reader began with."""
        for _ in self._framer.splits():
            loans = self._feed.loan, self._records
            wireless = not layout.WIRELESS.isdisjoint(self.link_types)
            count = self._splitter.count
            yield Block(self._window.buffer, self._records.buffer, count, loans, wireless)
            self._records = self._room()
            self._splitter.use(self._records.buffer)
        said = _TROUBLES if self.dated else _TROUBLES | {"timeless": _DATELESS}
        for kind, count in self._troubles().items():
            what, why = said[kind]
            self.problems.append(f"{plural(count, what)} {why}")
        if (size := self.size) < self._raw.first_size:
            self.problems.append(
                f"the file shrank from {self._raw.first_size} to {size} bytes while it was read"
            )

    def _room(self) -> Loan:
        """Room for the records of a block."""
        with suppress(Empty):
            return Loan(self._rooms.get_nowait(), self._rooms)
        return Loan(on_a_page((ROOM, layout.RECORD_WORDS), np.uint64).data, self._rooms)

    def _troubles(self) -> Counter[str]:
        kinds = ("strays", "beyond", "broken", "empty", "timeless", "odd_times")
        seen = Counter({kind: int(getattr(self._splitter, kind)) for kind in kinds})
        counts = seen + self._contents.troubles
        return Counter({kind: counts[kind] for kind in _TROUBLES if counts[kind]})


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
