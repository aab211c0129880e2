"""The framing kernel: a buffer of pcap or pcapng bytes to rows of records.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. It never
allocates and never trusts a length: every byte is read inside bounds that were checked just before.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_TIME = cython.declare(cython.Py_ssize_t, layout.REC_TIME)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_OFFSET = cython.declare(cython.Py_ssize_t, layout.REC_OFFSET)
_IF_LINK = cython.declare(cython.Py_ssize_t, layout.IF_LINK)
_IF_PRE = cython.declare(cython.Py_ssize_t, layout.IF_PRE)
_IF_UNITS = cython.declare(cython.Py_ssize_t, layout.IF_UNITS)
_IF_OFFSET = cython.declare(cython.Py_ssize_t, layout.IF_OFFSET)
_IF_SNAPLEN = cython.declare(cython.Py_ssize_t, layout.IF_SNAPLEN)
_IF_DROPS = cython.declare(cython.Py_ssize_t, layout.IF_DROPS)
_OFFSET_BIAS = cython.declare(cython.ulonglong, layout.OFFSET_BIAS)
_FAR = cython.declare(cython.ulonglong, 1 << 41)  # seconds, whatever is added or taken off
_LAST_TIME = cython.declare(cython.ulonglong, layout.LAST_TIME)
_MANY = cython.declare(cython.ulonglong, 1 << 40)  # more drops than that at once are nonsense

# Why a split stopped where it did.
MORE = 0  # the bytes at `at` are no whole record yet
FULL = 1  # no room for another record
ABSURD = 2  # a length that cannot be
OTHER = 3  # pcapng: a block that is no packet; pcap: another file's header
_MORE = cython.declare(cython.int, MORE)
_FULL = cython.declare(cython.int, FULL)
_ABSURD = cython.declare(cython.int, ABSURD)
_OTHER = cython.declare(cython.int, OTHER)


@cython.final
@cython.cclass
class Splitter:
    """Cuts one capture file's bytes into records.

    `records` is a writable memoryview of unsigned 64-bit words, (capacity, RECORD_WORDS);
    `interfaces` one of (any, INTERFACE_WORDS). pcap uses interface 0. The counters start at zero
    and are never reset.
    """

    buf = cython.declare(cython.uchar[::1])
    records = cython.declare(cython.ulonglong[:, ::1])
    interfaces = cython.declare(cython.ulonglong[:, ::1])
    big = cython.declare(cython.bint, visibility="public")
    magic = cython.declare(cython.ulonglong, visibility="public")
    """pcap: what the file begins with, as a number."""
    known = cython.declare(cython.ulonglong, visibility="public")
    """How many rows of `interfaces` are filled in."""
    described = cython.declare(cython.ulonglong, visibility="public")
    """How many interfaces the section describes: more than `known` when the table is full."""
    now = cython.declare(cython.ulonglong, visibility="public")
    """Time of the last packet that carries one; 0 before there is one."""
    count = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Records of the last split."""
    at = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Where the last split stopped."""
    enhanced = cython.declare(cython.ulonglong, visibility="readonly")
    simple = cython.declare(cython.ulonglong, visibility="readonly")
    obsolete = cython.declare(cython.ulonglong, visibility="readonly")
    """Whole packet blocks of each kind, those that gave no record among them."""
    timeless = cython.declare(cython.ulonglong, visibility="readonly")
    """Simple packets: they carry no time and take `now`."""
    odd_times = cython.declare(cython.ulonglong, visibility="readonly")
    """Time stamps before 1970 or after 9999; they were clamped."""
    strays = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets of interfaces that are not described; they gave no record, nor did the next two."""
    beyond = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets of interfaces that the table has no room for."""
    broken = cython.declare(cython.ulonglong, visibility="readonly")
    """Packets that claim more captured bytes than their block holds."""
    empty = cython.declare(cython.ulonglong, visibility="readonly")
    """pcap: record headers of zeros; they gave no record."""
    limit = cython.declare(cython.ulonglong)

    def __init__(self, records: memoryview, interfaces: memoryview, limit: int) -> None:
        """`limit`: captured bytes above it are absurd."""
        self.use(records)
        self.interfaces = interfaces
        self.limit = limit
        self.big = False
        self.magic = self.known = self.described = self.now = 0
        self.count = self.at = 0
        self.enhanced = self.simple = self.obsolete = 0
        self.timeless = self.odd_times = self.strays = self.beyond = self.broken = self.empty = 0

    def use(self, records: memoryview) -> None:
        """The next split fills these."""
        self.records = records
        if self.records.shape[1] < layout.RECORD_WORDS:
            raise ValueError("too few words in a record")

    @cython.cfunc
    @cython.nogil
    @cython.inline
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    def _u32(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        """Four bytes that the caller knows to be there."""
        a: cython.uint = self.buf[at]
        b: cython.uint = self.buf[at + 1]
        c: cython.uint = self.buf[at + 2]
        d: cython.uint = self.buf[at + 3]
        if self.big:
            return a << 24 | b << 16 | c << 8 | d
        return d << 24 | c << 16 | b << 8 | a

    @cython.cfunc
    @cython.nogil
    @cython.inline
    @cython.exceptval(check=False)
    @cython.boundscheck(False)
    def _put(
        self,
        start: cython.Py_ssize_t,
        caplen: cython.ulonglong,
        wirelen: cython.ulonglong,
        time: cython.ulonglong,
        link: cython.ulonglong,
        offset: cython.ulonglong,
    ) -> cython.void:
        """A record in the next row, which the caller knows to be free."""
        row: cython.Py_ssize_t = self.count
        self.records[row, _START] = start
        self.records[row, _CAPLEN] = caplen
        self.records[row, _WIRELEN] = wirelen
        self.records[row, _TIME] = time
        self.records[row, _LINK] = link
        self.records[row, _OFFSET] = offset
        self.count = row + 1

    def _begin(self, buf: memoryview, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> None:
        self.buf = buf
        if at < 0 or end < at or end > self.buf.shape[0]:
            raise IndexError("outside the buffer")
        self.count = 0

    def split_pcap(
        self,
        buf: memoryview,
        at: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        base: cython.ulonglong,
        header: cython.Py_ssize_t,
        old: cython.bint = False,
    ) -> int:
        """Split buf[at:end] into records, and say why it stopped.

        base: file offset of buf[0]; header: bytes of a record header, 16 or more. Interface 0 says
        link type and units a second. old: the two lengths may come in either order, as they did
        before version 2.4; the captured one is the smaller.
        """
        stop: cython.int
        self._begin(buf, at, end)
        if header < 16:
            raise ValueError("a record header has 16 bytes or more")
        with cython.nogil:
            stop = self._pcap(at, end, base, header, old)
        return stop

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _pcap(
        self,
        at: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        base: cython.ulonglong,
        header: cython.Py_ssize_t,
        old: cython.bint,
    ) -> cython.int:
        caplen: cython.ulonglong
        wirelen: cython.ulonglong
        fraction: cython.ulonglong
        nano: cython.bint = self.interfaces[0, _IF_UNITS] != 1_000_000
        link: cython.ulonglong = self.interfaces[0, _IF_LINK]
        room: cython.Py_ssize_t = self.records.shape[0]
        stop: cython.int = _FULL
        while self.count < room:
            if end - at < header:
                stop = _MORE
                break
            caplen = self._u32(at + 8)
            wirelen = self._u32(at + 12)
            if old and caplen > wirelen:
                caplen, wirelen = wirelen, caplen
            if caplen > self.limit:
                stop = _ABSURD
                break
            if cython.cast(cython.ulonglong, end - at - header) < caplen:
                stop = _MORE
                break
            fraction = self._u32(at + 4)
            if wirelen == 0 and caplen == 0:
                if fraction == 0 and self._u32(at) == 0:
                    self.empty += 1
                    at += header
                    continue
                if self._u32(at) == self.magic:  # its zone and accuracy are zero
                    stop = _OTHER
                    break
            if nano:
                fraction = fraction // 1000
            fraction += self._u32(at) * 1_000_000
            self._put(at + header, caplen, wirelen, fraction, link, base + at)
            at += header + caplen
        self.at = at
        return stop

    def split_pcapng(
        self,
        buf: memoryview,
        at: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        base: cython.ulonglong,
    ) -> int:
        """Split the packet blocks of buf[at:end]; stops at every block that is no packet."""
        stop: cython.int
        self._begin(buf, at, end)
        with cython.nogil:
            stop = self._pcapng(at, end, base)
        return stop

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _pcapng(
        self, at: cython.Py_ssize_t, end: cython.Py_ssize_t, base: cython.ulonglong
    ) -> cython.int:
        kind: cython.ulonglong
        length: cython.ulonglong
        said: cython.ulonglong
        room: cython.Py_ssize_t = self.records.shape[0]
        stop: cython.int = _FULL
        while self.count < room:
            if end - at < 12:
                stop = _MORE
                break
            kind = self._u32(at)
            if kind not in (2, 3, 6):
                stop = _OTHER
                break
            said = self._u32(at + 4)
            length = said + 3 & ~3  # some writers do not count the padding
            if length < (16 if kind == 3 else 32) or length > self.limit + 32:
                stop = _ABSURD
                break
            if cython.cast(cython.ulonglong, end - at) < length:
                stop = _MORE
                break
            if self._u32(at + length - 4) != said:
                stop = _ABSURD
                break
            self._block(kind, length, at, base)
            at += length
        self.at = at
        return stop

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _block(
        self,
        kind: cython.ulonglong,
        length: cython.ulonglong,
        at: cython.Py_ssize_t,
        base: cython.ulonglong,
    ) -> cython.int:
        """One whole enhanced (6), simple (3) or obsolete (2) packet block to a record."""
        number: cython.ulonglong = 0
        caplen: cython.ulonglong
        drops: cython.ulonglong
        link: cython.ulonglong
        if kind == 6:
            self.enhanced += 1
            number = self._u32(at + 8)
        elif kind == 2:  # 16 bits of interface, then 16 bits of drops
            self.obsolete += 1
            number = self._u32(at + 8)
            number = number >> 16 if self.big else number & 0xFFFF
        else:
            self.simple += 1
        if number >= self.known:
            if number < self.described:
                self.beyond += 1
            else:
                self.strays += 1
            return 0
        if kind == 3:
            self._simple(length, at, base)
            return 0
        caplen = self._u32(at + 20)
        if caplen > length - 32:
            self.broken += 1
            return 0
        self.now = self._time(self._u32(at + 12) << 32 | self._u32(at + 16), number)
        link = self.interfaces[number, _IF_LINK]
        self._put(at + 28, caplen, self._u32(at + 24), self.now, link, base + at)
        if kind == 2:
            drops = self._u32(at + 8)
            drops = drops & 0xFFFF if self.big else drops >> 16
            if drops != 0xFFFF:  # unknown
                self._lost(number, drops)
        elif length - 32 >= caplen + 4:
            self._options(at + 28 + (caplen + 3 & ~3), at + length - 4, number)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _simple(
        self, length: cython.ulonglong, at: cython.Py_ssize_t, base: cython.ulonglong
    ) -> cython.int:
        wirelen: cython.ulonglong = self._u32(at + 8)
        snaplen: cython.ulonglong = self.interfaces[0, _IF_SNAPLEN]
        caplen: cython.ulonglong = min(wirelen, length - 16)
        if snaplen and snaplen < caplen:
            caplen = snaplen
        self.timeless += 1
        self._put(at + 12, caplen, wirelen, self.now, self.interfaces[0, _IF_LINK], base + at)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _options(
        self, at: cython.Py_ssize_t, end: cython.Py_ssize_t, number: cython.ulonglong
    ) -> cython.int:
        """The drops among the options of an enhanced packet."""
        code: cython.ulonglong
        size: cython.Py_ssize_t
        while end - at >= 4:
            code = self._u32(at)
            size = code & 0xFFFF if self.big else code >> 16
            code = code >> 16 if self.big else code & 0xFFFF
            if code == 0 or size > end - at - 4:
                break
            if code == 4 and size == 8:  # epb_dropcount
                code = self._u32(at + 4) << 32
                if self.big:
                    self._lost(number, code | self._u32(at + 8))
                else:
                    self._lost(number, self._u32(at + 8) << 32 | code >> 32)
            at += 4 + (size + 3 & ~3)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _lost(self, number: cython.ulonglong, drops: cython.ulonglong) -> cython.int:
        """Packets dropped before this one."""
        before: cython.ulonglong = self.interfaces[number, _IF_DROPS]
        if before == 0:
            before = 1
        if before < _MANY:
            self.interfaces[number, _IF_DROPS] = before + min(drops, _MANY)
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1, check=True)
    def _time(self, ticks: cython.ulonglong, number: cython.ulonglong) -> cython.ulonglong:
        """A time stamp of an interface in microseconds since the epoch, clamped to 1970-9999."""
        pre: cython.ulonglong = self.interfaces[number, _IF_PRE]
        units: cython.ulonglong = self.interfaces[number, _IF_UNITS]
        bias: cython.ulonglong = self.interfaces[number, _IF_OFFSET]
        seconds: cython.ulonglong
        rest: cython.ulonglong
        if pre == 1 and bias == _OFFSET_BIAS and (units == 1_000_000 or units == 1_000_000_000):
            if units != 1_000_000:
                ticks = ticks // 1000
            if ticks <= _LAST_TIME:
                return ticks
            self.odd_times += 1
            return _LAST_TIME
        ticks = ticks // pre
        seconds = ticks // units
        rest = (ticks - seconds * units) * 1_000_000 // units
        seconds = min(seconds, _FAR) + bias  # no wrap: bias is at most 2 * OFFSET_BIAS
        if seconds < _OFFSET_BIAS:
            self.odd_times += 1
            return 0
        seconds -= _OFFSET_BIAS
        if seconds > _LAST_TIME // 1_000_000:
            self.odd_times += 1
            return _LAST_TIME
        return seconds * 1_000_000 + rest
