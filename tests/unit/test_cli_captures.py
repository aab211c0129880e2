"""`workbench captures`: the list, one in full, all together, and the same for programs."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import DEMO
from workbench.cli import main

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo capture, and a part of it that ends in the middle of a packet."""
    folder = tmp_path_factory.mktemp("captures")
    site = folder / "site"
    site.mkdir()
    shutil.copy(DEMO / "inventory.yaml", site)
    whole = (DEMO / "office.pcapng").read_bytes()
    (folder / "office.pcapng").write_bytes(whole)
    (folder / "cut.pcapng").write_bytes(whole[: len(whole) // 2 + 1])
    names = ("office.pcapng", "cut.pcapng")
    assert main(["ingest", str(site), *(str(folder / name) for name in names), "--quiet"]) == 0
    return site


def told(capsys: Capsys, *words: str) -> str:
    capsys.readouterr()
    assert main(["captures", *words]) == 0
    return capsys.readouterr().out


def test_the_list_then_all_of_them_then_what_was_not_seen(demo: Path, capsys: Capsys) -> None:
    out = told(capsys, str(demo))
    captures, unseen = out.index("all captures"), out.index("unseen is not unused")
    assert "office.pcapng" in out[:captures] and "problem" in out[:captures]
    assert "8 h 54 min" in out[captures:unseen]
    assert "1 of 2 captures did not end properly" in out[captures:unseen]
    assert "office-lan" in out[unseen:] and "pairs" in out[unseen:]
    assert "office-lan and pod-network" in out[unseen:]


@pytest.mark.parametrize("name", ["1", "2", "cut.pcapng", "cut*", "*/cut.pcapng"])
def test_one_in_full(demo: Path, capsys: Capsys, name: str) -> None:
    listed = json.loads(told(capsys, str(demo), "--format", "json"))
    wanted = next(one for one in listed if (one["file"] == "cut.pcapng") == ("cut" in name))
    if "/" in name:
        name = wanted["path"]
    elif name.isdigit():
        wanted = listed[int(name) - 1]
    out = told(capsys, str(demo), name)
    assert out.startswith(f"capture {wanted['id']}: {wanted['file']}\n")
    assert "all captures" not in out
    for remark in wanted["remarks"]:
        assert remark["text"] in " ".join(out.split())
    assert [wanted] == json.loads(told(capsys, str(demo), name, "--format", "json"))


def test_a_capture_that_is_not_there(demo: Path, capsys: Capsys) -> None:
    assert main(["captures", str(demo), "other.pcap"]) == 2
    assert "no capture is called 'other.pcap'" in capsys.readouterr().err


def test_for_programs(demo: Path, capsys: Capsys) -> None:
    listed = json.loads(told(capsys, str(demo), "--format", "json"))
    both = json.loads(told(capsys, str(demo), "--dataset", "--format", "json"))
    assert both["captures"] == listed
    dataset = both["dataset"]
    assert dataset["packets"] == sum(one["packets"] for one in listed)
    flows = [one["flow_shares"]["total"]["flows"] for one in listed]
    assert flows == [one["flows"] for one in listed]
    assert dataset["flow_shares"]["total"]["flows"] == max(flows), (
        "the cut one is part of the other"
    )
    assert {one["ending"] for one in listed} == {"complete", "cut short"}
    assert all(sum(one["activity"]["packets"]) == one["packets"] for one in listed)
    assert {one["name"] for one in dataset["unseen"]["networks"]} >= {"office-lan", "plant-lan"}
    rows = list(
        csv.DictReader(io.StringIO(told(capsys, str(demo), "--dataset", "--format", "csv")))
    )
    remarks = [remark for one in listed for remark in one["remarks"]]
    remarks += dataset["remarks"] + dataset["unseen"]["remarks"]
    assert [row["text"] for row in rows] == [remark["text"] for remark in remarks]


def test_remarks_fold_on_a_narrow_terminal(
    demo: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = [line for line in told(capsys, str(demo)).splitlines() if line[:4] in ("  - ", "  ! ")]
    assert lines and max(map(len, lines)) <= 60


def test_nothing_loaded(tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "inventory.yaml").write_text("workbench: 1\n")
    assert main(["captures", str(tmp_path)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(told(capsys, str(tmp_path), "--format", "json")) == []
