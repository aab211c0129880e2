"""The terminal interface: the only import of textual."""

from collections.abc import Sequence
from pathlib import Path


def run(workspace: Path, captures: Sequence[Path] = ()) -> int:
    """Open the interface on a workspace, loading captures first; returns the exit status."""
    from workbench.tui.app import WorkbenchApp

    app = WorkbenchApp(workspace, captures)
    app.run()
    return app.return_code or 0
