"""Pictures of the screens on the demo site, at the three sizes that people have.

After a change that is meant to be seen: `pytest tests/tui/test_snapshots.py --snapshot-update`, and
look at the difference.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.driver import press, settle
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
        await settle(pilot)

    return drive


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        (SMALL, ""),
        (USUAL, ""),
        (LARGE, "g"),
        (SMALL, "3"),
        (SMALL, "4"),
        (USUAL, "4 space space l"),
        (SMALL, "5"),
        (USUAL, "5 enter"),
        (SMALL, "6"),
        (USUAL, "p"),
        (SMALL, "7"),
        (USUAL, "7 v"),
        (SMALL, "a"),
        (USUAL, "e"),
        (SMALL, "question_mark"),
        (USUAL, "enter enter enter"),
    ],
    ids=str,
)
def test_screens(
    bench: WorkbenchApp, snap_compare: Compare, size: tuple[int, int], keys: str
) -> None:
    assert snap_compare(bench, terminal_size=size, run_before=after(*keys.split()))


@pytest.mark.parametrize("theme", ["workbench-light", "high-contrast", "blue-orange"])
def test_themes(bench: WorkbenchApp, snap_compare: Compare, theme: str) -> None:
    bench.theme = theme
    assert snap_compare(bench, terminal_size=SMALL, run_before=after())


def test_nothing_loaded_yet(empty_bench: WorkbenchApp, snap_compare: Compare) -> None:
    assert snap_compare(empty_bench, terminal_size=SMALL, run_before=after())
