"""`workbench report` through the real command line: the figures of the other commands, and a page
that a real browser shows, prints and does not complain about."""

import csv
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from browser import Page, chromium
from commandline import ROOT, Run

HOSTILE = "<script>alert('x')</script>שלום"
A4_PX = (688, 994)
"""What A4 leaves between the margins of the page, at 96 dots an inch."""


@pytest.fixture(scope="module")
def signed(workbench: Run, loaded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo site with crown jewels, an export, a suppressed finding, and a hostile reason."""
    folder = tmp_path_factory.mktemp("signed") / "site"
    folder.mkdir()
    for path in loaded.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    assert workbench("label", folder, "db-1", "plc-1", "--set", "crown=yes").status == 0
    policy = folder / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(
        text.replace(
            "{id: web-to-app,", f'{{id: web-to-app, reason: "{HOSTILE}", expires: 2026-12-24,'
        ),
        encoding="utf-8",
    )
    target = ("--target", "nftables", "--out", folder / "exports" / "nftables")
    assert workbench("export", folder, *target).status == 0
    found = workbench("findings", folder, "--format", "json").json
    low = next(one["id"] for one in found if one["confidence"] == "low")
    known = ("--suppress", low, "--reason", "<b>known</b>", "--until", "2027-01-01")
    assert workbench("findings", folder, *known).status == 0
    return folder


@pytest.fixture(scope="module")
def tables(workbench: Run, signed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tables") / "report"
    done = workbench("report", signed, "--out", out, "--format", "csv", "--on", "2026-12-01")
    assert done.status == 0 and len(done.out.splitlines()) == len(list(out.iterdir()))
    return out


@pytest.fixture(scope="module")
def page(workbench: Run, signed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("page") / "report.html"
    assert workbench("report", signed, "--out", out, "--on", "2026-12-01").status == 0
    return out


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    with (folder / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ── the figures ────────────────────────────────────────────────────────────────────────────────


def test_the_figures_are_those_of_the_other_commands(
    workbench: Run, signed: Path, tables: Path
) -> None:
    def asked(*words: str) -> Any:
        return workbench(words[0], signed, *words[1:], "--format", "json").json

    simulated = asked("simulate")
    blocked = sum(int(row["clients"]) for row in rows(tables, "would-block-list"))
    assert blocked == simulated["totals"]["classes"]["would-block"] > 0
    assert len(rows(tables, "uncertain-list")) == simulated["totals"]["classes"]["uncertain"]
    for row, rule in zip(rows(tables, "rules-list"), simulated["rules"], strict=True):
        assert (row["id"], int(row["hits"]), int(row["sole_hits"])) == (
            rule["id"], rule["hits"], rule["sole_hits"])  # fmt: skip
        assert row["last_seen"] == (rule["last_seen"] or "")
    exposed = asked("exposure")
    for row, scenario in zip(rows(tables, "scenarios"), exposed["scenarios"], strict=True):
        assert row["scenario"] == scenario["scenario"]
        assert float(row["score"]) == scenario["score"]
        assert int(row["direct_pairs"]) == scenario["direct_pairs"]
        assert int(row["outside_direct"]) == scenario["outside_direct"]
    chokes = asked("exposure", "--chokes")
    assert [int(row["cut"]) for row in rows(tables, "choke-points")] == [
        one["cut"] for one in chokes
    ]
    found = asked("findings")
    listed = {
        row["id"]: row for name in ("findings-list", "suppressed") for row in rows(tables, name)
    }
    assert len(listed) == len(found)
    for one in found:
        row = listed[one["id"]]
        assert (row["technique"], row["confidence"]) == (one["technique"], one["confidence"])
        assert (row["first_seen"], row["why"]) == (one["first_seen"], one["why"])
    suspect = {
        (each["client"], each["server"], each["service"])
        for one in found
        if one["confidence"] != "low" and one["suppressed"] is None
        for each in one["evidence"]
    }
    traced = sum(
        one["class"] == "would-block" and (one["client"], one["server"], one["service"]) in suspect
        for one in simulated["conversations"]
    )
    assert sum(int(row["traced"]) for row in rows(tables, "would-block-list")) == traced > 0
    cells = asked("matrix", "--by", "segment")
    assert sorted(
        (row["client"], row["server"], row["bytes"]) for row in rows(tables, "cells")
    ) == (sorted((one["client"], one["server"], str(one["bytes"])) for one in cells))
    verified = workbench("verify", signed, signed / "exports" / "nftables", "--format", "json").json
    [proof] = rows(tables, "exports")
    assert (int(proof["judged"]), int(proof["probes"])) == (verified["judged"], verified["probes"])
    assert proof["state"] == "proven" and verified["proven"]


def test_the_page_says_what_the_tables_say(page: Path, tables: Path) -> None:
    root = ElementTree.parse(page).getroot()
    for table in ("rules-list", "would-block-list", "findings-list", "scenarios", "exports"):
        [frame] = root.findall(f".//div[@id='{table}']")
        shown = ["".join(head.itertext()) for head in frame.findall(".//tbody/tr/th")]
        kept = rows(tables, table)
        assert len(shown) == len(kept)
        if table not in ("findings-list", "scenarios"):  # a page has other words for the first
            first = next(iter(kept[0]))
            assert shown == [row[first] for row in kept]
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;שלום" in text
    assert "expires in 23 d" in text and "&lt;b&gt;known&lt;/b&gt;" in text


def test_the_intrusion_is_replayed_under_the_policy(
    workbench: Run, signed: Path, page: Path, tables: Path
) -> None:
    replayed = workbench("replay", signed, "--policy", "draft", "--format", "json").json
    hops = rows(tables, "replay-hops")
    assert len(hops) == len(replayed["hops"]) == 3
    for row, hop in zip(hops, replayed["hops"], strict=True):
        assert (row["hop"], row["first_seen"]) == (str(hop["hop"]), hop["first_seen"])
        assert (row["client"], row["because"]) == (
            f"{hop['client_name']} ({hop['client']})", hop["because"])  # fmt: skip
    steps = rows(tables, "replay-steps")
    assert len(steps) >= len(hops) and not any("scan" in row["title"].lower() for row in steps)
    text = page.read_text(encoding="utf-8")
    assert f"replayed under this policy: {replayed['text']}" in text


def test_markdown_says_it_too(workbench: Run, signed: Path, tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.md"
    done = workbench("report", signed, "--out", out, "--format", "markdown", "--on", "2026-12-01")
    assert (done.status, done.out) == (0, f"{out}\n")
    text = out.read_text(encoding="utf-8")
    table = text.split("**Rules**")[1].split("**Guardrails**")[0]
    head, *ids = re.findall(r"^\| ([a-z0-9-]+) \|", table, re.M)
    assert head == "rule" and ids == [row["id"] for row in rows(tables, "rules-list")]
    assert "\\<script\\>" in text and not re.search(r"(?<!\\)<script", text)


def test_two_reports_differ_in_one_line_only(workbench: Run, signed: Path, page: Path) -> None:
    before = page.read_text(encoding="utf-8").splitlines()
    time.sleep(1.1)  # the time is told in seconds
    out = page.with_name("again.html")
    assert workbench("report", signed, "--out", out, "--on", "2026-12-01").status == 0
    after = out.read_text(encoding="utf-8").splitlines()
    different = [one for one, other in zip(before, after, strict=True) if one != other]
    assert len(different) == 1 and "Segmentation Workbench report, made" in different[0]


def test_another_day_another_draft_and_refusals(
    workbench: Run, signed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.html"
    out.write_text("<p>mine</p>")
    assert "is there already and no report" in workbench("report", signed, "--out", out).error
    assert out.read_text() == "<p>mine</p>"
    late = workbench(
        "report", signed, "--out", out, "--replace", "--on", "2027-01-01", "--no-kernel"
    )
    assert late.status == 0 and "expired" in out.read_text(encoding="utf-8")
    draft = tmp_path / "draft.yaml"
    draft.write_text("workbench: 1\nname: empty-draft\n")
    assert workbench("report", signed, "--out", out, "--policy", draft).status == 0
    text = out.read_text(encoding="utf-8")
    assert "unsaved draft" in text and "No segment is protected" in text
    assert "is not a date" in workbench("report", signed, "--out", out, "--on", "soon").error
    assert "no such workspace" in workbench("report", tmp_path / "none", "--out", out).error
    few = tmp_path / "few.html"
    assert workbench("report", signed, "--out", few, "--limit", "2", "--no-kernel").status == 0
    assert re.search(r"… and \d+ more, \d+ in all\.", few.read_text(encoding="utf-8"))


def test_ctrl_c_leaves_no_report(signed: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    command = [sys.executable, "-m", "workbench", "report", str(signed), "--out", str(out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    if process.returncode:  # else it was done before
        assert process.returncode in (130, -signal.SIGINT) and not out.exists(), errors


# ── a real browser ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    program = chromium()
    if program is None:
        pytest.skip("chromium is not installed: the report is not shown in a browser")
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        Page(program, Path(profile)) as opened,
    ):
        yield opened


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_and_asks_for_nothing(
    browser: Page, page: Path, width: int, scheme: str
) -> None:
    browser.media(prefers_color_scheme=scheme)
    browser.open(page.as_uri(), width)
    assert browser.requests() == [page.as_uri()]
    assert browser.complaints() == []
    assert browser.ask("document.scripts.length") == 0
    assert browser.ask(OVERFLOW) == 0
    assert browser.ask("document.title") == "Segmentation policy kestrel-pumps"
    paper = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(18, 23, 30)")
    outside = (
        "[...document.querySelectorAll('body *')].filter(one => !one.closest('.wide') && "
        "one.getBoundingClientRect().right > innerWidth + 0.5).length"
    )
    assert browser.ask(outside) == 0
    assert "alert('x')" in browser.ask("document.getElementById('rules-list').textContent")


def test_every_link_of_the_contents_leads_somewhere(browser: Page, page: Path) -> None:
    browser.open(page.as_uri())
    lost = (
        "[...document.querySelectorAll('a')].filter(one => "
        "!document.getElementById(one.hash.slice(1))).length"
    )
    assert browser.ask("document.querySelectorAll('nav a').length") > 20
    assert browser.ask(lost) == 0


def contrast(one: str, other: str) -> float:
    """WCAG 2.2 contrast ratio of two `rgb(…)` colours."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_words_can_be_read(browser: Page, page: Path, scheme: str) -> None:
    browser.media(prefers_color_scheme=scheme)
    browser.open(page.as_uri())
    colours = browser.ask(
        "[...new Set([...document.querySelectorAll('body *')].map(one => {"
        "  let under = one;"
        "  while (under && getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)')"
        "    under = under.parentElement;"
        "  return getComputedStyle(one).color + '|' + "
        "    getComputedStyle(under || document.body).backgroundColor; }))]"
    )
    assert colours
    pale = [pair for pair in colours if contrast(*pair.split("|")) < 4.5]
    assert pale == []


def test_it_prints_on_a4_with_the_summary_on_the_first_page(browser: Page, page: Path) -> None:
    browser.media("print")
    browser.open(page.as_uri(), *A4_PX)
    assert browser.ask(OVERFLOW) == 0
    assert (
        browser.ask("document.getElementById('summary').getBoundingClientRect().bottom") < A4_PX[1]
    )
    wide = "[...document.querySelectorAll('table')].filter(one => one.offsetWidth > innerWidth + 1)"
    assert browser.ask(f"{wide}.length") == 0
    printed = browser.pdf()
    assert printed.startswith(b"%PDF-") and len(printed) > 20_000
    pages = int(max(re.findall(rb"/Count (\d+)", printed), key=int))
    assert 5 <= pages <= 40


def test_hostile_names_stay_on_the_page(
    workbench: Run, browser: Page, site: Path, tmp_path: Path
) -> None:
    """Names of 255 characters without a space, in both directions of writing."""
    long = "x" * 240
    assert workbench("name", site, "10.1.0.17", long).status == 0
    policy = site / "policy.yaml"
    text = policy.read_text(encoding="utf-8")
    policy.write_text(text.replace("{id: web-to-app,", f"{{id: web-to-app, reason: {long * 2},"))
    out = tmp_path / "report.html"
    assert workbench("report", site, "--out", out, "--no-kernel").status == 0
    assert long[:60] in out.read_text(encoding="utf-8")
    for kind, width in (("screen", 390), ("screen", 1280), ("print", A4_PX[0])):
        browser.media(kind)
        browser.open(out.as_uri(), width)
        assert browser.ask(OVERFLOW) == 0, (kind, width)
        assert browser.complaints() == []


def test_the_browser_would_have_complained(browser: Page, tmp_path: Path) -> None:
    """A page with a script, a picture from elsewhere and a style of its own is told of."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<!DOCTYPE html><html><head><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'\"/></head><body style='color:red'>"
        "<script>alert(1)</script><img src='https://evil.example/x.png'/></body></html>"
    )
    browser.open(bad.as_uri())
    assert len(browser.complaints()) >= 3
    loose = tmp_path / "loose.html"
    loose.write_text(
        "<!DOCTYPE html><html><body><img src='https://evil.example/x.png'></body></html>"
    )
    browser.open(loose.as_uri())
    assert "https://evil.example/x.png" in browser.requests()
    assert os.path.exists(loose)
