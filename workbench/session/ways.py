"""Exposure for a report: the scenarios, and the ways to the crown jewels."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from workbench.model.errors import Cancelled
from workbench.model.exposure import OUTSIDE, Scenario
from workbench.model.report import ExposureFacts, Some, Way
from workbench.model.traffic import Stop, Tell
from workbench.session.exposure import CROWN, Exposure

if TYPE_CHECKING:
    from workbench.session.session import Session

FOOTHOLDS = 12
"""From so many places ways to the crown jewels are sought: outside, then segments."""


def exposure_facts(
    session: "Session", most: int | None, progress: Tell, cancelled: Stop
) -> ExposureFacts:
    """Figures of every scenario; choke points are those of the draft. Raises Cancelled."""
    exposure = session.exposure
    wholes = tuple(exposure.whole(one, cancelled) for one in exposure.scenarios)
    chokes = exposure.chokes(Scenario.DRAFT, progress=progress, cancelled=cancelled)
    crown = exposure.crowns()
    return ExposureFacts(
        scenarios=wholes,
        segments={one: exposure.by_segment(one) for one in exposure.scenarios},
        traffic=exposure.traffic(),
        crown=Some(crown[:most], len(crown)),
        ways=tuple(_ways(exposure, cancelled)) if crown else (),
        chokes=Some(chokes[:most], len(chokes)),
    )


def _ways(exposure: Exposure, cancelled: Stop) -> Iterator[Way]:
    for foothold in _footholds(exposure):
        for scenario in exposure.scenarios:
            if cancelled and cancelled():
                raise Cancelled("stopped; no report was written")
            if scenario is Scenario.NONE:  # everybody reaches everybody: nothing to tell
                continue
            paths = exposure.paths(foothold, CROWN, scenario, 1, cancelled)
            yield Way(foothold, scenario, paths[0] if paths else None)


def _footholds(exposure: Exposure) -> tuple[str, ...]:
    """The outside, and the largest segments that are not all crown jewels."""
    goal = exposure.target(CROWN)
    sized = sorted(
        (-(bits & ~goal).bit_count(), at, name)
        for at, (name, bits) in enumerate(exposure.segments)
        if bits & ~goal and name != OUTSIDE
    )
    return (OUTSIDE, *(name for _, _, name in sized[: FOOTHOLDS - 1]))
