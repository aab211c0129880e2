"""The commands of the README and of docs/ run as they are printed there, page by page."""

import gzip
import json
import re
import shlex
import shutil
from pathlib import Path

import craft_scans
import pytest
from commandline import CAPTURE, ROOT
from craft import pcap, udp4

from workbench.cli import main

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"^(?:\S*/)?workbench (.*)$", re.M)
FENCE = re.compile(r"^```\n(.*?)^```", re.M | re.S)
NEEDS_TERMINAL = ("open", "demo")
POD = {
    "metadata": {"name": "cart-9", "namespace": "shop", "labels": {"app": "cart"}},
    "status": {"podIP": "10.42.0.99"},
}


def lines(page: Path) -> list[str]:
    text = "\n".join(FENCE.findall(page.read_text(encoding="utf-8")))
    return COMMAND.findall(text)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages speak of: captures, lists, a draft, a loaded workspace."""
    (tmp_path / "captures").mkdir()
    shutil.copy(CAPTURE, tmp_path / "captures")
    whole = CAPTURE.read_bytes()
    (tmp_path / "extra.pcapng.gz").write_bytes(gzip.compress(whole + whole, mtime=0))
    (tmp_path / "hosts.csv").write_text("name,address,role\npc-99,10.1.0.99,pc\n")
    (tmp_path / "pods.json").write_text(json.dumps({"kind": "PodList", "items": [POD]}))
    (tmp_path / "weekly.nessus").write_text(craft_scans.nessus_site())
    (tmp_path / "cart.json").write_text(craft_scans.trivy())
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    for name in ("inventory.yaml", "policy.yaml"):
        shutil.copy(ROOT / "demo_data" / name, site)
    shutil.copy(ROOT / "demo_data" / "policy.yaml", tmp_path / "draft.yaml")
    monday = tmp_path / "monday.pcap"
    monday.write_bytes(pcap([udp4("10.1.0.11", 40_000, "10.2.0.10", 53)]))
    assert main(["ingest", "site", str(CAPTURE), str(monday)]) == 0
    assert main(["export", "site", "--target", "nftables", "--out", "gateway"]) == 0
    return tmp_path


def fitted(line: str) -> list[str]:
    """The same command with the names of the demo site where the page uses others."""
    for printed, ours in [
        ("--from web --to db", "--from office --to files"),
        ("shop-web,shop-db", "shop-cart,shop-redis"),
        ("site captures/", "fresh captures/"),
        ("site 1042", "site 42"),
        ("name site 10.1.0.21 pc-07", "name site 10.1.0.21 pc-107"),
    ]:
        line = line.replace(printed, ours)
    return shlex.split(line, comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(
    page: Path, desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in lines(page):
        words = fitted(line)
        if words[0] in NEEDS_TERMINAL or "--follow" in words:  # that one goes on until Ctrl-C
            continue
        capsys.readouterr()
        status = main(words)
        out, err = capsys.readouterr()
        no_is_an_answer = words[0] in ("explain", "check", "diff", "respond", "replay")
        assert status in ((0, 1) if no_is_an_answer else (0,)), f"{line}\n{out}\n{err}"
        assert out or err, line


def test_the_pages_have_commands() -> None:
    assert sum(len(lines(page)) for page in PAGES) > 25
