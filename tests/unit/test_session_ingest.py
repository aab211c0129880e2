"""Loading: each capture whole or not at all, whatever happens, whatever the files are."""

import gzip
import ipaddress
import os
import resource
import signal
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from craft import pcap, tcp4, udp4
from session_site import OTHER, WEB, opened, site

from workbench.capture import former_fingerprint, read_capture, reader
from workbench.model.errors import (
    Cancelled,
    CaptureError,
    DuplicateCapture,
    StoreBusy,
    StoreError,
)
from workbench.model.net import parse_address
from workbench.model.quality import Weight
from workbench.model.recording import Ending
from workbench.model.traffic import CaptureReport, Flow, Progress
from workbench.session import Session, reading
from workbench.store.loading import Loading

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(site(tmp_path / "site")) as opened:
        yield opened


@pytest.fixture
def big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """60,000 flows, and many blocks."""
    monkeypatch.setattr(reader, "ROOM", 8192)
    path = tmp_path / "big.pcap"
    path.write_bytes(pcap([udp4(OTHER, at, WEB, 53) for at in range(1, 60_001)]))
    return path


def content(session: Session) -> tuple[object, ...]:
    """Everything the store says."""
    with session.flow_view(sort="id") as view:
        flows: tuple[Flow, ...] = view.page(0, view.total)
    table = session.table
    columns = {name: column.tolist() for name, column in table.columns.items()}
    return session.captures(), flows, table.hosts.addresses, columns


def reopened(session: Session) -> tuple[object, ...]:
    session.close()
    with Session.open(session.workspace) as again:
        return content(again)


# ── all or nothing ─────────────────────────────────────────────────────────────────────────


def test_cancelling_in_the_middle_leaves_everything_as_it_was(session: Session, big: Path) -> None:
    before = content(session)
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > 3

    with pytest.raises(Cancelled):
        session.ingest([big], cancelled=cancelled)
    assert asked > 3 and content(session) == before
    assert reopened(session) == before


def test_an_error_in_the_middle_leaves_everything_as_it_was(session: Session, big: Path) -> None:
    before = content(session)

    def progress(told: Progress) -> None:
        if told.packets:
            raise RuntimeError("a bug in a front end")

    with pytest.raises(RuntimeError):
        session.ingest([big], progress=progress)
    assert content(session) == before
    session.ingest([big])  # and the store is still good for work
    assert len(session.captures()) == 2


def test_one_bad_file_stops_a_load_and_the_good_ones_before_it_stay(
    session: Session, tmp_path: Path
) -> None:
    good, bad = tmp_path / "a.pcap", tmp_path / "b.pcap"
    good.write_bytes(pcap(opened(OTHER, 7, WEB, 80)))
    bad.write_text("this is a letter, not a capture, and a long one at that")
    with pytest.raises(CaptureError, match=r"b\.pcap") as refused:
        session.ingest([good, bad])
    assert "\n" not in str(refused.value)
    assert [Path(one.path).name for one in session.captures()][1:] == ["a.pcap"]
    with pytest.raises(CaptureError, match=r"gone\.pcap"):
        session.ingest([good, tmp_path / "gone.pcap"])


CHILD = """
    import sys
    from pathlib import Path
    from workbench.session import Session
    with Session.open(Path(sys.argv[1])) as session:
        def progress(told):
            print("working", flush=True)
            sys.stdin.read()   # wait here, in the middle, to be killed
        session.ingest([Path(sys.argv[2])], progress=progress)
"""


