"""The matrix of conversations: groups of clients down, groups of servers across."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True)
class Matrix:
    """Cells with traffic only, sorted by (row, column); arrays of one length.

    `rows` and `columns` name the groups (hosts, segments, label values); cells hold indexes into
    them. Conversations of a host in several segments count in each of its segments' cells.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[str, NDArray[Any]]
    """row, column (int32); conversations, flows, bytes, allowed, would_block, rejected, uncertain,
    out_of_scope (int64); last_us (int64)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a matrix, by group name."""

    row: str
    column: str
    conversations: int = 0
    flows: int = 0
    bytes: int = 0
    allowed: int = 0
    would_block: int = 0
    rejected: int = 0
    uncertain: int = 0
    out_of_scope: int = 0
    last_us: int = 0


MATRIX_COUNTS = (
    "conversations",
    "flows",
    "bytes",
    "allowed",
    "would_block",
    "rejected",
    "uncertain",
    "out_of_scope",
)
