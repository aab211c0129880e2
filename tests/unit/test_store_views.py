"""Flow views: paging, totals, stopping, and the words they refuse."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from weakref import WeakSet

import numpy as np
import pytest
import store_samples as samples

from workbench.model.errors import Cancelled, StoreError
from workbench.model.filters import parse_filter
from workbench.model.policy import ResolvedPolicy
from workbench.model.traffic import Outcome
from workbench.store import FlowQuery, Store, database, keys_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "flows.duckdb") as store:
        samples.load(
            store,
            [samples.flow(first_us=10 - at, server_port=at, vlan=at % 2) for at in range(10)],
            [samples.flow(outcome=Outcome.REFUSED, server_port=445)],
        )
        yield store


ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b"


def ids(store: Store, line: str, **query: object) -> list[int]:
    with store.flow_view(FlowQuery(terms=parse_filter(line).terms, **query)) as view:
        return [flow.id for flow in view.page(0, 100)]


def test_oldest_first_unless_told(store: Store) -> None:
    assert ids(store, "") == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 11]


def test_terms(store: Store) -> None:
    assert ids(store, "port:3,445", sort="id") == [4, 11]
    assert ids(store, "-port:40000") == []
    assert ids(store, "vlan:1 -port:3", sort="id", descending=True) == [10, 8, 6, 2]
    assert ids(store, "capture:2.pcap") == ids(store, "capture:2") == [11]
    assert ids(store, "-capture:*.pcap") == ids(store, "capture:missing") == []
    assert ids(store, "outcome:refused,unanswered direction:syn") == [11]
    assert ids(store, "before:1970-01-01T00:00:00.000003Z") == [10, 9]
    assert len(ids(store, "after:1970-01-01T00:00:00.000200Z")) == 11
    assert ids(store, "after:1970-01-01T00:00:00.000201Z") == []


def test_totals_are_exact(store: Store) -> None:
    samples.load(store, [samples.flow(bytes_to_server=2**64 - 1)] * 3)
    with store.flow_view(FlowQuery(terms=parse_filter("capture:3").terms)) as view:
        assert (view.totals.flows, view.totals.bytes) == (3, 3 * (2**64 - 1 + 4000))


def test_conversations_narrow(store: Store) -> None:
    table = store.conversations(store.hosts())
    assert ids(store, "", rows=keys_of(table, np.array([2, 4])), sort="id") == [3, 5]
    assert ids(store, "", rows=keys_of(table, np.array([], dtype=np.int64))) == []
    assert len(ids(store, "", rows=keys_of(table, np.ones(len(table), dtype=bool)))) == 11


def test_words_that_are_not_for_flows(store: Store) -> None:
    with pytest.raises(StoreError, match="verdict: is not decided flow by flow"):
        ids(store, "verdict:blocked")
    with pytest.raises(StoreError, match="cannot sort flows by 'id; DROP TABLE flows'"):
        ids(store, "", sort="id; DROP TABLE flows")


def test_pages_from_several_threads(store: Store) -> None:
    found: list[int] = []
    with store.flow_view(FlowQuery(sort="id")) as view:

        def read(start: int) -> None:
            for _ in range(20):
                found.extend(flow.id - start for flow in view.page(start, 1))

        threads = [threading.Thread(target=read, args=(start,)) for start in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [1] * 100


def test_a_closed_view_says_so(store: Store) -> None:
    view = store.flow_view(FlowQuery())
    view.close()
    view.close()
    with pytest.raises(StoreError):
        view.page(0, 1)


def test_closing_while_a_query_ends_by_itself() -> None:
    """Its thread closes its cursor just when closing has found that in use."""

    class Cursor:
        tries = 0

        def close(self) -> None:
            self.tries += 1
            if self.tries == 1:
                raise database.duckdb.ResourceInUseException("in use")

        def interrupt(self) -> None:
            raise database.duckdb.ConnectionException("Connection already closed!")

    root = Cursor()
    database._close(root, WeakSet())  # type: ignore[arg-type]
    assert root.tries == 2


def test_a_query_that_is_stopped(store: Store) -> None:
    began = time.monotonic()
    with (
        pytest.raises(Cancelled),
        store._database.work() as cursor,
        database.transaction(cursor),
        database.interruptible(cursor, lambda: time.monotonic() - began > 0.1),
    ):
        cursor.execute(ENDLESS).fetchall()
    assert len(ids(store, "")) == 11


def test_a_view_that_is_not_wanted_any_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_POLL_SECONDS", 0.0001)
    samples.load(store, [samples.flow(client_port=at % 60_000) for at in range(30_000)])
    with pytest.raises(Cancelled):
        for _ in range(1000):
            store.flow_view(FlowQuery(sort="client"), cancelled=lambda: True).close()
    assert len(ids(store, "capture:1")) == 10


def test_the_empty_policy_leaves_everything_out_of_scope(store: Store) -> None:
    assert store.judge(ResolvedPolicy("empty")).tolist() == [3] * 11
