"""pcap files: the header, its many variants, and the records behind it.

Variants that share a magic number are told apart by their first records.

Sources: draft-ietf-opsawg-pcap; libpcap's sf-pcap.c and Wireshark's wiretap/libpcap.c for the
numbers of the variants.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.capture import framing, layout
from workbench.capture.ahead import MARGIN
from workbench.capture.window import Contents, Window

MAX_CAPTURED = MARGIN - 4096
"""Captured bytes of one packet; more than any snap length or GSO packet, so more is nonsense."""
_STANDARD, _NOKIA, _PATCHED, _PATCHED_SMP = 16, 20, 24, 28
"""Bytes of a record header. Patched: Alexey Kuznetzov's libpcap, with interface and packet type
(1999-04-17 under the standard magic, 1999-10-29 under its own; in between with two CPUs)."""
_MAGIC = {  # magic → nanoseconds, bytes of the file header, record headers in order of likelihood
    0xA1B2C3D4: (False, 24, (_STANDARD, _PATCHED, _NOKIA)),
    0xA1B23C4D: (True, 24, (_STANDARD,)),
    0xA1B2CD34: (False, 24, (_PATCHED, _PATCHED_SMP)),
    0x1C0001AC: (True, 28, (_STANDARD,)),  # IXIA hardware: the records' size ends the header
    0x1C0001AB: (False, 28, (_STANDARD,)),  # IXIA software
}
MAGICS = frozenset(magic.to_bytes(4, order) for magic in _MAGIC for order in ("big", "little"))
_AIX_LINKS = {6: 1, 9: 6, 15: 10, 24: 0}
"""Interface types that AIX writes (RFC 1573) → LINKTYPE. Version 2.2, nanoseconds."""
_TRIED = 3
"""Records looked at to tell variants apart."""
_WORDS = (0, 4, 8, 12)
_PLENTY = 1 << 16
_YEAR = 366 * 86400


@dataclass(frozen=True, slots=True)
class Shape:
    """How the records of a pcap file are to be read."""

    big: bool
    magic: int
    header: int
    """Bytes of a record header."""
    old: bool = False
    """Captured and original length come in either order."""


class Pcap:
    """Splits the records of a pcap file, or of several in one (`cat *.pcap`)."""

    def __init__(
        self,
        window: Window,
        splitter: framing.Splitter,
        interface: memoryview,
        contents: Contents,
        shape: Shape,
    ) -> None:
        """The window stands at a record; `interface` is the splitter's first, filled in."""
        self.shape = shape
        self.next = window.base
        """Offset of the first record not yet split."""
        self._window = window
        self._splitter = splitter
        self._interface = interface
        self._contents = contents
        splitter.big, splitter.magic, splitter.known = shape.big, shape.magic, 1

    def splits(self) -> Iterator[None]:
        """Each time, the splitter holds some records more."""
        window, splitter = self._window, self._splitter
        at = 0
        while True:
            shape = self.shape
            stop = splitter.split_pcap(
                window.buffer, at, len(window), window.base, shape.header, shape.old
            )
            at = splitter.at
            self.next = window.base + at
            if splitter.count:
                yield
            if stop == framing.ABSURD:
                self._stop(f"a packet cannot be {self._length(at)} bytes long")
                return
            if stop == framing.FULL:
                continue
            window.drop(at)
            at = 0
            if stop == framing.OTHER:
                if not self._another():
                    return
            elif not window.fill(len(window) + 1):
                self._end()
                return

    def _stop(self, problem: str) -> None:
        self._contents.problems.append(f"stopped at byte {self.next}: {problem}")

    def _another(self) -> bool:
        """Another file's header, in the middle of this one."""
        try:
            self.shape = read_header(self._window, self._interface, self._contents, patient=False)
        except Unreadable as problem:
            self._stop(str(problem))
            return False
        self.next = self._window.base
        return True

    def _length(self, at: int) -> int:
        """Captured length of the record at an index."""
        first, second = (self._window.number(at + step, 4, self.shape.big) for step in (8, 12))
        return min(first, second) if self.shape.old else first

    def _end(self) -> None:
        if have := len(self._window):
            header = self.shape.header
            whole = header + self._length(0) if have >= header else f"at least {header}"
            self._contents.cut("packet", self.next, have, whole)


