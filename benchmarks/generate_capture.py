"""Write a large, deterministic capture: TCP and UDP flows between many hosts, IPv4 and IPv6.

    python benchmarks/generate_capture.py /tmp/big.pcap --packets 1000000 --flows 100000

The same arguments always give the same bytes. About 380 bytes a packet on disk.
"""

import argparse
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CHUNK = 50_000
CLIENTS, SERVERS = 4000, 200
DATA = 545
"""IP payload of a data segment, so that a million packets make 380 MB."""


def application(port: int) -> bytes:
    """The beginning of a data segment of DATA bytes, as the port's protocol has it."""
    if port in (80, 8080):
        head = b"POST /api/v1/items HTTP/1.1\r\nHost: app.example\r\nContent-Length: "
        size = DATA - len(head) - len(b"000\r\n\r\n")
        return head + b"%d\r\n\r\n" % size
    if port == 445:  # NetBIOS session, SMB2 WRITE
        body = b"\xfeSMB\x40\0\1\0" + bytes(4) + b"\x09\0\1\0" + bytes(48)
        write = struct.pack("<HHIQ", 49, 112, DATA - 116, 0) + bytes(32)
        return struct.pack(">I", DATA - 4) + body + write
    if port == 5432:
        return b"d" + struct.pack(">I", DATA - 1)  # copy data
    if port == 1433:  # TDS batch
        return struct.pack(">BBHHBB", 1, 1, DATA, 0, 1, 0) + "SELECT name FROM items".encode(
            "utf-16-le"
        )
    if port == 22:
        return b""  # encrypted from the first byte
    return b"\x17\x03\x03" + struct.pack(">H", DATA - 5)  # TLS application data


TCP_PORTS = (443, 80, 445, 3389, 5432, 1433, 22, 8443, 8080, 443)
QUERY = bytes.fromhex("000001000001000000000000") + b"\3app\7example\3org\0\0\1\0\1"
ANSWER = (
    bytes.fromhex("000081800001000100000000")
    + QUERY[12:]
    + bytes.fromhex("c00c00010001000000e100040a010005")
)
MAC = bytes.fromhex("020000000002020000000001")


