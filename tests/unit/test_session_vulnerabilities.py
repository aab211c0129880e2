"""Scanner results in a workspace: imported, kept as text, weighed under the draft."""

import os
from pathlib import Path

import craft_scans as craft
import pytest
from session_site import DB, OTHER, WEB, site

from workbench.model.errors import Cancelled, FileChanged, InputError, ScanError
from workbench.model.exposure import Scenario
from workbench.model.net import format_address
from workbench.model.traffic import Progress
from workbench.model.vulnerability import Advice, PortReach, Severity
from workbench.session import Session, vulnerabilities


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path / "shop")


def scan(folder: Path, name: str = "weekly.nessus", *ports: int) -> Path:
    """Nessus on the database: these ports, or 5432 and 22."""
    items = (
        craft.nessus_item(port, plugin=port, name=f"port {port}", inside=craft.CVSS3 + craft.FIX)
        for port in ports or (5432, 22)
    )
    path = folder / name
    path.write_text(craft.nessus(craft.nessus_host("db-1", "".join(items))))
    return path


def test_imported_kept_and_read_again(folder: Path) -> None:
    with Session.open(folder) as session:
        assert session.vulnerabilities.found() == ()
        [report] = session.vulnerabilities.import_reports([scan(folder)])
        assert (report.findings, report.hosts, report.scanner) == (2, 1, "nessus")
        found = session.vulnerabilities.found()
    text = (folder / "vulnerabilities.json").read_text()
    assert f'"host": "{DB}", "service": "tcp/22"' in text
    with Session.open(folder) as session:
        assert session.vulnerabilities.found() == found
        assert session.vulnerabilities.sources() == (("weekly.nessus", "nessus", 2),)


def test_who_can_reach_it_under_the_draft_and_who_did(folder: Path) -> None:
    """web-1, 10.0.0.2 and db-1: only web-1 may open 5432, nobody 22, and both did."""
    with Session.open(folder) as session:
        session.vulnerabilities.import_reports([scan(folder)])
        told = {one.vulnerability.port: one for one in session.vulnerabilities.exposed()}
        assert told[5432].before == told[22].before == PortReach(2, True)
        assert (told[5432].after, told[5432].users) == (PortReach(1, False), PortReach(1, False))
        assert (told[22].after, told[22].users) == (PortReach(0, False), PortReach(1, False))
        assert (told[5432].advice, told[22].advice) == (Advice.PATCH, Advice.CUT_OFF)
        assert told[5432].risk_before == pytest.approx(9.8)
        assert told[5432].risk_after == pytest.approx(9.8 / 4)
        mine = told[22].vulnerability
        assert session.vulnerabilities.who(mine, Scenario.OBSERVED) == (OTHER,)
        assert session.vulnerabilities.who(mine) == ()
        assert set(session.vulnerabilities.who(mine, Scenario.NONE)) == {"web-1", OTHER, "outside"}
        [row] = session.vulnerabilities.evidence(mine)
        assert str(session.table.at(row)) == f"{OTHER} → {DB} tcp/22"
        [host] = session.vulnerabilities.totals("host")
        assert (host.name, host.findings, host.risk_after) == ("db-1", 2, told[5432].risk_after)
        assert [one.name for one in session.vulnerabilities.totals("segment")] == ["db"]
        services = [one.name for one in session.vulnerabilities.totals("service")]
        assert services == ["tcp/5432", "tcp/22"]
        with pytest.raises(InputError, match="choose one of host, segment, service"):
            session.vulnerabilities.totals("label")


def test_the_answer_follows_the_draft_and_is_kept_while_it_stays(folder: Path) -> None:
    with Session.open(folder) as session:
        session.vulnerabilities.import_reports([scan(folder)])
        first = session.vulnerabilities.exposed()
        assert session.vulnerabilities.exposed() is first
        session.draft.remove_rule("web-to-db")
        assert {one.after for one in session.vulnerabilities.exposed()} == {PortReach(0, False)}
        saved = session.vulnerabilities.exposed(Scenario.SAVED)
        assert {one.vulnerability.port: one.before.hosts for one in saved} == {5432: 1, 22: 0}
        session.draft.undo()
        assert session.vulnerabilities.exposed() == first


