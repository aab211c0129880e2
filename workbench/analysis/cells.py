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
from workbench.model.net import ANY_PROTOCOL, PORT_PROTOCOLS, ServiceRange
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


@dataclass(frozen=True)
class Rows:
    """What every policy needs of a table, worked out once."""

    table: ConversationTable
    service: NDArray[np.int64]
    """protocol << 16 | port, ascending as the table is."""
    outcome: NDArray[np.int64]
    """ALIKE outcome."""
    doubtful: NDArray[np.bool_]
    """Direction unknown: judged in both readings, each row a cell of its own."""

    @classmethod
    def of(cls, table: ConversationTable) -> "Rows":
        protocol = table["protocol"]
        has_ports = np.isin(protocol, list(PORT_PROTOCOLS))
        return cls(
            table,
            (protocol.astype(np.int64) << 16) | table["port"],
            ALIKE[table["outcome"]],
            has_ports & (table["direction"] == Direction.FIRST),
        )


@dataclass(frozen=True)
class Slices:
    """Where each service lies in an array sorted by service."""

    services: list[int]
    """Distinct values of protocol << 16 | port, ascending."""
    starts: list[int]
    """First position of each, and the end."""

    @classmethod
    def of(cls, services: NDArray[np.int64]) -> "Slices":
        starts = np.flatnonzero(np.diff(services, prepend=-1))
        return cls(services[starts].tolist(), [*starts.tolist(), len(services)])

    def __call__(self, services: Sequence[ServiceRange]) -> Iterator[tuple[int, int]]:
        """The [start, end) of each range, empty ones left out."""
        for piece in services:
            if piece.protocol == ANY_PROTOCOL:
                low, high = 0, 1 << 24
            else:
                low, high = piece.protocol << 16 | piece.first, piece.protocol << 16 | piece.last
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
    of_row: NDArray[np.int64]
    """Cell of every row of the table."""
    doubtful: NDArray[np.int64]
    """Cells of one conversation whose direction is unknown."""
    doubtful_rows: NDArray[np.int64]
    """The row of each doubtful cell."""
    slices: Slices

    @classmethod
    def of(cls, rows: Rows, classes: HostClasses) -> "Cells":
        table, size = rows.table, max(1, len(classes))
        client, server = classes.of_host[table["client"]], classes.of_host[table["server"]]
        key = (((rows.service * size + client) * size + server) << 4) | (rows.outcome << 1)
        key |= rows.doubtful
        order = np.argsort(key)
        ordered = key[order]
        begins = np.diff(ordered, prepend=-1) != 0
        begins |= (ordered & 1).astype(np.bool_)
        starts = np.flatnonzero(begins)
        of_row = np.empty(len(order), dtype=np.int64)
        of_row[order] = np.cumsum(begins) - 1
        sample = order[starts]
        doubtful = np.flatnonzero(rows.doubtful[sample])
        return cls(
            service=rows.service[sample],
            client=client[sample],
            server=server[sample],
            outcome=rows.outcome[sample],
            conversations=np.diff(starts, append=len(order)),
            flows=np.add.reduceat(table["flows"][order], starts),
            bytes=np.add.reduceat(table["bytes"][order], starts),
            last_us=np.maximum.reduceat(table["last_us"][order], starts),
            of_row=of_row,
            doubtful=doubtful,
            doubtful_rows=sample[doubtful],
            slices=Slices.of(rows.service[sample]),
        )

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
