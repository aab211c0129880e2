"""What the headers of common protocols look like, for showing them field by field.

Sources: IEEE 802.3, 802.1Q; RFC 768, 791, 792, 826, 2516, 2784, 3032, 4443, 7348, 8200, 8926, 9260,
9293; the tcpdump group's LINKTYPE pages.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from workbench.capture.links import ethertype_name
from workbench.model.net import ICMP, ICMPV6, PROTOCOL_NAMES, service_text
from workbench.model.packets import Field
from workbench.model.traffic import TcpFlag

Say = Callable[[bytes], str]
Part = tuple[str, int, int, Say]
"""Name, offset in the header, bytes, how to say them."""
Next = tuple[str, int, int]
"""What follows (empty: nothing we know), and where it begins and ends in the header's bytes."""


@dataclass(frozen=True, slots=True)
class Header:
    """One kind of header."""

    name: str
    least: int
    """Bytes that it has at least."""
    parts: tuple[Part, ...]
    after: Callable[[bytes], Next]
    """Given everything from the header to the end of what carries it, at least `least` bytes."""
    more: Callable[[bytes], Iterator[Field]] = lambda _: iter(())
    """Fields of the part that varies; offsets count from the header."""


def number(data: bytes, at: int = 0, size: int = 2) -> int:
    """An unsigned integer in network order; fewer bytes at the end of the data."""
    return int.from_bytes(data[at : at + size], "big")


# How to say bytes.


def dec(data: bytes) -> str:
    """A number."""
    return str(number(data, 0, len(data)))


def hexa(data: bytes) -> str:
    """Digits as they stand."""
    return f"0x{data.hex()}"


def mac(data: bytes) -> str:
    """Hexadecimal pairs."""
    return data.hex(":")


def address(data: bytes) -> str:
    """IPv4 or IPv6, by the size."""
    return str(IPv4Address(data) if len(data) == 4 else IPv6Address(data))


def ethertype(data: bytes) -> str:
    """Its name and number."""
    kind = number(data)
    name = {0x0800: "IPv4", 0x86DD: "IPv6", 0x8100: "802.1Q", 0x88A8: "802.1ad"}.get(kind)
    return f"{name or ethertype_name(kind)} ({kind:#06x})"


def protocol(data: bytes) -> str:
    """An IP protocol's name and number."""
    more = {2: "igmp", 4: "ipv4", 41: "ipv6", 43: "routing", 44: "fragment", 47: "gre", 50: "esp",
            51: "ah", 59: "none", 60: "options", 89: "ospf", 103: "pim", 112: "vrrp"}  # fmt: skip
    name = PROTOCOL_NAMES.get(data[0]) or more.get(data[0])
    return f"{name} ({data[0]})" if name else dec(data)


def length(unit: int, mask: int, shift: int = 0) -> Say:
    """A length that counts units of so many bytes."""
    return lambda data: f"{((number(data, 0, len(data)) & mask) >> shift) * unit} bytes"


def bits(shift: int, mask: int, form: str = "") -> Say:
    """A few bits as a number."""
    return lambda data: format(number(data, 0, len(data)) >> shift & mask, form)


def named(bits_of: tuple[tuple[int, str], ...]) -> Say:
    """The names of the bits that are set."""

    def say(data: bytes) -> str:
        value = number(data, 0, len(data))
        return " ".join(name for bit, name in bits_of if value & bit) or "none"

    return say


def message(kind: int) -> Say:
    """An ICMP type by its name."""
    return lambda data: f"{service_text(kind, data[0]).partition('/')[2]} ({data[0]})"


# What follows a header.

