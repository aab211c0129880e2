"""One capture file to flows: the reader, the engine and the report, end to end."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from workbench.capture.aggregates import unfolded
from workbench.capture.ends import Rows
from workbench.capture.engine import MAX_FLOWS, Engine
from workbench.capture.files import called
from workbench.capture.flows import flow_columns
from workbench.capture.fragments import Fragments
from workbench.capture.reader import Block, Reader, link_names
from workbench.capture.recording import read_on, recording, tally_problems
from workbench.capture.state import State
from workbench.capture.tally import Tally
from workbench.model.errors import Cancelled
from workbench.model.net import ServiceRange
from workbench.model.recording import Ending
from workbench.model.traffic import LINGER, CaptureReport, FlowColumns, Progress, Stop, Tell

_TICK = 0.1
"""Seconds between progress calls."""


def read_capture(
    path: Path,
    *,
    on_flows: Callable[[FlowColumns], None],
    hints: Sequence[ServiceRange] = (),
    progress: Tell = None,
    cancelled: Stop = None,
    capacity: int = MAX_FLOWS,
    threads: int | None = None,
    before: CaptureReport | None = None,
    limit: int | None = None,
    fragments: Fragments | None = None,
) -> CaptureReport:
    """Decode a capture and hand its flows to `on_flows` in batches; memory stays bounded.

    hints: services whose ports are servers' ports. capacity: flows held at once. threads: that work
    side by side, one for each core unless given; the flows are the same. before: the report of a
    reading that stopped; this one goes on from there, and the result speaks of both. limit: stop
    after about so many (inflated) bytes, with a report that can be gone on from. fragments: the
    same for several readings, one after the other, where datagrams go on from one to the next.

    `-` is standard input. Raises CaptureError when the file is no capture at all, Cancelled when
    `cancelled()` says so; everything else that is wrong with the file is in the report.
    """
    job = _Job(path, on_flows, hints, progress, cancelled, before)
    return job.run(capacity, threads, limit, fragments)


class _Job:
    """One reading of one file."""

    def __init__(
        self,
        path: Path,
        on_flows: Callable[[FlowColumns], None],
        hints: Sequence[ServiceRange],
        progress: Tell,
        cancelled: Stop,
        before: CaptureReport | None,
    ) -> None:
        self._path = path
        self._called = ""
        self._on_flows = on_flows
        self._hints = hints
        self._progress = progress
        self._cancelled = cancelled
        self._before = before
        self._began = self._told = time.monotonic()
        self._tally = Tally()
        self._flows = 0
        self._stopped = False
        self._reader: Reader | None = None

    def run(
        self, capacity: int, threads: int | None, limit: int | None, fragments: Fragments | None
    ) -> CaptureReport:
        state = State.loads(self._before.state) if self._before else None
        with Reader(self._path, state=state, tick=self._look_up) as reader:
            self._called = called(self._path)
            self._reader = reader
            self._engine = Engine(
                self._look_up,
                reader.fill,
                self._count,
                self._finish,
                self._hand_on,
                threads=threads,
                capacity=capacity,
                before=self._before.tunnels if self._before else (),
                fragments=fragments,
            )
            try:
                self._engine.run(self._blocks(reader, limit))
                self._tell()
                report = self._report(reader)
            finally:  # they call this job: together they would stay until garbage is collected
                self._reader = None
                del self._engine
        return report if self._before is None else read_on(self._before, report)

    def _blocks(self, reader: Reader, limit: int | None) -> Iterator[Block]:
        begin = reader.offset
        for block in reader.blocks():
            yield from unfolded(block)
            if limit is not None and reader.offset - begin >= limit:
                self._stopped = True
                return

    def _look_up(self) -> None:
        """Called all the time, by any thread."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled(f"{self._path}: stopped")
        if time.monotonic() - self._told >= _TICK:
            self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        if self._progress is not None and (reader := self._reader) is not None:
            packets, elapsed = self._tally.packets, self._told - self._began
            done, size = reader.position, reader.size
            self._progress(Progress(Path(self._called).name, done, size, packets, elapsed))

    def _count(self, block: Block) -> None:
        self._tally.add(block.buffer, block.records, block.count)

    def _finish(self, rows: Rows) -> FlowColumns:
        return flow_columns(rows, self._hints)

    def _hand_on(self, flows: FlowColumns) -> None:
        self._flows += len(flows["protocol"])
        self._on_flows(flows)

    def _report(self, reader: Reader) -> CaptureReport:
        tally, engine = self._tally, self._engine
        state = reader.state()
        whole = not self._stopped and not reader.growing  # though maybe not to its end
        size = reader.size if whole and reader.seekable else reader.position
        size = state.offset if self._stopped and not reader.packed else size
        jumped = engine.rounds > 1 and tally.step_back > LINGER
        return CaptureReport(
            path=self._called,
            format=reader.format,
            size=size,
            fingerprint=reader.fingerprint(size),
            packets=tally.packets,
            decoded=engine.decoded,
            skipped=engine.skipped(),
            truncated_packets=tally.truncated,
            snaplen=reader.snaplen,
            link_types=link_names(reader),
            interfaces=reader.interfaces,
            first_us=tally.first if tally.packets and reader.dated else None,
            last_us=tally.last if tally.packets and reader.dated else None,
            wire_bytes=tally.wire_bytes,
            flows=self._flows,
            problems=tuple(reader.problems + tally_problems(tally)),
            recording=recording(tally),
            drops=reader.drops,
            names=len(reader.names),
            tunnels=engine.tunnels(),
            ending=self._ending(reader),
            state=state.dumps() if reader.seekable else "",
            in_pieces=engine.crowded or jumped,
            host_names=dict(reader.names),
        )

    def _ending(self, reader: Reader) -> Ending:
        if self._stopped:
            return Ending.PART
        if reader.growing:
            return Ending.GROWING
        return Ending.CUT if reader.cut_short or reader.given_up else Ending.COMPLETE
