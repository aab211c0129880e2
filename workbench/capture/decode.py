"""The decoding kernel: IP headers to rows of packets (addresses, ports, flags, lengths).

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Every length is
checked against the captured bytes of its own packet, every loop over headers is bounded, and what
cannot be decoded is counted by reason, never dropped in silence.

Sources: RFC 791, 8200, 4302, 792, 4443, 9293, 768, 9260. IP in IP, GRE, VXLAN and other tunnels
count to their outer flow.
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
_NOT_IP = cython.declare(cython.ulonglong, layout.NOT_IP)
_OPEN = cython.declare(cython.ulonglong, layout.OPEN)
_ANSWER = cython.declare(cython.ulonglong, layout.ANSWER)
_LIVE = cython.declare(cython.ulonglong, layout.LIVE)
_QUOTED = cython.declare(cython.ulonglong, layout.QUOTED)
_ABORT = cython.declare(cython.ulonglong, layout.ABORT)
_CUT_IP = cython.declare(cython.int, layout.CUT_IP)
_BROKEN_IP = cython.declare(cython.int, layout.BROKEN_IP)
_CUT_TRANSPORT = cython.declare(cython.int, layout.CUT_TRANSPORT)
_BROKEN_TRANSPORT = cython.declare(cython.int, layout.BROKEN_TRANSPORT)
_V4_PREFIX = cython.declare(cython.ulonglong, 0xFFFF_0000_0000)
_FRAGMENT = cython.declare(cython.ulonglong, layout.FRAGMENT)
_LATER = cython.declare(cython.ulonglong, layout.LATER)
_DEEP = cython.declare(cython.int, layout.DEEP)
_NO_NEXT = cython.declare(cython.int, layout.NO_NEXT)


@cython.final
@cython.cclass
class Decoder:
    """Decodes the packets of one capture file."""

    buf = cython.declare(cython.uchar[::1])
    out = cython.declare(cython.ulonglong[:, ::1])
    _skips = cython.declare(cython.ulonglong[::1])
    skips = cython.declare(object, visibility="readonly")
    """Counts by reason, see layout.REASONS."""
    decoded = cython.declare(cython.ulonglong, visibility="readonly")
    """Records that became rows, whether or not the ports of a fragment are found later."""
    made = cython.declare(cython.Py_ssize_t)
    end = cython.declare(cython.Py_ssize_t)  # of the captured packet
    wire_end = cython.declare(cython.Py_ssize_t)  # of the packet, had it been captured whole
    time = cython.declare(cython.ulonglong)
    offset = cython.declare(cython.ulonglong)
    marks = cython.declare(cython.ulonglong)
    src_hi = cython.declare(cython.ulonglong)
    src_lo = cython.declare(cython.ulonglong)
    dst_hi = cython.declare(cython.ulonglong)
    dst_lo = cython.declare(cython.ulonglong)
    ident = cython.declare(cython.ulonglong)
    path = cython.declare(cython.ulonglong)

    def __init__(self) -> None:
        self.skips = np.zeros(64, np.uint64).data
        self._skips = self.skips
        self.decoded = 0

    def decode(
        self, buf: memoryview, records: memoryview, count: cython.Py_ssize_t, out: memoryview
    ) -> int:
        """Decode records[:count] of `buf` into rows of `out`; returns how many rows.

        A record makes at most two rows (an ICMP error and the flow that it quotes).
        """
        rows: cython.ulonglong[:, ::1] = records
        i: cython.Py_ssize_t
        start: cython.Py_ssize_t
        caplen: cython.ulonglong
        wirelen: cython.ulonglong
        reason: cython.int
        self.buf = buf
        self.out = out
        self.made = 0
        with cython.nogil:
            for i in range(count):
                if rows[i, _REC_IP] == _NOT_IP:
                    continue
                start = rows[i, _START]
                caplen = rows[i, _CAPLEN]
                wirelen = rows[i, _WIRELEN]
                self.end = start + caplen
                self.wire_end = start + max(caplen, wirelen)
                self.time = rows[i, _REC_TIME]
                self.offset = rows[i, _REC_OFFSET]
                self.marks = rows[i, _REC_MARKS]
                self.path = 0
                reason = self._ip(rows[i, _REC_IP])
                if reason:
                    self._skips[reason] += 1
                else:
                    self.decoded += 1
        return self.made

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
    def _ip(self, at: cython.Py_ssize_t) -> cython.int:
        """Decode one packet from its IP header; returns 0 or a reason."""
        if at >= self.end:
            return _CUT_IP
        if self.buf[at] >> 4 == 4:
            return self._ipv4(at)
        return self._ipv6(at) if self.buf[at] >> 4 == 6 else _BROKEN_IP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _addresses4(self, at: cython.Py_ssize_t) -> cython.int:
        self.src_hi = self.dst_hi = 0
        self.src_lo = _V4_PREFIX | self._u32(at + 12)
        self.dst_lo = _V4_PREFIX | self._u32(at + 16)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _addresses6(self, at: cython.Py_ssize_t) -> cython.int:
        self.src_hi = self._u32(at + 8) << 32 | self._u32(at + 12)
        self.src_lo = self._u32(at + 16) << 32 | self._u32(at + 20)
        self.dst_hi = self._u32(at + 24) << 32 | self._u32(at + 28)
        self.dst_lo = self._u32(at + 32) << 32 | self._u32(at + 36)
        return 0

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
        if total == 0 or total > self.wire_end - at:  # GSO and BIG TCP write 0
            total = self.wire_end - at
        if header < 20 or total < header:
            return _BROKEN_IP
        self._addresses4(at)
        flags = self._u16(at + 6)
        self.ident = 0
        if flags & 0x3FFF:
            self.ident = _FRAGMENT | self._u16(at + 4) << 8 | self.buf[at + 9]
            if flags & 0x1FFF:
                self.ident |= _LATER
                return self._row(0, 1, total)
        return self._transport(self.buf[at + 9], at + header, min(self.end, at + total), total)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _ipv6(self, at: cython.Py_ssize_t) -> cython.int:
        total: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        if self.end - at < 40:
            return _CUT_IP
        total = self._u16(at + 4) + 40
        if total == 40 or total > self.wire_end - at:  # a jumbogram (RFC 2675) or GSO writes 0
            total = self.wire_end - at
        self._addresses6(at)
        self.ident = 0
        stop = min(self.end, at + total)
        return self._extensions(self.buf[at + 6], at + 40, stop, total)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _extensions(
        self,
        following: cython.ulonglong,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        total: cython.Py_ssize_t,
    ) -> cython.int:
        """RFC 8200 section 4: hop-by-hop, routing, options, AH, fragment, HIP, shim6."""
        fragment: cython.ulonglong
        for _ in range(16):
            if following == 59:
                return _NO_NEXT
            if following not in (0, 43, 44, 51, 60, 139, 140):
                return self._transport(following, at, stop, total)
            if stop - at < 8:
                return _CUT_IP
            if following == 44:
                fragment = self._u16(at + 2)
                following = self.buf[at]
                if fragment & 0xFFF9:  # an atomic fragment (RFC 6946) is a whole packet
                    self.ident = _FRAGMENT | self._u32(at + 4) << 8 | following
                if fragment & 0xFFF8:
                    self.ident |= _LATER
                    return self._row(0, 1, total)
                at += 8
            elif following == 51:
                following = self.buf[at]
                at += (self.buf[at + 1] + 2) * 4
            else:
                following = self.buf[at]
                at += (self.buf[at + 1] + 1) * 8
        return _DEEP

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _transport(
        self,
        protocol: cython.ulonglong,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        total: cython.Py_ssize_t,
    ) -> cython.int:
        who: cython.ulonglong = protocol << 32
        flags: cython.ulonglong
        if protocol in (6, 17, 132):
            if stop - at < 4:
                return _CUT_TRANSPORT
            who |= self._u32(at)
            if protocol == 6 and stop - at >= 14:
                if self.buf[at + 12] < 0x50:  # a header of less than 20 bytes: no stack takes it
                    return _BROKEN_TRANSPORT
                flags = self.buf[at + 13]
                self.marks |= flags
                if flags & 6 == 2:
                    self.marks |= _ANSWER if flags & 16 else _OPEN
                elif not flags & 4:
                    self.marks |= _LIVE
            elif protocol == 132 and stop - at >= 13:
                flags = self.buf[at + 12]  # type of the first chunk
                if flags == 1:
                    self.marks |= _OPEN
                elif flags == 2:
                    self.marks |= _ANSWER
                elif flags == 6:
                    self.marks |= _ABORT
        elif protocol in (1, 58):
            return self._icmp(protocol, at, stop, total)
        return self._row(who, 1, total)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _icmp(
        self,
        protocol: cython.ulonglong,
        at: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        total: cython.Py_ssize_t,
    ) -> cython.int:
        """A reply becomes the way back of its request: the identifier is the client's port."""
        kind: cython.ulonglong
        request: cython.ulonglong
        ident: cython.ulonglong
        reason: cython.int
        if stop - at < 1:
            return _CUT_TRANSPORT
        kind = self.buf[at]
        request = _request_of(protocol, kind)
        ident = self._u16(at + 4) if request != 256 and stop - at >= 6 else 0
        if request == 256 or request == kind:
            self.marks |= _OPEN
            reason = self._row(protocol << 32 | ident << 16 | kind, 1, total)
        else:
            self.marks |= _ANSWER
            reason = self._row(protocol << 32 | request << 16 | ident, 1, total)
        if (protocol == 1 and kind == 3 and stop - at > 1 and self.buf[at + 1] != 4) or (
            protocol == 58 and kind == 1
        ):
            self._quote(at + 8, stop)
        return reason

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _quote(self, at: cython.Py_ssize_t, stop: cython.Py_ssize_t) -> cython.int:
        """The packet inside an ICMP unreachable: its flow was refused."""
        protocol: cython.ulonglong
        if stop - at < 28:
            return 0
        if self.buf[at] >> 4 == 4:
            self._addresses4(at)
            protocol = self.buf[at + 9]
            if self._u16(at + 6) & 0x1FFF:
                return 0
            at += (self.buf[at] & 15) * 4
        elif self.buf[at] >> 4 == 6 and stop - at >= 48:
            self._addresses6(at)
            protocol = self.buf[at + 6]
            at += 40
        else:
            return 0
        if stop - at < 8:
            return 0
        self.marks = _QUOTED
        self.ident = 0
        if protocol in (6, 17, 132):
            return self._row(protocol << 32 | self._u32(at), 0, 0)
        if protocol in (1, 58):
            if _request_of(protocol, self.buf[at]) == self.buf[at]:
                return self._row(protocol << 32 | self._u16(at + 4) << 16 | self.buf[at], 0, 0)
            return 0
        return self._row(protocol << 32, 0, 0)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _row(
        self, who: cython.ulonglong, packets: cython.ulonglong, total: cython.ulonglong
    ) -> cython.int:
        row: cython.Py_ssize_t = self.made
        self.out[row, 0] = self.src_hi  # the order of layout.PKT_SRC_HI and its kin
        self.out[row, 1] = self.src_lo
        self.out[row, 2] = self.dst_hi
        self.out[row, 3] = self.dst_lo
        self.out[row, 4] = who
        self.out[row, 5] = self.marks
        self.out[row, 6] = packets
        self.out[row, 7] = total
        self.out[row, 8] = self.time
        self.out[row, 9] = self.offset
        self.out[row, 10] = self.ident
        self.out[row, 11] = self.path
        self.made = row + 1
        return 0


@cython.cfunc
@cython.nogil
@cython.exceptval(-1)
def _request_of(protocol: cython.ulonglong, kind: cython.ulonglong) -> cython.ulonglong:
    """The request type that an ICMP query type belongs to; 256 for every other message."""
    if protocol == 1:  # echo, timestamp, information, address mask
        if kind == 8 or kind == 13 or kind == 15 or kind == 17:
            return kind
        if kind == 0:
            return 8
        return kind - 1 if kind == 14 or kind == 16 or kind == 18 else 256
    if kind == 128 or kind == 139:  # echo, node information
        return kind
    return kind - 1 if kind == 129 or kind == 140 else 256
