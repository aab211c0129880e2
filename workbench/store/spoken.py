"""What payload said, kept by capture."""

from collections.abc import Iterable

from workbench.model.finding import Window
from workbench.model.spoken import Act, Heard, Said, Spoken
from workbench.store.database import Connection

_NAMES = (
    "act", "what", "who", "code", "client", "server", "protocol", "port", "first_us", "last_us",
    "count",
)  # fmt: skip
_INSERT = """
    INSERT INTO spoken
    SELECT $capture, unnest($act::VARCHAR[]), unnest($what::VARCHAR[]), unnest($who::VARCHAR[]),
        unnest($code::BIGINT[]), unnest($client::VARCHAR[])::UHUGEINT,
        unnest($server::VARCHAR[])::UHUGEINT, unnest($protocol::UTINYINT[]),
        unnest($port::USMALLINT[]), unnest($first_us::BIGINT[]), unnest($last_us::BIGINT[]),
        unnest($count::BIGINT[])
"""
# Captures from several places may hold the same words: the fullest of them counts.
_SELECT = """
    SELECT act, what, who, code, client::VARCHAR, server::VARCHAR, protocol, port,
        min(first_us), max(last_us), max(count)
    FROM spoken
    WHERE first_us >= coalesce($after, first_us)
        AND ($before IS NULL OR first_us < $before)
        AND ($captures IS NULL OR list_contains($captures::INTEGER[], capture))
    GROUP BY act, what, who, code, client, server, protocol, port, first_us // 60000000
    ORDER BY min(first_us), act, what, who, code, client, server, port
"""
_BATCH = 10_000


def heard(cursor: Connection, version: int) -> dict[int, tuple[str, str]]:
    """Capture → its fingerprint when these parsers listened to it, and what was wrong."""
    query = "SELECT capture, fingerprint, problem FROM heard WHERE version = ?"
    rows = cursor.execute(query, (version,)).fetchall()
    return {capture: (fingerprint, problem) for capture, fingerprint, problem in rows}


def keep(cursor: Connection, capture: int, fingerprint: str, version: int, found: Heard) -> None:
    """Put a capture's facts in the place of what was known of it."""
    cursor.execute("DELETE FROM spoken WHERE capture = ?", (capture,))
    cursor.execute("DELETE FROM heard WHERE capture = ?", (capture,))
    for begin in range(0, len(found.facts), _BATCH):
        columns = zip(*map(_row, found.facts[begin : begin + _BATCH]), strict=True)
        values = dict(zip(_NAMES, map(list, columns), strict=True))
        cursor.execute(_INSERT, {"capture": capture, **values})
    cursor.execute(
        "INSERT INTO heard VALUES (?, ?, ?, ?)", (capture, fingerprint, version, found.problem)
    )


def read(cursor: Connection, window: Window) -> tuple[Spoken, ...]:
    """Facts of a window, by time."""
    values = {
        "after": window.after_us,
        "before": window.before_us,
        "captures": None if window.captures is None else list(window.captures),
    }
    rows: Iterable[tuple[str, str, str, int, str, str, int, int, int, int, int]]
    rows = cursor.execute(_SELECT, values).fetchall()
    return tuple(
        Spoken(Said(Act(act), what, who, code), int(client), int(server), *rest)
        for act, what, who, code, client, server, *rest in rows
    )


def _row(one: Spoken) -> tuple[object, ...]:
    said = one.said
    ends = str(one.client), str(one.server), one.protocol, one.port
    return (said.act.value, said.what, said.who, said.code, *ends, one.first_us, one.last_us,
            one.count)  # fmt: skip
