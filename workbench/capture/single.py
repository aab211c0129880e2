"""The packets of single flows, found by our own kernel between their first and last offsets."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.aggregates import unfolded
from workbench.capture.kernel import Kernel
from workbench.capture.layers import layers_of
from workbench.capture.reader import Block, Reader
from workbench.capture.seek import beyond_microsecond, blocks_from
from workbench.capture.state import State
from workbench.model.errors import Cancelled
from workbench.model.net import PORT_PROTOCOLS, PROTOCOL_NAMES, TCP, format_address
from workbench.model.packets import Layer, Packet, Piece
from workbench.model.text import plural
from workbench.model.traffic import Flow, Progress, Stop, TcpFlag, Tell

Wanted = Mapping[Flow, Sequence[Piece]]
"""Flows and where their packets are."""
_LOW = (1 << 64) - 1
_PERIOD = 0.1
"""Seconds between two words of progress."""
_WAITING = 1024
"""Fragments held at most until the first of their datagram comes."""
_Rows = NDArray[np.uint64]
_Row = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Found:
    """One record that belongs to a flow."""

    time_us: int
    wire: int
    """Bytes on the wire."""
    link: int
    """LINKTYPE number."""
    data: bytes
    """What was captured of it."""
    to_server: bool
    flags: int = 0
    """TCP flags, 0 for other protocols."""
    beyond: int = 0
    """Nanoseconds beyond the microsecond."""
    source: str = ""
    """Name of the capture file."""
    ip: int = 0
    """Where in the data the packet's outermost IP header begins; 0 for unknown."""


def flow_records(
    flow: Flow, pieces: Sequence[Piece], progress: Tell = None, cancelled: Stop = None
) -> Iterator[Found]:
    """The flow's records, piece by piece in file order. Raises CaptureError, Cancelled."""
    return records_of({flow: pieces}, progress, cancelled)


def records_of(wanted: Wanted, progress: Tell = None, cancelled: Stop = None) -> Iterator[Found]:
    """The records of several flows, file by file, each file read once.

    Nothing before the first packet that is wanted is decoded: fragments of a flow's very first
    datagram that came before the one with the ports stay behind. Raises CaptureError, Cancelled.
    """
    files: dict[Path, list[tuple[Flow, Piece]]] = {}
    for flow, pieces in wanted.items():
        for piece in pieces:
            files.setdefault(piece.path, []).append((flow, piece))
    kernel = Kernel()  # for all files: a datagram may go on from one to the next
    for path, here in files.items():
        first = min(piece.first_offset for _, piece in here)
        last = max(piece.last_offset for _, piece in here)
        ends = _Ends(here)
        waiting: dict[bytes, list[Found]] = {}
        meter = _Meter(path, last, progress, cancelled)
        for reader, block in blocks_from(path, first, ends.begin, meter.tick):
            offsets = np.asarray(block.records)[: block.count, layout.REC_OFFSET]
            if offsets[-1] >= first:
                finder = _Finder(reader, block)
                for part in unfolded(block):
                    packets = kernel.packets(part)
                    finder.headers = np.asarray(part.records)[kernel.records(), layout.REC_IP]
                    yield from _matching(finder, packets, ends, waiting)
            if offsets[-1] >= last:
                break


class _Meter:
    """Tells how far a file is read, and stops when told to."""

    def __init__(self, path: Path, last: int, progress: Tell, cancelled: Stop) -> None:
        self._path = path
        self._last = last
        self._progress = progress
        self._cancelled = cancelled
        self._began = self._told = time.monotonic()
        self._start: int | None = None

    def tick(self, reader: Reader | None) -> None:
        if self._cancelled is not None and self._cancelled():
            raise Cancelled("stopped looking for packets")
        now = time.monotonic()
        if self._progress is None or reader is None or now < self._told + _PERIOD:
            return
        self._told = now
        if self._start is None or self._start > reader.position:
            self._start = reader.position
        packed = reader.format.endswith(")")  # offsets are not those on disk
        total = max(1, (reader.size if packed else self._last) - self._start)
        done = min(reader.position - self._start, total)
        self._progress(Progress(self._path.name, done, total, elapsed=now - self._began))


class _Ends:
    """Which packet rows belong to the flows, and which way they run."""

    def __init__(self, flows: Sequence[tuple[Flow, Piece]]) -> None:
        self._of: dict[bytes, list[tuple[Flow, Piece, bool]]] = {}
        """Key of a packet → flows, and whether it runs to the server."""
        for to_server in (True, False):
            for flow, piece in flows:
                self._of.setdefault(_key(flow, to_server), []).append((flow, piece, to_server))
        self._mixers = np.frombuffer(np.random.default_rng().bytes(40), np.uint64) | np.uint64(1)
        self._hashes = self._mixed(np.frombuffer(b"".join(self._of), np.uint64).reshape(-1, 5))
        self._hosts = {key[:32] for key in self._of}
        """Source and destination."""

    def _mixed(self, rows: _Rows) -> _Rows:
        mixed: _Rows = (rows[:, :5] * self._mixers).sum(axis=1, dtype=np.uint64)
        return mixed

    def begin(self, block: Block) -> bool:
        """Whether a block begins with a packet of one of the flows, at a time of that flow."""
        for part in unfolded(replace(block, count=1)):
            for packet in Kernel().packets(part):
                moment = int(packet[layout.PKT_TIME])
                for flow, piece, _ in self._of.get(packet[:5].tobytes(), ()):
                    if packet[layout.PKT_OFFSET] == piece.first_offset:
                        return flow.first_us <= moment <= flow.last_us
        return False

    def candidates(self, packets: _Rows) -> NDArray[np.int64]:
        """Rows that may belong to one of the flows, in order: those that do, and few others."""
        mine = np.isin(self._mixed(packets), self._hashes)
        # Fragments that wait for their first one have no ports yet; few packets are fragments.
        waits = (packets[:, layout.PKT_PACKETS] == 0) & (packets[:, layout.PKT_IDENT] != 0)
        return np.flatnonzero(mine | waits)

    def direction(self, packet: _Row) -> bool | None:
        """Whether a packet runs to the server of one of the flows; None for a stranger."""
        at = packet[layout.PKT_OFFSET]
        for _, piece, to_server in self._of.get(packet[:5].tobytes(), ()):
            if piece.first_offset <= at <= piece.last_offset:
                return to_server
        return None

    def waits(self, packet: _Row) -> bool:
        """Whether it is a fragment between two ends of a flow, before the first of its datagram."""
        mine = not packet[layout.PKT_PACKETS] and packet[:4].tobytes() in self._hosts
        return bool(mine and packet[layout.PKT_IDENT])


