"""One capture file to flows: the reader, the kernels and the flow table, end to end."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from workbench.capture import layout
from workbench.capture.ends import Rows
from workbench.capture.files import fingerprint
from workbench.capture.flows import flow_columns
from workbench.capture.kernel import Kernel
from workbench.capture.reader import Block, Reader, link_names
from workbench.capture.table import FlowTable
from workbench.model.errors import Cancelled
from workbench.model.net import ServiceRange
from workbench.model.traffic import CaptureReport, FlowColumns, Progress

MAX_FLOWS = 1 << 18
"""Flows held at once (128 bytes each); beyond, finished and long silent ones are handed on."""
BATCH = 1 << 17
"""Flows in a batch of columns at most."""
_TICK = 0.1
"""Seconds between progress calls."""


class _Tally:
    """What the report sums up over all records."""

    def __init__(self) -> None:
        self.packets = self.truncated = self.wire_bytes = self.longer = 0
        self.first: int | None = None
        self.last: int | None = None

    def add(self, block: Block) -> None:
        rows = np.asarray(block.records)[: block.count]
        times = rows[:, layout.REC_TIME]
        captured, wire = rows[:, layout.REC_CAPLEN], rows[:, layout.REC_WIRELEN]
        first, last = int(times.min()), int(times.max())
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.packets += block.count
        self.truncated += int(np.count_nonzero(captured < wire))
        self.longer += int(np.count_nonzero(captured > wire))
        self.wire_bytes += int(wire.sum())

    def problems(self) -> list[str]:
        if self.longer:
            return [f"{self.longer} packets claim fewer bytes on the wire than were captured"]
        return []


class _Engine:
    """The kernels of one file, and the flows that leave them in batches."""

    def __init__(
        self,
        on_flows: Callable[[FlowColumns], None],
        hints: Sequence[ServiceRange],
        capacity: int,
    ) -> None:
        self._on_flows = on_flows
        self._hints = hints
        self.flows = 0
        self.kernel = Kernel()
        self.table = FlowTable(capacity, int.from_bytes(os.urandom(8)))

    def add(self, block: Block) -> None:
        packets = self.kernel.packets(block)
        at = 0
        while (at := self.table.add(packets.data, at, len(packets))) < len(packets):
            self._spill()

    def _held(self) -> Rows:
        return np.asarray(self.table.flows)[: self.table.used]

    def _spill(self) -> None:
        """Hand on all flows but the quarter heard of last and not yet ended."""
        rows = self._held()
        marks, last = rows[:, layout.FLOW_MARKS], rows[:, layout.FLOW_LAST]
        ended = (marks & np.uint64(0x0505)) != 0  # FIN or RST, either way
        newest = np.partition(last, len(last) * 3 // 4)[len(last) * 3 // 4]
        kept = (last > newest) & ~ended
        self._hand_on(rows[~kept])
        order = np.flatnonzero(kept).astype(np.uint64)
        self.table.keep(order.data, len(order))

    def finish(self) -> None:
        self._hand_on(self._held())

    def _hand_on(self, rows: Rows) -> None:
        columns = flow_columns(rows, self._hints)
        self.flows += len(rows)
        for at in range(0, len(rows), BATCH):
            self._on_flows({name: column[at : at + BATCH] for name, column in columns.items()})


def read_capture(
    path: Path,
    *,
    on_flows: Callable[[FlowColumns], None],
    hints: Sequence[ServiceRange] = (),
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    capacity: int = MAX_FLOWS,
) -> CaptureReport:
    """Decode a capture and hand its flows to `on_flows` in batches; memory stays bounded.

    hints: services whose ports are servers' ports. capacity: flows held at once.
    Raises CaptureError when the file is no capture at all, Cancelled when `cancelled()` says so;
    everything else that is wrong with the file is in the report.
    """
    began = told = time.monotonic()
    tally = _Tally()
    with Reader(path) as reader:
        size = reader.size
        engine = _Engine(on_flows, hints, capacity)
        for block in reader.blocks():
            if cancelled is not None and cancelled():
                raise Cancelled(f"{path}: stopped")
            engine.add(block)
            tally.add(block)
            now = time.monotonic()
            if progress is not None and now - told >= _TICK:
                told = now
                progress(Progress(path.name, reader.position, size, tally.packets, now - began))
        engine.finish()
        if progress is not None:
            progress(Progress(path.name, size, size, tally.packets, time.monotonic() - began))
    return CaptureReport(
        path=os.path.realpath(path),
        format=reader.format,
        size=size,
        fingerprint=fingerprint(path),
        packets=tally.packets,
        decoded=engine.kernel.decoded,
        skipped=engine.kernel.skipped(),
        truncated_packets=tally.truncated,
        snaplen=reader.snaplen,
        link_types=link_names(reader),
        interfaces=reader.interfaces,
        first_us=tally.first,
        last_us=tally.last,
        wire_bytes=tally.wire_bytes,
        flows=engine.flows,
        problems=tuple(reader.problems + tally.problems()),
    )
