"""The report from the palette: written by a worker, told in a notice, stopped by Escape."""

import pytest
from textual.command import CommandPalette

from tests.tui.driver import press, settle, write
from workbench.model.errors import InputError
from workbench.session.reporting import Wish, gather
from workbench.tui.app import WorkbenchApp


async def test_the_palette_writes_the_report(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(110, 30)) as pilot:
        await settle(pilot)
        await press(pilot, "ctrl+p")
        await write(pilot, "write the report")
        assert isinstance(bench.screen, CommandPalette)
        await press(pilot, "down", "enter")
        await settle(pilot)
        assert any("report written" in one.message for one in bench._notifications)
        page = (bench.workspace_folder / "report.html").read_text(encoding="utf-8")
        assert "Segmentation policy kestrel-pumps" in page and "judged for 2026-11-24" in page


async def test_another_file_of_that_name_is_left_alone(bench: WorkbenchApp) -> None:
    (bench.workspace_folder / "report.html").write_text("mine")
    async with bench.run_test(size=(110, 30)) as pilot:
        await settle(pilot)
        await bench.run_action("app.report")
        await settle(pilot)
        assert "no report; nothing was written" in bench.last_error
        assert (bench.workspace_folder / "report.html").read_text() == "mine"


async def test_an_edit_meanwhile_spoils_no_report(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(110, 30)) as pilot:
        await settle(pilot)
        session = bench.session
        assert session is not None
        rules = [rule.id for rule in session.policy.rules]
        with pytest.raises(InputError, match="changed meanwhile"):
            gather(session, Wish(kernel=False), lambda _: session.draft.remove_rule(rules.pop()))
