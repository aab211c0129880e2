"""Opening a store: what it refuses, what it leaves alone, and how it grows."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import store_samples as samples

from workbench.capture import judge_again
from workbench.model.errors import StoreBusy, StoreError, StoreTooNew
from workbench.model.net import UDP, ServiceRange
from workbench.store import FlowQuery, Judge, Store, database, schema


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.duckdb"


def in_another_process(code: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Run `code` with `path` and `Store` at hand."""
    start = "import sys; from pathlib import Path; from workbench.store import Store\n"
    start += "from workbench.model.errors import StoreBusy\npath = Path(sys.argv[1])\n"
    return subprocess.run(
        [sys.executable, "-c", start + code, str(path)], capture_output=True, text=True, timeout=60
    )


def test_a_new_store_is_empty(path: Path) -> None:
    with Store.open(path) as store:
        assert store.captures() == ()
        assert store.hosts().addresses == ()
        assert len(store.conversations(store.hosts())) == 0
        with store.flow_view(FlowQuery()) as view:
            assert (view.total, view.totals.packets, view.page(0, 10)) == (0, 0, ())
        with pytest.raises(StoreError, match="no flow 1"):
            store.flow(1)


def test_what_was_loaded_is_there_after_reopening(path: Path) -> None:
    with Store.open(path) as store:
        [flow] = samples.load(store, [samples.flow()])
    with Store.open(path) as store:
        assert store.flow(1) == flow
    with Store.open(path, read_only=True) as store:
        assert store.flow(1) == flow
        with store.flow_view(FlowQuery()) as view:
            assert view.page(0, 1) == (flow,)


def test_another_process_finds_it_busy(path: Path) -> None:
    code = "try: Store.open(path, read_only={})\nexcept StoreBusy as busy: print(busy)"
    with Store.open(path):
        for read_only in (False, True):
            line = in_another_process(code.format(read_only), path).stdout
            assert line.startswith(f"{path}: process "), line
            assert line.endswith(" has it open; close the workspace there first\n"), line
    assert in_another_process(code.format(False), path).stdout == ""


def test_readers_share(path: Path) -> None:
    Store.open(path).close()
    code = "with Store.open(path, read_only=True) as store: print(len(store.captures()))"
    with Store.open(path, read_only=True):
        assert in_another_process(code, path).stdout == "0\n"


def test_reading_and_writing_in_one_process_is_refused(path: Path) -> None:
    with Store.open(path), pytest.raises(StoreBusy, match="already open in this process"):
        Store.open(path, read_only=True)


def test_nothing_to_read(path: Path) -> None:
    with pytest.raises(StoreError, match="no flow store here yet"):
        Store.open(path, read_only=True)
    assert not path.exists()


ADVICE = (
    "; move flows.duckdb away and ingest the captures again; "
    "policy and labels are files of their own, and stay"
)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello " * 5000, b"SQLite format 3\0" + bytes(8000), bytes(20_000)],
    ids=["empty", "text", "sqlite", "zeros"],
)
def test_a_file_of_another_kind_is_refused_and_untouched(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError) as refused:
        Store.open(path)
    assert str(refused.value).startswith(f"{path}: cannot be read as a flow store (")
    assert str(refused.value).endswith(ADVICE)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == content


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a file"):
        Store.open(tmp_path)


ENDLESS = """
import threading
store = Store.open(path)
started = threading.Event()
def work():
    with store._database.work() as cursor:
        started.set()
        cursor.execute("SELECT count(*) FROM range(1000000) a, range(1000000) b").fetchall()
def load():
    with store.load() as job:
        started.set()
        threading.Event().wait()
threading.excepthook = lambda problem: None
for job in (work, load):
    started.clear()
    threading.Thread(target=job, daemon=True).start()
    started.wait()
"""


@pytest.mark.parametrize("last", ["store.close()", "pass"])
def test_leaving_in_the_middle_of_work(path: Path, last: str) -> None:
    """The driver aborts a process that ends inside a query, and refuses to close under one."""
    ended = in_another_process(ENDLESS + last, path)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr
    Store.open(path).close()


def test_a_database_of_someone_else_is_refused(path: Path) -> None:
    with duckdb.connect(str(path)) as other:
        other.execute("CREATE TABLE flows (a INTEGER)")
    with pytest.raises(StoreError, match=f"a database, but not a flow store{ADVICE}$"):
        Store.open(path)
    with duckdb.connect(str(path)) as other:
        assert other.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("flows",)]


def test_a_damaged_store_is_one_line_that_says_what_to_do(path: Path) -> None:
    with Store.open(path) as store:
        samples.load(store, [samples.flow(server_port=port) for port in range(2000)])
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:9000], whole[:8192] + bytes(4096)):
        path.write_bytes(damaged)
        with pytest.raises(StoreError) as refused, Store.open(path) as store:
            store.conversations(store.hosts())
        assert "\n" not in str(refused.value)
        assert str(refused.value).endswith(ADVICE)


def test_damage_that_shows_when_it_is_read_is_told_alike() -> None:
    with pytest.raises(StoreError) as refused, database.translated():
        raise duckdb.IOException("Corrupt database file: wrong checksum")
    assert str(refused.value).endswith(ADVICE)


