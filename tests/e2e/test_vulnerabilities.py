"""Scanner results on the demo site, from the command line."""

import csv
import io
import os
from pathlib import Path

import craft_scans as craft
import pytest
from commandline import Run

SMB = craft.CVES + craft.CVSS3 + craft.FIX
MODBUS = "<cvss3_base_score>8.6</cvss3_base_score>"


@pytest.fixture
def weekly(tmp_path: Path) -> Path:
    """file-1 and a PC by SMB, a PLC by Modbus, the portal by name, and somebody unknown."""
    path = tmp_path / "weekly.nessus"
    hosts = [
        craft.nessus_host("10.2.0.20", craft.nessus_item(inside=SMB), {"host-ip": "10.2.0.20"}),
        craft.nessus_host("pc-03.kestrel.example", craft.nessus_item(inside=SMB)),
        craft.nessus_host(
            "10.5.0.101", craft.nessus_item(502, severity=3, plugin=3, name="PLC", inside=MODBUS)
        ),
        craft.nessus_host(
            "web-1",
            craft.nessus_item(443, severity=2, plugin=2, name="TLS 1.0")
            + craft.nessus_item(443, severity=0, plugin=1, name="Service Detection"),
        ),
        craft.nessus_host("stranger", craft.nessus_item(inside=SMB)),
    ]
    path.write_text(craft.nessus(*hosts))
    return path


def test_patch_or_segment_on_the_demo_site(workbench: Run, site: Path, weekly: Path) -> None:
    done = workbench("vulnerabilities", site, "--import", weekly, "--format", "json")
    assert done.status == 0
    assert "nessus, 5 findings on 4 hosts" in done.err
    assert "1 left out: of a host that the inventory does not know" in done.err
    assert "stranger: 1" in done.err
    told = {(one["host"], one["service"], one["id"]): one for one in done.json}
    assert len(told) == 5
    files, pc = told["file-1", "tcp/445", "97833"], told["pc-03", "tcp/445", "97833"]
    assert (files["score"], files["severity"], len(files["cves"])) == (9.8, "critical", 2)
    assert files["reach_before"] == pc["reach_before"] and files["outside_before"]
    assert 0 < files["reach_after"] < files["reach_before"]  # the office, by a rule
    assert not files["outside_after"]
    assert files["risk_after"] < files["risk_before"] == 9.8
    assert pc["reach_after"] > files["reach_after"]  # PCs are not protected
    assert pc["advice"] == "segment"
    web = told["web-1", "tcp/443", "2"]
    assert web["outside_after"]  # customers
    assert told["web-1", "tcp/443", "1"]["advice"] == ""
    risks = [one["risk_after"] for one in done.json]
    assert risks == sorted(risks, reverse=True)
    assert done.json[0]["host"] == "pc-03"


def test_totals_and_forms_of_output(workbench: Run, site: Path, weekly: Path) -> None:
    assert workbench("vulnerabilities", site).err.startswith("no scanner results here yet")
    assert workbench("vulnerabilities", site, "--import", weekly).status == 0
    hosts = workbench("vulnerabilities", site, "--by", "host", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(hosts)))
    assert {row["name"] for row in rows} == {"file-1", "pc-03", "plc-1", "web-1"}
    segments = workbench("vulnerabilities", site, "--by", "segment", "--format", "json").json
    assert {one["name"] for one in segments} == {"files", "office", "plc", "prod-web"}
    services = workbench("vulnerabilities", site, "--by", "service").out
    assert services.splitlines()[0].split()[:3] == ["name", "risk", "after"]
    few = workbench("vulnerabilities", site, "--least", "high", "--limit", "1").out.splitlines()
    assert len(few) == 2
    same = workbench("vulnerabilities", site, "--before", "saved", "--format", "json").json
    assert all(one["risk_before"] == one["risk_after"] for one in same)


def test_a_rule_taken_away_lowers_the_risk(workbench: Run, site: Path, weekly: Path) -> None:
    def risk() -> float:
        found = workbench("vulnerabilities", site, "--by", "host", "--format", "json").json
        return next(one["risk_after"] for one in found if one["name"] == "file-1")

    workbench("vulnerabilities", site, "--import", weekly)
    before = risk()
    assert workbench("revoke", site, "office-files").status == 0
    assert risk() < before


def test_reports_come_and_go(workbench: Run, site: Path, weekly: Path, tmp_path: Path) -> None:
    image = tmp_path / "cart.json"
    image.write_text(craft.trivy())
    done = workbench("vulnerabilities", site, "--import", weekly, image, "--host", "cart-1")
    assert "trivy, 2 findings on 1 host" in done.err
    assert "libssl1.1" in done.out
    gone = workbench("vulnerabilities", site, "--forget", "cart.json")
    assert "cart.json: 2 findings forgotten" in gone.err
    assert "libssl" not in gone.out
    assert "sources: weekly.nessus" in workbench("vulnerabilities", site, "--forget", "x").error
    assert "name one (--import)" in workbench("vulnerabilities", site, "--host", "cart-1").error
    weekly.write_text(craft.nessus())
    assert "no scanner results" in workbench("vulnerabilities", site, "--import", weekly).err


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("bomb.xml", '<!DOCTYPE x [<!ENTITY a "b">]><report>&a;</report>', "bomb.xml:1: carries"),
        ("cut.nessus", craft.nessus_site()[:900], "cut.nessus:"),
        ("page.xml", "<html/>", "page.xml:1: XML that begins with <html>"),
        ("a.csv", "Plugin ID,CVE", "a.csv: neither XML nor JSON"),
        ("a.json", '{"Results": 3}', "a.json: JSON of an unknown kind"),
        ("deep.json", "[" * 200_000, "deep.json: not JSON that can be read: nested too deep"),
        ("absent.nessus", None, "absent.nessus: cannot read"),
        ("evil\x1b[31m.xml", "<html/>", "evil·[31m.xml:1"),
    ],
    ids=lambda value: value[:9] if value else "",  # the whole would not fit the environment
)
def test_every_bad_report_is_one_line_and_changes_nothing(
    workbench: Run, site: Path, tmp_path: Path, name: str, text: str | None, told: str
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    done = workbench("vulnerabilities", site, "--import", path)
    assert done.status == 2
    assert told in done.error
    assert not (site / "vulnerabilities.json").exists()


def test_pipes_are_not_waited_for(workbench: Run, site: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert (
        "not a regular file"
        in workbench("vulnerabilities", site, "--import", tmp_path / "pipe").error
    )
