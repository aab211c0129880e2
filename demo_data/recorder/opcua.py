"""OPC UA binary over TCP (OPC 10000-6): hello, open channel, read; security policy None."""

import struct

_URL = b"opc.tcp://historian-1.kestrel.example:4840"
_POLICY = b"http://opcfoundation.org/UA/SecurityPolicy#None"
_NULL = struct.pack("<i", -1)
_REQUEST = bytes(2) + struct.pack("<QII", 0, 1, 0) + _NULL + struct.pack("<I", 10_000) + bytes(3)
_RESPONSE = struct.pack("<QII", 0, 1, 0) + b"\0" + _NULL + bytes(3)


def _string(text: bytes) -> bytes:
    return struct.pack("<i", len(text)) + text


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body) + 8) + body


def _open_channel(type_id: int, header: bytes, rest: bytes) -> bytes:
    security = struct.pack("<I", 7) + _string(_POLICY) + _NULL + _NULL
    node = struct.pack("<BBH", 1, 0, type_id)
    return _message(b"OPNF", security + struct.pack("<II", 1, 1) + node + header + rest)


def _service(type_id: int, number: int, header: bytes, rest: bytes) -> bytes:
    channel = struct.pack("<4I", 7, 1, number, number)
    return _message(b"MSGF", channel + struct.pack("<BBH", 1, 0, type_id) + header + rest)


def opening() -> tuple[bytes, ...]:
    hello = struct.pack("<5I", 0, 65536, 65536, 0, 0) + _string(_URL)
    issue = struct.pack("<III", 0, 0, 1) + _NULL + struct.pack("<I", 3_600_000)
    return _message(b"HELF", hello), _open_channel(446, _REQUEST, issue)


def read(number: int, nodes: int) -> bytes:
    """ReadRequest (631) of the values of `nodes` nodes."""
    wanted = b"".join(
        struct.pack("<BHI", 2, 2, 1000 + at) + struct.pack("<I", 13) + _NULL + bytes(2) + _NULL
        for at in range(nodes)
    )
    rest = struct.pack("<dIi", 0.0, 3, nodes) + wanted
    return _service(631, number, _REQUEST, rest)


def answer(message: bytes) -> bytes:
    if message[:3] == b"HEL":
        return _message(b"ACKF", struct.pack("<5I", 0, 65536, 65536, 0, 0))
    if message[:3] == b"OPN":
        token = struct.pack("<IIIQI", 0, 7, 1, 0, 3_600_000)
        return _open_channel(449, _RESPONSE, token + _NULL)
    number = struct.unpack_from("<I", message, 16)[0]
    nodes = struct.unpack_from("<i", message, 28 + len(_REQUEST) + 12)[0]
    values = b"".join(struct.pack("<BBd", 1, 11, 20.0 + at) for at in range(nodes))
    return _service(634, number, _RESPONSE, struct.pack("<i", nodes) + values + _NULL)
