"""The terminal interface: the only import of textual."""

import sys
from collections.abc import Sequence
from pathlib import Path


def run(workspace: Path, captures: Sequence[Path] = ()) -> int:
    """Open the interface on a workspace; `captures` are loaded first. The exit code."""
    from workbench.tui.app import WorkbenchApp

    app = WorkbenchApp(workspace, captures)
    app.run()
    if app.fatal is not None:
        print(f"workbench: {app.fatal}", file=sys.stderr)
    return app.return_code or 0