ETHERTYPES = {
    0x0800: "ip", 0x86DD: "ip", 0x0806: "arp", 0x8100: "vlan", 0x88A8: "vlan", 0x9100: "vlan",
    0x8847: "mpls", 0x8848: "mpls", 0x8864: "pppoe", 0x6558: "ethernet",
}  # fmt: skip
PROTOCOLS = {
    0: "options", 1: "icmp", 4: "ip", 6: "tcp", 17: "udp", 41: "ip", 43: "options", 44: "fragment",
    47: "gre", 51: "ah", 58: "icmpv6", 60: "options", 132: "sctp",
}  # fmt: skip
_UDP = {4789: "vxlan", 8472: "vxlan", 6081: "geneve"}
_PPP = {0x0021: "ip", 0x0057: "ip", 0x0281: "mpls"}
_ICMP_ERRORS = (3, 4, 5, 11, 12)


def by_ethertype(at: int, begins: int) -> Callable[[bytes], Next]:
    """An EtherType at an offset; what it names begins at another one."""

    def after(data: bytes) -> Next:
        return ETHERTYPES.get(number(data, at), ""), begins, len(data)

    return after


def by_protocol(at: int, size: Callable[[bytes], int]) -> Callable[[bytes], Next]:
    """An IPv6 extension header, of so many bytes."""
    return lambda data: (PROTOCOLS.get(data[at], ""), size(data), len(data))


def _after_ethernet(data: bytes) -> Next:
    kind = number(data, 12)
    if kind < 1536:  # a length: LLC
        return "", 14, min(len(data), 14 + kind)
    return ETHERTYPES.get(kind, ""), 14, len(data)


def _after_ip4(data: bytes) -> Next:
    size, total = (data[0] & 15) * 4, number(data, 2)
    end = min(len(data), total) if total >= size else len(data)  # 0 in packets beyond 65,535 bytes
    kind = "" if number(data, 6) & 0x1FFF else PROTOCOLS.get(data[9], "")
    return kind, max(size, 20), end


def _after_ip6(data: bytes) -> Next:
    size = number(data, 4)
    return PROTOCOLS.get(data[6], ""), 40, min(len(data), 40 + size) if size else len(data)


def _after_fragment(data: bytes) -> Next:
    return "" if number(data, 2) & 0xFFF8 else PROTOCOLS.get(data[0], ""), 8, len(data)


def _after_udp(data: bytes) -> Next:
    size = number(data, 4)
    kind = _UDP.get(number(data, 2)) or _UDP.get(number(data)) or ""
    return kind, 8, min(len(data), size) if size >= 8 else len(data)


def _after_icmp(errors: tuple[int, ...]) -> Callable[[bytes], Next]:
    return lambda data: ("ip" if data[0] in errors else "", 8, len(data))


def _after_gre(data: bytes) -> Next:
    size = 4 + 4 * sum(bool(data[0] & bit) for bit in (0x80, 0x20, 0x10))
    return ETHERTYPES.get(number(data, 2), ""), size, len(data)


def _after_mpls(data: bytes) -> Next:
    if not data[2] & 1:
        return "mpls", 4, len(data)
    return "ip" if len(data) > 4 and data[4] >> 4 in (4, 6) else "", 4, len(data)


def _after_ppp(data: bytes) -> Next:
    return _PPP.get(number(data, 2), ""), 4, len(data)


def _after_pppoe(data: bytes) -> Next:
    return _PPP.get(number(data, 6), ""), 8, len(data)


def _after_null(data: bytes) -> Next:
    return "ip" if len(data) > 4 and data[4] >> 4 in (4, 6) else "", 4, len(data)


# The part that varies.

_TCP_OPTIONS = {
    2: "maximum segment size", 3: "window scale", 4: "selective acks permitted",
    5: "selective acks", 8: "timestamps", 28: "user timeout", 34: "fast open",
}  # fmt: skip
_IP_OPTIONS = {
    7: "record route", 68: "time stamps", 131: "loose source route", 137: "strict source route",
    148: "router alert",
}  # fmt: skip


