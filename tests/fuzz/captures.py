"""Capture files taken apart, changed and put together again: mutation that knows the formats.

A change to random bytes of a file nearly always breaks its framing, and there it ends. These keep
the framing right most of the time, to reach what is inside, and break it on purpose sometimes.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import zstandard

from fuzz import frames

MAX_INFLATED = 1 << 20
"""Bytes of a compressed file that are taken apart; larger ones are changed as they are."""
_MAGICS = (0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34)
_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 11, 12, 16, 31, 32, 127, 128, 255, 256, 32767, 65535)
_BIG_NUMBERS = (*_NUMBERS, 1 << 16, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)
_LINKS = (*frames.LINKS, 147, 65535)

Mutate = Callable[[bytes, int], bytes]
"""(bytes, maximum length) → changed bytes: the fuzzer's own idea of what to try next."""


@dataclass
class Piece:
    """A pcap record, or a pcapng block without its lengths."""

    kind: int
    """pcapng block type; 0 for pcap."""
    head: bytes
    """pcap: seconds, fraction, wire length, what else the record header has."""
    body: bytes


@dataclass
class File:
    """A capture as pieces. `build(take_apart(data))` is `data` where that is well-formed."""

    order: str
    head: bytes
    """The pcap file header; empty for pcapng."""
    pieces: list[Piece] = field(default_factory=list)
    rest: bytes = b""
    """What fits no piece."""

    @property
    def link(self) -> int:
        if self.head:
            return struct.unpack(self.order + "I", self.head[20:24])[0] & 0xFFFF
        for piece in self.pieces:
            if piece.kind == 1 and len(piece.body) >= 8:
                return struct.unpack(self.order + "H", piece.body[:2])[0]
        return 1


def take_apart(data: bytes) -> File | None:
    """None where the data are no capture."""
    for order in "<>":
        if len(data) >= 24 and struct.unpack(order + "I", data[:4])[0] in _MAGICS:
            return _pcap(data, order)
    if data[:4] == b"\n\r\r\n" and len(data) >= 28:
        return _pcapng(data, "<" if data[8:9] == b"\x4d" else ">")
    return None


def _record_size(file: File) -> int:
    return 24 if struct.unpack(file.order + "I", file.head[:4])[0] == 0xA1B2CD34 else 16


def _pcap(data: bytes, order: str) -> File:
    file = File(order, data[:24])
    size, at = _record_size(file), 24
    while at + size <= len(data):
        captured = struct.unpack(order + "I", data[at + 8 : at + 12])[0]
        if at + size + captured > len(data):
            break
        head = data[at : at + 8] + data[at + 12 : at + size]
        file.pieces.append(Piece(0, head, data[at + size : at + size + captured]))
        at += size + captured
    file.rest = data[at:]
    return file


def _pcapng(data: bytes, order: str) -> File:
    file, at = File(order, b""), 0
    while at + 12 <= len(data):
        kind, length = struct.unpack(order + "II", data[at : at + 8])
        if length < 12 or length % 4 or at + length > len(data):
            break
        file.pieces.append(Piece(kind, b"", data[at + 8 : at + length - 4]))
        at += length
    file.rest = data[at:]
    return file


def build(file: File) -> bytes:
    parts = [file.head]
    for piece in file.pieces:
        if file.head:
            captured = struct.pack(file.order + "I", len(piece.body))
            parts += [piece.head[:8], captured, piece.head[8:], piece.body]
        else:
            body = piece.body + bytes(-len(piece.body) % 4)
            length = struct.pack(file.order + "I", len(body) + 12)
            parts += [struct.pack(file.order + "I", piece.kind), length, body, length]
    return b"".join(parts) + file.rest


# Pieces from nothing


def new_piece(rng: Random, file: File) -> Piece:
    """A packet of the file's link type; in pcapng sometimes another block."""
    packet = frames.frame(rng, file.link)
    wire = len(packet) + rng.choice((0, 0, 0, 0, 1400, 1 << 31))
    seconds = rng.choice((1_700_000_000, 1_700_000_060, 0, (1 << 32) - 1))
    order = file.order
    if file.head:
        head = struct.pack(order + "III", seconds, rng.choice((0, 999_999, 1 << 31)), wire)
        return Piece(0, head + bytes(_record_size(file) - 16), packet)
    kind = rng.random()
    if kind < 0.65:
        high, low = divmod(seconds * 1_000_000, 1 << 32)
        number = rng.choice((0, 0, 0, 1, 2))
        body = struct.pack(order + "IIIII", number, high, low, len(packet), wire) + packet
        return Piece(6, b"", body + bytes(-len(body) % 4) + _options(rng, order, (2, 4)))
    if kind < 0.72:
        return Piece(3, b"", struct.pack(order + "I", wire) + packet)
    if kind < 0.79:
        body = struct.pack(order + "HHIIII", 0, 3, 395_000, 7, len(packet), wire) + packet
        return Piece(2, b"", body)
    return _other_block(rng, order)


