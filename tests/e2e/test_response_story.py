"""The demo site's intrusion answered: `workbench respond` and `workbench replay`."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from commandline import ROOT, Run

from workbench.cli import main

TRUTH = json.loads((ROOT / "demo_data" / "truth.json").read_text())
BREAK_IN = min(step["at"] for step in TRUTH["intrusion"]).removesuffix("Z")
"""The first beacon."""
LOGIN, SCAN, CHAIN, TO_DB = "3a68c152", "77520007", "f6b7ef71", "7ae404b9"
"""pc-07 → pc-03 over SMB; the port scan; pc-07 → app-2 → db-1; app-2 → db-1 over SSH."""
HOPS = [("pc-07", "pc-03"), ("pc-07", "app-2"), ("app-2", "db-1")]


def test_a_policy_from_the_baseline_stops_the_intrusion_at_the_first_hop(
    workbench: Run, loaded: Path, tmp_path: Path
) -> None:
    """The criterion: nothing but the flows before the break-in is learnt from."""
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("flows.duckdb", "inventory.yaml"):
        (fresh / name).write_bytes((loaded / name).read_bytes())
    suggested = workbench("suggest", fresh, "--before", BREAK_IN)
    draft = tmp_path / "baseline.yaml"
    draft.write_text(suggested.out)
    replayed = workbench("replay", fresh, "--draft", draft, "--format", "json")
    assert replayed.status == 0
    found = replayed.json
    assert found["stopped"] and found["stopped_at"] == 1
    assert found["text"] == "stopped at hop 1 of 3"
    assert [(hop["client_name"], hop["server_name"]) for hop in found["hops"]] == HOPS
    assert [hop["fate"] for hop in found["hops"]] == ["blocked", "blocked", "not-reached"]
    nothing = workbench("replay", fresh, "--policy", "none", "--format", "json")
    assert nothing.status == 1
    assert {step["fate"] for step in nothing.json["steps"]} == {"out-of-scope"}
    simulated = workbench("simulate", fresh, "--policy", draft, "--format", "json").json
    lost = [
        one for one in simulated["conversations"]
        if one["class"] == "would-block" and one["first_seen"] < BREAK_IN
    ]  # fmt: skip
    assert {(one["client_name"], one["server_name"], one["service"]) for one in lost} <= {
        ("test-app", "db-1", "tcp/5432")
    }


@pytest.mark.parametrize(
    ("policy", "status", "text"),
    [
        ("none", 1, "not stopped: 3 of 3 hops get through"),
        ("saved", 0, "stopped at hop 2 of 3"),
        ("draft", 0, "stopped at hop 2 of 3"),
        ("baseline", 0, "stopped at hop 1 of 3"),
    ],
)
def test_the_intrusion_under_each_policy(
    loaded: Path, policy: str, status: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(loaded), "--policy", policy, "--format", "json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert (found["policy"], found["text"]) == (policy, text)
    times = [step["time"] for step in found["steps"]]
    assert times == sorted(times)
    assert [step["step"] for step in found["steps"]] == list(range(1, len(times) + 1))


def test_a_story_and_some_findings_replayed(
    loaded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(loaded), "--findings", CHAIN, "--policy", "none"]) == 1
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 3
    assert "hop 1: pc-07 → app-2 out-of-scope" in shown.err
    assert "none: not stopped: 2 of 2 hops get through" in shown.err
    assert main(["replay", str(loaded), "--host", "pc-07", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    fates = Counter(row["fate"] for row in rows)
    assert fates["not-reached"] == 1 and fates["blocked"] > 100


def test_steps_that_are_alike_stand_in_one_line(
    loaded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["replay", str(loaded), "--format", "json"])
    steps = json.loads(capsys.readouterr().out)["steps"]
    main(["replay", str(loaded), "--every"])
    assert len(capsys.readouterr().out.splitlines()) == len(steps) + 1 > 250
    main(["replay", str(loaded)])
    told = capsys.readouterr()
    lines = told.out.splitlines()[1:]
    assert sum(int(line.partition(" ×")[0]) for line in lines) == len(steps)
    assert len(lines) < 30 and f"{len(steps)} steps" in told.err and "--every" in told.err
    assert any("10.1.0.0/24 (10 hosts)" in line and "8 services" in line for line in lines)
    assert any("file-1 " in line and "tcp/445" in line and "allowed" in line for line in lines)
    times = [line.split()[3] for line in lines]
    assert times == sorted(times)


def test_an_answer_changes_nothing_unless_saved(
    workbench: Run, site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (site / "policy.yaml").read_text()
    assert main(["respond", str(site), LOGIN, "--narrow"]) == 0
    shown = capsys.readouterr()
    assert "+  office: {directions: [ingress]}" in shown.out
    assert "admin-2" in shown.out  # what else would break
    assert "now: not stopped: 1 of 1 hop gets through; then: stopped at hop 1 of 1" in shown.err
    assert "nothing is saved" in shown.err
    assert (site / "policy.yaml").read_text() == before
    assert main(["respond", str(site), LOGIN, "--narrow", "--keep", "--save"]) == 0
    assert "nothing else that was recorded would break" in capsys.readouterr().err
    assert workbench("replay", site, "--format", "json").json["stopped_at"] == 1
    after = (site / "policy.yaml").read_text()
    assert "# the portal: browser" in after
    assert main(["respond", str(site), LOGIN, "--narrow"]) == 0
    assert "there is nothing to change" in capsys.readouterr().err
    assert (site / "policy.yaml").read_text() == after


def test_a_guardrail_says_no_until_the_policy_keeps_it(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(site)]) == 0
    assert main(["respond", str(site), LOGIN, "--guardrail", "--save"]) == 1
    assert f"guardrail finding-{LOGIN} does not hold yet" in capsys.readouterr().err
    assert main(["check", str(site)]) == 1
    assert main(["respond", str(site), LOGIN, "--guardrail"]) == 1
    assert "there is nothing to change" in capsys.readouterr().err
    assert main(["respond", str(site), LOGIN, "--narrow", "--save"]) == 0
    assert main(["respond", str(site), LOGIN, "--guardrail"]) == 0
    assert main(["check", str(site)]) == 0
    capsys.readouterr()
    assert main(["respond", str(site), TO_DB, "--guardrail", "--wide"]) == 0
    assert "never: {from: [prod-app], to: [prod-db], services: [tcp/22]}" in capsys.readouterr().out


def test_a_quarantine_leaves_the_named_access_alone(workbench: Run, site: Path) -> None:
    asked = ("respond", site, TO_DB, "--quarantine", "--admin", "jump", "--services", "tcp/22")
    answer = workbench(*asked, "--format", "json")
    assert answer.status == 0
    lost = {(one["client_name"], one["server_name"]) for one in answer.json["breaks"]}
    assert {("app-2", "db-1"), ("web-1", "app-2"), ("mon-1", "app-2")} <= lost
    assert all("app-2" in pair for pair in lost)
    assert workbench(*asked, "--save").status == 0
    for client, server, service, status in (
        ("jump-1", "app-2", "tcp/22", 0),
        ("jump-1", "app-2", "tcp/5985", 1),
        ("web-1", "app-2", "tcp/8080", 1),
        ("app-2", "db-1", "tcp/5432", 1),
        ("jump-1", "app-1", "tcp/5985", 0),
        ("web-1", "app-1", "tcp/8080", 0),
    ):
        done = workbench("explain", site, client, server, service)
        assert done.status == status, (client, server, service, done.out)
    assert workbench("check", site).status == 0
    gateway = site / "gateway"
    assert workbench("export", site, "--target", "nftables", "--out", gateway).status == 0
    assert workbench("verify", site, gateway, "--no-kernel").status == 0


def test_a_second_host_is_quarantined_beside_the_first(workbench: Run, site: Path) -> None:
    for host in ("app-2", "cart-1"):
        asked = ("respond", site, TO_DB, "--quarantine", "--host", host, "--admin", "jump")
        assert workbench(*asked, "--save").status == 0
    text = (site / "policy.yaml").read_text()
    assert text.count("all-but-quarantined: ") == 1
    for client, server, service, status in (
        ("jump-1", "app-2", "tcp/22", 0),
        ("jump-1", "cart-1", "tcp/8080", 0),
        ("app-2", "cart-1", "tcp/8080", 1),
        ("frontend-1", "cart-1", "tcp/8080", 1),
        ("cart-1", "redis-1", "tcp/6379", 1),
        ("frontend-1", "catalog-1", "tcp/8080", 0),
    ):
        done = workbench("explain", site, client, server, service)
        assert done.status == status, (client, server, service, done.out)


def test_a_quarantine_that_breaks_a_promise_says_so(
    loaded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Taking the panel out of its segment does not make `cell-always-plc` hold."""
    assert main(["respond", str(loaded), SCAN, "--quarantine", "--host", "hmi-1"]) == 1
    assert "guardrail cell-always-plc is broken: 10.5.0.10" in capsys.readouterr().err


