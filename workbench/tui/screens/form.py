"""Forms: named lines with completion, what the values would do, and what is wrong with them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.completing import Completer, CompletingInput

if TYPE_CHECKING:
    from workbench.session import Session

Values = Mapping[str, str]
"""Field key → text as typed."""
Parts = Sequence[tuple[str, str]]
"""Text and tone."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a form."""

    key: str
    label: str
    value: str = ""
    hint: str = ""
    completer: Completer | None = None


class Form(Dialog):
    """Subclasses give `fields`, `preview` and `change`; both run in workers."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "accept", "accept", show=False, id="form.accept", priority=True,
                tooltip="Enter does the same"),
    ]  # fmt: skip

    def fields(self) -> Iterable[Field]:
        """The lines, first to last."""
        raise NotImplementedError

    def preview(self, session: "Session", values: Values) -> Parts:
        """What the values would do; raises our errors for values that cannot be."""
        raise NotImplementedError

    def change(self, session: "Session", values: Values) -> str | None:
        """Make it so, in the draft; or elsewhere, and return what was done."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        for field in self.fields():
            with Horizontal(classes="form-line"):
                yield Static(field.label, classes="form-label")
                yield CompletingInput(
                    field.completer, value=field.value, placeholder=field.hint, id=field.key
                )
        yield Static(id="form-preview")

    def on_mount(self) -> None:
        self.query(CompletingInput).first().focus()
        self._look()

    @property
    def values(self) -> Values:
        return {str(field.id): field.value.strip() for field in self.query(CompletingInput)}

    @on(CompletingInput.Edited)
    def _look(self) -> None:
        session, values = self.opened, self.values
        self.ask("preview", lambda: self.preview(session, values), self._show, self.say)

    def _show(self, parts: Parts) -> None:
        self.say(None)
        spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
        self.query_one("#form-preview", Static).update(Content.assemble(*spans))

    def say(self, problem: WorkbenchError | str | None) -> None:
        if problem is not None:
            self.query_one("#form-preview", Static).update("")
        super().say(problem)

    @on(CompletingInput.Entered)
    def action_accept(self) -> None:
        """Edit; the form stays open while something is wrong."""
        values = self.values
        self.forget("preview")
        self.change_with(lambda session: self.change(session, values))


def listed(text: str) -> tuple[str, ...]:
    """`web, app db` → three words."""
    return tuple(text.replace(",", " ").split())


def always(words: Sequence[str]) -> Callable[[], Sequence[str]]:
    """A list of words as what a completer asks for."""
    return lambda: words
