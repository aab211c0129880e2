"""Frames as they are on the wire, and some as they should not be, from a random generator.

Few hosts and ports, so that packets meet in flows; every header a decoder may walk through, so that
mutation starts deep inside it. Sources: the RFCs and LINKTYPE pages that the decoders name.
"""

import struct
from collections.abc import Callable
from random import Random

import craft
from craft import ether, icmp, sctp, tcp, udp

HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.255", "224.0.0.251")
HOSTS6 = ("fd00::1", "fd00::2", "fe80::1", "ff02::fb")
PORTS = (1, 53, 445, 443, 40000, 40001)
FLAGS = (2, 18, 16, 24, 17, 20, 4, 1, 0, 63)
DEPTH = 4
"""Tunnels inside tunnels, at most (the decoder's limit is deeper: see `matryoshka`)."""

Part = tuple[int, bytes]
"""A number that says what follows (IP protocol, EtherType), and the bytes."""


def frame(rng: Random, link: int = 1) -> bytes:
    """One packet of a link type."""
    build = LINKS.get(link)
    return build(rng) if build else rng.randbytes(rng.randrange(80))


def packet(rng: Random, depth: int = 0) -> Part:
    """EtherType and IP packet."""
    if rng.random() < 0.6:
        protocol, body = payload(rng, depth, False)
        return 0x0800, packet4(rng, protocol, body)
    protocol, body = payload(rng, depth, True)
    return 0x86DD, packet6(rng, protocol, body)


def packet4(rng: Random, protocol: int, body: bytes) -> bytes:
    source, target = rng.sample(HOSTS, 2)
    lie = rng.random()
    options = bytes(4 * rng.randrange(4)) if lie < 0.1 else b""
    if lie < 0.05:  # a source route, on its way or at its end
        options = bytes([rng.choice((131, 137)), 7, rng.choice((4, 8, 200))]) + rng.randbytes(5)
    total = rng.choice((0, 20, 65535, len(body))) if lie > 0.95 else None
    if rng.random() < 0.12:  # in pieces: the first one, or a later one
        ident, offset = rng.randrange(3), rng.choice((0, 8, 16, 65528))
        more = offset == 0 or rng.random() < 0.5
        return craft.ipv4(source, target, protocol, body, ident=ident, offset=offset, more=more)
    return craft.ipv4(source, target, protocol, body, options=options, total=total)


def packet6(rng: Random, protocol: int, body: bytes) -> bytes:
    source, target = rng.sample(HOSTS6, 2)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        header = rng.choice((0, 43, 44, 51, 60, 140))
        if header == 44:
            offset, more = rng.choice(((0, True), (0, False), (8, True), (16, False)))
            body = craft.fragment6(protocol, offset, more, rng.randrange(3)) + body
        elif header == 51:
            body = bytes([protocol, 4]) + bytes(22) + body
        else:
            body = craft.extension(protocol, bytes(rng.choice((6, 14)))) + body
        protocol = header
    length = rng.choice((0, 1, 65535)) if rng.random() < 0.05 else None
    return craft.ipv6(source, target, protocol, body, length=length)


def payload(rng: Random, depth: int, six: bool) -> Part:
    """IP protocol and what it carries: a transport, or a tunnel and another packet."""
    if depth < DEPTH and rng.random() < 0.4:
        return rng.choice(TUNNELS)(rng, depth + 1)
    kind = rng.random()
    if kind < 0.4:
        data = bytes(rng.randrange(9))
        return 6, tcp(rng.choice(PORTS), rng.choice(PORTS), rng.choice(FLAGS), data)
    if kind < 0.7:
        return 17, udp(rng.choice(PORTS), rng.choice(PORTS), bytes(rng.randrange(9)))
    if kind < 0.85:
        return (58, _icmp(rng, True)) if six else (1, _icmp(rng, False))
    if kind < 0.93:
        return 132, sctp(rng.choice(PORTS), rng.choice(PORTS), rng.choice((0, 1, 2, 6)))
    return rng.choice((2, 50, 59, 89, 103, 112, 255)), bytes(rng.randrange(24))


