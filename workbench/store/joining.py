"""Pieces and copies of one flow, put together.

Pieces: files rotated, a capture was resumed, the engine handed a flow on before it ended. Copies:
several captures saw the flow. Both become one flow, the earliest; what it is made of moves to the
table `pieces`, so that it can be made anew when more is loaded, in whatever order.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from itertools import count, groupby
from operator import itemgetter

import numpy as np

from workbench.store.database import Connection
from workbench.store.judging import Judge, judge_asked
from workbench.store.line import Line
from workbench.store.vantages import Place, Span, find_vantages, places, read_vantages

# Everything as captured. The two ends in order of number, so that either way round is the same.
_RAW = """
    CREATE OR REPLACE TEMP VIEW raw AS
    SELECT *,
        client::BIGINT << 16 | client_port AS client_end,
        server::BIGINT << 16 | server_port AS server_end,
        least(client_end, server_end) AS a,
        greatest(client_end, server_end) AS b
    FROM (
        SELECT * EXCLUDE (pieces), 0::BIGINT AS flow FROM flows WHERE pieces = 1
        UNION ALL BY NAME SELECT * FROM pieces
    )
"""
# The 5-tuples that occur more than once: of all captures, or those that a fresh one has.
_REPEATED = """
    CREATE OR REPLACE TEMP TABLE repeated AS
    SELECT a, b, protocol FROM raw GROUP BY ALL HAVING count(*) > 1
"""
_REPEATED_THERE = """
    CREATE OR REPLACE TEMP TABLE repeated AS
    SELECT a, b, protocol FROM raw
    SEMI JOIN (
        SELECT DISTINCT a, b, protocol FROM raw WHERE capture IN (FROM fresh)
    ) USING (a, b, protocol)
    GROUP BY ALL HAVING count(*) > 1
"""
_NEAR = """
    CREATE OR REPLACE TEMP TABLE near AS
    SELECT id, flow, capture, a, b, protocol, first_us, last_us, vlan, tunnel,
        first_offset, last_offset,
        client_end > server_end AS turned,  -- the client is end b
        marks >= 32768 AS server_first,
        turned = server_first AS a_first,
        -- Bits of the one that spoke first are even, of the other one odd: even for a, odd for b.
        CASE WHEN a_first THEN marks & 32767
            ELSE ((marks & 10922) >> 1) | ((marks & 5461) << 1) END AS marks,
        CASE WHEN turned THEN packets_to_client ELSE packets_to_server END AS packets_a,
        CASE WHEN turned THEN packets_to_server ELSE packets_to_client END AS packets_b,
        CASE WHEN turned THEN bytes_to_client ELSE bytes_to_server END AS bytes_a,
        CASE WHEN turned THEN bytes_to_server ELSE bytes_to_client END AS bytes_b,
        CASE WHEN turned THEN flags_to_client ELSE flags_to_server END AS flags_a,
        CASE WHEN turned THEN flags_to_server ELSE flags_to_client END AS flags_b,
        CASE WHEN turned THEN server_token ELSE client_token END AS token_a,
        CASE WHEN turned THEN client_token ELSE server_token END AS token_b,
        CASE WHEN turned THEN server_ttl ELSE client_ttl END AS ttl_a,
        CASE WHEN turned THEN client_ttl ELSE server_ttl END AS ttl_b
    FROM raw SEMI JOIN repeated USING (a, b, protocol)
"""

# The same in order of time, by one clock, with what `Line` asks for.
_ORDERED = """
    CREATE OR REPLACE TEMP TABLE ordered AS
    SELECT near.id, dense_rank() OVER (ORDER BY a, b, protocol) AS pair, capture,
        first_us - clock AS first_us, last_us - clock AS last_us,
        packets_a > 0 AS sends_a, packets_b > 0 AS sends_b,
        CASE WHEN protocol = 6 THEN token_a ELSE 0 END AS token_a,
        CASE WHEN protocol = 6 THEN token_b ELSE 0 END AS token_b,
        CASE WHEN protocol <> 6 THEN 7
            ELSE flags_a & 1 | ((flags_b & 1) << 1) | ((flags_a | flags_b) & 4) END AS ends,
        protocol = 6 AND marks & 3 <> 0 AS opens,
        protocol = 6 AND marks & 12 <> 0 AS answered
    FROM near JOIN places USING (capture)
    ORDER BY pair, near.first_us - clock, low, near.id
"""
_MEMBERS = """
    CREATE OR REPLACE TEMP TABLE members AS
    SELECT near.* REPLACE (
            grouped.flow AS flow, near.first_us - clock AS first_us, near.last_us - clock AS last_us
        ),
        grouped.pieces, family, point, near.capture = head.capture AS here
    FROM near
    JOIN grouped USING (id)
    JOIN places USING (capture)
    JOIN near AS head ON head.id = grouped.flow
    WHERE grouped.pieces > 1 OR near.flow <> 0
