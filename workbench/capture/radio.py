"""The radio kernel: tunnels of mobile networks and of wireless access points.

Compiled by Cython with bounds checks on; it runs uncompiled with the same results. They run over
UDP. As in tunnel.py, a header that is cut or that is not exactly what its tunnel writes hides
nothing.

Sources: 3GPP TS 29.281 (GTP-U), 29.060 and GSM 09.60 (its version 0); RFC 5415 (CAPWAP), 5412
(LWAPP); the TaZmen Sniffer Protocol as Wireshark has it.
"""

# mypy: disable-error-code="untyped-decorator,no-any-return"
import cython

from workbench.capture import layout

_START = cython.declare(cython.Py_ssize_t, layout.REC_START)
_CAPLEN = cython.declare(cython.Py_ssize_t, layout.REC_CAPLEN)
_WIRELEN = cython.declare(cython.Py_ssize_t, layout.REC_WIRELEN)
_LINK = cython.declare(cython.Py_ssize_t, layout.REC_LINK)
_TUNNEL = cython.declare(cython.Py_ssize_t, layout.LAY_TUNNEL)
_READY = cython.declare(cython.ulonglong, layout.READY)
_GTP_U = cython.declare(cython.ulonglong, layout.GTP_U)
_CAPWAP = cython.declare(cython.ulonglong, layout.CAPWAP)
_LWAPP = cython.declare(cython.ulonglong, layout.LWAPP)
_TZSP = cython.declare(cython.ulonglong, layout.TZSP)
_ETHERNET = cython.declare(cython.ulonglong, 1)  # link types of what is inside
_RAW = cython.declare(cython.ulonglong, 101)
_WIFI = cython.declare(cython.ulonglong, 105)


@cython.final
@cython.cclass
class Radio:
    """Looks into such tunnels among the layers that the decoder noted."""

    buf = cython.declare(cython.uchar[::1])
    at = cython.declare(cython.Py_ssize_t)
    end = cython.declare(cython.Py_ssize_t)
    key = cython.declare(cython.ulonglong)
    link = cython.declare(cython.ulonglong)

    def find(self, buf: memoryview, layers: memoryview, count: cython.Py_ssize_t) -> None:
        """Turn those of layers[:count] into what is inside; their kind becomes READY | kind."""
        lay: cython.ulonglong[:, ::1] = layers
        i: cython.Py_ssize_t
        kind: cython.ulonglong
        size: cython.ulonglong
        self.buf = buf
        with cython.nogil:
            for i in range(count):
                kind = lay[i, _TUNNEL] >> 32
                if kind not in (_GTP_U, _CAPWAP, _LWAPP, _TZSP):
                    continue
                self.end = lay[i, _START] + lay[i, _CAPLEN]
                self.key = 0
                if not self._inside(kind, lay[i, _START] + 8):
                    continue
                size = self.at - lay[i, _START]
                lay[i, _START] = self.at
                lay[i, _CAPLEN] -= size
                lay[i, _WIRELEN] -= size
                lay[i, _LINK] = self.link
                lay[i, _TUNNEL] = (_READY | kind) << 32 | self.key

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _u16(self, at: cython.Py_ssize_t) -> cython.ulonglong:
        high: cython.ulonglong = self.buf[at]
        return high << 8 | self.buf[at + 1]

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _is(self, link: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """Inside, a packet of a link type begins at `at`, if that was captured."""
        self.link = link
        self.at = at
        return at < self.end

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _inside(self, kind: cython.ulonglong, at: cython.Py_ssize_t) -> cython.int:
        """1 where a tunnel's header begins at `at`, behind UDP's, and ends before the packet."""
        if self.end - at < 8:
            return 0
        if kind == _GTP_U:
            return self._gtp(at)
        if kind == _TZSP:
            return self._tzsp(at)
        return self._capwap(at) if kind == _CAPWAP else self._lwapp(at)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _gtp(self, at: cython.Py_ssize_t) -> cython.int:
        """G-PDU: the user's packet, in version 1 behind a chain of extension headers."""
        flags: cython.ulonglong = self.buf[at]
        following: cython.int = 0
        size: cython.Py_ssize_t
        if self.buf[at + 1] != 255:
            return 0
        if flags & 0xF0 == 0x10:  # version 0, and no charging (GTP')
            self.key = self._u16(at + 6)  # the flow label
            return self._is(_RAW, at + 20)
        if flags & 0xF0 != 0x30:
            return 0
        self.key = self._u16(at + 4) << 16 | self._u16(at + 6)
        at += 8
        if flags & 7:
            if self.end - at < 4:
                return 0
            following = self.buf[at + 3] if flags & 4 else 0
            at += 4
        for _ in range(16):
            if not following:
                return self._is(_RAW, at)
            if self.end - at < 4:
                return 0
            size = self.buf[at] * 4
            if size == 0 or self.end - at < size:
                return 0
            at += size
            following = self.buf[at - 1]
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _tzsp(self, at: cython.Py_ssize_t) -> cython.int:
        """TaZmen Sniffer Protocol: tags, then Ethernet (1) or 802.11 (18)."""
        inner: cython.ulonglong = self._u16(at + 2)
        if self.buf[at] != 1 or self.buf[at + 1] > 1 or not (inner == 1 or inner == 18):
            return 0
        at += 4
        for _ in range(32):
            if self.end - at < 2:
                return 0
            if self.buf[at] == 1:
                return self._is(_ETHERNET if inner == 1 else _WIFI, at + 1)
            at += 2 + cython.cast(cython.Py_ssize_t, self.buf[at + 1]) if self.buf[at] else 1
        return 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _capwap(self, at: cython.Py_ssize_t) -> cython.int:
        """Data that is not encrypted: a frame of 802.3, or (flag T) of 802.11."""
        size: cython.Py_ssize_t = (self.buf[at + 1] >> 3) * 4
        native: cython.bint = self.buf[at + 2] & 1 != 0
        if self.buf[at] or size < 8 or self.buf[at + 3] & 8:  # DTLS; keep-alive
            return 0
        if self.buf[at + 3] & 0x80 and self._u16(at + 6) >> 3:  # a later fragment
            return 0
        if native and self.buf[at + 2] >> 1 & 0x1F != 1:
            return 0
        return self._is(_WIFI if native else _ETHERNET, at + size)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(-1)
    def _lwapp(self, at: cython.Py_ssize_t) -> cython.int:
        """CAPWAP's forerunner: 802.11, no control (flag 4), no last piece (flag 2 without 1)."""
        return not self.buf[at] & 0xC4 and self.buf[at] & 3 != 2 and self._is(_WIFI, at + 6)
