"""Write a large, deterministic capture: TCP and UDP flows between many hosts, IPv4 and IPv6.

    python benchmarks/generate_capture.py /tmp/big.pcap --packets 1000000 --flows 100000
    python benchmarks/generate_capture.py /tmp/full.pcap --shape full-size
    python benchmarks/generate_capture.py /tmp/cut.pcap --packets 5000000 --data 1440 --snaplen 96

The same arguments always give the same bytes. Packets are made a stretch of time after another:
memory goes with the flows (some 200 MB for a million), not with the packets.
"""

import argparse
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Packets = tuple[Numbers, Numbers, Numbers]
"""Flow, position in the flow, and time (microseconds) of each packet."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a capture is to be like."""

    packets: int = 1_000_000
    """At least 3 times the flows."""
    flows: int = 100_000
    """At least 10: of ten flows three are UDP, six TCP over IPv4, one TCP over IPv6."""
    data: int = 545
    """TCP payload of a data segment, bytes; 1440 fills an MTU of 1500 over IPv6."""
    snaplen: int = 262144
    """Bytes kept of a packet, 96 or more: all headers."""
    ack_every: int = 4
    """One packet in so many, 3 or more, is an acknowledgement without data."""

    def __post_init__(self) -> None:
        if self.flows < 10 or self.packets < 3 * self.flows:
            raise ValueError("at least 10 flows, and 3 packets for each")
        if not 128 <= self.data <= 9000 or self.snaplen < 96 or self.ack_every < 3:
            raise ValueError("data is 128 to 9000, snaplen 96 or more, ack_every 3 or more")


SHAPES = {
    "default": Shape(),
    "full-size": Shape(packets=3_000_000, flows=50_000, data=1440, ack_every=20),
    "snaplen-96": Shape(packets=10_000_000, flows=50_000, data=1440, snaplen=96),
    "million-flows": Shape(packets=10_000_000, flows=1_000_000),
}
CHUNK = 50_000
WINDOW = 250_000
"""Packets put in order at a time, about."""
CLIENTS, SERVERS = 4000, 200
TCP_PORTS = (443, 80, 445, 3389, 5432, 1433, 22, 8443, 8080, 443)
QUERY = bytes.fromhex("000001000001000000000000") + b"\3app\7example\3org\0\0\1\0\1"
ANSWER = (
    bytes.fromhex("000081800001000100000000")
    + QUERY[12:]
    + bytes.fromhex("c00c00010001000000e100040a010005")
)
MAC = bytes.fromhex("020000000002020000000001")
RECORD = [("seconds", "<u4"), ("micros", "<u4"), ("captured", "<u4"), ("wire", "<u4")]
ETHERNET = [("macs", "12u1"), ("ethertype", ">u2")]
IPV4 = [
    *(("version", ">u2"), ("length", ">u2"), ("fragment", ">u4"), ("ttl", "u1")),
    *(("protocol", "u1"), ("header_sum", ">u2"), ("source", ">u4"), ("target", ">u4")),
]
IPV6 = [
    *(("version", ">u4"), ("length", ">u2"), ("protocol", "u1"), ("ttl", "u1")),
    *(("source_net", ">u8"), ("source_subnet", ">u4"), ("source", ">u4")),
    *(("target_net", ">u8"), ("target_subnet", ">u4"), ("target", ">u4")),
]
PORTS = [("source_port", ">u2"), ("target_port", ">u2")]
UDP = [("udp_length", ">u2"), ("udp_sum", ">u2")]
TCP = [
    *(("sequence", ">u4"), ("acknowledged", ">u4"), ("offset", "u1"), ("flags", "u1")),
    *(("window", ">u2"), ("tcp_sum", ">u2"), ("urgent", ">u2")),
]


