"""Store: the one object through which the rest of the workbench reaches the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType

from workbench.model.errors import StoreBusy, StoreError
from workbench.model.traffic import CaptureReport, ConversationTable, HostTable
from workbench.store import captures, conversations, schema
from workbench.store.database import Connection, connect, translated, unit_of_work
from workbench.store.loading import Loading, loading


class Store:
    """Captures, hosts, flows and conversations of one workspace.

    Open for writing it is this process's alone; several processes may have it open for reading only.
    Every method may be called from any thread.
    """

    def __init__(self, path: Path, root: Connection) -> None:
        self.path = path
        self._root = root
        self._writer = Lock()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> "Store":
        """Open the database file, made if missing, and bring its layout up to date.

        Raises StoreBusy while another process has it open, StoreTooNew for a newer workbench's
        store, and StoreError for a file that is broken or something else.
        """
        root = connect(path, read_only=read_only)
        try:
            with translated():
                schema.upgrade(root, path, schema.steps(), read_only=read_only)
        except BaseException:
            root.close()
            raise
        return cls(path, root)

    def close(self) -> None:
        """Let go of the file. Views still open are closed with it."""
        with translated():
            self._root.close()

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def load(self) -> Iterator[Loading]:
        """Add captures in one transaction; on any exception the store is as it was before."""
        if not self._writer.acquire(blocking=False):
            raise StoreBusy(f"{self.path}: captures are being loaded already")
        try:
            with unit_of_work(self._root) as cursor, loading(cursor) as job:
                yield job
        finally:
            self._writer.release()

    def captures(self) -> tuple[CaptureReport, ...]:
        """Every capture, in the order they were loaded."""
        with unit_of_work(self._root) as cursor:
            return captures.read_captures(cursor)

    def hosts(self) -> HostTable:
        """Every host seen in traffic; numbers never change once given."""
        with unit_of_work(self._root) as cursor:
            return conversations.read_hosts(cursor)

    def conversations(self, hosts: HostTable) -> ConversationTable:
        """All conversations. `hosts` begins with the seen hosts, as `hosts()` gives them."""
        with unit_of_work(self._root) as cursor:
            return conversations.read_conversations(cursor, hosts)
