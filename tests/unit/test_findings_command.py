"""`workbench findings` and findings.yaml: what is told, filtered, drilled into and suppressed."""

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from conftest import DEMO
from craft import SYN, pcap, tcp4
from store_samples import REPORT

from workbench.analysis.findings import (
    dump_settings,
    lift,
    load_settings,
    set_threshold,
    suppress,
    update_settings,
)
from workbench.cli import main
from workbench.model.errors import Cancelled, DocumentError
from workbench.model.finding import (
    THRESHOLD_WORDS,
    FindingSettings,
    Suppression,
    Thresholds,
    Window,
)
from workbench.model.recording import Gap, Recording
from workbench.model.traffic import Progress
from workbench.session import Session
from workbench.session.findings import covered

Capsys = pytest.CaptureFixture[str]
DAY = date(2026, 9, 16)


@pytest.fixture
def site(tmp_path: Path, loaded: Path) -> Path:
    return Path(shutil.copytree(loaded, tmp_path / "site"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command")
    shutil.copy(DEMO / "inventory.yaml", folder)
    assert main(["ingest", str(folder), str(DEMO / "office.pcapng"), "--quiet"]) == 0
    return folder


def told(capsys: Capsys, site: Path, *words: str) -> str:
    capsys.readouterr()
    assert main(["findings", str(site), *words]) == 0
    return capsys.readouterr().out


def records(capsys: Capsys, site: Path, *words: str) -> list[dict]:
    return json.loads(told(capsys, site, "--format", "json", *words))


def refused(capsys: Capsys, site: Path, *words: str) -> str:
    capsys.readouterr()
    assert main(["findings", str(site), *words]) == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_json_has_the_agreed_keys(site: Path, capsys: Capsys) -> None:
    found = records(capsys, site)
    assert len(found) > 10
    for one in found:
        assert re.fullmatch(r"T\d{4}(\.\d{3})?", one["technique"])
        assert one["confidence"] in ("low", "medium", "high")
        assert one["impact"] in ("low", "medium", "high")
        assert {"title", "host", "peers", "first_seen", "last_seen", "why"} <= set(one)
        assert one["first_seen"] <= one["last_seen"]
        assert one["evidence"] and one["suppressed"] is None
    assert len({one["id"] for one in found}) == len(found)
    assert [one["first_seen"] for one in found] == sorted(one["first_seen"] for one in found)


def test_filters(site: Path, capsys: Capsys) -> None:
    every = records(capsys, site)
    remote = records(capsys, site, "--technique", "t1021")
    assert {one["technique"] for one in remote} >= {"T1021", "T1021.002", "T1021.004"}
    assert all(one["technique"].startswith("T1021") for one in remote)
    assert records(capsys, site, "--technique", "T1021.00") == []
    sure = records(capsys, site, "--min-confidence", "high")
    assert sure == [one for one in every if one["confidence"] == "high"]
    story = records(capsys, site, "--host", "db-1")
    assert {one["technique"] for one in story} >= {"T1046", "T1018", "T1021.004"}
    assert all("10.3.0.31" in (one["host"], *one["peers"]) for one in story)


def test_table_and_csv(site: Path, capsys: Capsys) -> None:
    table = told(capsys, site, "--min-confidence", "high")
    assert "T1046" in table and "pc-07" in table and "high" in table
    rows = list(csv.DictReader(io.StringIO(told(capsys, site, "--format", "csv"))))
    assert rows[0].keys() == records(capsys, site)[0].keys()


def test_evidence_is_flows(site: Path, capsys: Capsys) -> None:
    [chain] = [one for one in records(capsys, site) if one["kind"] == "login-chain"]
    flows = records(capsys, site, "--evidence", chain["id"])
    assert [one["service"] for one in flows] == ["tcp/5985"] * 3 + ["tcp/22"] * 3
    assert "no finding '00000000'" in refused(capsys, site, "--evidence", "00000000")


def test_suppressed_is_shown_as_such_never_hidden(site: Path, capsys: Capsys) -> None:
    before = records(capsys, site)
    known = before[-1]["id"]
    told(capsys, site, "--suppress", known, "--reason", "a drill", "--until", "2999-12-31")
    after = records(capsys, site)
    assert len(after) == len(before)
    assert after[-1]["suppressed"] == "a drill" and after[-1]["suppressed_until"] == "2999-12-31"
    assert (site / "findings.yaml").read_text() == (
        "workbench: 1\nsuppressions:\n"
        f"  - {{id: {_yaml(known)}, reason: a drill, until: 2999-12-31}}\n"
    )
    told(capsys, site, "--lift", known)
    assert records(capsys, site) == before
    assert "not suppressed" in refused(capsys, site, "--lift", known)


def _yaml(text: str) -> str:
    return re.findall(r"id: (.*?),", dump_settings(_with(text)))[0]


def _with(text: str) -> FindingSettings:
    return FindingSettings(suppressions=(Suppression(text, "r"),))


def test_a_suppression_that_ended_does_not_hold(site: Path) -> None:
    with Session.open(site, on=DAY) as session:
        known = session.findings.find()[0].id
        session.findings.suppress(known, "until yesterday", date(2026, 9, 15))
        assert session.findings.find()[0].suppression is None
        session.findings.suppress(known, "until today", DAY)
        assert session.findings.find()[0].suppression is not None


# ── ids ────────────────────────────────────────────────────────────────────────────────────

TOLD_BETTER = {
    "first-login": "admin-share",
    "tool-transfer": "file-written",
    "new-to-controller": "controller-command",
}
OLDER = {"c1bc0bc6": "admin-share", "dea9e92e": "file-written", "168c1c54": "controller-command"}
"""Ids that were made of what payload told, and so changed once it could be read."""


def test_payload_changes_no_id_and_ends_no_suppression(tmp_path: Path, capsys: Capsys) -> None:
    site, capture = tmp_path / "site", tmp_path / "moved.pcapng"
    site.mkdir()
    shutil.copy(DEMO / "inventory.yaml", site)
    shutil.copy(DEMO / "office.pcapng", capture)
    assert main(["ingest", str(site), str(capture), "--quiet"]) == 0
    away = capture.rename(tmp_path / "away.pcapng")
    unread = {one["id"]: one for one in records(capsys, site)}
    assert any("not read" in one["unseen"] for one in unread.values())
    for name in unread:
        told(capsys, site, "--suppress", name, "--reason", "a drill")

    away.rename(capture)
    read = {one["id"]: one for one in records(capsys, site)}
    assert read.keys() == unread.keys()
    changed = {unread[name]["kind"]: one["kind"] for name, one in read.items()
               if one["kind"] != unread[name]["kind"]}  # fmt: skip
    assert changed == TOLD_BETTER
    assert all(one["suppressed"] == "a drill" for one in read.values())


@pytest.mark.parametrize(("older", "kind"), OLDER.items())
def test_ids_of_older_versions_still_do(site: Path, capsys: Capsys, older: str, kind: str) -> None:
    (site / "findings.yaml").write_text(
        f"workbench: 1\nsuppressions:\n  - {{id: '{older}', reason: a drill}}\n"
    )
    [known] = [one for one in records(capsys, site) if one["suppressed"]]
    assert known["kind"] == kind and known["id"] != older
    assert records(capsys, site, "--evidence", older) == records(
        capsys, site, "--evidence", known["id"]
    )
    told(capsys, site, "--suppress", known["id"], "--reason", "told anew")
    assert (site / "findings.yaml").read_text().count("reason") == 1
    told(capsys, site, "--lift", older)
    assert not any(one["suppressed"] for one in records(capsys, site))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--suppress", "12345678"], "the reason is missing"),
        (["--suppress", "xyz", "--reason", "r"], "not the id of a finding"),
        (["--suppress", "12345678", "--reason", "r", "--until", "soon"], "'soon' is not a date"),
        (["--baseline", "noon"], "'noon' is not a time"),
        (["--against", "nothing.pcap"], "no capture is called 'nothing.pcap'"),
        (["--against", "1"], "nothing to compare"),
        (["--host", "nobody"], "nobody"),
    ],
)
def test_bad_input_is_one_line(site: Path, capsys: Capsys, words: list[str], problem: str) -> None:
    assert problem in refused(capsys, site, *words)


