"""Hand-built link headers and tunnels, around the packets of craft.py."""

import struct
from collections.abc import Sequence

from craft import ether, ipv4, udp

SNAP = bytes.fromhex("aaaa03000000")


def gre(kind: int, payload: bytes, *, key: int | None = None, sequence: bool = False) -> bytes:
    flags = (0 if key is None else 0x2000) | (0x1000 if sequence else 0)
    head = struct.pack(">HH", flags, kind)
    if key is not None:
        head += struct.pack(">I", key)
    return head + (bytes(4) if sequence else b"") + payload


def erspan(payload: bytes, session: int = 5, version: int = 2) -> bytes:
    """Versions I, II and III; the GRE header with it."""
    if version == 1:
        return gre(0x88BE, payload)
    if version == 2:
        return gre(0x88BE, struct.pack(">HHI", 0x1000, session, 0) + payload, sequence=True)
    return gre(0x22EB, struct.pack(">HHIHH", 0x2000, session, 0, 0, 0) + payload, sequence=True)


def vxlan(payload: bytes, vni: int = 77) -> bytes:
    return struct.pack(">II", 0x0800_0000, vni << 8) + payload


def vxlan_gpe(following: int, payload: bytes, vni: int = 77) -> bytes:
    return struct.pack(">II", 0x0C00_0000 | following, vni << 8) + payload