"""
# Pieces that one place saw add up; of what several places saw, the most counts, each way alone.
_SUMS = """
    CREATE OR REPLACE TEMP TABLE sums AS
    WITH points AS (
        SELECT flow, family, point,
            sum(packets_a::HUGEINT) AS packets_a, sum(packets_b::HUGEINT) AS packets_b,
            sum(bytes_a::HUGEINT) AS bytes_a, sum(bytes_b::HUGEINT) AS bytes_b
        FROM members GROUP BY ALL
    ), families AS (
        SELECT flow, family, max(packets_a) AS packets_a, max(packets_b) AS packets_b,
            max(bytes_a) AS bytes_a, max(bytes_b) AS bytes_b
        FROM points GROUP BY ALL
    )
    SELECT flow,
        least(sum(packets_a), 18446744073709551615)::UBIGINT AS packets_a,
        least(sum(packets_b), 18446744073709551615)::UBIGINT AS packets_b,
        least(sum(bytes_a), 18446744073709551615)::UBIGINT AS bytes_a,
        least(sum(bytes_b), 18446744073709551615)::UBIGINT AS bytes_b
    FROM families GROUP BY flow
"""
_FACTS = """
    CREATE OR REPLACE TEMP TABLE facts AS
    SELECT flow, any_value(pieces) AS pieces,
        min(first_us) AS first_us, max(last_us) AS last_us,
        max(last_offset) FILTER (here) AS last_offset,
        bit_or(marks) AS marks, bit_or(flags_a) AS flags_a, bit_or(flags_b) AS flags_b,
        coalesce(arg_min(token_a, first_us) FILTER (token_a <> 0), 0) AS token_a,
        coalesce(arg_min(token_b, first_us) FILTER (token_b <> 0), 0) AS token_b,
        coalesce(arg_min(ttl_a, first_us) FILTER (ttl_a <> 0), 0) AS ttl_a,
        coalesce(arg_min(ttl_b, first_us) FILTER (ttl_b <> 0), 0) AS ttl_b
    FROM members GROUP BY flow
"""
# As if the end that spoke first were the client: who it is remains to be judged.
_WHOLE = """
    CREATE OR REPLACE TEMP TABLE asked AS
    SELECT head.id, head.capture, head.protocol, head.vlan, head.tunnel, head.first_offset,
        facts.pieces, facts.first_us, facts.last_us, facts.last_offset,
        0::UTINYINT AS outcome, 0::UTINYINT AS direction,
        0::BIGINT AS client_uses, 0::BIGINT AS server_uses,
        (CASE WHEN a_first THEN a ELSE b END >> 16)::INTEGER AS client,
        (CASE WHEN a_first THEN b ELSE a END >> 16)::INTEGER AS server,
        (CASE WHEN a_first THEN a ELSE b END & 65535)::USMALLINT AS client_port,
        (CASE WHEN a_first THEN b ELSE a END & 65535)::USMALLINT AS server_port,
        CASE WHEN a_first THEN sums.packets_a ELSE sums.packets_b END AS packets_to_server,
        CASE WHEN a_first THEN sums.packets_b ELSE sums.packets_a END AS packets_to_client,
        CASE WHEN a_first THEN sums.bytes_a ELSE sums.bytes_b END AS bytes_to_server,
        CASE WHEN a_first THEN sums.bytes_b ELSE sums.bytes_a END AS bytes_to_client,
        CASE WHEN a_first THEN facts.flags_a ELSE facts.flags_b END AS flags_to_server,
        CASE WHEN a_first THEN facts.flags_b ELSE facts.flags_a END AS flags_to_client,
        CASE WHEN a_first THEN facts.token_a ELSE facts.token_b END AS client_token,
        CASE WHEN a_first THEN facts.token_b ELSE facts.token_a END AS server_token,
        CASE WHEN a_first THEN facts.ttl_a ELSE facts.ttl_b END AS client_ttl,
        CASE WHEN a_first THEN facts.ttl_b ELSE facts.ttl_a END AS server_ttl,
        (CASE WHEN a_first THEN facts.marks
            ELSE ((facts.marks & 10922) >> 1) | ((facts.marks & 5461) << 1) END)::USMALLINT AS marks
    FROM facts JOIN near AS head ON head.id = facts.flow JOIN sums ON sums.flow = facts.flow
"""
_MOVE = (
    """
    INSERT INTO pieces BY NAME
    SELECT flows.* EXCLUDE (pieces), grouped.flow FROM flows JOIN grouped USING (id)
    WHERE flows.pieces = 1 AND grouped.pieces > 1
    """,
    """
    UPDATE pieces SET flow = grouped.flow FROM grouped
    WHERE grouped.id = pieces.id AND grouped.pieces > 1 AND grouped.flow <> pieces.flow
    """,
    "DELETE FROM pieces WHERE id IN (SELECT id FROM grouped WHERE pieces = 1)",
    """
    DELETE FROM flows
    WHERE (pieces = 1 AND id IN (SELECT id FROM grouped WHERE grouped.pieces > 1))
        OR (pieces > 1 AND id IN (SELECT flow FROM near))
    """,
)
_GROUPED = """
    CREATE OR REPLACE TEMP TABLE grouped AS
    SELECT id, flow, count(*) OVER (PARTITION BY flow) AS pieces FROM paired
