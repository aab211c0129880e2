"""After a load: flows put together, judged as parts of the whole, added up to conversations."""

from collections.abc import Collection
from pathlib import Path

from workbench.model.errors import StoreError
from workbench.store.conversations import rebuild_conversations
from workbench.store.database import Connection, transaction
from workbench.store.joining import join_flows
from workbench.store.judging import Judge, changed_hints, judge_by_degree, judge_by_hints

_FORGOTTEN = "SELECT capture FROM unsettled ORDER BY capture"
# A flow once in each capture that saw it, in however many pieces.
_COUNT = """
    UPDATE captures SET flows = counted.flows
    FROM (
        SELECT capture, count(*) AS flows
        FROM (
            SELECT capture FROM flows WHERE pieces < 2
            UNION ALL
            SELECT capture FROM (SELECT DISTINCT capture, flow FROM pieces)
        ) GROUP BY capture
    ) AS counted
    WHERE counted.capture = captures.id AND counted.flows <> captures.flows
"""


def unsettled(cursor: Connection) -> tuple[int, ...]:
    """Captures of a load that was cut short: their flows are stored, and no more than that."""
    return tuple(number for (number,) in cursor.execute(_FORGOTTEN).fetchall())


def recover(cursor: Connection, path: Path, *, read_only: bool) -> None:
    """After a load that was cut short: conversations of all the flows that are here.

    Raises StoreError when only reading is allowed and this is needed.
    """
    if unsettled(cursor):
        if read_only:
            raise StoreError(f"{path}: a load was cut short; open it once for writing")
        with transaction(cursor):
            rebuild_conversations(cursor)


def settled(cursor: Connection, judge: Judge) -> bool:
    """Whether everything was judged by the same services, and no load was cut short."""
    return not unsettled(cursor) and not changed_hints(cursor, judge)


def settle(cursor: Connection, judge: Judge | None, fresh: Collection[int]) -> None:
    """Bring everything up to date with the fresh captures; inside a transaction.

    Without a judge flows are only added up.
    """
    if judge is not None:
        if fresh:
            join_flows(cursor, judge, fresh)
            cursor.execute(_COUNT)
        judge_by_hints(cursor, judge)
        judge_by_degree(cursor, judge)
    rebuild_conversations(cursor)
    cursor.execute("DELETE FROM unsettled")