def test_a_scan_is_narrowed_without_what_was_usual_before(
    loaded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """pc-07 signs in at dc-1 and reads file-1 every day: that is no part of the scan."""
    asked = ["respond", str(loaded), SCAN, "--narrow", "--keep", "--format", "json"]
    assert main(asked) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["breaks"] == found["broken"] == []
    assert any("left alone" in note for note in found["notes"])
    through = {
        (step["server_name"], step["service"])
        for step in found["after"]["steps"]
        if step["fate"] not in ("blocked", "not-reached")
    }
    assert through == {("file-1", "tcp/445"), ("web-1", "tcp/443"), ("web-2", "tcp/443")}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("respond", LOGIN), "one of the arguments"),
        (("respond", "00000000", "--narrow"), "no finding '00000000'"),
        (("respond", LOGIN, "--narrow", "--admin", "jump"), "--admin"),
        (("respond", LOGIN, "--guardrail", "--keep"), "--keep"),
        (("respond", LOGIN, "--quarantine", "--admin", "any"), "everybody"),
        (("respond", LOGIN, "--quarantine", "--admin", "nobody"), "neither a segment"),
        (("respond", LOGIN, "--quarantine", "--admin", "pc-07"), "its own administrator"),
        (("respond", LOGIN, "--quarantine", "--admin", "jump", "--services", "x/1"), "services"),
        (("respond", LOGIN, "--quarantine", "--host", "nobody"), "nobody"),
        (("replay", "--findings", "00000000"), "no finding"),
        (("replay", "--before", "2026-09-15T15:29"), "--policy baseline"),
        (("replay", "--host", "dc-9"), "dc-9"),
    ],
    ids=str,
)
def test_what_cannot_be_answered_is_said_in_one_line(
    loaded: Path, options: tuple[str, ...], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *rest = options
    try:
        status = main([command, str(loaded), *rest])
    except SystemExit as stopped:
        status = int(str(stopped.code))
    assert status == 2
    assert problem in capsys.readouterr().err
