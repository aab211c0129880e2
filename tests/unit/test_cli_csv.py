"""`--format csv`: what JSON has, under the same names; the head also where there are no rows."""

import json
import shutil
from pathlib import Path

import craft_scans as craft
import pytest

from tests.conftest import DEMO
from workbench.cli import main

Capsys = pytest.CaptureFixture[str]
BROKEN = "\n  - {id: no-web, never: {from: [any], to: [any], services: [tcp/443]}}\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo site with a broken guardrail and a scanner's report."""
    folder = tmp_path_factory.mktemp("csv")
    shutil.copy(DEMO / "inventory.yaml", folder)
    policy = (DEMO / "policy.yaml").read_text()
    (folder / "policy.yaml").write_text(policy.replace("guardrails:", f"guardrails:{BROKEN}"))
    scan = folder / "weekly.nessus"
    scan.write_text(craft.nessus(craft.nessus_host("web-1", craft.nessus_item(443, severity=2))))
    assert main(["ingest", str(folder), str(DEMO / "office.pcapng"), "--quiet"]) == 0
    assert main(["vulnerabilities", str(folder), "--import", str(scan)]) == 0
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without traffic, hosts, segments and rules."""
    folder = tmp_path_factory.mktemp("bare")
    (folder / "policy.yaml").write_text("workbench: 1\nname: bare\n")
    return folder


def told(capsys: Capsys, line: str, folder: Path, form: str) -> str:
    command, *words = line.split()
    capsys.readouterr()
    assert main([command, str(folder), *words, "--format", form]) < 2
    return capsys.readouterr().out


EMPTY = ["captures", "captures --dataset", "hosts", "flows", "conversations", "matrix", "simulate",
         "check", "suggest", "findings", "vulnerabilities", "vulnerabilities --by host",
         "exposure --by host", "exposure --by segment", "exposure --by pair",
         "exposure --chokes"]  # fmt: skip


@pytest.mark.parametrize("line", EMPTY)
def test_the_head_stands_without_rows(demo: Path, bare: Path, capsys: Capsys, line: str) -> None:
    head, *rows = told(capsys, line, demo, "csv").splitlines()
    assert rows and told(capsys, line, bare, "csv") == f"{head}\n"


EVERY = [
    *(line for line in EMPTY if line != "captures --dataset"),
    "dissect 1", "simulate --limit 3", "exposure --by service", "exposure --from pc-01",
    "exposure --to db-1", "explain pc-01 web-1 tcp/443", "diff", "findings --evidence",
    "replay", "respond --quarantine",
]  # fmt: skip
FLAT = {"gates": "because"}


@pytest.mark.parametrize("line", EVERY)
def test_the_head_names_what_json_has(
    demo: Path, capsys: Capsys, tmp_path: Path, line: str
) -> None:
    if line == "diff":
        (tmp_path / "other.yaml").write_text("workbench: 1\nname: bare\n")
        line = f"diff {tmp_path / 'other.yaml'}"
    if line in ("findings --evidence", "respond --quarantine"):
        finding = json.loads(told(capsys, "findings", demo, "json"))[-1]["id"]
        line = f"{line} {finding}"
    found = json.loads(told(capsys, line, demo, "json"))
    for part in ("conversations", "steps", "breaks"):
        found = found[part] if isinstance(found, dict) and part in found else found
    record = found[0] if isinstance(found, list) else found
    head = told(capsys, line, demo, "csv").splitlines()[0].split(",")
    assert sorted(head) == sorted(FLAT.get(key, key) for key in record)


def test_an_export_that_is_proven(demo: Path, capsys: Capsys, tmp_path: Path) -> None:
    words = ["--target", "nftables", "--out", str(tmp_path / "out"), "--only", "files"]
    assert main(["export", str(demo), *words]) == 0
    found = told(capsys, f"verify {tmp_path / 'out'} --no-kernel", demo, "csv")
    assert found == "conversation,expected,found,probe\n"
