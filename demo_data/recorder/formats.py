"""Messages of the datagram and ASN.1 protocols: what is asked, and what is answered.

Every format is a pair of functions on bytes. Replies depend on the request alone, so that a client
knows how long the reply will be. Field layouts follow the RFCs named at each format.
"""

import struct
import zlib
from ipaddress import ip_address
from random import Random

from recorder.hosts import DOMAIN, HOSTS


def filler(key: bytes, size: int) -> bytes:
    """`size` bytes that look random and depend on `key` alone."""
    return Random(zlib.crc32(key)).randbytes(size)


# --- ASN.1 (X.690): enough for LDAP, Kerberos and SNMP


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = len(body)
    if size < 128:
        return bytes((tag, size)) + body
    return bytes((tag, 0x82)) + struct.pack(">H", size) + body


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def der_frame(buffer: bytes) -> int:
    """Length of the first complete element, 0 when it is not all there."""
    if len(buffer) < 4:
        return 0
    size = 2 + buffer[1] if buffer[1] < 128 else 4 + struct.unpack_from(">H", buffer, 2)[0]
    return size if len(buffer) >= size else 0


# --- DNS (RFC 1035)

NAMES: dict[str, str] = {f"{host.name}.{DOMAIN}": host.name for host in HOSTS.values()} | {
    "portal.kestrel.example": "web-1",
    "mail.saas.example": "saas-1",
    "cdn-sync.example": "vps-66",
    f"_ldap._tcp.dc._msdcs.{DOMAIN}": "dc-1",
    "frontend.shop.svc.cluster.local": "frontend-1",
    "cart.shop.svc.cluster.local": "cart-1",
    "catalog.shop.svc.cluster.local": "catalog-1",
    "redis.shop.svc.cluster.local": "redis-1",
}
A, AAAA, PTR, SRV = 1, 28, 12, 33


def _dns_name(name: str) -> bytes:
    return b"".join(bytes((len(part),)) + part.encode() for part in name.split(".")) + b"\0"


def dns_query(name: str, kind: int = A) -> bytes:
    identity = zlib.crc32(f"{name}{kind}".encode()) & 0xFFFF
    return (
        struct.pack(">6H", identity, 0x0100, 1, 0, 0, 0)
        + _dns_name(name)
        + struct.pack(">2H", kind, 1)
    )


def dns_answer(query: bytes) -> bytes:
    question, kind = query[12:], struct.unpack(">H", query[-4:-2])[0]
    labels, at = [], 0
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    host = HOSTS.get(NAMES.get(".".join(labels), ""))
    data = b""
    if host and kind == SRV:
        data = struct.pack(">3H", 0, 100, 389) + _dns_name(f"{host.name}.{DOMAIN}")
    elif host and (kind == A or (kind == AAAA and host.has_v6)):
        data = ip_address(host.v4 if kind == A else host.v6).packed
    record = struct.pack(">3HIH", 0xC00C, kind, 1, 300, len(data)) + data if data else b""
    head = struct.pack(">2s5H", query[:2], 0x8180 if host else 0x8183, 1, bool(data), 0, 0)
    return head + question + record


def mdns_query(name: str) -> bytes:
    """RFC 6762: identity 0, no recursion."""
    return struct.pack(">6H", 0, 0, 1, 0, 0, 0) + _dns_name(name) + struct.pack(">2H", PTR, 1)


def nbns_query(name: str) -> bytes:
    """RFC 1002 section 4.2.12, first-level encoding."""
    padded = name.upper().ljust(15).encode() + b"\0"
    coded = bytes(65 + half for byte in padded for half in divmod(byte, 16))
    return (
        struct.pack(">6H", zlib.crc32(padded) & 0xFFFF, 0x0110, 1, 0, 0, 0)
        + bytes((32,)) + coded + b"\0" + struct.pack(">2H", 0x20, 1)
    )  # fmt: skip


# --- NTP (RFC 5905), DHCP (RFC 2131), syslog (RFC 3164), SNMP (RFC 3416)


def ntp_request(seconds: int) -> bytes:
    """`seconds` since the Unix epoch."""
    return bytes((0x23, 0, 6, 0xEC)) + bytes(36) + struct.pack(">2I", seconds + 2_208_988_800, 7)


def ntp_answer(request: bytes) -> bytes:
    sent = request[40:48]
    whole, part = struct.unpack(">2I", sent)
    now = struct.pack(">2I", whole, part + 2_000_000)
    head = bytes((0x24, 2, 6, 0xE9)) + struct.pack(">2I4s", 300, 900, b"\xc0\x00\x02\x35")
    return head + struct.pack(">2I", whole - 61, 0) + sent + now + now