def _icmp(rng: Random, six: bool) -> bytes:
    if rng.random() < 0.5:
        kind = rng.choice((128, 129, 135, 139) if six else (8, 0, 13, 14, 17))
        return icmp(kind, ident=rng.randrange(3))
    quoted = packet6(rng, 6, tcp(40000, 445, 2)) if six else packet4(rng, 17, udp(40000, 53))
    kind = rng.choice((1, 2, 3) if six else (3, 5, 11))
    return icmp(kind, rng.randrange(5), data=quoted[: rng.choice((20, 28, 48, 99))])


# Tunnels: each gives the protocol number that its outer IP header carries.


def _gre(rng: Random, depth: int) -> Part:
    kind, inner = rng.choice((packet(rng, depth), (0x6558, _frame(rng, depth))))
    flags, words = 0, b""
    for bit in (0x8000, 0x2000, 0x1000):
        if rng.random() < 0.3:
            flags |= bit
            words += rng.randbytes(4)
    if rng.random() < 0.05:  # version 1 (PPTP), source routes
        flags |= rng.choice((1, 0x4000))
    return 47, struct.pack(">HH", flags, kind) + words + inner


def _erspan(rng: Random, depth: int) -> Part:
    inner = _frame(rng, depth)
    version = rng.randrange(3)
    if version == 0:  # type I: no header of its own, no sequence number
        return 47, struct.pack(">HH", 0, 0x88BE) + inner
    head = struct.pack(">HH", version << 12 | rng.randrange(4096), rng.randrange(1024))
    if version == 1:
        return 47, struct.pack(">HHI", 0x1000, 0x88BE, 1) + head + bytes(4) + inner
    optional = rng.random() < 0.3
    rest = struct.pack(">IHH", 0, 0, int(optional)) + bytes(8 * optional)
    return 47, struct.pack(">HHI", 0x1000, 0x22EB, 1) + head + rest + inner


def _over_udp(port: int) -> Callable[[Random, int], Part]:
    def tunnel(rng: Random, depth: int) -> Part:
        source = port if rng.random() < 0.2 else 50000
        return 17, udp(source, port, _UDP[port](rng, depth))

    return tunnel


def _vxlan(rng: Random, depth: int) -> bytes:
    return struct.pack(">II", 0x0800_0000, rng.randrange(4) << 8) + _frame(rng, depth)


def _vxlan_gpe(rng: Random, depth: int) -> bytes:
    kind, inner = packet(rng, depth)
    following = 3 if rng.random() < 0.3 else 1 if kind == 0x0800 else 2
    if following == 3:
        inner = _frame(rng, depth)
    return struct.pack(">II", 0x0C00_0000 | following, 7 << 8) + inner


def _geneve(rng: Random, depth: int) -> bytes:
    words = rng.choice((0, 0, 1, 3))
    kind, inner = rng.choice((packet(rng, depth), (0x6558, _frame(rng, depth))))
    return struct.pack(">BBHI", words, 0, kind, 5 << 8) + bytes(4 * words) + inner


def _teredo(rng: Random, depth: int) -> bytes:
    origin = bytes(8) if rng.random() < 0.3 else b""
    authentication = b"\0\1\0\0" + bytes(9) if rng.random() < 0.2 else b""
    protocol, body = payload(rng, depth, True)
    return authentication + origin + packet6(rng, protocol, body)


def _gtp_u(rng: Random, depth: int) -> bytes:
    inner = packet(rng, depth)[1]
    extended = b"\0\1\0\x85\1\0\0\0" if rng.random() < 0.4 else b""
    head = struct.pack(">BBHI", 0x34 if extended else 0x30, 255, len(extended + inner), 9)
    return head + extended + inner


