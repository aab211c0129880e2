"""Leaving with an unsaved draft."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.screens.dialog import Dialog

if TYPE_CHECKING:
    from workbench.session import Session


class LeaveScreen(Dialog):
    """Save, throw away, or stay."""

    TITLE_TEXT = "The draft is not saved"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s", "save", "save and quit", id="leave.save"),
        Binding("d", "discard", "quit without saving", id="leave.discard"),
    ]

    def body(self) -> Iterable[Widget]:
        yield Static("policy.yaml and inventory.yaml on disk are as they were when last saved.")

    def action_save(self) -> None:
        self.change_with(_save)

    def accepted(self) -> None:
        self.app.exit()

    def action_discard(self) -> None:
        self.app.exit()


def _save(session: "Session") -> None:
    session.save()
