"""One pass over a capture: what was said in the flows that matter.

Only packets of a few ports are looked into, picked by the compiled decoder: a capture without them
costs little more than decoding. RPC on dynamic ports is known by its first message, or by what the
endpoint mapper answered. Everything is bounded: connections at a time, bytes of a connection, of a
message, and facts.
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.aggregates import unfolded
from workbench.capture.kernel import Kernel
from workbench.capture.layers import layers_of
from workbench.capture.protocols.kerberos import KerberosTalk
from workbench.capture.protocols.names import llmnr, nbns
from workbench.capture.protocols.talks import PORTS, RPC, End, Talk, datagram_server
from workbench.capture.reader import Block, Reader
from workbench.model.errors import Cancelled
from workbench.model.net import TCP, UDP, V4_BASE
from workbench.model.spoken import Heard, Said, Spoken
from workbench.model.traffic import Progress, Stop, TcpFlag, Tell

VERSION = 1
"""Of the parsers: what an older one heard is listened to again."""
MOST_FACTS = 100_000
_MOST_TALKS = 4096
_MOST_BYTES = 64 << 20
"""Of a connection's direction; whoever sends more has moved files for long."""
_MINUTE = 60_000_000
_UDP_PORTS = (88, 137, 5355)
_DYNAMIC = 1024
_PERIOD = 0.1
_BIND, _LITTLE = b"\x05\0\x0b", b"\x10\0\0\0"
"""How an RPC binding begins, before and behind its flags; little-endian, as everybody sends it."""
_OUTER = 256
"""Bytes of a carried packet in which it is looked for."""
Words = NDArray[np.uint64]


def listen(path: Path, progress: Tell = None, cancelled: Stop = None) -> Heard:
    """Everything that the parsers understand of a capture. Raises CaptureError, Cancelled."""
    ear, kernel = _Ear(), Kernel()
    began = told = time.monotonic()
    with Reader(path) as reader:
        for block in reader.blocks():
            if cancelled is not None and cancelled():
                raise Cancelled("stopped reading payload")
            for part in unfolded(block):
                ear.hear(part, kernel.packets(part), kernel.records())
            now = time.monotonic()
            if progress is not None and now >= told + _PERIOD:
                told = now
                done = Progress(path.name, reader.position, reader.size, elapsed=now - began)
                progress(done)
    problem = f"more than {MOST_FACTS:,} facts: the rest was left out" if ear.full else ""
    return Heard(ear.facts(), problem)


