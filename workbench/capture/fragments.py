"""The fragment kernel: later fragments get the ports of their first one, so no ghost flows appear.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A table of fixed
size remembers datagrams; fragments that come before their first one wait in it, as a count.

Sources: RFC 791 section 3.2, RFC 8200 section 4.5.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_SRC_HI = cython.declare(cython.Py_ssize_t, layout.PKT_SRC_HI)
_SRC_LO = cython.declare(cython.Py_ssize_t, layout.PKT_SRC_LO)
_DST_HI = cython.declare(cython.Py_ssize_t, layout.PKT_DST_HI)
_DST_LO = cython.declare(cython.Py_ssize_t, layout.PKT_DST_LO)
_WHO = cython.declare(cython.Py_ssize_t, layout.PKT_WHO)
_PACKETS = cython.declare(cython.Py_ssize_t, layout.PKT_PACKETS)
_BYTES = cython.declare(cython.Py_ssize_t, layout.PKT_BYTES)
_TIME = cython.declare(cython.Py_ssize_t, layout.PKT_TIME)
_IDENT = cython.declare(cython.Py_ssize_t, layout.PKT_IDENT)
_LATER = cython.declare(cython.ulonglong, layout.LATER)
_LIFE = cython.declare(cython.ulonglong, 30_000_000)
"""Microseconds that the fragments of a datagram belong together."""
_MASK = cython.declare(cython.ulonglong, 4095)
"""Datagrams remembered, less one; a newer one takes the place of an older one."""
# Words of a remembered datagram: both addresses and IDENT, then
_F_WHO = cython.declare(cython.Py_ssize_t, 5)  # 0 while the first fragment is awaited
_F_PACKETS = cython.declare(cython.Py_ssize_t, 6)  # fragments that wait
_F_BYTES = cython.declare(cython.Py_ssize_t, 7)
_F_TIME = cython.declare(cython.Py_ssize_t, 8)


@cython.final
@cython.cclass
class Fragments:
    """The datagrams of one capture file that are in pieces."""

    pkt = cython.declare(cython.ulonglong[:, ::1])
    held = cython.declare(cython.ulonglong[:, ::1])
    lost = cython.declare(cython.longlong, visibility="readonly")
    """Fragments so far whose first one was not seen."""

    def __init__(self) -> None:
        self.held = np.zeros((4096, 9), np.uint64).data
        self.lost = 0

    def join(self, packets: memoryview, count: cython.Py_ssize_t) -> None:
        """Give packets[:count] their ports; those that wait or are lost get PACKETS 0."""
        i: cython.Py_ssize_t
        self.pkt = packets
        with cython.nogil:
            for i in range(count):
                if self.pkt[i, _IDENT]:
                    self._one(i)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _one(self, i: cython.Py_ssize_t) -> cython.int:
        ident: cython.ulonglong = self.pkt[i, _IDENT] & ~_LATER
        slot: cython.Py_ssize_t = self._slot(i, ident)
        known: cython.bint = self._is(slot, i, ident)
        if not self.pkt[i, _IDENT] & _LATER:
            if known and not self.held[slot, _F_WHO]:
                self.pkt[i, _PACKETS] += self.held[slot, _F_PACKETS]
                self.pkt[i, _BYTES] += self.held[slot, _F_BYTES]
                self.lost -= cython.cast(cython.longlong, self.held[slot, _F_PACKETS])
            return self._remember(slot, i, ident, self.pkt[i, _WHO])
        if known and self.held[slot, _F_WHO]:
            self.pkt[i, _WHO] = self.held[slot, _F_WHO]
            return 0
        if not known:
            self._remember(slot, i, ident, 0)
        self.held[slot, _F_PACKETS] += 1
        self.held[slot, _F_BYTES] += self.pkt[i, _BYTES]
        self.pkt[i, _PACKETS] = 0
        self.lost += 1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _slot(self, i: cython.Py_ssize_t, ident: cython.ulonglong) -> cython.Py_ssize_t:
        mixed: cython.ulonglong = self.pkt[i, _SRC_LO] ^ self.pkt[i, _DST_LO]
        mixed ^= self.pkt[i, _SRC_HI] ^ self.pkt[i, _DST_HI]
        mixed ^= mixed >> 32 ^ ident >> 8 ^ (ident & 0xFF) << 4
        return (mixed ^ mixed >> 12 ^ mixed >> 24) & _MASK

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is(
        self, slot: cython.Py_ssize_t, i: cython.Py_ssize_t, ident: cython.ulonglong
    ) -> cython.bint:
        return (
            self.held[slot, 0] == self.pkt[i, _SRC_HI]
            and self.held[slot, 1] == self.pkt[i, _SRC_LO]
            and self.held[slot, 2] == self.pkt[i, _DST_HI]
            and self.held[slot, 3] == self.pkt[i, _DST_LO]
            and self.held[slot, 4] == ident
            and self.pkt[i, _TIME] <= self.held[slot, _F_TIME] + _LIFE
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _remember(
        self,
        slot: cython.Py_ssize_t,
        i: cython.Py_ssize_t,
        ident: cython.ulonglong,
        who: cython.ulonglong,
    ) -> cython.int:
        self.held[slot, 0] = self.pkt[i, _SRC_HI]
        self.held[slot, 1] = self.pkt[i, _SRC_LO]
        self.held[slot, 2] = self.pkt[i, _DST_HI]
        self.held[slot, 3] = self.pkt[i, _DST_LO]
        self.held[slot, 4] = ident
        self.held[slot, _F_WHO] = who
        self.held[slot, _F_PACKETS] = 0
        self.held[slot, _F_BYTES] = 0
        self.held[slot, _F_TIME] = self.pkt[i, _TIME]
        return 0
