"""Store: the one object through which the rest of the workbench reaches the database."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from workbench.model.errors import StoreBusy, StoreError
from workbench.model.filters import Term
from workbench.model.finding import Thresholds, Traces, Window
from workbench.model.policy import ResolvedPolicy
from workbench.model.quality import FlowShares, HostSides
from workbench.model.spoken import Heard, Spoken
from workbench.model.traffic import CaptureReport, ConversationTable, Flow, HostTable, Stop
from workbench.model.vantage import Vantage
from workbench.store import (
    captures,
    conversations,
    findings,
    oracle,
    quality,
    schema,
    settling,
    spoken,
    views,
)
from workbench.store.database import Connection, Database, connect, transaction, translated
from workbench.store.joining import Stretch, read_pieces
from workbench.store.judging import Judge
from workbench.store.loading import Loading, loading
from workbench.store.vantages import read_vantages


class Store:
    """Captures, hosts, flows and conversations of one workspace.

    Open for writing it is this process's alone; read-only, several processes may share it.
    Every method may be called from any thread.
    """

    def __init__(self, path: Path, database: Database, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self._database = database
        self._writer = Lock()

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> "Store":
        """Open the database file, made if missing, and bring its layout up to date.

        Raises StoreBusy while another process has it open, StoreTooNew for a newer workbench's
        store, and StoreError for a file that is broken or something else.
        """
        database = Database(connect(path, read_only=read_only))
        try:
            with database.work() as cursor:
                schema.upgrade(cursor, path, schema.steps(), read_only=read_only)
                settling.recover(cursor, path, read_only=read_only)
        except BaseException:
            database.close()
            raise
        return cls(path, database, read_only=read_only)

    def close(self) -> None:
        """Let go of the file. Views are closed with it, and work in other threads is stopped."""
        self._database.close()

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
    def load(self, judge: Judge | None = None) -> Iterator[Loading]:
        """Add captures; on any exception those that are finished stay, and nothing else.

        At the end flows are put together and judged as parts of everything stored; without a judge
        they stay as they come.
        """
        with self._writing() as cursor, loading(cursor, judge) as job:
            yield job

    def settled(self, judge: Judge) -> bool:
        """Whether everything was judged by these services, and no load was cut short."""
        with self._database.work() as cursor:
            return settling.settled(cursor, judge)

    def settle(self, judge: Judge) -> bool:
        """Judge flows again where services changed, and finish a load that was cut short.

        Whether there was anything to do: conversations may be others then.
        """
        with self._writing() as cursor, transaction(cursor):
            if settling.settled(cursor, judge):
                return False
            settling.settle(cursor, judge, settling.unsettled(cursor))
            return True

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A cursor for the one writer. Raises StoreBusy when there is another."""
        if not self._writer.acquire(blocking=False):
            raise StoreBusy(f"{self.path}: captures are being loaded already")
        try:
            with self._database.work() as cursor:
                yield cursor
        finally:
            self._writer.release()

    def vantages(self) -> tuple[Vantage, ...]:
        """Pairs of captures that recorded some of the same traffic."""
        with self._database.work() as cursor:
            return read_vantages(cursor)

    def pieces(self, flow_ids: Iterable[int]) -> Mapping[int, tuple[Stretch, ...]]:
        """Flow → where its packets are: capture, offsets of the first and the last of a stretch.

        In order of time. Of a flow that several captures saw, what the place saw that saw most.
        Unknown flows are left out.
        """
        with self._database.work() as cursor:
            return read_pieces(cursor, flow_ids)

    def captures(self) -> tuple[CaptureReport, ...]:
        """Every capture, in the order they were loaded."""
        with self._database.work() as cursor:
            return captures.read_captures(cursor)

    def relocate(self, places: Mapping[int, str]) -> None:
        """Captures whose files have moved: number → path."""
        with self._database.work() as cursor:
            for number, path in places.items():
                cursor.execute("UPDATE captures SET path = ? WHERE id = ?", (path, number))

    def flow_shares(self) -> Mapping[int, FlowShares]:
        """Capture → its flows by kind, as it saw them; captures without flows are left out."""
        with self._database.work() as cursor:
            return quality.read_shares(cursor)

    def all_flow_shares(self) -> FlowShares:
        """All flows by kind, put together from what the captures saw."""
        with self._database.work() as cursor:
            return quality.read_all_shares(cursor)

    def host_sides(self) -> HostSides:
        """What was seen of every host of `hosts()`."""
        with self._database.work() as cursor:
            return quality.read_sides(cursor)

    def hosts(self) -> HostTable:
        """Every host seen in traffic; numbers never change once given."""
        with self._database.work() as cursor:
            return conversations.read_hosts(cursor)

    def names(self) -> Mapping[int, str]:
        """Address → the name that the first capture that has one gives it; of hosts seen."""
        with self._database.work() as cursor:
            return captures.read_names(cursor)

    def conversations(self, hosts: HostTable) -> ConversationTable:
        """All conversations. `hosts` begins with the seen hosts, as `hosts()` gives them."""
        with self._database.work() as cursor:
            return conversations.read_conversations(cursor, hosts)

    def flow(self, flow_id: int) -> Flow:
        """One flow by its number. Raises StoreError when there is none."""
        with self._database.work() as cursor:
            found = views.read_flows(cursor, [flow_id])
        if not found:
            raise StoreError(f"no flow {flow_id}")
        return found[0]

    def flow_view(self, query: views.FlowQuery, cancelled: Stop = None) -> views.FlowView:
        """Flows chosen and sorted, to be read page by page; close the view after use.

        `cancelled` is asked from a thread of its own, some twenty times a second. Raises Cancelled
        once it is true, StoreError for a term or sort key that is not known.
        """
        with translated():
            cursor = self._database.cursor()
            try:
                return views.open_view(cursor, query, cancelled)
            except BaseException:
                cursor.close()
                raise

    def having(self, terms: tuple[Term, ...]) -> NDArray[np.bool_]:
        """Which conversations have a flow that fits all of the terms: one bool a conversation.

        Terms as in `FlowQuery.terms`; in the order of `conversations()`.
        """
        with self._database.work() as cursor:
            return views.conversations_having(cursor, terms)

    def judge(self, policy: ResolvedPolicy) -> NDArray[np.uint8]:
        """The Verdict of every conversation, in the order of `conversations()`, worked out in SQL.

        Equal to decide() for each of them, uncertain directions included.
        """
        with self._database.work() as cursor:
            return oracle.judge(cursor, policy)

    def traces(
        self,
        window: Window,
        services: Iterable[tuple[int, int]],
        limits: Thresholds,
        cancelled: Stop = None,
    ) -> Traces:
        """What the detectors of findings look at, see `findings.read_traces`.

        Raises Cancelled once `cancelled()` is true; it is asked from a thread of its own.
        """
        with self._database.work() as cursor:
            return findings.read_traces(cursor, window, services, limits, cancelled)

    def heard(self, version: int) -> dict[int, tuple[str, str]]:
        """Captures whose payload was read by these parsers → fingerprint then, and problem."""
        with self._database.work() as cursor:
            return spoken.heard(cursor, version)

    def keep_heard(self, capture: int, fingerprint: str, version: int, found: Heard) -> None:
        """Keep what the payload of a capture says. Raises StoreBusy while captures are loaded."""
        with self._writing() as cursor, transaction(cursor):
            spoken.keep(cursor, capture, fingerprint, version, found)

    def spoken(self, window: Window) -> tuple[Spoken, ...]:
        """What was said in a window, by time, as far as captures were listened to."""
        with self._database.work() as cursor:
            return spoken.read(cursor, window)
