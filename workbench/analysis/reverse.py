"""Doubtful conversations read the other way round.

Where the direction is unknown, the server may have been the client: then the service was one of
the client ports seen, anything from the smallest to the largest. The reading is allowed when rules
cover all of those ports, blocked when they cover none, and mixed otherwise.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.cells import Cells
from workbench.analysis.numbers import span
from workbench.model.net import ServiceRange
from workbench.model.traffic import ConversationTable
from workbench.model.verdict import NOT_POLICY_PORTS, Verdict

Pieces = NDArray[np.int64]
"""Shape (3, n): reading, first port, last port that a rule covers of it."""
NO_PIECES: Pieces = np.empty((3, 0), dtype=np.int64)
_STRIDE = 1 << 17
"""Keeps the ports of one reading apart from those of the next."""


@dataclass(frozen=True)
class Readings:
    """The reverse readings, one element each, sorted by protocol and lowest port."""

    cell: NDArray[np.int64]
    client: NDArray[np.int64]
    """Host class of the reverse client: the server of the cell."""
    server: NDArray[np.int64]
    low: NDArray[np.int64]
    """protocol << 16 | smallest port."""
    high: NDArray[np.int64]
    lows: list[int]
    """`low` for bisecting."""

    @classmethod
    def of(cls, cells: Cells, table: ConversationTable) -> "Readings":
        rows = cells.rows[cells.starts[cells.doubtful]]
        protocol = table["protocol"][rows].astype(np.int64) << 16
        low = protocol | table["client_port_low"][rows]
        order = np.argsort(low)
        cell = cells.doubtful[order]
        return cls(
            cell=cell,
            client=cells.server[cell],
            server=cells.client[cell],
            low=low[order],
            lows=low[order].tolist(),
            high=(protocol | table["client_port_high"][rows])[order],
        )

    def __len__(self) -> int:
        return len(self.cell)

    def pieces(
        self,
        clients: NDArray[np.bool_],
        servers: NDArray[np.bool_],
        services: Sequence[ServiceRange],
    ) -> Pieces:
        """What a box of host classes and (disjoint) services covers of each reading it meets."""
        found = [NO_PIECES]
        for service in services:
            first, last = span(service)
            start, end = bisect_left(self.lows, first & ~0xFFFF), bisect_right(self.lows, last)
            if start < end:
                met = clients[self.client[start:end]] & servers[self.server[start:end]]
                at = np.flatnonzero(met & (self.high[start:end] >= first)) + start
                low, high = np.maximum(self.low[at], first), np.minimum(self.high[at], last)
                found.append(np.stack([at, low & 0xFFFF, high & 0xFFFF]))
        return np.concatenate(found, axis=1) if len(found) > 1 else NO_PIECES

    def before_rules(self, scope: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Verdicts without any rule; `scope`: the readings whose hosts put them in scope."""
        policy_free = np.zeros(len(self), dtype=np.int64)
        for protocol, ports in NOT_POLICY_PORTS.items():
            for port in ports:
                number = protocol << 16 | port
                policy_free += (self.low <= number) & (number <= self.high)
        verdicts = np.full(len(self), Verdict.BLOCKED, dtype=np.uint8)
        verdicts[policy_free > 0] = Verdict.UNCERTAIN
        verdicts[~scope | (policy_free > self.high - self.low)] = Verdict.OUT_OF_SCOPE
        return verdicts

    def judge(self, before: NDArray[np.uint8], pieces: Iterable[Pieces]) -> NDArray[np.uint8]:
        """Verdict of each reading, UNCERTAIN where its ports differ, under all rules' pieces."""
        at, first, last = np.concatenate([NO_PIECES, *pieces], axis=1)
        order = np.argsort(at * _STRIDE + first)
        begin = (at * _STRIDE + first)[order]
        end = (at * _STRIDE + last)[order] + 1
        reached = np.maximum.accumulate(end)[:-1]
        begin[1:] = np.maximum(begin[1:], reached)
        covered = np.zeros(len(self), dtype=np.int64)
        np.add.at(covered, at[order], np.maximum(end - begin, 0))
        verdicts = before.copy()
        touched = (before == Verdict.BLOCKED) & (covered > 0)
        full = covered == self.high - self.low + 1
        verdicts[touched] = np.where(full[touched], Verdict.ALLOWED, Verdict.UNCERTAIN)
        return verdicts
