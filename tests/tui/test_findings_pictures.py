"""Pictures of the Findings screens, as in test_snapshots.py."""

from pathlib import Path

import pytest

from tests.tui.test_snapshots import LARGE, SMALL, USUAL, Compare, after
from workbench.tui.app import WorkbenchApp

SCREENS = {
    "list-small": (SMALL, "7"),
    "list-usual": (USUAL, "7"),
    "story-small": (SMALL, "7 t"),
    "story-large": (LARGE, "7 t down down down"),
    "suppress": (SMALL, "7 x"),
    "baseline": (SMALL, "7 b"),
    "thresholds": (USUAL, "7 T"),
    "respond-small": (SMALL, "7 r down down"),
    "respond-usual": (USUAL, "7 r down down"),
    "replay-small": (SMALL, "7 p"),
    "replay-usual": (USUAL, "7 p n"),
}


@pytest.mark.parametrize("name", SCREENS)
def test_findings(
    bench: WorkbenchApp, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Paths of this machine are in no picture."""
    monkeypatch.setattr("workbench.session.findings.Findings.file", Path("findings.yaml"))
    size, keys = SCREENS[name]
    assert snap_compare(bench, terminal_size=size, run_before=after(*keys.split()))