class _Ear:
    """Connections at work, and the facts so far."""

    def __init__(self) -> None:
        self._tcp = np.zeros(65536, np.bool_)
        self._tcp[list(PORTS)] = True
        self._udp = np.zeros(65536, np.bool_)
        self._udp[list(_UDP_PORTS)] = True
        self._talks: dict[tuple[End, End], Talk] = {}
        self._kdcs: dict[tuple[End, End], KerberosTalk] = {}
        self._rpc: dict[End, str] = {}  # where RPC is served → its interface, if known
        self._facts: dict[tuple[Any, ...], list[int]] = {}
        self.full = False

    def hear(self, block: Block, packets: Words, at: NDArray[np.int64]) -> None:
        """The packets of one block, and which of its records each is from."""
        if not len(packets):
            return
        records = np.asarray(block.records)[: block.count]
        who = packets[:, layout.PKT_WHO]
        protocol, source, target = who >> 32, (who >> 16) & 0xFFFF, who & 0xFFFF
        whole = (packets[:, layout.PKT_PACKETS] > 0) & (packets[:, layout.PKT_IDENT] == 0)
        tcp, udp = whole & (protocol == TCP), whole & (protocol == UDP)
        self._find_rpc(block, records[at], packets, tcp & (np.minimum(source, target) >= _DYNAMIC))
        chosen = tcp & (self._tcp[source] | self._tcp[target])
        chosen |= udp & (self._udp[source] | self._udp[target])
        for row in np.flatnonzero(chosen).tolist():
            self._packet(block, records[at[row]].tolist(), packets[row].tolist())

    def _find_rpc(self, block: Block, records: Words, packets: Words, mask: Any) -> None:
        """Ports whose packets begin with an RPC binding: from now on they matter."""
        carried = packets[:, layout.PKT_PATH] >> layout.TUNNEL_SHIFT > 0
        for row in np.flatnonzero(mask & carried).tolist():  # no place to look at but everywhere
            start, size = records[row, : layout.REC_WIRELEN].tolist()
            data = bytes(block.buffer[start : start + min(size, _OUTER)])
            at = data.find(_BIND)
            if at >= 0 and data[at + 4 : at + 8] == _LITTLE:
                self._serve(_ends(packets[row].tolist())[1], "")
        rows = np.flatnonzero(mask & ~carried & (records[:, layout.REC_IP] < layout.NOT_IP))
        octets = np.frombuffer(block.buffer, np.uint8)
        some = records[rows]
        ip = some[:, layout.REC_IP].astype(np.int64)
        end = (some[:, layout.REC_START] + some[:, layout.REC_CAPLEN]).astype(np.int64)
        fits = ip + 44 <= end
        rows, ip, end = rows[fits], ip[fits], end[fits]
        first = octets[ip]
        head = ip + np.where(first >> 4 == 4, (first & 15).astype(np.int64) * 4, 40)
        fits = head + 20 <= end
        rows, head, end = rows[fits], head[fits], end[fits]
        begin = head + (octets[head + 12] >> 4).astype(np.int64) * 4
        fits = begin + 24 <= end
        rows, begin = rows[fits], begin[fits]
        bind = (octets[begin] == 5) & (octets[begin + 1] <= 1) & (octets[begin + 2] == 11)
        bind &= (octets[begin + 4] & 0xEF) == 0
        for packet in packets[rows[bind]].tolist():
            _, server = _ends(packet)
            self._serve(server, "")

    def _serve(self, server: End, interface: str) -> None:
        if server not in self._rpc and len(self._rpc) < _MOST_TALKS and server[1] >= _DYNAMIC:
            self._rpc[server] = interface
            self._tcp[server[1]] = True

    def _packet(self, block: Block, record: list[int], packet: list[int]) -> None:
        source, target = _ends(packet)
        found = _transport(block.buffer, record, packet)
        if found is None:
            return
        at, end, size = found  # the transport header, what was captured, the segment's size
        buffer, moment = block.buffer, packet[layout.PKT_TIME]
        if packet[layout.PKT_WHO] >> 32 == UDP:
            self._datagram(source, target, bytes(buffer[at + 8 : min(end, at + size)]), moment)
            return
        if end < at + 20:
            return
        head = (buffer[at + 12] >> 4) * 4
        size -= head
        flags = buffer[at + 13]
        if flags & TcpFlag.SYN:
            self._begin(source, target, bool(flags & TcpFlag.ACK))
        elif size > 0 and head >= 20:
            data = bytes(buffer[at + head : min(end, at + head + size)])
            self._segment(source, target, (_big(buffer, at + 4, 4), data, size), moment)

    def _begin(self, source: End, target: End, answer: bool) -> None:
        client, server = (target, source) if answer else (source, target)
        if not answer:
            self._talks.pop((client, server), None)
        if server[1] in PORTS or server in self._rpc:
            self._talk(client, server)

    def _talk(self, client: End, server: End) -> Talk:
        key = client, server
        talk = self._talks.pop(key, None)
        if talk is None:
            if len(self._talks) >= _MOST_TALKS:
                del self._talks[next(iter(self._talks))]  # the one that was silent longest
            talk = Talk(PORTS.get(server[1], RPC), self._rpc.get(server, ""))
        self._talks[key] = talk
        return talk

    def _segment(
        self, source: End, target: End, segment: tuple[int, bytes, int], moment: int
    ) -> None:
        to_server = (source, target) in self._talks
        if not to_server and (target, source) not in self._talks:
            served = [end in self._rpc or end[1] in PORTS for end in (source, target)]
            if not any(served):
                return
            to_server = served[1]
        client, server = (source, target) if to_server else (target, source)
        talk = self._talk(client, server)
        if talk.count(to_server, segment[2]) > _MOST_BYTES and talk.bounded:
            return
        for said in talk.hear(to_server, *segment):
            self._note(said, client[0], server, TCP, moment)
        for port, interface in talk.ports():
            self._serve((server[0], port), interface)

    def _datagram(self, source: End, target: End, data: bytes, moment: int) -> None:
        if 88 in (source[1], target[1]):
            self._kerberos(source, target, data, moment)
            return
        port = next((one for one in (5355, 137) if one in (source[1], target[1])), 0)
        said = llmnr(data) if port == 5355 else nbns(data)
        if said is None:
            return
        client, server = datagram_server(said, source, target)
        self._note(said, client[0], (server[0], port), UDP, moment)

    def _kerberos(self, source: End, target: End, data: bytes, moment: int) -> None:
        to_server = target[1] == 88
        client, server = (source, target) if to_server else (target, source)
        kdc = self._kdcs.pop((client, server), None) or KerberosTalk()
        if len(self._kdcs) >= _MOST_TALKS:
            del self._kdcs[next(iter(self._kdcs))]
        self._kdcs[client, server] = kdc
        for said in kdc.request(data) if to_server else kdc.answer(data):
            self._note(said, client[0], server, UDP, moment)

    def _note(self, said: Said, client: int, server: End, protocol: int, moment: int) -> None:
        key = said, client, server, protocol, moment // _MINUTE
        known = self._facts.get(key)
        if known:
            known[0], known[1] = min(known[0], moment), max(known[1], moment)
            known[2] += 1
        elif len(self._facts) < MOST_FACTS:
            self._facts[key] = [moment, moment, 1]
        else:
            self.full = True

    def facts(self) -> tuple[Spoken, ...]:
        """All so far, by time."""
        made: Iterable[Spoken] = (
            Spoken(said, client, server[0], protocol, server[1], *counts)
            for (said, client, server, protocol, _), counts in self._facts.items()
        )
        return tuple(sorted(made, key=lambda one: one.first_us))


