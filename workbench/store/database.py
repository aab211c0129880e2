"""Opening the database file, and the one place where the driver's errors become ours."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import TypeAlias
from weakref import WeakSet, finalize

from workbench.model.errors import Cancelled, StoreBusy, StoreError
from workbench.model.traffic import Stop
from workbench.store.driver import duckdb

Connection: TypeAlias = duckdb.DuckDBPyConnection

_OFFLINE = {
    # Without these a cast to an unknown type asks the network for an extension, and waits for it.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # The store reads and writes its own file and the spill folder beside it, nothing else.
    "enable_external_access": False,
    "python_enable_replacements": False,
}
_MEMORY = "1GB"
"""Ceiling of the database's buffers; sorts and aggregates of more than that spill to disk."""
_LOADING_MEMORY = "256MB"
"""While flows come in: they need no more, and the flow table has its share beside it."""
_THREADS = 4
"""More threads buy little on columns this narrow, and each has buffers of its own."""
_POLL_SECONDS = 0.05
_DAMAGE = ("Corrupt database file", "Could not read enough bytes")
"""What the driver calls a file that is no longer what it wrote."""
ANEW = (
    "move flows.duckdb away and ingest the captures again; "
    "policy and labels are files of their own, and stay"
)
"""What to do about a store that cannot be used: everything in it comes from captures."""


def connect(path: Path, *, read_only: bool) -> Connection:
    """Open the file `path`, made if missing. Raises StoreBusy and StoreError."""
    # Absolute: the driver takes `md:x` for a cloud service and `:memory:` for no file at all.
    file = path.absolute()
    if not _is_utf8(file):
        raise StoreError(f"{path}: the name is not UTF-8; rename the folder to load into it")
    if file.exists() and not file.is_file():
        raise StoreError(f"{path}: not a file")
    if read_only and not file.exists():
        raise StoreError(f"{path}: no flow store here yet; ingest a capture first")
    settings: dict[str, str | bool | int | float | list[str]] = {
        **_OFFLINE,
        "memory_limit": _MEMORY,
        "threads": min(_THREADS, os.cpu_count() or 1),
        "temp_directory": f"{file}.tmp",
        # A load is one transaction: it goes into the file at once, not to the log first.
        "checkpoint_threshold": "1KB",
    }
    try:
        return duckdb.connect(str(file), read_only=read_only, config=settings)
    except duckdb.Error as error:
        raise _cannot_open(path, str(error)) from error


def _is_utf8(file: Path) -> bool:
    """Whether the driver can be told its name: bytes that are no UTF-8 come as surrogates."""
    try:
        str(file).encode()
    except UnicodeEncodeError:
        return False
    return True


def _cannot_open(path: Path, message: str) -> StoreError:
    if "Could not set lock" in message:
        holder = re.search(r"\(PID (\d+)\)", message)
        who = f"process {holder[1]}" if holder else "another process"
        return StoreBusy(f"{path}: {who} has it open; close the workspace there first")
    if "different configuration" in message:
        return StoreBusy(f"{path}: already open in this process")
    for sign, what in (
        ("No space left", "the disk is full; make room and do the same again"),
        (
            "Permission denied",
            "permission denied; work on a copy of the folder",
        ),
    ):
        if sign in message:
            return StoreError(f"{path}: {what}")
    problem = f"{path}: cannot be read as a flow store ({_first_line(message)})"
    if "Cannot open file" in message:  # nothing is known of what is in it
        return StoreError(problem)
    return StoreError(f"{problem}; {ANEW}")


def _first_line(message: str) -> str:
    return (message.splitlines() or ["no reason given"])[0].strip()


@contextmanager
def translated() -> Iterator[None]:
    """Everything that calls the driver runs in here.

    Raises StoreError for the driver's errors, Cancelled for a query that was interrupted.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise Cancelled("the query was stopped") from error
    except duckdb.Error as error:
        problem = _first_line(str(error))
        if "No space left" in problem:
            problem = "the disk is full; make room and do the same again: what was finished stays"
        elif any(sign in problem for sign in _DAMAGE):
            problem = f"damaged ({problem}); {ANEW}"
        raise StoreError(f"flow store: {problem}") from error
    except RuntimeError as error:
        if str(error) != "Query interrupted":
            raise
        raise KeyboardInterrupt from error  # how the driver reports Ctrl-C


class Database:
    """An open file and the cursors at work on it."""

    def __init__(self, root: Connection) -> None:
        self._root = root
        self._cursors: WeakSet[Connection] = WeakSet()
        # Also when the process ends: the driver aborts it if a thread is left inside a query.
        self._finish = finalize(self, _close, root, self._cursors)

    def cursor(self) -> Connection:
        """A cursor of its own for one unit of work: temporary tables are private to it."""
        cursor = self._root.cursor()
        self._cursors.add(cursor)
        return cursor

    @contextmanager
    def work(self) -> Iterator[Connection]:
        """A cursor for the time of one unit of work, its errors translated."""
        with translated(), self.cursor() as cursor:
            yield cursor

    def close(self) -> None:
        """Stop what is still running, in whatever thread, and let go of the file."""
        with translated():
            self._finish()


def _close(root: Connection, cursors: WeakSet[Connection]) -> None:
    connections = (*cursors, root)
    done = Event()

    def interrupt() -> None:
        while not done.wait(_POLL_SECONDS):
            for one in connections:
                with suppress(duckdb.Error):  # closed already
                    one.interrupt()

    # From beside: a query that begins just when its cursor is closed makes closing wait for it.
    beside = Thread(target=interrupt, name="store-close", daemon=True)
    with suppress(RuntimeError):  # too late in the life of this process for a new thread
        beside.start()
    for one in connections:
        while True:
            try:
                one.close()
                break
            except duckdb.ResourceInUseException:  # inside a query: closing does not wait for it
                with suppress(duckdb.Error):  # its thread has closed it meanwhile
                    one.interrupt()
                sleep(_POLL_SECONDS)
    done.set()
    if beside.ident is not None:
        beside.join()  # it holds connections: a process must not end before they are gone


@contextmanager
def transaction(cursor: Connection) -> Iterator[None]:
    """All or nothing, whatever is raised, Ctrl-C included."""
    cursor.execute("BEGIN TRANSACTION")
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # a driver that gave up has rolled back by itself
            cursor.execute("ROLLBACK")
        raise
    cursor.execute("COMMIT")


@contextmanager
def frugal(cursor: Connection) -> Iterator[None]:
    """Less memory for the database meanwhile, whoever uses it."""
    cursor.execute(f"SET memory_limit = '{_LOADING_MEMORY}'")
    try:
        yield
    finally:
        with suppress(duckdb.Error):  # a driver that gave up: what made it so is on its way
            cursor.execute(f"SET memory_limit = '{_MEMORY}'")


@contextmanager
def interruptible(cursor: Connection, cancelled: Stop) -> Iterator[None]:
    """Stop the cursor's query, from a thread beside it, once `cancelled()` is true."""
    if cancelled is None:
        yield
        return
    done = Event()

    def watch() -> None:
        while not done.wait(_POLL_SECONDS):
            if cancelled():
                cursor.interrupt()  # again and again: between two statements it has no effect

    watcher = Thread(target=watch, name="store-cancel", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