def _key(flow: Flow, to_server: bool) -> bytes:
    """The first five words of the packet rows that run one way."""
    ends = [(flow.client, flow.client_port), (flow.server, flow.server_port)]
    (source, source_port), (target, target_port) = ends if to_server else reversed(ends)
    who = flow.protocol << 32 | source_port << 16 | target_port
    words = (source >> 64, source & _LOW, target >> 64, target & _LOW, who)
    return np.array(words, np.uint64).tobytes()


def _matching(
    finder: "_Finder", packets: _Rows, ends: _Ends, waiting: dict[bytes, list[Found]]
) -> Iterator[Found]:
    for number in ends.candidates(packets):
        packet = packets[number]
        ident = int(packet[layout.PKT_IDENT]) & ~layout.LATER
        datagram = packet[:4].tobytes() + ident.to_bytes(8)
        if ends.waits(packet):
            if len(waiting) < _WAITING:
                held = waiting.setdefault(datagram, [])
                held.append(finder.found(packet, number, to_server=True))
        elif packet[layout.PKT_PACKETS] and (way := ends.direction(packet)) is not None:
            if ident:
                held = waiting.pop(datagram, [])
                yield from (replace(fragment, to_server=way) for fragment in held)
            if packet[layout.PKT_OFFSET] != finder.last:  # a record of several packets comes once
                finder.last = int(packet[layout.PKT_OFFSET])
                yield finder.found(packet, number, way)


class _Finder:
    """From packets back to the records of a block."""

    def __init__(self, reader: Reader, block: Block) -> None:
        self._reader = reader
        self._block = block
        self._rows = np.asarray(block.records)[: block.count]
        self.headers = np.zeros(0, np.uint64)
        """Where in the buffer the IP header of each packet begins."""
        self.last = -1
        """Offset of the record that was given last."""

    @cached_property
    def _state(self) -> State:
        return self._reader.state()

    @cached_property
    def _offsets(self) -> _Rows:
        return self._rows[:, layout.REC_OFFSET].copy()

    def found(self, packet: _Row, number: int, to_server: bool) -> Found:
        at = int(np.searchsorted(self._offsets, packet[layout.PKT_OFFSET]))
        row = self._rows[at]
        start, captured = int(row[layout.REC_START]), int(row[layout.REC_CAPLEN])
        tcp = int(packet[layout.PKT_WHO]) >> 32 == TCP
        return Found(
            int(row[layout.REC_TIME]),
            int(row[layout.REC_WIRELEN]),
            int(row[layout.REC_LINK]),
            bytes(self._block.buffer[start : start + captured]),
            to_server,
            int(packet[layout.PKT_MARKS]) & 0xFF if tcp else 0,
            beyond_microsecond(self._state, self._block, at),
            self._reader.path.name,
            ip - start if (ip := int(self.headers[number])) < start + captured else 0,
        )


def packets_of(
    flow: Flow,
    pieces: Sequence[Piece],
    limit: int = 1000,
    *,
    progress: Tell = None,
    cancelled: Stop = None,
) -> tuple[Packet, ...]:
    """A flow's packets by our own decoder: headers field by field, and the raw bytes.

    Raises CaptureError, Cancelled.
    """
    found = islice(flow_records(flow, pieces, progress, cancelled), limit)
    return tuple(own_packet(number, record, flow) for number, record in enumerate(found, 1))


def own_packet(number: int, record: Found, flow: Flow) -> Packet:
    """What we know of a record without tshark."""
    layers = layers_of(record.data, record.link, record.ip)
    return Packet(
        number,
        record.time_us,
        record.wire,
        len(record.data),
        record.to_server,
        PROTOCOL_NAMES.get(flow.protocol, f"ip/{flow.protocol}"),
        _info(record, flow, layers),
        layers,
        record.data,
    )


def _info(record: Found, flow: Flow, layers: Sequence[Layer]) -> str:
    """`50412 → 443 [PSH ACK] 63 bytes`: a flow's addresses are known, they need no repeating."""
    ends = [format_address(flow.client), format_address(flow.server)]
    if flow.protocol in PORT_PROTOCOLS:
        ends = [str(flow.client_port), str(flow.server_port)]
    told = " → ".join(ends if record.to_server else reversed(ends))
    if flags := " ".join(flag.name or "" for flag in TcpFlag if record.flags & flag):
        told += f" [{flags}]"
    for layer in layers:
        if layer.name in ("ICMP", "ICMPv6"):
            told += f" {layer.fields[0].value}"
        elif layer.name == "data":
            told += f" {plural(layer.size, 'byte')}"
    return told
