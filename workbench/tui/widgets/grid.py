"""A matrix put in display order: what each visible line needs, found without a search."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.matrix import MATRIX_COUNTS, Cell, Matrix

SORTS = ("name", "heavy first", "bad first", "alike together")
"""Orders of rows and columns."""
COUNTS = (*MATRIX_COUNTS, "last_us")
"""What a cell counts, in the order of `Cell`."""


@dataclass(frozen=True)
class Grid:
    """Rows and columns in display order; cells by row, then by column (compressed rows)."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    starts: NDArray[np.int64]
    """Cells of row r are `starts[r]:starts[r + 1]`."""
    at_column: NDArray[np.int64]
    """Display column of each cell, ascending within a row."""
    counts: dict[str, NDArray[Any]]
    """COUNTS, in cell order."""

    @classmethod
    def of(cls, matrix: Matrix, sort: str = "name", *, silent: bool = True) -> "Grid":
        """Order a matrix (SORTS); without `silent`, rows and columns without traffic are left out.

        Raises KeyError for an unknown order.
        """
        row_order = _order(matrix, "row", matrix.rows, sort, silent)
        column_order = _order(matrix, "column", matrix.columns, sort, silent)
        row = _places(row_order, len(matrix.rows))[matrix.cells["row"]]
        column = _places(column_order, len(matrix.columns))[matrix.cells["column"]]
        order = np.lexsort((column, row))
        return cls(
            tuple(matrix.rows[at] for at in row_order),
            tuple(matrix.columns[at] for at in column_order),
            np.searchsorted(row[order], np.arange(len(row_order) + 1)),
            column[order],
            {name: matrix.cells[name][order] for name in COUNTS},
        )

    def line(self, row: int, first: int, last: int) -> Iterator[tuple[int, int]]:
        """(display column, cell index) of one row's cells from column `first` up to `last`."""
        start, stop = int(self.starts[row]), int(self.starts[row + 1])
        span = self.at_column[start:stop]
        low, high = np.searchsorted(span, (first, last))
        return zip(span[low:high].tolist(), range(start + int(low), start + int(high)), strict=True)

    def cell(self, row: int, column: int) -> Cell:
        """The cell as a value; all zeros where nothing was seen."""
        row_name, column_name = self.rows[row], self.columns[column]
        for _, at in self.line(row, column, column + 1):
            counts = (int(self.counts[name][at]) for name in COUNTS)
            return Cell(row_name, column_name, *counts)
        return Cell(row_name, column_name)

    @property
    def empty(self) -> bool:
        return not len(self.at_column)


def _places(order: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Matrix index → display index."""
    places = np.zeros(total, np.int64)
    places[order] = np.arange(len(order))
    return places


def _order(
    matrix: Matrix, axis: str, names: tuple[str, ...], sort: str, silent: bool
) -> NDArray[np.int64]:
    cells, at = matrix.cells, matrix.cells[axis]
    shown = range(len(names)) if silent else np.unique(at).tolist()
    by_name = np.array(sorted(shown, key=lambda one: named_first(names[one])), np.int64)
    if sort == "name" or not len(names):
        return by_name
    if sort == "alike together":
        return _alike(matrix, axis, by_name)
    bad = cells["would_block"] + cells["uncertain"] / 1e6
    heat = {"heavy first": cells["bytes"], "bad first": bad}[sort]
    weight = np.bincount(at, weights=heat, minlength=len(names))
    return by_name[np.argsort(-weight[by_name], kind="stable")]


def _alike(matrix: Matrix, axis: str, by_name: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups with the same neighbours side by side, those with the most neighbours first."""
    other = "column" if axis == "row" else "row"
    neighbours: dict[int, list[int]] = {}
    pairs = zip(matrix.cells[axis].tolist(), matrix.cells[other].tolist(), strict=True)
    for one, two in pairs:
        neighbours.setdefault(one, []).append(two)
    signature = {at: tuple(sorted(found)) for at, found in neighbours.items()}

    def key(at: int) -> tuple[int, tuple[int, ...]]:
        mine = signature.get(at, ())
        return -len(mine), mine

    return np.array(sorted(by_name.tolist(), key=key), np.int64)


def named_first(text: str) -> tuple[bool, tuple[tuple[int, int | str], ...]]:
    """Sort key: names in natural order, then what has only an address or stands for no group."""
    return text[:1].isdigit() or ":" in text.split(" ")[0] or text.startswith("("), natural(text)


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """Sort key under which `pc-2` comes before `pc-10` and 10.0.0.9 before 10.0.0.10."""
    parts: list[tuple[int, int | str]] = []
    digits = ""
    for one in text.casefold() + "\0":
        if one in "0123456789":
            digits += one
            continue
        if digits:
            parts.append((0, int(digits[:18])))
            digits = ""
        parts.append((1, one))
    return tuple(parts)
