"""Undo and redo, and what they do to the recorded traffic."""

from typing import TYPE_CHECKING

import numpy as np

from workbench.model.simulation import Changes
from workbench.model.verdict import Verdict

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.tui.desk import Told


def undo(session: "Session") -> "Told":
    """Take back the last edit: its effect the other way round."""
    _, done = session.last_change()
    was = session.simulation.verdicts
    what = session.draft.undo()
    if what is None:
        return "nothing to undo"
    now = session.simulation.verdicts

    def newly(verdict: Verdict) -> int:
        return int(np.count_nonzero((now == verdict) & (was != verdict)))

    allowed, blocked = newly(Verdict.ALLOWED), newly(Verdict.BLOCKED)
    return f"undone: {what}", Changes(done.rows, done.after, done.before, allowed, blocked)


def redo(session: "Session") -> "Told":
    """The edit again, and what it does."""
    what = session.draft.redo()
    return "nothing to redo" if what is None else (f"redone: {what}", session.last_change()[1])
