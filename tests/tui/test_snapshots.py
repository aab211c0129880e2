"""Pictures of the screens on the demo site, at the three sizes that people have.

After a change that is meant to be seen: `pytest tests/tui/test_snapshots.py --snapshot-update`, and
look at the difference.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.driver import press, settle
from workbench.model.errors import MissingTool
from workbench.session import Session
from workbench.tui.app import WorkbenchApp

SMALL, USUAL, LARGE = (80, 24), (120, 40), (200, 60)
Compare = Callable[..., bool]


def after(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Open the workspace, press the keys, wait until all is drawn."""

    async def drive(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await press(pilot, *keys)
        for note in list(pilot.app._notifications):
            pilot.app._unnotify(note)
        if isinstance(pilot.app.focused, Input):  # a slow machine comes to see it without a cursor
            pilot.app.focused.cursor_blink = False
        await settle(pilot)

    return drive


SCREENS = {
    "captures-unseen": (USUAL, "1 v v"),
    "matrix-small": (SMALL, ""),
    "matrix-usual": (USUAL, ""),
    "matrix-of-hosts-large": (LARGE, "g"),
    "flows": (SMALL, "3"),
    "hosts": (SMALL, "4"),
    "label": (USUAL, "4 space space l"),
    "policy": (SMALL, "5"),
    "rule": (USUAL, "5 enter"),
    "simulate": (SMALL, "6"),
    "propose": (USUAL, "p"),
    "export": (SMALL, "9"),
    "exposure": (SMALL, "8"),
    "exposure-paths": (USUAL, "8 end enter"),
    "exposure-services": (USUAL, "8 l l l g"),
    "exposure-places-large": (LARGE, "8 h h"),
    "matrix-by-exposure": (USUAL, "v v v"),
    "allow": (SMALL, "a"),
    "explain": (USUAL, "e"),
    "help": (SMALL, "question_mark"),
    "packets-without-tshark": (USUAL, "enter enter enter enter down down down"),
    "packets-small": (SMALL, "enter enter enter down x"),
}


def no_tshark(*_: object, **__: object) -> None:
    raise MissingTool("tshark", "apt install tshark")


@pytest.mark.parametrize("name", SCREENS)
def test_screens(
    bench: WorkbenchApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What tshark says differs from version to version: the pictures do without it."""
    monkeypatch.setattr(Session, "dissect", no_tshark)
    size, keys = SCREENS[name]
    assert snap_compare(bench, terminal_size=size, run_before=after(*keys.split()))


@pytest.mark.parametrize("theme", ["workbench-light", "high-contrast", "blue-orange"])
def test_themes(bench: WorkbenchApp, snap_compare: Compare, theme: str) -> None:
    bench.theme = theme
    assert snap_compare(bench, terminal_size=SMALL, run_before=after())


def test_nothing_loaded_yet(empty_bench: WorkbenchApp, snap_compare: Compare) -> None:
    assert snap_compare(empty_bench, terminal_size=SMALL, run_before=after())