def test_a_file_of_the_same_name_takes_the_place_of_the_last(folder: Path) -> None:
    with Session.open(folder) as session:
        kept = session.vulnerabilities
        kept.import_reports([scan(folder), scan(folder, "other.nessus", 80)])
        kept.import_reports([scan(folder, "weekly.nessus", 443)])
        assert {one.port for one in kept.found()} == {443, 80}
        both = [scan(folder, "fresh.nessus", 1), scan(folder, "more.nessus", 2)]
        kept.import_reports(both, replace=True)
        assert {one.port for one in kept.found()} == {1, 2}
        assert kept.forget("more.nessus") == 1
        with pytest.raises(InputError, match=r"'weekly.nessus'; sources: fresh.nessus"):
            kept.forget("weekly.nessus")
        assert kept.forget("fresh.nessus") == 1
        assert kept.found() == ()


def test_two_files_of_one_name_would_undo_each_other(folder: Path) -> None:
    (folder / "site-b").mkdir()
    paths = [scan(folder), scan(folder / "site-b")]
    with Session.open(folder) as session:
        with pytest.raises(InputError, match=r"two reports are called 'weekly.nessus'"):
            session.vulnerabilities.import_reports(paths)
        assert session.vulnerabilities.found() == ()


def test_of_several_files_all_or_none_are_taken_in(folder: Path) -> None:
    broken = folder / "broken.xml"
    broken.write_text("<NessusClientData_v2>")
    with Session.open(folder) as session:
        with pytest.raises(ScanError, match=r"broken\.xml:1"):
            session.vulnerabilities.import_reports([scan(folder), broken])
        assert session.vulnerabilities.found() == ()
    assert not (folder / "vulnerabilities.json").exists()


def test_what_the_user_wrote_meanwhile_is_not_lost(folder: Path) -> None:
    path = folder / "vulnerabilities.json"
    with Session.open(folder) as session:
        session.vulnerabilities.import_reports([scan(folder)])
        edited = path.read_text().replace("port 22", "accepted")
        path.write_text(edited)
        with pytest.raises(FileChanged, match="changed on disk"):
            session.vulnerabilities.import_reports([scan(folder, "weekly.nessus", 443)])
        assert {one.port for one in session.vulnerabilities.found()} == {5432, 22}
    assert path.read_text() == edited
    with Session.open(folder) as session:
        assert "accepted" in {one.title for one in session.vulnerabilities.found()}


def test_a_broken_file_is_told_when_it_is_needed(folder: Path) -> None:
    (folder / "vulnerabilities.json").write_text("{")
    with Session.open(folder) as session:
        assert session.summary().hosts == 3  # the rest works
        with pytest.raises(ScanError, match=r"vulnerabilities\.json:1: not JSON"):
            session.vulnerabilities.exposed()


def test_findings_in_images_go_to_the_hosts_named(folder: Path) -> None:
    image = folder / "image.json"
    image.write_text(craft.trivy())
    with Session.open(folder) as session:
        [report] = session.vulnerabilities.import_reports([image])
        assert (report.findings, report.unknown) == (0, (("registry.example/shop/cart:1.4", 2),))
        session.vulnerabilities.import_reports([image], hosts=["web-1"], least=Severity.LOW)
        [one] = session.vulnerabilities.found()
        assert (format_address(one.address), one.service) == (WEB, "")
        with pytest.raises(InputError):
            session.vulnerabilities.import_reports([image], hosts=["nobody"])


def test_progress_is_told_and_an_import_can_be_stopped(folder: Path) -> None:
    told: list[Progress] = []
    with Session.open(folder) as session:
        session.vulnerabilities.import_reports([scan(folder)], progress=told.append)
        assert told[-1].fraction == 1.0
        with pytest.raises(Cancelled):
            session.vulnerabilities.import_reports(
                [scan(folder, "b.nessus", 9)], cancelled=lambda: True
            )
        assert {one.source for one in session.vulnerabilities.found()} == {"weekly.nessus"}


def test_a_name_with_escapes_is_kept_as_one_that_can_be_shown(folder: Path) -> None:
    path = folder / "a\x1b[31m\u202e.nessus"
    os.rename(scan(folder), path)
    with Session.open(folder) as session:
        session.vulnerabilities.import_reports([path])
        assert {one.source for one in session.vulnerabilities.found()} == {"a·[31m·.nessus"}
    with Session.open(folder) as session:
        assert len(session.vulnerabilities.found()) == 2


@pytest.mark.parametrize("limit", ["MAX_KEPT", "MAX_BYTES"])
def test_nothing_is_written_that_could_not_be_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(vulnerabilities, limit, 1)
    with Session.open(folder) as session:
        with pytest.raises(InputError, match="leave some out with --least low"):
            session.vulnerabilities.import_reports([scan(folder)])
        assert session.vulnerabilities.found() == ()
    assert not (folder / "vulnerabilities.json").exists()
