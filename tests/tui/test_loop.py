"""The loop on the demo site, with keys only: see, name, draft, simulate, export."""

import asyncio
import shutil
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Static

from tests import craft
from tests.conftest import DEMO
from tests.tui.driver import press, settle, shown, until, write
from workbench.model.policy import Assertion, Exclusion, Guardrail, Rule, Segment
from workbench.model.traffic import Flow
from workbench.session import Session
from workbench.tui.app import WorkbenchApp
from workbench.tui.screens.conversationlist import ConversationListScreen
from workbench.tui.screens.conversations import ConversationsScreen
from workbench.tui.screens.flowlist import FlowListScreen
from workbench.tui.screens.packets import PacketsScreen
from workbench.tui.widgets.codeview import CodeView
from workbench.tui.widgets.filterbar import FilterBar
from workbench.tui.widgets.matrix import MatrixView
from workbench.tui.widgets.pagedtable import PagedTable

PING = craft.pcap([craft.ether(craft.ipv4("10.99.0.1", "10.99.0.2", 1, craft.icmp(8, 0)))])
"""A conversation that comes before all of TCP."""


def session_of(bench: WorkbenchApp) -> Session:
    assert bench.session is not None
    return bench.session


async def test_the_matrix_is_the_first_thing_anyone_sees(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        text = shown(bench)
        assert "site · 1 capture" in text and "would block" in text and "2 Matrix" in text
        cell = bench.screen.query_one(MatrixView).cell
        assert cell is not None and cell.would_block, "the cursor begins where it matters"


async def test_from_a_cell_down_to_the_packets_and_back(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter")
        assert isinstance(bench.screen, ConversationsScreen)
        assert "✗ would block" in shown(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, FlowListScreen)
        await press(pilot, "enter")
        assert isinstance(bench.screen, PacketsScreen)
        text = shown(bench)
        assert "dissected by tshark" in text and "Source Port" in text and "0000  " in text
        await press(pilot, "x")
        assert "0000  " not in shown(bench), "the bytes make room for the fields"
        await press(pilot, "escape", "escape", "escape")
        assert bench.screen.query_one(MatrixView).has_focus
        await press(pilot, "escape")
        assert bench.screen.query_one(MatrixView).has_focus, "at the top, escape does nothing"


async def test_a_drill_down_is_still_there_after_a_look_elsewhere(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "5", "2")
        assert isinstance(bench.screen, ConversationsScreen)


async def test_a_conversation_stays_itself_when_captures_are_loaded(
    bench: WorkbenchApp, tmp_path: Path
) -> None:
    """Its row in the table does not: others come before it."""
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "enter")
        before = shown(bench).splitlines()[3:10]
        more = tmp_path / "more.pcap"
        more.write_bytes(PING)
        session = session_of(bench)
        await asyncio.to_thread(session.ingest, [more])
        bench.edit(lambda _: "loaded")
        await settle(pilot)
        assert shown(bench).splitlines()[3:10] == before


@pytest.mark.parametrize("way", ["enter", "6"])
async def test_a_list_is_of_the_traffic_it_was_made_of(
    bench: WorkbenchApp, tmp_path: Path, way: str
) -> None:
    """Captures are loaded, and the screen is not told yet: its rows are others' by now."""
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, way)
        screen, session = bench.screen, session_of(bench)
        assert isinstance(screen, ConversationListScreen)
        table = screen.query_one(PagedTable)
        key = table.key
        assert isinstance(key, int)
        wanted = session.table.at(key)
        more = tmp_path / "more.pcap"
        more.write_bytes(PING)
        await asyncio.to_thread(session.ingest, [more])
        rows = screen.subject()
        assert rows is not None and session.table.at(rows()[0]) == wanted != session.table.at(key)
        before = shown(bench)
        table.show(table.total)  # as if it were scrolled to rows it has not asked for yet
        await settle(pilot)
        assert table.row(0) is None, "nothing, and not the names of others"
        bench.edit(lambda _: "")
        await settle(pilot)
        assert shown(bench).splitlines()[8:20] == before.splitlines()[8:20]
        await press(pilot, "enter")
        assert wanted.service in shown(bench).splitlines()[5]


