"""The filter line that every screen shares."""

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.errors import FilterError
from workbench.model.text import short_count
from workbench.tui.widgets.completing import Completer, CompletingInput


class FilterBar(Vertical):
    """`/ client:office service:tcp/445      37 of 412 conversations`, and what is wrong with it."""

    class Wanted(Message):
        """The user entered another filter."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The user is done here: the screen takes the focus back."""

    counts: reactive[tuple[int, int] | None] = reactive(None)
    """Conversations that match, and all of them."""

    def __init__(self, completer: Completer) -> None:
        super().__init__()
        self._field = CompletingInput(
            completer,
            placeholder="filter: client:office server:db service:tcp/445 verdict:blocked",
            id="filter",
        )
        self._count = Static("", id="filter-count")
        self._error = Static("", id="filter-error")
        self._applied = ""
        """The filter in force, which may not be what stands in the line."""

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("/", id="filter-mark")
            yield self._field
            yield self._count
        yield self._error

    def on_mount(self) -> None:
        self._error.display = False

    def watch_counts(self) -> None:
        self._tell()

    @on(CompletingInput.Blurred)
    def _tell(self) -> None:
        """How many match; or that the counts are not of what stands in the line."""
        if not self.typing and self.text != self._applied:
            self._count.update(Content.assemble(("not applied: ⏎ here", "$warning")))
            return
        if self.counts is None:
            self._count.update("")
            return
        some, every = self.counts
        of = "" if some == every else f"{short_count(some)} of "
        word = "conversations" if self.size.width >= 100 else "conv"
        self._count.update(Content(f"{of}{short_count(every)} {word}"))

    def on_resize(self) -> None:
        self._tell()

    @property
    def typing(self) -> bool:
        """Whether the user is in the line just now."""
        return self._field.typing

    @property
    def text(self) -> str:
        return self._field.value

    def apply(self, text: str) -> None:
        """The filter in force is another one; what is being typed stays."""
        self._applied = text
        if not self.typing:
            self.reset()

    def reset(self) -> None:
        """What is typed goes for the filter in force."""
        if self.text != self._applied:
            self._field.value = self._applied
        self._tell()

    def focus(self, scroll_visible: bool = True) -> "FilterBar":
        self._field.focus(scroll_visible)
        return self

    def show_error(self, error: FilterError | None) -> None:
        """Point at the term that is wrong, in words; None when all is well."""
        self._error.display = error is not None
        if error is not None:
            pointer = " " * (error.position + 2) + "▲ "
            fits = len(pointer) + len(error.problem) <= self.size.width
            text = (
                pointer + error.problem
                if fits
                else f"  column {error.position + 1}: {error.problem}"
            )
            self._error.update(Content(text))

    @on(CompletingInput.Entered)
    def _entered(self, event: CompletingInput.Entered) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value))

    @on(CompletingInput.Left)
    def _left(self, event: CompletingInput.Left) -> None:
        event.stop()
        self.post_message(self.Left())