def _mpls(rng: Random, depth: int) -> bytes:
    labels = rng.choice((0, 0, 1, 2))
    return b"\0\6\x40\xff" * labels + b"\0\6\x51\xff" + packet(rng, depth)[1]


def _l2tp(rng: Random, depth: int) -> bytes:
    if rng.random() < 0.5:
        return struct.pack(">HH", 3, 0) + _session(rng, depth)
    return struct.pack(">HHHH", 0x4002, 40, 1, 2) + b"\xff\3\0\x21" + packet(rng, depth)[1]


def _session(rng: Random, depth: int) -> bytes:
    """Of L2TP version 3: Ethernet or PPP behind a cookie and a sublayer, or neither."""
    inner = _frame(rng, depth) if rng.random() < 0.7 else b"\0\x21" + packet(rng, depth)[1]
    return rng.randbytes(4) + rng.randbytes(4 * rng.randrange(5)) + inner


def _l2tp_ip(rng: Random, depth: int) -> Part:
    return 115, _session(rng, depth)


def _fou(rng: Random, depth: int) -> bytes:
    return packet(rng, depth)[1] if rng.random() < 0.5 else _gre(rng, depth)[1]


def _tzsp(rng: Random, depth: int) -> bytes:
    return b"\1\0\0\1" + b"\0" * rng.randrange(3) + b"\1" + _frame(rng, depth)


def _capwap(rng: Random, depth: int) -> bytes:
    """Header of two words, then 802.11 (or, without the flag, Ethernet)."""
    native = rng.random() < 0.7
    inner = _wifi(rng, depth) if native else _frame(rng, depth)
    return bytes([0, 0x10, 2 + native, 0]) + bytes(4) + inner


def _gtp_0(rng: Random, depth: int) -> bytes:
    inner = packet(rng, depth)[1]
    return struct.pack(">BBHHH", 0x1E, 255, len(inner), 1, 9) + bytes(12) + inner


def _lwapp(rng: Random, depth: int) -> bytes:
    return bytes([rng.choice((0, 0, 0, 2, 4)), 0]) + bytes(4) + _wifi(rng, depth)


def _plain_ip(rng: Random, depth: int) -> Part:
    kind, inner = packet(rng, depth)
    return (4 if kind == 0x0800 else 41), inner


def _authenticated(rng: Random, depth: int) -> Part:
    protocol, body = payload(rng, depth, False)
    return 51, bytes([protocol, 4]) + bytes(22) + body


def _ether_ip(rng: Random, depth: int) -> Part:
    return 97, b"\x30\0" + _frame(rng, depth)


def _mpls_ip(rng: Random, depth: int) -> Part:
    return 137, _mpls(rng, depth)


_UDP: dict[int, Callable[[Random, int], bytes]] = {
    4789: _vxlan,
    8472: _vxlan,
    4790: _vxlan_gpe,
    6081: _geneve,
    3544: _teredo,
    2152: _gtp_u,
    6635: _mpls,
    1701: _l2tp,
    5555: _fou,
    37008: _tzsp,
    5247: _capwap,
    3386: _gtp_0,
    12222: _lwapp,
}
TUNNELS: tuple[Callable[[Random, int], Part], ...] = (
    _gre,
    _erspan,
    _plain_ip,
    _authenticated,
    _ether_ip,
    _mpls_ip,
    *map(_over_udp, _UDP),
    _l2tp_ip,
)

# Link layers.


