"""The Exposure screen, the figure in the header, and the matrix coloured by exposure."""

import threading
from pathlib import Path

import craft_scans as craft
import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from tests.tui.driver import press, settle, shown, until, write
from workbench.model.errors import Cancelled
from workbench.model.exposure import Scenario
from workbench.session import Session
from workbench.tui.app import WorkbenchApp
from workbench.tui.exposed.sheet import Look, Sheet
from workbench.tui.screens import exposure
from workbench.tui.screens.conversations import ConversationsScreen
from workbench.tui.screens.explain import ExplainScreen
from workbench.tui.screens.exposure import PAGES, ExposureScreen
from workbench.tui.screens.place import PlaceScreen
from workbench.tui.screens.ruleform import RuleForm
from workbench.tui.screens.segmentform import SegmentForm
from workbench.tui.weighing import Weight
from workbench.tui.widgets.compared import Compared, bar, compared_lines
from workbench.tui.widgets.faces import open_face
from workbench.tui.widgets.facts import exposure_facts, figure
from workbench.tui.widgets.matrix import MatrixView
from workbench.tui.widgets.pagedtable import PagedTable
from workbench.tui.widgets.tabs import PageLine

SIZES = [(80, 24), (120, 40), (200, 60)]


def header(bench: WorkbenchApp) -> str:
    return shown(bench).splitlines()[0]


async def to_page(pilot: Pilot[None], bench: WorkbenchApp, name: str) -> ExposureScreen:
    """The Exposure screen at one of its pages."""
    await press(pilot, "8")
    screen = bench.screen
    assert isinstance(screen, ExposureScreen)
    while screen._page != name:
        await press(pilot, "right_square_bracket")
    return screen


