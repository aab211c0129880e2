"""The flow table kernel: rows of packets to rows of flows, both directions in one.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Flows lie in the
order they were first seen, whatever the seed; memory is bounded by the capacity.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_SRC_HI = cython.declare(cython.Py_ssize_t, layout.PKT_SRC_HI)
_SRC_LO = cython.declare(cython.Py_ssize_t, layout.PKT_SRC_LO)
_DST_HI = cython.declare(cython.Py_ssize_t, layout.PKT_DST_HI)
_DST_LO = cython.declare(cython.Py_ssize_t, layout.PKT_DST_LO)
_PKT_WHO = cython.declare(cython.Py_ssize_t, layout.PKT_WHO)
_PKT_MARKS = cython.declare(cython.Py_ssize_t, layout.PKT_MARKS)
_PACKETS = cython.declare(cython.Py_ssize_t, layout.PKT_PACKETS)
_BYTES = cython.declare(cython.Py_ssize_t, layout.PKT_BYTES)
_TIME = cython.declare(cython.Py_ssize_t, layout.PKT_TIME)
_OFFSET = cython.declare(cython.Py_ssize_t, layout.PKT_OFFSET)
_A_HI = cython.declare(cython.Py_ssize_t, layout.FLOW_A_HI)
_A_LO = cython.declare(cython.Py_ssize_t, layout.FLOW_A_LO)
_B_HI = cython.declare(cython.Py_ssize_t, layout.FLOW_B_HI)
_B_LO = cython.declare(cython.Py_ssize_t, layout.FLOW_B_LO)
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
_OPEN = cython.declare(cython.ulonglong, layout.OPEN)
_ANSWERED = cython.declare(cython.ulonglong, layout.ANSWER | layout.ANSWER << 1)
_TCP = cython.declare(cython.ulonglong, 6)
_ENDED = cython.declare(cython.ulonglong, 0x0505)  # FIN or RST, either way
_PROTOCOL = cython.declare(cython.ulonglong, 0xFF_0000_0000)  # of WHO
_ROW = cython.declare(cython.ulonglong, 0xFFFF_FFFF)  # the row number in a slot
_TAG = cython.declare(cython.ulonglong, 0xFFFF_FFFF_0000_0000)  # the hash bits in a slot
_MASK = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_FFFF)
_MIX_1 = cython.declare(cython.ulonglong, 0x9E37_79B9_7F4A_7C15)  # odd constants: splitmix64
_MIX_2 = cython.declare(cython.ulonglong, 0xBF58_476D_1CE4_E5B9)


@cython.final
@cython.cclass
class FlowTable:
    """Open addressing over dense rows. A slot holds 32 bits of hash and a row number plus 1."""

    pkt = cython.declare(cython.ulonglong[:, ::1])
    rows = cython.declare(cython.ulonglong[:, ::1])
    slots = cython.declare(cython.ulonglong[::1])
    flows = cython.declare(object, visibility="readonly")
    """Writable memoryview (capacity, FLOW_WORDS); the first `used` rows are flows."""
    used = cython.declare(cython.Py_ssize_t, visibility="readonly")
    mask = cython.declare(cython.ulonglong)
    seed = cython.declare(cython.ulonglong)

    def __init__(self, capacity: int, seed: int) -> None:
        """seed: 64 secret bits, so that nobody can prepare a capture that collides."""
        size = 4
        while size < 2 * capacity:
            size *= 2
        self.flows = np.zeros((capacity, layout.FLOW_WORDS), np.uint64).data
        self.rows = self.flows
        self.slots = np.zeros(size, np.uint64).data
        self.mask = size - 1
        self.seed = seed
        self.used = 0

    def add(self, packets: memoryview, at: cython.Py_ssize_t, count: cython.Py_ssize_t) -> int:
        """Count packets[at:count] into their flows; returns where it stopped for want of room."""
        room: cython.Py_ssize_t = self.rows.shape[0]
        self.pkt = packets
        with cython.nogil:
            while at < count and self.used < room:
                self._one(at)
                at += 1
        return at

    def keep(self, kept: memoryview, count: cython.Py_ssize_t) -> None:
        """Forget all flows but kept[:count], rows in ascending order that move to the front."""
        order: cython.ulonglong[::1] = kept
        i: cython.Py_ssize_t
        word: cython.Py_ssize_t
        slot: cython.ulonglong
        tag: cython.ulonglong
        for i in range(self.slots.shape[0]):
            self.slots[i] = 0
        for i in range(count):
            for word in range(self.rows.shape[1]):
                self.rows[i, word] = self.rows[order[i], word]
            tag = self._hash(
                self.rows[i, _A_HI],
                self.rows[i, _A_LO],
                self.rows[i, _B_HI],
                self.rows[i, _B_LO],
                self.rows[i, _WHO],
            )
            slot = tag & self.mask
            while self.slots[slot]:
                slot = (slot + 1) & self.mask
            self.slots[slot] = tag & _TAG | (i + 1)
        self.used = count

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _hash(
        self,
        a_hi: cython.ulonglong,
        a_lo: cython.ulonglong,
        b_hi: cython.ulonglong,
        b_lo: cython.ulonglong,
        who: cython.ulonglong,
    ) -> cython.ulonglong:
        """64 seeded bits, equal for both directions."""
        a: cython.ulonglong = self._mix(a_hi, a_lo, who >> 16 & 0xFFFF)
        b: cython.ulonglong = self._mix(b_hi, b_lo, who & 0xFFFF)
        both: cython.ulonglong = ((a + b) & _MASK) ^ who >> 32
        both = (both ^ both >> 29) * _MIX_2 & _MASK
        return both ^ both >> 32

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _mix(
        self, hi: cython.ulonglong, lo: cython.ulonglong, port: cython.ulonglong
    ) -> cython.ulonglong:
        x: cython.ulonglong = (hi ^ self.seed) * _MIX_1 & _MASK
        x = ((x ^ x >> 31) + lo & _MASK) * _MIX_2 & _MASK
        x = ((x ^ x >> 30) + port & _MASK) * _MIX_1 & _MASK
        return x ^ x >> 32

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _one(self, at: cython.Py_ssize_t) -> cython.int:
        """Count one packet into its flow, old or new."""
        tag: cython.ulonglong = self._hash(
            self.pkt[at, _SRC_HI],
            self.pkt[at, _SRC_LO],
            self.pkt[at, _DST_HI],
            self.pkt[at, _DST_LO],
            self.pkt[at, _PKT_WHO],
        )
        slot: cython.ulonglong = tag & self.mask
        held: cython.ulonglong
        row: cython.Py_ssize_t
        side: cython.int
        tag &= _TAG
        while True:
            held = self.slots[slot]
            if held == 0:
                break
            if held & _TAG == tag:
                row = (held & _ROW) - 1
                side = self._side(row, at)
                if side < 2:
                    if self._reopens(row, self.pkt[at, _PKT_MARKS]):
                        break
                    return self._count(row, side, at)
            slot = (slot + 1) & self.mask
        if self.pkt[at, _PACKETS] == 0:  # only quoted by an ICMP error, or a fragment that waits
            return 0
        self.slots[slot] = tag | (self.used + 1)
        return self._count(self._new(at), 0, at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _side(self, row: cython.Py_ssize_t, at: cython.Py_ssize_t) -> cython.int:
        """Who of a flow sent a packet: 0 for A, 1 for B, 2 when it is of another flow."""
        who: cython.ulonglong = self.pkt[at, _PKT_WHO]
        back: cython.ulonglong = who & _PROTOCOL | (who & 0xFFFF) << 16 | who >> 16 & 0xFFFF
        if (
            self.rows[row, _WHO] == who
            and self.rows[row, _A_LO] == self.pkt[at, _SRC_LO]
            and self.rows[row, _B_LO] == self.pkt[at, _DST_LO]
            and self.rows[row, _A_HI] == self.pkt[at, _SRC_HI]
            and self.rows[row, _B_HI] == self.pkt[at, _DST_HI]
        ):
            return 0
        if (
            self.rows[row, _WHO] == back
            and self.rows[row, _B_LO] == self.pkt[at, _SRC_LO]
            and self.rows[row, _A_LO] == self.pkt[at, _DST_LO]
            and self.rows[row, _B_HI] == self.pkt[at, _SRC_HI]
            and self.rows[row, _A_HI] == self.pkt[at, _DST_HI]
        ):
            return 1
        return 2

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _new(self, at: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """An empty row for the flow that a packet begins."""
        row: cython.Py_ssize_t = self.used
        self.used = row + 1
        self.rows[row, _A_HI] = self.pkt[at, _SRC_HI]
        self.rows[row, _A_LO] = self.pkt[at, _SRC_LO]
        self.rows[row, _B_HI] = self.pkt[at, _DST_HI]
        self.rows[row, _B_LO] = self.pkt[at, _DST_LO]
        self.rows[row, _WHO] = self.pkt[at, _PKT_WHO]
        self.rows[row, _MARKS] = 0
        self.rows[row, _PACKETS_A] = self.rows[row, _PACKETS_A + 1] = 0
        self.rows[row, _BYTES_A] = self.rows[row, _BYTES_A + 1] = 0
        self.rows[row, _FIRST] = self.rows[row, _LAST] = self.pkt[at, _TIME]
        self.rows[row, _FIRST_OFFSET] = self.pkt[at, _OFFSET]
        self.rows[row, _TOKENS] = self.rows[row, _PATH] = 0
        return row

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _reopens(self, row: cython.Py_ssize_t, marks: cython.ulonglong) -> cython.bint:
        """A SYN after a TCP flow that was answered and ended: the ports are used again."""
        return (
            marks & _OPEN != 0
            and self.rows[row, _WHO] >> 32 == _TCP
            and self.rows[row, _MARKS] & _ENDED != 0
            and self.rows[row, _MARKS] & _ANSWERED != 0
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _count(
        self,
        row: cython.Py_ssize_t,
        side: cython.int,
        at: cython.Py_ssize_t,
    ) -> cython.int:
        """Add a packet to a flow; side 0: A sent it, 1: B."""
        marks: cython.ulonglong = self.pkt[at, _PKT_MARKS]
        time: cython.ulonglong = self.pkt[at, _TIME]
        vlan: cython.ulonglong = marks & 0xFFF_0000
        marks = (marks & 0xFF) << (8 * side) | (marks >> 32) << 32 + side
        if self.rows[row, _PACKETS_A] + self.rows[row, _PACKETS_A + 1] == 0:
            marks |= vlan
        self.rows[row, _MARKS] |= marks
        if self.pkt[at, _PACKETS] == 0:
            return 0
        self.rows[row, _PACKETS_A + side] += self.pkt[at, _PACKETS]
        self.rows[row, _BYTES_A + side] += self.pkt[at, _BYTES]
        if time < self.rows[row, _FIRST]:
            self.rows[row, _FIRST] = time
        if time > self.rows[row, _LAST]:
            self.rows[row, _LAST] = time
        self.rows[row, _LAST_OFFSET] = self.pkt[at, _OFFSET]
        return 0