def _options(names: dict[int, str], least: int, size: int, data: bytes) -> Iterator[Field]:
    """Options of kind, length, value: those of TCP and of IPv4."""
    at, end = least, min(size, len(data))
    while at < end and data[at]:
        if data[at] == 1:
            at += 1
            continue
        long = data[at + 1] if at + 1 < end else 0
        if long < 2 or at + long > end:
            yield Field("options", "broken", at, end - at)
            return
        value = data[at + 2 : at + long]
        shown = dec(value) if len(value) in (1, 2) else value.hex(" ") or "yes"
        if data[at] == 8 and len(value) == 8:
            shown = f"{number(value, 0, 4)}, echo {number(value, 4, 4)}"
        yield Field(names.get(data[at], f"option {data[at]}"), shown, at, long)
        at += long


_FLAGS = tuple((int(flag), flag.name or "") for flag in TcpFlag)
_FLAGS += ((0x20, "URG"), (0x40, "ECE"), (0x80, "CWR"))
_ADDRESSES = (("source", 12, 4, address), ("destination", 16, 4, address))
_PORTS: tuple[Part, ...] = (("source port", 0, 2, dec), ("destination port", 2, 2, dec))
_TAG: tuple[Part, ...] = (
    ("priority", 0, 2, bits(13, 7)),
    ("drop eligible", 0, 2, bits(12, 1)),
    ("VLAN id", 0, 2, bits(0, 4095)),
    ("type", 2, 2, ethertype),
)
_ICMP_REST: tuple[Part, ...] = (("code", 1, 1, dec), ("checksum", 2, 2, hexa))
_ECHO: tuple[Part, ...] = (("identifier", 4, 2, dec), ("sequence", 6, 2, dec))

