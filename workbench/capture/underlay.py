"""The underlay kernel: the list of the tunnels that were met, and which packets came through them.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A tunnel is a
kind, two ends and a key; both ways of it are one tunnel, and the end that was seen sending first
comes first. Of tunnels inside tunnels the outermost counts. Memory is bounded.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_IP = cython.declare(cython.Py_ssize_t, layout.REC_IP)
_ROW = cython.declare(cython.Py_ssize_t, layout.LAY_ROW)
_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_ENDS = cython.declare(cython.Py_ssize_t, layout.LAY_SRC_HI)
_NOT_IP = cython.declare(cython.ulonglong, layout.NOT_IP)
_CARRIER = cython.declare(cython.ulonglong, layout.CARRIER)
_QUOTE = cython.declare(cython.ulonglong, layout.QUOTE)
_SHIFT = cython.declare(cython.int, layout.TUNNEL_SHIFT)
_OTHERS = cython.declare(cython.ulonglong, layout.OTHER_TUNNELS)
_MASK = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_FFFF)
_MIX_1 = cython.declare(cython.ulonglong, layout.MIX_1)
_MIX_2 = cython.declare(cython.ulonglong, layout.MIX_2)
_SLOTS = cython.declare(cython.ulonglong, (1 << 17) - 1)


@cython.final
@cython.cclass
class Underlay:
    """The tunnels of one capture file, by open addressing over dense rows."""

    rows = cython.declare(cython.ulonglong[:, ::1])
    slots = cython.declare(cython.ushort[::1])
    tunnels = cython.declare(object, visibility="readonly")
    """Writable memoryview (65534, TUNNEL_WORDS); tunnel number n is row n - 1."""
    used = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Tunnels so far; when the list is full, every other one has the number OTHER_TUNNELS."""
    seed = cython.declare(cython.ulonglong)

    def __init__(self, seed: int) -> None:
        """seed: 64 secret bits, so that nobody can prepare tunnels that collide."""
        self.tunnels = np.zeros((layout.OTHER_TUNNELS - 1, layout.TUNNEL_WORDS), np.uint64).data
        self.rows = self.tunnels
        self.slots = np.zeros(1 << 17, np.uint16).data
        self.seed = seed
        self.used = 0

    def number(self, layers: memoryview, count: cython.Py_ssize_t, out: memoryview) -> None:
        """After layers[:count] were decoded: give the rows they made the numbers of their tunnels.

        What a layer without row had made of its first fragment is undone (see Tunnels.open).
        """
        lay: cython.ulonglong[:, ::1] = layers
        packets: cython.ulonglong[:, ::1] = out
        i: cython.Py_ssize_t
        row: cython.Py_ssize_t
        with cython.nogil:
            for i in range(count):
                row = lay[i, _ROW]
                if lay[i, _TUNNEL] == _QUOTE:
                    continue
                if lay[i, _IP] == _NOT_IP:
                    if packets[row + 1, 10] == packets[row, 10] | _CARRIER:
                        packets[row + 1, 10] = 0
                elif not packets[row, 11] >> _SHIFT:  # the outermost tunnel counts
                    packets[row, 11] |= (
                        self._number(
                            lay[i, _ENDS],
                            lay[i, _ENDS + 1],
                            lay[i, _ENDS + 2],
                            lay[i, _ENDS + 3],
                            lay[i, _TUNNEL],
                            1,
                        )
                        << _SHIFT
                    )

    def merge(
        self,
        others: memoryview,
        start: cython.Py_ssize_t,
        stop: cython.Py_ssize_t,
        numbers: memoryview,
    ) -> None:
        """Take in rows [start:stop] of another list; numbers[n] becomes our number of its tunnel n.

        Packets are not counted: they may still come.
        """
        rows: cython.ulonglong[:, ::1] = others
        ours: cython.ulonglong[::1] = numbers
        i: cython.Py_ssize_t
        with cython.nogil:
            for i in range(start, stop):
                ours[i + 1] = self._number(
                    rows[i, 0], rows[i, 1], rows[i, 2], rows[i, 3], rows[i, 4], 0
                )

    def renumber(self, packets: memoryview, count: cython.Py_ssize_t, numbers: memoryview) -> None:
        """Give packets[:count], which carry numbers of another list, ours (see merge)."""
        rows: cython.ulonglong[:, ::1] = packets
        ours: cython.ulonglong[::1] = numbers
        i: cython.Py_ssize_t
        theirs: cython.ulonglong
        with cython.nogil:
            for i in range(count):
                theirs = rows[i, 11] >> _SHIFT
                if theirs:
                    rows[i, 11] ^= (theirs ^ ours[theirs]) << _SHIFT

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _number(
        self,
        src_hi: cython.ulonglong,
        src_lo: cython.ulonglong,
        dst_hi: cython.ulonglong,
        dst_lo: cython.ulonglong,
        key: cython.ulonglong,
        packets: cython.ulonglong,
    ) -> cython.ulonglong:
        """The number of a tunnel, old or new, the same both ways; counts packets."""
        slot: cython.ulonglong = self._mix(src_hi, src_lo) + self._mix(dst_hi, dst_lo) & _MASK
        row: cython.Py_ssize_t
        slot = ((slot ^ key) * _MIX_2 & _MASK) >> 40 & _SLOTS
        while self.slots[slot]:
            row = self.slots[slot] - 1
            if self.rows[row, 4] == key:
                if (
                    self.rows[row, 1] == src_lo
                    and self.rows[row, 3] == dst_lo
                    and self.rows[row, 0] == src_hi
                    and self.rows[row, 2] == dst_hi
                ):
                    self.rows[row, 5] += packets
                    return row + 1
                if (
                    self.rows[row, 1] == dst_lo
                    and self.rows[row, 3] == src_lo
                    and self.rows[row, 0] == dst_hi
                    and self.rows[row, 2] == src_hi
                ):
                    self.rows[row, 6] += packets
                    return row + 1
            slot = (slot + 1) & _SLOTS
        row = self.used
        if row == self.rows.shape[0]:
            return _OTHERS
        self.slots[slot] = row + 1
        self.rows[row, 0] = src_hi  # the order of layout.TUN_A_HI and its kin
        self.rows[row, 1] = src_lo
        self.rows[row, 2] = dst_hi
        self.rows[row, 3] = dst_lo
        self.rows[row, 4] = key
        self.rows[row, 5] = packets
        self.rows[row, 6] = 0
        self.used = row + 1
        return row + 1

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _mix(self, hi: cython.ulonglong, lo: cython.ulonglong) -> cython.ulonglong:
        x: cython.ulonglong = (hi ^ self.seed) * _MIX_1 & _MASK
        x = ((x ^ x >> 31) + lo & _MASK) * _MIX_2 & _MASK
        return (x ^ x >> 30) * _MIX_1 & _MASK
