"""The tunnel kernel: what is inside of tunnels.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A header that
is cut, or that is not exactly what its tunnel writes, hides nothing: its packet stays with the
flow outside. Tunnels without a header that says so are found by evidence.py, and those of mobile
and wireless networks by radio.py.

Sources: RFC 2784, 2890, 2637 (GRE, PPTP); draft-foschiano-erspan; RFC 7348, 8926, and
draft-ietf-nvo3-vxlan-gpe; RFC 2003, 4213, 3378, 8986;
RFC 4023, 7510 (MPLS); RFC 2661 (L2TP); draft-hasmit-otv; RFC 9300 (LISP);
draft-ietf-intarea-gue.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_ROW = cython.declare(cython.Py_ssize_t, layout.LAY_ROW)
_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_ETHERTYPE = cython.declare(cython.ulonglong, layout.ETHERTYPE_LINK)
_FRAGMENT = cython.declare(cython.ulonglong, layout.FRAGMENT)
_CARRIER = cython.declare(cython.ulonglong, layout.CARRIER)
_QUOTE = cython.declare(cython.ulonglong, layout.QUOTE)
_VLAN = cython.declare(cython.ulonglong, 0xFFF << layout.VLAN_SHIFT)
_PROTOCOL = cython.declare(cython.ulonglong, layout.PROTOCOL_TUNNELS)
_GRE = cython.declare(cython.ulonglong, layout.GRE)
_ERSPAN = cython.declare(cython.ulonglong, layout.ERSPAN)
_VXLAN = cython.declare(cython.ulonglong, layout.VXLAN)
_VXLAN_GPE = cython.declare(cython.ulonglong, layout.VXLAN_GPE)
_GENEVE = cython.declare(cython.ulonglong, layout.GENEVE)
_IP_IN_IP = cython.declare(cython.ulonglong, layout.IP_IN_IP)
_MPLS = cython.declare(cython.ulonglong, layout.MPLS)
_L2TP = cython.declare(cython.ulonglong, layout.L2TP)
_PPTP = cython.declare(cython.ulonglong, layout.PPTP)
_OTV = cython.declare(cython.ulonglong, layout.OTV)
_LISP = cython.declare(cython.ulonglong, layout.LISP)
_GUE = cython.declare(cython.ulonglong, layout.GUE)
_ETHERIP = cython.declare(cython.ulonglong, layout.ETHERIP)
_KEY = cython.declare(cython.ulonglong, 0xFFFF_FFFF)
_READY = cython.declare(cython.ulonglong, layout.READY)
_ETHERNET = cython.declare(cython.ulonglong, 1)  # link types of what is inside
_PPP = cython.declare(cython.ulonglong, 9)
_RAW = cython.declare(cython.ulonglong, 101)
_FRAME_RELAY = cython.declare(cython.ulonglong, 107)
_LABELS = cython.declare(cython.ulonglong, 219)


@cython.final
@cython.cclass
class Tunnels:
    """Looks into the layers that the decoder noted."""

    buf = cython.declare(cython.uchar[::1])
    at = cython.declare(cython.Py_ssize_t)
    end = cython.declare(cython.Py_ssize_t)
    kind = cython.declare(cython.ulonglong)
    key = cython.declare(cython.ulonglong)
    link = cython.declare(cython.ulonglong)

    def open(
        self, buf: memoryview, layers: memoryview, count: cython.Py_ssize_t, out: memoryview
    ) -> int:
        """Turn layers[:count], where a tunnel's header begins, into what is inside of it.

        Those that are no tunnel are left out; returns how many remain. A first fragment's row of
        `out` is copied to its second one, for the later fragments, before it goes to the inside.
        """
        lay: cython.ulonglong[:, ::1] = layers
        packets: cython.ulonglong[:, ::1] = out
        i: cython.Py_ssize_t
        word: cython.Py_ssize_t
        row: cython.Py_ssize_t
        size: cython.ulonglong
        kept: cython.Py_ssize_t = 0
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                self.at = lay[i, _START]
                self.end = self.at + lay[i, _CAPLEN]
                self.key = lay[i, _TUNNEL] & _KEY
                self.kind = lay[i, _TUNNEL] >> 32
                if self.kind >= _READY:
                    self.kind -= _READY
                    self.link = lay[i, _LINK]
                elif not self._inside():
                    continue
                if self.at >= self.end:
                    continue
                for word in range(lay.shape[1]):
                    lay[kept, word] = lay[i, word]
                size = self.at - lay[kept, _START]
                lay[kept, _START] = self.at
                lay[kept, _CAPLEN] -= size
                lay[kept, _WIRELEN] -= size
                lay[kept, _LINK] = self.link
                lay[kept, _TUNNEL] = self.kind << 32 | self.key
                row = lay[kept, _ROW]
                if packets[row, 10] & _FRAGMENT and not packets[row + 1, 10]:
                    for word in range(packets.shape[1]):
                        packets[row + 1, word] = packets[row, word]
                    packets[row + 1, 5] &= _VLAN
                    packets[row + 1, 6] = 0
                    packets[row + 1, 10] |= _CARRIER
                kept += 1
        return kept

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is(
        self, kind: cython.ulonglong, link: cython.ulonglong, at: cython.Py_ssize_t
    ) -> cython.int:
        """A tunnel of a kind: a packet of a link type begins at `at`."""
        self.kind = kind
        self.link = link
        self.at = at
        return 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _inside(self) -> cython.int:
        """1 where a header of the kind that was expected ends within the captured bytes."""
        at: cython.Py_ssize_t = self.at
        if self.kind == _QUOTE >> 32:
            return self._is(_QUOTE >> 32, _RAW, at + 8)
        if self.kind == _PROTOCOL + 4 or self.kind == _PROTOCOL + 41:
            return self._is(_IP_IN_IP, _RAW, at)
        if self.kind == _PROTOCOL + 137 or self.kind == _MPLS:
            return self._is(_MPLS, _LABELS, at + 8 if self.kind == _MPLS else at)
        if self.kind == _PROTOCOL + 143:  # Ethernet right behind segment routing
            return self._is(_ETHERIP, _ETHERNET, at)
        if self.end - at < 4:
            return 0
        if self.kind == _PROTOCOL + 97:
            return self._u16(at) == 0x3000 and self._is(_ETHERIP, _ETHERNET, at + 2)
        if self.kind == _PROTOCOL + 47:
            return self._gre(at)
        if self.end - at < 16:
            return 0
        at += 8  # behind the UDP header
        if self.kind == _VXLAN or self.kind == _VXLAN_GPE:
            return self._vxlan(at)
        if self.kind == _GENEVE or self.kind == _GRE:
            return self._geneve(at) if self.kind == _GENEVE else self._gre(at)
        if self.kind == _L2TP:
            return self._l2tp(at)
        if self.kind == _LISP:
            return self._lisp(at)
        return self.kind == _GUE and self._gue(at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _gre(self, at: cython.Py_ssize_t) -> cython.int:
        flags: cython.ulonglong = self._u16(at)
        kind: cython.ulonglong = self._u16(at + 2)
        routes: cython.bint = flags & 0x4000 != 0
        if flags & 7 == 1:  # PPTP: always a key; no sequence number, no payload
            if kind == 0x6400 and flags & 0x2000 and self.end - at > 8:  # MikroTik's EoIP
                self.key = self.buf[at + 6] | self.buf[at + 7] << 8
                return self._is(_GRE, _ETHERNET, at + 8)
            if kind != 0x880B or flags & 0x3000 != 0x3000 or self.end - at < 12:
                return 0
            self.key = self._u16(at + 6)
            return self._is(_PPTP, _PPP, at + 16 if flags & 0x80 else at + 12)
        if flags & 7 or kind < 1536:
            return 0
        at += 8 if flags & 0xC000 else 4
        if flags & 0x2000:
            if self.end - at < 4:
                return 0
            self.key = self._u16(at) << 16 | self._u16(at + 2)
            at += 4
        if flags & 0x1000:
            at += 4
        while routes:
            if self.end - at < 4:
                return 0
            routes = self.buf[at + 3] != 0
            at += 4 + cython.cast(cython.Py_ssize_t, self.buf[at + 3])
        if kind == 0x88BE or kind == 0x22EB:
            return self._erspan(kind, at, flags)
        if kind == 0x880B or kind == 0x6559:
            return self._is(_GRE, _PPP if kind == 0x880B else _FRAME_RELAY, at)
        if kind == 0x883E and self.end - at > 4:  # WCCP, with or without a header of its own
            return self._is(_GRE, _RAW, at if self.buf[at] >> 4 == 4 else at + 4)
        if kind == 0x9000 or 0x8200 <= kind <= 0x82FF:  # Aruba's access points
            return self._is(_GRE, 105, at)
        return self._is(_GRE, _ETHERTYPE | kind, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _erspan(
        self, kind: cython.ulonglong, at: cython.Py_ssize_t, flags: cython.ulonglong
    ) -> cython.int:
        """Type I has no header; II and III have one that begins with version 1 and 2."""
        if kind == 0x88BE and not flags & 0x1000:
            return self._is(_ERSPAN, _ETHERNET, at)
        if self.end - at < 12 or self.buf[at] >> 4 not in (1, 2):
            return 0
        self.key = self._u16(at + 2) & 0x3FF
        if self.buf[at] >> 4 == 1:
            return self._is(_ERSPAN, _ETHERNET, at + 8)
        flags = self._u16(at + 10)
        at += 20 if flags & 1 else 12  # a platform specific subheader
        return self._is(_ERSPAN, _RAW if flags >> 10 & 0x1F == 2 else _ETHERNET, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _vxlan(self, at: cython.Py_ssize_t) -> cython.int:
        """VXLAN, perhaps with a group policy (flag 0x80), and with a next protocol (flag 4)."""
        flags: cython.ulonglong = self.buf[at]
        following: cython.ulonglong = self.buf[at + 3]
        self.key = self._u16(at + 4) << 8 | self.buf[at + 6]
        if self.kind == _VXLAN and not flags & 4:
            if self._otv(at):
                return 1
            return flags & 8 and self._is(_VXLAN, _ETHERNET, at + 8)
        if flags & 0xF1:  # a version, or operations and maintenance
            return 0
        if following == 3 or not (flags & 4 or following):
            return self._is(_VXLAN_GPE, _ETHERNET, at + 8)
        if following == 1 or following == 2:
            return self._is(_VXLAN_GPE, _RAW, at + 8)
        if following == 4:
            return self._is(_VXLAN_GPE, _ETHERTYPE | 0x894F, at + 8)
        return following == 5 and self._is(_VXLAN_GPE, _LABELS, at + 8)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _geneve(self, at: cython.Py_ssize_t) -> cython.int:
        if self.buf[at] >> 6 or self.buf[at + 1] & 0x80:  # a version; control packets
            return 0
        self.key = self._u16(at + 4) << 8 | self.buf[at + 6]
        return self._is(_GENEVE, _ETHERTYPE | self._u16(at + 2), at + 8 + (self.buf[at] & 0x3F) * 4)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _l2tp(self, at: cython.Py_ssize_t) -> cython.int:
        """Version 2 data messages: PPP."""
        flags: cython.ulonglong = self._u16(at)
        if flags & 0x800F != 2:
            return 0
        at += 4 if flags & 0x4000 else 2
        self.key = self._u16(at) << 16 | self._u16(at + 2)
        at += 8 if flags & 0x0800 else 4
        if flags & 0x0200:
            if self.end - at < 2:
                return 0
            at += 2 + cython.cast(cython.Py_ssize_t, self._u16(at))
        return self._is(_L2TP, _PPP, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _otv(self, at: cython.Py_ssize_t) -> cython.int:
        """VXLAN's header with an overlay where that has reserved bits, on a port of its own."""
        if self.buf[at] != 8 or not (self.buf[at + 1] & 0xB7 or self._u16(at + 2)):
            return 0
        if self._u16(self.at) != 8472 and self._u16(self.at + 2) != 8472:
            return 0
        self.key = self._u16(at) << 16 & 0xFF_0000 | self._u16(at + 2)
        return self._is(_OTV, _ETHERNET, at + 8)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _lisp(self, at: cython.Py_ssize_t) -> cython.int:
        """Data that is not encrypted; a nonce excludes map versions, an echo request needs one."""
        flags: cython.ulonglong = self.buf[at]
        if flags & 7 or flags & 0x90 == 0x90 or flags & 0xA0 == 0x20:
            return 0
        if flags & 8:
            self.key = self._u16(at + 4) << 8 | self.buf[at + 6]
        return self._is(_LISP, _RAW, at + 8)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _gue(self, at: cython.Py_ssize_t) -> cython.int:
        """Version 0 names what follows by IP protocol; version 1 is the IP packet itself."""
        first: cython.ulonglong = self.buf[at]
        following: cython.ulonglong = self.buf[at + 1]
        if first >> 6 == 1:
            return self._is(_GUE, _RAW, at)
        at += 4 + cython.cast(cython.Py_ssize_t, first & 31) * 4
        if first >> 5:  # a later version, or a control message
            return 0
        if following == 47:
            return self.end - at >= 4 and self._gre(at)
        if following == 137:
            return self._is(_GUE, _LABELS, at)
        return (following == 4 or following == 41) and self._is(_GUE, _RAW, at)
