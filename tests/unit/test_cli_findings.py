"""Commands that look for findings read payload first, and keep what it said."""

import json
import shutil
from pathlib import Path

import pytest

from workbench.cli import main
from workbench.model.exposure import Gate, GateKind
from workbench.session import Session

DEMO = Path(__file__).resolve().parents[2] / "demo_data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo site as a fresh `workbench ingest` leaves it."""
    with Session.open(tmp_path / "site") as session:
        session.ingest([DEMO / "office.pcapng"])
    for name in ("inventory.yaml", "policy.yaml"):
        shutil.copy(DEMO / name, tmp_path / "site")
    Session.open(tmp_path / "site").close()  # the services of that policy are settled
    return tmp_path / "site"


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    assert main(["findings", str(folder), "--format", "json"]) == 0
    return {one["id"]: one for one in json.loads(capsys.readouterr().out)}


def test_the_command_finds_what_the_interface_finds(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(folder, capsys)
    with Session.open(folder, sharing=True) as session:  # kept: nothing is left to read
        assert not session.findings.unread
        assert {one.id: one.title for one in session.findings.find()} == {
            number: one["title"] for number, one in found.items()
        }
    assert any("C$" in one["title"] for one in found.values())
    assert not any("not read" in one["unseen"] for one in found.values())


def test_beside_another_process_the_payload_waits(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Session.open(folder, sharing=True) as session:
        assert session.findings.unread
        monkeypatch.setattr("workbench.capture.listen", None)  # not read to be thrown away
        assert any("another process" in one.unseen for one in session.findings.find())


def test_a_capture_that_is_gone_asks_for_no_writer(tmp_path: Path, folder: Path) -> None:
    moved = shutil.copy(DEMO / "office.pcapng", tmp_path / "gone.pcapng")
    with Session.open(tmp_path / "other") as session:
        session.ingest([Path(moved)])
    Path(moved).unlink()
    with Session.open(tmp_path / "other", sharing=True) as session:
        assert not session.findings.unread


def test_an_answer_counts_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [share] = [
        one for one in listed(folder, capsys).values() if one["title"] == "Opens C$ on pc-03"
    ]
    assert main(["respond", str(folder), share["id"], "--narrow"]) == 0
    told = capsys.readouterr()
    assert "would break 1 other conversation (1 flow, 2 hosts)\n" in told.out + told.err


def test_several_hosts_are_not_protected() -> None:
    several = Gate(GateKind.UNPROTECTED, "hosts without a segment in 10.1.0.0/24")
    assert several.reason == "hosts without a segment in 10.1.0.0/24 are not protected"
    assert Gate(GateKind.UNPROTECTED, "jump").reason == "jump is not protected"


def test_a_suppression_that_takes_hold_of_nothing_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(number: str, *more: str) -> str:
        line = ["findings", str(folder), "--suppress", number, "--reason", "audit", *more]
        main(line)
        done = capsys.readouterr()
        return done.out + done.err

    number = next(iter(listed(folder, capsys)))
    assert "2020-01-01 is over: the last day is today" in told(number, "--until", "2020-01-01")
    assert not (folder / "findings.yaml").exists()
    assert "there is no such finding now" in told("deadbeef")
    assert "it is still shown" in told(number)
    assert listed(folder, capsys)[number]["suppressed"] == "audit"