def _other_block(rng: Random, order: str) -> Piece:
    kind = rng.choice((0x0A0D0D0A, 1, 1, 1, 4, 4, 5, 10, 0xBAD, 0x40000BAD, 0x80000001))
    if kind == 0x0A0D0D0A:
        return Piece(kind, b"", struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
    if kind == 1:
        body = struct.pack(order + "HHI", rng.choice(_LINKS), 0, rng.choice((0, 64, 262144)))
        return Piece(kind, b"", body + _options(rng, order, (2, 3, 9, 14, 4, 8)))
    if kind == 4:
        name = rng.choice((b"pc-01\0", b"\x1b[31mred\0", b"a\0b\0", b"\xff\xfe\0", b"no-end"))
        v6 = rng.random() < 0.3
        value = bytes.fromhex("fd000000000000000000000000000001" if v6 else "0a000001") + name
        record = struct.pack(order + "HH", 2 if v6 else 1, len(value)) + value
        return Piece(kind, b"", record + bytes(-len(record) % 4) + bytes(4))
    if kind == 5:
        head = struct.pack(order + "III", 0, 395_000, 7)
        return Piece(kind, b"", head + _options(rng, order, (4, 5, 7)))
    return Piece(kind, b"", rng.randbytes(4 * rng.randrange(12)))


def _options(rng: Random, order: str, codes: tuple[int, ...]) -> bytes:
    out = b""
    for code in rng.choices(codes, k=rng.choice((0, 0, 1, 2))):
        value = rng.choice((b"\6", b"\x09", b"\x80", b"\xff", b"eth0", b"\x1b]0;x\7", bytes(8)))
        if rng.random() < 0.3:
            value = rng.randbytes(8)
        size = len(value) if rng.random() < 0.95 else rng.choice(_NUMBERS)
        out += struct.pack(order + "HH", code, size) + value + bytes(-len(value) % 4)
    return out + (bytes(4) if out and rng.random() < 0.9 else b"")


def new_file(rng: Random) -> File:
    """A small capture with a little of everything."""
    order = rng.choice("<<>")
    if rng.random() < 0.5:
        magic, link = rng.choice(_MAGICS), rng.choice(_LINKS)
        file = File(order, struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link))
    else:
        section = struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)
        interface = struct.pack(order + "HHI", rng.choice(_LINKS), 0, 0)
        described = interface + _options(rng, order, (2, 9, 14))
        file = File(order, b"", [Piece(0x0A0D0D0A, b"", section), Piece(1, b"", described)])
    file.pieces += [new_piece(rng, file) for _ in range(rng.randrange(1, 8))]
    return file


# Changes


def mutate(data: bytes, rng: Random, largest: int, further: Mutate | None = None) -> bytes:
    """A changed capture of at most `largest` bytes; the same for the same generator."""
    plain, packing = unpack(data)
    file = take_apart(plain) if plain is not None else None
    if file is None or rng.random() < 0.02:
        file = new_file(rng) if file is None and rng.random() < 0.5 else file
        if file is None:
            return (further or _noise(rng))(data, largest)[:largest]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        rng.choices(tuple(_CHANGES), tuple(_CHANGES.values()))[0](file, rng, further or _noise(rng))
    if rng.random() < 0.03:
        packing = rng.choice(("", "gzip", "zstd"))
    while len(out := pack(build(file), packing)) > largest and len(file.pieces) > 2:
        kept = len(file.pieces) * largest // len(out)
        del file.pieces[max(2, min(kept, len(file.pieces) - 1)) :]
    if rng.random() < (0.2 if packing else 0.03):
        out = (further or _noise(rng))(out, largest)
    return out[:largest]


def unpack(data: bytes) -> tuple[bytes | None, str]:
    """Inflated and how it was packed; None where that fails or is too much."""
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
                return stream.read(MAX_INFLATED), "gzip"
        if data[:4] == b"\x28\xb5\x2f\xfd":
            with zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(data) as out:
                return out.read(MAX_INFLATED), "zstd"
    except (OSError, EOFError, ValueError, zstandard.ZstdError, zlib.error):
        return None, ""
    return data, ""


def pack(data: bytes, packing: str) -> bytes:
    if packing == "gzip":
        return gzip.compress(data, 1, mtime=0)
    return zstandard.ZstdCompressor(level=1).compress(data) if packing == "zstd" else data


def _noise(rng: Random) -> Mutate:
    """What to do to bytes when no fuzzer says better."""

    def change(data: bytes, largest: int) -> bytes:
        out = bytearray(data[:largest])
        for _ in range(rng.choice((1, 1, 2, 4))):
            _change_bytes(out, rng)
        return bytes(out)

    return change


def _change_bytes(out: bytearray, rng: Random) -> None:
    at, how = rng.randrange(len(out) + 1), rng.random()
    if how < 0.3:
        out[at : at + 1] = bytes([rng.randrange(256)])
    elif how < 0.5 and at < len(out):
        out[at] ^= 1 << rng.randrange(8)
    elif how < 0.7:
        size = rng.choice((1, 2, 4))
        number = rng.choice(_BIG_NUMBERS) & (1 << 8 * size) - 1
        out[at : at + size] = number.to_bytes(size, rng.choice(("big", "little")))
    elif how < 0.8:
        del out[at : at + rng.choice((1, 2, 4, 8, 16))]
    elif how < 0.9:
        out[at:at] = rng.randbytes(rng.choice((1, 2, 4, 8)))
    else:
        source = rng.randrange(len(out) + 1)
        out[at:at] = out[source : source + rng.choice((4, 8, 16, 20, 40))]


