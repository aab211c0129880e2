"""The application: a switchboard between screens, the session and the user's keys."""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from workbench.model.errors import InputError
from workbench.tui.commands import Commands
from workbench.tui.desk import Desk
from workbench.tui.glyphs import AsciiFilter, key_in_words
from workbench.tui.keys import keys_file, read_keys
from workbench.tui.messages import Leaving
from workbench.tui.themes import THEMES, VERDICT_DEFAULTS

if TYPE_CHECKING:
    from workbench.session import Session

TABS: Mapping[str, str] = {
    "captures": "Captures",
    "matrix": "Matrix",
    "flows": "Flows",
    "hosts": "Hosts",
    "policy": "Policy",
    "simulate": "Simulate",
    "findings": "Findings",
    "exposure": "Exposure",
    "export": "Export",
}
"""Mode → title, in the order of the digits. Each has a module of its name in screens/."""


def _screen(mode: str) -> Callable[[], Screen[Any]]:
    """Screens are imported when they are first shown: the first paint waits for one only."""

    def load() -> Screen[Any]:
        module = import_module(f"workbench.tui.screens.{mode}")
        screen: Screen[Any] = getattr(module, f"{mode.title()}Screen")()
        return screen

    return load


class WorkbenchApp(Desk):
    """One workspace, one draft."""

    TITLE = "Segmentation Workbench"
    CSS_PATH = Path(__file__).with_name("workbench.tcss")
    MODES: ClassVar[dict[str, str | Callable[[], Screen[Any]]]] = {
        mode: _screen(mode) for mode in TABS
    }
    DEFAULT_MODE = "matrix"
    COMMANDS = {Commands}  # noqa: RUF012 – not Textual's own: its Quit asks nothing
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (110, "-wide"),
    ]
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(str(at), f"app.goto({mode!r})", title, show=False, id=f"go.{mode}")
            for at, (mode, title) in enumerate(TABS.items(), 1)
        ),
        Binding("u", "app.undo", "undo", show=False, id="undo", tooltip="Take back the last edit"),
        Binding("ctrl+r", "app.redo", "redo", show=False, id="redo",
                tooltip="Redo what was undone"),
        Binding("ctrl+s", "app.save", "save", show=False, id="save",
                tooltip="Write policy.yaml and inventory.yaml"),
        Binding("ctrl+t", "app.next_theme", "theme", show=False, id="theme",
                tooltip="Dark, light, high contrast, blue-orange"),
        Binding("question_mark", "app.help", "help", key_display="?", id="help",
                tooltip="All keys of this screen, and what the glyphs mean"),
        Binding("q,ctrl+q", "app.leave", "quit", show=False, id="quit",
                tooltip="Leave the workbench"),
    ]  # fmt: skip

    def __init__(
        self, workspace: Path, captures: Sequence[Path] = (), *, on: date | None = None
    ) -> None:
        super().__init__(workspace, on)
        self.captures_to_load = tuple(captures)
        """Taken by the Captures screen once the workspace is open."""
        for theme in THEMES:
            self.register_theme(theme)
        self.set_reactive(Desk.theme, THEMES[0].name)  # unwatched: the sheet is parsed once less
        self._ahead = False
        self._ascii = os.environ.get("WORKBENCH_ASCII") == "1"
        if self._ascii:
            self._filters.append(AsciiFilter())

    def get_key_display(self, binding: Binding) -> str:
        """`⏎`, or `enter` where there is nothing but ASCII."""
        shown = super().get_key_display(binding)
        return key_in_words(shown) if self._ascii else shown

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Verdict colours for Textual's own themes."""
        return VERDICT_DEFAULTS

    def on_load(self) -> None:
        """Tasks take their turns, as in Python 3.11 and in Textual's own tests.

        From 3.12 on Textual has each begin at once: inside of the first screen's making, before
        there is a screen that its inputs and key bar could ask for anything (its issue 6444).
        """
        asyncio.get_running_loop().set_task_factory(None)

    def on_mount(self) -> None:
        try:
            self.set_keymap(read_keys(keys_file()))
        except InputError as error:
            self.show_error(error)
        self.call_after_refresh(self.open_workspace)

    @on(Desk.Opened)
    def _show_first(self, message: Desk.Opened) -> None:
        if self.captures_to_load or not message.summary.captures:
            self.switch_mode("captures")

    @on(Desk.Weighed)
    def _look_ahead(self) -> None:
        """Once: the exposure is the last thing that is worked out when a workspace is opened."""
        from workbench.tui.ahead import look_ahead

        if not self._ahead:
            self._ahead = True
            self.run_worker(lambda: look_ahead(TABS, alone=not self.is_headless), thread=True)

    # ── actions ────────────────────────────────────────────────────────────────────────────

    def action_goto(self, mode: str) -> None:
        self.switch_mode(mode)

    def action_undo(self) -> None:
        from workbench.tui.steps import undo

        self.edit(undo)

    def action_redo(self) -> None:
        from workbench.tui.steps import redo

        self.edit(redo)

    def action_save(self) -> None:
        def save(session: "Session") -> str:
            unchanged = not session.draft.changed
            session.save()
            return "nothing to save" if unchanged else f"saved in {session.workspace}"

        self.edit(save)

    def action_reload(self) -> None:
        self.edit(lambda session: session.draft.reload())

    def action_report(self) -> None:
        """Into the workspace; a report that is there already is kept beside it."""
        from workbench.session import write_report

        if (session := self.session) is not None:
            out = session.workspace / "report.html"
            self.long_work(
                lambda tell, stopped: write_report(session, out, progress=tell, cancelled=stopped),
                lambda _: self.notify(f"report written: {out}", markup=False),
            )

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[at % len(names)]

    def action_copy_error(self) -> None:
        self.copy_to_clipboard(self.last_error)

    async def action_help(self) -> None:
        from workbench.tui.screens.help import HelpScreen

        await self.push_screen(HelpScreen.of(self.screen))

    def action_leave(self) -> None:
        """When the edits under way are made: whether anything is unsaved is known by then."""
        if (session := self.session) is None:
            self.exit()
        else:
            self.in_turn(lambda: self.post_message(Leaving(unsaved=session.draft.changed)))

    @on(Leaving)
    async def _leave(self, message: Leaving) -> None:
        from workbench.tui.screens.leave import LeaveScreen

        if not message.unsaved:
            self.exit()
        elif not isinstance(self.screen, LeaveScreen):
            await self.push_screen(LeaveScreen())
