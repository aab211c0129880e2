"""The packets of one flow, found by our own kernel between the flow's first and last offsets."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from workbench.capture import layout
from workbench.capture.kernel import Kernel
from workbench.capture.reader import Block, Reader
from workbench.model.net import PORT_PROTOCOLS, PROTOCOL_NAMES, TCP, format_address
from workbench.model.packets import Packet
from workbench.model.traffic import Flow, TcpFlag

_LOW = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Found:
    """One record that belongs to the flow."""

    time_us: int
    wire: int
    """Bytes on the wire."""
    link: int
    """LINKTYPE number."""
    data: bytes
    """What was captured of it."""
    to_server: bool
    flags: int
    """TCP flags, 0 for other protocols."""


def flow_records(path: Path, flow: Flow) -> Iterator[Found]:
    """The flow's records in file order. Raises CaptureError when the file cannot be read."""
    kernel = Kernel()
    with Reader(path) as reader:
        for block in reader.blocks():
            offsets = np.asarray(block.records)[: block.count, layout.REC_OFFSET]
            if offsets[-1] < flow.first_offset:
                continue
            if offsets[0] > flow.last_offset:
                return
            yield from _matching(block, kernel.packets(block), flow)


def _matching(
    block: Block, packets: np.ndarray[tuple[int, int], np.dtype[np.uint64]], flow: Flow
) -> Iterator[Found]:
    rows = np.asarray(block.records)[: block.count]
    forward = _is(packets, flow.client, flow.server, flow.client_port, flow.server_port, flow)
    back = _is(packets, flow.server, flow.client, flow.server_port, flow.client_port, flow)
    real = packets[:, layout.PKT_PACKETS] > 0  # 0: only quoted by an ICMP error
    where = packets[:, layout.PKT_OFFSET]
    inside = (where >= flow.first_offset) & (where <= flow.last_offset)
    for at in np.flatnonzero((forward | back) & real & inside):
        row = rows[np.searchsorted(rows[:, layout.REC_OFFSET], where[at])]
        start, captured = int(row[layout.REC_START]), int(row[layout.REC_CAPLEN])
        yield Found(
            int(row[layout.REC_TIME]),
            int(row[layout.REC_WIRELEN]),
            int(row[layout.REC_LINK]),
            bytes(block.buffer[start : start + captured]),
            bool(forward[at]),
            int(packets[at, layout.PKT_MARKS]) & 0xFF if flow.protocol == TCP else 0,
        )


def _is(
    packets: np.ndarray[tuple[int, int], np.dtype[np.uint64]],
    source: int,
    destination: int,
    source_port: int,
    destination_port: int,
    flow: Flow,
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Packets that run from one end of the flow to the other."""
    who = flow.protocol << 32 | source_port << 16 | destination_port
    wanted = (source >> 64, source & _LOW, destination >> 64, destination & _LOW, who)
    key = np.array(wanted, dtype=np.uint64)
    matching: np.ndarray[tuple[int], np.dtype[np.bool_]] = (packets[:, :5] == key).all(axis=1)
    return matching


def packets_of(path: Path, flow: Flow, limit: int = 1000) -> tuple[Packet, ...]:
    """A flow's packets by our own decoder: time, size, TCP flags and the raw bytes."""
    found = islice(flow_records(path, flow), limit)
    return tuple(own_packet(number, record, flow) for number, record in enumerate(found, 1))


def own_packet(number: int, record: Found, flow: Flow) -> Packet:
    """What we know of a record without tshark."""
    name = PROTOCOL_NAMES.get(flow.protocol, f"ip/{flow.protocol}")
    return Packet(
        number,
        record.time_us,
        record.wire,
        len(record.data),
        record.to_server,
        name,
        _info(record, flow),
        raw=record.data,
    )


def _info(record: Found, flow: Flow) -> str:
    if flow.protocol in PORT_PROTOCOLS:
        ends = [
            f"{format_address(flow.client)} port {flow.client_port}",
            f"{format_address(flow.server)} port {flow.server_port}",
        ]
    else:
        ends = [format_address(flow.client), format_address(flow.server)]
    source, destination = ends if record.to_server else reversed(ends)
    flags = " ".join(flag.name or "" for flag in TcpFlag if record.flags & flag)
    return f"{source} → {destination}{f' [{flags}]' if flags else ''}"


def pcapng(records: Sequence[Found]) -> bytes:
    """Records as a pcapng file with one interface a link type.

    Source: draft-ietf-opsawg-pcapng sections 4.1 to 4.3.
    """
    links = list(dict.fromkeys(record.link for record in records))
    blocks = [_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))]
    blocks += [_block(1, struct.pack("<HHI", link, 0, 0)) for link in links]
    for record in records:
        head = struct.pack(
            "<IIIII",
            links.index(record.link),
            record.time_us >> 32,
            record.time_us & 0xFFFFFFFF,
            len(record.data),
            min(record.wire, 0xFFFFFFFF),
        )
        blocks.append(_block(6, head + record.data))
    return b"".join(blocks)


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length