def _frame(rng: Random, depth: int = 0) -> bytes:
    """Ethernet, with what may stand between it and IP."""
    kind, body = packet(rng, depth)
    tags = []
    chance = rng.random()
    if chance < 0.15:
        tags = [(rng.choice((0x8100, 0x88A8, 0x9100)), rng.randrange(8)) for _ in range(2)]
    elif chance < 0.2:
        kind, body = 0x8847, _mpls(rng, depth)
    elif chance < 0.25:
        kind, body = 0x8864, struct.pack(">BBHHH", 0x11, 0, 1, len(body) + 2, 0x21) + body
    elif chance < 0.28:
        kind, body = 0x88E5, bytes([rng.choice((0, 0x20, 0x0C)), 0]) + bytes(12) + b"\x08\0" + body
    elif chance < 0.31:
        kind, body = 0x8903, bytes(2) + _frame(rng, DEPTH)
    elif chance < 0.34:
        kind, body = len(body) + 8, b"\xaa\xaa\3\0\0\0" + struct.pack(">H", kind) + body
    elif chance < 0.37:
        kind, body = 0x894F, b"\0\x46\1" + bytes([1 + (kind != 0x0800)]) + bytes(20) + body
    elif chance < 0.39:  # Cisco ISL
        inner = ether(body, kind)
        head = b"\1\0\x0c\0\0\2" + bytes(6) + struct.pack(">H", 12 + len(inner) & 0x3FF)
        return head + b"\xaa\xaa\3\0\0\x0c\0\x0e\0\0\0\0" + inner
    elif chance < 0.42:
        kind, body = rng.choice((0x0806, 0x88CC, 38, 0x8863)), bytes(28)
    elif chance < 0.45:  # batman-adv
        mesh, size = rng.choice(((0x40, 8), (0x42, 16), (1, 12), (0x41, 18)))
        kind, body = 0x4305, bytes([mesh, 15]) + bytes(size) + ether(body, kind)
    return ether(body, kind, tags, to=rng.choice((2, 2, 2, 1, 255)))


def _wifi(rng: Random, depth: int = 0) -> bytes:
    """802.11 data, sometimes with QoS, four addresses or encryption; sometimes no data."""
    kind, body = packet(rng, depth)
    control = rng.choice((0x08, 0x88, 0x08, 0x88, 0x48, 0x80, 0xB4))
    flags = rng.choice((1, 2, 3, 0, 0x41, 0x81))
    head = bytes([control, flags]) + bytes(22)
    several = rng.randrange(4) if control == 0x88 else 0
    head += bytes(6 if flags & 3 == 3 else 0)
    head += bytes([0x80 if several else 0, 0] if control == 0x88 else [])
    head += bytes(4 if flags & 0x80 and control == 0x88 else 0)
    chance = rng.random()
    if chance < 0.1:
        kind, body = 0x8847, _mpls(rng, depth)
    elif chance < 0.2:
        kind, body = 0x8864, struct.pack(">BBHHH", 0x11, 0, 1, len(body) + 2, 0x21) + body
    elif chance < 0.3:
        kind, body = 0x8100, struct.pack(">HH", 7, kind) + body
    frame = b"\xaa\xaa\3\0\0\0" + struct.pack(">H", kind) + body
    aggregated = bytes(12) + struct.pack(">H", len(frame) & 0xFFFF) + frame
    aggregated += bytes(-len(aggregated) % 4)
    return head + (aggregated * several if several else frame)


def _radiotap(rng: Random) -> bytes:
    size = rng.choice((8, 12, 26))
    return struct.pack("<BBHI", 0, 0, size, 0) + bytes(size - 8) + _wifi(rng)


def _nflog(rng: Random) -> bytes:
    body = packet(rng)[1]
    order = rng.choice("<>")
    attributes = struct.pack(order + "HH", 8, 1) + bytes(4)
    if rng.random() < 0.3:  # of a bridge: a nested tag
        tag = struct.pack(order + "HH", 6, rng.choice((1, 2))) + rng.randbytes(4)
        attributes += struct.pack(order + "HH", 4 + 2 * len(tag), 0x8014) + 2 * tag
    return b"\2\0\0\0" + attributes + struct.pack(order + "HH", len(body) + 4, 9) + body


