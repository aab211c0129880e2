"""A policy judged in SQL: the second opinion on the array simulator.

Hosts that belong to the same address sets are one class, and ports between the same bounds of
services are one port, so that hundreds of thousands of conversations become a few thousand tuples,
which are joined with the rules.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import AddressSet
from workbench.model.policy import ResolvedPolicy
from workbench.model.verdict import IGMP, NOT_POLICY, NOT_POLICY_PORTS
from workbench.store.database import Connection, transaction

_UNPOLICED, _INGRESS, _EGRESS = range(3)
"""Numbers of the address sets that are not a rule's; written out in _JUDGE."""

_CLASSES = """
    CREATE TEMP TABLE members AS
    SELECT hosts.id AS host, ranges.set
    FROM hosts JOIN ranges ON hosts.address
        BETWEEN ranges.first_hi::UHUGEINT << 64 | ranges.first_lo
        AND ranges.last_hi::UHUGEINT << 64 | ranges.last_lo;

    CREATE TEMP TABLE classes AS
    SELECT host, dense_rank() OVER (ORDER BY sets) AS class
    FROM (
        SELECT hosts.id AS host, list(members.set ORDER BY members.set) AS sets
        FROM hosts LEFT JOIN members ON members.host = hosts.id
        GROUP BY hosts.id
    );

    CREATE TEMP TABLE class_sets AS
    SELECT DISTINCT class, set FROM classes JOIN members USING (host);
"""
_PORTS = """
    -- Between two cuts no service and no unpoliced port begins or ends: one verdict for all.
    CREATE TEMP TABLE cuts AS
    SELECT 0 AS port
    UNION SELECT first FROM services UNION SELECT last + 1 FROM services
    UNION SELECT first FROM unpoliced UNION SELECT last + 1 FROM unpoliced;

    CREATE TEMP TABLE port_cuts AS
    SELECT ports.port, cuts.port AS cut
    FROM (SELECT range AS port FROM range(65536)) AS ports
    ASOF JOIN cuts ON ports.port >= cuts.port;
"""
_TUPLES = """
    CREATE TEMP TABLE keyed AS
    SELECT conversations.rowid AS row, client.class AS client, server.class AS server, protocol,
        port.cut AS port,
        -- Only an unknown direction (FIRST) with ports is read the other way round as well.
        direction = 1 AND protocol IN (6, 17, 132) AS unsure,
        CASE WHEN unsure THEN low.cut ELSE 0 END AS low,
        CASE WHEN unsure THEN high.cut ELSE 0 END AS high
    FROM conversations
    JOIN classes AS client ON client.host = conversations.client
    JOIN classes AS server ON server.host = conversations.server
    JOIN port_cuts AS port ON port.port = conversations.port
    JOIN port_cuts AS low ON low.port = conversations.client_port_low
    JOIN port_cuts AS high ON high.port = conversations.client_port_high;

    CREATE TEMP TABLE tuples AS
    SELECT DISTINCT client, server, protocol, port, unsure, low, high FROM keyed;

    CREATE TEMP TABLE readings AS
    SELECT client, server, protocol, port, tuples.rowid AS tuple FROM tuples
    UNION ALL
    SELECT tuples.server, tuples.client, protocol, cuts.port, tuples.rowid
    FROM tuples JOIN cuts ON cuts.port BETWEEN low AND high
    WHERE unsure;
"""
_VERDICTS = """
    CREATE TEMP TABLE boxes AS
    SELECT DISTINCT client, server, protocol, port FROM readings;

    CREATE TEMP TABLE out_of_scope AS
    SELECT client, server, protocol, port FROM boxes
    WHERE client IN (SELECT class FROM class_sets WHERE set = 0)
        OR server IN (SELECT class FROM class_sets WHERE set = 0)
        OR (server NOT IN (SELECT class FROM class_sets WHERE set = 1)
            AND client NOT IN (SELECT class FROM class_sets WHERE set = 2))
        OR EXISTS (
            FROM unpoliced
            WHERE unpoliced.protocol = boxes.protocol AND boxes.port BETWEEN first AND last
        );

    CREATE TEMP TABLE allowed AS
    SELECT DISTINCT boxes.client, boxes.server, boxes.protocol, boxes.port
    FROM boxes
    JOIN class_sets AS clients ON clients.class = boxes.client
    JOIN class_sets AS servers ON servers.class = boxes.server
    JOIN rules ON rules.clients = clients.set AND rules.servers = servers.set
    JOIN services ON services.rule = rules.rule
        AND services.protocol IN (-1, boxes.protocol)
        AND boxes.port BETWEEN services.first AND services.last;

    CREATE TEMP TABLE verdicts AS
    SELECT boxes.*, CASE
        WHEN out_of_scope.client IS NOT NULL THEN 3
        WHEN allowed.client IS NOT NULL THEN 1
        ELSE 2 END AS verdict
    FROM boxes
    LEFT JOIN out_of_scope USING (client, server, protocol, port)
    LEFT JOIN allowed USING (client, server, protocol, port);

    CREATE TEMP TABLE tuple_verdicts AS
    SELECT tuple, CASE WHEN min(verdict) = max(verdict) THEN min(verdict) ELSE 4 END AS verdict
    FROM readings JOIN verdicts USING (client, server, protocol, port)
    GROUP BY tuple;
"""
_ANSWER = """
    SELECT tuple_verdicts.verdict::UTINYINT AS verdict
    FROM keyed
    JOIN tuples USING (client, server, protocol, port, unsure, low, high)
    JOIN tuple_verdicts ON tuple_verdicts.tuple = tuples.rowid
    ORDER BY keyed.row
"""


def judge(cursor: Connection, policy: ResolvedPolicy) -> NDArray[np.uint8]:
    """The Verdict of every conversation, in stored order, as decide() would give it.

    Uncertain ones included. Exclusions do not change verdicts.
    """
    with transaction(cursor):
        _register(cursor, policy)
        for statements in (_CLASSES, _PORTS, _TUPLES, _VERDICTS):
            cursor.execute(statements)
        verdicts: NDArray[np.uint8] = cursor.execute(_ANSWER).fetchnumpy()["verdict"]
    return verdicts


def _register(cursor: Connection, policy: ResolvedPolicy) -> None:
    """The policy as four small tables: address ranges, rules, services, unpoliced services."""
    sets = [NOT_POLICY, policy.protected_ingress, policy.protected_egress]
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
    never = [(IGMP, 0, 65535)]
    never += [
        (protocol, port, port) for protocol, ports in NOT_POLICY_PORTS.items() for port in ports
    ]
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
