"""What must hold whatever a file's bytes are: the judge of every fuzzed input.

A report or a CaptureError, soon, with figures that add up; the same from the compiled kernel and
from its uncompiled self, and the same however the bytes arrive and however few flows are held.
"""

import dataclasses
import inspect
import os
import shutil
import tempfile
import time
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np

from fuzz.uncompiled import Instrument, capture_room
from workbench.model.errors import CaptureError
from workbench.model.traffic import FLOW_DTYPES, CaptureReport, FlowColumns

MOST_SECONDS = 5.0
"""Processor time for one input of some kilobytes, which may inflate to some megabytes; compiled."""
MOST_PROBLEMS = 200
_MEMORY = Path("/dev/shm")
"""Where opening a file costs least."""
FEW = 4
"""Flows held at once where spilling is tried."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What reading a file gave: the error in words, or report and flows."""

    error: str | None
    report: CaptureReport | None
    flows: FlowColumns

    @property
    def said(self) -> tuple[str, ...]:
        """What is wrong with the file."""
        problems = self.report.problems if self.report else ()
        return (self.error, *problems) if self.error else problems


class Rooms:
    """Both kinds of `workbench.capture`, and the checks that need one or both."""

    def __init__(self, instrument: Instrument | None = None, *, plain: bool = True) -> None:
        """plain: with the uncompiled one, many times slower; it is what is instrumented then."""
        self.compiled = capture_room(compiled=True, instrument=None if plain else instrument)
        self.plain = capture_room(compiled=False, instrument=instrument) if plain else None
        if not self.compiled.kernel_compiled():
            raise RuntimeError("the kernel is not compiled: there is nothing to compare")
        assert self.plain is None or not self.plain.kernel_compiled()
        folder = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        self._path = Path(tempfile.mkdtemp(prefix="fuzz-", dir=folder), "input.pcap")
        weakref.finalize(self, shutil.rmtree, self._path.parent, ignore_errors=True)

    def check(self, data: bytes, thorough: bool = False) -> Seen:
        """Raises AssertionError, or whatever the reader wrongly raises.

        thorough: every check; otherwise the bytes decide which of the slower ones is done.
        """
        self._path.write_bytes(data)
        began = time.process_time()
        seen = read(self.compiled, self._path, threads=1)
        took = time.process_time() - began
        assert took < MOST_SECONDS, f"{took:.1f} s for {len(data)} bytes"
        consistent(seen)
        if self.plain is not None:
            same(seen, read(self.plain, self._path, threads=1), "compiled", "uncompiled")
        chance = zlib.crc32(data) % 12
        if thorough or chance == 0:
            self._in_drops(seen, 1 + len(data) % 61)
        if thorough or chance == 1:
            self._in_small(seen)
        if thorough or chance == 2:
            self._records(seen)
        return seen

    def _in_drops(self, seen: Seen, step: int) -> None:
        for room in filter(None, (self.compiled, self.plain)):
            with dribbling(room, step):
                drops = read(room, self._path, threads=1)
            # How much is saved of a damaged member, or seen of the damage before the reader gave up
            # for another reason, depends on the steps.
            if not any("corrupt" in said for said in (*seen.said, *drops.said)):
                same(seen, drops, "at once", f"in drops of {step} bytes")

    def _in_small(self, seen: Seen) -> None:
        """Small blocks change nothing; few flows at once only into how many pieces they fall."""
        room = self.plain or self.compiled
        with constants(room, ROOM=3):
            small = read(room, self._path, threads=1)
            same(seen, small, "blocks of many records", "blocks of 3 records")
            same(small, read(room, self._path, threads=3), "1 thread", "3 threads")
        with constants(room, ROOM=2, ROUND=5):
            few = read(room, self._path, capacity=FEW)
        consistent(few)
        assert totals(few) == totals(seen), f"other totals with {FEW} flows held at once"

    def _records(self, seen: Seen) -> None:
        """What the reader gives out, before anything is decoded."""
        framed = [records(room, self._path) for room in (self.compiled, self.plain) if room]
        assert framed[0] == framed[-1], f"compiled: {framed[0]}\nuncompiled: {framed[-1]}"
        if seen.report is not None:
            assert len(framed[0]) <= seen.report.packets + 1  # A-MSDUs hold several packets


def records(room: ModuleType, path: Path) -> list[object]:
    """Every record with its bytes; then what else the reader has found."""
    out: list[object] = []
    try:
        with room.reader.Reader(path) as reader:
            for block in reader.blocks():
                rows = np.asarray(block.records)[: block.count].tolist()
                out += [(*row[1:6], bytes(block.buffer[row[0] : row[0] + row[1]])) for row in rows]
            for name in getattr(reader, "names", {}).values():
                printable(name)
            told = ("problems", "names", "drops", "block_counts", "snaplen", "interfaces")
            out.append([getattr(reader, name, None) for name in told])
    except CaptureError as error:
        out.append(str(error))
    return out


