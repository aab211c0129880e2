"""Flows → conversations, and conversations → arrays."""

from workbench.model.traffic import CONVERSATION_DTYPES, ConversationTable, HostTable
from workbench.store.database import Connection

_REBUILD = """
    INSERT INTO conversations
    SELECT client, server, protocol, port, client_port_low, client_port_high, flows,
        -- Sums are exact 128-bit numbers; a hostile log may exceed the 63 bits that arrays hold.
        least(packets, 9223372036854775807), least(bytes, 9223372036854775807),
        first_us, last_us,
        CASE WHEN best < 3 THEN best ELSE 8 - best END,
        direction
    FROM (
        SELECT client, server, protocol, server_port AS port,
            min(client_port) AS client_port_low,
            max(client_port) AS client_port_high,
            count(*) AS flows,
            sum(packets_to_server) + sum(packets_to_client) AS packets,
            sum(bytes_to_server) + sum(bytes_to_client) AS bytes,
            min(first_us) AS first_us,
            max(last_us) AS last_us,
            -- Best first: established, refused, mid-stream, one-way, unanswered. The model numbers
            -- them 1, 2, 5, 4, 3; taking the last three from 8 sorts them, and doing it again
            -- restores the number.
            min(CASE WHEN outcome < 3 THEN outcome ELSE 8 - outcome END) AS best,
            max(direction) AS direction
        FROM flows
        GROUP BY ALL
    )
    ORDER BY protocol, port, client, server
"""
_SELECT = """
    SELECT client, server, protocol, port, client_port_low, client_port_high, flows, packets, bytes,
        first_us, last_us, outcome, direction
    FROM conversations
"""


def rebuild_conversations(cursor: Connection) -> None:
    """Aggregate all flows anew: ten million take well under a second, so nothing is merged.

    A conversation's outcome is the best among its flows, its direction the strongest evidence.
    """
    cursor.execute("DELETE FROM conversations")
    cursor.execute(_REBUILD)


def read_conversations(cursor: Connection, hosts: HostTable) -> ConversationTable:
    """All conversations, in the stored order (a scan keeps the order of insertion)."""
    found = cursor.execute(_SELECT).fetchnumpy()
    columns = {
        name: found[name].astype(kind, copy=False) for name, kind in CONVERSATION_DTYPES.items()
    }
    return ConversationTable(hosts, columns)


def read_hosts(cursor: Connection) -> HostTable:
    """Every host seen in traffic, by number."""
    rows = cursor.execute("SELECT address FROM hosts ORDER BY id").fetchall()
    return HostTable(tuple(address for (address,) in rows), seen=len(rows))