def test_another_capture_as_baseline(site: Path, capsys: Capsys, tmp_path: Path) -> None:
    """A moment of something else has nothing to say, not even that all the rest vanished."""
    other = tmp_path / "other.pcap"
    other.write_bytes(pcap([tcp4("10.1.0.11", 40_000, "10.1.0.250", 8080, SYN)]))
    assert main(["ingest", str(site), str(other), "--quiet"]) == 0
    assert records(capsys, site, "--against", "office*") == []


def test_no_findings_say_what_to_do(site: Path, capsys: Capsys, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    shutil.copy(DEMO / "inventory.yaml", empty)
    quiet = tmp_path / "quiet.pcap"
    quiet.write_bytes(pcap([tcp4("10.1.0.11", 40_000, "10.1.0.250", 8080, SYN)]))
    for folder, words, problem in (
        (site, ("--technique", "T9999"), "none of 19 findings is like that"),
        (empty, (), f"no traffic yet: `workbench ingest {empty} CAPTURE` loads some"),
        (empty, (), "nothing that looks like an intruder; --baseline TIME"),
    ):
        assert main(["findings", str(folder), *words]) == 0
        shown = capsys.readouterr()
        assert problem in shown.err and not shown.out
        if folder == empty and not words:
            main(["ingest", str(empty), str(quiet), "--quiet"])
            capsys.readouterr()


def test_thresholds_are_the_users(site: Path, capsys: Capsys) -> None:
    (site / "findings.yaml").write_text("workbench: 1\nthresholds: {scan_targets: 100000}\n")
    assert not [one for one in records(capsys, site) if one["kind"] == "port-scan"]


def test_it_can_be_stopped(site: Path) -> None:
    with Session.open(site) as session, pytest.raises(Cancelled):
        session.findings.find(cancelled=lambda: True)


def test_found_once_until_something_changes(site: Path) -> None:
    with Session.open(site) as session:
        steps: list[int] = []

        def tell(one: Progress) -> None:
            if one.label == "looking for findings":  # not the reading of payload before it
                steps.append(one.done)

        first = session.findings.find(progress=tell)
        assert session.findings.find(progress=tell) == first
        assert steps == [1, 2]
        session.draft.rename_host(first[0].host, "renamed")
        assert session.findings.find(progress=tell) != first


def test_silence_and_overlap_are_not_recorded_time() -> None:
    hour = 3_600_000_000
    silent = Recording(gaps=(Gap(hour, 5 * hour), Gap(6 * hour, 6 * hour + 60)))
    one = replace(REPORT, id=1, first_us=0, last_us=7 * hour, recording=silent)
    two = replace(REPORT, id=2, first_us=6 * hour, last_us=8 * hour)
    none = replace(REPORT, id=3, first_us=None, last_us=None)
    assert covered([two, none, one], Window()) == ((0, hour), (5 * hour, 8 * hour))
    assert covered([one, two], Window(captures=(2,))) == ((6 * hour, 8 * hour),)
    assert covered([one, two], Window(after_us=7 * hour)) == ((7 * hour, 8 * hour),)
    assert covered([one, two], Window(before_us=2 * hour)) == ((0, hour),)


# ── findings.yaml ──────────────────────────────────────────────────────────────────────────


def test_settings_are_read_back() -> None:
    settings = FindingSettings(
        Thresholds(scan_targets=30, scan_share=0.5, expected_roles=("robot", "jump")),
        (Suppression("12345678", "known: a scanner"), Suppression("0e123456", "x", DAY)),
    )
    assert load_settings(dump_settings(settings)) == settings
    assert load_settings("workbench: 1") == FindingSettings()


def test_comments_stay() -> None:
    text = "# ours\nworkbench: 1\nsuppressions:\n  - {id: aaaaaaaa, reason: one}  # asked Ann\n"
    settings = suppress(load_settings(text), Suppression("bbbbbbbb", "two"))
    edited = update_settings(text, settings)
    assert "# ours" in edited and "# asked Ann" in edited
    assert load_settings(edited) == settings
    assert load_settings(update_settings(edited, lift(settings, "aaaaaaaa"))).suppressions == (
        Suppression("bbbbbbbb", "two"),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("workbench: 2", "version 1"),
        ("workbench: 1\nthresholds: {scan_target: 3}", "did you mean 'scan_targets'"),
        ("workbench: 1\nthresholds: {scan_targets: -3}", "not a whole number"),
        ("workbench: 1\nthresholds: {scan_targets: 0}", "above 0"),
        ("workbench: 1\nthresholds: {scan_share: much}", "not a number"),
        ("workbench: 1\nsuppressions: [{id: aaaaaaaa}]", "needs `reason`"),
        ("workbench: 1\nsuppressions: [{id: aaaaaaaa, reason: ''}]", "is empty"),
        ("workbench: 1\nsuppressions: [{id: a, reason: b}]", "not the id of a finding"),
        ("workbench: 1\nsuppressions: [{id: aaaaaaaa, reason: b, until: x}]", "not a date"),
        (
            "workbench: 1\nsuppressions:\n  - {id: aaaaaaaa, reason: b}\n"
            "  - {id: aaaaaaaa, reason: c}",
            "written twice",
        ),
    ],
)
def test_settings_that_are_wrong_say_where(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=r"findings\.yaml") as error:
        load_settings(text)
    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("text", "shown", "hidden"),
    [
        ("host:db-1", "login-chain", "beacon"),
        ("-host:pc-07", "fan-out", "ping-sweep"),
        ("service:tcp/445", "port-scan", "ping-sweep"),
        ("outcome:refused", "port-scan", "ping-sweep"),
        ("after:2026-09-15T16:40", "upload", "port-scan"),
        ("before:2026-09-15T09:30", "fan-out", "port-scan"),
        ("-before:2026-09-15T16:30", "upload", "port-scan"),
        ("client:pc-07 after:2026-09-15T16:40", "beacon", "fan-out"),
    ],
)
def test_a_filter_line_narrows_findings(site: Path, text: str, shown: str, hidden: str) -> None:
    with Session.open(site, on=DAY) as session:
        found = session.findings.find()
        kinds = {one.kind for one in session.findings.fitting(found, session.parse(text))}
        assert shown in kinds and hidden not in kinds