"""
_BATCH = 65_536
_SPANS = "SELECT id, coalesce(first_us, 0), coalesce(last_us, 0) FROM captures"


def join_flows(cursor: Connection, judge: Judge, fresh: Iterable[int]) -> None:
    """Put together what the fresh captures brought, with each other and with all the others."""
    spans = cursor.execute(_SPANS).fetchall()
    fresh = set(fresh)
    cursor.execute(_RAW)
    _look(cursor, fresh, spans)
    pairs = read_vantages(cursor)
    before = places((span for span in spans if span[0] not in fresh), pairs)
    find_vantages(cursor)
    now = places(spans, read_vantages(cursor))
    if moved := {place.capture for place in set(before) - set(now)}:
        _look(cursor, fresh | moved, spans)  # what the fresh ones told of others changes those, too
    _register(cursor, now)
    _group(cursor, {place.capture: place for place in now})
    for statement in (_MEMBERS, _SUMS, _FACTS, _WHOLE, *_MOVE):
        cursor.execute(statement)
    cursor.unregister("places")
    for table in ("grouped", "members", "sums", "facts", "near"):
        cursor.execute(f"DROP TABLE {table}")  # they may be large
    judge_asked(cursor, judge, new=True)


def _group(cursor: Connection, where: Mapping[int, Place]) -> None:
    """Fill `grouped`: row → flow, named after its first row, and how many pieces it has."""
    cursor.execute(_ORDERED)
    cursor.execute("CREATE OR REPLACE TEMP TABLE paired (id BIGINT, flow BIGINT)")
    line = Line(where)
    told = {"id": np.zeros(_BATCH, np.int64), "flow": np.zeros(_BATCH, np.int64)}
    cursor.register("told", told)
    for begin in count(0, _BATCH):
        found = cursor.execute("FROM ordered LIMIT ? OFFSET ?", (_BATCH, begin)).fetchnumpy()
        rows = len(found["id"])
        told["id"][:rows] = found["id"]
        told["id"][rows:] = 0
        told["flow"][:rows] = line.flows(found)
        cursor.execute("INSERT INTO paired SELECT id, flow FROM told WHERE id > 0")
        if rows < _BATCH:
            break
    cursor.unregister("told")
    cursor.execute(_GROUPED)
    cursor.execute("DROP TABLE ordered; DROP TABLE paired")


def _look(cursor: Connection, fresh: set[int], spans: Collection[Span]) -> None:
    """Fill `near` with the rows to look at, and `fresh`."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE fresh AS SELECT unnest($ids) AS capture",
        {"ids": sorted(fresh)},
    )
    cursor.execute(_REPEATED if len(fresh) == len(spans) else _REPEATED_THERE)
    cursor.execute(_NEAR)


def _register(cursor: Connection, now: tuple[Place, ...]) -> None:
    columns = {
        field.name: np.array([getattr(place, field.name) for place in now], np.int64)
        for field in fields(Place)
    }
    cursor.register("places", columns)


Stretch = tuple[int, int, int]
"""Number of a capture, and the offsets in it of the first and of the last packet of a flow."""

_SEEN = """
    SELECT id AS flow, id, capture, first_offset, last_offset, first_us, packets_to_server,
        packets_to_client
    FROM flows WHERE id IN (SELECT unnest($ids::BIGINT[])) AND pieces <= 1
    UNION ALL
    SELECT flow, id, capture, first_offset, last_offset, first_us, packets_to_server,
        packets_to_client
    FROM pieces WHERE flow IN (SELECT unnest($ids::BIGINT[]))
    ORDER BY flow, first_us, id
"""


def read_pieces(cursor: Connection, ids: Iterable[int]) -> dict[int, tuple[Stretch, ...]]:
    """Where flows' packets are, in order of time; of copies, those of the place that saw most."""
    rows = cursor.execute(_SEEN, {"ids": list(ids)}).fetchall()
    spans = cursor.execute(_SPANS).fetchall()
    where = {place.capture: place for place in places(spans, read_vantages(cursor))}
    found = {}
    for flow, group in groupby(rows, key=itemgetter(0)):
        pieces = list(group)
        packets: Counter[tuple[int, int]] = Counter()
        for _, _, capture, *_, sent, answered in pieces:
            packets[where[capture].family, where[capture].point] += sent + answered
        best = {family: point for (family, point), _ in reversed(packets.most_common())}
        found[flow] = tuple(
            (capture, first, last)
            for _, _, capture, first, last, *_ in pieces
            if best[where[capture].family] == where[capture].point
        )
    return found
