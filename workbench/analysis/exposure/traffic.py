"""What was recorded of the risky services, and what a policy makes of it."""

import numpy as np

from workbench.analysis.exposure.openings import service_numbers
from workbench.model.exposure import ServiceTraffic
from workbench.model.risky import RISKY
from workbench.model.simulation import Simulation
from workbench.model.verdict import Class


def risky_traffic(simulation: Simulation) -> tuple[ServiceTraffic, ...]:
    """Every risky service, in the order of RISKY."""
    service, classes = service_numbers(simulation.table), simulation.classes

    def counted(klass: Class | None = None) -> list[int]:
        rows = (service >= 0) & (klass is None or classes == klass)
        found: list[int] = np.bincount(service[rows], minlength=len(RISKY)).tolist()
        return found

    allowed, blocked = counted(Class.PERMITTED), counted(Class.WOULD_BLOCK)
    return tuple(
        ServiceTraffic(risky.id, whole, good + bad, good, bad)
        for risky, whole, good, bad in zip(RISKY, counted(), allowed, blocked, strict=True)
    )
