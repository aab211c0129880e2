"""A capture read in pieces, through a reader's state, gives what it gives when read at once."""

import gzip
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import zstandard
from craft import Pcapng, pcap
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import layout, pcapng, reader
from workbench.capture.reader import Reader
from workbench.capture.state import State
from workbench.model.errors import CaptureError

Record = tuple[int, int, int, int, bytes]


@dataclass
class Story:
    """All that a reader says of a file."""

    records: list[Record]
    """File offset, microseconds, wire length, link type, bytes."""
    said: dict[str, object]
    problems: list[str]
    state: State


def read(
    data: bytes, state: State | None = None, blocks: int | None = None, name: str = "in memory"
) -> Story:
    """All of it, or so many blocks. The state passes through its text."""
    given_ = None if state is None else State.loads(state.dumps())
    records: list[Record] = []
    with Reader(Path(name), stream=io.BytesIO(data), state=given_) as reader:
        for number, block in enumerate(reader.blocks(), 1):
            for row in range(block.count):
                start, caplen, wirelen, time, link, offset = (
                    block.records[row, word] for word in range(layout.REC_IP)
                )
                packet = bytes(block.buffer[start : start + caplen])
                records.append((offset, time, wirelen, link, packet))
            if number == blocks:
                break
        said = {
            "format": reader.format,
            "links": list(reader.link_types),
            "interfaces": reader.interfaces,
            "snaplen": reader.snaplen,
            "blocks": dict(reader.block_counts),
            "drops": reader.drops,
        }
        return Story(records, said, reader.problems, reader.state())


packets = st.lists(st.binary(max_size=70), max_size=6)


@st.composite
def pcaps(draw: st.DrawFn, modified: bool = True) -> bytes:
    """One file, or two joined by `cat`."""
    kinds: list[dict[str, bool]] = [{}, {"nano": True}, {"modified": True}]
    kind = draw(st.sampled_from(kinds if modified else kinds[:2]))
    big, content = draw(st.booleans()), b""
    for _ in range(draw(st.integers(1, 2))):
        given_ = draw(packets)
        wire = [len(packet) + draw(st.integers(0, 3)) for packet in given_]
        content += pcap(given_, wire=wire, big=big, link=draw(st.integers(0, 300)), **kind)
    return content


@st.composite
def pcapngs(draw: st.DrawFn) -> bytes:
    return b"".join(draw(sections()) for _ in range(draw(st.integers(1, 3))))


@st.composite
def sections(draw: st.DrawFn) -> bytes:
    big = draw(st.booleans())
    order = ">" if big else "<"
    file = Pcapng(big).section()
    for _ in range(draw(st.integers(0, 9))):
        packet, interface = draw(st.binary(max_size=50)), draw(st.integers(0, 2))
        kind = draw(st.sampled_from(["interface", "enhanced", "simple", "drops", "other", "names"]))
        if kind == "interface":
            options = [(9, bytes([draw(st.sampled_from([3, 6, 9, 0x8A]))]))]
            options += [(14, struct.pack(order + "q", 60))] if draw(st.booleans()) else []
            file.interface(draw(st.integers(0, 200)), draw(st.integers(0, 60)), *options)
        elif kind == "enhanced":
            file.enhanced(packet, draw(st.integers(0, 2**50)), interface)
        elif kind == "simple":
            file.simple(packet)
        elif kind == "drops":
            option = struct.pack(order + "HHQ", 5, 8, draw(st.integers(0, 9)))
            file.block(5, struct.pack(order + "III", interface, 0, 0) + option)
        elif kind == "names":
            file.block(4, struct.pack(order + "HH", 1, 6) + b"\x0a\0\0\1n\0\0\0")
        else:
            file.block(draw(st.sampled_from([10, 0xBAD, 77])), packet)
    return file.data


PACKERS: list[Callable[[bytes], bytes]] = [
    bytes,
    lambda data: gzip.compress(data, 1, mtime=0),
    zstandard.ZstdCompressor().compress,
]


