"""Following files: what one bad file must not take with it."""

import itertools
import os
from pathlib import Path
from threading import Timer

import pytest
from craft import pcap
from session_site import DB, OTHER, WEB, opened

from workbench.model.errors import CaptureError, StoreBusy
from workbench.model.traffic import CaptureReport
from workbench.session import Session, follow_folder, ingest_folder
from workbench.store.loading import Loading

WEB_BYTES = bytes(map(int, WEB.split(".")))


def told(workspace: Path, paths: list[Path], rounds: int) -> list[CaptureReport | CaptureError]:
    """What is yielded until `cancelled` was asked so often between the looks."""
    asked = itertools.count()
    return list(follow_folder(workspace, paths, None, lambda: next(asked) > rounds, every=0.0))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A good one, one that is no capture, a good one."""
    places = [tmp_path / name for name in ("a.pcap", "b.pcap", "c.pcap")]
    places[0].write_bytes(pcap(opened(OTHER, 7, WEB, 80)))
    places[1].write_text("this is a letter, not a capture, and a long one at that")
    places[2].write_bytes(pcap(opened(OTHER, 8, DB, 22)))
    return places


def names(said: list[CaptureReport | CaptureError]) -> list[tuple[str, str]]:
    return [(type(one).__name__, Path(str(one.path)).name) for one in said]


def test_the_good_files_around_a_bad_one_are_all_reported(
    files: list[Path], tmp_path: Path
) -> None:
    said = told(tmp_path / "ws", files, 60)
    assert sorted(names(said)) == [
        ("CaptureError", "b.pcap"),
        ("CaptureReport", "a.pcap"),
        ("CaptureReport", "c.pcap"),
    ]


def test_after_an_error_in_the_middle_of_one_file_the_others_are_loaded(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Loading.finish

    def broken(self: Loading, number: int, report: CaptureReport) -> None:
        if report.path.endswith("a.pcap"):
            raise CaptureError(report.path, "changed while it was read")
        finish(self, number, report)

    monkeypatch.setattr(Loading, "finish", broken)
    said = told(tmp_path / "ws", files, 60)
    assert ("CaptureReport", "c.pcap") in names(said)
    assert {name for kind, name in names(said) if kind == "CaptureError"} == {"a.pcap", "b.pcap"}


def test_a_capture_read_on_counts_flows_not_their_pieces(tmp_path: Path) -> None:
    path, packets = tmp_path / "growing.pcap", opened(OTHER, 7, WEB, 80) * 3
    for size in range(1, len(packets) + 1):
        path.write_bytes(pcap(packets[:size]))
        [report], _ = ingest_folder(tmp_path / "ws", [path])
        assert (report.packets, report.flows) == (size, 1)
    with Session.open(tmp_path / "ws") as session:
        assert [one.flows for one in session.captures()] == [1]
        [capture] = session.quality().captures
        assert (capture.shares.total.flows, capture.shares.mid_stream.flows) == (1, 0)


def test_the_same_traffic_seen_at_another_place_changes_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pcap", tmp_path / "other.pcap"
    packets = [packet for port in range(5) for packet in opened(OTHER, 7 + port, WEB, 80)]
    for size in (3, 5, len(packets)):
        one.write_bytes(pcap(packets[:size]))
        ingest_folder(tmp_path / "ws", [one])
    other.write_bytes(pcap([packet for packet in packets if packet[26:30] == WEB_BYTES]))
    ingest_folder(tmp_path / "ws", [other])
    with Session.open(tmp_path / "ws") as session:
        assert [one.flows for one in session.captures()] == [5, 5]
        both, half = (one.shares for one in session.quality().captures)
        assert (both.total.flows, both.mid_stream.flows, both.one_way.flows) == (5, 0, 0)
        assert (half.total.flows, half.one_way.flows) == (5, 5)


def test_another_process_in_the_workspace_is_waited_for(files: list[Path], tmp_path: Path) -> None:
    workspace = tmp_path / "ws"
    follow = follow_folder(workspace, [tmp_path], None, lambda: False, every=0.0)
    assert len([next(follow) for _ in files]) == 3
    late = tmp_path / "d.pcap"
    late.write_bytes(pcap(opened(OTHER, 9, DB, 443)))
    with Session.open(workspace, sharing=True):
        assert isinstance(next(follow), StoreBusy)
        with pytest.raises(StoreBusy):
            next(follow_folder(workspace, [tmp_path], None, lambda: False))
    report = next(follow)
    assert isinstance(report, CaptureReport) and report.path == str(late)


def test_standard_input_is_followed_to_its_end_and_no_further(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source, target = os.pipe()
    os.write(target, pcap(opened(OTHER, 9, DB, 443)))
    os.close(target)
    with os.fdopen(source) as stream:
        monkeypatch.setattr("sys.__stdin__", stream)
        [report] = told(tmp_path / "ws", [Path("-")], 60)
    assert isinstance(report, CaptureReport)


def test_a_query_waits_for_a_load_that_lasts_a_moment(files: list[Path], tmp_path: Path) -> None:
    ingest_folder(tmp_path / "ws", files[:1])
    loading = Session.open(tmp_path / "ws")
    over = Timer(0.3, loading.close)
    over.start()
    with Session.open(tmp_path / "ws", sharing=True) as query:
        assert len(query.captures()) == 1
    over.join()
