"""Captures into the store: one transaction for each, and one for what they are together."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from workbench.model.errors import DuplicateCapture, StoreError
from workbench.model.traffic import FLOW_DTYPES, CaptureReport, FlowColumns
from workbench.store.captures import insert_capture, insert_names
from workbench.store.database import Connection, frugal
from workbench.store.driver import duckdb
from workbench.store.judging import Judge
from workbench.store.settling import settle, unsettled

_LAST_FLOW = """
    SELECT greatest(
        (SELECT coalesce(max(id), 0) FROM flows), (SELECT coalesce(max(id), 0) FROM pieces)
    )
"""
_LAST_CAPTURE = "SELECT coalesce(max(id), 0) FROM captures"
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
        $capture AS capture, client.id AS client, server.id AS server, 1 AS pieces
    FROM batch
    JOIN hosts AS client ON client.address = client_hi::UHUGEINT << 64 | client_lo
    JOIN hosts AS server ON server.address = server_hi::UHUGEINT << 64 | server_lo
    WHERE batch.id >= $first
"""
_BATCH = 65_536
"""Rows handed to the database at a time."""


class Loading:
    """Adds captures to the store, one after the other. Made by `Store.load()`, for one thread.

    Each capture is a transaction, which ends when the next one begins or the load ends.
    """

    def __init__(self, cursor: Connection, judge: Judge | None) -> None:
        self._cursor = cursor
        self._judge = judge
        self._next_flow = self._number(_LAST_FLOW) + 1
        self._next_capture = self._number(_LAST_CAPTURE) + 1
        known = cursor.execute("SELECT fingerprint, id FROM captures").fetchall()
        self._known: dict[str, int] = dict(known)
        self._old = {number for _, number in known}
        self._open = False  # whether a transaction is
        self._current: int | None = None  # the capture that takes flows
        self._flows = 0  # of the current capture, in the database so far
        self._waiting = 0  # flows in the arrays below
        self._fresh = set(unsettled(cursor))
        self._whole = not (self._fresh or self._old)
        # One set of arrays for the whole load: until a transaction ends, the driver keeps
        # everything that was ever registered in it.
        kinds = {**FLOW_DTYPES, "id": np.int64}
        self._batch = {name: np.zeros(_BATCH, kind) for name, kind in kinds.items()}
        cursor.register("batch", self._batch)

    def begin(self, path: str, fingerprint: str) -> int:
        """The number of a new capture; fingerprint: empty while it is not known.

        One that is never finished leaves its number to the next.

        Raises DuplicateCapture for content that is here already.
        """
        number = self._next_capture
        if fingerprint:
            self._claim(number, path, fingerprint, begins=True)
        self._start(number)
        return number

    def _claim(self, number: int, path: str, fingerprint: str, *, begins: bool = False) -> None:
        seen = begins and fingerprint in self._known
        known = self._known.setdefault(fingerprint, number)
        if seen or known != number:
            raise DuplicateCapture(f"{path}: already loaded, as capture {known}")

    def extend(self, capture_id: int) -> None:
        """Take more flows of a capture that is here already; `finish` replaces its report."""
        if capture_id not in self._old:
            raise StoreError(f"there is no capture {capture_id} to go on with")
        self._start(capture_id)

    def _start(self, number: int) -> None:
        self._check_finished()
        self._commit()
        self._cursor.execute("BEGIN TRANSACTION")
        self._open = True
        self._current = number
        self._flows = self._waiting = 0

    def flows(self, capture_id: int, columns: FlowColumns) -> None:
        """Add a batch of flows, of any size, to the capture that has begun last."""
        if capture_id != self._current:
            raise StoreError(f"capture {capture_id} does not take flows now")
        begin, count = 0, len(columns["protocol"])
        while begin < count:
            room = min(_BATCH - self._waiting, count - begin)
            for name in FLOW_DTYPES:
                place = self._batch[name][self._waiting : self._waiting + room]
                place[:] = columns[name][begin : begin + room]
            self._waiting += room
            begin += room
            if self._waiting == _BATCH:
                self._hand_over()

    def _hand_over(self) -> None:
        """Give what waits to the database; rows left from an earlier batch have smaller ids."""
        count, first = self._waiting, self._next_flow
        if not count:
            return
        self._batch["id"][:count] = np.arange(first, first + count)
        self._cursor.execute(_ADD_HOSTS, {"first": first})
        self._cursor.execute(_ADD_FLOWS, {"first": first, "capture": self._current})
        self._next_flow += count
        self._flows += count
        self._waiting = 0

    def finish(self, capture_id: int, report: CaptureReport) -> None:
        """Add the report of the capture whose flows are all here.

        Raises DuplicateCapture for content that is here already.
        """
        if capture_id != self._current:
            raise StoreError(f"capture {capture_id} has not begun")
        self._claim(capture_id, report.path, report.fingerprint)
        self._hand_over()
        self._cursor.execute("DELETE FROM captures WHERE id = ?", (capture_id,))
        insert_capture(self._cursor, capture_id, report)
        insert_names(self._cursor, capture_id, report.host_names)
        self._cursor.execute("INSERT INTO unsettled VALUES (?)", (capture_id,))
        # The first capture of a store, read in one go: nothing in it can be a piece of another.
        self._whole &= not self._fresh and not report.in_pieces
        self._next_capture = max(self._next_capture, capture_id + 1)
        self._old.add(capture_id)
        self._fresh.add(capture_id)
        self._current = None

    def close(self) -> None:
        """Put flows together, judge them, and bring the conversations up to date.

        A capture begun in vain, without flows, is forgotten. Raises StoreError when a capture has
        flows and no report.
        """
        self._check_finished()
        if not self._open:
            self._cursor.execute("BEGIN TRANSACTION")
            self._open = True
        try:
            settle(self._cursor, self._judge, () if self._whole else self._fresh)
            self._commit()
        except BaseException:
            self._roll_back()
            raise

    def abandon(self) -> None:
        """Forget the capture that is not finished; those before it stay."""
        if self._current is not None:
            self._roll_back()
            self._current = None
        if self._fresh:
            with suppress(duckdb.Error, StoreError):  # who opens the store next will find them
                self.close()

    def _check_finished(self) -> None:
        if self._current is not None and self._flows + self._waiting:
            raise StoreError(f"capture {self._current} has flows but was never finished")

    def _commit(self) -> None:
        if self._open:
            self._cursor.execute("COMMIT")
            self._open = False

    def _roll_back(self) -> None:
        if self._open:
            self._open = False
            with suppress(duckdb.Error):  # a driver that gave up has rolled back by itself
                self._cursor.execute("ROLLBACK")

    def _number(self, sql: str) -> int:
        [(number,)] = self._cursor.execute(sql).fetchall()
        return int(number)


@contextmanager
def loading(cursor: Connection, judge: Judge | None) -> Iterator[Loading]:
    """On any exception, Ctrl-C included, the captures that are finished stay, and nothing else."""
    with frugal(cursor):
        job = Loading(cursor, judge)
        try:
            yield job
        except BaseException:
            job.abandon()
            raise
        job.close()
