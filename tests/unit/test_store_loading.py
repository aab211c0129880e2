"""Loading: reports come back as they went in, and it is all or nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import store_samples as samples

from workbench.model.errors import DuplicateCapture, StoreBusy, StoreError
from workbench.model.traffic import CaptureReport, Conversation, ConversationTable, Flow, HostTable
from workbench.store import FlowQuery, Store, loading


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "flows.duckdb") as store:
        yield store


Everything = tuple[tuple[CaptureReport, ...], HostTable, list[object], tuple[Flow, ...]]


def everything(store: Store) -> Everything:
    hosts = store.hosts()
    table: ConversationTable = store.conversations(hosts)
    with store.flow_view(FlowQuery(sort="id")) as view:
        flows = view.page(0, 10_000)
    return store.captures(), hosts, [table.at(row) for row in range(len(table))], flows


def test_a_report_comes_back_as_it_went_in(store: Store) -> None:
    odd_name = os.fsdecode(b"/captures/caf\xe9 \x01\n\xf0\x9f\x90\x8d.pcap")
    report = replace(
        samples.REPORT,
        path=odd_name,
        skipped=MappingProxyType({"ARP": 3, 'link type 147 "unknown"\x00': 2**40}),
        link_types=("Ethernet", "Linux cooked v2"),
        problems=("cut short at byte 7", "bad \N{SNOWMAN} block\x00\x1b[31m"),
        first_us=-1,
        last_us=None,
        wire_bytes=2**63,
    )
    with store.load() as job:
        number = job.begin(report.path, report.fingerprint)
        job.finish(number, report)
    assert store.captures() == (replace(report, id=number, skipped=dict(report.skipped)),)


def test_hosts_are_dense_and_keep_their_numbers(store: Store) -> None:
    a, b, c, d = samples.ADDRESSES[:4]
    samples.load(store, [samples.flow(client=c, server=a)])
    assert store.hosts().addresses == (a, c)
    samples.load(store, [samples.flow(client=b, server=a), samples.flow(client=d, server=c)])
    hosts = store.hosts()
    assert hosts.addresses == (a, c, b, d)
    assert hosts.seen == 4


def test_many_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BATCH", 7)
    flows = samples.load(
        store, [samples.flow(client_port=port) for port in range(20)], [], [samples.flow()] * 8
    )
    with store.flow_view(FlowQuery(sort="id")) as view:
        assert list(view.page(0, 100)) == flows


def test_arrays_of_any_layout(store: Store) -> None:
    flows = [samples.flow(client_port=port, bytes_to_server=2**63 + port) for port in range(9)]
    columns = {name: column[::-1] for name, column in samples.columns(flows).items()}
    columns["server_port"] = columns["server_port"].astype(">u2")
    with store.load() as job:
        number = job.begin("a", "a")
        job.flows(number, columns)
        job.flows(number, {name: np.empty(0, column.dtype) for name, column in columns.items()})
        job.finish(number, samples.REPORT)
    with store.flow_view(FlowQuery(sort="id")) as view:
        found = view.page(0, 100)
    assert [flow.client_port for flow in found] == [*range(8, -1, -1)]
    assert {flow.server_port for flow in found} == {443}
    assert found[0].bytes_to_server == 2**63 + 8


def test_sums_beyond_what_arrays_hold_are_capped(store: Store) -> None:
    samples.load(store, [samples.flow(bytes_to_server=2**64 - 1), samples.flow()])
    assert store.conversations(store.hosts())["bytes"].tolist() == [2**63 - 1]


def test_the_same_capture_twice_is_refused(store: Store) -> None:
    samples.load(store, [samples.flow()])
    before = everything(store)
    known = pytest.raises(DuplicateCapture, match=r"/x\.pcap: already loaded, as capture 1")
    with known, store.load() as job:
        job.begin("/x.pcap", "print 1")
    with pytest.raises(DuplicateCapture), store.load() as job:
        job.begin("/y.pcap", "new")
        job.begin("/z.pcap", "new")
    assert everything(store) == before


def test_a_refused_capture_does_not_end_the_load(store: Store) -> None:
    samples.load(store, [samples.flow()])
    with store.load() as job:
        with pytest.raises(DuplicateCapture):
            job.begin("/x.pcap", "print 1")
        job.begin("/unreadable.pcap", "begun in vain")
        job.finish(job.begin("/y.pcap", "new"), samples.REPORT)
    found = [(report.id, report.fingerprint) for report in store.captures()]
    assert found == [(1, "print 1"), (2, "a")]  # the one in vain left its number to the next


@pytest.mark.parametrize("problem", [KeyboardInterrupt, StoreError, ZeroDivisionError, SystemExit])
def test_any_exception_leaves_what_is_finished_and_nothing_else(
    store: Store, problem: type[BaseException]
) -> None:
    samples.load(store, [samples.flow()])
    with pytest.raises(problem), store.load() as job:
        number = job.begin("b", "b")
        job.flows(number, samples.columns([samples.flow(client_port=9)] * 5))
        job.finish(number, replace(samples.REPORT, fingerprint="b"))
        number = job.begin("c", "c")
        job.flows(number, samples.columns([samples.flow(client=samples.ADDRESSES[5])] * 5))
        raise problem
    reports, hosts, conversations, flows = everything(store)
    assert [report.fingerprint for report in reports] == ["print 1", "b"]
    assert hosts.addresses == samples.ADDRESSES[:2]
    assert [one.flows for one in conversations] == [6]  # type: ignore[attr-defined]
    assert [flow.id for flow in flows] == [1, 2, 3, 4, 5, 6]
    samples.load(store, [samples.flow()])  # and it can be written again
    assert [flow.id for flow in everything(store)[3]] == [1, 2, 3, 4, 5, 6, 7]


def test_flows_without_a_report_are_refused(store: Store) -> None:
    unfinished = pytest.raises(StoreError, match="capture 1 has flows but was never finished")
    with unfinished, store.load() as job:
        job.flows(job.begin("b", "b"), samples.columns([samples.flow()]))
    assert everything(store)[3] == ()


def test_one_load_at_a_time(store: Store) -> None:
    with store.load(), pytest.raises(StoreBusy), store.load():
        pass
    with store.load():
        pass


def test_readers_see_the_store_as_it_was_while_a_capture_is_loaded(store: Store) -> None:
    samples.load(store, [samples.flow()])
    before = everything(store)
    with store.flow_view(FlowQuery()) as view:
        with store.load() as job:
            number = job.begin("b", "b")
            job.flows(number, samples.columns([samples.flow()] * 3))
            job.finish(number, samples.REPORT)
            assert everything(store) == before
        assert len(everything(store)[3]) == 4
        assert view.page(0, 10) == before[3]


def test_one_capture_after_the_other(store: Store) -> None:
    with store.load() as job:
        one = job.begin("a", "a")
        job.flows(one, samples.columns([samples.flow()]))
        with pytest.raises(StoreError, match="capture 1 has flows but was never finished"):
            job.begin("b", "b")
        job.finish(one, samples.REPORT)
        with pytest.raises(StoreError, match="capture 1 does not take flows now"):
            job.flows(one, samples.columns([samples.flow()]))
        with pytest.raises(StoreError, match="capture 1 has not begun"):
            job.finish(one, samples.REPORT)


def test_a_capture_is_gone_on_with(store: Store) -> None:
    samples.load(store, [samples.flow(client_port=port) for port in range(3)], [samples.flow()])
    grown = replace(samples.REPORT, fingerprint="grown", packets=99, flows=5)
    with store.load() as job:
        job.extend(1)
        job.flows(1, samples.columns([samples.flow(client_port=port) for port in (7, 8)]))
        job.finish(1, grown)
    reports, _, [conversation], flows = everything(store)
    assert reports[0] == replace(grown, id=1) and [report.id for report in reports] == [1, 2]
    assert [flow.capture for flow in flows] == [1, 1, 1, 2, 1, 1]
    assert conversation.flows == 6  # type: ignore[attr-defined]
    with pytest.raises(StoreError, match="no capture 7"), store.load() as job:
        job.extend(7)


def test_a_flow_without_a_time_does_not_say_when_a_conversation_began(store: Store) -> None:
    dated = samples.flow(client_port=1, first_us=100, last_us=200)
    never = samples.flow(first_us=0, last_us=0)
    samples.load(store, [dated, never, replace(never, server_port=22)])
    found = {one.port: one for one in everything(store)[2] if isinstance(one, Conversation)}
    assert (found[443].first_us, found[443].last_us) == (100, 200)
    assert (found[22].first_us, found[22].last_us) == (0, 0)


CRASH = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import store_samples as samples
from workbench.store import Store
store = Store.open(Path(sys.argv[1]))
samples.load(store, [samples.flow()])
with store.load() as job:
    number = job.begin("b", "b")
    job.flows(number, samples.columns([samples.flow(client_port=port) for port in range(9)]))
    job.finish(number, samples.REPORT)
    if sys.argv[3] == "third":
        number = job.begin("c", "c")
        job.flows(number, samples.columns([samples.flow(client_port=9)]))
    os._exit(9)
"""


