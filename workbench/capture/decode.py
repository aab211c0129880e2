"""The decoding kernel: IP headers to rows of packets (addresses, ports, flags, lengths).

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Every length is
checked against the captured bytes of its own packet, every loop over headers is bounded, and what
cannot be decoded is counted by reason, never dropped in silence. A packet that may be the outside
of a tunnel makes its row like any other, and is noted: tunnel.py looks into it.

Sources: RFC 791, 8200, 2675, 8754, 4302, 792, 4443, 9293, 768, 9260.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_REC_TIME = cython.declare(cython.Py_ssize_t, layout.REC_TIME)
_REC_OFFSET = cython.declare(cython.Py_ssize_t, layout.REC_OFFSET)
_REC_IP = cython.declare(cython.Py_ssize_t, layout.REC_IP)
_REC_MARKS = cython.declare(cython.Py_ssize_t, layout.REC_MARKS)
_ROW = cython.declare(cython.Py_ssize_t, layout.LAY_ROW)
_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_ENDS = cython.declare(cython.Py_ssize_t, layout.LAY_SRC_HI)
_NOT_IP = cython.declare(cython.ulonglong, layout.NOT_IP)
_VLAN = cython.declare(cython.ulonglong, 0xFFF << layout.VLAN_SHIFT)
_TUNNELS = cython.declare(cython.ulonglong, 0xFFFF << layout.TUNNEL_SHIFT)
_PROTOCOL = cython.declare(cython.ulonglong, layout.PROTOCOL_TUNNELS)
_QUOTE = cython.declare(cython.ulonglong, layout.QUOTE)
_TEREDO = cython.declare(cython.ulonglong, layout.TEREDO)
_OPEN = cython.declare(cython.ulonglong, layout.OPEN)
_ANSWER = cython.declare(cython.ulonglong, layout.ANSWER)
_QUOTED = cython.declare(cython.ulonglong, layout.QUOTED)
_CUT_IP = cython.declare(cython.int, layout.CUT_IP)
_BROKEN_IP = cython.declare(cython.int, layout.BROKEN_IP)
_CUT_TRANSPORT = cython.declare(cython.int, layout.CUT_TRANSPORT)
_BROKEN_TRANSPORT = cython.declare(cython.int, layout.BROKEN_TRANSPORT)
_V4_PREFIX = cython.declare(cython.ulonglong, layout.V4_PREFIX)
_FRAGMENT = cython.declare(cython.ulonglong, layout.FRAGMENT)
_LATER = cython.declare(cython.ulonglong, layout.LATER)
_CARRIER = cython.declare(cython.ulonglong, layout.CARRIER)
_DEEP = cython.declare(cython.int, layout.DEEP)
_NONE = cython.declare(cython.ulonglong, layout.NO_REQUEST)
_NO_NEXT = cython.declare(cython.int, layout.NO_NEXT)


@cython.final
@cython.cclass
class Decoder:
    """Decodes packets behind the headers that the link kernel found."""

    buf = cython.declare(cython.uchar[::1])
    out = cython.declare(cython.ulonglong[:, ::1])
    inner = cython.declare(cython.ulonglong[:, ::1])
    kinds = cython.declare(cython.uchar[::1])  # tunnel kinds by UDP port
    requests = cython.declare(cython.uchar[::1])  # by type of ICMP, then of ICMPv6
    tcp = cython.declare(cython.ulonglong[::1])  # marks by flags
    sctp = cython.declare(cython.ulonglong[::1])  # and by the first chunk
    _skips = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason, see layout.REASONS."""
    decoded = cython.declare(cython.ulonglong, visibility="readonly")
    """Records that became rows, whether or not the ports of a fragment are found later."""
    noted = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Packets of the last call that may be the outside of a tunnel."""
    row = cython.declare(cython.Py_ssize_t)  # of `out`, to be written next
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    wire_end = cython.declare(cython.Py_ssize_t)  # of the packet, had it been captured whole
    begin = cython.declare(cython.Py_ssize_t)  # of the IP header
    stop = cython.declare(cython.Py_ssize_t)  # of what was captured of the IP packet
    total = cython.declare(cython.Py_ssize_t)  # bytes of the IP packet
    time = cython.declare(cython.ulonglong)
    offset = cython.declare(cython.ulonglong)
    marks = cython.declare(cython.ulonglong)
    src_hi = cython.declare(cython.ulonglong)
    src_lo = cython.declare(cython.ulonglong)
    dst_hi = cython.declare(cython.ulonglong)
    dst_lo = cython.declare(cython.ulonglong)
    ident = cython.declare(cython.ulonglong)
    path = cython.declare(cython.ulonglong)
    quoted = cython.declare(cython.bint)  # by an ICMP error: a flow, but no packet of it
    parted = cython.declare(cython.bint)  # or in a tunnel's fragment: its rest is counted elsewhere

    def __init__(self) -> None:
        kinds = np.zeros(65536, np.uint8)
        kinds[list(layout.TUNNEL_PORTS)] = list(layout.TUNNEL_PORTS.values())
        self.kinds = kinds.data
        requests = np.full(512, layout.NO_REQUEST, np.uint8)
        requests[list(layout.ICMP_REQUESTS)] = list(layout.ICMP_REQUESTS.values())
        self.requests = requests.data
        self.tcp = np.array(layout.TCP_MARKS, np.uint64).data
        self.sctp = np.array(layout.SCTP_MARKS, np.uint64).data
        self.skips = np.zeros(64, np.uint64).data
        self._skips = self.skips
        self.decoded = 0
        self.noted = 0

    def decode(
        self,
        buf: memoryview,
        layers: memoryview,
        count: cython.Py_ssize_t,
        out: memoryview,
        inner: memoryview,
        depth: cython.int,
    ) -> None:
        """Decode layers[:count] of `buf`, each into its row of `out`; note what to look into.

        depth 0: records, into blank rows; those that cannot be decoded are counted. Deeper: what
        is inside tunnels; what cannot be decoded leaves its row as it is, the flow outside. Layers
        that made no row get NOT_IP. `inner` gets the noted ones.
        """
        rows: cython.ulonglong[:, ::1] = layers
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t
        reason: cython.int
        self.buf = buf
        self.out = out
        self.inner = inner
        self.noted = 0
        with cython.nogil:
            for i in range(count):
                if rows[i, _REC_IP] == _NOT_IP:
                    continue
                self.row = rows[i, _ROW]
                self.end = rows[i, _START] + rows[i, _CAPLEN]
                self.wire_end = rows[i, _START] + max(rows[i, _CAPLEN], rows[i, _WIRELEN])
                self.time, self.offset = rows[i, _REC_TIME], rows[i, _REC_OFFSET]
                self.marks = rows[i, _REC_MARKS]
                self.path = self.out[self.row, 11] & _TUNNELS
                if self.out[self.row, 5] & _VLAN:  # the outermost tag counts
                    self.marks = self.marks & ~_VLAN | self.out[self.row, 5] & _VLAN
                self.quoted = rows[i, _TUNNEL] == _QUOTE
                self.parted = self.quoted or self.out[self.row + 1, 10] & _CARRIER != 0
                at = rows[i, _REC_IP]
                if at >= self.end:
                    reason = _CUT_IP
                elif self.buf[at] >> 4 == 4:
                    reason = self._ipv4(at)
                else:
                    reason = self._ipv6(at) if self.buf[at] >> 4 == 6 else _BROKEN_IP
                if reason:
                    rows[i, _REC_IP] = _NOT_IP
                if reason and depth == 0:
                    self._skips[reason] += 1
                elif depth == 0:
                    self.decoded += 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u32(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        return self._u16(at) << 16 | self._u16(at + 2)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ipv4(self, at: cython.Py_ssize_t) -> cython.int:
        header: cython.Py_ssize_t
        total: cython.Py_ssize_t
        flags: cython.ulonglong
        if self.end - at < 20:
            return _CUT_IP
        header = (self.buf[at] & 15) * 4
        total = self._u16(at + 2)
        if total == 0 or self.quoted or (self.parted and total > self.wire_end - at):  # 0: GSO
            total = self.wire_end - at
        if header < 20 or total < header:
            return _BROKEN_IP
        self.src_hi = self.dst_hi = 0
        self.src_lo = _V4_PREFIX | self._u32(at + 12)
        self.dst_lo = _V4_PREFIX | self._u32(at + 16)
        self.begin = at
        self.path |= cython.cast(cython.ulonglong, self.buf[at + 8]) << 32
        flags = self._u16(at + 6)
        self.ident = 0
        self.total = total
        self.stop = min(self.end, at + total)
        if header > 20:
            self._source_route(at + 20, min(self.stop, at + header))
        if flags & 0x3FFF:
            self.ident = _FRAGMENT | self._u16(at + 4) << 8 | self.buf[at + 9]
            if flags & 0x1FFF:
                self.ident |= _LATER
                return self._row(0)
        return self._transport(self.buf[at + 9], at + header)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _source_route(self, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.int:
        """RFC 791 section 3.1: while addresses are left of a route, the last one is the server."""
        size: cython.Py_ssize_t
        while end - at >= 3 and self.buf[at]:
            size = 1 if self.buf[at] == 1 else max(self.buf[at + 1], 2)
            if self.buf[at] in (131, 137) and 4 <= self.buf[at + 2] <= size - 3 <= end - at - 3:
                self.dst_lo = _V4_PREFIX | self._u32(at + size - 4)
            at += size
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ipv6(self, at: cython.Py_ssize_t) -> cython.int:
        total: cython.Py_ssize_t
        if self.end - at < 40:
            return _CUT_IP
        total = self._u16(at + 4) + 40
        if (
            total == 40
            and self.end - at >= 48
            and self.buf[at + 6] == 0
            and self.buf[at + 42] == 0xC2
        ):
            total = min(40 + self._u32(at + 44), self.wire_end - at)  # a jumbogram; GSO writes 0
        if (total == 40 and self.wire_end - at > 46) or (
            self.parted and total > self.wire_end - at
        ):
            total = self.wire_end - at  # up to 46 it is padding
        self.src_hi = self._u32(at + 8) << 32 | self._u32(at + 12)
        self.src_lo = self._u32(at + 16) << 32 | self._u32(at + 20)
        self.dst_hi = self._u32(at + 24) << 32 | self._u32(at + 28)
        self.dst_lo = self._u32(at + 32) << 32 | self._u32(at + 36)
        self.begin = at
        self.path |= cython.cast(cython.ulonglong, self.buf[at + 7]) << 32
        self.ident = 0
        self.total = total
        self.stop = min(self.end, at + total)
        return self._extensions(self.buf[at + 6], at + 40)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _extensions(self, following: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """RFC 8200 section 4: hop-by-hop, routing, options, AH, fragment, HIP, shim6."""
        fragment: cython.ulonglong
        for _ in range(16):
            if following == 59:
                return _NO_NEXT
            if following not in (0, 43, 44, 51, 60, 139, 140):
                return self._transport(following, at)
            if self.stop - at < 8:
                return _CUT_IP
            if following == 44:
                fragment = self._u16(at + 2)
                following = self.buf[at]
                if fragment & 0xFFF9:  # an atomic fragment (RFC 6946) is a whole packet
                    self.ident = _FRAGMENT | self._u32(at + 4) << 8 | following
                if fragment & 0xFFF8:
                    self.ident |= _LATER
                    return self._row(0)
                at += 8
            elif following == 51:
                following = self.buf[at]
                at += (self.buf[at + 1] + 2) * 4
            else:
                if following == 43 and self.buf[at + 3]:
                    self._route(at)
                following = self.buf[at]
                at += (self.buf[at + 1] + 1) * 8
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _route(self, at: cython.Py_ssize_t) -> cython.int:
        """Segments are left: the last one is the server. Segment routing (4, RFC 8754) lists it
        first, type 0 (RFC 5095) last; type 2 (RFC 6275) holds one address."""
        kind: cython.int = self.buf[at + 2]
        size: cython.Py_ssize_t = self.buf[at + 1]  # eight-byte units behind the first
        if size < 2:
            return 0
        if kind == 0:
            at += (size // 2 - 1) * 16
        if kind in (0, 2, 4) and self.stop - at >= 24:
            self.dst_hi = self._u32(at + 8) << 32 | self._u32(at + 12)
            self.dst_lo = self._u32(at + 16) << 32 | self._u32(at + 20)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _transport(self, protocol: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        who: cython.ulonglong = protocol << 32
        kind: cython.ulonglong
        if protocol == 1 or protocol == 58:
            return self._icmp(protocol, at)
        if protocol == 51:
            return self._extensions(protocol, at)
        if protocol in (6, 17, 132):
            if self.stop - at < 4:
                return _CUT_TRANSPORT
            who |= self._u32(at)
        if protocol == 6 and self.stop - at >= 14 and not self.quoted:  # may be filled up
            if self.buf[at + 12] < 0x50:  # a header of less than 20 bytes: no stack takes it
                return _BROKEN_TRANSPORT
            kind = self.buf[at + 13]
            self.marks |= self.tcp[kind]
            if kind & 6 == 2:
                self.path |= max(self._u32(at + 4), 1)
        elif protocol == 132 and self.stop - at >= 12:
            self.path |= self._u32(at + 8)
            if self.stop - at > 12:
                self.marks |= self.sctp[self.buf[at + 12]]
        elif protocol == 17 and self.stop - at >= 8:
            self.path |= self._u16(at + 6)
            kind = self.kinds[who & 0xFFFF]
            if not kind:
                kind = self.kinds[who >> 16 & 0xFFFF]
            if kind:
                self._note(kind, at)
            elif self.stop - at >= 48 and self.buf[at + 8] >> 4 == 6:
                self._note(_TEREDO, at)
        elif protocol in (4, 41, 47, 97, 115, 137, 143):
            self._note(_PROTOCOL + protocol, at)
        return self._row(who)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _icmp(self, protocol: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """A reply becomes the way back of its request: the identifier is the client's port."""
        kind: cython.ulonglong
        request: cython.ulonglong
        ident: cython.ulonglong
        if self.stop - at < 1:
            return _CUT_TRANSPORT
        kind = self.buf[at]
        request = self.requests[kind if protocol == 1 else kind + 256]
        ident = self._u16(at + 4) if request != _NONE and self.stop - at >= 6 else 0
        if self.quoted and request != kind:
            return _NO_NEXT  # a reply that was refused says nothing
        if self.stop - at >= 4:
            self.path |= self._u16(at + 2)
        if (protocol == 1 and kind == 3 and self.stop - at > 1 and self.buf[at + 1] != 4) or (
            protocol == 58 and kind == 1
        ):
            self._note(0, at)
        if request in (_NONE, kind):
            self.marks |= _OPEN
            return self._row(protocol << 32 | ident << 16 | kind)
        self.marks |= _ANSWER
        return self._row(protocol << 32 | request << 16 | ident)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _note(self, kind: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Something may be inside: a tunnel's packet, or (0) what an ICMP error quotes."""
        i: cython.Py_ssize_t = self.noted
        row: cython.Py_ssize_t = self.row
        if self.quoted or (kind == 0 and self.out[row + 1, 10]):
            return 0
        self.inner[i, _START] = at
        self.inner[i, _CAPLEN] = max(self.stop - at, 0)
        self.inner[i, _WIRELEN] = max(self.begin + self.total - at, 0)
        self.inner[i, _REC_TIME] = self.time
        self.inner[i, _REC_OFFSET] = self.offset
        self.inner[i, _ROW] = row if kind else row + 1
        self.inner[i, _TUNNEL] = kind << 32 if kind else _QUOTE
        self.inner[i, _ENDS] = self.src_hi
        self.inner[i, _ENDS + 1] = self.src_lo
        self.inner[i, _ENDS + 2] = self.dst_hi
        self.inner[i, _ENDS + 3] = self.dst_lo
        self.noted = i + 1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _row(self, who: cython.ulonglong) -> cython.int:
        row: cython.Py_ssize_t = self.row
        if self.quoted:
            if self.ident & _LATER:
                return _CUT_TRANSPORT
            self.marks = _QUOTED
            self.path = self.ident = 0
        self.out[row, 0] = self.src_hi  # the order of layout.PKT_SRC_HI and its kin
        self.out[row, 1] = self.src_lo
        self.out[row, 2] = self.dst_hi
        self.out[row, 3] = self.dst_lo
        self.out[row, 4] = who
        self.out[row, 5] = self.marks
        self.out[row, 6] = 0 if self.quoted else 1
        self.out[row, 7] = 0 if self.quoted else self.total
        self.out[row, 8] = self.time
        self.out[row, 9] = self.offset
        self.out[row, 10] = self.ident
        self.out[row, 11] = self.path
        return 0
