"""A workspace with the demo site in it, loaded once and copied for every test."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from textual.pilot import Pilot

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


async def settle(pilot: Pilot[None]) -> None:
    """Until every question has been asked, answered and drawn."""
    for _ in range(4):
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Keys one after the other, each with all its consequences."""
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


async def write(pilot: Pilot[None], text: str) -> None:
    """Text into the input that has the focus."""
    names = {" ": "space"}
    await pilot.press(*(names.get(one, one) for one in text))
    await settle(pilot)


def shown(app: WorkbenchApp) -> str:
    """Everything on the screen in front, as plain text."""
    lines = app.screen._compositor.render_strips()
    return "\n".join(strip.text for strip in lines)


Run = Callable[[Pilot[None]], None]
