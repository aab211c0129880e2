"""A capture read from somewhere inside it, without reading what comes before where that can be."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from workbench.capture import layout
from workbench.capture.reader import Block, Reader
from workbench.capture.state import State

Tick = Callable[[Reader | None], None]
"""Told of the reader at work, at least every tenth of a second; may raise to stop."""


def blocks_from(
    path: Path, offset: int, fits: Callable[[Block], bool], tick: Tick
) -> Iterator[tuple[Reader, Block]]:
    """Blocks of records, each with its reader, from the record at a byte offset on.

    `fits`: whether a block begins with the record that is meant. A pcapng file may describe
    interfaces anywhere, so it is entered with those known at its first packet; where the record
    does not fit them, or cannot be reached that way, the file is read from its beginning, and the
    caller gets earlier blocks too. Raises CaptureError.
    """
    begin = _beginning(path, tick)
    if begin.offset <= offset and begin.format != "pcapng (gzip)":
        with _open(path, tick, replace(begin, offset=offset)) as reader:
            entered = False
            for block in reader.blocks():
                if not entered and not fits(block):
                    break
                entered = True
                yield reader, block
            if entered:
                return
    with _open(path, tick) as reader:
        for block in reader.blocks():
            yield reader, block


def _beginning(path: Path, tick: Tick) -> State:
    """The state of a reader that knows the file header, or the first interfaces."""
    with _open(path, tick) as reader:
        if reader.format.startswith("pcapng"):
            next(reader.blocks(), None)
        return reader.state()


def _open(path: Path, tick: Tick, state: State | None = None) -> Reader:
    opened: list[Reader] = []
    reader = Reader(path, state=state, tick=lambda: tick(opened[0] if opened else None))
    opened.append(reader)
    return reader


def beyond_microsecond(state: State, block: Block, row: int) -> int:
    """Nanoseconds of a record's time stamp that its microseconds leave out.

    Read from the record's own header, which lies before its bytes. 0 for simple packets. `state`:
    of the reader that gave the block.
    """
    start, captured = (int(block.records[row, at]) for at in (layout.REC_START, layout.REC_CAPLEN))

    def number(at: int, size: int) -> int:
        data = block.buffer[max(0, at) : max(0, at + size)]
        return int.from_bytes(data, "big" if state.big else "little")

    if state.header:  # pcap
        nano = state.table[0][layout.IF_UNITS] == 1_000_000_000
        return number(start - state.header + 4, 4) % 1000 if nano else 0
    kind = number(start - 28, 4)
    if kind not in (2, 6) or number(start - 8, 4) != captured:
        return 0
    interface = number(start - 20, 4 if kind == 6 else 2)
    if interface >= len(state.table):
        return 0
    ticks = number(start - 16, 4) << 32 | number(start - 12, 4)
    before, units = state.table[interface][layout.IF_PRE], state.table[interface][layout.IF_UNITS]
    return ticks // before % units * 1_000_000_000 // units % 1000
