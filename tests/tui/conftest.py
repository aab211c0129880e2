"""A workspace with the demo site in it, loaded once and copied for every test."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import DEMO
from workbench.session import Session
from workbench.tui.app import WorkbenchApp

DAY = date(2026, 11, 24)
"""Expiry dates are judged by it, whatever the day of the test."""


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template") / "site"
    folder.mkdir()
    for name in ("inventory.yaml", "policy.yaml"):
        shutil.copy(DEMO / name, folder / name)
    with Session.open(folder, on=DAY) as session:
        session.ingest([DEMO / "office.pcapng"])
    return folder


@pytest.fixture(autouse=True)
def plain_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No key file of whoever runs the tests, and no colour settings of theirs."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("NO_COLOR", "WORKBENCH_ASCII", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def site(demo_site: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo_site, tmp_path / "site"))


@pytest.fixture
def bench(site: Path) -> WorkbenchApp:
    return WorkbenchApp(site, on=DAY)


@pytest.fixture
def empty_bench(tmp_path: Path) -> WorkbenchApp:
    return WorkbenchApp(tmp_path / "new", on=DAY)
