"""Capture reports in and out of the store."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from workbench.model.recording import Ending, Gap, Recording, Tunnel
from workbench.model.traffic import CaptureReport
from workbench.store.database import Connection

_INSERT = """
    INSERT INTO captures (
        id, path, format, size, fingerprint, packets, decoded, skipped, truncated_packets,
        snaplen, link_types, interfaces, first_us, last_us, wire_bytes, flows, problems,
        recording, drops, names, tunnels, ending, state
    ) VALUES (
        $id, $path, $format, $size, $fingerprint, $packets, $decoded, $skipped, $truncated_packets,
        $snaplen, $link_types, $interfaces, $first_us, $last_us, $wire_bytes, $flows, $problems,
        $recording, $drops, $names, $tunnels, $ending, $state
    )
"""
_SELECT = """
    SELECT id, path, format, size, fingerprint, packets, decoded, skipped, truncated_packets,
        snaplen, link_types, interfaces, first_us, last_us, wire_bytes, flows, problems,
        recording, drops, names, tunnels, ending, state
    FROM captures ORDER BY id
"""
_INSERT_NAMES = """
    INSERT INTO names
    SELECT $3, unnest($1::VARCHAR[])::UHUGEINT, unnest($2::VARCHAR[])
"""
_SELECT_NAMES = """
    SELECT address::VARCHAR, name FROM names SEMI JOIN hosts USING (address) ORDER BY capture
"""


def insert_capture(cursor: Connection, capture_id: int, report: CaptureReport) -> None:
    """Store one report under its number."""
    values = {
        field.name: getattr(report, field.name)
        for field in fields(report)
        if field.name not in ("in_pieces", "host_names")
    }
    values["id"] = capture_id
    values["path"] = os.fsencode(report.path)
    values["skipped"] = json.dumps(dict(report.skipped))
    values["link_types"] = json.dumps(report.link_types)
    values["problems"] = json.dumps(report.problems)
    values["recording"] = json.dumps(asdict(report.recording))
    values["tunnels"] = json.dumps([asdict(tunnel) for tunnel in report.tunnels])
    values["ending"] = report.ending.value
    cursor.execute(_INSERT, values)


def insert_names(cursor: Connection, capture_id: int, names: Mapping[int, str]) -> None:
    """What a capture calls addresses, added to what it brought before."""
    if names:
        rows = [[str(address) for address in names], list(names.values()), capture_id]
        cursor.execute(_INSERT_NAMES, rows)


def read_names(cursor: Connection) -> dict[int, str]:
    """Address → name, for hosts that were seen; the first capture's word counts."""
    rows = cursor.execute(_SELECT_NAMES).fetchall()
    return {int(address): name for address, name in reversed(rows)}


def read_captures(cursor: Connection) -> tuple[CaptureReport, ...]:
    """Every capture, in the order they were loaded."""
    rows = cursor.execute(_SELECT).fetchall()
    names = [column[0] for column in cursor.description or ()]
    return tuple(_report(dict(zip(names, row, strict=True))) for row in rows)


def _report(row: dict[str, Any]) -> CaptureReport:
    row["path"] = os.fsdecode(row["path"])
    row["skipped"] = json.loads(row["skipped"])
    row["link_types"] = tuple(json.loads(row["link_types"]))
    row["problems"] = tuple(json.loads(row["problems"]))
    row["recording"] = _recording(json.loads(row["recording"]))
    row["tunnels"] = tuple(
        Tunnel(**{**one, "ends": tuple(one["ends"])}) for one in json.loads(row["tunnels"])
    )
    row["ending"] = Ending(row["ending"])
    return CaptureReport(**row)


def _recording(found: dict[str, Any]) -> Recording:
    found["gaps"] = tuple(Gap(**gap) for gap in found.get("gaps", ()))
    found["activity"] = tuple(found.get("activity", ()))
    return Recording(**found)
