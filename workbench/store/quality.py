"""What kinds of flows the captures hold, and who was seen sending: facts about the recording."""

from collections.abc import Mapping, Sequence

import numpy as np

from workbench.model.quality import FlowShares, HostSides, Part
from workbench.model.traffic import Direction, Outcome
from workbench.store.database import Connection

# In the order of FlowShares' fields: flows, packets.
_COUNTS = """
    count(*), sum(packets),
    count(*) FILTER (one_way), sum(packets) FILTER (one_way),
    count(*) FILTER (outcome = $mid_stream), sum(packets) FILTER (outcome = $mid_stream),
    count(*) FILTER (outcome = $unanswered), sum(packets) FILTER (outcome = $unanswered),
    count(*) FILTER (direction = $first), sum(packets) FILTER (direction = $first),
    count(*) FILTER (protocol = 6), sum(packets) FILTER (protocol = 6),
    count(*) FILTER (one_way AND protocol = 6), sum(packets) FILTER (one_way AND protocol = 6)
"""
_WHAT = """
    SELECT capture, protocol, outcome, direction, outcome = $one_way AS one_way,
        packets_to_server::HUGEINT + packets_to_client AS packets
"""
_ALONE = """
    WITH alone AS (SELECT flow FROM pieces GROUP BY flow HAVING min(capture) = max(capture))
"""
# What one capture has of a flow that others have, too. Its own pieces say whether it saw both ways
# and the opening; of both ways the flow itself says what came of them.
_SHARED = """
    SELECT capture, protocol,
        CASE WHEN pieces = 1 THEN best
            WHEN sends_a AND sends_b THEN
                CASE WHEN protocol = 6 AND NOT opened THEN $mid_stream ELSE whole END
            WHEN best = 2 THEN best  -- refused
            ELSE worst END AS outcome,
        direction, outcome = $one_way AS one_way, packets
    FROM (
        SELECT capture, protocol, count(*) AS pieces,
            min(outcome) AS best, max(outcome) AS worst, any_value(whole) AS whole,
            max(direction) AS direction, bool_or(marks & 15 <> 0) AS opened,
            sum(packets_to_server::HUGEINT + packets_to_client) AS packets,
            bool_or(CASE WHEN turned THEN packets_to_client ELSE packets_to_server END > 0)
                AS sends_a,
            bool_or(CASE WHEN turned THEN packets_to_server ELSE packets_to_client END > 0)
                AS sends_b
        FROM (
            SELECT pieces.*, flows.outcome AS whole,
                pieces.client <> flows.client OR pieces.client_port <> flows.client_port AS turned
            FROM pieces JOIN flows ON flows.id = pieces.flow ANTI JOIN alone USING (flow)
        ) GROUP BY capture, protocol, flow
    )
"""
_AS_CAPTURED = " ".join(
    (
        _ALONE, "SELECT capture,", _COUNTS, "FROM (",
        _WHAT, "FROM flows WHERE pieces < 2 OR id IN (FROM alone) UNION ALL", _SHARED,
        ") GROUP BY capture",
    )
)  # fmt: skip
_PUT_TOGETHER = " ".join(("SELECT 0,", _COUNTS, "FROM (", _WHAT, "FROM flows)"))
_KINDS = {
    "one_way": int(Outcome.ONE_WAY),
    "mid_stream": int(Outcome.MID_STREAM),
    "unanswered": int(Outcome.UNANSWERED),
    "first": int(Direction.FIRST),
}

# To many: by its frames where they say so, else by its address (224.0.0.0/4, 255.255.255.255,
# ff00::/8).
_ENDS = """
    WITH groups AS (
        SELECT id FROM hosts
        WHERE address BETWEEN 281474439839744 AND 281474708275199
            OR address = 281474976710655
            OR address >> 120 = 255
    ),
    ends AS (
        SELECT client AS host, packets_to_server AS sent, packets_to_client AS received,
            marks & 3072 <> 0 OR server IN (FROM groups) AS flooded
        FROM flows
        UNION ALL
        SELECT server, packets_to_client, packets_to_server,
            marks & 3072 <> 0 OR client IN (FROM groups)
        FROM flows
    )
    SELECT host, bool_or(sent > 0) AS sent, bool_or(received > 0) AS received,
        bool_and(flooded) AS flooded, host IN (FROM groups) AS many
    FROM ends GROUP BY host
"""


def read_shares(cursor: Connection) -> Mapping[int, FlowShares]:
    """Capture → its flows by kind, as it saw them; captures without flows are left out."""
    rows = cursor.execute(_AS_CAPTURED, _KINDS).fetchall()
    return {row[0]: _shares(row) for row in rows}


def read_all_shares(cursor: Connection) -> FlowShares:
    """All flows by kind: put together from the pieces and copies that captures saw."""
    [row] = cursor.execute(_PUT_TOGETHER, _KINDS).fetchall()
    return _shares(row)


def _shares(row: Sequence[int | None]) -> FlowShares:
    pairs = zip(row[1::2], row[2::2], strict=True)
    return FlowShares(*(Part(int(flows or 0), int(packets or 0)) for flows, packets in pairs))


def read_sides(cursor: Connection) -> HostSides:
    """What was seen of every host."""
    [(hosts,)] = cursor.execute("SELECT count(*) FROM hosts").fetchall()
    found = cursor.execute(_ENDS).fetchnumpy()
    sides = [np.zeros(hosts, np.bool_) for _ in range(4)]
    for side, name in zip(sides, ("sent", "received", "flooded", "many"), strict=True):
        side[found["host"]] = found[name]
    return HostSides(*sides)