def child(session: Session, path: Path) -> "subprocess.Popen[bytes]":
    """Another process in the middle of an ingest, with flows in its transaction."""
    code = textwrap.dedent(CHILD)
    work = subprocess.Popen(
        [sys.executable, "-c", code, str(session.workspace), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert work.stdout is not None and work.stdout.readline() == b"working\n"
    return work


def test_killed_in_the_middle_and_opened_again(session: Session, big: Path) -> None:
    before = content(session)
    session.close()
    with child(session, big) as work:
        work.send_signal(signal.SIGKILL)
        assert work.wait(timeout=60) == -signal.SIGKILL
    with Session.open(session.workspace) as again:
        assert content(again) == before
        again.ingest([big])
        assert len(again.captures()) == 2


def test_a_second_process_is_told_who_has_it(session: Session, big: Path) -> None:
    session.close()
    with child(session, big) as work:
        with pytest.raises(StoreBusy, match=f"process {work.pid} has it open; close") as busy:
            Session.open(session.workspace)
        work.kill()
    assert "\n" not in str(busy.value)


def test_a_full_disk_is_one_line_and_loads_nothing(session: Session, tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: writing fails in the same places."""
    before = content(session)
    size = (session.workspace / "flows.duckdb").stat().st_size
    many = tmp_path / "many.pcap"
    many.write_bytes(
        pcap([tcp4(f"10.{at >> 8 & 255}.{at & 255}.7", at & 0xFFFF, WEB, at % 60_000)
              for at in range(60_000)])
    )  # fmt: skip
    session.close()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 65_536, hard))
    try:
        with pytest.raises(StoreError) as full, Session.open(session.workspace) as again:
            again.ingest([many])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(full.value) and len(str(full.value)) < 500
    with Session.open(session.workspace) as again:
        assert content(again) == before


# ── what counts as a file ──────────────────────────────────────────────────────────────────


def test_one_file_under_several_names_is_loaded_once(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(opened(OTHER, 7, WEB, 80)))
    (tmp_path / "link.pcap").symlink_to(path)
    (tmp_path / "copy.pcap").write_bytes(path.read_bytes())
    spelt = tmp_path / "site" / ".." / "a.pcap"
    reports, known = session.ingest([path, path, spelt, tmp_path / "link.pcap"])
    assert [report.path for report in reports] == [str(path)] and known == ()
    assert [report.id for report in reports] == [2]
    with pytest.raises(DuplicateCapture, match=r"copy\.pcap"):
        session.ingest([tmp_path / "copy.pcap"])
    reports, known = session.ingest([tmp_path / "copy.pcap", _capture(tmp_path / "b.pcap", 9)])
    assert [Path(one.path).name for one in reports] == ["b.pcap"]
    assert [one.name for one in known] == ["copy.pcap"]


def _capture(path: Path, port: int) -> Path:
    path.write_bytes(pcap(opened(OTHER, port, WEB, 80)))
    return path


def test_folders_globs_and_loops(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "captures" / "deep"
    folder.mkdir(parents=True)
    _capture(folder / "1.pcap", 1)
    (folder / "2.pcap.gz").write_bytes(gzip.compress(pcap(opened(OTHER, 2, WEB, 80))))
    (folder / "notes.txt").write_text("nothing")
    (folder / "round").symlink_to(tmp_path / "captures", target_is_directory=True)
    (folder / "self.pcap").symlink_to(folder / "self.pcap")
    os.mkfifo(folder / "pipe.pcap")
    reports, _ = session.ingest([tmp_path / "captures"])
    assert [Path(one.path).name for one in reports] == ["1.pcap", "2.pcap.gz"]
    _capture(folder / "3.pcap", 3)
    reports, known = session.ingest([folder / "*.pcap*"])
    assert [Path(one.path).name for one in reports] == ["3.pcap"] and len(known) == 2


@pytest.mark.parametrize(
    "place",
    ["pipe", "/dev/zero", "/dev/null", "loop", "empty", "/proc/self/mem", "x" * 300, "no/such/*"],
)
def test_what_is_no_file_is_one_line(session: Session, tmp_path: Path, place: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptureError) as refused:
        session.ingest([tmp_path / place])
    assert "\n" not in str(refused.value) and place[:80] in str(refused.value)
    assert len(session.captures()) == 1


def test_a_folder_that_may_not_be_searched_is_told(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = tmp_path / "all" / "theirs"
    within.mkdir(parents=True)
    (tmp_path / "all" / "ours.pcap").write_bytes(pcap([udp4(OTHER, 9, WEB, 53)]))
    search = os.scandir

    def searched(folder: str) -> object:  # root may search everything: so it is played
        if Path(folder) == within:
            raise PermissionError(13, "Permission denied", str(folder))
        return search(folder)

    monkeypatch.setattr(os, "scandir", searched)
    told: list[CaptureError] = []
    reports, _ = session.ingest([tmp_path / "all"], refused=told.append)
    assert [Path(one.path).name for one in reports] == ["ours.pcap"]
    assert [str(error.path) for error in told] == [str(within)]
    with pytest.raises(CaptureError, match="theirs"):
        session.ingest([within])


def test_a_file_that_grows_while_it_is_read_is_read_on(session: Session, big: Path) -> None:
    more = _capture(big.with_name("more.pcap"), 9).read_bytes()[24:]

    def progress(told: Progress) -> None:
        if told.packets and big.stat().st_size == size:
            with big.open("ab") as file:
                file.write(more[:-3])

    size = big.stat().st_size
    [first], _ = session.ingest([big], progress=progress)
    assert first.ending in (Ending.GROWING, Ending.CUT) and first.packets >= 60_000
    with big.open("ab") as file:
        file.write(more[-3:])
    [second], _ = session.ingest([big])
    assert (second.id, second.ending, second.size) == (first.id, "complete", size + len(more))
    whole = read_capture(big, on_flows=lambda _: None)
    assert (second.packets, second.decoded) == (whole.packets, whole.decoded)
    assert second.fingerprint == whole.fingerprint and second.problems == ()
    with pytest.raises(DuplicateCapture):
        session.ingest([big])


def test_a_large_file_is_stored_in_stretches_and_read_on(
    session: Session, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted between two of them, the next load takes up where this one stopped."""
    monkeypatch.setattr(reading, "STRETCH", big.stat().st_size // 5)
    stretches: list[Path] = []
    original = Loading.finish

    def finish(self: Loading, number: int, report: CaptureReport) -> None:
        stretches.append(big)
        original(self, number, report)

    monkeypatch.setattr(Loading, "finish", finish)
    with pytest.raises(Cancelled):
        session.ingest([big], cancelled=lambda: len(stretches) >= 2)
    [part] = session.captures()[1:]
    assert part.ending is Ending.PART and 0 < part.packets < 60_000
    assert session.summary().flows == 5 + part.flows
    [done], _ = session.ingest([big])
    assert done.ending is Ending.COMPLETE and done.packets == 60_000 and done.problems == ()
    assert session.summary().flows == 60_005


def test_a_pipe_is_loaded_once(session: Session, tmp_path: Path) -> None:
    data = _capture(tmp_path / "one.pcap", 3).read_bytes()
    for _ in range(2):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = Thread(target=pipe.write_bytes, args=(data,))
        writer.start()
        if len(session.captures()) == 1:
            [report], _ = session.ingest([pipe])
            assert report.packets > 0 and report.state == ""
        else:
            with pytest.raises(DuplicateCapture):
                session.ingest([pipe])
        writer.join()
        pipe.unlink()
    assert len(session.captures()) == 2


def test_progress_adds_up_over_files(session: Session, big: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    other = _capture(tmp_path / "a.pcap", 7)
    session.ingest([other, big], progress=told.append)
    total = other.stat().st_size + big.stat().st_size
    assert {one.total for one in told} == {total}
    assert [one.done for one in told] == sorted(one.done for one in told)
    assert told[-1].done == total and told[-1].packets == 60_004


# ── the file afterwards ────────────────────────────────────────────────────────────────────


def first_flow(session: Session) -> Flow:
    with session.flow_view() as view:
        [flow] = view.page(0, 1)
    return flow


@pytest.mark.parametrize("ask", ["packets", "dissect"])
def test_a_capture_that_went_away_or_became_another(session: Session, ask: str) -> None:
    flow, path = first_flow(session), session.workspace / "shop.pcap"
    assert len(getattr(session, ask)(flow)) == 4
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\x00")
    with pytest.raises(CaptureError, match="not the file that was loaded"):
        getattr(session, ask)(flow)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(CaptureError, match="not the file that was loaded"):
        getattr(session, ask)(flow)
    path.unlink()
    with pytest.raises(CaptureError, match="not there any more") as gone:
        getattr(session, ask)(flow)
    assert "\n" not in str(gone.value)
    path.write_bytes(whole)
    assert len(getattr(session, ask)(flow)) == 4


def test_a_capture_that_was_moved_is_found_by_loading_it_again(
    session: Session, tmp_path: Path
) -> None:
    flow, path = first_flow(session), session.workspace / "shop.pcap"
    there = path.rename(tmp_path / "archive.pcap")
    assert session.ingest([there]) == ((), (there,))
    [report] = session.captures()
    assert report.path == str(there)
    assert len(session.packets(flow)) == 4
    with pytest.raises(DuplicateCapture):
        session.ingest([there])


def test_a_file_that_another_recording_took_the_name_of(session: Session, tmp_path: Path) -> None:
    flow, path = first_flow(session), session.workspace / "shop.pcap"
    kept = path.read_bytes()
    session.ingest([_capture(path, 9)])
    one, two = session.quality().captures
    assert (one.report.path, two.report.path) == (str(path), str(path))
    assert [
        [note.kind for note in each.remarks if note.weight is Weight.CARE] for each in (one, two)
    ] == [["replaced"], []]
    assert "another recording, capture 2" in one.remarks[0].text
    with pytest.raises(CaptureError, match="not the file that was loaded"):
        session.packets(flow)
    (there := tmp_path / "kept.pcap").write_bytes(kept)
    assert session.ingest([there]) == ((), (there,))
    assert len(session.packets(flow)) == 4
    assert "replaced" not in [
        note.kind for one in session.quality().captures for note in one.remarks
    ]


def test_a_ring_that_was_rotated_is_found_in_one_load(session: Session, tmp_path: Path) -> None:
    flow, path = first_flow(session), session.workspace / "shop.pcap"
    there = path.rename(tmp_path / "shop.pcap1")
    [report], known = session.ingest([there, _capture(path, 9)])
    assert (report.path, known) == (str(path), (there,))
    assert [one.path for one in session.captures()] == [str(there), str(path)]
    assert len(session.packets(flow)) == 4


def test_a_copy_of_the_beginning_of_a_file_that_grew_is_no_move(
    session: Session, tmp_path: Path
) -> None:
    path = session.workspace / "shop.pcap"
    (copy := tmp_path / "copy.pcap").write_bytes(path.read_bytes())
    with path.open("ab") as file:
        file.write(_capture(tmp_path / "more.pcap", 9).read_bytes()[24:])
    session.ingest([copy, path])
    assert [one.path for one in session.captures()] == [str(path)]


def test_a_capture_of_an_older_version_is_known_and_read(session: Session) -> None:
    flow, path = first_flow(session), session.workspace / "shop.pcap"
    former = former_fingerprint(path)
    assert former != session.captures()[0].fingerprint
    with session._store._database.work() as cursor:
        cursor.execute("UPDATE captures SET fingerprint = ?, state = ''", (former,))
    session._read_traffic()
    assert len(session.packets(flow)) == 4
    with pytest.raises(DuplicateCapture):
        session.ingest([path])
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(CaptureError, match="not the file that was loaded"):
        session.packets(flow)


def test_captures_have_names_of_any_bytes(session: Session, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\n\x1b[31m\xff\xe2\x80\xae.pcap"))
    _capture(path, 9)
    [report], _ = session.ingest([path])
    assert session.captures()[1].path == report.path == str(path)
    with session.flow_view(session.parse("capture:2")) as view:
        [flow] = view.page(0, 9)
    assert len(session.packets(flow)) == 4


def test_queries_go_on_while_captures_are_loaded(session: Session, big: Path) -> None:
    before = session.select(session.parse("outcome:refused")).tolist(), 1
    seen = []

    def progress(told: Progress) -> None:
        chosen = session.parse("outcome:refused")
        seen.append((session.select(chosen).tolist(), session.summary().captures))

    session.ingest([big], progress=progress)
    assert seen and all(one == before for one in seen)
    assert session.summary().captures == 2


# ── several at once ────────────────────────────────────────────────────────────────────────


ASK = """
    import sys
    from pathlib import Path
    from workbench.session import Session
    with Session.open(Path(sys.argv[1]), sharing=True) as session:
        print(len(session.captures()))
"""


def ask(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", textwrap.dedent(ASK), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_queries_share_a_workspace(tmp_path: Path) -> None:
    folder = site(tmp_path / "site")
    with Session.open(folder, sharing=True) as session:
        assert ask(folder).stdout == "1\n"
        with session.flow_view(session.parse("outcome:refused")) as view:
            assert view.total == len(view.page(0, 9)) == 2
        with pytest.raises(StoreError, match="read-only"):
            session.ingest([_capture(tmp_path / "b.pcap", 9)])
    with Session.open(folder):
        assert "StoreBusy" in ask(folder).stderr
    assert ask(folder).stdout == "1\n"


def test_a_query_may_be_the_first_to_open_a_workspace(tmp_path: Path) -> None:
    with Session.open(tmp_path / "site", sharing=True) as session:
        assert session.captures() == () and len(session.table) == 0
        assert session.summary().flows == 0 and session.matrix("host").rows == ()


def test_what_a_killed_process_committed_is_there_for_queries(session: Session, big: Path) -> None:
    session.close()
    code = """
        import os, sys
        from pathlib import Path
        from workbench.session import Session
        session = Session.open(Path(sys.argv[1]))
        session.ingest([Path(sys.argv[2])])
        os.kill(os.getpid(), 9)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(session.workspace), str(big)]
    assert subprocess.run(command, check=False, cwd=ROOT).returncode == -signal.SIGKILL
    assert ask(session.workspace).stdout == "2\n"
    with Session.open(session.workspace) as again:
        assert again.summary().flows == 60_005


def test_names_that_a_capture_brings_are_shown_as_claims(session: Session, tmp_path: Path) -> None:
    """pcapng name resolution: for hosts without a name of the user's own."""
    head = pcapng_block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    link = pcapng_block(1, struct.pack("<HHI", 1, 0, 0))
    record = ipaddress.ip_address(OTHER).packed + b"rogue\x1b[2J\0"
    name = struct.pack("<HH", 1, len(record)) + record + bytes(-len(record) % 4)
    names = pcapng_block(4, name + bytes(4))
    data = udp4(OTHER, 40_000, WEB, 53)
    packet = pcapng_block(
        6, struct.pack("<IIIII", 0, 0, 0, len(data), len(data)) + data + bytes(-len(data) % 4)
    )
    (tmp_path / "names.pcapng").write_bytes(head + link + names + packet)
    [report], _ = session.ingest([tmp_path / "names.pcapng"])
    address = parse_address(OTHER)
    assert report.names == 1 and session.inventory.name(address) == "~rogue·[2J"
    assert session.draft.inventory.name(address) == OTHER, "nothing that would be saved"
    assert any("~rogue" in name for name in session.matrix("host").rows)
    assert "~rogue" in session.explain(OTHER, WEB, "udp/53").conversation


def pcapng_block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def test_a_folder_holds_what_tcpdump_calls_the_files_of_a_ring(
    session: Session, tmp_path: Path
) -> None:
    """`-w r.pcap -C 1` writes r.pcap, r.pcap1 …; `-W 12` r.pcap00 …; `-z gzip` packs them."""
    ring = tmp_path / "ring"
    ring.mkdir()
    names = ["r.pcap", "r.pcap1", "r.pcap2", "r.pcap10", "s.PCAPNG07.gz"]
    for at, name in enumerate(names, 3):
        data = _capture(tmp_path / "one.pcap", at).read_bytes()
        (ring / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    for name in ("r.pcap.txt", "r.pcap1a", "notes1", "r.pcap1.bak"):
        (ring / name).write_text("no capture")
    reports, _ = session.ingest([ring])
    assert [Path(one.path).name for one in reports] == names
