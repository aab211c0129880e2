"""What every dialog shares: a box in the middle, keys under it, Escape to leave."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

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

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.tui.desk import Told


class Dialog(Asking[None], ModalScreen[None]):
    """Subclasses give `TITLE_TEXT` and `body`."""

    TITLE_TEXT: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="dialog.leave", tooltip="Close, change nothing"),
    ]

    _under_way = False

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

    # ── edits ──────────────────────────────────────────────────────────────────────────────

    def change_with(self, change: "Callable[[Session], Told | None]") -> None:
        """Make an edit and close; a second Enter while it is under way does nothing."""
        if self._under_way:
            return
        self._under_way = True
        self.bench.edit(change, self.accepted, self._unchanged)

    def accepted(self) -> None:
        """The edit is made; by now the user may have left."""
        self.dismiss()

    def _unchanged(self, error: WorkbenchError) -> None:
        self._under_way = False
        if self.is_active:
            self.say(error)
        else:  # left meanwhile
            self.bench.show_error(error)

    def action_leave(self) -> None:
        self.dismiss()
