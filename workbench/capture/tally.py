"""The tally kernel: what a capture's records say about the recording itself, in one pass.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. The tally does
not depend on where the capture was split into blocks, and its memory does not grow.

A *likely copy* is a packet whose IP and transport headers were seen a few milliseconds before: a
mirror port that sees a packet enter and leave, or an interface recorded beside its bridge. What a
router changes on the way (VLAN, time to live, header checksum, traffic class) is not compared;
the IP identification and the transport's checksum, which covers the payload, are.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython
import numpy as np

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_TIME = cython.declare(cython.Py_ssize_t, layout.REC_TIME)
_IP = cython.declare(cython.Py_ssize_t, layout.REC_IP)
_NOT_IP = cython.declare(cython.ulonglong, layout.NOT_IP)
_MASK = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_FFFF)
_MIX_1 = cython.declare(cython.ulonglong, layout.MIX_1)
_MIX_2 = cython.declare(cython.ulonglong, layout.MIX_2)

BUCKETS = 64
FIRST_WIDTH = 1000
"""Microseconds of the first bucket; buckets double in width as the capture grows."""
GAPS = 8
NEAR = 10
"""Units of 1.024 ms within which the same packet again is a copy."""
ALL = 0x8000
"""Packets at the front of a capture that are all compared; further on it is every eighth stretch
of an eighth of that: looking at bytes costs more than everything else here."""
_BUCKETS = cython.declare(cython.ulonglong, BUCKETS)
_GAPS = cython.declare(cython.Py_ssize_t, GAPS)
_NEAR = cython.declare(cython.ulonglong, NEAR)
_ALL = cython.declare(cython.ulonglong, ALL)
_EIGHTH = cython.declare(cython.ulonglong, ALL // 8 * 7)
_RECENT = cython.declare(cython.ulonglong, 0x3FF)  # slots for recent packets, less one
_WHEN = cython.declare(cython.ulonglong, 0xFF_FFFF)  # the time bits in a slot

# Bytes that routers change, in the little-endian words of an IP header.
_V4_0 = cython.declare(cython.ulonglong, 0xFFFF_FFFF_FFFF_00FF)  # traffic class
_V4_1 = cython.declare(cython.ulonglong, 0xFFFF_FFFF_0000_FF00)  # time to live, checksum
_V6_0 = cython.declare(cython.ulonglong, 0x00FF_FFFF_FFFF_0FF0)  # traffic class, hop limit


@cython.final
@cython.cclass
class Tally:
    """Counts over all records of one capture; `add` its blocks in file order."""

    packets = cython.declare(cython.ulonglong, visibility="readonly")
    truncated = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets captured shorter than they were."""
    longer = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets captured longer than they claim to have been."""
    wire_bytes = cython.declare(cython.ulonglong, visibility="readonly")
    captured_bytes = cython.declare(cython.ulonglong, visibility="readonly")
    first = cython.declare(cython.ulonglong, visibility="readonly")
    """Earliest time, microseconds; meaningless without packets, as is `last`."""
    last = cython.declare(cython.ulonglong, visibility="readonly")
    steps_back = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets with an earlier time than the one before."""
    step_back = cython.declare(cython.ulonglong, visibility="readonly")
    """The largest such step, microseconds."""
    step_back_at = cython.declare(cython.ulonglong, visibility="readonly")
    """Time of the packet before it."""
    compared = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets that were looked up among those just before them."""
    copies = cython.declare(cython.ulonglong, visibility="readonly")
    """Those of them that were there already."""
    width = cython.declare(cython.ulonglong, visibility="readonly")
    """Microseconds a bucket of activity."""
    gaps = cython.declare(object, visibility="readonly")
    """Memoryview (GAPS, 2): start and length of the longest silences, longest first, then zeros."""
    buckets = cython.declare(object, visibility="readonly")
    """Memoryview (BUCKETS): packets in each stretch of time from the first packet on."""
    _gaps = cython.declare(cython.ulonglong[:, ::1])
    _buckets = cython.declare(cython.ulonglong[::1])
    recent = cython.declare(cython.ulonglong[::1])
    rows = cython.declare(cython.ulonglong[:, ::1])
    words = cython.declare(cython.ulonglong[::1])  # the buffer, eight bytes a word
    rest = cython.declare(cython.ulonglong)  # what of it fills no word
    previous = cython.declare(cython.ulonglong)
    origin = cython.declare(cython.ulonglong)
    shortest = cython.declare(cython.ulonglong)  # of the silences kept
    low = cython.declare(cython.ulonglong)  # where the bucket being filled begins
    bucket = cython.declare(cython.Py_ssize_t)

    def __init__(self) -> None:
        self.gaps = np.zeros((GAPS, 2), np.uint64).data
        self.buckets = np.zeros(BUCKETS, np.uint64).data
        self._gaps = self.gaps
        self._buckets = self.buckets
        self.recent = np.zeros(0x400, np.uint64).data
        self.packets = self.truncated = self.longer = self.wire_bytes = self.captured_bytes = 0
        self.first = self.last = self.previous = self.origin = self.low = self.shortest = 0
        self.steps_back = self.step_back = self.step_back_at = self.compared = self.copies = 0
        self.width = FIRST_WIDTH
        self.bucket = 0

    def add(self, buffer: memoryview, records: memoryview, count: cython.Py_ssize_t) -> None:
        """Count records[:count]; the link kernel has found where their IP headers are."""
        if count == 0:
            return
        if self.packets == 0:
            self.first = self.last = self.previous = self.origin = self.low = records[0, _TIME]
        whole = len(buffer) & ~7
        self.words = buffer[:whole].cast("Q")
        self.rest = int.from_bytes(buffer[whole:], "little")
        self.rows = records
        with cython.nogil:
            self._sums(count)
            self._times(count)
            self._compare(count)
        self.packets += count

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _sums(self, count: cython.Py_ssize_t) -> cython.int:
        i: cython.Py_ssize_t
        caplen: cython.ulonglong
        wirelen: cython.ulonglong
        captured: cython.ulonglong = 0
        wire: cython.ulonglong = 0
        truncated: cython.ulonglong = 0
        longer: cython.ulonglong = 0
        for i in range(count):
            caplen = self.rows[i, _CAPLEN]
            wirelen = self.rows[i, _WIRELEN]
            captured += caplen
            wire += wirelen
            truncated += caplen < wirelen
            longer += caplen > wirelen
        self.captured_bytes += captured
        self.wire_bytes += wire
        self.truncated += truncated
        self.longer += longer
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _times(self, count: cython.Py_ssize_t) -> cython.int:
        """Silences, steps back, activity. Usually a packet is a little later than the last."""
        i: cython.Py_ssize_t
        time: cython.ulonglong
        last: cython.ulonglong = self.last
        usual: cython.ulonglong = self.shortest
        end: cython.ulonglong = self.low + self.width
        begin: cython.Py_ssize_t = 0  # of the packets in the bucket being filled
        for i in range(count):
            time = self.rows[i, _TIME]
            if last <= time < end and time - last <= usual:
                last = time
                continue
            if i:
                self.previous = self.rows[i - 1, _TIME]
                self.last = last
            self._clock(time)
            last, usual = self.last, self.shortest
            if time < self.low or time >= end:
                self._buckets[self.bucket] += i - begin
                begin = i
                self._seek(time)
                end = self.low + self.width
        self._buckets[self.bucket] += count - begin
        self.previous = self.rows[count - 1, _TIME]
        self.last = last
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _clock(self, time: cython.ulonglong) -> cython.int:
        """A silence or a step back.

        One packet with an absurdly early time makes no silence: it ends where time goes on.
        """
        before: cython.ulonglong = self.previous
        if time >= self.last:
            before = self.last
            self.last = time
        elif time < before:
            self.steps_back += 1
            if time < self.first:
                self.first = time
            if before - time > self.step_back:
                self.step_back = before - time
                self.step_back_at = before
            return 0
        if time - before > self.shortest:
            self._silence(before, time - before)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _silence(self, start: cython.ulonglong, length: cython.ulonglong) -> cython.int:
        """Keep it in its place; the shortest one goes."""
        at: cython.Py_ssize_t = _GAPS - 1
        while at > 0 and self._gaps[at - 1, 1] < length:
            self._gaps[at, 0] = self._gaps[at - 1, 0]
            self._gaps[at, 1] = self._gaps[at - 1, 1]
            at -= 1
        self._gaps[at, 0] = start
        self._gaps[at, 1] = length
        self.shortest = self._gaps[_GAPS - 1, 1]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _seek(self, time: cython.ulonglong) -> cython.int:
        """Find the bucket of a time; while there is none, make all of them twice as wide."""
        since: cython.ulonglong = time - self.origin if time > self.origin else 0
        i: cython.Py_ssize_t
        half: cython.Py_ssize_t = self._buckets.shape[0] // 2
        while since // self.width >= _BUCKETS:
            for i in range(half):
                self._buckets[i] = self._buckets[2 * i] + self._buckets[2 * i + 1]
            for i in range(half, self._buckets.shape[0]):
                self._buckets[i] = 0
            self.width *= 2
        self.bucket = since // self.width
        self.low = self.origin + self.bucket * self.width
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _compare(self, count: cython.Py_ssize_t) -> cython.int:
        """Look for copies, where this stretch of the capture is looked at."""
        i: cython.Py_ssize_t = 0
        number: cython.ulonglong
        while i < count:
            number = self.packets + i
            if number >= _ALL and number & _EIGHTH:
                i += _ALL - (number & _ALL - 1)
                continue
            if self.rows[i, _IP] != _NOT_IP:
                self._look(i, self.rows[i, _IP])
            i += 1
        return 0

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(-1)
    def _look(self, i: cython.Py_ssize_t, at: cython.size_t) -> cython.int:
        """Was the same packet here a moment ago?"""
        have: cython.Py_ssize_t = self.rows[i, _START] + self.rows[i, _CAPLEN] - at
        now: cython.ulonglong = self.rows[i, _TIME] >> 10
        mark: cython.ulonglong
        seen: cython.ulonglong
        if have < 24:
            return 0
        mark = self._mark(at, have)
        seen = self.recent[mark & _RECENT]
        self.recent[mark & _RECENT] = mark & ~_WHEN & _MASK | now & _WHEN
        self.compared += 1
        if (seen ^ mark) >> 24 == 0 and (now - seen + 1) & _WHEN <= _NEAR:
            self.copies += 1
        return 0

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(-1)
    def _mark(self, at: cython.size_t, have: cython.Py_ssize_t) -> cython.ulonglong:
        """64 bits of what makes a packet itself wherever it is captured."""
        word: cython.size_t = at >> 3
        down: cython.int = (at & 7) * 8
        up: cython.int = 63 - down
        left: cython.Py_ssize_t
        first: cython.ulonglong
        second: cython.ulonglong
        held: cython.ulonglong = self._word(word + 1)
        following: cython.ulonglong = self._word(word + 2)
        mixed: cython.ulonglong
        first = self._word(word) >> down | held << 1 << up & _MASK
        second = held >> down | following << 1 << up & _MASK
        held = following
        word += 3
        left = _telling(first, second, have) - 16
        if first & 0xF0 == 0x40:
            first &= _V4_0
            second &= _V4_1
        else:
            first &= _V6_0
        mixed = (first * _MIX_1 ^ second) * _MIX_2 & _MASK
        while left >= 8:
            following = self._word(word)
            mixed = (mixed ^ mixed >> 29) + (held >> down | following << 1 << up & _MASK) & _MASK
            mixed = mixed * _MIX_1 & _MASK
            held = following
            word += 1
            left -= 8
        return mixed ^ mixed >> 32

    @cython.cfunc
    @cython.inline
    @cython.nogil
    @cython.exceptval(-1)
    def _word(self, at: cython.size_t) -> cython.ulonglong:
        """Eight bytes of the buffer, the last ones filled up with zeros."""
        whole: cython.size_t = self.words.shape[0]
        if at < whole:
            return self.words[at]
        return self.rest if at == whole else 0


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _telling(
    first: cython.ulonglong, second: cython.ulonglong, have: cython.Py_ssize_t
) -> cython.Py_ssize_t:
    """How many bytes from the IP header on tell one packet from another.

    TCP needs no more than its checksum; tunnels, often without one, need the headers inside.
    Padding of the frame does not count.
    """
    total: cython.Py_ssize_t
    most: cython.Py_ssize_t = 160
    if first & 0xF0 == 0x40:
        total = first >> 8 & 0xFF00 | first >> 24 & 0xFF
        if second & 0xFF00 == 0x0600:
            most = 40
    else:
        total = (first >> 24 & 0xFF00 | first >> 40 & 0xFF) + 40
        if first >> 48 & 0xFF == 6:
            most = 64
    if 24 <= total < have:
        have = total
    return min(have, most)
