"""The link kernel: where in each record the IP header begins, behind whatever carries it.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. The headers
passed in one record are bounded in number, and what carries no IP is counted by reason, never
dropped in silence. 802.11 has a kernel of its own, wifi.py, and so has what capturing machines put
before a packet, wrapper.py.

Sources: the tcpdump group's LINKTYPE pages; IEEE 802.3, 802.1Q, 802.1AE, 802.1ah, 802.1BR;
RFC 3032, 4385, 1661, 1990, 2516, 2427, 8300; Linux' batadv_packet.h.
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
_ETHERTYPE = cython.declare(cython.ulonglong, layout.ETHERTYPE_LINK)
_TO_GROUP = cython.declare(cython.ulonglong, layout.TO_GROUP)
_CUT = cython.declare(cython.ulonglong, layout.CUT)
_COUNTED = cython.declare(cython.ulonglong, layout.COUNTED)
_GROUP = cython.declare(cython.ulonglong, layout.GROUP)
_VLAN_SHIFT = cython.declare(cython.int, layout.VLAN_SHIFT)
_VLAN = cython.declare(cython.ulonglong, 0xFFF << layout.VLAN_SHIFT)
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
_FRAME_RELAY_OTHER = cython.declare(cython.int, layout.FRAME_RELAY_OTHER)
_NSH_OTHER = cython.declare(cython.int, layout.NSH_OTHER)
_MAX_DEPTH = cython.declare(cython.int, 12)
"""Headers between the start of a record and its IP header."""


@cython.final
@cython.cclass
class LinkDecoder:
    """Finds the IP headers of one capture file's records, or of the packets inside tunnels."""

    buf = cython.declare(cython.uchar[::1])
    inserted = cython.declare(cython.uchar[::1])  # layout.INSERTED
    _skips = cython.declare(cython.ulonglong[::1])
    _links = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason (layout.REASONS) or EtherType."""
    links = cython.declare(object, visibility="readonly")
    """Counts of records by unknown link type."""
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    marks = cython.declare(cython.ulonglong)
    found = cython.declare(cython.ulonglong)
    depth = cython.declare(cython.int)

    def __init__(self) -> None:
        self.skips = np.zeros(65536, np.uint64).data
        self.links = np.zeros(65536, np.uint64).data
        self._skips = self.skips
        self._links = self.links
        inserted = np.zeros(65536, np.uint8)
        inserted[list(layout.INSERTED)] = list(layout.INSERTED.values())
        self.inserted = inserted.data

    def find(self, buf: memoryview, records: memoryview, count: cython.Py_ssize_t) -> None:
        """Fill in IP and MARKS of records[:count] (or layers, whose first words are the same)."""
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
                self.depth = 0
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
    def _ip(self, at: cython.Py_ssize_t, otherwise: cython.int) -> cython.int:
        """IP of either version, by its first nibble."""
        if at < self.end and (self.buf[at] >> 4 == 4 or self.buf[at] >> 4 == 6):
            return self._found(at)
        return otherwise

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _link(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Decode one packet of a link type; returns 0, a reason or an EtherType."""
        self.depth += 1
        if link == 1:
            return self._ethernet(at)
        if link == 101:
            return self._found(at)
        if link & _ETHERTYPE:
            self.marks |= link & _VLAN | (_GROUP if link & _TO_GROUP else 0)
            return self._ethertype(link & 0xFFFF, at)
        if link == 113 or link == 276:
            return self._cooked(link, at)
        if link == 0 or link == 108:  # wrapper.py knows the others
            return _LOOPBACK_OTHER
        if link == _COUNTED:
            return 0
        if link == 9:
            return self._ppp(at)
        if link == 104:  # Cisco HDLC
            return self._typed(at + 2)
        if link == 107 or link == 219:
            return self._frame_relay(at) if link == 107 else self._mpls(at)
        if link == 242:  # IP over InfiniBand
            if self.end - at < 44:
                return _CUT_LINK
            return self._ethertype(self._u16(at + 40), at + 44)
        if link == 100:  # LLC over ATM
            return self._ethertype(0, at)
        if link in (138, 281, 284):  # IEEE 1394; a switch chip's tag behind Ethernet addresses
            return self._typed(at + 16)
        if link == _CUT:
            return _CUT_LINK
        self._links[link & 0xFFFF] += 1
        return _UNKNOWN_LINK

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _typed(self, at: cython.Py_ssize_t) -> cython.int:
        """An EtherType, then what it says."""
        if self.end - at < 4:
            return _CUT_LINK
        return self._ethertype(self._u16(at), at + 2)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _cooked(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Linux cooked capture, v1 (113) and v2 (276)."""
        size: cython.Py_ssize_t = 16 if link == 113 else 20
        if self.end - at < size:
            return _CUT_LINK
        if self.buf[at + 1 if link == 113 else at + 10] in (1, 2):  # broadcast, multicast
            self.marks |= _GROUP
        return self._ethertype(self._u16(at + 14 if link == 113 else at), at + size)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ethernet(self, at: cython.Py_ssize_t) -> cython.int:
        isl: cython.bint = self.end - at >= 40 and self._u16(at) & 0xFDFF == 0x0100
        if isl and self._u16(at + 2) == 0x0C00 and self.buf[at + 4] == 0:  # Cisco's trunks
            self.marks |= self._u16(at + 20) >> 1 << _VLAN_SHIFT & _VLAN
            at += 26
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
        while self.depth < _MAX_DEPTH:
            self.depth += 1
            if kind == 0x0800 or kind == 0x86DD:
                return self._internet(kind, at)
            if kind in (0x8100, 0x88A8, 0x9100, 0x9200):
                if self.end - at < 4:
                    return _CUT_LINK
                if not self.marks & _VLAN:  # the outermost tag counts
                    self.marks |= self._u16(at) << _VLAN_SHIFT & _VLAN
                kind = self._u16(at + 2)
                at += 4
            elif kind == 0x8847 or kind == 0x8848:
                return self._mpls(at)
            elif kind == 0x8864:  # PPPoE session (RFC 2516)
                return self._ppp(at + 6)
            elif kind == 0x894F:
                return self._nsh(at)
            elif kind == 0x6558 or kind == 0x88E7:  # transparent, and provider backbone bridging:
                return self._ethernet(at if kind == 0x6558 else at + 4)  # a tag, the inner frame
            elif kind == 0x88E5:  # MACsec: readable where it only authenticates
                if self.end - at < 8:
                    return _CUT_LINK
                if self.buf[at] & 0x0C:
                    return _MACSEC
                return self._typed(at + 14 if self.buf[at] & 0x20 else at + 6)
            elif self.inserted[kind]:
                return self._typed(at + self.inserted[kind])
            elif kind == 0xD28B or kind == 0x22F3:
                return self._inserted(kind, at)
            elif kind == 0x4305:
                return self._mesh(at)
            elif kind == 0x8870:  # 802.3 without a length, for large frames
                kind = 0
            elif kind > 1535:
                return kind
            else:  # 802.3 length, then LLC
                if self.end - at < 8 or self._u16(at) != 0xAAAA:
                    return self._llc(at)
                if self.buf[at + 3] or self._u16(at + 4) not in (0, 0xF8):  # 802.1H
                    return _SNAP
                kind = self._u16(at + 6)
                at += 8
                if kind < 1536:
                    return _SNAP
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _inserted(self, kind: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """TRILL (RFC 6325), or what Arista's tap aggregation puts behind the addresses."""
        if self.end - at < 6:
            return _CUT_LINK
        if kind == 0x22F3:  # two nicknames and options, then the whole inner frame
            return self._ethernet(at + 6 + (self._u16(at) >> 6 & 31) * 4)
        if self._u16(at) != 1:
            return 0xD28B
        return self._typed(at + 12 if self.buf[at + 3] == 0x10 else at + 10)  # a time stamp

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _mesh(self, at: cython.Py_ssize_t) -> cython.int:
        """batman-adv, version 15: a header by the packet's type, then the whole inner frame."""
        kind: cython.int
        if self.end - at < 2:
            return _CUT_LINK
        kind = self.buf[at]
        if self.buf[at + 1] != 15 or kind not in (0x01, 0x40, 0x42):
            return 0x4305  # its own talk, and pieces of frames
        return self._ethernet(at + (14 if kind == 0x01 else 10 if kind == 0x40 else 18))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _internet(self, kind: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """IP. Linux says what is behind all tags, but cooked captures have only the first of them
        before their payload: then another one begins here."""
        version: cython.int = 4 if kind == 0x0800 else 6
        other: cython.bint = self.end - at > 4 and self.buf[at] >> 4 != version
        if other and self._u16(at + 2) in (kind, 0x8100, 0x88A8):
            return self._ethertype(0x8100, at)
        return self._found(at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _llc(self, at: cython.Py_ssize_t) -> cython.int:
        if self.end - at < 3:
            return _CUT_LINK
        if self.buf[at] == 6:
            return self._ip(at + 3, _LLC)
        return _STP if self.buf[at] == 0x42 else _LLC

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _mpls(self, at: cython.Py_ssize_t) -> cython.int:
        """RFC 3032: pop the labels; the first nibble behind them tells the payload.

        No IP: a pseudowire, with a control word (0, RFC 4385) or without, to a well-known frame.
        """
        for _ in range(16):
            if self.end - at < 5:
                return _CUT_LINK
            at += 4
            if self.buf[at - 2] & 1:
                break
        else:
            return _DEEP
        if self.buf[at] >> 4 == 0 and self._is_frame(at + 4):
            return self._ethernet(at + 4)
        return self._ip(at, _MPLS_OTHER) if not self._is_frame(at) else self._ethernet(at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is_frame(self, at: cython.Py_ssize_t) -> cython.int:
        """Ethernet whose type is IP, ARP or a tag, and not IP.

        Many a vendor's addresses begin like IP: then the type is IP, and another IP header follows.
        """
        kind: cython.ulonglong
        if self.end - at < 15:
            return 0
        kind = self._u16(at + 12)
        if self.buf[at] >= 0x45 and self.buf[at] >> 4 in (4, 6):
            if kind == 0x0800:
                return self.buf[at + 14] == 0x45
            return kind == 0x86DD and self.buf[at + 14] >> 4 == 6
        return kind in (0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _nsh(self, at: cython.Py_ssize_t) -> cython.int:
        """Network service header (RFC 8300): its length in words, then what comes next."""
        following: cython.int
        if self.end - at < 8:
            return _CUT_LINK
        following = self.buf[at + 3]
        at += (self.buf[at + 1] & 0x3F) * 4
        if following == 1 or following == 2:
            return self._ip(at, _NSH_OTHER)
        if following == 3:
            return self._ethernet(at)
        if following == 4 and self.depth < _MAX_DEPTH:
            return self._ethertype(0x894F, at)
        return self._mpls(at) if following == 5 else _NSH_OTHER

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
        elif self._u16(at) & 0x7FFF == 0x0F00:  # Cisco HDLC on the same interface
            return self._typed(at + 2)
        kind = self.buf[at]
        if kind & 1:
            at += 1
        else:
            kind = self._u16(at)
            at += 2
        if kind == 0x281 or kind == 0x283:
            return self._mpls(at)
        if kind == 0x3D and self.buf[at] >> 6 == 3 and self.depth < _MAX_DEPTH:
            self.depth += 1  # multilink, and a whole packet (RFC 1990)
            return self._ppp(at + 4)
        return self._found(at) if kind == 0x21 or kind == 0x57 else _PPP_OTHER

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _frame_relay(self, at: cython.Py_ssize_t) -> cython.int:
        """An address of two to four bytes, then RFC 2427, or Cisco's EtherType."""
        for _ in range(4):
            if self.end - at < 5:
                return _CUT_LINK
            at += 1
            if self.buf[at - 1] & 1:
                break
        if self.buf[at] != 3:  # no unnumbered information
            return self._typed(at)
        at += 2 if self.buf[at + 1] == 0 else 1  # a pad byte
        if self.buf[at] == 0xCC or self.buf[at] == 0x8E:
            return self._ip(at + 1, _FRAME_RELAY_OTHER)
        if self.buf[at] == 0xCF:  # RFC 1973
            return self._ppp(at + 1)
        if self.buf[at] != 0x80 or self.end - at < 6 or self.buf[at + 1]:
            return _FRAME_RELAY_OTHER
        if self._u16(at + 2) == 0x80C2:  # a bridged frame
            return self._ethernet(at + 6)
        return self._typed(at + 4)
