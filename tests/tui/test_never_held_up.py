"""Nothing holds up the event loop: what takes long is done in threads, or ahead of time."""

import asyncio
import subprocess
import sys
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from textual.css.stylesheet import Stylesheet

from tests.tui.driver import press, settle
from workbench.session import Session
from workbench.tui.app import WorkbenchApp


async def test_nothing_is_fetched_on_the_event_loop(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rooms of the session bring their imports with them."""
    entered: list[tuple[str, bool]] = []
    for name in "findings", "exports", "vulnerabilities", "response":
        build = vars(Session)[name].func

        def enter(session: Session, name: str = name, build: Any = build) -> Any:
            entered.append((name, threading.current_thread() is threading.main_thread()))
            return build(session)

        room = cached_property(enter)
        room.__set_name__(Session, name)
        monkeypatch.setattr(Session, name, room)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "9", "7", "p")
    assert sorted(entered) == [("exports", False), ("findings", False), ("response", False)]


async def test_the_other_screens_are_imported_behind_the_first(site: Path) -> None:
    """In a process of its own: here all of them have long been imported."""
    script = f"""
import asyncio, gc, sys
from tests.tui.driver import settle
from workbench.tui.ahead import look_ahead
from workbench.tui.app import TABS, WorkbenchApp

async def main():
    app = WorkbenchApp(__import__("pathlib").Path({str(site)!r}))
    async with app.run_test() as pilot:
        assert "workbench.tui.screens.exposure" not in sys.modules
        await settle(pilot)
        missing = [one for one in TABS if f"workbench.tui.screens.{{one}}" not in sys.modules]
        assert not missing, missing
        assert "workbench.session.exporting" in sys.modules

asyncio.run(main())
assert not gc.get_freeze_count(), "garbage of others"
look_ahead((), alone=True)
assert gc.get_freeze_count() and gc.get_threshold()[0] < 100_000
"""
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=True)


async def test_a_new_screen_does_not_parse_the_sheet_again(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        parsed = []
        monkeypatch.setattr(Stylesheet, "reparse", lambda sheet: parsed.append(sheet))
        for digit in "13456789":
            await press(pilot, digit)
        assert not parsed
        monkeypatch.undo()
        await press(pilot, "ctrl+t", "2")
        assert bench.screen._css_update_count == bench._css_update_count, "another theme does"
