"""pcapng files: the kernel splits packet blocks, this digests all others.

Source: draft-ietf-opsawg-pcapng.
"""

from collections.abc import Iterator

import numpy as np

from workbench.capture import framing, layout
from workbench.capture.ahead import MARGIN
from workbench.capture.pcap import MAX_CAPTURED
from workbench.capture.window import Contents, Window
from workbench.model.packets import printable

MAX_INTERFACES = 1 << 14
"""Interfaces of a section whose packets are read."""
MAX_NAMES = 1 << 16
"""Addresses whose names are kept."""
MAX_NAME_RECORDS = 4 * MAX_NAMES
"""Name records looked at in a file."""
_MAX_OPTIONS = 1 << 12
"""Options looked at in a block."""
MAX_NAME = 255
"""Characters of a name: as long as DNS allows."""
SECTION = b"\x0a\x0d\x0d\x0a"
_BYTE_ORDER = b"\x1a\x2b\x3c\x4d"
_SHB, _IDB, _OPB, _SPB, _NRB, _ISB, _EPB = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6
_KINDS = {
    _SHB: "SHB",  # section header
    _IDB: "IDB",  # interface description
    _OPB: "OPB",  # packet (obsolete)
    _SPB: "SPB",  # simple packet
    _NRB: "NRB",  # name resolution
    _ISB: "ISB",  # interface statistics
    _EPB: "EPB",  # enhanced packet
    9: "JEB",  # systemd journal export
    10: "DSB",  # decryption secrets
    0x00000BAD: "CB",  # custom
    0x40000BAD: "DCB",  # custom, not to be copied
}
_TSRESOL, _TSOFFSET = 9, 14
_IFDROP, _OSDROP = 5, 7
_UNKNOWN = (1 << 64) - 1
_LOOK = 4096
"""Records looked at together in search of a time."""
_MANY = 1 << 40
"""More drops than that are nonsense."""