def test_a_name_that_the_driver_would_take_for_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "md:flows"):
        Store.open(Path(name)).close()
        assert (tmp_path / name).is_file()


def test_nothing_is_fetched_or_read_from_elsewhere(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    root = database.connect(path, read_only=False)
    for name in ("autoinstall_known_extensions", "autoload_known_extensions"):
        assert root.execute("SELECT current_setting(?)", [name]).fetchall() == [(False,)]
    with pytest.raises(duckdb.PermissionException):
        root.execute("FROM read_csv('secret.csv')")
    with pytest.raises(duckdb.Error):
        root.execute("INSTALL httpfs")
    root.close()


@pytest.fixture
def database_at(path: Path) -> Iterator[database.Connection]:
    root = database.connect(path, read_only=False)
    yield root
    root.close()


ONE = ("0001_one", "CREATE TABLE one (a INTEGER); INSERT INTO one VALUES (1);")
TWO = ("0002_two", "ALTER TABLE one ADD COLUMN b INTEGER DEFAULT 2;")
BAD = ("0003_bad", "CREATE TABLE three (a INTEGER); SELECT nonsense;")


def test_steps_run_once_each_in_order(database_at: database.Connection, path: Path) -> None:
    schema.upgrade(database_at, path, [ONE], read_only=False)
    schema.upgrade(database_at, path, [ONE, TWO], read_only=False)
    schema.upgrade(database_at, path, [ONE, TWO], read_only=False)
    assert database_at.execute("FROM one").fetchall() == [(1, 2)]
    steps = database_at.execute("FROM schema_steps ORDER BY number").fetchall()
    assert steps == [(1, "0001_one"), (2, "0002_two")]


def test_a_step_that_fails_leaves_the_store_as_it_was(
    database_at: database.Connection, path: Path
) -> None:
    schema.upgrade(database_at, path, [ONE], read_only=False)
    before = database_at.execute("SELECT sql FROM duckdb_tables() ORDER BY 1").fetchall()
    with pytest.raises(duckdb.Error):
        schema.upgrade(database_at, path, [ONE, TWO, BAD], read_only=False)
    assert database_at.execute("SELECT sql FROM duckdb_tables() ORDER BY 1").fetchall() == before
    assert database_at.execute("SELECT max(number) FROM schema_steps").fetchall() == [(1,)]


def test_an_older_store_is_not_upgraded_by_a_reader(
    database_at: database.Connection, path: Path
) -> None:
    schema.upgrade(database_at, path, [ONE], read_only=False)
    with pytest.raises(StoreError, match="older workbench; open it once for writing"):
        schema.upgrade(database_at, path, [ONE, TWO], read_only=True)


def test_a_newer_store_is_refused_and_untouched(path: Path) -> None:
    Store.open(path).close()
    with duckdb.connect(str(path)) as future:
        future.execute("INSERT INTO schema_steps VALUES (9999, 'later')")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreTooNew, match="newer workbench"):
            Store.open(path, read_only=read_only)
    assert path.read_bytes() == before


def test_steps_are_numbered_without_gaps() -> None:
    numbers = [int(name.partition("_")[0]) for name, _ in schema.steps()]
    assert numbers == list(range(1, len(numbers) + 1)) != []


OLD_FLOWS = """
    INSERT INTO hosts VALUES (0, 281473902968833), (1, 281473902968834);
    INSERT INTO captures
    VALUES (1, 'a', 'pcap', 1, 'old', 1, 1, '{}', 0, 0, '[]', 1, 0, 9, 1, 1, '[]');
    INSERT INTO flows
    SELECT id, 1, 0, 1, 17, 50001, 50002, 1, 1, 9, 9, 0, 9, 1, id, 0, 0, 0, 24, 60
    FROM range(1, 3) AS numbers(id);
"""


def test_flows_stored_without_evidence_stay_as_they_are(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        schema.upgrade(connection.cursor(), path, schema.steps()[:2], read_only=False)
        connection.execute(OLD_FLOWS)
    judge = Judge(judge_again, (ServiceRange(UDP, 50001, 50001),))
    with Store.open(path) as store:
        assert store.settle(judge)
        with store.load(judge) as job:
            number = job.begin("b", "b")
            job.flows(number, samples.columns([samples.flow(protocol=UDP, client_port=50_001)]))
            job.finish(number, samples.REPORT)
        assert [store.flow(number).direction for number in (1, 2)] == [1, 2]
        assert [store.flow(number).server_port for number in (1, 2)] == [50_002, 50_002]
        assert store.pieces([1, 2]) == {1: ((1, 24, 60),), 2: ((1, 24, 60),)}


def test_why_a_load_failed_is_not_hidden_by_what_comes_after() -> None:
    class GaveUp:
        """A cursor that takes one statement."""

        calls = 0

        def execute(self, _: str) -> None:
            self.calls += 1
            if self.calls > 1:
                raise duckdb.FatalException("FATAL Error: database has been invalidated")

    with (
        pytest.raises(StoreError, match="the disk is full"),
        database.translated(),
        database.frugal(GaveUp()),  # type: ignore[arg-type]
    ):
        raise duckdb.FatalException("FATAL Error: No space left on device")
