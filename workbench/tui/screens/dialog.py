"""What every dialog shares: a box in the middle, keys under it, Escape to leave."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.tui.asking import Asking
from workbench.tui.widgets.completing import CompletingInput
from workbench.tui.widgets.keybar import KeyBar


class Dialog(Asking[None], ModalScreen[None]):
    """Subclasses give `TITLE_TEXT` and `body`."""

    TITLE_TEXT: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="dialog.leave", tooltip="Close, change nothing"),
    ]

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as box:
            box.border_title = self.TITLE_TEXT
            yield from self.body()
            yield Static(id="dialog-error")
            yield KeyBar()

    def body(self) -> Iterable[Widget]:
        """The widgets between title and keys."""
        return ()

    def on_mount(self) -> None:
        self.query_one("#dialog-error").display = False

    def say(self, problem: WorkbenchError | str | None) -> None:
        """What is wrong with what was entered; None when all is well."""
        line = self.query_one("#dialog-error", Static)
        line.display = problem is not None
        line.update(Content(str(problem or "")))

    @on(CompletingInput.Left)
    def _left(self, event: CompletingInput.Left) -> None:
        event.stop()
        self.action_leave()

    def action_leave(self) -> None:
        self.dismiss()
