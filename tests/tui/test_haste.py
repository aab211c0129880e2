"""Quick hands and slow machines: keys pressed while the one before is still being answered."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.tui.driver import press, settle, shown, until, write
from workbench.session import Session
from workbench.tui.app import WorkbenchApp
from workbench.tui.asking import Asking
from workbench.tui.screens.allow import AllowScreen
from workbench.tui.screens.leave import LeaveScreen
from workbench.tui.screens.policy import PolicyScreen
from workbench.tui.screens.respond import QuarantineForm, RespondScreen
from workbench.tui.screens.suggest import SuggestScreen


def session_of(bench: WorkbenchApp) -> Session:
    assert bench.session is not None
    return bench.session


@contextmanager
def slow_edits(bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What an edit did takes as long to work out as on a large site; the event is: it is made."""
    session, made, go_on = session_of(bench), threading.Event(), threading.Event()
    summary = session.summary

    def slow() -> object:
        made.set()
        go_on.wait(30)
        return summary()

    monkeypatch.setattr(session, "summary", slow)
    try:
        yield made
    finally:
        go_on.set()
        monkeypatch.setattr(session, "summary", summary)


async def keys(pilot: Pilot[None], *names: str) -> None:
    """One right after the other, whatever they start."""
    for name in names:
        pilot.app.simulate_key(name)
    await pilot.pause(0.05)


@pytest.mark.parametrize("mode", ["2", "3", "4", "5", "6", "7"])
async def test_a_second_enter_goes_no_further(bench: WorkbenchApp, mode: str) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, mode)
        await keys(pilot, "enter", "enter")
        await settle(pilot)
        assert len(bench.screen_stack) == 2


@pytest.mark.parametrize(
    ("way", "key", "left"),
    [
        ("8 f", "enter", 1),
        ("9 o", "enter", 1),
        ("4 l", "escape", 1),
        ("3 enter w", "escape", 2),
        ("3 enter w", "enter", 2),
    ],
)
async def test_a_dialog_is_closed_once(
    bench: WorkbenchApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
    key: str,
    left: int,
) -> None:
    monkeypatch.chdir(tmp_path)  # where packets are saved
    async with bench.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await press(pilot, *way.split())
        await keys(pilot, key, key)
        await settle(pilot)
        assert len(bench.screen_stack) == left and "one thing at a time" not in shown(bench)


async def test_the_palette_is_closed_once(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "ctrl+p")
        await write(pilot, "group by")
        await pilot.pause(0.5)
        await keys(pilot, "enter", "enter", "enter")
        await settle(pilot)
        assert "CommandPalette" not in {type(one).__base__.__name__ for one in bench.screen_stack}
        assert bench.screen_stack[0].is_active


@pytest.mark.parametrize(("key", "dialog"), [("a", AllowScreen), ("p", SuggestScreen)])
async def test_nothing_is_proposed_against_a_draft_that_is_about_to_change(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch, key: str, dialog: type
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5")
        rules = [rule.id for rule in session_of(bench).policy.rules]
        with slow_edits(bench, monkeypatch) as made:
            await keys(pilot, "x")
            await until(pilot, made)
            await keys(pilot, "down", "D", "2", "n", key)  # the copy waits for its turn
            assert isinstance(bench.screen, dialog)
            await keys(pilot, "enter")
            assert isinstance(bench.screen, dialog), "nothing is there yet that could be accepted"
        await settle(pilot)
        await press(pilot, "enter")
        now = [rule.id for rule in session_of(bench).policy.rules]
        assert f"{rules[1]}-2" in now and len(now) > len(rules), "the copy and what was proposed"


async def test_a_proposal_for_another_draft_is_refused(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "a")
        session_of(bench).draft.remove_rule(session_of(bench).policy.rules[0].id)
        wanted = session_of(bench).policy
        await press(pilot, "enter")
        assert "ask again" in bench.last_error and session_of(bench).policy is wanted


async def test_edits_are_made_in_the_order_of_their_keys(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5")
        with slow_edits(bench, monkeypatch) as made:
            await keys(pilot, "x")
            await until(pilot, made)
            await keys(pilot, "ctrl+s", "u", "ctrl+r", "u", "ctrl+r", "u")
        await settle(pilot)
        draft = session_of(bench).draft
        assert draft.saved.policy != draft.policy, "saved without the rule, then it came back"
        assert len(draft.policy.rules) == len(draft.saved.policy.rules) + 1


async def test_leaving_waits_for_the_edit_before_it(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5")
        with slow_edits(bench, monkeypatch) as made:
            await keys(pilot, "x", "q", "q")
            await until(pilot, made)
            assert isinstance(bench.screen, PolicyScreen)
        await settle(pilot)
        assert [type(screen) for screen in bench.screen_stack] == [PolicyScreen, LeaveScreen]
        await press(pilot, "s")
    assert bench.return_code == 0 and not bench.session.draft.changed  # type: ignore[union-attr]


async def test_a_saved_draft_is_left_without_a_question(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "5", "x")
        with slow_edits(bench, monkeypatch):
            await keys(pilot, "ctrl+s", "q")
        await settle(pilot)
    assert bench.return_code == 0


async def test_questions_nobody_waits_for_are_not_asked(bench: WorkbenchApp) -> None:
    """Six threads answer them all: a rule typed quickly would be tried out letter by letter."""
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        screen, go_on = bench.screen, threading.Event()
        assert isinstance(screen, Asking)
        asked: list[int] = []

        def question(number: int) -> bool:
            asked.append(number)
            return go_on.wait(30)

        for number in range(40):
            screen.ask("slow", partial(question, number), bool)
        await pilot.pause(0.05)
        go_on.set()
        await settle(pilot)
        assert asked[-1] == 39 and len(asked) < 40


async def test_a_dialog_that_is_done_closes_itself_and_no_other(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "7", "r")
        assert isinstance(bench.screen, RespondScreen)
        while not bench.screen.check_action("name", ()):
            await press(pilot, "down")
        with slow_edits(bench, monkeypatch) as made:
            await keys(pilot, "enter")
            await until(pilot, made)
            await keys(pilot, "n")
        await settle(pilot)
        assert [type(screen) for screen in bench.screen_stack[1:]] == [
            RespondScreen,
            QuarantineForm,
        ]
