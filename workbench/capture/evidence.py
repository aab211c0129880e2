"""The evidence kernel: tunnels that are told by what is inside of them.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Teredo and FOU
have no header, and that of L2TP version 3 has a length that only the two ends know. They are taken
for tunnels where an IP packet begins (in FOU, perhaps behind GRE) that fills what is left: of IPv4
with its checksum, of IPv6 to the byte. Anything else stays with the flow outside.

Sources: RFC 4380 (Teredo); RFC 3931, 4719, 4349 (L2TP version 3); Linux' fou.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_READY = cython.declare(cython.ulonglong, layout.READY)
_TEREDO = cython.declare(cython.ulonglong, layout.TEREDO)
_L2TP = cython.declare(cython.ulonglong, layout.L2TP)
_FOU = cython.declare(cython.ulonglong, layout.FOU)
_L2TP_IN_IP = cython.declare(cython.ulonglong, layout.PROTOCOL_TUNNELS + 115)
_ETHERNET = cython.declare(cython.ulonglong, 1)  # link types of what is inside
_PPP = cython.declare(cython.ulonglong, 9)
_RAW = cython.declare(cython.ulonglong, 101)
_ETHERTYPE = cython.declare(cython.ulonglong, layout.ETHERTYPE_LINK)
_SHORTEST = cython.declare(cython.Py_ssize_t, 46)  # what Ethernet fills an IP packet up to


@cython.final
@cython.cclass
class Evidence:
    """Finds what is inside of such tunnels among the layers that the decoder noted."""

    buf = cython.declare(cython.uchar[::1])
    at = cython.declare(cython.Py_ssize_t)
    end = cython.declare(cython.Py_ssize_t)  # of what was captured
    wire_end = cython.declare(cython.Py_ssize_t)  # of what there was
    key = cython.declare(cython.ulonglong)
    link = cython.declare(cython.ulonglong)

    def find(self, buf: memoryview, layers: memoryview, count: cython.Py_ssize_t) -> None:
        """Turn those of layers[:count] into what is inside; their kind becomes READY | kind."""
        lay: cython.ulonglong[:, ::1] = layers
        i: cython.Py_ssize_t
        kind: cython.ulonglong
        size: cython.ulonglong
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                kind = lay[i, _TUNNEL] >> 32
                if kind not in (_TEREDO, _L2TP, _FOU, _L2TP_IN_IP):
                    continue
                self.at = lay[i, _START]
                self.end = self.at + lay[i, _CAPLEN]
                self.wire_end = self.at + lay[i, _WIRELEN]
                self.key = 0
                self.link = _RAW
                if not self._inside(kind):
                    continue
                if kind == _L2TP_IN_IP:
                    kind = _L2TP
                size = self.at - lay[i, _START]
                lay[i, _START] = self.at
                lay[i, _CAPLEN] -= size
                lay[i, _WIRELEN] -= size
                lay[i, _LINK] = self.link
                lay[i, _TUNNEL] = (_READY | kind) << 32 | self.key

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _inside(self, kind: cython.ulonglong) -> cython.int:
        """1 where what is inside begins at `at`."""
        at: cython.Py_ssize_t = self.at
        if self.end - at < 24:
            return 0
        if kind == _L2TP_IN_IP:
            return self._l2tp(at)
        at += 8  # behind the UDP header
        if kind == _TEREDO:
            return self._teredo(at)
        if kind == _FOU:
            self.at = at
            return self._ip(at, 0) or self._gre(at)
        return self._u16(at) & 0x800F == 3 and self._l2tp(at + 4)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _l2tp(self, at: cython.Py_ssize_t) -> cython.int:
        """A session, up to eight bytes of cookie, perhaps a sublayer's four; Ethernet or PPP.

        Session 0 is for control messages.
        """
        self.key = self._u16(at) << 16 | self._u16(at + 2)
        if not self.key:
            return 0
        for _ in range(4):
            at += 4
            self.at = at
            if self._ethernet(at):
                self.link = _ETHERNET
                return 1
            if self._ppp(at):
                self.link = _PPP
                return 1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _gre(self, at: cython.Py_ssize_t) -> cython.int:
        """GRE with checksum, key and sequence number, or without; IP or Ethernet in it."""
        flags: cython.ulonglong = self._u16(at)
        kind: cython.ulonglong = self._u16(at + 2)
        if flags & 0x4FFF:
            return 0
        at += 8 if flags & 0x8000 else 4
        if flags & 0x2000:
            self.key = self._u16(at) << 16 | self._u16(at + 2)
            at += 4
        if flags & 0x1000:
            at += 4
        self.at = at
        self.link = _ETHERTYPE | kind
        if kind == 0x6558:
            return self._ethernet(at)
        return (kind == 0x0800 or kind == 0x86DD) and self._ip(at, 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ethernet(self, at: cython.Py_ssize_t) -> cython.int:
        kind: cython.ulonglong
        at += 12
        for _ in range(3):  # up to two tags
            if self.end - at < 2:
                return 0
            kind = self._u16(at)
            if kind == 0x0800 or kind == 0x86DD:
                return self._ip(at + 2, _SHORTEST)
            if kind != 0x8100 and kind != 0x88A8:
                return 0
            at += 4
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ppp(self, at: cython.Py_ssize_t) -> cython.int:
        """Address and control, and the protocol's first byte, may be left out (RFC 1661)."""
        if self.end - at < 4:
            return 0
        if self._u16(at) == 0xFF03:
            at += 2
        if self.buf[at] == 0:
            at += 1
        return (self.buf[at] == 0x21 or self.buf[at] == 0x57) and self._ip(at + 1, 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ip(self, at: cython.Py_ssize_t, shortest: cython.Py_ssize_t) -> cython.int:
        """A packet that fills what is left. One that is longer is of a first fragment.

        shortest: what is no longer than that may be filled up.
        """
        left: cython.Py_ssize_t = self.wire_end - at
        size: cython.Py_ssize_t
        if self.end - at < 20:
            return 0
        if self.buf[at] >> 4 == 6:
            size = self._u16(at + 4) + 40
            return size == left or size < left <= shortest
        size = self._u16(at + 2)
        if self.buf[at] >> 4 != 4 or size < 20 or (size < left and left > shortest):
            return 0
        return self._sums_up(at) or (size == left and self._u16(at + 10) == 0)  # left to a card

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _sums_up(self, at: cython.Py_ssize_t) -> cython.int:
        """The checksum of an IPv4 header."""
        words: cython.Py_ssize_t = (self.buf[at] & 15) * 2
        total: cython.ulonglong = 0
        i: cython.Py_ssize_t
        if words < 10 or self.end - at < words * 2:
            return 0
        for i in range(words):
            total += self._u16(at + i * 2)
        total = (total & 0xFFFF) + (total >> 16)
        return (total & 0xFFFF) + (total >> 16) == 0xFFFF

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _teredo(self, at: cython.Py_ssize_t) -> cython.int:
        """IPv6 of the very length, one end a Teredo address (or link-local, to or from a server).

        Authentication and origin indication may come before it (RFC 4380 section 5.1.1).
        """
        server: cython.bint = self._u16(self.at) == 3544 or self._u16(self.at + 2) == 3544
        size: cython.Py_ssize_t
        if self._u16(at) == 1:
            at += 13 + cython.cast(cython.Py_ssize_t, self.buf[at + 2] + self.buf[at + 3])
            if self.end - at < 8:
                return 0
        if self._u16(at) == 0:
            at += 8
        if self.end - at < 40 or self.buf[at] >> 4 != 6:
            return 0
        size = self._u16(at + 4) + 40
        if size < self.end - at:
            return 0
        if not (self._is_teredo(at + 8, server) or self._is_teredo(at + 24, server)):
            return 0
        self.at = at
        return 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is_teredo(self, at: cython.Py_ssize_t, server: cython.bint) -> cython.int:
        high: cython.ulonglong = self._u16(at)
        return (server and high == 0xFE80) or (high == 0x2001 and self._u16(at + 2) == 0)
