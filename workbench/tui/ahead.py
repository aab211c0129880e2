"""What the other screens need, imported while the first one is looked at."""

import gc
from collections.abc import Iterable
from importlib import import_module

_ROOMS = ("findings", "response", "exporting", "vulnerabilities")
"""Of the session, entered by a screen or a key."""
_YOUNG = 20_000
"""New values between two looks for garbage: a look takes some 10 ms, and holds everything up."""


def look_ahead(modes: Iterable[str], *, alone: bool) -> None:
    """In a thread: on the event loop, the first look at a screen would wait for its imports.

    `alone`: the process is the application's own, its garbage too.
    """
    for mode in modes:
        import_module(f"workbench.tui.screens.{mode}")
    for room in _ROOMS:
        import_module(f"workbench.session.{room}")
    if alone:
        gc.freeze()  # what is here by now stays: no use in looking through it again and again
        gc.set_threshold(_YOUNG)
