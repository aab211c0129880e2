"""Capture reports as records: JSON keys are the model's field names."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from workbench.cli import heads
from workbench.cli.output import emit, shown_time
from workbench.cli.table import Record
from workbench.model.net import format_address
from workbench.model.recording import Gap
from workbench.model.traffic import CaptureReport, format_time

LISTED = (
    "id", "file", "packets", "flows", "first_seen", "last_seen", "care", "skipped", "problems",
    "truncated_packets", "format", "size", "path",
)  # fmt: skip
"""Columns of the short table, the least important last."""


def print_captures(found: Iterable[Record], form: str, head: Sequence[str] = heads.CAPTURE) -> None:
    """A line a capture, for all of them; everything in JSON and CSV."""
    emit(found, form, head, columns=LISTED, limit=0)


def report_record(report: CaptureReport) -> Record:
    """One capture and what it lacked, without its flows."""
    recording = report.recording
    return {
        "id": report.id,
        "path": report.path,
        "file": Path(report.path).name,
        "format": report.format,
        "size": report.size,
        "packets": report.packets,
        "decoded": report.decoded,
        "flows": report.flows,
        "skipped": dict(report.skipped),
        "truncated_packets": report.truncated_packets,
        "snaplen": report.snaplen,
        "link_types": list(report.link_types),
        "interfaces": report.interfaces,
        "wire_bytes": report.wire_bytes,
        "first_seen": shown_time(report.first_us),
        "last_seen": shown_time(report.last_us),
        "problems": list(report.problems),
        "ending": str(report.ending),
        "drops": report.drops,
        "names": report.names,
        "captured_bytes": recording.captured_bytes,
        "compared_packets": recording.compared,
        "likely_copies": recording.copies,
        "steps_back": recording.steps_back,
        "largest_step_back_us": recording.step_back_us,
        "gaps": [gap_record(gap) for gap in recording.gaps],
        "activity": {"bucket_us": recording.bucket_us, "packets": list(recording.activity)},
        "tunnels": [
            {**asdict(tunnel), "ends": [format_address(end) for end in tunnel.ends]}
            for tunnel in report.tunnels
        ],
    }


def gap_record(gap: Gap) -> Record:
    """A silence."""
    return {
        "start": format_time(gap.start_us),
        "end": format_time(gap.end_us),
        "us": gap.length_us,
    }
