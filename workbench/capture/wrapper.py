"""The wrapper kernel: takes off what the capturing machine put before a packet.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A layer becomes
a layer of the link type inside. One that is not what its link type says stays as it is, and is
counted as of an unknown link type.

Sources: the tcpdump group's LINKTYPE pages; linux/netfilter/nfnetlink_log.h; Apple's bpf.h (PKTAP);
BSD's sys/socket.h; OpenBSD's if_pflog.h; Endace's ERF types; RFC 2684, 2364 (ATM).
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
_CUT = cython.declare(cython.ulonglong, layout.CUT)
_RAW = cython.declare(cython.ulonglong, 101)
_VLAN_SHIFT = cython.declare(cython.int, layout.VLAN_SHIFT)


@cython.final
@cython.cclass
class Wrappers:
    """Takes wrappers off a capture file's layers."""

    buf = cython.declare(cython.uchar[::1])
    before = cython.declare(cython.uchar[::1])  # layout.WRAPPED: bytes before
    inner = cython.declare(cython.uchar[::1])  # and the link type then
    at = cython.declare(cython.Py_ssize_t)
    end = cython.declare(cython.Py_ssize_t)
    link = cython.declare(cython.ulonglong)

    def __init__(self) -> None:
        before, inner = np.zeros(512, np.uint8), np.zeros(512, np.uint8)
        for link, (size, kind) in layout.WRAPPED.items():
            before[link], inner[link] = size, kind
        self.before, self.inner = before.data, inner.data

    def open(self, buf: memoryview, layers: memoryview, count: cython.Py_ssize_t) -> None:
        """Turn the wrapped ones of layers[:count] into what is inside."""
        lay: cython.ulonglong[:, ::1] = layers
        i: cython.Py_ssize_t
        size: cython.ulonglong
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                if lay[i, _LINK] == 1:  # most of them
                    continue
                self._open(lay[i, _LINK], lay[i, _START], lay[i, _CAPLEN])
                if self.link == lay[i, _LINK]:
                    continue
                if self.at >= self.end:
                    lay[i, _LINK] = _CUT
                    continue
                size = self.at - lay[i, _START]
                lay[i, _START] = self.at
                lay[i, _CAPLEN] -= size
                lay[i, _WIRELEN] = max(lay[i, _WIRELEN], size) - size
                lay[i, _LINK] = self.link

    def wireless(self, buf: memoryview, records: memoryview, count: cython.Py_ssize_t) -> bool:
        """Whether one of records[:count] is 802.11, bare or wrapped."""
        rows: cython.ulonglong[:, ::1] = records
        i: cython.Py_ssize_t
        device: cython.Py_ssize_t  # where a cooked capture says its kind
        found: cython.bint = False
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                if rows[i, _LINK] == 113 or rows[i, _LINK] == 276:
                    device = rows[i, _START] + (2 if rows[i, _LINK] == 113 else 8)
                    if rows[i, _CAPLEN] < 16 or self.buf[device] != 3:  # hardly ever 801 to 803
                        continue
                self._open(rows[i, _LINK], rows[i, _START], rows[i, _CAPLEN])
                if self.link in (105, 119, 127, 163):
                    found = True
                    break
        return found

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _open(
        self, link: cython.ulonglong, at: cython.Py_ssize_t, size: cython.Py_ssize_t
    ) -> cython.int:
        """Find the link type inside of a record, and where it begins."""
        self.link = link
        self.at = at
        self.end = at + size
        for _ in range(3):  # one in another: a packet tap of the loopback
            if self.link == 1 or self.link >= 512 or self.at >= self.end:
                break
            if not self._wrapped(self.at):
                break
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Inside, a packet of a link type begins at `at`."""
        self.link = link
        self.at = at
        return 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _named(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """The same, where a header says the link type: raw IP has several numbers."""
        return self._is(_RAW if link == 12 or link == 14 else link, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _wrapped(self, at: cython.Py_ssize_t) -> cython.int:
        """1 where a whole wrapper is before a packet."""
        link: cython.ulonglong = self.link
        if link == 100 or self.inner[link] == 100:
            return self._llc(at + self.before[link])
        if self.inner[link]:
            return self._is(self.inner[link], at + self.before[link])
        if link == 0 or link == 108:
            return self._loopback(at)
        if link == 239:
            return self._nflog(at + 4)
        if link == 117:  # packet filter log: its own length, padded
            return self._is(_RAW, at + (self.buf[at] + 3) // 4 * 4)
        if link == 167 or 178 <= link <= 181:
            return self._juniper(at)
        if link == 6 and self.end - at > 14:  # token ring, perhaps with a route
            at += self.buf[at + 14] & 31 if self.buf[at + 8] & 0x80 else 0
            return self._llc(at + 14)
        if link == 113 or link == 276:
            return self._cooked(at)
        if link == 192:
            return self._per_packet(at)
        if link == 197:
            return self._erf(at)
        return (link == 258 or link == 149) and self._pktap(at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _llc(self, at: cython.Py_ssize_t) -> cython.int:
        """LLC, which goes where it is before PPP (RFC 2364), or a bridged frame and its pad."""
        snap: cython.bint = self.end - at >= 10 and self._u16(at) == 0xAAAA
        if self.end - at >= 4 and self._u16(at) == 0xFEFE and self.buf[at + 3] == 0xCF:
            return self._is(9, at + 4)
        if snap and self._u16(at + 4) == 0x80C2 and self._u16(at + 6) in (1, 7):
            return self._is(1, at + 10)
        return self._is(100, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _loopback(self, at: cython.Py_ssize_t) -> cython.int:
        """BSD loopback: the address family, in either byte order; or an EtherType, or PPP."""
        kind: cython.ulonglong
        if self.end - at <= 4:
            return self._is(_RAW, self.end)
        kind = self._u16(at + 2)
        if self._u16(at) == 0xFF03:
            return self._is(9, at)
        if self._u16(at):
            kind = self.buf[at + 1] << 8 | self.buf[at]
        at += 4
        if kind in (2, 10, 23, 24, 26, 28, 30):  # AF_INET, then every system's AF_INET6
            return (self.buf[at] >> 4 == 4 or self.buf[at] >> 4 == 6) and self._is(_RAW, at)
        return kind > 1535 and self._is(_ETHERTYPE | kind, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _nflog(self, at: cython.Py_ssize_t) -> cython.int:
        """Netfilter log: attributes in the byte order of the machine, one of them the packet."""
        size: cython.Py_ssize_t
        kind: cython.int
        follows: cython.ulonglong = 0  # an EtherType
        vlan: cython.ulonglong = 0
        for _ in range(64):
            if self.end - at < 6:
                return 0
            size = self.buf[at] | self.buf[at + 1] << 8
            kind = self.buf[at + 2]
            if kind == 0 or kind == 0x80:  # a big-endian machine: types are small, perhaps nested
                size = self._u16(at)
                kind = self.buf[at + 3]
            if kind == 1:  # the packet's header
                follows = self._u16(at + 4)
            if kind == 20 and self.end - at >= 20:  # both parts of a tag, each as an attribute
                vlan = self._u16(at + 8 if self.buf[at + 6] | self.buf[at + 7] == 2 else at + 16)
            if kind == 9:  # the packet itself
                kind = self.buf[at + 4] >> 4
                if kind == 4 or kind == 6 or not follows:
                    follows = 0x86DD if kind == 6 else 0x0800
                return self._is(_ETHERTYPE | (vlan & 0xFFF) << _VLAN_SHIFT | follows, at + 4)
            if size < 4:
                return 0
            at += (size + 3) // 4 * 4
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _cooked(self, at: cython.Py_ssize_t) -> cython.int:
        """Linux cooked captures, v1 and v2, of devices whose packets have link headers still."""
        size: cython.Py_ssize_t = 16 if self.link == 113 else 20
        kind: cython.ulonglong
        if self.end - at < size:
            return 0
        kind = self._u16(at + 2 if self.link == 113 else at + 8)
        if 801 <= kind <= 803:  # wireless monitors: bare, Prism, radiotap
            return self._is(105 if kind == 801 else 119 if kind == 802 else 127, at + size)
        if kind == 280 or kind == 824:  # what has no IP, by its name: CAN, netlink
            return self._is(227 if kind == 280 else 253, at + size)
        return kind == 770 and self._is(107, at + size)  # frame relay

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _per_packet(self, at: cython.Py_ssize_t) -> cython.int:
        """CACE's per-packet information: little-endian; its length and the link type behind it."""
        size: cython.Py_ssize_t
        if self.end - at < 8 or self.buf[at] or self.buf[at + 6] or self.buf[at + 7]:
            return 0
        size = self.buf[at + 2] | self.buf[at + 3] << 8
        return self._named(self.buf[at + 4] | self.buf[at + 5] << 8, at + max(size, 8))

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _erf(self, at: cython.Py_ssize_t) -> cython.int:
        """Endace's extensible record format: a type, perhaps more headers, then the frame."""
        kind: cython.int
        more: cython.bint
        if self.end - at < 16:
            return 0
        kind = self.buf[at + 8] & 0x7F
        more = self.buf[at + 8] & 0x80 != 0
        at += 16
        while more:
            if self.end - at < 8:
                return 0
            more = self.buf[at] & 0x80 != 0
            at += 8
        if kind in (2, 11, 16, 20):  # Ethernet, behind two bytes
            return self._is(1, at + 2)
        if kind in (1, 10, 15, 19):  # PPP or Cisco HDLC
            return self._is(9, at)
        return (kind == 22 or kind == 23) and self._is(_RAW, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _juniper(self, at: cython.Py_ssize_t) -> cython.int:
        """Juniper: "MGC", flags, extensions (flag 0x80), then the frame; flag 2: bare IP."""
        flags: cython.ulonglong
        if self.end - at < 6 or self._u16(at) != 0x4D47 or self.buf[at + 2] != 0x43:
            return 0
        flags = self.buf[at + 3]
        at += 6 + cython.cast(cython.Py_ssize_t, self._u16(at + 4)) if flags & 0x80 else 4
        if flags & 2:
            return self._is(_RAW, at + 4)
        if self.link == 178 or self.link == 167:
            return self._is(1, at)
        if self.link == 179:
            return self._is(9, at)
        return self._is(107 if self.link == 180 else 104, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _pktap(self, at: cython.Py_ssize_t) -> cython.int:
        """Apple's packet tap: a little-endian header whose first word is its length.

        Older files have it as 149, which is free for any use: it has to look like one.
        """
        size: cython.Py_ssize_t
        inner: cython.ulonglong
        if self.end - at < 12:
            return 0
        size = self.buf[at] | self.buf[at + 1] << 8
        inner = self.buf[at + 8] | self.buf[at + 9] << 8
        if self.buf[at + 2] or self.buf[at + 3] or size < 48 or self.buf[at + 4] != 1:
            return 0
        return self._named(inner, at + size)
