"""The Captures screen: a list however long, and what each recording lacks, read in full."""

from dataclasses import replace
from pathlib import Path

import pytest
import store_samples as samples
from textual.widgets import Static

from tests.tui.conftest import DAY
from tests.tui.driver import press, settle, shown
from workbench.analysis.quality import quality
from workbench.model.quality import Coverage, FlowShares, HostSides
from workbench.model.recording import Ending, Gap, Recording, Tunnel
from workbench.model.site import Inventory
from workbench.model.traffic import CaptureReport, ConversationTable, Outcome
from workbench.store import Store
from workbench.store.captures import insert_capture
from workbench.store.database import transaction
from workbench.tui.app import WorkbenchApp
from workbench.tui.screens.captures import capture_row
from workbench.tui.widgets.capturepanel import CapturePanel, capture_lines, content, dataset_lines
from workbench.tui.widgets.pagedtable import PagedTable

MINUTE = 60_000_000
START = 1_790_000_000_000_000
CUT = "cut short: the packet at byte 812345 has 12 of 96 bytes"


def ring(number: int) -> CaptureReport:
    """One file of a ring, every fourth one cut, every third one with the clock set back."""
    first = START + number * 10 * MINUTE
    cut, set_back = number % 4 == 0, number % 3 == 0
    made = Recording(
        captured_bytes=9000,
        gaps=(Gap(first, first + MINUTE),),
        steps_back=int(set_back),
        step_back_us=5_000_000 if set_back else 0,
        step_back_at_us=first if set_back else None,
        compared=100,
        copies=40 if number == 1 else 0,
        activity=(1, 0, 7, 3),
        bucket_us=MINUTE,
    )
    name = f"/ring/a-name-that-says-everything-about-the-place-{number:05}.pcap"
    return replace(
        samples.REPORT,
        path=name,
        fingerprint=f"ring {number}",
        packets=100 + number,
        decoded=100,
        first_us=first,
        last_us=first + 9 * MINUTE,
        problems=(CUT,) if cut else (),
        ending=Ending.CUT if cut else Ending.COMPLETE,
        drops=7 if number == 2 else None,
        tunnels=(Tunnel("VXLAN", samples.ADDRESSES[:2], 42, 9),) if number == 2 else (),
        recording=made,
    )


def fill(folder: Path, count: int) -> Path:
    """The first two with flows, the others all at once."""
    folder.mkdir()
    with Store.open(folder / "flows.duckdb") as store:
        with store.load() as job:
            for number in (1, 2):
                report = ring(number)
                job.begin(report.path, report.fingerprint)
                flow = samples.flow(outcome=Outcome.ONE_WAY)
                job.flows(number, samples.columns([flow] * 30))
                job.finish(number, replace(report, flows=30))
        with store._database.work() as cursor, transaction(cursor):
            for number in range(3, count + 1):
                insert_capture(cursor, number, ring(number))
    return folder


@pytest.fixture
def rings(tmp_path: Path) -> WorkbenchApp:
    return WorkbenchApp(fill(tmp_path / "rings", 5), on=DAY)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_everything_can_be_read_in_full(rings: WorkbenchApp, size: tuple[int, int]) -> None:
    """Scrolled from top to bottom, the panel holds every remark, word for word."""
    async with rings.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "1")
        assert rings.session is not None
        quality = rings.session.quality()
        panel = rings.screen.query_one(CapturePanel)
        table = rings.screen.query_one(PagedTable)
        pages = [*((0, one.remarks) for one in quality.captures), (1, quality.dataset.remarks)]
        for at, (page, remarks) in enumerate([*pages, (2, quality.dataset.view.remarks)]):
            table.cursor, panel.page = min(at, 4), page
            await settle(pilot)
            lines = str(panel.query_one("#capture-text", Static).content)
            text = " ".join(lines.split())
            assert remarks
            for remark in remarks:
                assert remark.text in text, remark.kind
        wide = panel.query_one("#capture-detail").size.width
        assert all(len(line) <= wide for line in lines.splitlines())


async def test_the_list_says_what_wants_care_and_can_be_sorted_by_it(rings: WorkbenchApp) -> None:
    async with rings.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "1")
        lines = shown(rings).splitlines()
        assert "001.pcap" in lines[4] and "copies" in lines[4]
        assert "005.pcap" in lines[8] and "fine" in lines[8]
        table = rings.screen.query_one(PagedTable)
        while table.sort_key != "care":
            await press(pilot, "s")
        cares = [line.partition("! ")[2][:1] for line in shown(rings).splitlines()[4:9]]
        assert cares == sorted(cares, reverse=True) and cares[-1] == ""
        await press(pilot, "end")
        assert "005.pcap" in shown(rings).splitlines()[4 + table.cursor]
        await press(pilot, "R")
        assert table.cursor == 0, "the cursor stays on its capture"


async def test_three_views_by_key_and_by_mouse(rings: WorkbenchApp) -> None:
    async with rings.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "1")
        assert "likely 40 (40 %)" in shown(rings)
        await press(pilot, "down")
        assert "the recorder lost 7 packets" in shown(rings) and "VXLAN" in shown(rings)
        await press(pilot, "v")
        assert "nothing was recorded for 1 min" in shown(rings)
        await press(pilot, "v")
        assert "leaves no trace" in shown(rings)
        await press(pilot, "v", "V")
        assert "leaves no trace" in shown(rings)
        line = shown(rings).splitlines()[3]
        await pilot.click("PageLine", offset=(line.index("all captures") - line.index("this"), 0))
        await settle(pilot)
        assert rings.screen.query_one(CapturePanel).page == 1


async def test_enter_shows_the_flows_of_a_capture(rings: WorkbenchApp) -> None:
    async with rings.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        rings.chosen = rings.session.parse("outcome:one-way capture:1")  # type: ignore[union-attr]
        await press(pilot, "1", "down", "enter")
        assert rings.current_mode == "flows"
        assert str(rings.chosen) == "outcome:one-way capture:2"
        assert "30 flows" in shown(rings)


async def test_thousands_of_captures(tmp_path: Path) -> None:
    """Rows are made as they come into view; the last one is as near as the first."""
    bench = WorkbenchApp(fill(tmp_path / "ring", 2_000), on=DAY)
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "1", "G")
        table = bench.screen.query_one(PagedTable)
        assert table.total == 2_000 and len(table._pages) < 5
        assert "000.pcap" in shown(bench) and CUT[:40] in shown(bench)


async def test_ascii_has_every_step_of_the_line(
    rings: WorkbenchApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKBENCH_ASCII", "1")
    bench = WorkbenchApp(rings.workspace_folder, on=DAY)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        for keys in (["1"], ["v"], ["v"]):
            await press(pilot, *keys)
            assert shown(bench).isascii() and "?" not in shown(bench).replace("? help", "")


def test_captures_loaded_by_an_older_workbench_have_little_to_say() -> None:
    none = samples.columns([])["protocol"].astype(bool)
    judged = quality(
        [replace(samples.REPORT, id=1)], {}, FlowShares(), ConversationTable.empty(),
        HostSides(none, none, none, none), Inventory(),
    )  # fmt: skip
    [one] = judged.captures
    assert "packets over time" not in content(capture_lines(one, 80)).plain
    assert "all captures" not in content(dataset_lines(judged, 80)).plain
    assert capture_row(0, one, Coverage()).cells[3] == ("✓ fine", "allowed")
