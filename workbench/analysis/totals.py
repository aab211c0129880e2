"""Totals, coverage and rule use, summed over cells in exact integers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.cells import Cells
from workbench.model.verdict import Class, Coverage, Totals

COVERED = (Class.PERMITTED, Class.MISDROPPED)
UNCOVERED = (Class.WOULD_BLOCK, Class.REJECTED)


def totals_of(cells: Cells, classes: NDArray[np.uint8]) -> Totals:
    """How many of what; `classes` by cell."""
    return Totals(
        conversations=int(cells.conversations.sum()),
        flows=int(cells.flows.sum()),
        bytes=int(cells.bytes.sum()),
        by_class=_by_class(classes, cells.conversations),
        bytes_by_class=_by_class(classes, cells.bytes),
    )


def _by_class(classes: NDArray[np.uint8], amounts: NDArray[np.int64]) -> Mapping[Class, int]:
    sums = np.zeros(len(Class) + 1, dtype=np.int64)
    np.add.at(sums, classes, amounts)
    return {klass: int(sums[klass]) for klass in Class}


def coverage_of(totals: Totals) -> Coverage:
    """Covered of all in scope; what cannot be told and what is excluded does not count."""

    def total(amounts: Mapping[Class, int], classes: tuple[Class, ...]) -> int:
        return sum(amounts[klass] for klass in classes)

    return Coverage(
        conversations=total(totals.by_class, COVERED),
        in_scope=total(totals.by_class, COVERED + UNCOVERED),
        bytes=total(totals.bytes_by_class, COVERED),
        bytes_in_scope=total(totals.bytes_by_class, COVERED + UNCOVERED),
    )
