"""Driving the interface by its keys, and reading what it shows."""

from textual import events
from textual.pilot import Pilot

from workbench.tui.app import WorkbenchApp


async def settle(pilot: Pilot[None]) -> None:
    """Until every question has been asked, answered and drawn (drawing asks for pages)."""
    for _ in range(3):
        await pilot.pause(0.002)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause(0.002)
        if pilot.app.is_running:
            pilot.app.screen._compositor.render_strips()


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