def _pktap(rng: Random) -> bytes:
    name = b"en0".ljust(24, b"\0") + bytes(72)
    if rng.random() < 0.3:
        return struct.pack("<III", 108, 1, 0) + name + b"\2\0\0\0" + packet(rng)[1]
    return struct.pack("<III", 108, 1, 1) + name + _frame(rng)


def _headed(*heads: bytes) -> Callable[[Random], bytes]:
    """One of these headers, then IP."""
    return lambda rng: rng.choice(heads) + packet(rng)[1]


def _typed(before: int, after: int = 0) -> Callable[[Random], bytes]:
    """Bytes, the EtherType, bytes, then what it says."""

    def build(rng: Random) -> bytes:
        kind, body = packet(rng)
        return bytes(before) + struct.pack(">H", kind) + bytes(after) + body

    return build


def _token_ring(rng: Random) -> bytes:
    """Sometimes with a route, whose first byte says its length."""
    kind, body = packet(rng)
    route = bytes([rng.choice((2, 6, 31)), 0, 0, 1, 0, 2]) if rng.random() < 0.5 else b""
    source = bytes([0x80 if route else 0]) + bytes(5)
    return bytes(8) + source + route + b"\xaa\xaa\3\0\0\0" + struct.pack(">H", kind) + body


def _atm(rng: Random) -> bytes:
    """Routed, bridged, or PPP."""
    kind, body = packet(rng)
    return rng.choice(
        (
            b"\xaa\xaa\3\0\0\0" + struct.pack(">H", kind) + body,
            b"\xaa\xaa\3\0\x80\xc2\0\7\0\0" + ether(body, kind),
            b"\xfe\xfe\3\xcf\0" + (b"\x21" if kind == 0x0800 else b"\x57") + body,
        )
    )


LINKS: dict[int, Callable[[Random], bytes]] = {
    1: _frame,
    0: _headed(b"\2\0\0\0", b"\0\0\0\2", b"\x1e\0\0\0", b"\x18\0\0\0"),
    6: _token_ring,
    9: _headed(b"\xff\3\0\x21", b"\0\x3d\xc0\0\0\1\x21", b"\0\x57", b"\x21"),
    12: _headed(b""),
    50: _headed(b"\xff\3\0\x21", b"\0\x21"),
    51: _headed(b"\x11\0\0\1\0\x20\0\x21"),
    100: _atm,
    101: _headed(b""),
    104: _typed(2),
    105: _wifi,
    107: _headed(b"\x18\x41\3\xcc", b"\x18\x41\3\0\x80\0\0\0\x08\0"),
    108: _headed(b"\0\0\0\2", b"\0\0\0\x18"),
    113: _typed(14),
    119: lambda rng: struct.pack("<II", 0x44, 144) + bytes(136) + _wifi(rng),
    127: _radiotap,
    163: lambda rng: struct.pack(">II", 0x80211001, 64) + bytes(56) + _wifi(rng),
    178: lambda rng: b"MGC" + rng.choice((b"\x80\0\6" + bytes(6), b"\0")) + _frame(rng),
    192: lambda rng: struct.pack("<BBHI", 0, 0, 8, 105) + _wifi(rng),
    219: lambda rng: _mpls(rng, 0),
    226: _headed(b"\1\2\0\0" + bytes(20), b"\1\x1a\0\0" + bytes(20)),
    228: _headed(b""),
    229: _headed(b""),
    239: _nflog,
    242: _typed(40, 2),
    258: _pktap,
    276: lambda rng: struct.pack(">H", packet(rng)[0]) + bytes(18) + packet(rng)[1],
}
"""Link type → a frame of it."""


def matryoshka(layers: int) -> bytes:
    """IP in IP in IP: deeper than anyone means it."""
    body = udp(1, 53)
    protocol = 17
    for _ in range(layers):
        body, protocol = craft.ipv4(HOSTS[0], HOSTS[1], protocol, body), 4
    return ether(body)
