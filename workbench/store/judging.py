"""Flows judged again: as parts of everything that is stored, and when the user's services change.

How a flow is judged is the capture room's business and comes as a function; what it is judged by
is counted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ServiceRange
from workbench.model.traffic import FLOW_DTYPES, PAIRS, SEVERAL_CLIENTS, FlowColumns, Mark
from workbench.store.database import Connection

Counts = NDArray[np.int64]


class JudgeAgain(Protocol):
    """Flows as if they had been seen with these hints, and as part of the whole dataset.

    clients: how many client ends use each flow's client endpoint, and its server endpoint, as a
    server.
    """

    def __call__(
        self, columns: FlowColumns, hints: Sequence[ServiceRange], clients: tuple[Counts, Counts]
    ) -> FlowColumns: ...


@dataclass(frozen=True)
class Judge:
    """Who judges flows, and by which services of the user."""

    again: JudgeAgain
    hints: tuple[ServiceRange, ...] = ()


_BATCH = 131_072
"""Flows judged at a time: this bounds the arrays."""
_PAIRS = {"client": "server"} | {
    one: other for one, other in PAIRS.items() if not one.endswith(("_hi", "_lo"))
}
"""Columns that change places when a flow turns around; the store has numbers for addresses."""

_READ = """
    SELECT asked.* EXCLUDE (client, server),
        (client.address >> 64)::UBIGINT AS client_hi,
        (client.address & 18446744073709551615)::UBIGINT AS client_lo,
        (server.address >> 64)::UBIGINT AS server_hi,
        (server.address & 18446744073709551615)::UBIGINT AS server_lo
    FROM (FROM asked LIMIT ? OFFSET ?) AS asked
    JOIN hosts AS client ON client.id = asked.client
    JOIN hosts AS server ON server.id = asked.server
"""
_VERDICTS = """
    CREATE OR REPLACE TEMP TABLE verdicts (
        id BIGINT, judged_outcome UTINYINT, judged_direction UTINYINT, turned BOOLEAN
    )
"""
_REMOVE = "DELETE FROM flows WHERE id IN (SELECT id FROM verdicts)"
_TURNED = ", ".join(
    f"CASE WHEN turned THEN {other} ELSE {one} END AS {one}"
    for pair in _PAIRS.items()
    for one, other in (pair, pair[::-1])
)
_WRITE = " ".join(
    (
        "INSERT INTO flows BY NAME SELECT * EXCLUDE",
        "(judged_outcome, judged_direction, turned, client_uses, server_uses)",
        "REPLACE (judged_outcome AS outcome, judged_direction AS direction,",
        f"CASE WHEN turned THEN xor(marks, {Mark.SERVER_FIRST:d}) ELSE marks END AS marks,",
        _TURNED,
        ") FROM asked JOIN verdicts USING (id)",
    )
)


def judge_asked(cursor: Connection, judge: Judge, *, new: bool = False) -> int:
    """Judge the rows of the temporary table `asked` and store those that change; how many.

    `asked` has the columns of flows, and `client_uses` and `server_uses`, the counts of clients.
    new: its rows are not among the flows yet, so all are stored.
    """
    cursor.execute(_VERDICTS)
    [(rows,)] = cursor.execute("SELECT count(*) FROM asked").fetchall()
    told = {
        "used": np.zeros(_BATCH, np.bool_),
        "id": np.zeros(_BATCH, np.int64),
        "outcome": np.zeros(_BATCH, np.uint8),
        "direction": np.zeros(_BATCH, np.uint8),
        "turned": np.zeros(_BATCH, np.bool_),
    }
    cursor.register("told", told)
    for begin in range(0, rows, _BATCH):
        found = cursor.execute(_READ, (_BATCH, begin)).fetchnumpy()
        columns = {name: found[name].astype(kind, copy=False) for name, kind in FLOW_DTYPES.items()}
        judged = judge.again(columns, judge.hints, (found["client_uses"], found["server_uses"]))
        _tell(told, found["id"], columns, judged, new=new)
        cursor.execute(
            "INSERT INTO verdicts SELECT id, outcome, direction, turned FROM told WHERE used"
        )
    cursor.unregister("told")
    cursor.execute(_REMOVE)
    [(changed,)] = cursor.execute(_WRITE).fetchall()
    return int(changed)


def _tell(
    told: dict[str, NDArray[Any]],
    ids: NDArray[np.int64],
    before: FlowColumns,
    after: FlowColumns,
    *,
    new: bool,
) -> None:
    """Fill the arrays that the database reads."""
    turned = ((before["marks"] ^ after["marks"]) & np.uint16(Mark.SERVER_FIRST)) != 0
    changed = turned | new
    changed |= before["outcome"] != after["outcome"]
    changed |= before["direction"] != after["direction"]
    told["used"][:] = False
    told["used"][: len(ids)] = changed
    for name, column in {"id": ids, "turned": turned}.items():
        told[name][: len(ids)] = column
    for name in ("outcome", "direction"):
        told[name][: len(ids)] = after[name]


_HINTED = """
    CREATE OR REPLACE TEMP TABLE asked AS
    SELECT *, 0::BIGINT AS client_uses, 0::BIGINT AS server_uses
    FROM flows SEMI JOIN changed ON changed.protocol = flows.protocol
        AND (client_port BETWEEN first AND last OR server_port BETWEEN first AND last)
    WHERE direction < 5 AND pieces > 0
