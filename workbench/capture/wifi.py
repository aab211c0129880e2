"""The wireless kernel: where in 802.11 data frames the IP header begins.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Control and
management frames, frames without data, encrypted ones and later fragments are counted by reason.
Of an aggregate (A-MSDU) the first frame counts.

Sources: IEEE 802.11-2020 section 9; radiotap.org; the tcpdump group's LINKTYPE pages for Prism
and AVS headers.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_IP = cython.declare(cython.Py_ssize_t, layout.REC_IP)
_MARKS = cython.declare(cython.Py_ssize_t, layout.REC_MARKS)
_GROUP = cython.declare(cython.ulonglong, layout.GROUP)
_CUT_LINK = cython.declare(cython.int, layout.CUT_LINK)
_DEEP = cython.declare(cython.int, layout.DEEP)
_LLC = cython.declare(cython.int, layout.LLC)
_CONTROL = cython.declare(cython.int, layout.WIFI_CONTROL)
_MANAGEMENT = cython.declare(cython.int, layout.WIFI_MANAGEMENT)
_EMPTY = cython.declare(cython.int, layout.WIFI_EMPTY)
_ENCRYPTED = cython.declare(cython.int, layout.WIFI_ENCRYPTED)
_FRAGMENT = cython.declare(cython.int, layout.WIFI_FRAGMENT)


@cython.final
@cython.cclass
class WifiDecoder:
    """Finds the IP headers of one capture file's wireless records."""

    buf = cython.declare(cython.uchar[::1])
    _skips = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason (layout.REASONS) or EtherType."""
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    found = cython.declare(cython.Py_ssize_t)
    group = cython.declare(cython.bint)
    padded = cython.declare(cython.bint)  # the 802.11 header is, to a multiple of four bytes

    def __init__(self) -> None:
        self.skips = np.zeros(65536, np.uint64).data
        self._skips = self.skips

    def find(self, buf: memoryview, records: memoryview, count: cython.Py_ssize_t) -> None:
        """Fill in IP and MARKS of the wireless ones of records[:count]."""
        rows: cython.ulonglong[:, ::1] = records
        i: cython.Py_ssize_t
        start: cython.Py_ssize_t
        reason: cython.int
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                if rows[i, _LINK] not in (105, 119, 127, 163) or rows[i, _CAPLEN] == 0:
                    continue
                start = rows[i, _START]
                self.end = start + rows[i, _CAPLEN]
                self.group = self.padded = False
                reason = self._capture_header(rows[i, _LINK], start)
                if reason:
                    self._skips[reason] += 1
                    continue
                rows[i, _IP] = self.found
                if self.group:
                    rows[i, _MARKS] |= _GROUP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _capture_header(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Radiotap (127), Prism (119), AVS (163, also found as 119) or none (105)."""
        size: cython.Py_ssize_t
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
        size: cython.Py_ssize_t = 24
        if self.end - at < 2:
            return _CUT_LINK
        kind = self.buf[at]
        flags = self.buf[at + 1]
        if kind & 3 and not flags & 3:  # no version: some access points swap the two in CAPWAP
            kind, flags = flags, kind
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
        if self.buf[at + 22] & 15:
            return _FRAGMENT
        self.group = self.buf[at + 16 if flags & 1 else at + 4] & 1 != 0
        if kind & 0x80:
            kind = self.buf[at + size]  # quality of service
            size += 6 if flags & 0x80 else 2
            if self.padded:
                size = (size + 3) // 4 * 4
            if kind & 0x80:  # A-MSDU: addresses and length of the first frame
                size += 14
        elif self.padded:
            size = (size + 3) // 4 * 4
        return self._snap(at + size)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _snap(self, at: cython.Py_ssize_t) -> cython.int:
        """LLC and SNAP, perhaps tags, then IP."""
        kind: cython.ulonglong
        if self.end - at < 8:
            return _CUT_LINK
        if self._u16(at) != 0xAAAA or self.buf[at + 3] or self._u16(at + 4):
            return _LLC
        at += 6
        for _ in range(4):
            if self.end - at < 2:
                return _CUT_LINK
            kind = self._u16(at)
            at += 2
            if kind == 0x0800 or kind == 0x86DD:
                self.found = at
                return 0
            if kind != 0x8100:
                return kind if kind > 1535 else _LLC
            at += 2
        return _DEEP
