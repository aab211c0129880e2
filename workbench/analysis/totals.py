"""Totals, coverage and rule use, summed over cells in exact integers."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.cells import Cells
from workbench.model.verdict import Class, Coverage, Totals

COVERED = (Class.PERMITTED, Class.MISDROPPED)
UNCOVERED = (Class.WOULD_BLOCK, Class.REJECTED)


class Sums:
    """Conversations and bytes by class, kept up to date as cells change class."""

    def __init__(self, cells: Cells) -> None:
        self._amounts = (cells.conversations, cells.bytes)
        self._by_class = (np.zeros(len(Class) + 1, np.int64), np.zeros(len(Class) + 1, np.int64))
        """By class; 0 stands for "not judged yet"."""
        for amounts, by_class in zip(self._amounts, self._by_class, strict=True):
            by_class[0] = amounts.sum()
        self._flows = int(cells.flows.sum())

    def move(
        self, at: NDArray[np.int64], before: NDArray[np.uint8], after: NDArray[np.uint8]
    ) -> None:
        """The cells `at` go from their classes `before` to `after`."""
        for amounts, by_class in zip(self._amounts, self._by_class, strict=True):
            np.subtract.at(by_class, before, amounts[at])
            np.add.at(by_class, after, amounts[at])

    def totals(self) -> Totals:
        conversations, octets = self._by_class
        return Totals(
            conversations=int(conversations.sum()),
            flows=self._flows,
            bytes=int(octets.sum()),
            by_class={klass: int(conversations[klass]) for klass in Class},
            bytes_by_class={klass: int(octets[klass]) for klass in Class},
        )


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