"""


def changed_hints(cursor: Connection, judge: Judge) -> set[ServiceRange]:
    """Services that the user has added or taken away since flows were judged last."""
    known = {ServiceRange(*row) for row in cursor.execute("SELECT * FROM hints").fetchall()}
    return known.symmetric_difference(judge.hints)


def judge_by_hints(cursor: Connection, judge: Judge) -> None:
    """Judge again the flows on services that have changed.

    Those that have no better evidence then are left to `judge_by_degree`.
    """
    changed = sorted((one.protocol, one.first, one.last) for one in changed_hints(cursor, judge))
    if not changed:
        return
    table = np.array(changed, np.int32)
    names = ("protocol", "first", "last")
    cursor.register("changed", {name: table[:, at].copy() for at, name in enumerate(names)})
    cursor.execute(_HINTED)
    cursor.unregister("changed")
    judge_asked(cursor, judge)
    cursor.execute("DELETE FROM hints")
    for one in set(judge.hints):
        cursor.execute("INSERT INTO hints VALUES (?, ?, ?)", (one.protocol, one.first, one.last))


_WEAK = """
    CREATE OR REPLACE TEMP TABLE weak AS
    SELECT id, protocol, direction,
        client::BIGINT << 16 | client_port AS client_end,
        server::BIGINT << 16 | server_port AS server_end
    FROM flows WHERE direction <= 2 AND protocol IN (6, 17, 132) AND pieces > 0
"""
_ENDS = """
    CREATE OR REPLACE TEMP TABLE weak_ends AS
    SELECT protocol, client_end AS endpoint FROM weak UNION SELECT protocol, server_end FROM weak
"""
_USES = """
    CREATE OR REPLACE TEMP TABLE uses AS
    SELECT protocol, endpoint,
        -- A SYN seen proves a server at once.
        count(DISTINCT caller)
            + CASE WHEN max(direction) = 5 THEN $several - 1 ELSE 0 END AS clients
    FROM (
        -- Where no stronger evidence says who is the server: as it is without these counts.
        SELECT protocol, direction, CASE
                WHEN direction <> 2 THEN FALSE
                WHEN protocol = 6 AND (client_port < 32768) <> (server_port < 32768)
                    THEN client_port < 32768
                ELSE marks >= 32768 END AS turned,
            client::BIGINT << 16 | client_port AS client_end,
            server::BIGINT << 16 | server_port AS server_end,
            CASE WHEN turned THEN client_end ELSE server_end END AS endpoint,
            CASE WHEN turned THEN server_end ELSE client_end END AS caller
        FROM flows
    ) SEMI JOIN weak_ends USING (protocol, endpoint)
    -- Who asks a known service is no server, however many answer.
    ANTI JOIN (
        FROM (
            SELECT protocol, client::BIGINT << 16 | client_port AS endpoint
            FROM flows WHERE direction >= 3
        ) SEMI JOIN weak_ends USING (protocol, endpoint)
    ) AS asking USING (protocol, endpoint)
    GROUP BY ALL
"""
_COUNTED = """
    CREATE OR REPLACE TEMP TABLE asked AS
    SELECT flows.*, client_uses, server_uses
    FROM flows JOIN (
        SELECT weak.id, weak.direction,
            coalesce(clients.clients, 0) AS client_uses, coalesce(servers.clients, 0) AS server_uses
        FROM weak
        LEFT JOIN uses AS clients
            ON clients.protocol = weak.protocol AND clients.endpoint = client_end
        LEFT JOIN uses AS servers
            ON servers.protocol = weak.protocol AND servers.endpoint = server_end
    ) AS counted USING (id)
    -- Only what the counts will change: there may be millions of others.
    WHERE CASE
        WHEN greatest(client_uses, server_uses) < $several OR client_uses = server_uses
            THEN counted.direction = 2
        WHEN client_uses > server_uses THEN TRUE
        ELSE counted.direction <> 2 END
"""


def judge_by_degree(cursor: Connection, judge: Judge) -> None:
    """Judge again the flows that only the number of their ends' clients can tell the direction of.

    Clients are counted over everything stored.
    """
    cursor.execute(_WEAK)
    [(some,)] = cursor.execute("SELECT count(*) > 0 FROM weak").fetchall()
    if some:
        cursor.execute(_ENDS)
        cursor.execute(_USES, {"several": SEVERAL_CLIENTS})
        cursor.execute(_COUNTED, {"several": SEVERAL_CLIENTS})
        judge_asked(cursor, judge)
