"""The desk under every screen: the session, edits in their order, long work with a way to stop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from textual import on
from textual.message import Message
from textual.reactive import reactive

from workbench.model.errors import Cancelled, WorkbenchError
from workbench.model.filters import NO_FILTER, Filter
from workbench.model.traffic import Progress
from workbench.tui.asking import Asking
from workbench.tui.messages import Progressed
from workbench.tui.weighing import Weighing

if TYPE_CHECKING:
    from workbench.model.simulation import Changes
    from workbench.session import Session, Summary

T = TypeVar("T")
Tell = Callable[[Progress], None]
Stopped = Callable[[], bool]
Told: TypeAlias = "str | tuple[str, Changes | None]"


class Desk(Weighing):
    """What screens may rely on: `session`, and reactives that say when to look again."""

    @dataclass
    class Opened(Message):
        """The workspace is open."""

        session: "Session"
        summary: "Summary"

    @dataclass
    class Edited(Message):
        """The draft or the traffic is another one now."""

        summary: "Summary"
        told: str
        changes: "Changes | None"
        done: Callable[[], object] | None = None

    @dataclass
    class Finished(Message):
        """Long work has ended: with a value, or stopped by the user."""

        value: Any
        done: Callable[[Any], None]
        stopped: bool

    @dataclass
    class Failed(Message):
        """Work outside any screen could not be done."""

        error: WorkbenchError
        fatal: bool = False
        long: bool = False
        failed: Callable[[WorkbenchError], None] | None = None

    summary: "reactive[Summary | None]" = reactive(None)
    revision: reactive[int] = reactive(0)
    """Grows with every change of the draft or the traffic: screens reload when it moves."""
    chosen: reactive[Filter] = reactive(NO_FILTER)
    """The filter every screen shares."""
    progress: reactive[Progress | None] = reactive(None)

    def __init__(self, workspace: Path, on: date | None = None) -> None:
        super().__init__()
        self.workspace_folder = workspace
        self._on = on
        """The day that expiry dates are judged by; today unless given."""
        self.session: Session | None = None
        self.last_edit: tuple[str, Changes | None] | None = None
        """What was done last, and what it did; None for undo, save and the like."""
        self.last_error = ""
        self.fatal: WorkbenchError | None = None
        """Why the workspace could not be opened."""
        self._turns = ThreadPoolExecutor(1, "edit")
        self._stop: threading.Event | None = None

    # ── opening ────────────────────────────────────────────────────────────────────────────

    def open_workspace(self) -> None:
        """In a thread: the first paint does not wait for the database."""
        self.run_worker(self._open, thread=True)

    def _open(self) -> None:
        from workbench.session import Session

        try:
            session = Session.open(self.workspace_folder, on=self._on)
            self.post_message(self.Opened(session, session.summary()))
        except WorkbenchError as error:
            self.post_message(self.Failed(error, fatal=True))

    @on(Opened)
    def _opened(self, message: Opened) -> None:
        self.session, self.summary = message.session, message.summary
        self.revision += 1
        self.weigh(message.session)

    # ── edits ──────────────────────────────────────────────────────────────────────────────

    def edit(
        self,
        change: Callable[["Session"], "Told | None"],
        done: Callable[[], object] | None = None,
        failed: Callable[[WorkbenchError], None] | None = None,
    ) -> None:
        """Change the draft in a thread, one edit at a time; then show what it did.

        `change` may return words to show in place of the edit's own, with or without effects.
        `done` or `failed` (a notice, unless given) runs on the event loop.
        """
        session = self.session
        if session is None:
            return

        def work() -> None:
            try:
                told = change(session)
                summary = session.summary()
                if told is None:
                    told = session.last_change()
                label, changes = (told, None) if isinstance(told, str) else told
                self.post_message(self.Edited(summary, label, changes, done))
            except WorkbenchError as error:
                self.post_message(self.Failed(error, failed=failed))

        self.in_turn(work)

    def in_turn(self, work: Callable[[], object]) -> None:
        """In the one thread that edits, behind every edit that was asked for before."""
        turn = self._turns.submit(copy_context().run, work)
        self.run_worker(asyncio.wrap_future(turn), group="edit")

    def edits_made(self) -> None:
        """Wait for the edits under way; not on the event loop."""
        self._turns.submit(int).result()

    @on(Edited)
    def _edited(self, message: Edited) -> None:
        self.summary, self.last_edit = message.summary, (message.told, message.changes)
        self.revision += 1
        if self.session is not None:
            self.weigh(self.session)
        if message.done is not None:
            message.done()
        if message.told:
            self.clear_notifications()
            self.screen.query("ToastHolder").remove()  # or each would keep an empty line
            if not (isinstance(self.screen, Asking) and self.screen.TELLS_EDITS):
                self.notify(message.told + effect(message.changes), markup=False, timeout=4)

    # ── long work ──────────────────────────────────────────────────────────────────────────

    def long_work(
        self,
        job: Callable[[Tell, Stopped], T],
        done: Callable[[T], None],
        failed: Callable[[WorkbenchError], None] | None = None,
    ) -> None:
        """Run `job` in a thread with a progress line on every screen; Escape stops it."""
        if self._stop is not None:
            self.notify("one thing at a time: escape stops what is running", markup=False)
            return
        stop = self._stop = threading.Event()

        def tell(progress: Progress) -> None:
            self.post_message(Progressed(progress))

        def work() -> None:
            try:
                self.post_message(self.Finished(job(tell, stop.is_set), done, stopped=False))
            except Cancelled:
                self.post_message(self.Finished(None, done, stopped=True))
            except WorkbenchError as error:
                self.post_message(self.Failed(error, long=True, failed=failed))

        self.run_worker(work, thread=True, group="long")

    def stop_work(self) -> bool:
        """Ask long work to stop; False when there is none."""
        if self._stop is None:
            return False
        self._stop.set()
        return True

    @on(Progressed)
    def _progressed(self, message: Progressed) -> None:
        if self._stop is not None:
            self.progress = message.progress

    @on(Finished)
    def _finished(self, message: Finished) -> None:
        self._stop, self.progress = None, None
        if message.stopped:
            self.edit(lambda _: "stopped; what was finished stays")
        else:
            message.done(message.value)

    def action_command_palette(self) -> None:
        from workbench.tui.commands import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    # ── errors ─────────────────────────────────────────────────────────────────────────────

    @on(Failed)
    def _failed(self, message: Failed) -> None:
        if message.long:
            self._stop, self.progress = None, None
        if message.fatal:
            self.fatal = message.error
            self.exit(return_code=2)
        else:
            (message.failed or self.show_error)(message.error)

    def show_error(self, error: WorkbenchError) -> None:
        """What happened, where, what to do; the palette can copy it."""
        self.last_error = str(error)
        self.notify(str(error), severity="error", markup=False, timeout=12)

    def on_unmount(self) -> None:
        """Stop what runs, then let go of the store."""
        self.stop_work()
        self.stop_weighing()
        if self.session is not None:
            self.session.close()


def effect(changes: "Changes | None") -> str:
    """`   ✗ +2  ✓ +4`: what became blocked and allowed; empty where nothing did."""
    counts = (("✗", changes.newly_blocked), ("✓", changes.newly_allowed)) if changes else ()
    told = "  ".join(f"{glyph} +{count:,}" for glyph, count in counts if count)
    return f"   {told}" if told else ""
