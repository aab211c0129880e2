"""The straight path: TCP and UDP directly in IP, most packets of most captures.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. On Ethernet,
Linux cooked captures and raw IP. A packet with anything more to it (options, extension headers,
tunnels, a second tag, cut or broken headers) is left to link.py and decode.py, which would say the
same of the plain ones; its rows stay in place.

The bytes are read eight at a time, and checked once, as 64-bit words of a little-endian machine;
where the machine is big-endian, or a packet begins near the end of the buffer, nothing is plain.

Sources: RFC 791, 8200, 9293, 768; IEEE 802.1Q.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import sys

import cython
import numpy as np

from workbench.capture import layout

_GROUP = cython.declare(cython.ulonglong, layout.GROUP)
_LAY_ROW = cython.declare(cython.Py_ssize_t, layout.LAY_ROW)
_LAY_RECORD = cython.declare(cython.Py_ssize_t, layout.LAY_RECORD)
_LAY_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_V4_PREFIX = cython.declare(cython.ulonglong, layout.V4_PREFIX)
_LOW = cython.declare(cython.ulonglong, 0xFFFF_FFFF)
_REACH = cython.declare(cython.Py_ssize_t, 96)
"""Bytes from a frame's start that the straight path may look at."""
_LITTLE = cython.declare(cython.bint, sys.byteorder == "little")


class _Words:
    """What _words gives where this module runs uncompiled."""

    def __init__(self, buf: memoryview) -> None:
        self.buf = buf
        self.shape = (max(len(buf) - 7, 0),)

    def __getitem__(self, at: int) -> int:
        if not 0 <= at < self.shape[0]:
            raise IndexError("Out of bounds on buffer access (axis 0)")
        return int.from_bytes(self.buf[at : at + 8], "little")


def _words(buf: memoryview) -> object:
    """The little-endian 64-bit word that begins at each byte of the buffer."""
    if not cython.compiled:
        return _Words(buf)
    size = max(len(buf) - 7, 0)
    return np.ndarray((size,), np.uint64, buf if size else None, strides=(1,))


@cython.final
@cython.cclass
class Plain:
    """Decodes the plain packets of a block, and lists the rest."""

    ports = cython.declare(cython.uchar[::1])  # 1 for those of tunnels over UDP
    tcp = cython.declare(cython.ulonglong[::1])  # marks by TCP flags
    decoded = cython.declare(cython.ulonglong, visibility="readonly")
    """Records so far that were plain."""
    left = cython.declare(cython.Py_ssize_t, visibility="readonly")
    """Records of the last block that were not."""

    def __init__(self) -> None:
        ports = np.zeros(65536, np.uint8)
        ports[list(layout.TUNNEL_PORTS)] = 1
        self.ports = ports.data
        self.tcp = np.array(layout.TCP_MARKS, np.uint64).data
        self.decoded = 0
        self.left = 0

    def decode(
        self,
        buf: memoryview,
        records: memoryview,
        count: cython.size_t,
        out: memoryview,
        rest: memoryview,
    ) -> int:
        """Decode the plain ones of records[:count] into rows of `out`; returns how many rows.

        Every other record gets two blank rows (an ICMP error also quotes a flow; PACKETS 0 means
        nothing to the flow table) and a row of `rest`, whose first words are the record's.
        """
        record: cython.ulonglong[:, ::1] = records
        layers: cython.ulonglong[:, ::1] = rest
        i: cython.size_t
        word: cython.Py_ssize_t
        start: cython.Py_ssize_t
        made: cython.size_t = 0
        left: cython.size_t = 0
        at: cython.Py_ssize_t
        words: cython.ulonglong[:] = _words(buf)
        rows: cython.ulonglong[:, ::1] = out
        ports: cython.uchar[::1] = self.ports
        tcp: cython.ulonglong[::1] = self.tcp
        reach: cython.Py_ssize_t = words.shape[0] - _REACH if _LITTLE else 0
        with cython.nogil:
            for i in range(count):
                start = record[i, 0]  # the order of layout.REC_START and its kin
                at = -1
                if start < reach:
                    at = _packet(words, ports, tcp, rows, made, record, i)
                if at >= 0:
                    record[i, 6] = at
                    rows[made, 8] = record[i, 3]
                    rows[made, 9] = record[i, 5]
                    made += 1
                    continue
                for word in range(rows.shape[1]):
                    rows[made, word] = rows[made + 1, word] = 0
                for word in range(6):
                    layers[left, word] = record[i, word]
                layers[left, _LAY_ROW] = made
                layers[left, _LAY_RECORD] = i
                layers[left, _LAY_TUNNEL] = 0
                made += 2
                left += 1
        self.left = left
        self.decoded += count - left
        return made


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(-2)
def _packet(
    words: cython.ulonglong[:],
    ports: cython.uchar[::1],
    tcp: cython.ulonglong[::1],
    rows: cython.ulonglong[:, ::1],
    row: cython.size_t,
    record: cython.ulonglong[:, ::1],
    i: cython.size_t,
) -> cython.Py_ssize_t:
    """Where a plain packet's IP header begins, or -1; fills in its row but for time and offset.

    What it reads behind the captured bytes does not matter: _transport wants them to be enough.
    """
    at: cython.Py_ssize_t = _link(words, rows, row, record[i, 4], record[i, 0])
    kind: cython.Py_ssize_t = at & 0xFFFF
    size: cython.Py_ssize_t = 0
    end: cython.Py_ssize_t
    at >>= 16
    if kind == 0x0800:
        size = _ipv4(words, rows, row, at)
    elif kind == 0x86DD:
        size = _ipv6(words, rows, row, at)
    if size == 0:
        return -1
    end = min(record[i, 0] + record[i, 1], at + rows[row, 7])
    return at if _transport(words, ports, tcp, rows, row, at + size, end - at - size) else -1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(-1, check=True)
