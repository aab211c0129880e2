"""The framing kernel: a buffer of pcap or pcapng bytes to rows of records.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. It never
allocates and never trusts a length.

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
_OFFSET_BIAS = cython.declare(cython.longlong, layout.OFFSET_BIAS)
_FAR = cython.declare(cython.ulonglong, 1 << 40)  # seconds
_LAST_TIME = cython.declare(cython.longlong, layout.LAST_TIME)

# Why a split stopped where it did.
MORE = 0  # the bytes at `at` are no whole record yet
FULL = 1  # no room for another record
ABSURD = 2  # a length that cannot be
OTHER = 3  # pcapng: a block that is no packet
NO_INTERFACE = 4  # pcapng: a packet of an interface that was not described
_MORE = cython.declare(cython.int, MORE)
_FULL = cython.declare(cython.int, FULL)
_ABSURD = cython.declare(cython.int, ABSURD)
_OTHER = cython.declare(cython.int, OTHER)
_NO_INTERFACE = cython.declare(cython.int, NO_INTERFACE)


@cython.final
@cython.cclass
class Splitter:
    """Cuts one capture file's bytes into records.

    `records` is a writable memoryview of unsigned 64-bit words, (capacity, RECORD_WORDS);
    `interfaces` one of (any, INTERFACE_WORDS). pcap uses interface 0.
    """

    buf = cython.declare(cython.uchar[::1])
    records = cython.declare(cython.ulonglong[:, ::1])
    interfaces = cython.declare(cython.ulonglong[:, ::1])
    big = cython.declare(cython.bint, visibility="public")
    known = cython.declare(cython.ulonglong, visibility="public")
    """How many rows of `interfaces` are filled in."""
    count = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Records of the last split."""
    at = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Where the last split stopped."""
    timeless = cython.declare(cython.ulonglong, visibility="readonly")
    """Simple packets so far: they carry no time and take that of the packet before them."""
    odd_times = cython.declare(cython.ulonglong, visibility="readonly")
    """Time stamps so far before 1970 or after 9999; they were clamped."""
    now = cython.declare(cython.ulonglong)
    limit = cython.declare(cython.ulonglong)

    def __init__(self, records: memoryview, interfaces: memoryview, limit: int) -> None:
        """`limit`: captured bytes above it are absurd."""
        self.records = records
        self.interfaces = interfaces
        self.limit = limit
        self.big = False
        self.known = 0
        self.count = self.at = 0
        self.timeless = self.odd_times = self.now = 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u32(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        a: cython.ulonglong = self.buf[at]
        b: cython.ulonglong = self.buf[at + 1]
        c: cython.ulonglong = self.buf[at + 2]
        d: cython.ulonglong = self.buf[at + 3]
        if self.big:
            return a << 24 | b << 16 | c << 8 | d
        return d << 24 | c << 16 | b << 8 | a

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _put(
        self,
        start: cython.Py_ssize_t,
        caplen: cython.ulonglong,
        wirelen: cython.ulonglong,
        time: cython.ulonglong,
        link: cython.ulonglong,
        offset: cython.ulonglong,
    ) -> cython.int:
        row: cython.Py_ssize_t = self.count
        self.records[row, _START] = start
        self.records[row, _CAPLEN] = caplen
        self.records[row, _WIRELEN] = wirelen
        self.records[row, _TIME] = time
        self.records[row, _LINK] = link
        self.records[row, _OFFSET] = offset
        self.count = row + 1
        return 0

    def split_pcap(
        self,
        buf: memoryview,
        at: cython.Py_ssize_t,
        end: cython.Py_ssize_t,
        base: cython.ulonglong,
        header: cython.Py_ssize_t,
    ) -> int:
        """Split buf[at:end] into records, and say why it stopped.

        base: file offset of buf[0]; header: bytes of a record header, 16 (24 in the modified
        format). Interface 0 says link type and units a second.
        """
        caplen: cython.ulonglong
        fraction: cython.ulonglong
        time: cython.ulonglong
        per_us: cython.ulonglong = self.interfaces[0, _IF_UNITS] // 1_000_000
        link: cython.ulonglong = self.interfaces[0, _IF_LINK]
        room: cython.Py_ssize_t = self.records.shape[0]
        stop: cython.int = _FULL
        self.buf = buf
        self.count = 0
        while self.count < room:
            if end - at < header:
                stop = _MORE
                break
            caplen = self._u32(at + 8)
            if caplen > self.limit:
                stop = _ABSURD
                break
            if cython.cast(cython.ulonglong, end - at - header) < caplen:
                stop = _MORE
                break
            fraction = self._u32(at + 4)
            if per_us != 1:
                fraction = fraction // per_us
            time = self._u32(at) * 1_000_000 + fraction
            self._put(at + header, caplen, self._u32(at + 12), time, link, base + at)
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
        kind: cython.ulonglong
        length: cython.ulonglong
        room: cython.Py_ssize_t = self.records.shape[0]
        stop: cython.int = _FULL
        self.buf = buf
        self.count = 0
        while self.count < room:
            if end - at < 12:
                stop = _MORE
                break
            kind = self._u32(at)
            if kind not in (2, 3, 6):
                stop = _OTHER
                break
            length = self._u32(at + 4)
            if length % 4 or length < (16 if kind == 3 else 32) or length > self.limit + 32:
                stop = _ABSURD
                break
            if cython.cast(cython.ulonglong, end - at) < length:
                stop = _MORE
                break
            stop = self._block(kind, length, at, base)
            if stop != _FULL:
                break
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
        """One enhanced (6), simple (3) or obsolete (2) packet block; FULL when all is well."""
        interface: cython.ulonglong = 0
        caplen: cython.ulonglong
        wirelen: cython.ulonglong
        snaplen: cython.ulonglong
        if self._u32(at + length - 4) != length:
            return _ABSURD
        if kind == 6:
            interface = self._u32(at + 8)
        elif kind == 2:  # 16 bits of interface, then 16 bits of drops
            interface = self._u32(at + 8)
            interface = interface >> 16 if self.big else interface & 0xFFFF
        if interface >= self.known:
            return _NO_INTERFACE
        if kind == 3:
            wirelen = self._u32(at + 8)
            snaplen = self.interfaces[0, _IF_SNAPLEN]
            caplen = min(wirelen, length - 16)
            if snaplen and snaplen < caplen:
                caplen = snaplen
            self.timeless += 1
            self._put(at + 12, caplen, wirelen, self.now, self.interfaces[0, _IF_LINK], base + at)
            return _FULL
        caplen = self._u32(at + 20)
        if caplen > length - 32:
            return _ABSURD
        self.now = self._time(self._u32(at + 12) << 32 | self._u32(at + 16), interface)
        wirelen = self._u32(at + 24)
        self._put(
            at + 28, caplen, wirelen, self.now, self.interfaces[interface, _IF_LINK], base + at
        )
        return _FULL

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _time(self, ticks: cython.ulonglong, interface: cython.ulonglong) -> cython.ulonglong:
        """A time stamp of an interface in microseconds since the epoch, clamped to 1970-9999."""
        units: cython.ulonglong = self.interfaces[interface, _IF_UNITS]
        seconds: cython.ulonglong
        rest: cython.ulonglong
        moment: cython.longlong
        ticks = ticks // self.interfaces[interface, _IF_PRE]
        seconds = ticks // units
        rest = (ticks - seconds * units) * 1_000_000 // units
        moment = cython.cast(cython.longlong, self.interfaces[interface, _IF_OFFSET])
        moment -= _OFFSET_BIAS
        if seconds > _FAR:
            seconds, moment = _FAR, 0
        moment += cython.cast(cython.longlong, seconds)
        if moment < 0:
            self.odd_times += 1
            return 0
        if moment > _LAST_TIME // 1_000_000:
            self.odd_times += 1
            return _LAST_TIME
        return moment * 1_000_000 + rest
