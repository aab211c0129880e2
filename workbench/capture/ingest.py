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
from workbench.capture.recording import recording, tally_problems
from workbench.capture.table import FlowTable
from workbench.capture.tally import Tally
from workbench.model.errors import Cancelled
from workbench.model.net import ServiceRange
from workbench.model.traffic import CaptureReport, FlowColumns, Progress

MAX_FLOWS = 1 << 18
"""Flows held at once (128 bytes each); beyond, finished and long silent ones are handed on."""
BATCH = 1 << 17
"""Flows in a batch of columns at most."""
_TICK = 0.1
"""Seconds between progress calls."""


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
    tally = Tally()
    with Reader(path) as reader:
        size = reader.size
        engine = _Engine(on_flows, hints, capacity)
        for block in reader.blocks():
            if cancelled is not None and cancelled():
                raise Cancelled(f"{path}: stopped")
            engine.add(block)
            tally.add(block.buffer, block.records, block.count)
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
        first_us=tally.first if tally.packets else None,
        last_us=tally.last if tally.packets else None,
        wire_bytes=tally.wire_bytes,
        flows=engine.flows,
        problems=tuple(reader.problems + tally_problems(tally)),
        recording=recording(tally),
    )
