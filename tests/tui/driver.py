"""Driving the interface by its keys, and reading what it shows."""

from contextlib import suppress
from threading import Event
from time import monotonic

from textual import events
from textual.app import App
from textual.pilot import Pilot
from textual.worker import WorkerCancelled

from workbench.tui.app import WorkbenchApp

QUIET_ROUNDS = 3
PATIENCE = 60.0
"""Seconds; only a machine that hardly runs at all comes near it."""


async def settle(pilot: Pilot[None], opened: bool = True) -> None:
    """Until every question has been asked, answered and drawn (drawing asks for pages).

    Workers answer by messages, and messages start workers, so one quiet moment proves nothing:
    it takes several in a row with nothing running, nothing queued and the workspace open
    (`opened=False`: a workspace that never opens).
    """
    give_up = monotonic() + PATIENCE
    quiet = 0
    while quiet < QUIET_ROUNDS:
        assert monotonic() < give_up, "the interface did not come to rest"
        at_rest = resting(pilot.app, opened)
        await pilot.pause(0.002)
        with suppress(WorkerCancelled):  # its screen has gone: nobody waits for it
            await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.002)
        if pilot.app.is_running:
            pilot.app.screen._compositor.render_strips()
        quiet = quiet + 1 if at_rest and resting(pilot.app, opened) else 0


def resting(app: App[None], opened: bool) -> bool:
    """No worker runs, no message waits anywhere, and (`opened`) the workspace is open."""
    if not app.is_running:
        return True
    if isinstance(app, WorkbenchApp):
        opening = app.session is None and app.fatal is None
        if (opened and opening) or app._stop is not None:
            return False
    pumps = (app, *app.screen_stack, *app.screen.walk_children())
    return not any(not worker.is_finished for worker in app.workers) and not any(
        pump.message_queue_size or pump._next_callbacks for pump in pumps
    )


async def until(pilot: Pilot[None], happened: Event) -> None:
    """While the interface goes on, wait for what another thread does."""
    give_up = monotonic() + PATIENCE
    while not happened.is_set():
        assert monotonic() < give_up, "it never happened"
        await pilot.pause(0.01)


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Keys one after the other, each with all its consequences (without pilot's idle waits)."""
    for key in keys:
        pilot.app.simulate_key(key)
        await settle(pilot)


async def write(pilot: Pilot[None], text: str) -> None:
    """Text into the input that has the focus."""
    assert pilot.app.focused is not None
    pilot.app.focused.post_message(events.Paste(text))
    await settle(pilot)


def shown(app: WorkbenchApp) -> str:
    """Everything on the screen in front, as plain text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