def dhcp_request(mac: str, address: str, kind: int = 3) -> bytes:
    """Kind 3 renews a lease, kind 8 only asks for options (INFORM)."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    head = struct.pack(">4BIHH", 1, 1, 6, 0, zlib.crc32(hardware), 0, 0)
    body = ip_address(address).packed + bytes(12) + hardware.ljust(16, b"\0") + bytes(192)
    options = bytes((53, 1, kind, 55, 4, 1, 3, 6, 15, 255))
    return head + body + b"\x63\x82\x53\x63" + options


def dhcp_answer(request: bytes) -> bytes:
    dc = ip_address(HOSTS["dc-1"].v4).packed
    options = bytes((53, 1, 5, 54, 4)) + dc + bytes((51, 4, 0, 1, 0x51, 0x80, 6, 4)) + dc + b"\xff"
    return b"\2" + request[1:16] + request[12:16] + request[20:240] + options


def syslog_line(host: str, at: float, text: str) -> bytes:
    """`at`: seconds after midnight."""
    minutes, seconds = divmod(int(at), 60)
    time = f"Sep 15 {minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
    return f"<134>{time} {host} {text}".encode()


def ipp_print(user: str, size: int) -> bytes:
    """Print-Job with a document of `size` bytes (RFC 8010 section 3.1)."""

    def attribute(tag: int, name: str, value: str) -> bytes:
        parts = (struct.pack(">H", len(text)) + text.encode() for text in (name, value))
        return bytes((tag,)) + b"".join(parts)

    return (
        struct.pack(">BBHIB", 2, 0, 2, 1, 1)
        + attribute(0x47, "attributes-charset", "utf-8")
        + attribute(0x48, "attributes-natural-language", "en")
        + attribute(0x45, "printer-uri", "ipp://printer-1/ipp/print")
        + attribute(0x42, "requesting-user-name", user)
        + b"\3" + filler(user.encode(), size)
    )  # fmt: skip


_UPTIME = der(6, bytes.fromhex("2b06010201010300"))


def _snmp(kind: int, identity: bytes, value: bytes) -> bytes:
    pdu = der(kind, der(2, identity), integer(0), integer(0), der(48, der(48, _UPTIME, value)))
    return der(48, integer(1), der(4, b"kestrel-ro"), pdu)


def snmp_get(number: int) -> bytes:
    return _snmp(0xA0, struct.pack(">I", 0x01000000 + number), der(5))


def snmp_answer(request: bytes) -> bytes:
    at = request.index(b"\x02\x04", 15) + 2
    return _snmp(0xA2, request[at : at + 4], der(0x43, struct.pack(">I", 0x00B4C1E2)))


# --- LDAP (RFC 4511)


def ldap_bind(user: str) -> bytes:
    name = der(4, f"cn={user},dc=kestrel,dc=example".encode())
    return der(48, integer(1), der(0x60, integer(3), name, der(0x80, b"secret-not-shown")))


def ldap_search(user: str) -> bytes:
    wanted = der(0xA3, der(4, b"sAMAccountName"), der(4, user.encode()))
    query = (der(4, b"dc=kestrel,dc=example"), der(10, b"\2"), der(10, b"\0"), integer(0))
    return der(48, integer(2), der(0x63, *query, integer(0), der(1, b"\0"), wanted, der(48)))


def ldap_answer(request: bytes) -> bytes:
    head = 2 if request[1] < 128 else 4
    number, operation = request[head : head + 3], request[head + 3]
    fine = (der(10, b"\0"), der(4), der(4))
    if operation == 0x60:
        return der(48, number, der(0x61, *fine))
    groups = [der(4, f"cn=group-{at},dc=kestrel,dc=example".encode()) for at in range(24)]
    entry = (
        der(4, b"cn=entry,dc=kestrel,dc=example"),
        der(48, der(48, der(4, b"memberOf"), der(49, *groups))),
    )
    return der(48, number, der(0x64, *entry)) + der(48, number, der(0x65, *fine))


# --- Kerberos (RFC 4120) over TCP: a four-byte length first


def _text(value: str) -> bytes:
    return der(27, value.encode())


def _principal(kind: int, *names: str) -> bytes:
    return der(48, der(0xA0, integer(kind)), der(0xA1, der(48, *map(_text, names))))


def _sized(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def kerberos_request(user: str) -> bytes:
    body = der(
        48,
        der(0xA0, der(3, bytes.fromhex("0040810010"))),
        der(0xA1, _principal(1, user)),
        der(0xA2, _text(DOMAIN.upper())),
        der(0xA3, _principal(2, "krbtgt", DOMAIN.upper())),
        der(0xA5, der(24, b"20370913024805Z")),
        der(0xA7, integer(zlib.crc32(user.encode()) >> 1)),
        der(0xA8, der(48, integer(18), integer(17))),
    )
    return _sized(
        der(0x6A, der(48, der(0xA1, integer(5)), der(0xA2, integer(10)), der(0xA4, body)))
    )


def _sealed(key: bytes, size: int) -> bytes:
    return der(48, der(0xA0, integer(18)), der(0xA2, der(4, filler(key, size))))


def kerberos_answer(request: bytes) -> bytes:
    realm = _text(DOMAIN.upper())
    krbtgt = _principal(2, "krbtgt", DOMAIN.upper())
    parts = (der(0xA0, integer(5)), der(0xA1, realm), der(0xA2, krbtgt))
    ticket = der(0x61, der(48, *parts, der(0xA3, _sealed(request, 900))))
    return _sized(
        der(
            0x6B,
            der(
                48,
                der(0xA0, integer(5)),
                der(0xA1, integer(11)),
                der(0xA3, realm),
                der(0xA4, _principal(1, "user")),
                der(0xA5, ticket),
                der(0xA6, _sealed(request[::-1], 280)),
            ),
        )
    )


DATAGRAMS = {
    "dns": dns_answer,
    "dhcp": dhcp_answer,
    "ntp": ntp_answer,
    "snmp": snmp_answer,
    "syslog": None,  # a log server never answers
}
"""Wire format → reply to one datagram."""
