"""How captures stand to each other: the same traffic from other places, or a newer recording."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.model.traffic import CaptureReport

_ENOUGH = 5
"""Shared flows from which a median is robust: two odd ones do not move it far."""


@dataclass(frozen=True, slots=True)
class Vantage:
    """One capture beside another: what they share, and how their clocks and places differ."""

    capture: int
    reference: int
    """Numbers of the two captures; the reference was loaded first."""
    shared: int
    """Flows that were recognised in both, by sequence numbers or checksums."""
    offset_us: int
    """How far the capture's clock is ahead of the reference's: the median over the shared flows of
    the difference of their first times. A delay between the two places is part of it."""
    spread_us: int
    """Half of the shared flows are nearer than this to the offset."""
    hops: int | None
    """Routers between the two places, by the difference of the packets' times to live; None when
    no time to live was seen. Networks that hide their routers make it too small."""

    @property
    def certain(self) -> bool:
        """Whether enough flows are shared for the offset to be more than a rough guess."""
        return self.shared >= _ENOUGH


def replaced(reports: Iterable[CaptureReport]) -> Mapping[int, int]:
    """Captures whose file gave way to another recording under its name → the newest one there."""
    newest: dict[str, int] = {}
    older: dict[int, str] = {}
    for report in sorted(reports, key=lambda report: report.id or 0):
        if report.id is not None and Path(report.path).is_absolute():
            if report.path in newest:
                older[newest[report.path]] = report.path
            newest[report.path] = report.id
    return {number: newest[path] for number, path in older.items()}