class Unreadable(Exception):
    """Why a file header cannot be read."""


def read_header(
    window: Window, interface: memoryview, contents: Contents, *, patient: bool
) -> Shape:
    """What the file header at hand says; the window moves behind it.

    interface: a row to fill in. patient: wait for the first records before they are looked at. The
    magic is known to be one of MAGICS. Raises Unreadable.
    """
    big = int.from_bytes(window.buffer[:4]) in _MAGIC
    magic = window.number(0, 4, big)
    nano, size, headers = _MAGIC[magic]
    if not window.fill(size):
        raise Unreadable(f"a pcap file header cut short at byte {len(window)}")
    version = window.number(4, 2, big), window.number(6, 2, big)
    if version[0] != 2 and version != (543, 0):  # DG/UX's tcpdump says 543
        raise Unreadable(f"pcap version {version[0]}.{version[1]} is unknown")
    snaplen, link = window.number(16, 4, big), window.number(20, 4, big)
    if version == (2, 2) and link in _AIX_LINKS and len(headers) > 1 and size == 24:
        nano, link = True, _AIX_LINKS[link]
    if link >> 16 & 0x03FF:  # the six bits above say how long a frame check sequence is
        contents.problems.append(f"reserved bits of the link type are set ({link:#010x})")
    for word, value in (
        (layout.IF_LINK, link & 0xFFFF),
        (layout.IF_PRE, 1),
        (layout.IF_UNITS, 1_000_000_000 if nano else 1_000_000),
        (layout.IF_OFFSET, layout.OFFSET_BIAS),
        (layout.IF_SNAPLEN, snaplen),
    ):
        interface[word] = value
    contents.describe(link & 0xFFFF, snaplen)
    old = version != (2, 4) and (version[0] == 543 or version[1] < 4)
    if patient:
        window.fill(_PLENTY)
    header = headers[0] if old else _likeliest(window, size, big, headers)
    window.drop(size)
    return Shape(big, magic, header, old)


def _likeliest(window: Window, start: int, big: bool, headers: tuple[int, ...]) -> int:
    """The record header with which the first records make sense; the first one in doubt."""
    for header in headers:
        if _makes_sense(window, start, big, header):
            return header
    return headers[0]


def _makes_sense(window: Window, at: int, big: bool, header: int) -> bool:
    """The first records at hand have likely times, lengths and extra fields.

    A file that ends inside of one of them makes no sense.
    """
    began = window.number(at, 4, big)
    for _ in range(_TRIED):
        if len(window) - at < header:
            return not window.ended or at == len(window)
        seconds, fraction, caplen, wirelen = (window.number(at + word, 4, big) for word in _WORDS)
        if abs(seconds - began) > _YEAR or fraction >= 1_000_000 or wirelen > 1 << 27:
            return False
        if caplen > min(MAX_CAPTURED, wirelen) or not _extra_makes_sense(window, at, big, header):
            return False
        at += header + caplen
        if at > len(window):
            return not window.ended
    return True


def _extra_makes_sense(window: Window, at: int, big: bool, header: int) -> bool:
    """The fields behind the lengths: Nokia's pattern; interface, EtherType and packet type."""
    if header == _STANDARD:
        return True
    first = window.number(at + 16, 4, big)
    if header == _NOKIA:
        return first == 0 or first & 0x0FFF00F0 == 0x0FBF0000  # 0 from editcap
    kind = window.number(at + 20, 2, big)
    known = kind >= 0x600 or kind < 0x18 or kind in (0x60, 0x200, 0x400)
    return first <= 10_000 and known and window.buffer[at + 22] <= 4
