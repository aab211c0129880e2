"""What an edit changed."""

import numpy as np
from numpy.typing import NDArray

from workbench.model.simulation import Changes, Simulation
from workbench.model.verdict import Verdict


def changes(before: Simulation, after: Simulation) -> Changes:
    """Rows whose class differs; both simulations must be of one table, or ValueError.

    Newly allowed and newly blocked go by verdict, among those rows.
    """
    if before.table is not after.table:
        raise ValueError("the two simulations are of different tables")
    rows = np.flatnonzero(before.classes != after.classes)

    def newly(verdict: Verdict) -> int:
        now: NDArray[np.bool_] = after.verdicts[rows] == verdict
        return int(np.count_nonzero(now & (before.verdicts[rows] != verdict)))

    return Changes(
        rows=rows,
        before=before.classes[rows],
        after=after.classes[rows],
        newly_allowed=newly(Verdict.ALLOWED),
        newly_blocked=newly(Verdict.BLOCKED),
    )
