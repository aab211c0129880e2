"""The tally says what plain Python says of the same records, however they are cut into blocks."""

import importlib.machinery
import importlib.util
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from craft import icmp, ipv4, ipv6, tcp, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import layout
from workbench.capture import tally as compiled

BUCKETS, GAPS, NEAR = compiled.BUCKETS, compiled.GAPS, compiled.NEAR
A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
PACKETS = (
    ipv4(A, B, 6, tcp(40000, 445, 2), ident=1),
    ipv4(A, B, 6, tcp(40000, 445, 2), ident=2),
    ipv4(B, A, 6, tcp(445, 40000, 18) + b"\1\1\10\12" + bytes(8), ident=3),
    ipv4(A, B, 17, udp(5000, 53, b"question"), ident=4),
    ipv4(A, B, 1, icmp(8, ident=7)),
    ipv6(A6, B6, 6, tcp(40000, 443)),
    ipv6(A6, B6, 17, udp(5353, 5353, b"x" * 40)),
    b"",
)
"""Packets that do not meet in one slot of the kernel's memory; the last one is no IP."""


def plain() -> ModuleType:
    """The kernel as plain Python."""
    path = Path(layout.__file__).parent / "tally.py"
    loader = importlib.machinery.SourceFileLoader("plain_tally", str(path))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


UNCOMPILED = plain()


@dataclass(frozen=True)
class Record:
    which: int
    time: int
    longer: int
    """Bytes on the wire less bytes captured."""
    pad: int
    """Bytes before it in the buffer: packets lie anywhere."""

    @property
    def data(self) -> bytes:
        return PACKETS[self.which]

    @property
    def wire(self) -> int:
        return max(0, len(self.data) + self.longer)


_step = st.sampled_from([0, 1, 40, 900, 5_000, 20_000, 10**6, 10**9, -1, -3_000, -(10**8)])
_records = st.lists(
    st.tuples(
        st.integers(0, len(PACKETS) - 1), _step, st.integers(-2, 2), st.integers(0, 9)
    ),
    max_size=60,
)  # fmt: skip


def timed(drawn: list[tuple[int, int, int, int]]) -> list[Record]:
    records, time = [], 1_700_000_000_000_000
    for which, step, longer, pad in drawn:
        time = max(0, time + step)
        records.append(Record(which, time, longer, pad))
    return records


def add(tally: Any, records: list[Record]) -> None:
    """One block, its buffer no longer than it must be."""
    buffer = bytearray()
    rows = np.zeros((len(records), layout.RECORD_WORDS), np.uint64)
    for row, record in zip(rows, records, strict=True):
        buffer += bytes(record.pad)
        row[layout.REC_START] = len(buffer)
        row[layout.REC_IP] = len(buffer) if record.data else layout.NOT_IP
        row[layout.REC_CAPLEN], row[layout.REC_WIRELEN] = len(record.data), record.wire
        row[layout.REC_TIME] = record.time
        buffer += record.data
    tally.add(memoryview(buffer), rows.data, len(records))


def told(tally: Any) -> dict[str, Any]:
    names = (
        "packets", "truncated", "longer", "wire_bytes", "captured_bytes", "first", "last",
        "steps_back", "step_back", "step_back_at", "compared", "copies", "width",
    )  # fmt: skip
    found = {name: getattr(tally, name) for name in names}
    found["gaps"] = [tuple(tally.gaps[at, side] for side in (0, 1)) for at in range(GAPS)]
    found["buckets"] = list(tally.buckets)
    return found


def defined(records: list[Record]) -> dict[str, Any]:
    """The tally as its definition has it."""
    times = [record.time for record in records]
    silences, steps = [], []
    high = times[0]
    for before, time in pairwise(times):
        if time >= high:
            silences.append((high, time - high))
        elif time >= before:
            silences.append((before, time - before))
        else:
            steps.append((before - time, before))
        high = max(high, time)
    longest = sorted((one for one in silences if one[1]), key=lambda one: -one[1])[:GAPS]
    largest = max(steps, key=lambda one: one[0], default=(0, 0))
    since = [max(0, time - times[0]) for time in times]
    width = 1000
    while max(since) // width >= BUCKETS:
        width *= 2
    seen: dict[int, int] = {}
    compared = copies = 0
    for record in records:
        if record.data:
            now, which = record.time >> 10, record.which
            compared += 1
            copies += which in seen and (now - seen[which] + 1) % (1 << 24) <= NEAR
            seen[which] = now
    sizes = [(len(record.data), record.wire) for record in records]
    return {
        "packets": len(records),
        "truncated": sum(held < wire for held, wire in sizes),
        "longer": sum(held > wire for held, wire in sizes),
        "wire_bytes": sum(wire for _, wire in sizes),
        "captured_bytes": sum(held for held, _ in sizes),
        "first": min(times),
        "last": max(times),
        "steps_back": len(steps),
        "step_back": largest[0],
        "step_back_at": largest[1],
        "compared": compared,
        "copies": copies,
        "width": width,
        "gaps": longest + [(0, 0)] * (GAPS - len(longest)),
        "buckets": [sum(one // width == at for one in since) for at in range(BUCKETS)],
    }


@settings(max_examples=150, deadline=None)
@given(_records, st.sets(st.integers(0, 60), max_size=5))
def test_blocks_anywhere_compiled_or_not_give_what_is_defined(
    drawn: list[tuple[int, int, int, int]], cuts: set[int]
) -> None:
    records = timed(drawn)
    edges = sorted({0, len(records), *(cut for cut in cuts if cut < len(records))})
    pieces = [records[a:b] for a, b in pairwise(edges)]
    for kernel in (compiled, UNCOMPILED):
        whole, cut = kernel.Tally(), kernel.Tally()
        add(whole, records)
        for piece in pieces:
            add(cut, piece)
        assert told(whole) == told(cut)
        if records:
            assert told(cut) == defined(records)


_word = st.integers(0, 2**64 - 1)
_rows = st.lists(
    st.tuples(_word, _word, _word, st.integers(0, layout.LAST_TIME), _word | st.integers(0, 80)),
    max_size=20,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(_rows, st.binary(max_size=64))
def test_records_that_make_no_sense_read_no_byte_beyond_the_buffer(
    drawn: list[tuple[int, int, int, int, int]], data: bytes
) -> None:
    rows = np.zeros((max(1, len(drawn)), layout.RECORD_WORDS), np.uint64)
    for row, (start, caplen, wire, time, ip) in zip(rows, drawn, strict=False):
        row[[layout.REC_START, layout.REC_CAPLEN, layout.REC_WIRELEN]] = start, caplen, wire
        row[[layout.REC_TIME, layout.REC_IP]] = time, ip
    tally = compiled.Tally()
    tally.add(memoryview(bytearray(data)), rows.data, len(drawn))
    assert tally.packets == len(drawn)