class Pcapng:
    """Splits the packets of a pcapng file; keeps the current section's interfaces."""

    def __init__(
        self,
        window: Window,
        splitter: framing.Splitter,
        interfaces: memoryview,
        contents: Contents,
    ) -> None:
        """The window stands at a block; `interfaces` is the splitter's."""
        self.next = window.base
        """Offset of the first block not yet taken in."""
        self.reported: dict[int, int] = {}
        """Interface → drops that the section's statistics report for it."""
        self._window = window
        self._splitter = splitter
        self._contents = contents
        self._interfaces = interfaces
        self._name_records = 0
        self._looked = False

    def splits(self) -> Iterator[None]:
        """Each time, the splitter holds some records more."""
        window, splitter = self._window, self._splitter
        at = 0
        while True:
            if not self._looked and self._begins_without_time(at):
                window.drop(at)
                at = 0
                splitter.now = self._first_time()
            stop = splitter.split_pcapng(window.buffer, at, len(window), window.base)
            at = splitter.at
            self.next = window.base + at
            if splitter.count:
                yield
            if stop == framing.FULL:
                continue
            window.drop(at)
            at = 0
            if stop == framing.MORE:
                if not window.fill(len(window) + 1):
                    if have := len(window):
                        whole = self._int(4, 4) if have >= 8 else "at least 12"
                        self._contents.cut("block", self.next, have, whole)
                    return
            elif not self._other():
                return
            self.next = window.base

    def _begins_without_time(self, at: int) -> bool:
        """Whether the block there is the first packet of the file, and carries no time."""
        real, before = self._splitter, self._contents.blocks
        packets = real.enhanced + real.simple + real.obsolete
        packets += before["EPB"] + before["SPB"] + before["OPB"]
        return not packets and len(self._window) - at >= 4 and self._int(at, 4) == _SPB

    def _first_time(self) -> int:
        """When the first packet was made that carries a time, 0 where none of those near does.

        What comes before it without one can take that. Nothing moves: only the bytes at hand are
        looked at, once in a file.
        """
        self._looked = True
        window, real = self._window, self._splitter
        window.fill(MARGIN)
        records = np.zeros((_LOOK, layout.RECORD_WORDS), np.uint64)
        look = framing.Splitter(records.data, np.array(self._interfaces).data, MAX_CAPTURED)
        look.big, look.known, look.described = real.big, real.known, real.described
        at, end = 0, min(len(window), MARGIN)
        while True:
            stop = look.split_pcapng(window.buffer, at, end, window.base)
            if look.now:
                times = records[: look.count, layout.REC_TIME]
                return int(times[times > 0][0])
            at = look.at
            if stop == framing.OTHER and window.buffer[at : at + 4] != SECTION:
                at += max(12, self._int(at + 4, 4) + 3 & ~3)
            elif stop != framing.FULL:
                return 0
            if at > end:
                return 0

    @property
    def drops(self) -> int | None:
        """Packets lost in this section, as its packets or statistics say."""
        said: list[int] = []
        for number in {*self.reported, *range(self._splitter.known)}:
            counted = int(self._interfaces[number, layout.IF_DROPS])  # 1 + drops, or 0
            if counted or number in self.reported:
                said.append(max(self.reported.get(number, 0), counted - 1))
        return sum(said) if said else None

    def _int(self, at: int, size: int, signed: bool = False) -> int:
        return self._window.number(at, size, self._splitter.big, signed)

    def _other(self) -> bool:
        """Digest the block at the front that is no good packet; False ends the file."""
        if self._window.buffer[:4] == SECTION:
            return self._section()
        kind, length = self._int(0, 4), self._int(4, 4)
        packet = kind in (_OPB, _SPB, _EPB)
        oversized = packet and length > MAX_CAPTURED + 32
        if length < 12 or (length % 4 and kind not in _KINDS) or (packet and not oversized):
            return self._stop(f"a broken block (type {kind:#x}, length {length})")
        length += -length % 4  # some writers do not count the padding
        if kind == _IDB:
            return self._interface(length)
        if kind == _NRB:
            return self._names(length)
        if kind == _ISB:
            return self._statistics(length)
        if not self._skip(length, _KINDS.get(kind, "other")):
            return False
        self._contents.troubles["oversized"] += oversized
        return True

    def _stop(self, problem: str) -> bool:
        self._contents.problems.append(f"stopped at byte {self._window.base}: {problem}")
        return False

    def _skip(self, length: int, kind: str) -> bool:
        """Go past a block; it counts when it is whole."""
        window, start = self._window, self._window.base
        if window.skip(length):
            self._contents.blocks[kind] += 1
            return True
        self._contents.cut("block", start, window.base + len(window) - start, length)
        return False

    def _section(self) -> bool:
        """A section header: its byte order, and no interface known yet."""
        window, splitter = self._window, self._splitter
        if not window.fill(28):
            self._contents.cut("section header", window.base, len(window), 28)
            return False
        magic = bytes(window.buffer[8:12])
        if magic not in (_BYTE_ORDER, _BYTE_ORDER[::-1]):
            return self._stop("a section without byte order")
        big = magic == _BYTE_ORDER
        length, major = window.number(4, 4, big), window.number(12, 2, big)
        if length < 28:
            return self._stop(f"a section header of {length} bytes")
        length += -length % 4
        if major != 1:
            return self._stop(f"pcapng version {major} is unknown")
        if not self._skip(length, "SHB"):
            return False
        if (drops := self.drops) is not None:
            self._contents.drops = (self._contents.drops or 0) + drops
        self.reported.clear()
        splitter.big = big
        splitter.known = splitter.described = 0
        return True

    def _interface(self, length: int) -> bool:
        number = self._splitter.known
        if length < 20:
            return self._stop(f"an interface description of {length} bytes")
        self._window.fill(min(length, MARGIN))
        link, snaplen = self._int(8, 2), self._int(12, 4)
        resolution, offset = 6, 0
        for code, at, size in self._options(16, length - 4):
            if code == _TSRESOL and size >= 1:
                resolution = self._window.buffer[at]
            elif code == _TSOFFSET and size >= 8:
                offset = self._int(at, 8, signed=True)
        if not self._skip(length, "IDB"):
            return False
        self._splitter.described += 1
        self._contents.describe(link, snaplen)
        if number < MAX_INTERFACES:
            pre, units = _ticks(resolution)
            limit = layout.OFFSET_BIAS - 1
            bias = layout.OFFSET_BIAS + max(-limit, min(offset, limit))
            for word, value in enumerate((link, pre, units, bias, snaplen, 0)):
                self._interfaces[number, word] = value
            self._splitter.known = number + 1
        return True

    def _options(self, at: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Code, index of the value, length of each option at hand."""
        end = min(end, len(self._window))
        for _ in range(_MAX_OPTIONS):
            if at + 4 > end:
                return
            code, size = self._int(at, 2), self._int(at + 2, 2)
            if code == 0 or at + 4 + size > end:
                return
            yield code, at + 4, size
            at += 4 + (size + 3) // 4 * 4

    def _statistics(self, length: int) -> bool:
        """Drops since the capture began: the last statistics of an interface count."""
        if length < 24:
            return self._stop(f"interface statistics of {length} bytes")
        self._window.fill(min(length, MARGIN))
        number = self._int(8, 4)
        drops = [
            min(lost, _MANY)
            for code, at, size in self._options(20, length - 4)
            if code in (_IFDROP, _OSDROP) and size == 8 and (lost := self._int(at, 8)) != _UNKNOWN
        ]
        if not self._skip(length, "ISB"):
            return False
        if drops and number < self._splitter.known:
            self.reported[number] = sum(drops)
        return True

    def _names(self, length: int) -> bool:
        """Name records: an address and its names, each ended by a zero byte."""
        window, at = self._window, 8
        window.fill(min(length, MARGIN))
        end = min(length - 4, len(window))
        found: dict[int, str] = {}
        while at + 4 <= end and self._name_records < MAX_NAME_RECORDS:
            self._name_records += 1
            kind, size = self._int(at, 2), self._int(at + 2, 2)
            if kind == 0 or at + 4 + size > end:
                break
            if kind in _ADDRESS:
                address, name = _name(bytes(window.buffer[at + 4 : at + 4 + size]), _ADDRESS[kind])
                if name:
                    found.setdefault(address, name)
            at += 4 + (size + 3) // 4 * 4
        if not self._skip(length, "NRB"):
            return False
        names = self._contents.names
        for address, name in found.items():
            if address in names or len(names) < MAX_NAMES:
                names.setdefault(address, name)
        return True


_ADDRESS = {1: 4, 2: 16}
"""Kind of name record → bytes of its address."""


def _name(value: bytes, width: int) -> tuple[int, str]:
    """The address of a name record and its first name, which may be empty."""
    name = value[width : width + 4 * MAX_NAME].split(b"\0", 1)[0].decode("utf-8", "replace")
    prefix = bytes(10) + b"\xff\xff" if width == 4 else b""
    return int.from_bytes(prefix + value[:width]), printable(name, MAX_NAME)


def _ticks(resolution: int) -> tuple[int, int]:
    """if_tsresol as (PRE, UNITS): finer than 2^-40 s is first divided down, which loses nothing."""
    power, base = resolution & 0x7F, 2 if resolution & 0x80 else 10
    fine = 40 if base == 2 else 12
    return min(base ** max(0, power - fine), (1 << 63)), base ** min(power, fine)