HEADERS = {
    "ethernet": Header("Ethernet", 14, (
        ("destination", 0, 6, mac), ("source", 6, 6, mac), ("type", 12, 2, ethertype),
    ), _after_ethernet),
    "vlan": Header("802.1Q VLAN", 4, _TAG, by_ethertype(2, 4)),
    "sll": Header("Linux cooked v1", 16, (
        ("packet type", 0, 2, dec), ("hardware type", 2, 2, dec), ("address length", 4, 2, dec),
        ("address", 6, 8, mac), ("type", 14, 2, ethertype),
    ), by_ethertype(14, 16)),
    "sll2": Header("Linux cooked v2", 20, (
        ("type", 0, 2, ethertype), ("interface", 4, 4, dec), ("hardware type", 8, 2, dec),
        ("packet type", 10, 1, dec), ("address", 12, 8, mac),
    ), by_ethertype(0, 20)),
    "null": Header("BSD loopback", 4, (("family", 0, 4, hexa),), _after_null),
    "ppp": Header("PPP", 4, (
        ("address, control", 0, 2, hexa), ("protocol", 2, 2, hexa),
    ), _after_ppp),
    "pppoe": Header("PPPoE", 8, (
        ("code", 1, 1, hexa), ("session", 2, 2, hexa), ("length", 4, 2, dec),
        ("PPP protocol", 6, 2, hexa),
    ), _after_pppoe),
    "mpls": Header("MPLS", 4, (
        ("label", 0, 4, bits(12, 0xFFFFF)), ("traffic class", 0, 4, bits(9, 7)),
        ("bottom of stack", 0, 4, bits(8, 1)), ("time to live", 3, 1, dec),
    ), _after_mpls),
    "arp": Header("ARP", 28, (
        ("hardware type", 0, 2, dec), ("protocol type", 2, 2, ethertype),
        ("operation", 6, 2, lambda data: {1: "request", 2: "reply"}.get(number(data), dec(data))),
        ("sender hardware", 8, 6, mac), ("sender", 14, 4, address),
        ("target hardware", 18, 6, mac), ("target", 24, 4, address),
    ), lambda _: ("", 28, 28)),
    "ip4": Header("IPv4", 20, (
        ("version", 0, 1, bits(4, 15)), ("header length", 0, 1, length(4, 15)),
        ("DSCP", 1, 1, bits(2, 63)), ("ECN", 1, 1, bits(0, 3)), ("total length", 2, 2, dec),
        ("identification", 4, 2, hexa),
        ("flags", 6, 2, named(((0x4000, "don't fragment"), (0x2000, "more fragments")))),
        ("fragment offset", 6, 2, length(8, 0x1FFF)), ("time to live", 8, 1, dec),
        ("protocol", 9, 1, protocol), ("checksum", 10, 2, hexa), *_ADDRESSES,
    ), _after_ip4, lambda data: _options(_IP_OPTIONS, 20, (data[0] & 15) * 4, data)),
    "ip6": Header("IPv6", 40, (
        ("version", 0, 1, bits(4, 15)), ("traffic class", 0, 2, bits(4, 255, "#04x")),
        ("flow label", 1, 3, bits(0, 0xFFFFF, "#07x")), ("payload length", 4, 2, dec),
        ("next header", 6, 1, protocol), ("hop limit", 7, 1, dec),
        ("source", 8, 16, address), ("destination", 24, 16, address),
    ), _after_ip6),
    "options": Header("IPv6 extension", 8, (
        ("next header", 0, 1, protocol), ("length", 1, 1, lambda data: f"{8 + 8 * data[0]} bytes"),
    ), by_protocol(0, lambda data: 8 + 8 * data[1])),
    "fragment": Header("IPv6 fragment", 8, (
        ("next header", 0, 1, protocol), ("fragment offset", 2, 2, length(8, 0xFFF8, 3)),
        ("more fragments", 2, 2, bits(0, 1)), ("identification", 4, 4, hexa),
    ), _after_fragment),
    "ah": Header("authentication header", 12, (
        ("next header", 0, 1, protocol), ("security parameters", 4, 4, hexa),
        ("sequence", 8, 4, dec),
    ), by_protocol(0, lambda data: 8 + 4 * data[1])),
    "tcp": Header("TCP", 20, (
        *_PORTS, ("sequence", 4, 4, dec), ("acknowledgment", 8, 4, dec),
        ("header length", 12, 1, length(4, 0xF0, 4)), ("flags", 13, 1, named(_FLAGS)),
        ("window", 14, 2, dec), ("checksum", 16, 2, hexa), ("urgent pointer", 18, 2, dec),
    ), lambda data: ("", max(20, (data[12] >> 4) * 4), len(data)),
        lambda data: _options(_TCP_OPTIONS, 20, (data[12] >> 4) * 4, data)),
    "udp": Header("UDP", 8, (
        *_PORTS, ("length", 4, 2, dec), ("checksum", 6, 2, hexa),
    ), _after_udp),
    "sctp": Header("SCTP", 12, (
        *_PORTS, ("verification tag", 4, 4, hexa), ("checksum", 8, 4, hexa),
    ), lambda data: ("", 12, len(data))),
    "icmp": Header("ICMP", 8, (
        ("type", 0, 1, message(ICMP)), *_ICMP_REST, *_ECHO,
    ), _after_icmp(_ICMP_ERRORS)),
    "icmpv6": Header("ICMPv6", 8, (
        ("type", 0, 1, message(ICMPV6)), *_ICMP_REST, *_ECHO,
    ), _after_icmp((1, 2, 3, 4))),
    "gre": Header("GRE", 4, (
        ("flags", 0, 2, named(((0x8000, "checksum"), (0x2000, "key"), (0x1000, "sequence")))),
        ("type", 2, 2, ethertype),
    ), _after_gre),
    "vxlan": Header("VXLAN", 8, (
        ("flags", 0, 1, hexa), ("network", 4, 3, dec),
    ), lambda data: ("ethernet", 8, len(data))),
    "geneve": Header("GENEVE", 8, (
        ("options", 0, 1, length(4, 63)), ("type", 2, 2, ethertype), ("network", 4, 3, dec),
    ), lambda data: (ETHERTYPES.get(number(data, 2), ""), 8 + 4 * (data[0] & 63), len(data))),
}  # fmt: skip
"""Kind → header. `ip` is one of ip4 and ip6, by its version."""
