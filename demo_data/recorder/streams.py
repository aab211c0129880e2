"""Messages of the protocols on TCP: where one ends, and what is answered to it.

Replies depend on the request alone, so that a client knows how long the reply will be. Encrypted
protocols carry filler; the first four bytes of it say how many bytes to send back.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass

from recorder.formats import der_frame, filler, kerberos_answer, ldap_answer

_MASK = 0x5E6D3B77
"""Masks the wanted size (< 16 MB): its first byte is no padding length that SSH uses here."""


def _hidden(size: int, wanted: int, key: bytes) -> bytes:
    """Filler that asks for `wanted` bytes of filler."""
    return struct.pack(">I", wanted ^ _MASK) + filler(key + bytes((wanted & 255,)), size)


def _wanted(body: bytes) -> int:
    return struct.unpack_from(">I", body)[0] ^ _MASK


def _sized(offset: int, code: str, extra: int) -> Callable[[bytes], int]:
    """Framing by a length field: `code` (struct) at `offset`, plus `extra` bytes not counted."""
    need = offset + struct.calcsize(code)

    def frame(buffer: bytes) -> int:
        if len(buffer) < need:
            return 0
        size: int = struct.unpack_from(code, buffer, offset)[0] + extra
        return size if len(buffer) >= size else 0

    return frame


# --- HTTP/1.1 (RFC 9112): portal, shop, metrics, WinRM, printing


def http_get(host: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode()


def http_post(host: str, path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def soap(command: str) -> bytes:
    """What WinRM carries (MS-WSMV), shortened."""
    line = f"<rsp:CommandLine>{command}</rsp:CommandLine>"
    return f"<s:Envelope><s:Body>{line}</s:Body></s:Envelope>".encode()


def http_frame(buffer: bytes) -> int:
    end = buffer.find(b"\r\n\r\n") + 4
    if end < 4:
        return 0
    length = buffer[:end].lower().partition(b"content-length: ")[2].partition(b"\r")[0]
    size = end + int(length or 0)
    return size if len(buffer) >= size else 0


def http_answer(request: bytes) -> bytes:
    path = request.split(b" ", 2)[1].decode()
    kind, body = "application/json", ""
    if path == "/metrics":
        kind = "text/plain; version=0.0.4"
        body = "".join(
            f'node_cpu_seconds_total{{cpu="{at}"}} {at * 37 % 91}.5\n' for at in range(25)
        )
    elif "limit=" in path:
        rows = range(int(path.partition("limit=")[2]))
        body = json.dumps([{"id": at, "name": f"pump-{at * 7919 % 10007}"} for at in rows])
    elif path == "/wsman":
        kind, body = "application/soap+xml", soap("done").decode()
    elif path == "/ipp/print":
        kind, body = "application/ipp", "\2\0\0\0\0\0\0\1\3"  # successful-ok
    else:
        body = json.dumps({"status": "ok", "path": path})
    head = f"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


# --- TLS 1.2/1.3 records (RFC 8446): hellos in the clear, then filler


def _record(kind: int, body: bytes) -> bytes:
    return struct.pack(">BHH", kind, 0x0303, len(body)) + body


def tls_hello(name: str) -> bytes:
    host = name.encode()
    sni = struct.pack(">HHHBH", 0, len(host) + 5, len(host) + 3, 0, len(host)) + host
    versions = bytes.fromhex("002b0003020304")
    extensions = sni + versions
    body = (
        b"\3\3" + filler(host, 32) + b"\0" + bytes.fromhex("0004130113020100")
        + struct.pack(">H", len(extensions)) + extensions
    )  # fmt: skip
    return _record(22, b"\1" + len(body).to_bytes(3, "big") + body)


def tls_data(size: int, wanted: int) -> bytes:
    """One record of `size` bytes that asks for `wanted` bytes in return; size ≤ 16,000."""
    return _record(23, _hidden(size, wanted, b"tls"))


def tls_answer(record: bytes) -> bytes:
    if record[0] == 22:
        extensions = bytes.fromhex("002b00020304")
        body = b"\3\3" + filler(record, 32) + b"\0\x13\x01\0" + struct.pack(">H", len(extensions))
        body += extensions
        hello = _record(22, b"\2" + len(body).to_bytes(3, "big") + body)
        return hello + _record(20, b"\1") + _record(23, filler(record[::-1], 1400))
    body = filler(record, _wanted(record[5:]))
    return b"".join(_record(23, body[at : at + 16000]) for at in range(0, len(body), 16000))


# --- SSH (RFC 4253): banners and key exchange in the clear, then filler

SSH_BANNER = b"SSH-2.0-OpenSSH_9.6\r\n"


def _ssh_packet(kind: int, body: bytes) -> bytes:
    padding = 8 - (len(body) + 6) % 8 + 8
    return struct.pack(">IBB", len(body) + 2 + padding, padding, kind) + body + bytes(padding)


def _ssh_string(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def _kexinit(key: bytes) -> bytes:
    lists = (
        b"curve25519-sha256", b"ssh-ed25519", *[b"aes256-ctr"] * 2,
        *[b"hmac-sha2-256"] * 2, *[b"none"] * 2, b"", b"",
    )  # fmt: skip
    return _ssh_packet(20, filler(key, 16) + b"".join(map(_ssh_string, lists)) + bytes(5))


def ssh_opening(key: bytes) -> tuple[bytes, ...]:
    """Banner, KEXINIT, ECDH, NEWKEYS: the messages up to the encrypted part."""
    ecdh = _ssh_packet(30, _ssh_string(filler(key, 32)))
    return SSH_BANNER, _kexinit(key), ecdh, _ssh_packet(21, b"")


def ssh_data(size: int, wanted: int) -> bytes:
    return _ssh_string(_hidden(size, wanted, b"ssh"))


def ssh_frame(buffer: bytes) -> int:
    if buffer.startswith(b"SSH-"):
        return buffer.find(b"\n") + 1
    return _sized(0, ">I", 4)(buffer)


def ssh_answer(message: bytes) -> bytes:
    if message.startswith(b"SSH-"):
        return b""
    if message[4] == _MASK >> 24:
        body = filler(message, _wanted(message[4:]))
        return b"".join(_ssh_string(body[at : at + 32000]) for at in range(0, len(body), 32000))
    if message[5] == 20:
        return _kexinit(message)
    if message[5] == 30:
        kind, key = _ssh_string(b"ssh-ed25519"), filler(message, 96)
        host_key, signature = kind + _ssh_string(key[:32]), kind + _ssh_string(key[32:])
        parts = (host_key, filler(message[::-1], 32), signature)
        return _ssh_packet(31, b"".join(map(_ssh_string, parts))) + _ssh_packet(21, b"")
    return b""


# --- PostgreSQL (protocol 3.0)


def pg_startup(user: str, database: str) -> bytes:
    body = struct.pack(">I", 196608) + f"user\0{user}\0database\0{database}\0\0".encode()
    return struct.pack(">I", len(body) + 4) + body


def _pg(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">I", len(body) + 4) + body


def pg_query(rows: int, table: str = "orders") -> bytes:
    return _pg(b"Q", f"SELECT id, customer, item FROM {table} LIMIT {rows}\0".encode())


PG_GOODBYE = _pg(b"X", b"")


def pg_frame(buffer: bytes) -> int:
    if buffer[:1] == b"\0":
        return _sized(0, ">I", 0)(buffer)
    return _sized(1, ">I", 1)(buffer)


def pg_answer(message: bytes) -> bytes:
    ready = _pg(b"Z", b"I")
    if message[0] == 0:
        parameter = _pg(b"S", b"server_version\x0016.4\0")
        return _pg(b"R", bytes(4)) + parameter + _pg(b"K", bytes(8)) + ready
    if message[:1] != b"Q":
        return b""
    count = int(message.rstrip(b"\0").rpartition(b" ")[2])
    column = bytes(6) + struct.pack(">IhiH", 25, -1, -1, 0)
    columns = b"".join(name + b"\0" + column for name in (b"id", b"customer", b"item"))
    reply = [_pg(b"T", struct.pack(">H", 3) + columns)]
    for row in range(count):
        fields = (f"{row:06}", f"customer {row * 7919 % 10007}", f"pump housing {row * 31 % 97} mm")
        texts = b"".join(_ssh_string(text.encode()) for text in fields)
        reply.append(_pg(b"D", struct.pack(">H", 3) + texts))
    return b"".join(reply) + _pg(b"C", f"SELECT {count}\0".encode()) + ready


# --- Redis (RESP 2)


def redis(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words
    )


def redis_frame(buffer: bytes) -> int:
    head, *lines = buffer.split(b"\r\n")
    count = 2 * int(head[1:]) if lines else 0
    return len(b"\r\n".join((head, *lines[:count], b""))) if len(lines) > count > 0 else 0


def redis_answer(message: bytes) -> bytes:
    word = message.split(b"\r\n")[2]
    if word == b"PING":
        return b"+PONG\r\n"
    if word == b"SET":
        return b"+OK\r\n"
    value = filler(message, 200).hex().encode()
    return b"$%d\r\n%s\r\n" % (len(value), value)


# --- Modbus/TCP (Modbus Messaging on TCP/IP 1.0b)


def modbus_read(number: int, count: int) -> bytes:
    return struct.pack(">3HBBHH", number, 0, 6, 1, 3, 100, count)


def modbus_write(number: int, *values: int) -> bytes:
    body = struct.pack(">BBHHB", 1, 16, 200, len(values), 2 * len(values))
    body += struct.pack(f">{len(values)}H", *values)
    return struct.pack(">3H", number, 0, len(body)) + body


def modbus_answer(message: bytes) -> bytes:
    number, _, _, unit, function, start, count = struct.unpack_from(">3HBBHH", message)
    if function == 16:
        return struct.pack(">3HBBHH", number, 0, 6, unit, 16, start, count)
    values = [(start + at) * 13 % 4096 for at in range(count)]
    body = struct.pack(f">BBB{count}H", unit, 3, 2 * count, *values)
    return struct.pack(">3H", number, 0, len(body)) + body


# --- RDP (MS-RDPBCGR): X.224 connection request, then TLS; RPC (C706): bind

RDP_CONNECT = bytes.fromhex("030000130ee000000000000100080003000000")
RPC_BIND = (
    bytes.fromhex("05000b03100000004800000001000000d016d016000000000100000000000100")
    + bytes.fromhex("0883afe11f5dc91191a408002b14a0fa03000000")  # endpoint mapper
    + bytes.fromhex("045d888aeb1cc9119fe808002b10486002000000")  # NDR
)


def rdp_frame(buffer: bytes) -> int:
    return (_sized(2, ">H", 0) if buffer[:1] == b"\3" else _sized(3, ">H", 5))(buffer)


def rdp_answer(message: bytes) -> bytes:
    if message[0] == 3:
        return bytes.fromhex("030000130ed000001234000200080002000000")
    return tls_answer(message)


def rpc_answer(message: bytes) -> bytes:
    tail = struct.pack("<H4s2xB3xHH", 4, b"135\0", 1, 0, 0) + RPC_BIND[-20:]
    head = struct.pack("<4B4sHHI", 5, 0, 12, 3, message[4:8], 24 + len(tail), 0, 1)
    return head + struct.pack("<HHI", 5840, 5840, 0x1234) + tail


# --- backup (a director, agents and a store that speak like Bacula)


def backup(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


def backup_answer(message: bytes) -> bytes:
    if message[4:9] == b"Hello" or message[4:7] == b"End":
        return backup(b"2000 OK " + message[4:9])
    return b""


@dataclass(frozen=True)
class Wire:
    """How one protocol runs on a TCP connection."""

    frame: Callable[[bytes], int]
    """Length of the first complete message in a buffer, 0 when there is none yet."""
    answer: Callable[[bytes], bytes]
    greeting: bytes = b""
    """What the server says first."""


def streams() -> dict[str, Wire]:
    """Wire format → how it runs."""
    from recorder import opcua, smb  # they build on this module's neighbours

    return {
        "http": Wire(http_frame, http_answer),
        "tls": Wire(_sized(3, ">H", 5), tls_answer),
        "ssh": Wire(ssh_frame, ssh_answer, SSH_BANNER),
        "postgres": Wire(pg_frame, pg_answer),
        "redis": Wire(redis_frame, redis_answer),
        "modbus": Wire(_sized(4, ">H", 6), modbus_answer),
        "rdp": Wire(rdp_frame, rdp_answer),
        "rpc": Wire(_sized(8, "<H", 0), rpc_answer),
        "bacula": Wire(_sized(0, ">I", 4), backup_answer),
        "ldap": Wire(der_frame, ldap_answer),
        "kerberos": Wire(_sized(0, ">I", 4), kerberos_answer),
        "opcua": Wire(_sized(4, "<I", 0), opcua.answer),
        "smb": Wire(_sized(0, ">I", 4), smb.answer),
    }