async def test_the_header_follows_every_edit(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert bench.weight == Weight(bench.weight.draft, bench.weight.draft)  # type: ignore[union-attr]
        before = header(bench)
        assert f"exposure {figure(bench.weight.draft)}" in before  # type: ignore[union-attr]
        for digit in "123456789":
            await press(pilot, digit)
            assert "exp" in header(bench)
        bench.edit(lambda session: session.draft.remove_rule("jump-anywhere"))
        await settle(pilot)
        assert bench.weight is not None and bench.weight.draft < bench.weight.saved
        by = figure(round(bench.weight.saved - bench.weight.draft, 1))
        assert f"▼{by}" in header(bench)
        await press(pilot, "u")
        assert header(bench).split("exposure")[1] == before.split("exposure")[1]


async def test_an_answer_that_comes_late_is_dropped(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        right = bench.weight
        bench.post_message(bench.Weighed(threading.Event(), Weight(1.0, 2.0), 9.9))
        await settle(pilot)
        assert bench.weight == right


def test_the_figure_says_when_it_is_being_worked_out() -> None:
    def told(weight: Weight) -> str:
        [fact] = exposure_facts(weight)
        return "".join(text for text, _ in fact.full)

    assert told(Weight(52.61, 52.6)) == "   exposure 52.6"
    assert told(Weight(48.1, 52.6)) == "   exposure 48.1 ▼4.5"
    assert told(Weight(100.0, 52.6)) == "   exposure 100 ▲47.4"
    assert told(Weight(48.1, 52.6, stale=True)) == "   exposure 48.1 …"
    assert exposure_facts(None) == []


async def test_no_traffic_has_no_figure_and_says_what_to_do(empty_bench: WorkbenchApp) -> None:
    async with empty_bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert empty_bench.weight is None
        await press(pilot, "8")
        assert "1 loads a capture" in shown(empty_bench)
        for _ in PAGES:
            await press(pilot, "right_square_bracket")
            assert "Working it out" not in shown(empty_bench)


@pytest.mark.parametrize("size", SIZES)
async def test_every_page_fits(bench: WorkbenchApp, size: tuple[int, int]) -> None:
    async with bench.run_test(size=size) as pilot:
        await settle(pilot)
        await press(pilot, "8", "f")
        await write(pilot, "pc-07")
        await press(pilot, "enter", "t")
        edge = Region(0, 0, *size)
        assert not isinstance(bench.screen, PlaceScreen)  # no target on the first page
        for name, (title, _) in PAGES.items():
            screen = await to_page(pilot, bench, name)
            assert title in shown(bench).splitlines()[3]
            for widget in screen.query("#body PagedTable, #body Head, #exposure-panel"):
                assert not widget.display or edge.contains_region(widget.region), (name, widget)
            await press(pilot, "d", "d")


async def test_rings_lead_to_paths_and_paths_can_be_closed(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "8")
        assert "outside reaches" in shown(bench)
        await press(pilot, "f")
        await write(pilot, "pc-0")
        assert "pc-07" in shown(bench)  # completion
        await press(pilot, "escape")
        await write(pilot, "7")
        await press(pilot, "enter")
        assert "pc-07 reaches" in shown(bench)
        screen = await to_page(pilot, bench, "paths")
        assert "No target yet" in shown(bench)
        await press(pilot, "t")
        await write(pilot, "db-1")
        await press(pilot, "enter")
        text = shown(bench)
        assert "pc-07 → jump-1 (any) → db-1 (rdp, winrm, ssh)" in text
        assert "no way without (1 pair)" in text and "protect jump" in text
        table = screen.query_one(PagedTable)
        table.cursor = 2
        await press(pilot, "e")
        assert isinstance(bench.screen, ExplainScreen) and "jump-anywhere" in shown(bench)
        await press(pilot, "escape", "enter")
        assert isinstance(bench.screen, RuleForm)
        await press(pilot, "escape", "c")
        assert isinstance(bench.screen, ConversationsScreen)
        await press(pilot, "escape", "x")
        assert bench.session is not None
        assert bench.session.policy.rule("jump-anywhere") is None
        assert "✓ no way" in shown(bench) and "▼" in header(bench)
        await press(pilot, "u")
        assert bench.session.policy.rule("jump-anywhere") is not None
        table.cursor = 0
        await press(pilot, "x")
        assert "jump" in {one.segment for one in bench.session.policy.protect}


async def test_the_policy_that_is_looked_at(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = await to_page(pilot, bench, "paths")
        await press(pilot, "t")
        await write(pilot, "db-1")
        await press(pilot, "enter", "w", "w")
        assert screen._scenario is Scenario.OBSERVED
        assert "No way from outside to db-1 under observed" in shown(bench)
        await press(pilot, "f")
        await write(pilot, "pc-07")
        await press(pilot, "enter", "down")
        assert "ssh on db-1 was seen" in shown(bench)
        await press(pilot, "x")  # a recording cannot be changed
        assert bench.session is not None and not bench.session.draft.changed
        assert "w shows it" in bench.last_error
        await press(pilot, "enter")
        assert isinstance(bench.screen, ConversationsScreen)


async def test_a_word_that_names_no_place_is_told_at_once(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        screen = await to_page(pilot, bench, "paths")
        await press(pilot, "t")
        await write(pilot, "crown")
        await press(pilot, "enter")
        assert isinstance(bench.screen, PlaceScreen) and "no machine has the label" in shown(bench)
        await press(pilot, "escape")
        assert screen._target == ""


async def test_crown_jewels_by_one_key(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen = await to_page(pilot, bench, "places")
        await press(pilot, "m")
        assert "office is no machine: b lists hosts" in bench.last_error
        await press(pilot, "b")
        table = screen.query_one(PagedTable)
        row = next(at for at in range(table.total) if table.row(at).key == "db-1")  # type: ignore[union-attr]
        table.cursor = row
        await press(pilot, "m")
        assert bench.session is not None
        assert bench.session.exposure.crowns() == ("db-1",) and "● db-1" in shown(bench)
        await to_page(pilot, bench, "paths")
        assert "to crown" in shown(bench) and "jump-1" in shown(bench)
        await press(pilot, "u")
        assert bench.session.exposure.crowns() == ()


async def test_guardrails_in_one_key(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await to_page(pilot, bench, "services")
        assert "✗ red" in shown(bench) and "g adds smb-never-elsewhere" in shown(bench)
        await press(pilot, "g")
        assert bench.session is not None
        ids = {one.id for one in bench.session.policy.guardrails}
        assert {"smb-never-elsewhere", "smb-only-from-its-clients"} <= ids
        assert "! 1 broken" in shown(bench)
        assert bench.last_edit is not None and "not kept yet" in bench.last_edit[0]
        await press(pilot, "g")
        assert "guarded already" in bench.last_error
        await press(pilot, "u")
        assert ids - {one.id for one in bench.session.policy.guardrails} >= {"smb-never-elsewhere"}
        await press(pilot, "enter")
        assert isinstance(bench.screen, ConversationsScreen) and "SMB" in shown(bench)


async def test_choke_points_open_what_they_are(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await to_page(pilot, bench, "chokes")
        assert "protect jump" in shown(bench) and "41 %" in shown(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, SegmentForm)
        await press(pilot, "escape", "down", "enter")
        assert isinstance(bench.screen, RuleForm)
        await press(pilot, "escape", "o")
        assert "outside → everybody" in shown(bench)


async def test_places_sort_and_become_footholds(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        screen = await to_page(pilot, bench, "places")
        table = screen.query_one(PagedTable)
        assert table.row(0).key == "office"  # type: ignore[union-attr]
        await press(pilot, "s", "R")
        assert table.row(0).key == "test"  # type: ignore[union-attr]
        await press(pilot, "enter")
        assert "test reaches" in shown(bench)


async def test_vulnerabilities_ranked(site: Path, bench: WorkbenchApp, tmp_path: Path) -> None:
    items = [craft.nessus_item(port, plugin=port, name=f"hole {port}", inside=craft.CVSS3)
             for port in (22, 5432)]  # fmt: skip
    report = tmp_path / "weekly.nessus"
    report.write_text(craft.nessus(craft.nessus_host("db-1", "".join(items))))
    with Session.open(site) as session:
        session.vulnerabilities.import_reports([report])
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await to_page(pilot, bench, "weak")
        text = shown(bench)
        assert "hole 22" in text and "risk no policy" in text and "used by" in text
        await press(pilot, "b")
        assert "risk added up by host" in shown(bench) and "2 findings, worst" in shown(bench)
        await press(pilot, "b", "s")
        assert "prod-db" in shown(bench)
        await press(pilot, "b", "b")
        await press(pilot, "enter")
        assert isinstance(bench.screen, ConversationsScreen)


async def test_the_filter_narrows_lists_of_hosts(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "8", "slash")
        await write(pilot, "host:prod-app")
        await press(pilot, "enter")
        table = bench.screen.query_one(PagedTable)
        assert {table.row(at).key for at in range(table.total)} == {"app-1", "app-2"}  # type: ignore[union-attr]
        assert "of 41" in shown(bench)  # figures stay those of the site


async def test_pages_by_mouse(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "8")
        at = shown(bench).splitlines()[3].index("risky services")
        await pilot.click(PageLine, offset=(at + 2, 0))
        await settle(pilot)
        assert isinstance(bench.screen, ExposureScreen) and bench.screen._page == "services"


async def test_escape_stops_what_takes_long(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def endless(_: Session, look: Look) -> Sheet:
        begun.set()
        while not look.cancelled():
            threading.Event().wait(0.001)
        raise Cancelled

    monkeypatch.setattr(exposure, "PAGES", {**PAGES, "reach": ("reach", endless)})
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        bench.simulate_key("8")
        await until(pilot, begun)
        screen = bench.screen
        assert isinstance(screen, ExposureScreen)
        assert screen.busy
        bench.simulate_key("escape")
        await settle(pilot)
        assert not screen.busy and "Stopped" in shown(bench)
        await press(pilot, "right_square_bracket", "right_square_bracket")
        assert "choke points" in shown(bench)


async def test_the_matrix_by_exposure(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "v", "v", "v")
        text = shown(bench)
        assert "show exposure" in text and "machine pairs" in text and " all " in text
        view = bench.screen.query_one(MatrixView)
        view.jump("jump", "prod-db")
        await settle(pilot)
        assert "jump → prod-db  1 of 1 machine pairs are open" in shown(bench)
        bench.edit(lambda session: session.draft.remove_rule("jump-anywhere"))
        await settle(pilot)
        assert "jump → prod-db  0 of 1 machine pairs" in shown(bench)
        assert "under the draft  ▼1" in shown(bench)
        await press(pilot, "g")
        assert "by host ─ show exposure" in shown(bench)


async def test_the_matrix_against_a_baseline(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        whole = bench.screen.query_one(MatrixView).grid
        await press(pilot, "b")
        await write(pilot, "2026-09-15T12:00")
        await press(pilot, "enter")
        view = bench.screen.query_one(MatrixView)
        new = view.grid
        assert "new only ─ by segment" in shown(bench)
        assert 0 < new.counts["flows"].sum() < whole.counts["flows"].sum()
        await press(pilot, "enter")
        assert isinstance(bench.screen, ConversationsScreen)
        assert len(bench.screen._rows) == view.cell.conversations  # type: ignore[union-attr]
        await press(pilot, "escape", "b")
        assert "vanished ─ by segment" in shown(bench)
        gone = view.grid.counts["conversations"].sum()
        assert 0 < gone < whole.counts["conversations"].sum()
        await press(pilot, "b")
        assert view.grid.counts["flows"].sum() == whole.counts["flows"].sum()


def test_faces_and_bars() -> None:
    assert open_face(0, 9) == ("·", "dim")
    assert open_face(0, 0) == ("", "dim")
    assert open_face(9, 9) == ("all", "blocked")
    assert open_face(1, 1000) == ("<1%", "uncertain")
    assert open_face(999, 1000) == ("99%", "blocked")
    assert bar(0, 4) == "    "
    assert bar(1, 4) == "████"
    assert bar(1e-9, 4) == "▏   "
    assert bar(0.5, 4) == "██  "


@pytest.mark.parametrize("width", [40, 80, 200])
def test_compared_figures_fit(width: int) -> None:
    columns = [("no policy", "blocked"), ("observed", "dim"), ("saved", ""), ("draft", "accent")]
    lines = [("1 hop", [41, 0, 23, 1]), ("of 12,345", [12345, 0, 41, 3])]
    for line in compared_lines(Compared("pc-07 reaches", columns, lines, 12345), width):
        assert sum(len(text) for text, _ in line) <= max(width, 44)
