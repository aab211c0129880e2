"""The demo site's story, told by `workbench exposure`."""

import csv
import io
from pathlib import Path

import pytest
from commandline import Run

from workbench.cli import main

TIGHT = """\
workbench: 1
name: tight
protect: {everything: {}}
segments:
  everything: {cidrs: [10.0.0.0/8, "fd00::/8"]}
  app: {match: {role: app, env: prod}}
  db: {match: {role: db, env: prod}}
rules:
  - {id: app-to-db, from: [app], to: [db], services: [tcp/5432]}
"""


def test_the_summary_compares_the_policies(workbench: Run, loaded: Path) -> None:
    found = workbench("exposure", loaded, "--format", "json").json
    scenarios = {one["scenario"]: one for one in found["scenarios"]}
    assert list(scenarios) == ["none", "observed", "draft"]
    assert scenarios["none"]["score"] == 100
    assert scenarios["none"]["score"] > scenarios["draft"]["score"] > scenarios["observed"]["score"]
    assert scenarios["observed"]["widest"] == "pc-07"
    assert scenarios["observed"]["outside_machines"] == 0
    lights = {(one["scenario"], one["service"]): one["light"] for one in found["services"]}
    assert lights["none", "smb"] == "red"


def test_a_tighter_draft_has_a_lower_score(workbench: Run, loaded: Path, tmp_path: Path) -> None:
    draft = tmp_path / "tight.yaml"
    draft.write_text(TIGHT)
    found = workbench("exposure", loaded, "--draft", draft, "--format", "json").json
    score = {one["scenario"]: one["score"] for one in found["scenarios"]}
    assert list(score) == ["none", "observed", "saved", "draft"]
    assert score["draft"] < 10 < score["saved"]
    ends = ("--from", "pc-07", "--to", "db-1", "--policy", "draft")
    assert workbench("exposure", loaded, "--draft", draft, *ends).out == ""


def test_the_intruders_way_is_a_path(workbench: Run, loaded: Path) -> None:
    ends = ("--from", "pc-07", "--to", "db-1")
    found = workbench("exposure", loaded, *ends, "--policy", "observed", "--format", "json").json
    assert "pc-07 → app-2 (smb, rdp, winrm, ssh) → db-1 (ssh)" in [
        path["text"] for path in found["paths"]
    ]
    drafted = workbench("exposure", loaded, *ends, "--policy", "draft", "--format", "json").json
    [first, *_] = drafted["paths"]
    assert first["text"] == "pc-07 → jump-1 (any) → db-1 (rdp, winrm, ssh)"
    assert [gate["reason"] for hop in first["hops"] for gate in hop["gates"]] == [
        "jump is not protected",
        "rule jump-anywhere",
    ]
    [cut] = drafted["cuts"]
    assert [gate["close"] for gate in cut["gates"]] == ["protect jump"]


def test_closing_what_the_choke_points_say_cuts_so_many_pairs(workbench: Run, site: Path) -> None:
    def pairs() -> int:
        found = workbench("exposure", site, "--policy", "draft", "--format", "json").json
        return int(found["scenarios"][0]["pairs"])

    chokes = workbench("exposure", site, "--chokes", "--format", "json").json
    cut = {one["text"]: one["cut"] for one in chokes}
    before = pairs()
    assert workbench("revoke", site, "jump-anywhere").status == 0
    assert before - pairs() == cut["remove rule jump-anywhere"] > 400


def test_crown_jewels_are_marked_by_label(workbench: Run, site: Path) -> None:
    ends = ("exposure", site, "--from", "office", "--to", "crown", "--format", "json")
    refused = workbench(*ends)
    assert refused.status == 2
    assert "crown=yes" in refused.error
    assert workbench("label", site, "db-1", "--set", "crown=yes").status == 0
    paths = workbench(*ends).json["paths"]
    assert paths and all(path["hops"][-1]["server"] == "db-1" for path in paths)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--by", "host"),
        ("--by", "segment"),
        ("--by", "service"),
        ("--by", "pair"),
        ("--to", "db-1"),
        ("--to", "prod-db"),
        ("--from", "pc-07"),
        ("--from", "10.1.0.17"),
        ("--from", "outside"),
        ("--from", "role=pc", "--to", "plc"),
        ("--chokes",),
        ("--chokes", "--from", "pc-07", "--to", "db-1", "--policy", "observed"),
    ],
    ids=" ".join,
)
def test_every_view_has_a_table_and_csv(
    loaded: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exposure", str(loaded), *options]) == 0
    assert capsys.readouterr().out.count("\n") > 1
    assert main(["exposure", str(loaded), *options, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows and all(None not in row for row in rows)


def test_hosts_add_up_to_the_site(workbench: Run, loaded: Path) -> None:
    found = workbench("exposure", loaded, "--format", "json").json["scenarios"]
    hosts = workbench("exposure", loaded, "--by", "host", "--format", "json").json
    for whole in found:
        own = [one for one in hosts if one["scenario"] == whole["scenario"]]
        assert len(own) == whole["machines"]
        inside = sum(one["footholds"] for one in own)
        assert inside == sum(one["blast"] for one in own)
        assert inside + whole["outside_machines"] == whole["pairs"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--from", "nobody"), "'nobody' is not a foothold"),
        (("--to", "outside"), "never a target"),
        (("--to", "role=king"), "role=king"),
        (("--from", "10.1.0.21"), "never spoke"),
        (("--from", "203.0.113.66"), "outside"),
        (("--by", "host", "--to", "db-1"), "--by"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_said_in_one_line(
    loaded: Path, options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exposure", str(loaded), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("workbench: ") and problem in line