def geneve(kind: int, payload: bytes, vni: int = 77, options: bytes = b"") -> bytes:
    return struct.pack(">BBHI", len(options) // 4, 0, kind, vni << 8) + options + payload


def gtp(payload: bytes, teid: int = 9, extensions: bytes = b"") -> bytes:
    """extensions: whole headers; the first one's type is taken for 0x85."""
    head = struct.pack(">BBHI", 0x34 if extensions else 0x30, 255, len(payload), teid)
    return head + (b"\0\0\0\x85" + extensions if extensions else b"") + payload


def gtp0(payload: bytes, label: int = 9, flags: int = 0x1E) -> bytes:
    """Version 0; its tunnel identifier is a subscriber's."""
    head = struct.pack(">BBHHH", flags, 255, len(payload), 1, label)
    return head + b"\xff" * 4 + bytes.fromhex("2104ffff00000015") + payload


def mpls(payload: bytes, *labels: int) -> bytes:
    last = len(labels) - 1
    entries = (label << 12 | (i == last) << 8 | 64 for i, label in enumerate(labels))
    return b"".join(struct.pack(">I", entry) for entry in entries) + payload


def nsh(following: int, payload: bytes) -> bytes:
    return struct.pack(">BBBBI", 0, 2, 2, following, 1 << 8) + payload


def l2tp(ppp: bytes) -> bytes:
    return struct.pack(">HHHH", 0x4002, 8 + len(ppp), 3, 4) + ppp


def l2tp3(
    payload: bytes, *, over_udp: bool = False, cookie: bytes = b"", session: int = 0x10001
) -> bytes:
    """Version 3; cookie: whatever comes before the payload."""
    head = struct.pack(">HH", 3, 0) if over_udp else b""
    return head + struct.pack(">I", session) + cookie + payload


def pptp(ppp: bytes, call: int = 8) -> bytes:
    return struct.pack(">HHHHI", 0x3001, 0x880B, len(ppp), call, 1) + ppp


def tzsp(frame: bytes, kind: int = 1) -> bytes:
    return struct.pack(">BBH", 1, 0, kind) + b"\x0a\x01\xff\x00\x01" + frame


def capwap(frame: bytes, native: bool = False) -> bytes:
    return bytes([0, 2 << 3, 2 | native, 0]) + bytes(4) + frame


def lwapp(frame: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BBHBB", flags, 0, len(frame), 40, 20) + frame


def batman(frame: bytes, kind: int = 0x40, version: int = 15) -> bytes:
    """Types: 0x40 to one node, 0x42 also from one, 1 to all."""
    return bytes([kind, version, 50, 1]) + bytes({0x40: 6, 0x42: 14, 1: 10}.get(kind, 6)) + frame


def pppoe(packet: bytes, kind: int = 0x0021) -> bytes:
    return struct.pack(">BBHHH", 0x11, 0, 1, len(packet) + 2, kind) + packet


def otv(frame: bytes, overlay: int = 77) -> bytes:
    return struct.pack(">II", 0x0800_0000 | overlay, 3 << 8) + frame


def lisp(packet: bytes, instance: int | None = None) -> bytes:
    if instance is None:
        return struct.pack(">II", 0xC000_0000 | 0x1234, 1) + packet
    return struct.pack(">II", 0xC800_0000 | 0x1234, instance << 8 | 1) + packet


def gue(following: int, payload: bytes, extensions: bytes = b"") -> bytes:
    return struct.pack(">BBH", len(extensions) // 4, following, 0) + extensions + payload


def over_udp(port: int, payload: bytes, source: str = "192.0.2.1", to: str = "192.0.2.2") -> bytes:
    """Ethernet, IPv4 and UDP between two tunnel ends, then the tunnel's header and payload."""
    return ether(ipv4(source, to, 17, udp(50000, port, payload)))


def over_ip(
    protocol: int, payload: bytes, source: str = "192.0.2.1", to: str = "192.0.2.2"
) -> bytes:
    return ether(ipv4(source, to, protocol, payload))


def isl(frame: bytes, vlan: int = 7) -> bytes:
    """Cisco's Inter-Switch Link, without its checksum."""
    head = bytes.fromhex("01000c000002") + bytes(6) + struct.pack(">H", 12 + len(frame)) + SNAP[:3]
    return head + b"\0\0\x0c" + struct.pack(">HHH", vlan << 1, 0, 0) + frame


def wifi(
    payload: bytes,
    *,
    control: int = 0x08,
    flags: int = 0x01,
    fragment: int = 0,
    amsdu: bool = False,
    kind: int = 0x0800,
) -> bytes:
    """An 802.11 frame: 0x08 is data, 0x88 data with quality of service; flag 1: to the network."""
    head = bytes([control, flags, 0, 0]) + bytes(18) + bytes([fragment, 0])
    if flags & 3 == 3:
        head += bytes(6)
    body = SNAP + struct.pack(">H", kind) + payload
    if control & 0x80:
        head += bytes([0x80 if amsdu else 0, 0]) + (bytes(4) if flags & 0x80 else b"")
        if amsdu:
            body = bytes(12) + struct.pack(">H", len(body)) + body
    return head + body


def amsdu(*packets: tuple[int, bytes], group: bool = False, fcs: bool = True) -> bytes:
    """An 802.11 frame with several packets in it: EtherType and bytes of each."""
    frames = b""
    for kind, payload in packets:
        body = SNAP + struct.pack(">H", kind) + payload
        frames += bytes(-len(frames) % 4)
        frames += bytes([group]) + bytes(11) + struct.pack(">H", len(body)) + body
    return b"\x88\1" + bytes(22) + b"\x80\0" + frames + (b"\xfc\xfc\xfc\xfc" if fcs else b"")


def radiotap(frame: bytes, flags: int | None = None, stamp: bool = False) -> bytes:
    present = (1 if stamp else 0) | (0 if flags is None else 2)
    body = (bytes(8) if stamp else b"") + (b"" if flags is None else bytes([flags]))
    return struct.pack("<BBHI", 0, 0, 8 + len(body), present) + body + frame


def prism(frame: bytes) -> bytes:
    return struct.pack("<II", 0x44, 144) + bytes(136) + frame


def avs(frame: bytes) -> bytes:
    return struct.pack(">II", 0x8021_1001, 64) + bytes(56) + frame


def pktap(payload: bytes, link: int = 1) -> bytes:
    return struct.pack("<III", 108, 1, link) + bytes(96) + payload


def juniper(payload: bytes, flags: int = 0x80, extensions: bytes = bytes(6)) -> bytes:
    head = b"MGC" + bytes([flags])
    return (
        head + (struct.pack(">H", len(extensions)) + extensions if flags & 0x80 else b"") + payload
    )


def nflog(
    payload: bytes,
    order: str = "<",
    kind: int = 0x0800,
    vlan: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """vlan: what is nested in the attribute of a VLAN tag."""
    attributes = struct.pack(order + "HH", 8, 1) + struct.pack(">HBB", kind, 0, 0)
    attributes += struct.pack(order + "HH", 6, 10) + b"x\0\0\0"
    nested = b"".join(struct.pack(order + "HH", 6, part) + value for part, value in vlan)
    if nested:
        attributes += struct.pack(order + "HH", 4 + len(nested), 0x8000 | 20) + nested
    return b"\x02\0\0\0" + attributes + struct.pack(order + "HH", 4 + len(payload), 9) + payload


def per_packet(payload: bytes, link: int, fields: bytes = b"") -> bytes:
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), link) + fields + payload


def erf(kind: int, payload: bytes, more: int = 0) -> bytes:
    """more: extension headers."""
    size = 16 + 8 * more + len(payload)
    head = bytes(8) + struct.pack(">BBHHH", kind | (0x80 if more else 0), 4, size, 0, len(payload))
    return (
        head
        + b"".join(bytes([0x80 if i < more - 1 else 3]) + bytes(7) for i in range(more))
        + (payload)
    )


def cooked(payload: bytes, device: int, kind: int = 0x0019, version: int = 1) -> bytes:
    """Of a device of an ARP hardware type."""
    if version == 1:
        return struct.pack(">HHH8sH", 0, device, 6, bytes(8), kind) + payload
    return struct.pack(">HHIHBB8s", kind, 0, 3, device, 0, 6, bytes(8)) + payload
