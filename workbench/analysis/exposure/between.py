"""How many pairs of machines are one hop apart, group by group: what a matrix is coloured by."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import positions, union
from workbench.analysis.exposure.figures import Picture, pairs_of
from workbench.analysis.exposure.spread import numbered

Counts = NDArray[np.int64]


class Between:
    """Answers cell by cell, as they come into view: most of a large matrix is never looked at.

    Machines that are clients of the same doors count together, and so do those that are servers of
    the same doors: a cell is clients by kind × who reaches whom × servers by kind.
    """

    def __init__(self, picture: Picture, groups: Mapping[str, int]) -> None:
        """groups: machines by name of the group, as bits; the outside may be among them."""
        spread, self._inside = picture.spread, picture.machines.everybody
        self._groups = groups
        self._client_kind = spread.kind_of
        self._server_kind, doors = numbered(spread.servers, len(spread.kind_of))
        self._opens = np.zeros((len(spread.members), len(doors)), dtype=np.int64)
        for kind, own in enumerate(map(set, spread.doors_of)):
            self._opens[kind, [at for at, of in enumerate(doors) if not own.isdisjoint(of)]] = 1
        both = zip(spread.members, spread.direct(), strict=True)
        self._alone = union(members & there for members, there in both)
        """Machines that reach themselves, which is no pair."""
        self._rows: dict[str, Counts] = {}
        self._columns: dict[str, Counts] = {}

    def pairs(self, client: str, server: str) -> tuple[int, int]:
        """Pairs that are open on services to move by, and all pairs; none for unknown groups.

        A machine and itself are no pair; everybody outside is one client and never a server.
        """
        start = self._groups.get(client, 0)
        goal = self._groups.get(server, 0) & self._inside
        found = int(self._row(client, start) @ self._column(server, goal))
        return found - (start & goal & self._alone).bit_count(), pairs_of(start, goal)

    def _row(self, client: str, start: int) -> Counts:
        """How many of the group reach a server of each kind."""
        if client not in self._rows:
            kinds = self._client_kind[positions(start)]
            self._rows[client] = np.bincount(kinds, minlength=len(self._opens)) @ self._opens
        return self._rows[client]

    def _column(self, server: str, goal: int) -> Counts:
        """How many of the group are servers of each kind."""
        if server not in self._columns:
            kinds = self._server_kind[positions(goal)]
            self._columns[server] = np.bincount(kinds, minlength=self._opens.shape[1])
        return self._columns[server]