async def test_flows_sort_by_every_column(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(160, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "3")
        table = bench.screen.query_one(PagedTable)
        for _ in table.columns:
            await press(pilot, "s")
            assert not bench.last_error
        while table.sort_key != "duration":
            await press(pilot, "s")
        page = [row.key for at in range(40) if (row := table.row(at))]
        lasted = [flow.last_us - flow.first_us for flow in page if isinstance(flow, Flow)]
        assert len(lasted) == 40 and lasted == sorted(lasted, reverse=True) and lasted[0]


async def test_grouping_showing_and_sorting(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        view = bench.screen.query_one(MatrixView)
        await press(pilot, "g")
        assert str(view.border_title).startswith("by host")
        assert len(view.grid.rows) > 40
        await press(pilot, "v", "s")
        assert "show verdict ─ heavy first" in str(view.border_title)
        names = {"by segment"}
        for _ in range(len(session_of(bench).groupings())):
            await press(pilot, "g")
            names.add(str(view.border_title).partition(" ─")[0])
        assert names == {f"by {name}" for name in session_of(bench).groupings()}


async def test_a_grouping_that_an_undo_takes_away(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        view, session = bench.screen.query_one(MatrixView), session_of(bench)
        host = session.inventory.hosts[0].addresses[0]
        bench.edit(lambda session: session.draft.label_hosts([host], {"colour": "red"}))
        await settle(pilot)
        while not str(view.border_title).startswith("by colour"):
            await press(pilot, "g")
        await press(pilot, "u")
        assert str(view.border_title).startswith("by segment") and not bench.last_error
        await press(pilot, "ctrl+r")
        assert str(view.border_title).startswith("by colour"), "as the user wanted it"


async def test_a_cell_is_of_the_matrix_that_is_shown(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        bench.simulate_key("g")  # another matrix is on its way
        await press(pilot, "enter")
        assert bench.screen.query_one(PagedTable).total and not bench.last_error


async def test_a_list_behind_a_cell_follows_the_filter(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await write(pilot, "service:tcp/445")
        await press(pilot, "enter", "enter")
        table, session = bench.screen.query_one(PagedTable), session_of(bench)
        some = table.total
        await press(pilot, "slash", "ctrl+u", "enter")
        cell = bench.screen_stack[0].query_one(MatrixView).cell
        assert cell is not None
        assert table.total == len(session.cell_rows("segment", cell.row, cell.column)) > some


async def test_a_list_of_what_an_undo_took_away_says_so(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        everybody = Segment("everybody", cidrs=("10.0.0.0/8",))
        bench.edit(lambda session: session.draft.put_segment(everybody))
        await settle(pilot)
        bench.screen.query_one(MatrixView).jump("everybody", "everybody")
        await press(pilot, "enter")
        table = bench.screen.query_one(PagedTable)
        assert table.total
        await press(pilot, "u")
        assert not table.total and "no group 'everybody' here" in shown(bench)
        await press(pilot, "ctrl+r")
        assert table.total and "no group" not in shown(bench)


async def test_jumping_to_a_name(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "f")
        await write(pilot, "plc")
        view = bench.screen.query_one(MatrixView)
        assert view.grid.rows[view.cursor[0]] == "plc"
        await press(pilot, "escape")
        await press(pilot, "escape")
        assert view.has_focus


async def test_one_filter_for_every_screen(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await write(pilot, "server:plc")
        await press(pilot, "enter")
        wanted = session_of(bench).select(bench.chosen).sum()
        assert str(bench.chosen) == "server:plc" and wanted > 0
        assert bench.screen.query_one(FilterBar).counts == (wanted, len(session_of(bench).table))
        view = bench.screen.query_one(MatrixView)
        assert view.has_focus and view.grid.counts["conversations"].sum() > 0
        await press(pilot, "3")
        assert bench.screen.query_one(FilterBar).text == "server:plc"
        assert "plc-1" in shown(bench)


async def test_a_wrong_filter_is_told_in_words_and_changes_nothing(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await write(pilot, "service:tcp/445 outcom:x")
        await press(pilot, "enter")
        text = shown(bench)
        assert "unknown field 'outcom'" in text and not bench.chosen
        await press(pilot, "escape")
        assert "unknown field" not in shown(bench)
        assert bench.screen.query_one(FilterBar).text == ""


async def test_completion_of_the_filter(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await write(pilot, "verd")
        await press(pilot, "tab")
        bar = bench.screen.query_one(FilterBar)
        assert bar.text == "verdict:"
        await press(pilot, "down", "down", "enter")
        assert bar.text == "verdict:blocked"
        await press(pilot, "enter")
        assert str(bench.chosen) == "verdict:blocked"


async def test_a_proposes_e_explains_u_takes_back(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = bench.summary
        assert before is not None
        await press(pilot, "e")
        assert "no rule allows it" in shown(bench) and "nearest rules" in shown(bench)
        await press(pilot, "escape", "a")
        assert "newly allowed" in shown(bench)
        await press(pilot, "enter")
        after = bench.summary
        assert after is not None and after.would_block < before.would_block and after.changed
        assert "● " in shown(bench).splitlines()[0]
        await press(pilot, "u")
        assert bench.summary == before
        await press(pilot, "ctrl+r")
        assert bench.summary == after
        await press(pilot, "u", "u")
        assert bench.summary == before, "there is nothing left to undo"


async def test_explaining_traffic_that_was_never_seen(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "e", "slash")
        await write(pilot, "pc-01 plc-1 tcp/502")
        await press(pilot, "enter")
        assert "hypothetical" in shown(bench)
        await write(pilot, " more")
        await press(pilot, "enter")
        assert "write three words" in shown(bench)


async def test_proposals_that_need_a_second_look_are_not_taken_unasked(
    bench: WorkbenchApp,
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        suggestion = session_of(bench).suggest()
        calm = {one.rule.id for one in suggestion.proposals if not one.caution}
        await press(pilot, "p", "enter")
        added = {rule.id for rule in session_of(bench).policy.rules}
        assert calm <= added
        assert not added & {one.rule.id for one in suggestion.proposals if one.caution}
        await press(pilot, "u", "p", "A", "enter")
        added = {rule.id for rule in session_of(bench).policy.rules}
        assert {one.rule.id for one in suggestion.proposals} <= added


async def test_what_breaks_a_guardrail_is_only_taken_by_itself(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        found = session_of(bench).suggest()
        first, *others = found.proposals
        breaking = replace(first, caution="breaks guardrail x", breaks=("x",))
        other = replace(found, proposals=(breaking, *others))
        monkeypatch.setattr(session_of(bench), "suggest", lambda: other)
        await press(pilot, "p", "A", "enter")
        added = {rule.id for rule in session_of(bench).policy.rules}
        assert {one.rule.id for one in others} <= added and first.rule.id not in added
        await press(pilot, "u", "p", "home", "space", "enter")
        assert first.rule.id in {rule.id for rule in session_of(bench).policy.rules}


async def test_thousands_of_proposals_are_drawn_page_by_page(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.tui.screens import suggest

    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        found = session_of(bench).suggest()
        one = found.proposals[0]
        many = [
            replace(one, rule=replace(one.rule, id=f"proposed-{at}"), caution="")
            for at in range(5000)
        ]
        monkeypatch.setattr(
            session_of(bench), "suggest", lambda: replace(found, proposals=tuple(many))
        )
        drawn: list[str] = []

        def row(proposal, taken):  # type: ignore[no-untyped-def]
            drawn.append(proposal.rule.id)
            return proposal_row(proposal, taken)

        proposal_row = suggest.proposal_row
        monkeypatch.setattr(suggest, "proposal_row", row)
        await press(pilot, "p")
        assert "5000 of 5000 taken" in shown(bench)
        await press(pilot, "G")
        assert "proposed-4999" in shown(bench)
        assert bench.screen.query_one("#suggest-text", Static).content.plain.startswith(  # type: ignore[union-attr]
            "proposed-4999"
        )
        await press(pilot, "space")
        assert "4999 of 5000 taken" in shown(bench)
        assert len(drawn) < 1500


async def test_labels_and_segments(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "4")
        table = bench.screen.query_one(PagedTable)
        await press(pilot, "space", "space", "l")
        await write(pilot, "site=hq")
        assert "site: hq" in shown(bench)
        await press(pilot, "enter")
        inventory = session_of(bench).inventory
        assert len(table.marked) == 2
        for address in table.marked:
            assert isinstance(address, int)
            assert inventory.labels(address)["site"] == "hq"
        await press(pilot, "S")
        assert "known address" in shown(bench)
        names = [field.value for field in bench.screen.query(Input)]
        assert "site=hq" in names[1]
        await press(pilot, "enter")
        assert names[0] in {one.name for one in session_of(bench).policy.segments}
        await press(pilot, "u", "u")
        assert session_of(bench).draft.changed is False


async def test_marking_everything_and_ranges(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "4")
        table = bench.screen.query_one(PagedTable)
        await press(pilot, "A")
        assert len(table.marked) == table.total
        await press(pilot, "A")
        assert not table.marked
        await press(pilot, "space", "j", "j", "r")
        assert len(table.marked) == 4
        await press(pilot, "J")
        assert len(table.marked) == 5


async def test_a_label_that_cannot_be_is_refused_in_the_form(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "4")
        await press(pilot, "l")
        await write(pilot, "Role=x")
        await press(pilot, "enter")
        assert "not a label key" in shown(bench)
        assert session_of(bench).draft.changed is False


async def test_writing_a_rule_with_live_effect(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "n")
        await write(pilot, "mine")
        for text in ("office", "prod-db", "tcp/5432"):
            await press(pilot, "tab")
            await write(pilot, text)
        assert "newly allowed" in shown(bench)
        await press(pilot, "enter")
        rule = session_of(bench).policy.rule("mine")
        assert rule is not None and rule.clients == ("office",) and rule.services == ("tcp/5432",)
        assert "last change: rule mine added" in shown(bench)
        await press(pilot, "u")
        assert session_of(bench).policy.rule("mine") is None


async def test_a_rule_about_an_unknown_segment_is_refused_in_the_form(
    bench: WorkbenchApp,
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "enter", "tab")
        await write(pilot, " nowhere")
        assert "nowhere" in shown(bench) and "newly" not in shown(bench)
        await press(pilot, "enter")
        assert session_of(bench).draft.changed is False


@pytest.mark.parametrize("kind", [Rule, Exclusion])
async def test_a_last_day_that_is_over_is_kept_and_not_taken(
    bench: WorkbenchApp, kind: type[Rule | Exclusion]
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        draft = session_of(bench).draft
        put, lists = (draft.put_rule, 0) if kind is Rule else (draft.put_exclusion, 4)
        put(kind("old", ("any",), ("any",), ("tcp/22",), "known", date(2026, 11, 23)))  # type: ignore[arg-type]
        await press(pilot, "5", *["right_square_bracket"] * lists, "G", "enter")
        day = bench.screen.query_one("#expires Input", Input)
        for text in ("2026-11-22", "soon"):
            day.value = text
            await settle(pilot)
            assert f"{text} is over" in shown(bench) or "is not a date" in shown(bench)
            await press(pilot, "enter")
            assert bench.screen.query("#expires")
        day.value = "2026-11-23"
        bench.screen.query_one("#reason Input", Input).value = "no longer"
        await settle(pilot)
        await press(pilot, "enter")
        [old] = [one for one in (draft.policy.rules + draft.policy.exclusions) if one.id == "old"]
        assert (old.reason, old.expires) == ("no longer", date(2026, 11, 23))


async def test_the_lists_of_a_policy(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "D", "x")
        assert "removed" in shown(bench)
        seen = []
        for _ in range(4):
            await press(pilot, "right_square_bracket")
            seen.append(shown(bench))
            await press(pilot, "enter", "escape")
        segments, services, guardrails, exclusions = seen
        assert "protected" in segments and "ports" in services
        assert "kept" in guardrails and "reason" in exclusions
        await press(pilot, "y")
        assert "segments:" in bench.screen.query_one(CodeView).lines


async def test_protecting_a_segment_goes_round(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "right_square_bracket")
        before = session_of(bench).policy.protect
        seen = []
        for _ in range(4):
            await press(pilot, "p")
            seen.append(frozenset(session_of(bench).policy.protect))
        assert len(set(seen)) == 4 and seen[-1] == frozenset(before)


async def test_what_the_draft_changes(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "6", "o")
        assert "changes none of these" in shown(bench)
        await press(pilot, "5", "x", "6")
        table = bench.screen.query_one(PagedTable)
        changed = len(session_of(bench).changes())
        assert changed > 0
        assert table.total == changed
        await press(pilot, "o", "C")
        assert "all conversations" in shown(bench)
        assert table.total == len(session_of(bench).table)


async def test_an_export_is_written_when_it_is_proven(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "9", "w")
        assert not (site / "exports").exists(), "not proven, not written"
        await press(pilot, "v")
        assert "proven equal" in shown(bench)
        await press(pilot, "w")
        written = sorted(path.name for path in (site / "exports" / "nftables").iterdir())
        assert "workbench-export.json" in written
        await press(pilot, "d")
        assert "no difference" in shown(bench)
        await press(pilot, "5", "x", "9", "d", "d")
        assert "not verified" in shown(bench), "another draft, another proof"
        assert any(line.startswith("-") for line in bench.screen.query_one(CodeView).lines)


async def test_a_proof_outlives_what_does_not_touch_it(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "x", "9")
        code = bench.screen.query_one(CodeView)
        await press(pilot, "j", "j", "v")
        assert "proven equal" in shown(bench) and code.scroll_offset.y == 2
        await press(pilot, "slash")
        await write(pilot, "client:office")
        await press(pilot, "enter", "2", "ctrl+s", "9")
        assert "proven equal" in shown(bench) and code.scroll_offset.y == 2, "files and draft stay"
        await press(pilot, "u")
        assert "not verified" in shown(bench)


async def test_a_proof_of_what_is_not_shown_any_more_is_told(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, "9")
        exports, entered, go_on = session_of(bench).exports, threading.Event(), threading.Event()
        check = exports.check

        def slow(*given: Any, **options: Any) -> Any:
            entered.set()
            go_on.wait(30)
            return check(*given, **options)

        monkeypatch.setattr(exports, "check", slow)
        bench.simulate_key("v")
        await until(pilot, entered)
        bench.edit(lambda session: session.draft.remove_rule(session.policy.rules[0].id))
        await pilot.pause(0.5)
        go_on.set()
        await settle(pilot)
        text = shown(bench)
        assert "not verified" in text and "verified what was shown before" in text


async def test_a_refusal_is_told(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "9", "t")
        text = shown(bench)
        assert "▶ kubernetes" in text and "refused" in text and "nothing to show" in text
        await press(pilot, "v", "w")
        assert not (site / "exports").exists()


async def test_a_draft_that_moved_since_the_proof_is_not_written(
    bench: WorkbenchApp, site: Path
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "9", "v")
        session = session_of(bench)
        session.draft.remove_rule(session.policy.rules[0].id)
        await press(pilot, "w")
        assert "changed since the proof" in bench.last_error
        assert not (site / "exports").exists()


async def test_a_part_of_the_policy_for_the_cluster(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "9", "t", "o")
        assert "shop-frontend" in shown(bench), "the refusal's advice is there to take"
        await press(pilot, "enter")
        assert "kind: NetworkPolicy" in bench.screen.query_one(CodeView).lines
        await press(pilot, "v", "w")
        assert (site / "exports" / "kubernetes" / "workbench-export.json").exists()
        await press(pilot, "o")
        await write(pilot, " office")
        await press(pilot, "enter")
        assert "not a protected segment" in shown(bench)


async def test_saving_and_leaving(bench: WorkbenchApp, site: Path) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = (site / "policy.yaml").read_text()
        await press(pilot, "a", "enter", "q")
        assert "not saved" in shown(bench)
        await press(pilot, "escape")
        assert (site / "policy.yaml").read_text() == before
        await press(pilot, "ctrl+s")
        assert (site / "policy.yaml").read_text() != before
        assert bench.summary is not None and not bench.summary.changed
        await press(pilot, "q")
    assert bench.return_code == 0


async def test_a_file_that_changed_on_disk_is_not_overwritten(
    bench: WorkbenchApp, site: Path
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "a", "enter")
        theirs = (site / "policy.yaml").read_text() + "# theirs\n"
        (site / "policy.yaml").write_text(theirs)
        await press(pilot, "ctrl+s")
        assert "changed on disk" in bench.last_error and "(ctrl+p)" in bench.last_error
        assert (site / "policy.yaml").read_text() == theirs


# ── captures ───────────────────────────────────────────────────────────────────────────────


async def test_an_empty_workspace_says_what_to_do(empty_bench: WorkbenchApp) -> None:
    async with empty_bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert "press i" in shown(empty_bench)
        for key in "234567":
            await press(pilot, key, "down", "enter", "escape")
        await press(pilot, "2")
        assert "press 1" in shown(empty_bench)
        await press(pilot, "6")
        assert "nothing is in scope" in shown(empty_bench) and "100 %" not in shown(empty_bench)


async def test_loading_a_capture_by_its_path(empty_bench: WorkbenchApp, tmp_path: Path) -> None:
    shutil.copy(DEMO / "office.pcapng", tmp_path / "office.pcapng")
    async with empty_bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "i")
        await write(pilot, f"{tmp_path}/off")
        await press(pilot, "tab", "enter")
        assert empty_bench.summary is not None and empty_bench.summary.captures == 1
        await press(pilot, "1")
        assert "office.pcapng" in shown(empty_bench) and "ARP" in shown(empty_bench)
        await press(pilot, "i")
        await write(pilot, f"{tmp_path}/office.pcapng")
        await press(pilot, "enter")
        assert "already in the workspace" in empty_bench.last_error


async def test_captures_from_the_command_line(tmp_path: Path) -> None:
    bench = WorkbenchApp(tmp_path / "new", [DEMO / "office.pcapng"])
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert bench.current_mode == "matrix"
        assert bench.summary is not None and bench.summary.conversations > 500


async def test_escape_stops_a_load_and_leaves_the_workspace_as_it_was(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        before = bench.summary

        def slow(paths, progress, cancelled, refused):  # type: ignore[no-untyped-def]
            from workbench.model.errors import Cancelled
            from workbench.model.traffic import Progress

            progress(Progress("slow.pcap", 10, 100, packets=5, elapsed=1.0))
            while not cancelled():
                pass
            raise Cancelled

        monkeypatch.setattr(session_of(bench), "ingest", slow)
        await press(pilot, "1", "i")
        await pilot.press("slash", "x", "enter")
        for _ in range(50):
            await pilot.pause(0.02)
            if bench.progress is not None:
                break
        assert "slow.pcap" in shown(bench) and "esc cancel" in shown(bench)
        await press(pilot, "escape")
        assert bench.progress is None and bench.summary == before


async def test_a_workspace_that_cannot_be_opened_ends_with_code_2(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("rules: 7\n")
    bench = WorkbenchApp(tmp_path)
    async with bench.run_test(size=(80, 24)) as pilot:
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.1)
    assert bench.return_code == 2
    assert bench.fatal is not None and "policy.yaml" in str(bench.fatal)


async def test_hosts_that_no_segment_holds(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "4")
        table = bench.screen.query_one(PagedTable)
        every = table.total
        await press(pilot, "o")
        loose = [host for host in session_of(bench).hosts() if not host.segments]
        assert 0 < table.total == len(loose) < every
        await press(pilot, "o")
        assert table.total == every


async def test_a_filter_leaves_only_rows_with_traffic_and_a_cursor_on_some(
    bench: WorkbenchApp,
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        view = bench.screen.query_one(MatrixView)
        rows = len(view.grid.rows)
        await press(pilot, "slash")
        await write(pilot, "client:web-2")
        await press(pilot, "enter")
        assert len(view.grid.rows) < rows
        assert view.cell is not None and view.cell.conversations


async def test_undo_tells_what_it_does_to_the_traffic(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "x")
        assert bench.last_edit is not None and bench.last_edit[1] is not None
        blocked = bench.last_edit[1].newly_blocked
        assert blocked > 0
        await press(pilot, "u")
        undone = bench.last_edit
        assert undone[0].startswith("undone: ") and undone[1] is not None
        assert (undone[1].newly_allowed, undone[1].newly_blocked) == (blocked, 0)
        await press(pilot, "ctrl+r")
        redone = bench.last_edit
        assert redone[1] is not None and redone[1].newly_blocked == blocked


async def test_what_is_allowed_already_is_not_proposed_again(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "slash")
        await write(pilot, "verdict:allowed")
        await press(pilot, "enter", "a")
        assert "Nothing to allow" in shown(bench)
        await press(pilot, "enter")
        assert session_of(bench).draft.changed is False


async def test_a_guardrail_is_judged_while_it_is_typed(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        rule = session_of(bench).policy.rules[0]
        await press(pilot, "5", *["right_square_bracket"] * 3, "n")
        for key, value in (
            ("id", "kept-or-not"),
            ("clients", rule.clients[0]),
            ("servers", rule.servers[0]),
            ("services", rule.services[0]),
        ):
            bench.screen.query_one(f"#{key} Input", Input).value = value
        await settle(pilot)
        assert "! the draft breaks it" in shown(bench)
        bench.screen.query_one("#assertion Input", Input).value = "always"
        await settle(pilot)
        assert "✓ the draft keeps it" in shown(bench)


async def test_a_rule_that_breaks_a_guardrail_says_so_while_it_is_typed_and_after(
    bench: WorkbenchApp,
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        session = session_of(bench)
        rule = session.policy.rules[0]
        ends = (rule.clients, rule.servers, rule.services)
        session.draft.remove_rule(rule.id)
        session.draft.put_guardrail(Guardrail("closed", Assertion.NEVER, *ends))
        assert not session.check()
        await press(pilot, "5", "n")
        for key, value in zip(("clients", "servers", "services"), ends, strict=True):
            bench.screen.query_one(f"#{key} Input", Input).value = " ".join(value)
        bench.screen.query_one("#id Input", Input).value = rule.id
        await settle(pilot)
        assert "! breaks guardrail closed: " in shown(bench)
        await press(pilot, "enter")
        assert "! guardrail closed is broken: " in shown(bench)