def _ends(packet: list[int]) -> tuple[End, End]:
    """Source and target."""
    who = packet[layout.PKT_WHO]
    source = packet[layout.PKT_SRC_HI] << 64 | packet[layout.PKT_SRC_LO]
    target = packet[layout.PKT_DST_HI] << 64 | packet[layout.PKT_DST_LO]
    return (source, who >> 16 & 0xFFFF), (target, who & 0xFFFF)


def _big(buffer: memoryview, at: int, size: int) -> int:
    return int.from_bytes(buffer[at : at + size], "big")


def _transport(
    buffer: memoryview, record: list[int], packet: list[int]
) -> tuple[int, int, int] | None:
    """Where the transport header is, where the record ends, and how long the segment was.

    The outermost IP header where it is that of the packet; else what is inside of its tunnels.
    """
    start, ip = record[layout.REC_START], record[layout.REC_IP]
    end = start + record[layout.REC_CAPLEN]
    (source, _), (target, _) = _ends(packet)
    protocol = packet[layout.PKT_WHO] >> 32
    if ip + 40 <= end:
        kind = buffer[ip] >> 4
        if kind == 4 and buffer[ip + 9] == protocol:
            here = V4_BASE | _big(buffer, ip + 12, 4), V4_BASE | _big(buffer, ip + 16, 4)
            head, total = (buffer[ip] & 15) * 4, _big(buffer, ip + 2, 2)
            if here == (source, target) and head >= 20:
                whole = total or record[layout.REC_WIRELEN] - (ip - start)  # large offload
                return ip + head, end, whole - head
        elif kind == 6 and buffer[ip + 6] == protocol:
            here = _big(buffer, ip + 8, 16), _big(buffer, ip + 24, 16)
            total = _big(buffer, ip + 4, 2)
            if here == (source, target):
                return ip + 40, end, total or record[layout.REC_WIRELEN] - (ip - start) - 40
    name = "TCP" if protocol == TCP else "UDP"
    at = ip - start if ip < end else 0
    layers = layers_of(bytes(buffer[start:end]), record[layout.REC_LINK], at)
    inner = [one.start for one in layers if one.name == name]
    if not inner:
        return None
    return start + inner[-1], end, record[layout.REC_WIRELEN] - inner[-1]
