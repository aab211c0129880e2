"""Flows → conversations, and conversations → arrays."""

from workbench.model.traffic import CONVERSATION_DTYPES, ConversationTable, HostTable
from workbench.store.database import Connection

AGGREGATE = """
    SELECT client, server, protocol, server_port AS port,
        min(client_port) AS client_port_low,
        max(client_port) AS client_port_high,
        count(*) AS flows,
        -- Added up as 128-bit numbers, then capped: a hostile log may exceed what arrays hold.
        least(sum(packets_to_server::HUGEINT + packets_to_client), 9223372036854775807) AS packets,
        least(sum(bytes_to_server::HUGEINT + bytes_to_client), 9223372036854775807) AS bytes,
        -- 0: the packets of a flow carried no time.
        coalesce(min(first_us) FILTER (first_us <> 0), 0) AS first_us,
        max(last_us) AS last_us,
        -- Best first: established, refused, mid-stream, one-way, unanswered, numbered as in the
        -- list. Taking the last three from 8 gives each its place in it.
        [1, 2, 5, 4, 3][min(CASE WHEN outcome < 3 THEN outcome ELSE 8 - outcome END)] AS outcome,
        max(direction) AS direction
    FROM flows
    GROUP BY client, server, protocol, server_port
"""
"""Flows → conversations, in no order."""
_REBUILD = " ".join(
    ("INSERT INTO conversations BY NAME", AGGREGATE, "ORDER BY protocol, port, client, server")
)
_SELECT = """
    SELECT client, server, protocol, port, client_port_low, client_port_high, flows, packets, bytes,
        first_us, last_us, outcome, direction
    FROM conversations
"""

# In halves: the driver takes thirty times as long to make one big number.
_HOSTS = """
    SELECT (address >> 64)::UBIGINT AS high, (address & 18446744073709551615)::UBIGINT AS low
    FROM hosts ORDER BY id
"""


def rebuild_conversations(cursor: Connection) -> None:
    """Aggregate all flows anew: ten million take about a second, so nothing is merged.

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
    found = cursor.execute(_HOSTS).fetchnumpy()
    halves = zip(found["high"].tolist(), found["low"].tolist(), strict=True)
    addresses = tuple(high << 64 | low for high, low in halves)
    return HostTable(addresses, seen=len(addresses))