def schedule(
    packets: int, flows: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Flow, position in the flow and time (microseconds) of every packet, in order of time."""
    udp = np.arange(flows) % 10 < 3
    lengths = np.where(udp, 2, 4 + rng.geometric(1 / 9, flows))
    tcp = np.flatnonzero(~udp)
    while (missing := packets - int(lengths.sum())) != 0:
        some = rng.choice(tcp, min(abs(missing), len(tcp)), replace=False)
        lengths[some] = np.maximum(lengths[some] + np.sign(missing), 2)
    flow = np.repeat(np.arange(flows), lengths)
    position = np.arange(packets) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    start = rng.integers(0, 3_600_000_000, flows)
    time = start[flow] + position * rng.integers(200, 200_000, flows)[flow]
    order = np.argsort(time, kind="stable")
    return flow[order], position[order], time[order] + 1_760_000_000_000_000


def headers(
    flow: NDArray[np.int64], position: NDArray[np.int64], v6: bool, udp: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Ethernet, IP and transport headers as a matrix of bytes, and the payload lengths."""
    count, ip, transport = len(flow), 40 if v6 else 20, 8 if udp else 20
    back = (position % 2 == 1) & ((position < 3) | (position % 4 == 1) | udp)
    lengths = (len(ANSWER), len(QUERY)) if udp else (0, DATA)
    payload = np.where(back, *lengths)
    if not udp:
        payload[position < 3] = 0
    out = np.zeros((count, 14 + ip + transport), np.uint8)
    out[:, :12] = np.frombuffer(MAC, np.uint8)
    out[:, 12:14] = (0x86, 0xDD) if v6 else (0x08, 0x00)
    client, server = flow % CLIENTS, flow * 7 % SERVERS
    client_port = 32768 + flow // CLIENTS * 131 % 28000
    server_port = np.where(udp, 53, np.array(TCP_PORTS)[flow // 10 % len(TCP_PORTS)])

    def put(at: int, size: int, values: NDArray[np.int64] | int) -> None:
        for byte in range(size):
            out[:, at + byte] = (np.asarray(values) >> 8 * (size - 1 - byte)) & 0xFF

    protocol = 17 if udp else 6
    ends = (client, server + 0x10000)
    source, target = np.where(back, ends[1], ends[0]), np.where(back, ends[0], ends[1])
    if v6:
        out[:, 14] = 0x60
        put(18, 2, transport + payload)
        out[:, 20], out[:, 21] = protocol, 64
        out[:, 22], out[:, 38] = 0xFD, 0xFD
        put(34, 4, source)
        put(50, 4, target)
    else:
        out[:, 14] = 0x45
        put(16, 2, ip + transport + payload)
        out[:, 22], out[:, 23] = 64, protocol
        put(26, 4, 0x0A000000 + source)
        put(30, 4, 0x0A000000 + target)
    at = 14 + ip
    put(at, 2, np.where(back, server_port, client_port))
    put(at + 2, 2, np.where(back, client_port, server_port))
    if udp:
        put(at + 4, 2, 8 + payload)
    else:
        segments = np.maximum(position - 3 - ((position + 2) // 4 - 1), 0)  # of data before this
        sent = DATA * segments + (position > 1)
        put(at + 4, 4, np.where(back, position > 1, sent))
        put(at + 8, 4, np.where(back, np.maximum(sent, 1), position > 1))
        put(at + 14, 2, 0xFFF0)  # window
        out[:, at + 12] = 0x50
        out[:, at + 13] = np.select([position == 0, position == 1], [0x02, 0x12], 0x18)
    return out, payload


def chunk_bytes(
    flow: NDArray[np.int64],
    position: NDArray[np.int64],
    time: NDArray[np.int64],
    noise: NDArray[np.uint8],
) -> bytes:
    """pcap records of one stretch of packets."""
    v6, udp = flow % 10 == 9, flow % 10 < 3
    built = []
    sizes = np.zeros(len(flow), np.int64)
    for is_v6, is_udp in ((False, False), (False, True), (True, False)):
        here = np.flatnonzero((v6 == is_v6) & (udp == is_udp))
        matrix, payload = headers(flow[here], position[here], is_v6, is_udp)
        sizes[here] = matrix.shape[1] + payload
        built.append((here, matrix))
    starts = np.concatenate([[0], np.cumsum(sizes + 16)])
    out = np.resize(noise, int(starts[-1]))
    record = np.stack([time // 1_000_000, time % 1_000_000, sizes, sizes], axis=1).astype("<u4")
    out[starts[:-1, None] + np.arange(16)] = record.view(np.uint8)
    for here, matrix in built:
        out[starts[here, None] + 16 + np.arange(matrix.shape[1])] = matrix
        at = starts[here] + 16 + matrix.shape[1]
        fill(out, at, flow[here], sizes[here] - matrix.shape[1], bool(udp[here].all()))
    return out.tobytes()


def fill(
    out: NDArray[np.uint8],
    at: NDArray[np.int64],
    flow: NDArray[np.int64],
    payload: NDArray[np.int64],
    udp: bool,
) -> None:
    """Write the beginnings of the payloads; the rest of them is noise already."""
    for number, port in enumerate((53,) if udp else TCP_PORTS):
        texts = (QUERY, ANSWER) if udp else (application(port),)
        for text in texts:
            size = len(text) if udp else DATA
            here = (payload == size) & (udp | (flow // 10 % len(TCP_PORTS) == number))
            spots = at[here, None] + np.arange(len(text))
            out[spots] = np.frombuffer(text, np.uint8)
            if udp:
                out[at[here]], out[at[here] + 1] = flow[here] >> 8 & 0xFF, flow[here] & 0xFF


def generate(path: Path, packets: int, flows: int, seed: int = 1) -> None:
    """Write the capture. `packets` must be at least 6 times `flows`."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, 65521, np.uint8)
    flow, position, time = schedule(packets, flows, rng)
    with path.open("wb") as file:
        head = np.array([0xA1B2C3D4, 0x00040002, 0, 0, 262144, 1], "<u4")
        file.write(head.tobytes())
        for at in range(0, packets, CHUNK):
            piece = slice(at, at + CHUNK)
            file.write(chunk_bytes(flow[piece], position[piece], time[piece], noise))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--flows", type=int, default=100_000)
    args = parser.parse_args()
    generate(args.path, args.packets, args.flows)
    print(f"{args.path}: {args.packets} packets, {args.path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
