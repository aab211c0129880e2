"""gzip and zstd: cut anywhere, corrupt, bombs; and files that change while they are read."""

import gzip
import io
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import craft
import pytest
import zstandard
from craft import Pcapng

from workbench.capture.inflate import Damaged, Gunzip, Unzstd
from workbench.capture.reader import Reader
from workbench.model.errors import Cancelled

PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53)


def everything(source: Gunzip | Unzstd) -> tuple[bytes, str]:
    """All bytes, and the damage in words."""
    data, buffer = b"", memoryview(bytearray(1 << 20))
    try:
        while got := source.readinto(buffer):
            data += buffer[:got]
    except Damaged as damage:
        return data, str(damage)
    return data, ""


def zstd(data: bytes, **options: bool) -> bytes:
    return zstandard.ZstdCompressor(level=1, **options).compress(data)


SKIPPABLE = b"\x53\x2a\x4d\x18" + struct.pack("<I", 9) + b"nine more"
NOISE = os.urandom(1 << 18)
FRAMES = [
    zstd(b"short"),
    zstd(bytes(1 << 19)),  # blocks that repeat one byte
    zstd(NOISE),  # raw blocks
    zstd(b"checked" * 9, write_checksum=True),
    zstd(b"unsized" * 9, write_content_size=False),
    SKIPPABLE,
    zstd(b""),
    zstd(b"0123456789abcdef" * 30_000),
]


@pytest.mark.parametrize("number", range(len(FRAMES)))
def test_a_zstd_frame_that_does_not_end_is_noticed(number: int) -> None:
    frame, whole = FRAMES[number], FRAMES[0]
    cuts = {*range(1, min(40, len(frame))), *range(1, len(frame), 997), len(frame) - 1}
    for cut in sorted(cuts):
        data, damage = everything(Unzstd(io.BytesIO(whole + frame[:cut])))
        assert data.startswith(b"short"), cut
        assert damage == "the zstd data are cut short", cut
    data, damage = everything(Unzstd(io.BytesIO(whole + frame + whole)))
    assert data.endswith(b"short")
    assert (len(data), damage) != (5, "")
    assert damage == ""


def test_zstd_cut_between_packets_is_noticed(tmp_path: Path) -> None:
    content = craft.pcap([PACKET] * 10)
    compressor = zstandard.ZstdCompressor().compressobj()
    flushed = compressor.compress(content) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    path = tmp_path / "x.pcap.zst"
    path.write_bytes(flushed)
    with Reader(path) as reader:
        assert sum(block.count for block in reader.blocks()) == 10
    where = f"at byte {len(content)} of the content"
    assert reader.problems == [f"the zstd data are cut short {where}"]
    path.write_bytes(flushed + compressor.flush())
    with Reader(path) as reader:
        assert sum(block.count for block in reader.blocks()) == 10
    assert reader.problems == []


def test_gzip_cut_anywhere() -> None:
    first, second = gzip.compress(b"first", mtime=0), gzip.compress(NOISE, mtime=0)
    assert everything(Gunzip(io.BytesIO(first + second + bytes(99)))) == (b"first" + NOISE, "")
    for cut in (1, 5, 20, 5000, len(second) - 8, len(second) - 1):
        data, damage = everything(Gunzip(io.BytesIO(first + second[:cut])))
        assert (b"first" + NOISE).startswith(data)
        assert len(data) >= 5 + max(0, cut - 70_000)
        assert damage == "the gzip data are cut short"
    data, damage = everything(Gunzip(io.BytesIO(first + b"\x1fnot gzip")))
    assert (data, damage) == (b"first", "something else follows the gzip data")
    spoilt = bytearray(second)
    spoilt[len(spoilt) // 2 : len(spoilt) // 2 + 50] = bytes(50)
    data, damage = everything(Gunzip(io.BytesIO(bytes(spoilt))))
    assert damage.startswith("the gzip data are corrupt")


def bomb(pack: Callable[[bytes], bytes], head: bytes) -> bytes:
    """A gigabyte of zeros behind a capture's beginning."""
    many = pack(bytes(1 << 24))
    return pack(head) + many * 64


@pytest.mark.parametrize("pack", [lambda data: gzip.compress(data, 9), zstd], ids=["gzip", "zstd"])
@pytest.mark.parametrize("kind", ["records", "block"])
def test_bombs(pack: Callable[[bytes], bytes], kind: str) -> None:
    """Empty records without end, or one endless block: bounded memory, and it can be stopped."""
    head = craft.pcap([PACKET])
    if kind == "block":
        head = Pcapng().section().interface().data + struct.pack("<II", 77, 0xFFFF_FFFC)
    data = bomb(pack, head)
    assert len(data) < 1 << 21
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks > 100:
            raise Cancelled("enough")

    tracemalloc.start()
    try:
        with pytest.raises(Cancelled), Reader(Path("x"), stream=io.BytesIO(data), tick=tick) as r:
            for _ in r.blocks():
                pass
        assert 0 < r.position <= len(data)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20  # half a dozen buffers
    finally:
        tracemalloc.stop()


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(craft.pcap([PACKET] * 400_000))
    size = path.stat().st_size
    with Reader(path) as reader:
        blocks = reader.blocks()
        seen = next(blocks).count
        os.truncate(path, 1000)
        seen += sum(block.count for block in blocks)
        assert 0 < seen < 400_000
    line = f"the file shrank from {size} to 1000 bytes while it was read"
    assert reader.problems[-1] == line


def test_a_file_that_grows_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    content = craft.pcap([PACKET] * 10)
    path.write_bytes(content[:200])
    with Reader(path) as reader:
        first = sum(block.count for block in reader.blocks())
        with path.open("ab") as file:
            file.write(content[200:])
        assert reader.cut_short.startswith("cut short: the packet at byte ")
        state, told = reader.state(), reader.fingerprint()
    assert reader.position == 200
    with Reader(path, state=state) as reader:
        assert first + sum(block.count for block in reader.blocks()) == 10
        assert reader.cut_short == ""
        assert reader.fingerprint() != told
    path.write_bytes(content[:200])
    with Reader(path) as reader:
        assert sum(block.count for block in reader.blocks()) == first
        assert reader.fingerprint() == told
