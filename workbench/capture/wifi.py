"""The wireless kernel: takes off 802.11.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Control and
management frames, frames without data, encrypted ones and later fragments are counted by reason;
of the others a layer of the EtherType in them is left. An A-MSDU, which is several frames in one,
is unfolded before anything is decoded; one in a tunnel is not, there its first frame counts.

Sources: IEEE 802.11-2020 section 9; radiotap.org; the tcpdump group's LINKTYPE pages for Prism
and AVS headers.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_ETHERTYPE = cython.declare(cython.ulonglong, layout.ETHERTYPE_LINK)
_TO_GROUP = cython.declare(cython.ulonglong, layout.TO_GROUP)
_COUNTED = cython.declare(cython.ulonglong, layout.COUNTED)
_MSDU = cython.declare(cython.ulonglong, layout.MSDU)
_CUT_LINK = cython.declare(cython.int, layout.CUT_LINK)
_LLC = cython.declare(cython.int, layout.LLC)
_CONTROL = cython.declare(cython.int, layout.WIFI_CONTROL)
_MANAGEMENT = cython.declare(cython.int, layout.WIFI_MANAGEMENT)
_EMPTY = cython.declare(cython.int, layout.WIFI_EMPTY)
_ENCRYPTED = cython.declare(cython.int, layout.WIFI_ENCRYPTED)
_FRAGMENT = cython.declare(cython.int, layout.WIFI_FRAGMENT)


@cython.final
@cython.cclass
class WifiDecoder:
    """Unfolds one capture file's wireless records, and opens their layers."""

    buf = cython.declare(cython.uchar[::1])
    _skips = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason, see layout.REASONS."""
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    found = cython.declare(cython.Py_ssize_t)
    kind = cython.declare(cython.ulonglong)  # the EtherType of what was found
    frames = cython.declare(cython.Py_ssize_t)  # where those of an A-MSDU begin
    group = cython.declare(cython.bint)
    padded = cython.declare(cython.bint)  # the 802.11 header is, to a multiple of four bytes
    row = cython.declare(cython.Py_ssize_t)  # the record that is unfolded next
    at = cython.declare(cython.Py_ssize_t)  # its next frame, or 0

    def __init__(self) -> None:
        self.skips = np.zeros(64, np.uint64).data
        self._skips = self.skips
        self.row = self.at = 0

    def unfold(
        self,
        buf: memoryview,
        records: memoryview,
        count: cython.Py_ssize_t,
        opened: memoryview,
        out: memoryview,
    ) -> int:
        """Copy records[:count] to `out`, where each frame of an A-MSDU is a record of its own.

        opened: the records without their wrappers. Goes on where the last call had no more room;
        returns how many rows it filled, 0 at the end.
        """
        rows: cython.ulonglong[:, ::1] = records
        bare: cython.ulonglong[:, ::1] = opened
        unfolded: cython.ulonglong[:, ::1] = out
        size: cython.Py_ssize_t
        word: cython.Py_ssize_t
        made: cython.Py_ssize_t = 0
        self.buf = buf
        with cython.nogil:
            while self.row < count and made < unfolded.shape[0]:
                for word in range(rows.shape[1]):
                    unfolded[made, word] = rows[self.row, word]
                self.end = rows[self.row, _START] + rows[self.row, _CAPLEN]
                if self.at == 0:
                    self.at = self._aggregate(bare[self.row, _LINK], bare[self.row, _START])
                if self.at:
                    size = 14 + cython.cast(cython.Py_ssize_t, self._u16(self.at + 12))
                    unfolded[made, _START] = self.at
                    unfolded[made, _CAPLEN] = min(size, self.end - self.at)
                    unfolded[made, _WIRELEN] = size
                    unfolded[made, _LINK] = _MSDU
                    self.at += (size + 3) // 4 * 4
                if self.at == 0 or self.end - self.at < 14:  # the rest is a checksum, or cut
                    self.row += 1
                    self.at = 0
                made += 1
        return made

    def open(self, buf: memoryview, layers: memoryview, count: cython.Py_ssize_t) -> None:
        """Turn the wireless ones of layers[:count] into what is inside."""
        rows: cython.ulonglong[:, ::1] = layers
        i: cython.Py_ssize_t
        size: cython.ulonglong
        link: cython.ulonglong
        start: cython.Py_ssize_t
        reason: cython.int
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                link = rows[i, _LINK]
                if link < 105 or (link not in (105, 119, 127, 163) and link != _MSDU):
                    continue
                start = rows[i, _START]
                self.end = start + rows[i, _CAPLEN]
                if self.end == start:
                    continue
                if link == _MSDU:
                    self.group = self.buf[start] & 1 != 0
                    reason = self._snap(start + 14)
                else:
                    reason = self._capture_header(link, start)
                if reason:
                    self._skips[reason] += 1
                    rows[i, _LINK] = _COUNTED
                    continue
                size = self.found - start
                rows[i, _START] = self.found
                rows[i, _CAPLEN] -= size
                rows[i, _WIRELEN] = max(rows[i, _WIRELEN], size) - size
                rows[i, _LINK] = _ETHERTYPE | self.kind | (_TO_GROUP if self.group else 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _aggregate(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Where the frames of an A-MSDU begin; 0 for other records."""
        self.frames = 0
        if link in (105, 119, 127, 163) and self.end > at:
            self._capture_header(link, at)
        return self.frames if self.end - self.frames >= 14 else 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _capture_header(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Radiotap (127), Prism (119), AVS (163, also found as 119) or none (105)."""
        size: cython.Py_ssize_t
        self.group = self.padded = False
        if link == 105:
            return self._frame(at)
        if self.end - at < 8:
            return _CUT_LINK
        if link == 127:
            self._radiotap(at)
            size = self.buf[at + 2] | self.buf[at + 3] << 8
        elif self._u16(at) == 0x8021:
            size = self._u16(at + 6)
        else:  # Prism: the length in the byte order of the machine
            size = self.buf[at + 4] | self.buf[at + 5] << 8
            if size == 0:
                size = self._u16(at + 6)
        return self._frame(at + size) if size >= 8 else _CUT_LINK

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _radiotap(self, at: cython.Py_ssize_t) -> cython.int:
        """Of all fields only the flags matter: 0x20 says that the 802.11 header is padded."""
        field: cython.Py_ssize_t = at + 8
        for _ in range(16):  # words of presence bits
            if self.end - field < 10:
                return 0
            if not self.buf[field - 1] & 0x80:
                break
            field += 4
        if not self.buf[at + 4] & 2:  # no flags
            return 0
        if self.buf[at + 4] & 1:  # a time stamp before them, aligned to eight bytes
            field = at + (field - at + 7) // 8 * 8 + 8
        self.padded = field < self.end and self.buf[field] & 0x20 != 0
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _frame(self, at: cython.Py_ssize_t) -> cython.int:
        kind: cython.int
        flags: cython.int
        mesh: cython.bint
        size: cython.Py_ssize_t = 24
        number: cython.Py_ssize_t = 22  # the byte that has the number of a fragment
        if self.end - at < 2:
            return _CUT_LINK
        kind = self.buf[at]
        flags = self.buf[at + 1]
        if kind & 3 and not flags & 3:  # no version: some access points swap the two in CAPWAP
            kind, flags = flags, kind
            number = 23
        if kind & 0x0C == 0x04:
            return _CONTROL
        if kind & 0x0C != 0x08:
            return _MANAGEMENT
        if kind & 0x40:
            return _EMPTY
        if flags & 0x40:
            return _ENCRYPTED
        if flags & 3 == 3:
            size += 6  # four addresses
        if self.end - at < size + 8:
            return _CUT_LINK
        if self.buf[at + number] & 15:
            return _FRAGMENT
        self.group = self.buf[at + 16 if flags & 1 else at + 4] & 1 != 0
        if kind & 0x80:
            kind = self.buf[at + size]  # quality of service
            mesh = flags & 2 and self.buf[at + size + 1] & 1
            size += 6 if flags & 0x80 else 2
            if self.padded:
                size = (size + 3) // 4 * 4
            if kind & 0x80:  # A-MSDU: addresses and length of the first frame
                self.frames = at + size
                size += 14
            elif mesh and self.end - at >= size + 8 and self._u16(at + size) != 0xAAAA:
                size += 6 + (self.buf[at + size] & 3) * 6  # up to two more addresses
        elif self.padded:
            size = (size + 3) // 4 * 4
        return self._snap(at + size)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _snap(self, at: cython.Py_ssize_t) -> cython.int:
        """LLC and SNAP (RFC 1042, or IEEE 802.1H as receivers take it), then what they name."""
        if self.end - at <= 8:
            return _CUT_LINK
        if self._u16(at) != 0xAAAA or self.buf[at + 3]:
            return _LLC
        if self._u16(at + 4) != 0 and self._u16(at + 4) != 0xF8:
            return _LLC
        self.kind = self._u16(at + 6)
        self.found = at + 8
        return 0 if self.kind > 1535 else _LLC