Change = Callable[[File, Random, Mutate], None]


def _packets(file: File) -> list[int]:
    if file.head:
        return list(range(len(file.pieces)))
    return [i for i, piece in enumerate(file.pieces) if piece.kind in (2, 3, 6)]


def _add(file: File, rng: Random, further: Mutate) -> None:
    count = len(file.pieces)
    file.pieces.insert(rng.randint(min(2, count), count), new_piece(rng, file))


def _remove(file: File, rng: Random, further: Mutate) -> None:
    if file.pieces:
        del file.pieces[rng.randrange(len(file.pieces))]


def _again(file: File, rng: Random, further: Mutate) -> None:
    if file.pieces:
        piece = replace(rng.choice(file.pieces))
        file.pieces.insert(rng.randint(0, len(file.pieces)), piece)


def _swap(file: File, rng: Random, further: Mutate) -> None:
    if len(file.pieces) > 1:
        a, b = rng.sample(range(len(file.pieces)), 2)
        file.pieces[a], file.pieces[b] = file.pieces[b], file.pieces[a]


def _change_body(file: File, rng: Random, further: Mutate) -> None:
    """Bytes inside a packet or block: the framing stays right."""
    if file.pieces:
        piece = rng.choice(file.pieces)
        piece.body = further(piece.body, len(piece.body) + 64)


def _change_packet(file: File, rng: Random, further: Mutate) -> None:
    """Bytes of a packet alone, in front of all in its headers."""
    if packets := _packets(file):
        piece = file.pieces[rng.choice(packets)]
        skip = {0: 0, 2: 20, 3: 4, 6: 20}[piece.kind]
        head, rest = piece.body[: skip + 64], piece.body[skip + 64 :]
        out = bytearray(head[skip:])
        _change_bytes(out, rng)
        piece.body = head[:skip] + bytes(out) + rest


def _cut(file: File, rng: Random, further: Mutate) -> None:
    """A packet captured short."""
    if file.head and file.pieces:
        piece = rng.choice(file.pieces)
        piece.body = piece.body[: rng.randint(0, len(piece.body))]
    elif packets := [i for i in _packets(file) if file.pieces[i].kind == 6]:
        piece = file.pieces[rng.choice(packets)]
        size = rng.choice((*_BIG_NUMBERS, rng.randrange(100)))
        piece.body = piece.body[:12] + struct.pack(file.order + "I", size) + piece.body[16:]


def _change_head(file: File, rng: Random, further: Mutate) -> None:
    """Times, lengths and numbers of the format itself."""
    number = struct.pack(file.order + "I", rng.choice(_BIG_NUMBERS))
    if file.head and (rng.random() < 0.4 or not file.pieces):
        at = rng.randrange(0, 24, 4)
        file.head = file.head[:at] + number + file.head[at + 4 :]
        if struct.unpack(file.order + "I", file.head[:4])[0] not in _MAGICS:
            file.rest = build(file)  # goes on as what it is: no capture
            file.head, file.pieces = b"", []
    elif file.head:
        piece = rng.choice(file.pieces)
        at = rng.randrange(0, 12, 4)
        piece.head = piece.head[:at] + number + piece.head[at + 4 :]
    elif file.pieces:
        piece = rng.choice(file.pieces)
        at = 4 * rng.randrange(5)
        piece.body = piece.body[:at] + number + piece.body[at + 4 :]


def _change_link(file: File, rng: Random, further: Mutate) -> None:
    link = rng.choice(_LINKS)
    if file.head:
        file.head = file.head[:20] + struct.pack(file.order + "I", link)
    else:
        described = [piece for piece in file.pieces if piece.kind == 1]
        if described:
            piece = rng.choice(described)
            piece.body = struct.pack(file.order + "H", link) + piece.body[2:]
    fresh = rng.random() < 0.7
    for i in _packets(file) if fresh else ():
        if rng.random() < 0.5:
            file.pieces[i] = new_piece(rng, file)


def _cut_file(file: File, rng: Random, further: Mutate) -> None:
    whole = build(file)
    file.rest = whole[: rng.randint(0, len(whole))]
    file.head, file.pieces = b"", []


def _change_kind(file: File, rng: Random, further: Mutate) -> None:
    if not file.head and file.pieces:
        piece = rng.choice(file.pieces)
        piece.kind = rng.choice((1, 2, 3, 4, 5, 6, 0x0A0D0D0A, 0x40000BAD, 0))


_CHANGES: dict[Change, int] = {
    _add: 20,
    _remove: 4,
    _again: 6,
    _swap: 3,
    _change_body: 14,
    _change_packet: 30,
    _cut: 6,
    _change_head: 8,
    _change_link: 5,
    _cut_file: 2,
    _change_kind: 2,
}
"""Each with how often it is tried."""