def crash(path: Path, at: str) -> None:
    tests = Path(__file__).parents[1]
    died = subprocess.run([sys.executable, "-c", CRASH, path, tests, at], timeout=60)
    assert died.returncode == 9


def test_a_crash_keeps_what_was_committed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "flows.duckdb"
    crash(path, "second")
    for read_only in (True, False):
        with Store.open(path, read_only=read_only) as store:
            found = everything(store)
            assert [report.id for report in found[0]] == [1]
            assert len(found[2]) == len(found[3]) == 1


def test_after_a_crash_among_many_captures_the_finished_ones_are_added_up(tmp_path: Path) -> None:
    path = tmp_path / "flows.duckdb"
    crash(path, "third")
    with pytest.raises(StoreError, match="a load was cut short; open it once for writing"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        reports, _, [conversation], flows = everything(store)
        assert [report.id for report in reports] == [1, 2]
        assert conversation.flows == len(flows) == 10  # type: ignore[attr-defined]
        samples.load(store)
    with Store.open(path, read_only=True) as store:  # and then it is settled
        assert len(everything(store)[3]) == 10


def test_rebuilding_does_not_make_the_file_grow(tmp_path: Path) -> None:
    path = tmp_path / "flows.duckdb"
    sizes = []
    for round_ in range(4):
        with Store.open(path) as store:
            ports = range(round_ * 10, round_ * 10 + 10) if round_ else range(20_000)
            samples.load(store, [samples.flow(server_port=port) for port in ports])
        sizes.append(path.stat().st_size)
    assert sizes[-1] < 2 * sizes[0], sizes
