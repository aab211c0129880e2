"""Hand-built packets and capture files for the capture room's tests."""

import ipaddress
import struct
from collections.abc import Sequence

SYN, ACK, FIN, RST = 2, 16, 1, 4
T0 = 1_700_000_000_000_000
"""Microseconds: the time of a file's first packet."""


def _address(text: str) -> bytes:
    return ipaddress.ip_address(text).packed


def ether(
    payload: bytes, kind: int = 0x0800, tags: Sequence[tuple[int, int]] = (), to: int = 2
) -> bytes:
    """tags: (TPID, VLAN id), outermost first. to: first byte of the destination address."""
    types = [*(tpid for tpid, _ in tags), kind]
    head = bytes([to, 0, 0, 0, 0, 1]) + bytes.fromhex("020000000002") + struct.pack(">H", types[0])
    for (_, vlan), following in zip(tags, types[1:], strict=True):
        head += struct.pack(">HH", vlan, following)
    return head + payload


def ipv4(
    source: str,
    target: str,
    protocol: int,
    payload: bytes,
    *,
    ident: int = 0,
    offset: int = 0,
    more: bool = False,
    options: bytes = b"",
    total: int | None = None,
    ihl: int | None = None,
) -> bytes:
    words = 5 + len(options) // 4
    length = words * 4 + len(payload) if total is None else total
    flags = (0x2000 if more else 0) | offset // 8
    head = struct.pack(
        ">BBHHHBBH",
        0x40 | (words if ihl is None else ihl),
        0,
        length,
        ident,
        flags,
        64,
        protocol,
        0,
    )
    return head + _address(source) + _address(target) + options + payload


def ipv6(
    source: str, target: str, following: int, payload: bytes, *, length: int | None = None
) -> bytes:
    size = len(payload) if length is None else length
    head = struct.pack(">IHBB", 0x6000_0000, size, following, 64)
    return head + _address(source) + _address(target) + payload


def extension(following: int, body: bytes = bytes(6)) -> bytes:
    """Hop-by-hop, routing or destination options: the body fills up to a multiple of 8."""
    return bytes([following, (len(body) + 2) // 8 - 1]) + body


def fragment6(following: int, offset: int, more: bool, ident: int) -> bytes:
    return struct.pack(">BBHI", following, 0, offset | more, ident)


def tcp(source: int, target: int, flags: int = ACK, data: bytes = b"", seq: int = 1) -> bytes:
    return struct.pack(">HHIIBBHHH", source, target, seq, 1, 0x50, flags, 1000, 0, 0) + data


def udp(source: int, target: int, data: bytes = b"hello") -> bytes:
    return struct.pack(">HHHH", source, target, 8 + len(data), 0) + data


def icmp(kind: int, code: int = 0, ident: int = 0, data: bytes = b"") -> bytes:
    return struct.pack(">BBHHH", kind, code, 0, ident, 1) + data


def sctp(source: int, target: int, chunk: int) -> bytes:
    return struct.pack(">HHIIBBH", source, target, 0, 0, chunk, 0, 4)


def tcp4(
    source: str,
    sport: int,
    target: str,
    dport: int,
    flags: int = ACK,
    data: bytes = b"",
    seq: int = 1,
) -> bytes:
    return ether(ipv4(source, target, 6, tcp(sport, dport, flags, data, seq)))


def udp4(source: str, sport: int, target: str, dport: int, data: bytes = b"hello") -> bytes:
    return ether(ipv4(source, target, 17, udp(sport, dport, data)))


def pcap(
    packets: Sequence[bytes],
    *,
    big: bool = False,
    nano: bool = False,
    modified: bool = False,
    link: int = 1,
    snaplen: int = 262144,
    wire: Sequence[int] | None = None,
    step: int = 1000,
    begin: int = 0,
) -> bytes:
    """A pcap file; packet i comes at T0 + begin + i * step microseconds."""
    order = ">" if big else "<"
    magic = 0xA1B23C4D if nano else 0xA1B2CD34 if modified else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for number, packet in enumerate(packets):
        time = T0 + begin + number * step
        fraction = time % 1_000_000 * (1000 if nano else 1)
        length = wire[number] if wire else len(packet)
        head = struct.pack(order + "IIII", time // 1_000_000, fraction, len(packet), length)
        parts += [head, bytes(8 if modified else 0), packet]
    return b"".join(parts)


class Pcapng:
    """Blocks of one byte order: `Pcapng().section().interface().enhanced(packet).data`."""

    def __init__(self, big: bool = False) -> None:
        self.order = ">" if big else "<"
        self.data = b""

    def block(self, kind: int, body: bytes) -> "Pcapng":
        body += bytes(-len(body) % 4)
        length = struct.pack(self.order + "I", len(body) + 12)
        self.data += struct.pack(self.order + "I", kind) + length + body + length
        return self

    def section(self) -> "Pcapng":
        return self.block(0x0A0D0D0A, struct.pack(self.order + "IHHq", 0x1A2B3C4D, 1, 0, -1))

    def interface(self, link: int = 1, snaplen: int = 0, *options: tuple[int, bytes]) -> "Pcapng":
        body = struct.pack(self.order + "HHI", link, 0, snaplen)
        for code, value in options:
            body += (
                struct.pack(self.order + "HH", code, len(value)) + value + bytes(-len(value) % 4)
            )
        return self.block(1, body + bytes(4 if options else 0))

    def enhanced(self, packet: bytes, ticks: int = T0, interface: int = 0) -> "Pcapng":
        head = struct.pack(
            self.order + "IIIII",
            interface,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            len(packet),
            len(packet),
        )
        return self.block(6, head + packet)

    def simple(self, packet: bytes, wire: int | None = None) -> "Pcapng":
        size = len(packet) if wire is None else wire
        return self.block(3, struct.pack(self.order + "I", size) + packet)

    def obsolete(self, packet: bytes, ticks: int = T0, interface: int = 0) -> "Pcapng":
        head = struct.pack(
            self.order + "HHIIII",
            interface,
            7,
            ticks >> 32,
            ticks & 0xFFFFFFFF,
            len(packet),
            len(packet),
        )
        return self.block(2, head + packet)