def _link(
    words: cython.ulonglong[:],
    rows: cython.ulonglong[:, ::1],
    row: cython.size_t,
    link: cython.ulonglong,
    start: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    """Where the network header begins << 16 | its EtherType (0: not plain); fills in marks."""
    marks: cython.ulonglong = 0
    kind: cython.Py_ssize_t = 0
    types: cython.ulonglong
    if link == 1:
        types = _swapped(words[start + 12])
        kind = types >> 48
        marks = _GROUP if words[start] & 1 else 0
        start += 14
        if kind == 0x8100:  # one tag; 802.1ad and Q-in-Q are not plain
            marks |= (types >> 32 & 0xFFF) << 16
            kind = types >> 16 & 0xFFFF
            start += 4
    elif link == 113:  # Linux cooked, v1 and v2
        types = _swapped(words[start]) >> 48
        kind = _swapped(words[start + 8]) & 0xFFFF
        marks = _GROUP if types == 1 or types == 2 else 0
        start += 16
    elif link == 276:
        types = _swapped(words[start + 8]) >> 40 & 0xFF
        kind = _swapped(words[start]) >> 48
        marks = _GROUP if types == 1 or types == 2 else 0
        start += 20
    elif link in (12, 101, 228, 229):
        kind = 0x0800 if _swapped(words[start]) >> 60 == 4 else 0x86DD
    rows[row, 5] = marks
    return start << 16 | kind


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(-1)
def _ipv4(
    words: cython.ulonglong[:],
    rows: cython.ulonglong[:, ::1],
    row: cython.size_t,
    at: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    """Length of the header, or 0; fills in addresses, protocol and ports, bytes, time to live."""
    head: cython.ulonglong = _swapped(words[at])
    total: cython.Py_ssize_t = head >> 32 & 0xFFFF
    source: cython.ulonglong = _swapped(words[at + 8])  # time to live, protocol, checksum
    target: cython.ulonglong = _swapped(words[at + 16])  # then the ports
    if head >> 56 != 0x45 or head & 0x3FFF or total < 20:
        return 0
    rows[row, 0] = rows[row, 2] = 0
    rows[row, 1] = _V4_PREFIX | source & _LOW
    rows[row, 3] = _V4_PREFIX | target >> 32
    rows[row, 4] = (source >> 48 & 0xFF) << 32 | target & _LOW
    rows[row, 7] = total
    rows[row, 11] = source >> 56 << 32
    return 20


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(-1)
def _ipv6(
    words: cython.ulonglong[:],
    rows: cython.ulonglong[:, ::1],
    row: cython.size_t,
    at: cython.Py_ssize_t,
) -> cython.Py_ssize_t:
    """Length of the header, or 0; fills in addresses, protocol and ports, bytes, time to live."""
    head: cython.ulonglong = _swapped(words[at])
    total: cython.Py_ssize_t = (head >> 16 & 0xFFFF) + 40
    if head >> 60 != 6 or total == 40:
        return 0
    rows[row, 0] = _swapped(words[at + 8])
    rows[row, 1] = _swapped(words[at + 16])
    rows[row, 2] = _swapped(words[at + 24])
    rows[row, 3] = _swapped(words[at + 32])
    rows[row, 4] = (head >> 8 & 0xFF) << 32 | _swapped(words[at + 40]) >> 32
    rows[row, 7] = total
    rows[row, 11] = (head & 0xFF) << 32
    return 40


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(-1)
def _transport(
    words: cython.ulonglong[:],
    ports: cython.uchar[::1],
    tcp: cython.ulonglong[::1],
    rows: cython.ulonglong[:, ::1],
    row: cython.size_t,
    at: cython.Py_ssize_t,
    size: cython.Py_ssize_t,
) -> cython.int:
    """TCP or UDP whose header begins at `at` and of which `size` bytes were captured."""
    after: cython.ulonglong = _swapped(words[at + 4])  # the eight after the ports
    who: cython.ulonglong = rows[row, 4]
    protocol: cython.ulonglong = who >> 32
    marks: cython.ulonglong = rows[row, 5]
    token: cython.ulonglong
    flags: cython.ulonglong
    if protocol == 6 and size >= 20:
        flags = _swapped(words[at + 12]) >> 48
        if flags < 0x5000:
            return 0
        flags &= 0xFF
        marks |= tcp[flags]
        token = after >> 32  # of a SYN its sequence number, but never 0; without a branch
        token = (token + (token == 0)) * (flags & 6 == 2)
    elif protocol == 17 and size >= 8:
        if ports[who >> 16 & 0xFFFF] | ports[who & 0xFFFF]:
            return 0
        if after >> 28 & 15 == 6 and size >= 48:  # maybe Teredo
            return 0
        token = after >> 32 & 0xFFFF
    else:
        return 0
    rows[row, 5] = marks
    rows[row, 6] = 1
    rows[row, 10] = 0
    rows[row, 11] |= token
    return 1


@cython.cfunc
@cython.inline
@cython.nogil
@cython.exceptval(check=False)
def _swapped(x: cython.ulonglong) -> cython.ulonglong:
    """Eight bytes in network order."""
    return (
        (x & 0xFF) << 56
        | (x >> 8 & 0xFF) << 48
        | (x >> 16 & 0xFF) << 40
        | (x >> 24 & 0xFF) << 32
        | (x >> 32 & 0xFF) << 24
        | (x >> 40 & 0xFF) << 16
        | (x >> 48 & 0xFF) << 8
        | (x >> 56 & 0xFF)
    )