def read(room: ModuleType, path: Path, **options: Any) -> Seen:
    batches: list[FlowColumns] = []
    known = inspect.signature(room.read_capture).parameters
    options = {name: value for name, value in options.items() if name in known}

    def keep(batch: FlowColumns) -> None:
        batches.append({name: column.copy() for name, column in batch.items()})

    try:
        report = room.read_capture(path, on_flows=keep, **options)
    except CaptureError as error:
        return Seen(str(error), None, {})
    empty = {name: np.zeros(0, kind) for name, kind in FLOW_DTYPES.items()}
    flows = {name: np.concatenate([b[name] for b in (empty, *batches)]) for name in FLOW_DTYPES}
    return Seen(None, report, flows)


@contextmanager
def constants(room: ModuleType, **values: int) -> Iterator[None]:
    """Inside, a room's modules have other sizes of blocks and rounds."""
    modules = [module for module in vars(room).values() if isinstance(module, ModuleType)]
    with ExitStack() as stack:
        for name, value in values.items():
            held = [module for module in modules if hasattr(module, name)]
            assert held, name
            for module in held:
                stack.enter_context(patch.object(module, name, value))
        yield


class dribbling:  # noqa: N801 - used like a function
    """Inside, a room's reader gets `step` bytes at a time, and slowly more, to come to an end."""

    def __init__(self, room: ModuleType, step: int) -> None:
        self._reader, self._step = room.reader, step

    def __enter__(self) -> None:
        self._whole = stream, file = self._reader.ReadAhead, self._reader.Copying
        step = self._step

        class Drops:
            """A source, or a plain file, that gives a drop at a time."""

            def __init__(self, source: Any) -> None:
                self._source, self._most = source, float(step)

            def _drop(self, buffer: memoryview) -> memoryview:
                drop = buffer[: int(self._most)]
                self._most *= 1.1
                return drop

            def readinto(self, buffer: memoryview, /) -> int | None:
                got: int | None = self._source.readinto(self._drop(buffer))
                return got

            def read_at(self, place: int, buffer: memoryview) -> int:
                got: int = self._source.read_at(place, self._drop(buffer))
                return got

            @property
            def position(self) -> int:
                at: int = self._source.position
                return at

            @position.setter
            def position(self, at: int) -> None:
                self._source.position = at

        self._reader.ReadAhead = lambda source: stream(Drops(source))
        self._reader.Copying = lambda raw: file(Drops(raw))

    def __exit__(self, *_: object) -> None:
        self._reader.ReadAhead, self._reader.Copying = self._whole


def same(a: Seen, b: Seen, name_a: str, name_b: str) -> None:
    assert a.error == b.error, f"{name_a}: {a.error}\n{name_b}: {b.error}"
    if a.report is None or b.report is None:
        return
    for field in dataclasses.fields(a.report):
        x, y = getattr(a.report, field.name), getattr(b.report, field.name)
        assert x == y, f"report.{field.name}\n{name_a}: {x}\n{name_b}: {y}"
    for name in FLOW_DTYPES:
        x, y = a.flows[name], b.flows[name]
        assert np.array_equal(x, y), f"flows' {name}\n{name_a}: {x}\n{name_b}: {y}"


def totals(seen: Seen) -> dict[str, int]:
    """What doesn't depend on how many pieces a flow is in."""
    if seen.report is None:
        return {}
    flows = seen.flows
    return {
        "packets": seen.report.packets,
        "decoded": seen.report.decoded,
        "flows' packets": _sum(flows, "packets_to_server", "packets_to_client"),
        "flows' bytes": _sum(flows, "bytes_to_server", "bytes_to_client"),
    }


def _sum(flows: FlowColumns, *names: str) -> int:
    return sum(int(value) for name in names for value in flows[name])


def consistent(seen: Seen) -> None:
    """One file's figures add up, and its words can be shown on a terminal."""
    if seen.error is not None:
        printable(seen.error)
        return
    report, flows = seen.report, seen.flows
    assert report is not None
    assert report.packets == report.decoded + sum(report.skipped.values()), report
    assert 0 <= report.decoded <= report.packets and min(report.skipped.values(), default=1) > 0
    assert report.truncated_packets <= report.packets
    assert _sum(flows, "packets_to_server", "packets_to_client") == report.decoded, report
    assert len(flows["protocol"]) == report.flows, report
    timeless = any("none has one" in problem for problem in report.problems)
    assert (report.first_us is None) == (report.packets == 0 or timeless)
    assert (report.last_us is None) == (report.first_us is None)
    if report.flows and not timeless:
        assert report.first_us is not None and report.last_us is not None
        assert report.first_us <= int(flows["first_us"].min())
        assert int(flows["last_us"].max()) <= report.last_us
        assert (flows["first_us"] <= flows["last_us"]).all()
        assert (flows["packets_to_server"] + flows["packets_to_client"] > 0).all()
    for name, kind in FLOW_DTYPES.items():
        assert flows[name].dtype == kind, name
    assert len(report.problems) <= MOST_PROBLEMS
    for words in (report.format, *report.skipped, *report.link_types, *report.problems):
        printable(words)


def printable(words: str) -> None:
    """One line of characters, none of which steers a terminal."""
    assert words.isprintable(), repr(words)
    assert len(words) < 1000, words


Check = Callable[[bytes], Seen]
