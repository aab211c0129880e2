"""Conversations that no policy set tells apart, counted once: what rules are judged on.

Ten million flows are 0.7 million conversations, and those are some ten thousand cells (client
class, server class, service, worked or failed). A cell holds its conversations' sums, and a rule
touches only the cells of its services because cells are sorted by service.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import HostClasses
from workbench.analysis.numbers import numbers, span
from workbench.model.net import PORT_PROTOCOLS, ServiceRange
from workbench.model.traffic import ConversationTable, Direction, Outcome
from workbench.model.verdict import Verdict, class_of

CLASS_OF = np.zeros((len(Verdict) + 1, len(Outcome) + 1), dtype=np.uint8)
"""class_of() as a table: [verdict, outcome] → Class."""
for _verdict in Verdict:
    for _outcome in Outcome:
        CLASS_OF[_verdict, _outcome] = class_of(_verdict, _outcome)
ALIKE = np.array(
    [int(np.flatnonzero((CLASS_OF[:, [at]] == CLASS_OF).all(axis=0))[0]) for at in range(6)],
    dtype=np.int64,
)
"""Outcome → the first outcome with the same classes, so that alike outcomes share a cell."""
HAS_PORTS = np.isin(np.arange(256), list(PORT_PROTOCOLS))


@dataclass(frozen=True)
class Rows:
    """What every policy needs of a table, worked out once."""

    table: ConversationTable
    service: NDArray[np.int64]
    """Its number, ascending as the table is."""
    kind: NDArray[np.int64]
    """ALIKE outcome << 1 | doubtful. Doubtful rows, whose direction is unknown, are judged in both
    readings; each is a cell of its own."""

    @classmethod
    def of(cls, table: ConversationTable) -> "Rows":
        doubtful = (table["direction"] == Direction.FIRST) & HAS_PORTS[table["protocol"]]
        service = numbers(table["protocol"], table["port"])
        return cls(table, service, (ALIKE[table["outcome"]] << 1) | doubtful)


@dataclass(frozen=True)
class Slices:
    """Where each service lies in an array sorted by service."""

    services: list[int]
    """Their numbers, distinct and ascending."""
    starts: list[int]
    """First position of each, and the end."""

    @classmethod
    def of(cls, services: NDArray[np.int64]) -> "Slices":
        starts = np.flatnonzero(np.diff(services, prepend=-1))
        return cls(services[starts].tolist(), [*starts.tolist(), len(services)])

    def __call__(self, services: Sequence[ServiceRange]) -> Iterator[tuple[int, int]]:
        """The [start, end) of each range, empty ones left out."""
        for piece in services:
            low, high = span(piece)
            start = self.starts[bisect_left(self.services, low)]
            end = self.starts[bisect_right(self.services, high)]
            if start < end:
                yield start, end


@dataclass(frozen=True)
class Cells:
    """One array element a cell, sorted by service, client class, server class."""

    service: NDArray[np.int64]
    client: NDArray[np.int64]
    """Host class."""
    server: NDArray[np.int64]
    outcome: NDArray[np.int64]
    """ALIKE outcome."""
    conversations: NDArray[np.int64]
    flows: NDArray[np.int64]
    bytes: NDArray[np.int64]
    last_us: NDArray[np.int64]
    rows: NDArray[np.int64]
    """Rows of the table, cell by cell."""
    starts: NDArray[np.int64]
    """Where the rows of each cell start in `rows`."""
    doubtful: NDArray[np.int64]
    """Cells of one conversation whose direction is unknown."""
    slices: Slices

    @classmethod
    def of(cls, rows: Rows, classes: HostClasses) -> "Cells":
        table, size = rows.table, max(1, len(classes))
        key = rows.service * (size * size)  # in place from here: fresh megabytes cost most
        key += (classes.of_host * size).take(table["client"])
        key += classes.of_host.take(table["server"])
        key <<= 4
        key |= rows.kind
        order = np.argsort(key)
        key = key.take(order)
        begins = (key & 1).astype(np.bool_)
        begins[:1] = True
        begins[1:] |= key[1:] != key[:-1]
        starts = np.flatnonzero(begins)
        sample = order[starts]
        return cls(
            service=rows.service[sample],
            client=classes.of_host[table["client"][sample]],
            server=classes.of_host[table["server"][sample]],
            outcome=rows.kind[sample] >> 1,
            conversations=np.diff(starts, append=len(order)),
            flows=np.add.reduceat(table["flows"].take(order), starts),
            bytes=np.add.reduceat(table["bytes"].take(order), starts),
            last_us=np.maximum.reduceat(table["last_us"].take(order), starts),
            rows=order,
            starts=starts,
            doubtful=np.flatnonzero(rows.kind[sample] & 1),
            slices=Slices.of(rows.service[sample]),
        )

    def rows_of(self, cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of some cells, each named once and in ascending order."""
        if len(cells) == len(self):
            return self.rows
        sizes = self.conversations[cells]
        ends = np.cumsum(sizes)
        at: NDArray[np.int64] = np.arange(sizes.sum())
        at += np.repeat(self.starts[cells] - ends + sizes, sizes)
        return self.rows.take(at)

    def __len__(self) -> int:
        return len(self.service)

    def within(
        self,
        clients: NDArray[np.bool_],
        servers: NDArray[np.bool_],
        services: Sequence[ServiceRange],
    ) -> NDArray[np.int64]:
        """Cells in a box of client classes, server classes and (disjoint) services."""
        found = [
            np.flatnonzero(clients[self.client[start:end]] & servers[self.server[start:end]])
            + start
            for start, end in self.slices(services)
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)
