"""What holds on every screen: help, footer, palette, sizes, themes, poor consoles, odd names."""

import asyncio
import importlib
import inspect
import pkgutil
import re
from collections.abc import Coroutine
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.dom import DOMNode
from textual.geometry import Region

import workbench.tui
from tests.tui.conftest import DAY
from tests.tui.driver import press, settle, shown, write
from workbench.model.errors import InputError
from workbench.model.packets import Field, Layer, Packet
from workbench.model.quality import (
    CaptureQuality,
    Coverage,
    FlowShares,
    NetworkPair,
    NetworkView,
    Remark,
    View,
    Weight,
)
from workbench.model.traffic import CaptureReport, Direction, Flow, Outcome
from workbench.tui.app import TABS, WorkbenchApp
from workbench.tui.commands import Commands
from workbench.tui.keys import read_keys
from workbench.tui.lines import flow_row, packet_row
from workbench.tui.screens.captures import capture_row
from workbench.tui.themes import THEMES
from workbench.tui.widgets.capturepanel import capture_lines, content, unseen_lines
from workbench.tui.widgets.cellpanel import CellPanel
from workbench.tui.widgets.facts import FactsLine
from workbench.tui.widgets.fitting import fitted
from workbench.tui.widgets.keybar import KeyBar
from workbench.tui.widgets.matrix import MatrixView
from workbench.tui.widgets.packetview import field_rows, hex_content
from workbench.tui.widgets.pagedtable import PagedTable

DIGITS = "".join(str(at) for at, _ in enumerate(TABS, 1))


def our_bindings() -> list[tuple[str, Binding]]:
    found = []
    for module in pkgutil.walk_packages(workbench.tui.__path__, "workbench.tui."):
        for name, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if kind.__module__ == module.name and issubclass(kind, DOMNode):
                found += [(name, one) for one in vars(kind).get("BINDINGS", ())]
    return found


def test_every_key_can_be_remapped_and_is_explained() -> None:
    bindings = our_bindings()
    assert len(bindings) > 80
    for owner, binding in bindings:
        assert isinstance(binding, Binding) and binding.id, f"{owner}: {binding} has no id"
        assert binding.description, f"{owner}: {binding.id} has no words"
    owners: dict[str, set[str]] = {}
    for _, binding in bindings:
        owners.setdefault(str(binding.id), set()).add(binding.action.removeprefix("app."))
    assert {name: actions for name, actions in owners.items() if len(actions) > 1} == {}


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_nothing_leaves_the_screen(bench: WorkbenchApp, size: tuple[int, int]) -> None:
    async with bench.run_test(size=size) as pilot:
        await settle(pilot)
        edge = Region(0, 0, *size)
        for digit, title in enumerate(TABS.values(), 1):
            await press(pilot, str(digit))
            for widget in bench.screen.query("#body *"):
                inside_scroll = isinstance(widget.parent, VerticalScroll)
                if widget.is_on_screen and widget.display and not inside_scroll:
                    assert edge.contains_region(widget.region), f"{title}: {widget}"
            lines = shown(bench).splitlines()
            assert "site" in lines[0] and "✗" in lines[0] and "%" in lines[0]
            assert all(name in lines[1] for name in TABS.values())
            assert lines[-1].rstrip().endswith("? help")


async def test_another_size_keeps_the_cursor_in_view(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "g", "ctrl+end")
        view = bench.screen.query_one(MatrixView)
        panel = bench.screen.query_one(CellPanel)
        assert panel.display
        last = view.grid.rows[-1]
        for size in ((80, 24), (50, 12), (120, 40)):
            await pilot.resize_terminal(*size)
            await settle(pilot)
            name = fitted(last, view._layout_now.label - 1, "middle")
            assert any(line.startswith(name) for line in shown(bench).splitlines()), size
            assert panel.display == (size[0] >= 110)
        await pilot.resize_terminal(80, 24)
        await press(pilot, "d")
        assert panel.display, "d brings the panel where it is hidden"
        await press(pilot, "d")
        assert not panel.display


async def test_no_key_does_harm_while_the_workspace_opens(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "open_workspace", lambda: None)
    keys = {key for _, one in our_bindings() for key in one.key.split(",")}
    keys -= {"q", "ctrl+q", "escape"}
    async with bench.run_test(size=(80, 24)) as pilot:
        for digit in DIGITS:
            bench.simulate_key(digit)
            await settle(pilot, opened=False)
            mode = bench.current_mode
            for key in sorted(keys - set(DIGITS)):
                bench.simulate_key(key)
                bench.simulate_key("escape")
                bench.simulate_key("escape")
            await settle(pilot, opened=False)
            assert bench.current_mode == mode
        assert "opening the workspace" in shown(bench)