def application(port: int, data: int) -> bytes:
    """The beginning of a data segment of `data` bytes, as the port's protocol has it."""
    if port in (80, 8080):
        head = b"POST /api/v1/items HTTP/1.1\r\nHost: app.example\r\nContent-Length: "
        rest = data - len(head) - len(b"\r\n\r\n")
        digits = len(str(rest))
        return head + str(rest - digits).zfill(digits).encode() + b"\r\n\r\n"
    if port == 445:  # NetBIOS session, SMB2 WRITE
        body = b"\xfeSMB\x40\0\1\0" + bytes(4) + b"\x09\0\1\0" + bytes(48)
        write = struct.pack("<HHIQ", 49, 112, data - 116, 0) + bytes(32)
        return struct.pack(">I", data - 4) + body + write
    if port == 5432:
        return b"d" + struct.pack(">I", data - 1)  # copy data
    if port == 1433:  # TDS batch
        return struct.pack(">BBHHBB", 1, 1, data, 0, 1, 0) + "SELECT name FROM items".encode(
            "utf-16-le"
        )
    if port == 22:
        return b""  # encrypted from the first byte
    return b"\x17\x03\x03" + struct.pack(">H", data - 5)  # TLS application data


def schedule(shape: Shape, rng: np.random.Generator) -> Iterator[Packets]:
    """All packets in order of time, one window of time after another."""
    flows = shape.flows
    udp = np.arange(flows) % 10 < 3
    lengths = np.where(udp, 2, 4 + rng.geometric(1 / 9, flows))
    tcp = np.flatnonzero(~udp)
    while (missing := shape.packets - int(lengths.sum())) != 0:
        some = rng.choice(tcp, min(abs(missing), len(tcp)), replace=False)
        lengths[some] = np.maximum(lengths[some] + np.sign(missing), 2)
    start = rng.integers(0, 3_600_000_000, flows)
    gap = rng.integers(200, 200_000, flows)
    end = int((start + (lengths - 1) * gap).max()) + 1
    done = np.zeros(flows, np.int64)
    for edge in np.linspace(0, end, shape.packets // WINDOW + 2).astype(np.int64)[1:]:
        due = np.clip((edge - start + gap - 1) // gap, 0, lengths)  # packets before the edge
        here = np.flatnonzero(due > done)
        counts = (due - done)[here]
        flow = np.repeat(here, counts)
        position = np.arange(len(flow)) + np.repeat(done[here] - (counts.cumsum() - counts), counts)
        time = start[flow] + position * gap[flow]
        order = np.argsort(time, kind="stable")
        yield flow[order], position[order], time[order] + 1_760_000_000_000_000
        done = due


def chunked(windows: Iterator[Packets], size: int) -> Iterator[Packets]:
    """The same packets, `size` at a time."""
    held: tuple[NDArray[np.int64], ...] = tuple(np.empty(0, np.int64) for _ in range(3))
    for window in windows:
        held = tuple(np.concatenate(pair) for pair in zip(held, window, strict=True))
        whole = len(held[0]) // size * size
        for at in range(0, whole, size):
            flow, position, time = (column[at : at + size] for column in held)
            yield flow, position, time
        held = tuple(column[whole:] for column in held)
    flow, position, time = held
    if len(flow):
        yield flow, position, time


def records(
    packets: Packets, shape: Shape, v6: bool, udp: bool
) -> tuple[NDArray[np.uint8], Numbers]:
    """pcap record, Ethernet, IP and transport headers, a row each; captured bytes after them."""
    flow, position, time = packets
    fields = [*RECORD, *ETHERNET, *(IPV6 if v6 else IPV4), *PORTS, *(UDP if udp else TCP)]
    out = np.zeros(len(flow), np.dtype(fields))
    head, transport = out.itemsize - 16, 8 if udp else 20
    back = position % shape.ack_every == 1
    payload = np.where(back, len(ANSWER), len(QUERY)) if udp else np.where(back, 0, shape.data)
    if not udp:
        payload[position < 3] = 0
    captured = np.minimum(head + payload, shape.snaplen)
    out["seconds"], out["micros"] = time // 1_000_000, time % 1_000_000
    out["captured"], out["wire"] = captured, head + payload
    out["macs"] = np.frombuffer(MAC, np.uint8)
    out["ethertype"] = 0x86DD if v6 else 0x0800
    out["version"] = 0x60000000 if v6 else 0x4500
    out["length"] = (transport if v6 else 20 + transport) + payload
    out["ttl"], out["protocol"] = 64, 17 if udp else 6
    network = 0 if v6 else 0x0A000000
    client, server = network + flow % CLIENTS, network + 0x10000 + flow * 7 % SERVERS
    out["source"], out["target"] = np.where(back, server, client), np.where(back, client, server)
    if v6:
        out["source_net"] = out["target_net"] = 0xFD << 56
    client_port = 32768 + flow // CLIENTS * 131 % 28000
    server_port = np.where(udp, 53, np.array(TCP_PORTS)[flow // 10 % len(TCP_PORTS)])
    out["source_port"] = np.where(back, server_port, client_port)
    out["target_port"] = np.where(back, client_port, server_port)
    if udp:
        out["udp_length"] = 8 + payload
    else:
        number_segments(out, position, back, shape)
    return out.view(np.uint8).reshape(len(flow), -1), captured - head


def number_segments(
    out: NDArray[np.void], position: Numbers, back: NDArray[np.bool_], shape: Shape
) -> None:
    """Sequence numbers, flags and window of TCP segments; each flow begins at 0."""
    acks = (position + shape.ack_every - 2) // shape.ack_every - 1  # after the opening
    sent = shape.data * np.maximum(position - 3 - acks, 0) + (position > 1)
    out["sequence"] = np.where(back, position > 1, sent)
    out["acknowledged"] = np.where(back, np.maximum(sent, 1), position > 1)
    out["offset"], out["window"] = 0x50, 0xFFF0
    out["flags"] = np.select([position == 0, position == 1], [0x02, 0x12], 0x18)


def chunk_bytes(packets: Packets, shape: Shape, noise: NDArray[np.uint8]) -> memoryview:
    """pcap records of one stretch of packets."""
    flow = packets[0]
    v6, udp = flow % 10 == 9, flow % 10 < 3
    sizes = np.zeros(len(flow), np.int64)
    groups = []
    for is_v6, is_udp in ((False, False), (False, True), (True, False)):
        here = np.flatnonzero((v6 == is_v6) & (udp == is_udp))
        picked = (flow[here], packets[1][here], packets[2][here])
        rows, payload = records(picked, shape, is_v6, is_udp)
        sizes[here] = rows.shape[1] + payload
        groups.append((here, is_udp, rows, payload))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    out = np.resize(noise, int(starts[-1]))
    for here, is_udp, rows, payload in groups:
        write(out, starts[here], rows)
        fill(out, starts[here] + rows.shape[1], flow[here], payload, is_udp, shape)
    return out.data


def write(out: NDArray[np.uint8], at: Numbers, rows: NDArray[np.uint8]) -> None:
    """Copy each row, or the one row, to its place."""
    if len(at) and rows.size:
        sliding_window_view(out, rows.shape[1], writeable=True)[at] = rows


def fill(
    out: NDArray[np.uint8],
    at: Numbers,
    flow: Numbers,
    payload: Numbers,
    udp: bool,
    shape: Shape,
) -> None:
    """Write the beginnings of the payloads, as captured; the rest of them is noise already."""
    kind = flow // 10 % len(TCP_PORTS)
    room = payload.max(initial=0)
    for number, port in enumerate((53,) if udp else TCP_PORTS):
        texts = (QUERY, ANSWER) if udp else (application(port, shape.data),)
        for text in texts:
            size = len(text) if udp else room
            here = at[(payload == size) & (udp | (kind == number))]
            write(out, here, np.frombuffer(text[:size], np.uint8)[None])
    if udp:
        out[at], out[at + 1] = flow >> 8 & 0xFF, flow & 0xFF  # the transaction


def generate(path: Path, shape: Shape, seed: int = 1) -> None:
    """Write the capture."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, 65521, np.uint8)
    with path.open("wb") as file:
        head = np.array([0xA1B2C3D4, 0x00040002, 0, 0, shape.snaplen, 1], "<u4")
        file.write(head.tobytes())
        for packets in chunked(schedule(shape, rng), CHUNK):
            file.write(chunk_bytes(packets, shape, noise))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="default", help="to begin with")
    for name in ("packets", "flows", "data", "snaplen", "ack-every"):
        parser.add_argument(f"--{name}", type=int)
    args = vars(parser.parse_args())
    path, shape = args.pop("path"), SHAPES[args.pop("shape")]
    try:
        shape = replace(shape, **{name: value for name, value in args.items() if value is not None})
    except ValueError as error:
        parser.error(str(error))
    generate(path, shape)
    print(f"{path}: {shape.packets} packets, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
