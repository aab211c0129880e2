"""Captures into the store: one transaction for everything that one ingest brings."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from workbench.model.errors import DuplicateCapture, StoreError
from workbench.model.traffic import FLOW_DTYPES, CaptureReport, FlowColumns
from workbench.store.captures import insert_capture
from workbench.store.conversations import rebuild_conversations
from workbench.store.database import Connection, transaction

_ADD_HOSTS = """
    INSERT INTO hosts
    SELECT (SELECT count(*) FROM hosts) + row_number() OVER (ORDER BY address) - 1, address
    FROM (
        SELECT client_hi::UHUGEINT << 64 | client_lo AS address FROM batch WHERE id >= $first
        UNION
        SELECT server_hi::UHUGEINT << 64 | server_lo FROM batch WHERE id >= $first
    )
    ANTI JOIN hosts USING (address)
"""
_ADD_FLOWS = """
    INSERT INTO flows BY NAME
    SELECT batch.* EXCLUDE (client_hi, client_lo, server_hi, server_lo),
        $capture AS capture, client.id AS client, server.id AS server
    FROM batch
    JOIN hosts AS client ON client.address = client_hi::UHUGEINT << 64 | client_lo
    JOIN hosts AS server ON server.address = server_hi::UHUGEINT << 64 | server_lo
    WHERE batch.id >= $first
"""
_BATCH = 65_536
"""Rows handed to the database at a time."""


class Loading:
    """Adds captures to the store. Made by `Store.load()`, for one thread."""

    def __init__(self, cursor: Connection) -> None:
        self._cursor = cursor
        self._next_flow = self._number("SELECT coalesce(max(id), 0) + 1 FROM flows")
        self._next_capture = self._number("SELECT coalesce(max(id), 0) + 1 FROM captures")
        known = cursor.execute("SELECT fingerprint, id FROM captures").fetchall()
        self._known: dict[str, int] = dict(known)
        self._begun: dict[int, int] = {}  # capture → flows so far
        # One set of arrays for the whole transaction: until it ends, the driver keeps everything
        # that was ever registered in it.
        kinds = {**FLOW_DTYPES, "id": np.int64}
        self._batch = {name: np.zeros(_BATCH, kind) for name, kind in kinds.items()}
        cursor.register("batch", self._batch)

    def begin(self, path: str, fingerprint: str) -> int:
        """The number of a new capture. Raises DuplicateCapture for content that is here already."""
        if number := self._known.get(fingerprint):
            raise DuplicateCapture(f"{path}: already loaded, as capture {number}")
        number = self._next_capture
        self._next_capture += 1
        self._known[fingerprint] = number
        self._begun[number] = 0
        return number

    def flows(self, capture_id: int, columns: FlowColumns) -> None:
        """Add a batch of flows to a capture that has begun."""
        for begin in range(0, len(columns["protocol"]), _BATCH):
            self._add(
                capture_id, {name: columns[name][begin : begin + _BATCH] for name in FLOW_DTYPES}
            )

    def _add(self, capture_id: int, columns: FlowColumns) -> None:
        """Copy into the registered arrays; rows left from an earlier batch have smaller ids."""
        count, first = len(columns["protocol"]), self._next_flow
        for name, column in columns.items():
            self._batch[name][:count] = column
        self._batch["id"][:count] = np.arange(first, first + count)
        self._cursor.execute(_ADD_HOSTS, {"first": first})
        self._cursor.execute(_ADD_FLOWS, {"first": first, "capture": capture_id})
        self._next_flow += count
        self._begun[capture_id] += count

    def finish(self, capture_id: int, report: CaptureReport) -> None:
        """Add the report of a capture whose flows are all here."""
        insert_capture(self._cursor, capture_id, report)
        del self._begun[capture_id]

    def close(self) -> None:
        """Bring the conversations up to date. A capture begun in vain, without flows, is forgotten.

        Raises StoreError when a capture has flows and no report.
        """
        for number, flows in self._begun.items():
            if flows:
                raise StoreError(f"capture {number} has flows but was never finished")
        rebuild_conversations(self._cursor)

    def _number(self, sql: str) -> int:
        [(number,)] = self._cursor.execute(sql).fetchall()
        return int(number)


@contextmanager
def loading(cursor: Connection) -> Iterator[Loading]:
    """One transaction. On any exception, Ctrl-C included, the store is as it was before."""
    with transaction(cursor):
        job = Loading(cursor)
        yield job
        job.close()
