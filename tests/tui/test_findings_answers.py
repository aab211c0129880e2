"""What could be done about a finding, tried out and drafted; and the intrusion replayed."""

import pytest
from textual.widgets import Static

from tests.tui.driver import press, settle, shown, write
from tests.tui.test_findings import every, rows, table, title, words
from workbench.model.errors import InputError
from workbench.model.policy import Policy
from workbench.session import Session
from workbench.session.response import Response
from workbench.tui.app import WorkbenchApp
from workbench.tui.screens.findings import FindingsScreen
from workbench.tui.screens.replay import ReplayScreen
from workbench.tui.screens.respond import QuarantineForm, RespondScreen


def policy(bench: WorkbenchApp) -> Policy:
    assert isinstance(bench.session, Session)
    return bench.session.policy


def column(bench: WorkbenchApp, at: int) -> list[str]:
    return [words(row, at) for row in rows(bench)]


async def test_answers_are_tried_out_before_anything_changes(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        before = policy(bench)
        await press(pilot, "r")
        assert isinstance(bench.screen, RespondScreen)
        names = column(bench, 0)
        assert names[:3] == ["guardrail: exactly", "guardrail: segments", "narrow: exactly"]
        assert names[-2:] == ["quarantine pc-07", "quarantine pc-03"]
        stopped = dict(zip(names, column(bench, 1), strict=True))
        assert stopped["guardrail: exactly"] == "! warns"
        assert stopped["narrow: exactly"] == stopped["quarantine pc-07"] == "✓ stopped"
        broken = dict(zip(names, column(bench, 3), strict=True))
        assert broken["narrow: exactly"] == "✗ 1 conversation"
        assert broken["narrow, keep others"] == "nothing"
        whole = dict(zip(names, column(bench, 2), strict=True))
        assert whole["guardrail: exactly"] == "✓ at hop 2 of 3"
        assert whole["narrow: exactly"] == "✓ at hop 1 of 3"
        assert words(rows(bench)[-1], 3) == "✗ 9  ? 1", "not cut at 80 columns"
        assert "It blocks nothing by itself" in shown(bench)
        await press(pilot, "down", "down")
        text = shown(bench)
        assert "This then           ✓ stopped at hop 1 of 1" in text
        assert "hop 1  pc-07 → pc-03  ✗ blocked" in text and "Would break" in text
        await press(pilot, "y")
        assert "+  office:" in shown(bench), "the same as a diff of policy.yaml"
        await press(pilot, "escape")
        assert policy(bench) is before and isinstance(bench.screen, FindingsScreen)


async def test_an_answer_is_one_edit_that_can_be_undone(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7")
        before = policy(bench)
        await press(pilot, "r", "down", "down", "enter")
        assert isinstance(bench.screen, FindingsScreen)
        assert policy(bench) != before and "● unsaved" in shown(bench)
        assert title(bench).startswith(f" {every(bench)} findings")
        await press(pilot, "r", "down", "down")
        assert column(bench, 3)[2] == "changes nothing"
        await press(pilot, "enter")
        assert "This changes nothing" in shown(bench)
        await press(pilot, "escape", "u")
        assert policy(bench) == before


async def test_a_quarantine_names_who_gets_in(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "r", "n")
        assert isinstance(bench.screen, RespondScreen), "only a quarantine has somebody to name"
        await press(pilot, "G", "up", "n")
        assert isinstance(bench.screen, QuarantineForm)
        await write(pilot, "nobody-of-that-name")
        assert "neither a segment, a host" in shown(bench)
        await press(pilot, "ctrl+u")
        await write(pilot, "jump-1")
        assert "pc-07 quarantined" in shown(bench) and "Would break" in shown(bench)
        await press(pilot, "tab")
        await write(pilot, "tcp/3389")
        await press(pilot, "enter")
        assert isinstance(bench.screen, FindingsScreen)
        fresh = {rule.id for rule in policy(bench).rules}
        await press(pilot, "u")
        assert fresh - {rule.id for rule in policy(bench).rules}, "access is a rule of its own"


async def test_what_cannot_be_done_says_why(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise InputError("nothing of it is policy")

    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        monkeypatch.setattr(Response, "narrow", refuse)
        await press(pilot, "7", "r", "down", "down")
        assert column(bench, 2)[2] == "not possible" and column(bench, 1)[0] == "! warns"
        assert "nothing of it is policy" in shown(bench)
        await press(pilot, "enter")
        assert isinstance(bench.screen, RespondScreen)


async def test_the_intrusion_is_replayed_under_every_policy(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "p")
        assert isinstance(bench.screen, ReplayScreen)
        head = str(bench.screen.query_one("#replay-head", Static).content).splitlines()
        told = [line.split()[0:2] + line.split("  ")[-1:] for line in head[1:]]
        assert told[0][:2] == ["no", "policy"]
        assert "3 of 3 hops get through" in head[1]
        assert "✓ stopped at hop 2 of 3" in head[2] and "✓ stopped at hop 2 of 3" in head[3]
        assert words(rows(bench)[table(bench).cursor], 1) == "1", "the cursor begins at hop 1"
        assert "hop 1" in shown(bench)
        merged = table(bench).total
        await press(pilot, "n")
        assert words(rows(bench)[table(bench).cursor], 1) == "2"
        await press(pilot, "c")
        assert table(bench).total > 200 > merged
        await press(pilot, "c", "r")
        assert isinstance(bench.screen, RespondScreen)
        await press(pilot, "escape", "escape")
        assert isinstance(bench.screen, FindingsScreen)


async def test_a_replay_follows_the_draft(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "r", "down", "down", "enter", "p")
        head = str(bench.screen.query_one("#replay-head", Static).content)
        assert "✓ stopped at hop 1 of 3" in head.splitlines()[3]
        await press(pilot, "u")
        head = str(bench.screen.query_one("#replay-head", Static).content)
        assert "✓ stopped at hop 2 of 3" in head.splitlines()[3]


async def test_what_the_traffic_before_teaches_stops_it_at_the_first_hop(
    bench: WorkbenchApp,
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "p", "b")
        head = str(bench.screen.query_one("#replay-head", Static).content).splitlines()
        [baseline] = [line for line in head if line.startswith(" baseline")]
        assert "✓ stopped at hop 1 of 3" in baseline
        await press(pilot, "b")
        assert " baseline" not in str(bench.screen.query_one("#replay-head", Static).content)
        await press(pilot, "escape")
        await press(pilot, "b")
        await write(pilot, "2026-09-15T15:00")
        await press(pilot, "enter", "p")
        head = str(bench.screen.query_one("#replay-head", Static).content).splitlines()
        [baseline] = [line for line in head if line.startswith(" baseline")]
        assert "✓ stopped at hop 1 of 3" in baseline


async def test_the_story_of_a_host_is_replayed_whole(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "t", "p")
        assert isinstance(bench.screen, ReplayScreen)
        assert "Replay of the story of pc-07 › " in shown(bench)
        await press(pilot, "escape", "t")
        assert "Story of" in shown(bench)


async def test_a_smaller_terminal_draws_the_axes_anew(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(200, 60)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "p")
        wide = str(bench.screen.query_one("#replay-head", Static).content)
        await pilot.resize_terminal(80, 24)
        await settle(pilot)
        narrow = str(bench.screen.query_one("#replay-head", Static).content)
        assert max(map(len, narrow.splitlines())) <= 80 < max(map(len, wide.splitlines()))
        await press(pilot, "escape", "t")
        before = table(bench).columns[1].width
        await pilot.resize_terminal(200, 60)
        await settle(pilot)
        assert table(bench).columns[1].width > before


async def test_a_second_enter_and_an_early_escape_do_no_harm(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "r", "down", "down")
        before = policy(bench)
        bench.simulate_key("enter")
        bench.simulate_key("enter")
        bench.simulate_key("escape")
        await settle(pilot)
        assert isinstance(bench.screen, FindingsScreen) and policy(bench) != before
        await press(pilot, "u")
        assert policy(bench) == before
        await press(pilot, "x")
        await write(pilot, "known")
        for key in ("enter", "enter", "escape"):
            bench.simulate_key(key)
        await settle(pilot)
        assert isinstance(bench.screen, FindingsScreen) and "– 1 suppressed" in title(bench)
