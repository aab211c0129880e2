"""The fragment kernel: later fragments get the ports of their first one, so no ghost flows appear.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. A table of fixed
size remembers datagrams; fragments that come before their first one wait in it, as a count. The
later fragments of a datagram that carries a tunnel's packet belong to the flow inside. Fragments
of another VLAN or another tunnel are of another datagram: tenants may have the same addresses.
A datagram may begin in one capture file and go on in the next one.

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
_MARKS = cython.declare(cython.Py_ssize_t, layout.PKT_MARKS)
_PACKETS = cython.declare(cython.Py_ssize_t, layout.PKT_PACKETS)
_BYTES = cython.declare(cython.Py_ssize_t, layout.PKT_BYTES)
_TIME = cython.declare(cython.Py_ssize_t, layout.PKT_TIME)
_IDENT = cython.declare(cython.Py_ssize_t, layout.PKT_IDENT)
_PATH = cython.declare(cython.Py_ssize_t, layout.PKT_PATH)
_LATER = cython.declare(cython.ulonglong, layout.LATER)
_CARRIER = cython.declare(cython.ulonglong, layout.CARRIER)
_TUNNEL = cython.declare(cython.ulonglong, 0xFFFF << layout.TUNNEL_SHIFT)
_VLAN = cython.declare(cython.ulonglong, 0xFFF << layout.VLAN_SHIFT)
_MIX_1 = cython.declare(cython.ulonglong, layout.MIX_1)
_MIX_2 = cython.declare(cython.ulonglong, layout.MIX_2)
_MASK = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_FFFF)
_LIFE = cython.declare(cython.ulonglong, 30_000_000)
"""Microseconds that the fragments of a datagram belong together."""
_SETS = cython.declare(cython.ulonglong, 2047)
"""Sets of places for datagrams, less one."""
_PLACES = cython.declare(cython.int, 4)
"""In a set; a new datagram takes the place of the oldest one."""
# Words of a remembered datagram: both addresses and IDENT, then
_F_WHO = cython.declare(cython.Py_ssize_t, 5)  # 0 while the first fragment is awaited
_F_PACKETS = cython.declare(cython.Py_ssize_t, 6)  # fragments that wait
_F_BYTES = cython.declare(cython.Py_ssize_t, 7)
_F_TIME = cython.declare(cython.Py_ssize_t, 8)
_F_ENDS = cython.declare(cython.Py_ssize_t, 9)  # the addresses of the flow
_F_TUNNEL = cython.declare(cython.Py_ssize_t, 13)
_F_NET = cython.declare(cython.Py_ssize_t, 14)  # VLAN | tunnel that it came in


@cython.final
@cython.cclass
class Fragments:
    """The datagrams in pieces of a capture file, and of those that were read before it."""

    pkt = cython.declare(cython.ulonglong[:, ::1])
    held = cython.declare(cython.ulonglong[:, ::1])
    lost = cython.declare(cython.longlong, visibility="readonly")
    """Fragments of this reading so far whose first one was not seen."""

    def __init__(self) -> None:
        self.held = np.zeros((2048 * 4, 15), np.uint64).data
        self.lost = 0

    def carry_on(self) -> None:
        """Another reading begins: first fragments stay.

        Not those in tunnels, whose numbers are the file's own, nor what waits: it counts as lost.
        """
        held = np.asarray(self.held)
        held[(held[:, _F_NET] & _TUNNEL != 0) | (held[:, _F_WHO] == 0)] = 0
        held[:, _F_TUNNEL] = 0  # the flow inside knows it from the file before
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
        ident: cython.ulonglong = self.pkt[i, _IDENT] & ~(_LATER | _CARRIER)
        slot: cython.Py_ssize_t = self._slot(i, ident)
        known: cython.bint = self._is(slot, i, ident)
        if self.pkt[i, _IDENT] & _CARRIER:  # the packet it carries is the row before
            if self.pkt[i - 1, _PACKETS] == 0:
                return 0
            return self._first(slot, i, i - 1, ident, known)
        if not self.pkt[i, _IDENT] & _LATER:
            return self._first(slot, i, i, ident, known)
        if known and self.held[slot, _F_WHO]:
            return self._later(slot, i)
        if not known:
            self._remember(slot, i, i, ident, 0)
        self.held[slot, _F_PACKETS] += 1
        self.held[slot, _F_BYTES] += self.pkt[i, _BYTES]
        self.pkt[i, _PACKETS] = 0
        self.lost += 1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _first(
        self,
        slot: cython.Py_ssize_t,
        i: cython.Py_ssize_t,
        flow: cython.Py_ssize_t,
        ident: cython.ulonglong,
        known: cython.bint,
    ) -> cython.int:
        """Row i is a first fragment of the flow of row `flow`: those that waited join it."""
        if known and not self.held[slot, _F_WHO]:
            self.pkt[flow, _PACKETS] += self.held[slot, _F_PACKETS]
            self.pkt[flow, _BYTES] += self.held[slot, _F_BYTES]
            self.lost -= cython.cast(cython.longlong, self.held[slot, _F_PACKETS])
        return self._remember(slot, i, flow, ident, self.pkt[flow, _WHO])

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _later(self, slot: cython.Py_ssize_t, i: cython.Py_ssize_t) -> cython.int:
        self.pkt[i, _SRC_HI] = self.held[slot, _F_ENDS]
        self.pkt[i, _SRC_LO] = self.held[slot, _F_ENDS + 1]
        self.pkt[i, _DST_HI] = self.held[slot, _F_ENDS + 2]
        self.pkt[i, _DST_LO] = self.held[slot, _F_ENDS + 3]
        self.pkt[i, _WHO] = self.held[slot, _F_WHO]
        if not self.pkt[i, _PATH] & _TUNNEL:
            self.pkt[i, _PATH] |= self.held[slot, _F_TUNNEL]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _slot(self, i: cython.Py_ssize_t, ident: cython.ulonglong) -> cython.Py_ssize_t:
        """The place of a datagram, or the one it will take: that of the oldest in its set.

        The files of a load may come in any order: the oldest is the farthest away in time.
        """
        mixed: cython.ulonglong = self._net(i) ^ ident << 13
        place: cython.Py_ssize_t
        oldest: cython.Py_ssize_t
        for place in range(4):
            mixed = (mixed ^ self.pkt[i, _SRC_HI + place]) * _MIX_1 & _MASK
            mixed ^= mixed >> 32
        place = (mixed * _MIX_2 & _MASK) >> 40 & _SETS
        place *= _PLACES
        oldest = place
        for _ in range(_PLACES):
            if self._is(place, i, ident):
                return place
            if self._age(place, i) > self._age(oldest, i):
                oldest = place
            place += 1
        return oldest

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _net(self, i: cython.Py_ssize_t) -> cython.ulonglong:
        """What tells a datagram from another tenant's: its VLAN and the tunnel around it."""
        return self.pkt[i, _MARKS] & _VLAN | self.pkt[i, _PATH] & _TUNNEL

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is(
        self, slot: cython.Py_ssize_t, i: cython.Py_ssize_t, ident: cython.ulonglong
    ) -> cython.bint:
        return (
            self.held[slot, 4] == ident
            and self.held[slot, 0] == self.pkt[i, _SRC_HI]
            and self.held[slot, 1] == self.pkt[i, _SRC_LO]
            and self.held[slot, 2] == self.pkt[i, _DST_HI]
            and self.held[slot, 3] == self.pkt[i, _DST_LO]
            and self.held[slot, _F_NET] == self._net(i)
            and self._age(slot, i) <= _LIFE
        )

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def _age(self, slot: cython.Py_ssize_t, i: cython.Py_ssize_t) -> cython.ulonglong:
        """Microseconds between a packet and the datagram in a place, whichever came first."""
        then: cython.ulonglong = self.held[slot, _F_TIME]
        now: cython.ulonglong = self.pkt[i, _TIME]
        return max(then, now) - min(then, now)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _remember(
        self,
        slot: cython.Py_ssize_t,
        i: cython.Py_ssize_t,
        flow: cython.Py_ssize_t,
        ident: cython.ulonglong,
        who: cython.ulonglong,
    ) -> cython.int:
        word: cython.Py_ssize_t
        for word in range(4):
            self.held[slot, word] = self.pkt[i, _SRC_HI + word]
            self.held[slot, _F_ENDS + word] = self.pkt[flow, _SRC_HI + word]
        self.held[slot, 4] = ident
        self.held[slot, _F_WHO] = who
        self.held[slot, _F_PACKETS] = 0
        self.held[slot, _F_BYTES] = 0
        self.held[slot, _F_TIME] = self.pkt[i, _TIME]
        self.held[slot, _F_NET] = self._net(i)
        self.held[slot, _F_TUNNEL] = self.pkt[flow, _PATH] & _TUNNEL
        return 0
