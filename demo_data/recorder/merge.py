"""Puts the bridges' recordings into one pcapng, in order, with the story's times."""

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

Packet = tuple[int, int, int, bytes]
"""Time in microseconds, interface number, length on the wire, bytes."""


def read_pcap(path: Path, interface: int) -> Iterator[Packet]:
    """The packets of a classic, little-endian, microsecond pcap as tcpdump writes it here."""
    data = path.read_bytes()
    magic, link = struct.unpack_from("<I16xI", data)
    if (magic, link) != (0xA1B2C3D4, 1):
        raise ValueError(f"{path}: expected an Ethernet pcap of this machine")
    at = 24
    while at < len(data):
        seconds, micros, size, wire = struct.unpack_from("<4I", data, at)
        yield seconds * 1_000_000 + micros, interface, wire, data[at + 16 : at + 16 + size]
        at += 16 + size


class StoryTime:
    """Maps the time of the recording to the time of the story.

    Every step has a window that begins at a real and at a story time. Inside a window time runs
    as it did; only the pauses between windows are stretched. Order is kept.
    """

    def __init__(self) -> None:
        self._real: list[int] = []
        self._story: list[int] = []

    def begin(self, real: int, story: int) -> int:
        """Open a window, microseconds; returns its story time, never before the last one's end."""
        if self._real:
            story = max(story, self(real))
        self._real.append(real)
        self._story.append(story)
        return story

    def __call__(self, real: int) -> int:
        at = max(0, bisect_right(self._real, real) - 1)
        return self._story[at] + real - self._real[at]


def merge(files: Sequence[Path], time: StoryTime) -> list[Packet]:
    """All packets of the bridges in order, at story times."""
    packets = [packet for at, path in enumerate(files) for packet in read_pcap(path, at)]
    packets.sort(key=lambda packet: packet[0])
    return [(time(real), *rest) for real, *rest in packets]  # type: ignore[misc]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _option(code: int, text: str) -> bytes:
    return struct.pack("<HH", code, len(text.encode())) + _padded(text.encode())


def write_pcapng(
    path: Path, interfaces: Sequence[str], packets: Sequence[Packet], note: str
) -> None:
    """Section header, one interface a subnet, enhanced packets (draft-ietf-opsawg-pcapng)."""
    end = bytes(4)
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _option(1, note) + end
    blocks = [_block(0x0A0D0D0A, section)]
    ethernet = struct.pack("<HHI", 1, 0, 262_144)
    blocks += [_block(1, ethernet + _option(2, name) + end) for name in interfaces]
    for time, interface, wire, data in packets:
        head = struct.pack("<5I", interface, time >> 32, time & 0xFFFF_FFFF, len(data), wire)
        blocks.append(_block(6, head + _padded(data)))
    path.write_bytes(b"".join(blocks))
