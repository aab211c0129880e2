"""The link kernel: where in each record the IP header begins, behind whatever carries it.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Every loop over
tags and labels is bounded, and what carries no IP is counted by reason, never dropped in silence.

Sources: the tcpdump group's LINKTYPE pages; IEEE 802.3, 802.1Q; RFC 3032, 1661, 2516.
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
_NOT_IP = cython.declare(cython.ulonglong, layout.NOT_IP)
_GROUP = cython.declare(cython.ulonglong, layout.GROUP)
_VLAN_SHIFT = cython.declare(cython.int, layout.VLAN_SHIFT)
_NO_BYTES = cython.declare(cython.int, layout.NO_BYTES)
_UNKNOWN_LINK = cython.declare(cython.int, layout.UNKNOWN_LINK)
_CUT_LINK = cython.declare(cython.int, layout.CUT_LINK)
_DEEP = cython.declare(cython.int, layout.DEEP)
_STP = cython.declare(cython.int, layout.STP)
_LLC = cython.declare(cython.int, layout.LLC)
_SNAP = cython.declare(cython.int, layout.SNAP)
_PPP_OTHER = cython.declare(cython.int, layout.PPP_OTHER)
_MPLS_OTHER = cython.declare(cython.int, layout.MPLS_OTHER)
_MACSEC = cython.declare(cython.int, layout.MACSEC)
_LOOPBACK_OTHER = cython.declare(cython.int, layout.LOOPBACK_OTHER)


@cython.final
@cython.cclass
class LinkDecoder:
    """Finds the IP headers of one capture file's records."""

    buf = cython.declare(cython.uchar[::1])
    _skips = cython.declare(cython.ulonglong[::1])
    _links = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason (layout.REASONS) or EtherType."""
    links = cython.declare(object, visibility="readonly")
    """Counts of records by unknown link type."""
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    marks = cython.declare(cython.ulonglong)
    found = cython.declare(cython.ulonglong)

    def __init__(self) -> None:
        self.skips = np.zeros(65536, np.uint64).data
        self.links = np.zeros(65536, np.uint64).data
        self._skips = self.skips
        self._links = self.links

    def find(self, buf: memoryview, records: memoryview, count: cython.Py_ssize_t) -> None:
        """Fill in the last two words of records[:count]."""
        rows: cython.ulonglong[:, ::1] = records
        i: cython.Py_ssize_t
        start: cython.Py_ssize_t
        reason: cython.int
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                start = rows[i, _START]
                self.end = start + rows[i, _CAPLEN]
                self.marks = 0
                self.found = _NOT_IP
                reason = _NO_BYTES if self.end == start else self._link(rows[i, _LINK], start)
                if reason:
                    self._skips[reason] += 1
                rows[i, _IP] = self.found
                rows[i, _MARKS] = self.marks

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _found(self, at: cython.Py_ssize_t) -> cython.int:
        self.found = at
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _link(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Decode one packet of a link type; returns 0, a reason or an EtherType."""
        kind: cython.ulonglong
        if link == 1:
            return self._ethernet(at)
        if link in (12, 14, 101, 228, 229):
            return self._found(at)
        if link == 113:  # Linux cooked v1
            if self.end - at < 16:
                return _CUT_LINK
            kind = self._u16(at)
            if kind in (1, 2):
                self.marks |= _GROUP
            return self._ethertype(self._u16(at + 14), at + 16)
        if link == 276:  # Linux cooked v2
            if self.end - at < 20:
                return _CUT_LINK
            kind = self.buf[at + 10]
            if kind in (1, 2):
                self.marks |= _GROUP
            return self._ethertype(self._u16(at), at + 20)
        if link == 0 or link == 108:  # BSD loopback, in either byte order
            if self.end - at < 4:
                return _CUT_LINK
            kind = self._u16(at) << 16 | self._u16(at + 2)
            if kind > 0xFFFF:
                kind = self.buf[at]
            if kind in (2, 10, 24, 28, 30):  # AF_INET, then every AF_INET6
                return self._ip(at + 4, _LOOPBACK_OTHER)
            return _LOOPBACK_OTHER
        if link in (9, 50):
            return self._ppp(at)
        if link == 242:  # IP over InfiniBand
            if self.end - at < 44:
                return _CUT_LINK
            return self._ethertype(self._u16(at + 40), at + 44)
        if link == 239:
            return self._nflog(at)
        self._links[link & 0xFFFF] += 1
        return _UNKNOWN_LINK

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _nflog(self, at: cython.Py_ssize_t) -> cython.int:
        """Netfilter log: attributes in the byte order of the machine, one of them the packet."""
        size: cython.Py_ssize_t
        at += 4
        for _ in range(64):
            if self.end - at < 4:
                return _CUT_LINK
            size = self.buf[at] | self.buf[at + 1] << 8
            if self.buf[at + 2] == 9 or self.buf[at + 3] == 9:  # NFULA_PAYLOAD
                return self._ip(at + 4, _LOOPBACK_OTHER)
            if self.buf[at + 2] == 0:  # a big-endian machine: types are below 256
                size = self.buf[at] << 8 | self.buf[at + 1]
            if size < 4:
                return _CUT_LINK
            at += (size + 3) // 4 * 4
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ethernet(self, at: cython.Py_ssize_t) -> cython.int:
        if self.end - at < 14:
            return _CUT_LINK
        if self.buf[at] & 1:
            self.marks |= _GROUP
        return self._ethertype(self._u16(at + 12), at + 14)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ethertype(self, kind: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """What follows an EtherType: IP, or tags, labels and sessions before it."""
        depth: cython.int
        for depth in range(10):
            if kind in (0x0800, 0x86DD):
                return self._found(at)
            if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
                if self.end - at < 4:
                    return _CUT_LINK
                if depth == 0:
                    self.marks |= (self._u16(at) & 0xFFF) << _VLAN_SHIFT
                kind = self._u16(at + 2)
                at += 4
            elif kind in (0x8847, 0x8848):
                return self._mpls(at)
            elif kind == 0x8864:  # PPPoE session, RFC 2516
                return self._ppp(at + 6)
            elif kind == 0x88E5:  # MACsec (802.1AE): readable where it only authenticates
                if self.end - at < 16:
                    return _CUT_LINK
                if self.buf[at] & 0x0C:
                    return _MACSEC
                at += 14 if self.buf[at] & 0x20 else 6
                kind = self._u16(at)
                at += 2
            elif kind == 0x8903:  # Cisco FabricPath: a tag, then the whole inner frame
                if self.end - at < 16:
                    return _CUT_LINK
                kind = self._u16(at + 14)
                at += 16
            elif kind > 1535:
                return kind
            else:  # 802.3 length, then LLC
                if self.end - at < 8:
                    return _CUT_LINK if self.end - at < 3 else self._llc(at)
                if self._u16(at) != 0xAAAA:
                    return self._llc(at)
                if self.buf[at + 3] or self.buf[at + 4] or self.buf[at + 5]:
                    return _SNAP
                kind = self._u16(at + 6)
                at += 8
                if kind < 1536:
                    return _SNAP
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _llc(self, at: cython.Py_ssize_t) -> cython.int:
        return _STP if self.buf[at] == 0x42 else _LLC

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _mpls(self, at: cython.Py_ssize_t) -> cython.int:
        """RFC 3032: pop the labels; the first nibble behind them tells the payload."""
        for _ in range(16):
            if self.end - at < 5:
                return _CUT_LINK
            at += 4
            if self.buf[at - 2] & 1:
                return self._ip(at, _MPLS_OTHER)
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ppp(self, at: cython.Py_ssize_t) -> cython.int:
        """RFC 1661, with or without HDLC-like framing and protocol field compression."""
        kind: cython.ulonglong
        if self.end - at < 5:
            return _CUT_LINK
        if self._u16(at) == 0xFF03:
            at += 2
        kind = self.buf[at]
        if kind & 1:
            at += 1
        else:
            kind = self._u16(at)
            at += 2
        return self._found(at) if kind in (0x21, 0x57) else _PPP_OTHER

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ip(self, at: cython.Py_ssize_t, otherwise: cython.int) -> cython.int:
        """IP of either version, by its first nibble."""
        if at < self.end and (self.buf[at] >> 4 == 4 or self.buf[at] >> 4 == 6):
            return self._found(at)
        return otherwise