async def test_the_first_screen_is_there_before_anything_in_it(bench: WorkbenchApp) -> None:
    """Whatever Python: from 3.12 on Textual asks for tasks that begin inside of one another."""

    def at_once(
        loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(work, loop=loop, **options)

    asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory", at_once))
    async with bench.run_test(size=(80, 24)) as pilot:
        assert asyncio.get_running_loop().get_task_factory() is None
        await settle(pilot)
        assert "by segment" in shown(bench)


async def test_a_filter_that_is_not_in_force_says_so(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "3", "slash")
        await write(pilot, "server:plc")
        assert "not applied" not in shown(bench), "while it is typed"
        await pilot.click(PagedTable, offset=(5, 5))
        await settle(pilot)
        assert "not applied: ⏎ here" in shown(bench) and not bench.chosen
        await press(pilot, "slash", "enter")
        assert "not applied" not in shown(bench) and str(bench.chosen) == "server:plc"
        await press(pilot, "slash", "ctrl+u", "tab", "slash", "escape")
        assert "not applied" not in shown(bench) and "server:plc" in shown(bench)


async def test_an_edit_leaves_what_the_user_is_typing_alone(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await pilot.press("d", "b")
        bench.edit(lambda session: session.draft.remove_rule(session.policy.rules[0].id))
        await settle(pilot)
        assert bench.summary is not None and bench.summary.changed
        assert "/ db" in shown(bench)


async def test_help_is_made_of_the_bindings_of_the_screen_in_front(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "4", "question_mark")
        text = shown(bench)
        for words in ("label", "draft", "simulate", "export", "S makes a segment", "Mark all"):
            assert words in text
        await press(pilot, "escape", "2", "question_mark")
        assert "Mark all" not in shown(bench) and "group by" in shown(bench)


async def test_the_palette_has_every_command(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        palette = Commands(bench.screen)
        offered = [str(hit.text) async for hit in palette.discover()]
        assert {Commands} == bench.COMMANDS  # Textual's own Quit would drop the draft unasked
        for words in ("Group by", "Undo", "Save", "Reload from disk", "Hosts", "Explain"):
            assert any(one.startswith(words) for one in offered), words
        hits = [hit async for hit in palette.search("hosts")]
        [call] = [hit.command for hit in hits if str(hit.text).startswith("Hosts")]
        await call()  # type: ignore[misc]
        await settle(pilot)
        assert bench.current_mode == "hosts"


async def test_the_mouse_works_the_tabs_and_the_footer(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        line = shown(bench).splitlines()[1]
        await pilot.click(offset=(line.index("Policy"), 1))
        await settle(pilot)
        assert bench.current_mode == "policy"
        bar = bench.screen.query_one(KeyBar)
        footer = shown(bench).splitlines()[-1]
        await pilot.click(bar, offset=(footer.index("YAML"), 0))
        await settle(pilot)
        assert "the draft as YAML" in shown(bench)


async def test_digits_type_in_the_filter_line_and_switch_elsewhere(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await pilot.press("5", "q", "u")
        await settle(pilot)
        assert bench.current_mode == "matrix"
        assert "/ 5qu" in shown(bench)


async def test_the_header_moves_with_the_draft(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "saved" in shown(bench).splitlines()[0]
        await press(pilot, "5", "x")
        facts = shown(bench).splitlines()[0]
        assert "● unsaved" in facts and "▼" in facts and "▲" in facts
        assert f"{bench.summary.draft_changes} verdicts" not in facts, "no room for it"
        await pilot.resize_terminal(160, 40)
        await settle(pilot)
        changed = f"● unsaved, {bench.summary.draft_changes} verdicts changed"
        assert changed in shown(bench).splitlines()[0]
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        assert "● unsaved " in shown(bench).splitlines()[0]
        await press(pilot, "2")
        assert bench.screen.query_one(FactsLine).summary == bench.summary


async def test_plain_ascii_for_poor_consoles(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKBENCH_ASCII", "1")
    bench = WorkbenchApp(site, on=DAY)
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for digit in DIGITS:
            await press(pilot, digit)
            assert shown(bench).isascii(), [one for one in shown(bench) if not one.isascii()]
        await press(pilot, "2")
        assert shown(bench).splitlines()[-1].startswith(" enter open")
        await press(pilot, "question_mark")
        assert shown(bench).isascii() and "x" in shown(bench)
        assert "  enter      open" in shown(bench)


async def test_no_colour_is_respected(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    bench = WorkbenchApp(site, on=DAY)
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for strip in bench.screen._compositor.render_strips():
            for segment in strip:
                for colour in (
                    segment.style and segment.style.color,
                    segment.style and segment.style.bgcolor,
                ):
                    if colour is not None and colour.triplet is not None:
                        assert len(set(colour.triplet)) == 1, "grey is not a colour"


async def test_every_theme_tells_the_verdicts_apart(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        seen = set()
        for _ in THEMES:
            seen.add(bench.theme)
            names = ("allowed", "blocked", "uncertain", "out")
            colours = [bench.theme_variables[f"verdict-{name}"] for name in names]
            assert len(set(colours)) == 4
            assert "✗" in shown(bench)
            await press(pilot, "ctrl+t")
        assert seen == {theme.name for theme in THEMES}


async def test_keys_come_from_a_file(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "segmentation-workbench"
    folder.mkdir(parents=True)
    (folder / "keys.toml").write_text('[matrix]\ngroup = "ctrl+g,y"\n')
    bench = WorkbenchApp(site, on=DAY)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "y")
        assert "by host" in shown(bench)


async def test_a_broken_key_file_is_told_and_nothing_else_breaks(
    site: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "config" / "segmentation-workbench"
    folder.mkdir(parents=True)
    (folder / "keys.toml").write_text("matrix.group = 7\n")
    bench = WorkbenchApp(site, on=DAY)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "matrix.group" in bench.last_error
        await press(pilot, "g")
        assert "by host" in shown(bench)


def test_both_spellings_of_a_key_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text('undo = "z"\n"matrix.group" = "y"\n')
    assert read_keys(path) == {"undo": "z", "matrix.group": "y"}
    assert read_keys(tmp_path / "none.toml") == {}


async def test_names_are_text_and_never_markup(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        session = bench.session
        assert session is not None
        address = next(iter(session.table.hosts.addresses))
        session.draft.rename_host(address, "[b]x[/b]")
        bench.revision += 1
        await press(pilot, "4", "home")
        assert "[b]x[/b]" in shown(bench)
        await press(pilot, "l", "escape", "n", "escape", "enter", "e", "escape", "a", "escape")
        await press(pilot, "2", "g", "enter", "escape")


def test_what_packets_say_is_cleaned_where_it_is_drawn() -> None:
    evil = "x\x1b[31m\u202e\x07\n"
    packet = Packet(
        1, 0, 60, 60, True, evil, evil, (Layer(evil, (Field(evil, evil),)),), b"\x1b[31m"
    )
    texts = [cell if isinstance(cell, str) else cell[0] for cell in packet_row(packet).cells]
    for row, _ in field_rows(packet):
        texts += [cell if isinstance(cell, str) else cell[0] for cell in row.cells]
    texts += hex_content(packet.raw).plain.splitlines()
    report = CaptureReport(
        evil, "pcap", 1, "", 1, 1, {evil: 1}, 0, 0, ("Ethernet",), 1, 0, 0, 1, 1, (evil,)
    )
    remarks = (Remark("problem", Weight.CARE, evil),)
    judged = CaptureQuality(report, FlowShares(), remarks)
    row = capture_row(0, judged, Coverage(0, 1))
    texts += [cell if isinstance(cell, str) else cell[0] for cell in row.cells]
    texts += content(capture_lines(judged, 80)).plain.splitlines()
    seen = View(1, 0, (NetworkView(evil, False, 3, 0, 1, 0),), (NetworkPair(evil, evil, 9),), 1)
    texts += content(unseen_lines(seen, 80)).plain.splitlines()
    flow = Flow(
        1, 1, 1, 2, 6, 3, 4, 1, 1, 1, 1, 0, 0, Outcome.ESTABLISHED, Direction.SYN, 0, 0, 0, 0, 0
    )
    texts += [
        cell if isinstance(cell, str) else cell[0] for cell in flow_row(flow, evil, evil).cells
    ]
    assert "x·[31m" in "".join(texts)
    assert not set("".join(texts)) & set("\x1b\u202e\x07")


async def test_the_footer_says_how_to_get_back_where_there_is_a_back(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "esc back" not in shown(bench)
        for _ in range(3):  # down to the packets, whose own keys nearly fill the line
            await press(pilot, "enter")
            assert "esc back" in shown(bench).splitlines()[-1]
        await press(pilot, "5", "y")
        assert "esc back" in shown(bench).splitlines()[-1]


async def test_an_edit_is_told_once_where_a_line_tells_it_anyway(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "5", "x")
        assert "last change: rule" in shown(bench)
        assert not bench.screen.query("Toast")
        await press(pilot, "2", "u")
        assert bench.screen.query("Toast")


async def test_keys_are_for_what_they_can_do_here(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for digit, explains in zip(DIGITS, "NYYNYYYNN", strict=True):
            await press(pilot, digit)
            actions = {one.binding.action for one in bench.screen.active_bindings.values()}
            assert ("explain" in actions) == (explains == "Y"), TABS
        await press(pilot, "5", "question_mark")
        assert "] → l  " in shown(bench)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_notices_are_seen_and_a_newer_one_takes_the_line(
    bench: WorkbenchApp, size: tuple[int, int]
) -> None:
    async with bench.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        for told in ("first", "second"):
            bench.edit(lambda _, told=told: told)
            await settle(pilot)
        bench.show_error(InputError("no such thing"))
        await settle(pilot)
        text = unescape(re.sub("<[^>]+>", "", bench.export_screenshot()))
        assert "first" not in text and "no\N{NO-BREAK SPACE}such\N{NO-BREAK SPACE}thing" in text
        places = [toast.region for toast in bench.screen.query("Toast")]
        width, height = size
        assert [place.bottom for place in places] == [height - 2, height - 1], "above the keys"
        assert all(place.x >= width * 0.4 and place.right > width - 3 for place in places)
