"""Commands to controllers: Modbus/TCP, S7comm, EtherNet/IP with CIP.

Sources: Modbus Application Protocol 1.1b3 section 6, Modbus Messaging on TCP/IP 1.0b section 3.1;
RFC 1006 (TPKT), ISO 8073 (COTP), Wireshark's packet-s7comm for S7; ODVA CIP volume 1 appendix A and
volume 2 chapter 2, Rockwell 1756-PM020 for the tag services.
"""

from collections.abc import Iterator

from workbench.capture.protocols.reading import big, little
from workbench.model.spoken import Act, Said

_MODBUS = {
    5: "write coil", 6: "write register", 15: "write coils", 16: "write registers",
    21: "write file", 22: "mask write register", 23: "read and write registers",
}  # fmt: skip
_S7 = {
    0x05: "write variable", 0x1A: "download", 0x1B: "download", 0x1C: "download",
    0x28: "control", 0x29: "stop",
}  # fmt: skip
_CIP = {
    0x02: "set attributes", 0x04: "set attributes", 0x10: "set attribute", 0x05: "reset",
    0x06: "start", 0x07: "stop", 0x4D: "write tag", 0x4E: "modify tag", 0x53: "write tag",
}  # fmt: skip
_CIP_READS = {0x01, 0x03, 0x0E, 0x4C, 0x52}
_MOST = 16
"""Units in one packet, items in one message."""


def modbus(data: bytes) -> Iterator[Said]:
    """Requests in a segment, which begins with one."""
    at = 0
    for _ in range(_MOST):
        size = big(data, at + 4, 2)
        if at + 8 > len(data) or big(data, at + 2, 2) or not 2 <= size <= 260:
            return
        code = data[at + 7]
        if code in _MODBUS:
            yield Said(Act.COMMAND, f"Modbus {_MODBUS[code]}", "", code)
        elif 1 <= code <= 4:
            yield Said(Act.QUERY, "Modbus")
        at += 6 + size


def s7(data: bytes) -> Iterator[Said]:
    """A request in one TPKT message."""
    if len(data) < 8 or data[5] & 0xF0 != 0xF0:
        return
    at = 5 + data[4]  # behind the COTP header, whose length does not count itself
    if len(data) < at + 11 or data[at] != 0x32 or data[at + 1] != 1:
        return
    code = data[at + 10]
    if code in _S7:
        yield Said(Act.COMMAND, f"S7 {_S7[code]}", "", code)
    elif code == 4:
        yield Said(Act.QUERY, "S7")


def cip(data: bytes) -> Iterator[Said]:
    """Requests in one encapsulated message."""
    if little(data, 0, 2) not in (0x6F, 0x70):
        return
    at = 32
    for _ in range(min(little(data, 30, 2), _MOST)):
        kind, size = little(data, at, 2), little(data, at + 2, 2)
        begin = at + 4 + (2 if kind == 0xB1 else 0)
        if kind in (0xB1, 0xB2):
            yield from _service(data[begin : at + 4 + size], 3)
        at += 4 + size


def _service(data: bytes, depth: int) -> Iterator[Said]:
    if len(data) < 2 or not depth:
        return
    code, path, rest = data[0], data[2 : 2 + 2 * data[1]], data[2 + 2 * data[1] :]
    manager, router = path[:4] == b"\x20\x06\x24\x01", path[:4] == b"\x20\x02\x24\x01"
    if code == 0x52 and manager:  # unconnected send: a request within
        yield from _service(rest[4 : 4 + little(rest, 2, 2)], depth - 1)
    elif code == 0x0A and router:
        for place in range(min(little(rest, 0, 2), _MOST)):
            yield from _service(rest[little(rest, 2 + 2 * place, 2) or len(rest) :], depth - 1)
    elif code in _CIP and not manager:
        yield Said(Act.COMMAND, f"CIP {_CIP[code]}", "", code)
    elif code in _CIP_READS:
        yield Said(Act.QUERY, "CIP")
