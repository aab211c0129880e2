"""Flows added up for the detectors: how contacts went, logins by the minute, rhythms, days."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from workbench.model.finding import (
    CONTACT_DTYPES,
    DAY_DTYPES,
    LOGIN_DTYPES,
    RHYTHM_DTYPES,
    Columns,
    Thresholds,
    Traces,
    Window,
)
from workbench.model.traffic import Stop
from workbench.store.database import Connection, interruptible, transaction

# A TCP connection in which the client said nothing has a handful of packets from it, none larger
# than its headers: 52 bytes with timestamps over IPv4, 72 over IPv6, and 30 for the SYN's options.
# Times and sums are capped: a hostile log may exceed what arrays hold.
_JUDGED = """
    CREATE TEMP VIEW judged AS
    SELECT client, server, protocol, server_port AS port, direction, packets_to_client,
        least(bytes_to_server, 1000000000000000)::BIGINT AS bytes_to_server,
        least(bytes_to_client, 1000000000000000)::BIGINT AS bytes_to_client,
        greatest(least(first_us, 1000000000000000000), -1000000000000000000) AS first_us,
        greatest(least(last_us, 1000000000000000000), -1000000000000000000) AS last_us,
        CASE
            WHEN outcome IN (2, 3) THEN CASE WHEN direction > 1 THEN 0 ELSE 3 END
            WHEN outcome NOT IN (1, 5) THEN 3
            WHEN protocol <> 6 THEN CASE WHEN packets_to_client > 0 THEN 2 ELSE 3 END
            WHEN packets_to_client > 1 AND (packets_to_server >= 8 OR bytes_to_server >= 30 +
                least(packets_to_server, 8) * CASE WHEN client IN (FROM sixes) THEN 72 ELSE 52 END)
                THEN 2
            WHEN outcome = 1 THEN 1
            ELSE 3
        END::UTINYINT AS contact
    FROM flows
    WHERE {after} AND {before} AND {captures}
"""
_SIXES = """
    CREATE TEMP TABLE sixes AS
    SELECT id FROM hosts WHERE address NOT BETWEEN 281470681743360 AND 281474976710655
"""
_CONTACTS = """
    CREATE TEMP TABLE contacts AS
    SELECT client, server, protocol, port,
        count(*) AS flows,
        count(*) FILTER (contact = 0) AS failed,
        count(*) FILTER (contact = 2) AS used,
        -- The contact of the earliest flow, the worse one of several at the same time.
        (min(first_us * 4 + contact) & 3)::UTINYINT AS first,
        min(first_us) AS first_us,
        max(first_us) AS begun_us,
        max(last_us) AS last_us,
        coalesce(min(first_us) FILTER (contact = 2), 0) AS used_first_us,
        coalesce(max(last_us) FILTER (contact = 2), 0) AS used_last_us,
        least(sum(bytes_to_server), 9223372036854775807)::BIGINT AS bytes_to_server,
        least(sum(bytes_to_client), 9223372036854775807)::BIGINT AS bytes_to_client,
        max(bytes_to_server) AS most_to_server,
        coalesce(min(first_us) FILTER (bytes_to_server >= $large), 0) AS large_us,
        max(packets_to_client) > 0 AS answered,
        max(direction) AS direction
    FROM judged
    GROUP BY client, server, protocol, port
"""
_LOGINS = """
    SELECT client, server, protocol, port, first_us // 60000000 AS minute,
        min(first_us) AS first_us,
        max(last_us) AS last_us,
        count(*) AS flows,
        count(*) FILTER (contact = 2) AS used,
        count(*) FILTER (
            contact = 2 AND last_us - first_us <= 20000000
            AND bytes_to_server <= 8000 AND bytes_to_client <= 12000
        ) AS brief,
        max(bytes_to_server) AS most_to_server,
        least(sum(bytes_to_client), 9223372036854775807)::BIGINT AS bytes_to_client
    FROM judged
    WHERE (protocol::INTEGER * 65536 + port) IN (SELECT unnest($services::INTEGER[]))
    GROUP BY client, server, protocol, port, minute
"""
# Only what is worth sorting: enough flows, a second apart at the least, on a service with few
# clients; what many do at intervals is how that service works.
_RHYTHMS = """
    WITH rare AS (
        SELECT server, protocol, port FROM contacts WHERE protocol IN (6, 17)
        GROUP BY server, protocol, port HAVING count(*) < $crowd
    ),
    busy AS (
        SELECT client, server, protocol, port, first_us, begun_us AS last_us
        FROM contacts SEMI JOIN rare USING (server, protocol, port)
        WHERE flows BETWEEN $least AND 20000 AND begun_us - first_us >= flows * 1000000
    ),
    steps AS (
        SELECT client, server, protocol, port, judged.first_us - lag(judged.first_us) OVER (
            PARTITION BY client, server, protocol, port ORDER BY judged.first_us
        ) AS step
        FROM judged SEMI JOIN busy USING (client, server, protocol, port)
        WHERE contact <> 3
    ),
    even AS (
        SELECT client, server, protocol, port, count(step) AS beats,
            median(step)::BIGINT AS interval_us, mad(step)::BIGINT AS jitter_us
        FROM steps WHERE step IS NOT NULL
        GROUP BY client, server, protocol, port
        HAVING beats + 1 >= $least
    )
    SELECT * FROM even JOIN busy USING (client, server, protocol, port)
    WHERE interval_us >= 1000000 AND jitter_us <= interval_us * $jitter
