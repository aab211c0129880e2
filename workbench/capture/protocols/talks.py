"""Connections by the protocol of their port: segments in, facts out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workbench.capture.protocols import plc, rpc, smb
from workbench.capture.protocols.kerberos import KerberosTalk
from workbench.capture.protocols.reading import big, little
from workbench.capture.protocols.streams import Size, Stream
from workbench.model.spoken import Act, Said

End = tuple[int, int]
"""Address and port."""
_KERBEROS_TAGS = (0x6A, 0x6B, 0x6C, 0x6D, 0x7E)


@dataclass(frozen=True, slots=True)
class Form:
    """How the messages of a protocol are told apart in a stream."""

    head: int
    """Bytes that `size` needs."""
    size: Size
    keep: int
    """Bytes of a message that are worth reading."""
    bounded: bool = True
    """A connection is left alone after a while."""

    def begins(self, data: bytes) -> bool:
        """Whether a segment begins with a message."""
        return self.size(data[: self.head]) >= self.head


class _Smb(Form):
    def begins(self, data: bytes) -> bool:
        return (data[4:8] in (smb.NEW, smb.OLD, smb.SEALED) and data[0] == 0) or data[:1] == b"\x81"


class _Kerberos(Form):
    def begins(self, data: bytes) -> bool:
        return len(data) > 4 and data[4] in _KERBEROS_TAGS and Form.begins(self, data)


def _kerberos_size(head: bytes) -> int:
    size = big(head, 0, 4)
    return 4 + size if 0 < size < 1 << 20 else 0


def _tpkt_size(head: bytes) -> int:
    return big(head, 2, 2) if head[:2] == b"\x03\0" else 0


def _enip_size(head: bytes) -> int:
    known = little(head, 0, 2) in (0, 4, 0x63, 0x64, 0x65, 0x66, 0x6F, 0x70, 0x72, 0x73)
    return 24 + little(head, 2, 2) if known and len(head) == 24 else 0


SMB = _Smb(4, smb.size_of, 4096)
RPC = Form(16, rpc.size_of, 4096)
KERBEROS = _Kerberos(4, _kerberos_size, 24_576)
MODBUS = Form(8, len, 8, bounded=False)
S7 = Form(7, _tpkt_size, 512, bounded=False)
CIP = Form(24, _enip_size, 2048, bounded=False)
PORTS = {445: SMB, 139: SMB, 135: RPC, 88: KERBEROS, 502: MODBUS, 102: S7, 44818: CIP}
"""TCP port of the server → what is spoken there."""


class Talk:
    """One connection."""

    def __init__(self, form: Form, interface: str = "") -> None:
        self._form = form
        self._streams = tuple(
            Stream(form.head, form.size, form.begins, form.keep) for _ in range(2)
        )
        self._bytes = [0, 0]
        self._smb, self._rpc, self._kdc = smb.SmbTalk(), rpc.RpcTalk(interface), KerberosTalk()

    @property
    def bounded(self) -> bool:
        return self._form.bounded

    def count(self, to_server: bool, size: int) -> int:
        """Bytes of a direction so far, these included."""
        self._bytes[to_server] += size
        return self._bytes[to_server]

    def ports(self) -> Iterable[tuple[int, str]]:
        """Where the endpoint mapper has said that other interfaces are; each once."""
        found, self._rpc.ports = self._rpc.ports, {}
        return found.items()

    def hear(self, to_server: bool, sequence: int, data: bytes, size: int) -> Iterator[Said]:
        """The facts that a segment completes."""
        form = self._form
        if form is MODBUS:  # a unit fits into a segment, and is sent in one
            if to_server:
                yield from plc.modbus(data)
            return
        for message in self._streams[to_server].add(sequence, data, size):
            if form is SMB:
                yield from (self._smb.request if to_server else self._smb.answer)(message)
            elif form is RPC:
                yield from (self._rpc.request if to_server else self._rpc.answer)(message)
            elif form is KERBEROS:
                yield from (self._kdc.request if to_server else self._kdc.answer)(message[4:])
            elif to_server:
                yield from plc.s7(message) if form is S7 else plc.cip(message)


def datagram_server(said: Said, source: End, target: End) -> tuple[End, End]:
    """Client and server of a name question, or of an answer to one."""
    return (target, source) if said.act is Act.ANSWERED else (source, target)
