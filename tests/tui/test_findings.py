"""The Findings screen on the demo site: triage, story, evidence, suppression, baseline."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Static

from tests.tui.driver import press, settle, shown, until, write
from workbench.model.errors import Cancelled
from workbench.model.finding import Finding
from workbench.session.findings import Findings
from workbench.tui.app import WorkbenchApp
from workbench.tui.screens.baseline import BaselineForm
from workbench.tui.screens.explain import ExplainScreen
from workbench.tui.screens.findingbase import FindingBase
from workbench.tui.screens.findingflows import FindingFlowsScreen
from workbench.tui.screens.packets import PacketsScreen
from workbench.tui.screens.story import StoryScreen
from workbench.tui.screens.suppressing import LiftScreen, SuppressForm
from workbench.tui.screens.thresholds import ThresholdForm, ThresholdsScreen
from workbench.tui.widgets.pagedtable import PagedTable, Row


def table(bench: WorkbenchApp) -> PagedTable:
    return bench.screen.query_one(PagedTable)


def rows(bench: WorkbenchApp) -> list[Row]:
    found = (table(bench).row(at) for at in range(table(bench).total))
    return [row for row in found if row is not None]


def words(row: Row, at: int) -> str:
    cell = row.cells[at]
    return cell if isinstance(cell, str) else cell[0]


def under_cursor(bench: WorkbenchApp) -> Finding:
    assert isinstance(bench.screen, FindingBase)
    one = bench.screen.finding()
    assert one is not None
    return one


def every(bench: WorkbenchApp) -> int:
    """How many findings there are."""
    assert bench.session is not None
    return len(bench.session.findings.find())


def go_to(bench: WorkbenchApp, wanted: Callable[[Finding], object]) -> None:
    """The cursor on the first finding like this."""
    for at in range(table(bench).total):
        table(bench).cursor = at
        assert isinstance(bench.screen, FindingBase)
        one = bench.screen.finding()
        if one is not None and wanted(one):
            return
    raise AssertionError("there is none")


def title(bench: WorkbenchApp) -> str:
    return str(bench.screen.query_one("#list-title", Static).content)


async def test_the_worst_stands_first_with_its_reasons(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        weights = [(words(row, 0), words(row, 1)) for row in rows(bench)]
        assert weights[0] == ("█ high", "█ high")
        assert weights[-1] == ("▂ low", "█ high")
        text, one = shown(bench), under_cursor(bench)
        assert f"Why  {one.why[:20]}" in text and one.technique in text
        assert "pc-07 (10.1.0.17)" in text and "1 conversation" in text
        go_to(bench, lambda one: one.unseen)
        await settle(pilot)
        assert "Flows cannot show" in shown(bench)


async def test_other_orders_and_kinds(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        everything = table(bench).total
        await press(pilot, "s")
        techniques = [words(row, 3) for row in rows(bench)]
        assert techniques == sorted(techniques) and "by technique" in title(bench)
        await press(pilot, "s")
        hosts = [words(row, 4) for row in rows(bench)]
        assert hosts == sorted(hosts) and "by host" in title(bench)
        await press(pilot, "s")
        times = [words(row, 6) for row in rows(bench)]
        assert times == sorted(times) and "earliest first" in title(bench)
        await press(pilot, "R")
        assert [words(row, 6) for row in rows(bench)] == sorted(times, reverse=True)
        await press(pilot, "g")
        assert {words(row, 3) for row in rows(bench)} == {"T1018", "T1046"}
        assert f"2 findings of {everything}" in title(bench)
        assert "reconnaissance only" in title(bench)
        await press(pilot, "g")
        assert table(bench).total == 0 and "None of this kind" in shown(bench)
        await press(pilot, "g", "g", "g", "l", "l")
        assert {words(row, 0) for row in rows(bench)} == {"█ high"}


async def test_the_filter_line_narrows_the_list(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "slash")
        await write(pilot, "server:db-1 service:tcp/22")
        await press(pilot, "enter")
        titles = {words(row, 2) for row in rows(bench)}
        assert "First use of SSH on db-1" in titles and "Ping sweep of 31 hosts" not in titles
        assert f"findings of {every(bench)}" in title(bench)
        await press(pilot, "slash", "ctrl+u")
        await write(pilot, "after:2030-01-01")
        await press(pilot, "enter")
        assert f"No finding fits the filter, of {every(bench)}" in shown(bench)


async def test_from_a_finding_down_to_its_packets(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        one = under_cursor(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, FindingFlowsScreen)
        assert f"{one.technique} › {one.title} › 1 flow" in shown(bench)
        await press(pilot, "w")
        assert "finding-" in shown(bench)
        await press(pilot, "escape", "enter")
        assert isinstance(bench.screen, PacketsScreen)
        await press(pilot, "escape", "escape", "e")
        assert isinstance(bench.screen, ExplainScreen)
        assert "pc-07 (10.1.0.17) → pc-03 (10.1.0.13) tcp/445" in shown(bench)


async def test_the_story_of_a_host_and_of_the_next_one(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "t")
        assert isinstance(bench.screen, StoryScreen)
        text = shown(bench)
        assert bench.session is not None
        findings = bench.session.findings
        count = len(findings.story(under_cursor(bench).host, findings.find()))
        assert f"of pc-07 (10.1.0.17) › {count} findings   did {count}, had 0 done" in text
        assert "│16:00" in text and "●━" in text, "a time axis, and bars along it"
        assert "35 min 19 s later" in text and "recorded" in text
        told = [words(row, 5) for row in rows(bench)]
        in_order = ["Ping sweep", "Port scan", "Logins in a", "291 kB sent"]
        places = [next(at for at, one in enumerate(told) if begin in one) for begin in in_order]
        assert places == sorted(places)
        first = table(bench).row(0)
        assert first is not None and first.key == "recorded"
        assert under_cursor(bench).kind == "beacon", "the cursor begins on a finding"
        table(bench).cursor = next(
            at for at, row in enumerate(rows(bench)) if words(row, 3) == "app-2"
        )
        await settle(pilot)
        await press(pilot, "t")
        assert "Story of app-2" in shown(bench) and "←" in shown(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, FindingFlowsScreen)
        await press(pilot, "escape", "escape", "escape")
        assert title(bench).startswith(f" {every(bench)} findings"), "back on the list"


async def test_a_long_name_is_cut_and_not_lost(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        assert bench.session is not None
        go_to(bench, lambda one: True)
        host = under_cursor(bench).host
        bench.session.draft.rename_host(host, "an-unbroken-name-of-" + "very-" * 12 + "long")
        await press(pilot, "t")
        assert "Story of an-unbroken-name-of-very-" in shown(bench)


async def test_suppressed_is_said_counted_and_lifted(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "down")
        name = under_cursor(bench).id
        await press(pilot, "x")
        assert isinstance(bench.screen, SuppressForm)
        await press(pilot, "enter")
        assert "the reason is missing" in shown(bench)
        await write(pilot, "the auditors")
        await press(pilot, "tab")
        await write(pilot, "2026-11-23")
        assert "2026-11-23 is over" in shown(bench), "it is 2026-11-24"
        await press(pilot, "enter")
        assert isinstance(bench.screen, SuppressForm) and not (site / "findings.yaml").exists()
        await press(pilot, "backspace")
        await write(pilot, "x")
        assert "is not a date" in shown(bench)
        await press(pilot, "backspace")
        await write(pilot, "4")
        assert "until 2026-11-24" in shown(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, FindingBase)
        assert f"id: {name}" in (site / "findings.yaml").read_text()
        assert f"{every(bench)} findings" in title(bench) and "– 1 suppressed" in title(bench)
        assert table(bench).cursor == 1 and under_cursor(bench).id != name, "on with the next"
        assert "suppressed: " in words(rows(bench)[-1], 2)
        await press(pilot, "G")
        assert "auditors" in shown(bench) and under_cursor(bench).id == name
        await press(pilot, "z")
        assert "suppressed: " in words(rows(bench)[1], 2), "where it belongs"
        assert under_cursor(bench).id == name, "the cursor stays on it"
        await press(pilot, "x")
        assert isinstance(bench.screen, LiftScreen)
        assert "the auditors" in shown(bench)
        await press(pilot, "enter")
        assert "suppressed" not in title(bench)
        assert name not in (site / "findings.yaml").read_text()


async def test_a_baseline_tells_what_is_new_and_what_vanished(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "b")
        assert isinstance(bench.screen, BaselineForm)
        await write(pilot, "2030-01-01")
        assert "nothing was recorded after it" in shown(bench)
        await press(pilot, "escape", "b")
        await write(pilot, "2026-09-15T12:30")
        assert "new peers, new services and what vanished" in shown(bench)
        await press(pilot, "enter")
        assert "baseline before 09-15 12:30 UTC" in shown(bench)
        kinds = [words(row, 2) for row in rows(bench)]
        await press(pilot, "n")
        assert "new only" in title(bench) and 0 < table(bench).total < len(kinds)
        await press(pilot, "n")
        assert "vanished only" in title(bench) and table(bench).total > 0
        assert under_cursor(bench).kind == "vanished"
        await press(pilot, "b", "ctrl+u", "tab")
        await write(pilot, "monday*")
        await press(pilot, "enter")
        assert "no capture is called 'monday*'" in shown(bench)
        await press(pilot, "ctrl+u", "enter")
        assert "baseline none" in shown(bench) and title(bench).startswith(
            f" {every(bench)} findings"
        )


async def test_thresholds_are_seen_and_changed(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "T")
        assert isinstance(bench.screen, ThresholdsScreen)
        await press(pilot, "enter")
        assert isinstance(bench.screen, ThresholdForm)
        await press(pilot, "ctrl+u")
        await write(pilot, "many")
        assert "is not a whole number" in shown(bench)
        await press(pilot, "ctrl+u")
        await write(pilot, "400")
        await press(pilot, "enter")
        assert isinstance(bench.screen, ThresholdsScreen)
        assert "scan_targets: 400" in (site / "findings.yaml").read_text()
        assert "400" in shown(bench)
        await press(pilot, "escape")
        assert "thresholds (T) scan_targets 400" in shown(bench)
        assert not any("Port scan" in words(row, 2) for row in rows(bench))


async def test_a_broken_findings_file_is_one_clear_line(bench: WorkbenchApp, site: Path) -> None:
    (site / "findings.yaml").write_text("workbench: 1\nthresholds: {scan_targets: many}\n")
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        said = table(bench).empty
        assert "findings.yaml:2: thresholds.scan_targets: 'many' is not a whole number" in said
        assert "'many'" in shown(bench) and "looks again" in shown(bench)
        for key in ("r", "x", "p", "t"):  # each says why it can do nothing
            bench.clear_notifications()
            await press(pilot, key)
            [notice] = bench._notifications
            assert notice.message == said and "findings.yaml:2:" in said
            assert said.endswith("mend it, then f5 looks again")
        await press(pilot, "t", "x", "r", "p", "enter", "e", "escape", "T", "escape", "g", "s", "z")
        assert table(bench).empty == said
        assert isinstance(bench.screen, FindingBase)
        (site / "findings.yaml").write_text("workbench: 1\n")
        await press(pilot, "f5")
        assert title(bench).startswith(f" 2 findings of {every(bench)}"), "g was not lost"


async def test_escape_stops_a_long_search(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, find = threading.Event(), Findings.find

    def slow(self: Findings, **wishes: Any) -> tuple[Finding, ...]:
        started.set()
        while not wishes["cancelled"]():
            threading.Event().wait(0.01)
        raise Cancelled

    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(Findings, "find", slow)
        bench.simulate_key("7")
        await until(pilot, started)
        await press(pilot, "escape")
        assert "Stopped before the end. f5 looks again." in shown(bench)
        monkeypatch.setattr(Findings, "find", find)
        await press(pilot, "f5")
        assert title(bench).startswith(f" {every(bench)} findings")


async def test_nothing_to_look_through(empty_bench: WorkbenchApp) -> None:
    async with empty_bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        assert "No traffic yet: 1 loads captures" in shown(empty_bench)


async def test_an_intruder_is_not_allowed_by_one_key(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "a")
        assert isinstance(bench.screen, FindingBase)
        assert under_cursor(bench).why[:20] in shown(bench), "told below where no panel is"
        go_to(bench, lambda one: one.unseen)
        await press(pilot, "d")
        assert "Flows cannot show" in shown(bench)
