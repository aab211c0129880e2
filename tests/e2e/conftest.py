"""The real command line, as a user runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commandline import CAPTURE, ROOT, Done, Run


@pytest.fixture(scope="session")
def workbench() -> Run:
    def run(*arguments: object, **options: Any) -> Done:
        command = [sys.executable, "-m", "workbench", *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT, **options
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture(scope="session")
def loaded(workbench: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo capture with its inventory and policy; treat as read-only."""
    folder = tmp_path_factory.mktemp("loaded")
    for name in ("inventory.yaml", "policy.yaml"):
        (folder / name).write_bytes((ROOT / "demo_data" / name).read_bytes())
    assert workbench("ingest", folder, CAPTURE).status == 0
    return folder


@pytest.fixture
def site(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the loaded workspace to change."""
    folder = tmp_path / "site"
    folder.mkdir()
    for path in loaded.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    return folder