@settings(max_examples=150, deadline=None)
@given(st.one_of(pcaps(modified=False), pcapngs()), st.data(), st.sampled_from(PACKERS))
def test_a_file_that_grows(
    content: bytes, data: st.DataObject, pack: Callable[[bytes], bytes]
) -> None:
    """Each time, there is a little more of it, cut anywhere.

    The first records of a modified file tell how long their headers are; one record and four bytes
    of the next look like a record with a longer one.
    """
    whole = read(pack(content))
    first = 24 if whole.said["format"] == "pcap" else 4  # less is no capture yet
    sizes = data.draw(st.lists(st.integers(24, len(content)), max_size=3).map(sorted))
    state, records = None, []
    for size in (*sizes, len(content)):
        story = read(pack(content[: max(first, size)]), state)
        records += story.records
        state = story.state
        assert all(offset < state.offset for offset, *_ in records)
    assert undated(records, whole.records) == whole.records
    assert (story.said, story.problems) == (whole.said, whole.problems)
    assert state == whole.state


def undated(records: list[Record], whole: list[Record]) -> list[Record]:
    """With the times of the whole file where there was none yet when the first ones were read."""
    times = {offset: time for offset, time, *_ in whole}
    return [(offset, time or times[offset], *rest) for offset, time, *rest in records]


@settings(max_examples=60, deadline=None)
@given(st.one_of(pcaps(), pcapngs()), st.sampled_from(PACKERS))
def test_a_reading_that_was_interrupted(content: bytes, pack: Callable[[bytes], bytes]) -> None:
    """After any number of blocks; here, a block ends where something else than a packet comes."""
    whole = read(pack(content))
    blocks = 0
    while (part := read(pack(content), blocks=blocks + 1)).records != whole.records:
        rest = read(pack(content), part.state)
        assert part.records + rest.records == whole.records
        assert (rest.said, rest.problems) == (whole.said, whole.problems)
        blocks += 1


@settings(max_examples=150, deadline=None)
@given(st.one_of(pcaps(), pcapngs()), st.data(), st.integers(1, 3))
def test_a_damaged_file_in_two_readings(content: bytes, data: st.DataObject, blocks: int) -> None:
    damaged = bytearray(content)
    for at in data.draw(st.lists(st.integers(4, len(content) - 1), max_size=5)):
        damaged[at] = data.draw(st.sampled_from([0, 1, 4, 8, 127, 128, 255]))
    try:
        whole = read(bytes(damaged))
    except CaptureError:
        return
    part = read(bytes(damaged), blocks=blocks)
    rest = read(bytes(damaged), part.state)
    assert part.records + rest.records == whole.records
    assert (rest.said, rest.state) == (whole.said, whole.state)
    told = [[line for line in one.problems if "reserved" not in line] for one in (rest, whole)]
    assert told[0] == told[1]


def test_many_records_in_many_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ROOM", 8192)
    content = pcap([bytes([number % 256]) * (number % 90) for number in range(70_000)])
    whole = read(content)
    for blocks in (1, 3, 7):
        part = read(content, blocks=blocks)
        rest = read(content, part.state)
        assert 0 < len(part.records) < 70_000
        assert part.records + rest.records == whole.records


def test_a_state_is_small_and_bounded() -> None:
    one = Pcapng().interface().data
    story = read(Pcapng().section().data + one)
    assert len(story.state.dumps()) < 500
    story = read(Pcapng().section().data + one * (pcapng.MAX_INTERFACES + 10))
    assert len(story.state.table) == pcapng.MAX_INTERFACES
    assert story.state.described == pcapng.MAX_INTERFACES + 10


@pytest.mark.parametrize("pack", PACKERS, ids=["plain", "gzip", "zstd"])
def test_another_file_is_refused(pack: Callable[[bytes], bytes]) -> None:
    content = pcap([bytes(50)] * 10)
    state = read(pack(content)).state
    for other in (content[:300], Pcapng().section().data + bytes(2000), b"no capture at all", b""):
        with pytest.raises(CaptureError):
            read(pack(other), state)
    if pack is not bytes:
        with pytest.raises(CaptureError, match="not the file that was read before"):
            read(content, state)


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"table": 1}', "7"])
def test_what_is_no_state(text: str) -> None:
    with pytest.raises(ValueError):
        State.loads(text)
