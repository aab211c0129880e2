"""The dealing kernel: packets get the hash of their flow, and their part of the flow table.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. Which flows are
in which part depends on a secret seed, the flows themselves do not.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython

from workbench.capture import layout

_PACKET = cython.declare(cython.Py_ssize_t, layout.PACKET_WORDS)
_WHO = cython.declare(cython.Py_ssize_t, layout.PKT_WHO)
_MASK = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_FFFF)
_LOW = cython.declare(cython.ulonglong, 0xFFFF_FFFF)
_MIX_1 = cython.declare(cython.ulonglong, layout.MIX_1)
_MIX_2 = cython.declare(cython.ulonglong, layout.MIX_2)


@cython.final
@cython.cclass
class Dealer:
    """Hashes packets and deals them out to the parts of the flow table, in order."""

    seed = cython.declare(cython.ulonglong)
    parts = cython.declare(cython.ulonglong)

    def __init__(self, parts: int, seed: int) -> None:
        """seed: 64 secret bits, so that nobody can prepare a capture that collides."""
        self.parts = parts
        self.seed = seed

    def deal(
        self,
        packets: memoryview,
        count: cython.Py_ssize_t,
        hashes: memoryview,
        order: memoryview,
        dealt: memoryview,
    ) -> None:
        """Fill hashes[:count]; list the packets of part p in order[p, :dealt[p]]. packets: flat."""
        pkt: cython.ulonglong[::1] = packets
        out: cython.ulonglong[::1] = hashes
        lists: cython.uint[:, ::1] = order
        sizes: cython.longlong[::1] = dealt
        i: cython.Py_ssize_t
        at: cython.Py_ssize_t
        part: cython.Py_ssize_t
        h: cython.ulonglong
        ends: cython.ulonglong
        seed: cython.ulonglong = self.seed
        more: cython.ulonglong = _more(seed)
        with cython.nogil:
            for part in range(sizes.shape[0]):
                sizes[part] = 0
            for i in range(count):
                at = i * _PACKET
                ends = pkt[at + _WHO]
                h = _hash(seed, more, pkt[at], pkt[at + 1], pkt[at + 2], pkt[at + 3], ends)
                out[i] = h
                part = (h >> 56) * self.parts >> 8
                lists[part, sizes[part]] = i
                sizes[part] += 1


@cython.cfunc
@cython.nogil
@cython.inline
@cython.exceptval(check=False)
def _hash(
    seed: cython.ulonglong,
    more: cython.ulonglong,
    a_hi: cython.ulonglong,
    a_lo: cython.ulonglong,
    b_hi: cython.ulonglong,
    b_lo: cython.ulonglong,
    who: cython.ulonglong,
) -> cython.ulonglong:
    """64 seeded bits, equal for both directions."""
    a: cython.ulonglong = _mix(seed, more, a_hi, a_lo, who >> 16 & 0xFFFF)
    b: cython.ulonglong = _mix(seed, more, b_hi, b_lo, who & 0xFFFF)
    both: cython.ulonglong = ((a + b) & _MASK) ^ who >> 32
    both = (both ^ both >> 29) * _MIX_2 & _MASK
    return both ^ both >> 32


@cython.cfunc
@cython.nogil
@cython.inline
@cython.exceptval(check=False)
def _mix(
    seed: cython.ulonglong,
    more: cython.ulonglong,
    hi: cython.ulonglong,
    lo: cython.ulonglong,
    port: cython.ulonglong,
) -> cython.ulonglong:
    """One end. Halves of the address are multiplied with one another, secret bits added to each:
    two addresses that give the same are not known without the secret. Multiplying by constants
    alone keeps differences, which then can be made to cancel.

    Source: NH, RFC 4418 section 5.2.
    """
    x: cython.ulonglong = ((lo >> 32) + more & _LOW) * ((lo & _LOW) + (more >> 32) & _LOW)
    x = x + port * _MIX_2 & _MASK
    if hi:  # nothing there in IPv4
        x = x + ((hi >> 32) + seed & _LOW) * ((hi & _LOW) + (seed >> 32) & _LOW) & _MASK
    x = (x ^ x >> 32) * _MIX_1 & _MASK
    return x ^ x >> 29


@cython.cfunc
@cython.nogil
@cython.inline
@cython.exceptval(check=False)
def _more(seed: cython.ulonglong) -> cython.ulonglong:
    """As many secret bits again."""
    x: cython.ulonglong = (seed ^ seed >> 29) * _MIX_2 & _MASK
    return x ^ x >> 32
