"""The matrix of conversations, summed in two steps: pairs of alike hosts, then pairs of groups."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.grouping import Grouping, Kinds
from workbench.model.matrix import Matrix
from workbench.model.simulation import Simulation
from workbench.model.verdict import Class

COUNTED_AS: Mapping[str, tuple[Class, ...]] = {
    "allowed": (Class.PERMITTED, Class.MISDROPPED),
    "would_block": (Class.WOULD_BLOCK,),
    "rejected": (Class.REJECTED,),
    "uncertain": (Class.UNCERTAIN,),
    "out_of_scope": (Class.OUT_OF_SCOPE, Class.EXCLUDED),
}
"""The classes each column counts; the five columns add up to `conversations`."""
_COLUMN_OF = np.array(
    [
        next((at for at, classes in enumerate(COUNTED_AS.values()) if klass in classes), 0)
        for klass in range(len(Class) + 1)
    ],
    dtype=np.uint8,
)
DENSE = 1 << 16
"""Largest matrix that is summed in place; a larger one is sorted first, as it is mostly empty."""

Sums = dict[str, NDArray[np.int64]]


def matrix(
    simulation: Simulation, grouping: Grouping, rows: NDArray[np.bool_] | None = None
) -> Matrix:
    """Cells with traffic among the wanted rows (a bool by row; None for all)."""
    table, kinds = simulation.table, grouping.kinds
    picked = slice(None) if rows is None else np.flatnonzero(rows)
    key = kinds.of_host.take(table["client"][picked])
    key *= len(kinds)
    key += kinds.of_host.take(table["server"][picked])
    key, cell = _numbered(key, len(kinds) ** 2)
    columns = _COLUMN_OF.take(simulation.classes[picked])
    sums: Sums = {
        "conversations": np.bincount(cell, minlength=len(key)),
        "flows": _added(table["flows"][picked], cell, len(key)),
        "bytes": _added(table["bytes"][picked], cell, len(key)),
        **{
            name: np.bincount(cell[columns == at], minlength=len(key))
            for at, name in enumerate(COUNTED_AS)
        },
        "last_us": _latest(table["last_us"][picked], cell, len(key)),
    }
    return _matrix(*_spread(*_met(key, sums), grouping), grouping)


def _met(key: NDArray[np.int64], sums: Sums) -> tuple[NDArray[np.int64], Sums]:
    """Only the cells with conversations."""
    met = np.flatnonzero(sums["conversations"])
    if len(met) == len(key):
        return key, sums
    return key[met], {name: values[met] for name, values in sums.items()}


def _spread(
    key: NDArray[np.int64], sums: Sums, grouping: Grouping
) -> tuple[NDArray[np.int64], Sums]:
    """From pairs of kinds to pairs of groups: every group of a kind gets its sums."""
    kinds, size = grouping.kinds, len(grouping.names)
    if kinds.plain:
        return key, sums
    pair, row, column = _expanded(key, kinds)
    key, cell = _numbered(row * size + column, size**2)
    spread = {
        name: (_latest if name == "last_us" else _added)(values[pair], cell, len(key))
        for name, values in sums.items()
    }
    return _met(key, spread)


def _matrix(key: NDArray[np.int64], sums: Sums, grouping: Grouping) -> Matrix:
    size = max(1, len(grouping.names))
    places = {"row": (key // size).astype(np.int32), "column": (key % size).astype(np.int32)}
    return Matrix(grouping.names, grouping.names, {**places, **sums})


def _expanded(
    key: NDArray[np.int64], kinds: Kinds
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Every (row group, column group) of each pair of kinds, with the number of the pair."""
    size = max(1, len(kinds))
    groups = np.diff(kinds.starts)
    rows, columns = key // size, key % size
    times = groups[rows] * groups[columns]
    pair = np.repeat(np.arange(len(key)), times)
    nth = np.arange(len(pair)) - np.repeat(np.cumsum(times) - times, times)
    across = groups[columns][pair]
    return (
        pair,
        kinds.groups[kinds.starts[rows][pair] + nth // across],
        kinds.groups[kinds.starts[columns][pair] + nth % across],
    )


def _numbered(key: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keys, ascending, and for each element the position of its key among them."""
    if size <= DENSE:
        return np.arange(size), key
    keys, cell = np.unique(key, return_inverse=True)
    return keys, cell


def _added(values: NDArray[np.int64], cell: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    total = np.zeros(size, dtype=np.int64)
    np.add.at(total, cell, values)
    return total


def _latest(values: NDArray[np.int64], cell: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    latest = np.full(size, np.iinfo(np.int64).min)
    np.maximum.at(latest, cell, values)
    return latest
