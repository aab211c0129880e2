"""One capture file to flows: the reader, the kernels and the flow table, end to end."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.capture.ends import Rows
from workbench.capture.engine import MAX_FLOWS, Engine
from workbench.capture.files import fingerprint
from workbench.capture.flows import flow_columns
from workbench.capture.reader import Block, Reader, link_names
from workbench.capture.recording import recording, tally_problems
from workbench.capture.tally import Tally
from workbench.model.errors import Cancelled
from workbench.model.net import ServiceRange
from workbench.model.traffic import CaptureReport, FlowColumns, Progress

_TICK = 0.1
"""Seconds between progress calls."""


def read_capture(
    path: Path,
    *,
    on_flows: Callable[[FlowColumns], None],
    hints: Sequence[ServiceRange] = (),
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    capacity: int = MAX_FLOWS,
    threads: int | None = None,
) -> CaptureReport:
    """Decode a capture and hand its flows to `on_flows` in batches; memory stays bounded.

    hints: services whose ports are servers' ports. capacity: flows held at once. threads: that work
    side by side, one for each core unless given; the flows are the same.
    Raises CaptureError when the file is no capture at all, Cancelled when `cancelled()` says so;
    everything else that is wrong with the file is in the report.
    """
    began = told = time.monotonic()
    tally = Tally()
    flows = 0

    def look_up() -> None:
        nonlocal told
        if cancelled is not None and cancelled():
            raise Cancelled(f"{path}: stopped")
        now = time.monotonic()
        if progress is not None and now - told >= _TICK:
            told = now
            progress(Progress(path.name, reader.position, size, tally.packets, now - began))

    def count(block: Block) -> None:
        tally.add(block.buffer, block.records, block.count)

    def hand_on(rows: Rows) -> None:
        nonlocal flows
        flows += len(rows)
        on_flows(flow_columns(rows, hints))

    with Reader(path) as reader:
        size = reader.size
        engine = Engine(look_up, count, hand_on, threads=threads, capacity=capacity)
        engine.run(reader.blocks())
        if progress is not None:
            progress(Progress(path.name, size, size, tally.packets, time.monotonic() - began))
    return CaptureReport(
        path=os.path.realpath(path),
        format=reader.format,
        size=size,
        fingerprint=fingerprint(path),
        packets=tally.packets,
        decoded=engine.decoded,
        skipped=engine.skipped(),
        truncated_packets=tally.truncated,
        snaplen=reader.snaplen,
        link_types=link_names(reader),
        interfaces=reader.interfaces,
        first_us=tally.first if tally.packets else None,
        last_us=tally.last if tally.packets else None,
        wire_bytes=tally.wire_bytes,
        flows=flows,
        problems=tuple(reader.problems + tally_problems(tally)),
        recording=recording(tally),
    )
