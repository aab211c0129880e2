"""A policy judged in SQL: the second opinion on the array simulator.

Hosts that belong to the same address sets are one class; a rule opens services between pairs of
classes, and a conversation is joined with what is open between its two.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import AddressSet
from workbench.model.policy import ResolvedPolicy
from workbench.model.verdict import NOT_POLICY, NOT_POLICY_SERVICES
from workbench.store.database import Connection, transaction

_CLASSES = """
    CREATE TEMP TABLE members AS
    SELECT hosts.id AS host, ranges.set
    FROM hosts JOIN ranges ON hosts.address
        BETWEEN ranges.first_hi::UHUGEINT << 64 | ranges.first_lo
        AND ranges.last_hi::UHUGEINT << 64 | ranges.last_lo;

    CREATE TEMP TABLE classes AS
    SELECT host, dense_rank() OVER (ORDER BY sets) AS class, sets
    FROM (
        SELECT hosts.id AS host, list(members.set ORDER BY members.set) AS sets
        FROM hosts LEFT JOIN members ON members.host = hosts.id
        GROUP BY hosts.id
    );

    CREATE TEMP TABLE class_sets AS SELECT DISTINCT class, unnest(sets) AS set FROM classes;

    CREATE TEMP TABLE scopes AS
    SELECT DISTINCT class, list_contains(sets, 0) AS unpoliced, list_contains(sets, 1) AS ingress,
        list_contains(sets, 2) AS egress
    FROM classes;
"""
_OPENED = """
    CREATE TEMP TABLE seen AS
    SELECT conversations.rowid AS row, client.class AS client, server.class AS server, protocol,
        port, client_port_low AS low, client_port_high AS high,
        -- An unknown direction (FIRST), where ports mean something, is read the other way as well.
        direction = 1 AND protocol IN (6, 17, 132) AS unsure
    FROM conversations
    JOIN classes AS client ON client.host = conversations.client
    JOIN classes AS server ON server.host = conversations.server;

    CREATE TEMP TABLE opened AS
    SELECT DISTINCT pairs.client, pairs.server, services.protocol, first, last
    FROM (
        SELECT client, server FROM seen UNION SELECT server, client FROM seen WHERE unsure
    ) AS pairs
    JOIN class_sets AS clients ON clients.class = pairs.client
    JOIN class_sets AS servers ON servers.class = pairs.server
    JOIN rules ON rules.clients = clients.set AND rules.servers = servers.set
    JOIN services ON services.rule = rules.rule;
"""
_READINGS = """
    -- The other way round, the verdict can change only where a service begins or has just ended.
    CREATE TEMP TABLE readings AS
    SELECT row, client, server, protocol, port FROM seen
    UNION ALL
    SELECT row, server, client, protocol, low FROM seen WHERE unsure
    UNION ALL
    SELECT row, seen.server, seen.client, seen.protocol, edge
    FROM seen
    JOIN (
        SELECT client, server, protocol, unnest([first, last + 1]) AS edge FROM opened
    ) AS edges
        ON edges.client = seen.server AND edges.server = seen.client
        AND edges.protocol IN (-1, seen.protocol) AND edge BETWEEN low AND high
    WHERE unsure
    UNION ALL
    SELECT row, server, client, seen.protocol, edge
    FROM seen
    JOIN (SELECT protocol, unnest([first, last + 1]) AS edge FROM unpoliced) AS edges
        ON edges.protocol = seen.protocol AND edge BETWEEN low AND high
    WHERE unsure;

    CREATE TEMP TABLE allowed AS
    SELECT readings.rowid AS reading
    FROM readings SEMI JOIN opened
        ON opened.client = readings.client AND opened.server = readings.server
        AND opened.protocol IN (-1, readings.protocol) AND readings.port BETWEEN first AND last;

    CREATE TEMP TABLE unjudged AS
    SELECT readings.rowid AS reading
    FROM readings SEMI JOIN unpoliced
        ON unpoliced.protocol = readings.protocol AND readings.port BETWEEN first AND last;
"""
_ANSWER = """
    SELECT CASE WHEN min(verdict) = max(verdict) THEN min(verdict) ELSE 4 END::UTINYINT AS verdict
    FROM (
        SELECT row, CASE
            WHEN client.unpoliced OR server.unpoliced THEN 3
            WHEN NOT (client.egress OR server.ingress) THEN 3
            WHEN readings.rowid IN (SELECT reading FROM unjudged) THEN 3
            WHEN readings.rowid IN (SELECT reading FROM allowed) THEN 1
            ELSE 2 END AS verdict
        FROM readings
        JOIN scopes AS client ON client.class = readings.client
        JOIN scopes AS server ON server.class = readings.server
    )
    GROUP BY row
    ORDER BY row
"""


def judge(cursor: Connection, policy: ResolvedPolicy) -> NDArray[np.uint8]:
    """The Verdict of every conversation, in stored order, as decide() would give it.

    Uncertain ones included. Exclusions do not change verdicts.
    """
    with transaction(cursor):
        _register(cursor, policy)
        for statements in (_CLASSES, _OPENED, _READINGS):
            cursor.execute(statements)
        verdicts: NDArray[np.uint8] = cursor.execute(_ANSWER).fetchnumpy()["verdict"]
    return verdicts


def _register(cursor: Connection, policy: ResolvedPolicy) -> None:
    """The policy as four small tables: address ranges, rules, services, unpoliced services."""
    sets = [NOT_POLICY, policy.protected_ingress, policy.protected_egress]  # 0, 1, 2 in `scopes`
    numbers: dict[AddressSet, int] = {}
    for rule in policy.rules:
        for side in (rule.clients, rule.servers):
            if side not in numbers:
                numbers[side] = len(sets)
                sets.append(side)
    cursor.register("ranges", _address_columns(sets))
    cursor.register(
        "rules",
        _columns(
            ("rule", "clients", "servers"),
            (
                (at, numbers[rule.clients], numbers[rule.servers])
                for at, rule in enumerate(policy.rules)
            ),
        ),
    )
    cursor.register(
        "services",
        _columns(
            ("rule", "protocol", "first", "last"),
            (
                (at, service.protocol, service.first, service.last)
                for at, rule in enumerate(policy.rules)
                for service in rule.services
            ),
        ),
    )
    never = ((one.protocol, one.first, one.last) for one in NOT_POLICY_SERVICES)
    cursor.register("unpoliced", _columns(("protocol", "first", "last"), never))


def _columns(names: tuple[str, ...], rows: Iterable[tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    table = np.array(list(rows), dtype=np.int32).reshape(-1, len(names))
    return {name: np.ascontiguousarray(table[:, at]) for at, name in enumerate(names)}


def _address_columns(sets: list[AddressSet]) -> dict[str, NDArray[Any]]:
    ranges = [(number, piece) for number, item in enumerate(sets) for piece in item.ranges]
    low = (1 << 64) - 1

    def column(values: Iterable[int], kind: type[np.generic]) -> NDArray[Any]:
        return np.fromiter(values, dtype=kind, count=len(ranges))

    return {
        "set": column((number for number, _ in ranges), np.int32),
        "first_hi": column((piece.first >> 64 for _, piece in ranges), np.uint64),
        "first_lo": column((piece.first & low for _, piece in ranges), np.uint64),
        "last_hi": column((piece.last >> 64 for _, piece in ranges), np.uint64),
        "last_lo": column((piece.last & low for _, piece in ranges), np.uint64),
    }
