"""Undo and redo, and what they do to the recorded traffic."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.tui.desk import Told


def undo(session: "Session") -> "Told":
    """Take back the last edit: its effect the other way round."""
    before = session.draft.present
    what = session.draft.undo()
    return "nothing to undo" if what is None else (f"undone: {what}", session.change_since(before))


def redo(session: "Session") -> "Told":
    """The edit again, and what it does."""
    before = session.draft.present
    what = session.draft.redo()
    return "nothing to redo" if what is None else (f"redone: {what}", session.change_since(before))