def test_conversations_of_a_finding_are_rows_of_the_table(site: Path) -> None:
    with Session.open(site, on=DAY) as session:
        for one in session.findings.find():
            rows = session.findings.rows_of(one)
            told = [session.table.at(int(row)) for row in rows]
            assert [(seen.client, seen.server, seen.protocol, seen.port) for seen in told] == [
                (piece.client, piece.server, piece.protocol, piece.port) for piece in one.evidence
            ]


def test_one_threshold_at_a_time(site: Path) -> None:
    with Session.open(site, on=DAY) as session:
        findings = session.findings
        findings.set_threshold("scan_targets", "30")
        findings.set_threshold("expected_roles", "jump, robot")
        assert findings.settings().thresholds.expected_roles == ("jump", "robot")
        findings.set_threshold("expected_roles", "")
        assert findings.settings().thresholds == replace(Thresholds(), scan_targets=30)
        for name, text in (("scan_targets", "0"), ("scan_sure", "3, x: 1"), ("scan", "1")):
            with pytest.raises(DocumentError):
                findings.check_threshold(name, text)
        assert set(THRESHOLD_WORDS) == set(Thresholds.__slots__)
        assert (
            set_threshold(FindingSettings(), "burst_factor", "2.5").thresholds.burst_factor == 2.5
        )