"""
_CROWD = 3
_DAY_US = 86_400_000_000
# Hours are counted from a day long before any time that flows may claim: division rounds down.
# Pings are no use of a server.
_DAYS = """
    WITH pairs AS (
        SELECT client, server, (first_us + 1036800000000000000) // 3600000000 AS hour,
            sum(bytes_to_server) AS up, sum(bytes_to_client) AS down,
            count(*) FILTER (contact = 2 AND protocol NOT IN (1, 58)) AS used
        FROM judged GROUP BY ALL
    ),
    ends AS (
        SELECT client AS host, hour, sum(up) AS sent, sum(down) AS received, sum(used) AS flows,
            count(*) FILTER (used > 0) AS peers
        FROM pairs GROUP BY ALL
        UNION ALL
        SELECT server, hour, sum(down), sum(up), 0, 0 FROM pairs GROUP BY ALL
    ),
    hourly AS (
        SELECT host, hour, 1::UINTEGER << (hour % 24)::UINTEGER AS bit,
            least(sum(sent), 1000000000000000000)::BIGINT AS sent,
            least(sum(received), 1000000000000000000)::BIGINT AS received,
            sum(flows)::BIGINT AS flows, sum(peers)::BIGINT AS peers
        FROM ends GROUP BY ALL
    ),
    daily AS (
        SELECT host, hour // 24 - 12000000 AS day,
            bit_or(bit) AS seen,
            coalesce(bit_or(bit) FILTER (flows > 0), 0) AS hours,
            coalesce(bit_or(bit) FILTER (flows >= $least), 0) AS busy,
            max({'most': sent, 'at': -hour}) AS s, max({'most': received, 'at': -hour}) AS r,
            max({'most': flows, 'at': -hour}) AS f, max({'most': peers, 'at': -hour}) AS p
        FROM hourly GROUP BY ALL
    )
    SELECT host, day, seen, hours, busy,
        s.most AS sent, -s.at - 288000000 AS sent_hour,
        r.most AS received, -r.at - 288000000 AS received_hour,
        f.most AS flows, -f.at - 288000000 AS flows_hour,
        p.most AS peers, -p.at - 288000000 AS peers_hour
    FROM daily
"""


def read_traces(
    cursor: Connection,
    window: Window,
    services: Iterable[tuple[int, int]],
    limits: Thresholds,
    cancelled: Stop,
) -> Traces:
    """Contacts of all conversations, logins on `services` (protocol, port), what is regular, days.

    In no order. Raises Cancelled once `cancelled()` is true.
    """
    wanted = {"services": [protocol << 16 | port for protocol, port in services]}
    evenly = {"least": limits.beacon_beats + 1, "jitter": limits.beacon_jitter, "crowd": _CROWD}
    with transaction(cursor), interruptible(cursor, cancelled):
        cursor.execute(_SIXES)
        cursor.execute(_JUDGED.format(**_literals(window)))
        cursor.execute(_CONTACTS, {"large": limits.transfer_bytes})
        contacts = _columns(cursor, "FROM contacts", {}, CONTACT_DTYPES)
        logins = _columns(cursor, _LOGINS, wanted, LOGIN_DTYPES)
        rhythms = _columns(cursor, _RHYTHMS, evenly, RHYTHM_DTYPES)
        days = _days(cursor, window, limits)
        cursor.execute("DROP VIEW judged; DROP TABLE contacts; DROP TABLE sixes")
    return Traces(contacts, logins, rhythms, days)


def _days(cursor: Connection, window: Window, limits: Thresholds) -> Columns:
    """What hosts did day by day; empty for a whole recording too short to be its own baseline."""
    if window == Window():
        span = "SELECT coalesce(max(begun_us) - min(first_us), 0) FROM contacts"
        [(length,)] = cursor.execute(span).fetchall()
        if length < (limits.usual_days - 1) * _DAY_US:
            return {name: np.empty(0, kind) for name, kind in DAY_DTYPES.items()}
    return _columns(cursor, _DAYS, {"least": limits.hour_flows}, DAY_DTYPES)


def _literals(window: Window) -> dict[str, str]:
    """A view takes no parameters: whole numbers only, written out."""
    chosen = "TRUE"
    if window.captures is not None:
        numbers = ", ".join(str(int(number)) for number in window.captures)
        chosen = f"capture IN ({numbers})" if numbers else "FALSE"
    after, before = window.after_us, window.before_us
    return {
        "after": "TRUE" if after is None else f"first_us >= ({int(after)})",
        "before": "TRUE" if before is None else f"first_us < ({int(before)})",
        "captures": chosen,
    }


def _columns(
    cursor: Connection, query: str, values: Mapping[str, Any], kinds: Mapping[str, Any]
) -> Columns:
    found = cursor.execute(query, dict(values)).fetchnumpy()
    return {name: np.asarray(found[name]).astype(kind, copy=False) for name, kind in kinds.items()}
