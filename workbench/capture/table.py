"""The flow table kernel: rows of packets to rows of flows, both directions in one.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A table holds
all flows of a capture, or the part of them that the dealer gives it. Rows of packets and flows are
addressed as flat arrays of words, which need one bounds check less.

Sources: RFC 9293 section 3.5 (a reused port brings a new initial sequence number).
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout
from workbench.model.traffic import LINGER

_PACKET = cython.declare(cython.Py_ssize_t, layout.PACKET_WORDS)
_PKT_WHO = cython.declare(cython.Py_ssize_t, layout.PKT_WHO)
_PKT_MARKS = cython.declare(cython.Py_ssize_t, layout.PKT_MARKS)
_PACKETS = cython.declare(cython.Py_ssize_t, layout.PKT_PACKETS)
_BYTES = cython.declare(cython.Py_ssize_t, layout.PKT_BYTES)
_TIME = cython.declare(cython.Py_ssize_t, layout.PKT_TIME)
_OFFSET = cython.declare(cython.Py_ssize_t, layout.PKT_OFFSET)
_PKT_PATH = cython.declare(cython.Py_ssize_t, layout.PKT_PATH)
_TTL_SHIFT = cython.declare(cython.int, layout.TTL_SHIFT)
_TUNNEL_SHIFT = cython.declare(cython.int, layout.TUNNEL_SHIFT)
_FLOW = cython.declare(cython.Py_ssize_t, layout.FLOW_WORDS)
_WHO = cython.declare(cython.Py_ssize_t, layout.FLOW_WHO)
_MARKS = cython.declare(cython.Py_ssize_t, layout.FLOW_MARKS)
_PACKETS_A = cython.declare(cython.Py_ssize_t, layout.FLOW_PACKETS_A)
_BYTES_A = cython.declare(cython.Py_ssize_t, layout.FLOW_BYTES_A)
_FIRST = cython.declare(cython.Py_ssize_t, layout.FLOW_FIRST)
_LAST = cython.declare(cython.Py_ssize_t, layout.FLOW_LAST)
_FIRST_OFFSET = cython.declare(cython.Py_ssize_t, layout.FLOW_FIRST_OFFSET)
_LAST_OFFSET = cython.declare(cython.Py_ssize_t, layout.FLOW_LAST_OFFSET)
_TOKENS = cython.declare(cython.Py_ssize_t, layout.FLOW_TOKENS)
_PATH = cython.declare(cython.Py_ssize_t, layout.FLOW_PATH)
_ANSWERED = cython.declare(cython.ulonglong, layout.ANSWER | layout.ANSWER << 1)
_LEFT = cython.declare(cython.ulonglong, layout.LEFT)
_LINGER = cython.declare(cython.ulonglong, LINGER)
_TCP = cython.declare(cython.ulonglong, 6)
_SYN = cython.declare(cython.ulonglong, 2)
_OPEN = cython.declare(cython.ulonglong, layout.OPEN)
_ANSWER = cython.declare(cython.ulonglong, layout.ANSWER)
_RESET = cython.declare(cython.ulonglong, layout.RESET)
_CLOSED = cython.declare(cython.ulonglong, layout.CLOSED)
_ENDED = cython.declare(cython.ulonglong, layout.RESET | layout.CLOSED)
_TOKEN = cython.declare(cython.ulonglong, 0xFFFF_FFFF)
_ROW = cython.declare(cython.ulonglong, 0xFFFF_FFFF)  # the row number in a slot
_TAG = cython.declare(cython.ulonglong, 0xFFFF_FFFF_0000_0000)  # the hash bits in a slot
_WINDOW = cython.declare(cython.Py_ssize_t, 64)
"""Packets whose places in memory are asked for at once, so that their delays overlap."""
_FIRST_SLOTS = 1 << 12


@cython.final
@cython.cclass
class FlowTable:
    """Open addressing over dense rows. A slot holds 32 bits of hash and a row number plus 1."""

    pkt = cython.declare(cython.ulonglong[::1])
    rows = cython.declare(cython.ulonglong[::1])
    slots = cython.declare(cython.ulonglong[::1])
    tags = cython.declare(cython.ulonglong[::1])
    """The hash of each flow."""
    flows = cython.declare(object, visibility="readonly")
    """Array (capacity, FLOW_WORDS), aligned to cache lines; the first `used` rows are flows."""
    used = cython.declare(cython.Py_ssize_t, visibility="readonly")
    mask = cython.declare(cython.ulonglong)
    touched = cython.declare(cython.ulonglong)

    def __init__(self, capacity: int) -> None:
        self.used = 0
        self.touched = 0
        self._room(capacity)
        self._index(_FIRST_SLOTS)

    @cython.cfunc
    def _room(self, capacity: cython.Py_ssize_t) -> object:
        words = np.zeros(capacity * layout.FLOW_WORDS + 8, np.uint64)
        skip = -(words.ctypes.data // 8) % 8
        flat = words[skip : skip + capacity * layout.FLOW_WORDS]
        self.flows = flat.reshape(capacity, layout.FLOW_WORDS)
        self.rows = flat.data
        self.tags = np.zeros(capacity, np.uint64).data
        return self.flows

    def grow(self) -> None:
        """Room for twice as many flows."""
        held, tags = self.flows, np.asarray(self.tags)
        self._room(2 * len(held))
        self.flows[: self.used] = held[: self.used]
        np.asarray(self.tags)[: self.used] = tags[: self.used]

    def add(
        self,
        packets: memoryview,
        hashes: memoryview,
        order: memoryview,
        at: cython.Py_ssize_t,
        count: cython.Py_ssize_t,
    ) -> int:
        """Count the packets order[at:count] into their flows; returns where it stopped for room."""
        keys: cython.ulonglong[::1] = hashes
        chosen: cython.uint[::1] = order
        room: cython.Py_ssize_t = self.rows.shape[0] // _FLOW
        fit: cython.Py_ssize_t
        stop: cython.Py_ssize_t
        i: cython.Py_ssize_t
        self.pkt = packets
        while at < count and self.used < room:
            if cython.cast(cython.ulonglong, self.used + _WINDOW) * 2 > self.mask:
                self._index(2 * (self.mask + 1))
            fit = min(room, cython.cast(cython.Py_ssize_t, self.mask // 2)) - self.used
            fit = min(count, at + fit)  # so many packets, even if each begins a flow
            with cython.nogil:
                while at < fit:
                    stop = min(at + _WINDOW, fit)
                    for i in range(at, stop):
                        self._touch(keys[chosen[i]])
                    for i in range(at, stop):
                        self._one(chosen[i] * _PACKET, keys[chosen[i]])
                    at = stop
        return at

    def keep(self, kept: memoryview, count: cython.Py_ssize_t) -> None:
        """Forget all flows but kept[:count], rows in ascending order that move to the front."""
        order: cython.ulonglong[::1] = kept
        i: cython.Py_ssize_t
        word: cython.Py_ssize_t
        for i in range(count):
            for word in range(_FLOW):
                self.rows[i * _FLOW + word] = self.rows[order[i] * _FLOW + word]
            self.tags[i] = self.tags[order[i]]
        self.used = count
        self._index(self.mask + 1)

    @cython.cfunc
    def _index(self, size: cython.ulonglong) -> object:
        """New slots for all flows but those that a later one of the same ports has followed."""
        i: cython.Py_ssize_t
        slot: cython.ulonglong
        self.slots = np.zeros(size, np.uint64).data
        self.mask = size - 1
        with cython.nogil:
            for i in range(self.used):
                if self.rows[i * _FLOW + _MARKS] & _LEFT:
                    continue
                slot = self.tags[i] & self.mask
                while self.slots[slot]:
                    slot = (slot + 1) & self.mask
                self.slots[slot] = self.tags[i] & _TAG | (i + 1)
        return None

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _touch(self, tag: cython.ulonglong) -> cython.int:
        """Ask for the memory that a packet's flow is likely to be in, without waiting for it."""
        held: cython.ulonglong = self.slots[tag & self.mask]
        if held:
            self.touched += self.rows[((held & _ROW) - 1) * _FLOW]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _one(self, at: cython.Py_ssize_t, whole: cython.ulonglong) -> cython.int:
        """Count one packet into its flow, old or new; whole: all bits of the hash."""
        slot: cython.ulonglong = whole & self.mask
        tag: cython.ulonglong = whole & _TAG
        held: cython.ulonglong
        row: cython.Py_ssize_t
        side: cython.int
        while True:
            held = self.slots[slot]
            if held == 0:
                break
            if held & _TAG == tag:
                row = ((held & _ROW) - 1) * _FLOW
                side = self._side(row, at)
                if side < 2:
                    if not self._is_over(row, side, at):
                        return self._count(row, side, at)
                    self.rows[row + _MARKS] |= _LEFT
                    break
            slot = (slot + 1) & self.mask
        if self.pkt[at + _PACKETS] == 0:  # only quoted by an ICMP error, or a fragment that waits
            return 0
        self.tags[self.used] = whole
        self.slots[slot] = tag | (self.used + 1)
        return self._count(self._new(at), 0, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _side(self, row: cython.Py_ssize_t, at: cython.Py_ssize_t) -> cython.int:
        """Who of a flow sent a packet: 0 for A, 1 for B, 2 when it is of another flow."""
        held: cython.ulonglong = self.rows[row + _WHO]
        a_hi: cython.ulonglong = self.rows[row]
        a_lo: cython.ulonglong = self.rows[row + 1]
        b_hi: cython.ulonglong = self.rows[row + 2]
        b_lo: cython.ulonglong = self.rows[row + 3]
        hi: cython.ulonglong = self.pkt[at]
        lo: cython.ulonglong = self.pkt[at + 1]
        to_hi: cython.ulonglong = self.pkt[at + 2]
        to_lo: cython.ulonglong = self.pkt[at + 3]
        who: cython.ulonglong = self.pkt[at + _PKT_WHO]
        back: cython.ulonglong = (who >> 32) << 32 | (who & 0xFFFF) << 16 | who >> 16 & 0xFFFF
        other: cython.bint = (  # without branches: which way it is, nobody can foresee
            held ^ who | a_hi ^ hi | a_lo ^ lo | b_hi ^ to_hi | b_lo ^ to_lo
        ) != 0
        strange: cython.bint = (
            held ^ back | a_hi ^ to_hi | a_lo ^ to_lo | b_hi ^ hi | b_lo ^ lo
        ) != 0
        return other + (other & strange)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _new(self, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """An empty row for the flow that a packet begins."""
        row: cython.Py_ssize_t = self.used * _FLOW
        word: cython.Py_ssize_t
        self.used += 1
        for word in range(5):  # both addresses and WHO
            self.rows[row + word] = self.pkt[at + word]
        for word in range(5, _FLOW):
            self.rows[row + word] = 0
        self.rows[row + _MARKS] = self.pkt[at + _PKT_MARKS] & 0xFFF_0000  # the VLAN
        self.rows[row + _FIRST] = self.rows[row + _LAST] = self.pkt[at + _TIME]
        self.rows[row + _FIRST_OFFSET] = self.pkt[at + _OFFSET]
        self.rows[row + _PATH] = self.pkt[at + _PKT_PATH] >> _TUNNEL_SHIFT << 16
        return row

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is_over(
        self, row: cython.Py_ssize_t, side: cython.int, at: cython.Py_ssize_t
    ) -> cython.bint:
        """Whether a packet of the same ends belongs to a flow of its own.

        TCP: it opens (or answers) with another sequence number than the flow, or, where that end's
        opening was not captured, although it has been sending or the flow has ended; or it opens
        what was answered and ended, or comes long after the close. A SYN may be answered after the
        server has refused it, or has asked for proof that an older connection is gone (RFC 9293
        section 3.5.1): that begins nothing. Everything else: it comes long after.
        """
        marks: cython.ulonglong = self.rows[row + _MARKS]
        late: cython.bint = self.pkt[at + _TIME] > self.rows[row + _LAST] + _LINGER
        token: cython.ulonglong
        known: cython.ulonglong
        opened: cython.bint
        if self.rows[row + _WHO] >> 32 != _TCP:
            return late
        if self.pkt[at + _PKT_MARKS] & _SYN:
            if marks & _ENDED and marks & _ANSWERED and self.pkt[at + _PKT_MARKS] & _OPEN:
                return True
            token = self.pkt[at + _PKT_PATH] & _TOKEN
            known = self.rows[row + _TOKENS] >> (32 * (1 - side)) & _TOKEN
            if token and known:
                if token != known:
                    return True
            elif token and (self.rows[row + _PACKETS_A + side] or marks & _ENDED):
                opened = marks & (_OPEN << (1 - side)) != 0 and not marks & _ANSWERED
                if not (opened and self.pkt[at + _PKT_MARKS] & _ANSWER):
                    return True
        return late and (marks & _RESET != 0 or marks & _CLOSED == _CLOSED)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _count(self, row: cython.Py_ssize_t, side: cython.int, at: cython.Py_ssize_t) -> cython.int:
        """Add a packet to a flow; side 0: A sent it, 1: B."""
        marks: cython.ulonglong = self.pkt[at + _PKT_MARKS]
        time: cython.ulonglong = self.pkt[at + _TIME]
        path: cython.ulonglong = self.pkt[at + _PKT_PATH]
        packets: cython.ulonglong = self.pkt[at + _PACKETS]
        self.rows[row + _MARKS] |= (marks & 0xFF) << (8 * side) | (marks >> 32) << 32 + side
        if packets == 0:
            return 0
        if self.rows[row + _PACKETS_A + side] == 0:
            self.rows[row + _PATH] |= (path >> _TTL_SHIFT & 0xFF) << (8 * side)
        if self.rows[row + _TOKENS] >> (32 * (1 - side)) & _TOKEN == 0:
            self.rows[row + _TOKENS] |= (path & _TOKEN) << (32 * (1 - side))
        self.rows[row + _PACKETS_A + side] += packets
        self.rows[row + _BYTES_A + side] += self.pkt[at + _BYTES]
        if time < self.rows[row + _FIRST]:
            self.rows[row + _FIRST] = time
        if time > self.rows[row + _LAST]:
            self.rows[row + _LAST] = time
        self.rows[row + _LAST_OFFSET] = self.pkt[at + _OFFSET]
        return 0
