"""An input line with a list of ways to go on under it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

Completer = Callable[[str, int], tuple[int, Sequence[str]]]
"""(text, cursor) → where the piece begins that a choice replaces, and the choices.

Called in a thread.
"""
_MOST = 50
"""Choices shown."""


def words_of(choices: Callable[[], Sequence[str]], separators: str = " ,") -> Completer:
    """Complete the word at the cursor from a list of words."""

    def complete(text: str, cursor: int) -> tuple[int, Sequence[str]]:
        start = max((text.rfind(one, 0, cursor) for one in separators), default=-1) + 1
        typed = text[start:cursor]
        if typed in choices():
            return start, ()
        taken = set(text[:start].replace(",", " ").split())
        found = [word for word in choices() if word.startswith(typed) and word not in taken]
        found += [word for word in choices() if typed in word and word not in {*found, *taken}]
        return start, found

    return complete


class CompletingInput(Vertical):
    """Type, `down` to a choice, `tab` or `enter` to take it. Posts Edited and Entered."""

    class Edited(Message):
        """The text changed."""

        def __init__(self, field: "CompletingInput", value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

        @property
        def control(self) -> "CompletingInput":
            return self.field

    class Entered(Message):
        """Enter, with no choice pending."""

        def __init__(self, field: "CompletingInput", value: str) -> None:
            super().__init__()
            self.field, self.value = field, value

        @property
        def control(self) -> "CompletingInput":
            return self.field

    @dataclass
    class Offered(Message):
        """A worker found ways to go on."""

        number: int
        start: int
        choices: Sequence[str]

    class Blurred(Message):
        """The focus has gone elsewhere, whatever was typed."""

    class Left(Message):
        """Escape, with no list open."""

        def __init__(self, field: "CompletingInput") -> None:
            super().__init__()
            self.field = field

        @property
        def control(self) -> "CompletingInput":
            return self.field

    def __init__(
        self,
        completer: Completer | None = None,
        *,
        value: str = "",
        placeholder: str = "",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.completer = completer
        self._line = _Line(value, placeholder=placeholder, compact=True, select_on_focus=False)
        self._list = OptionList(compact=True)
        self._list.can_focus = False
        self._start = 0
        self._asked = 0

    def compose(self) -> ComposeResult:
        yield self._line
        yield self._list

    def on_mount(self) -> None:
        self._list.display = False

    @property
    def typing(self) -> bool:
        """Whether the focus is here."""
        return self._line.has_focus

    @property
    def value(self) -> str:
        return self._line.value

    @value.setter
    def value(self, value: str) -> None:
        """Set the text without opening the list."""
        with self._line.prevent(Input.Changed):
            self._line.value = value
        self._line.cursor_position = len(value)
        self._close()

    def focus(self, scroll_visible: bool = True) -> "CompletingInput":
        self._line.focus(scroll_visible)
        return self

    def _close(self) -> None:
        """Without the list, and without whatever is still being looked for."""
        self._asked += 1
        self._list.display = False

    # ── the list ───────────────────────────────────────────────────────────────────────────

    @property
    def _choice(self) -> str | None:
        if not self._list.display or self._list.highlighted is None:
            return None
        return self._list.get_option_at_index(self._list.highlighted).id

    def suggest(self) -> None:
        """Look for ways to go on, in a thread: a site may have very many names."""
        self._asked += 1
        completer, number = self.completer, self._asked
        text, cursor = self.value, self._line.cursor_position
        if completer is None or not self._line.has_focus:
            self._list.display = False
            return

        def look() -> None:
            if number == self._asked:  # not if the text moved on while it waited for a thread
                self.post_message(self.Offered(number, *completer(text, cursor)))

        self.run_worker(look, thread=True, group="complete")

    @on(Offered)
    def _offer(self, event: Offered) -> None:
        """Show the choices, unless the text has moved on."""
        event.stop()
        if event.number != self._asked or not self._line.has_focus:
            return
        self._start = event.start
        self._list.clear_options()
        self._list.add_options(Option(Content(one), id=one) for one in event.choices[:_MOST])
        self._list.highlighted = None
        self._list.display = bool(event.choices)
        self._list.styles.offset = (min(self._start, max(0, self.size.width - 20)), 0)

    def _take(self, choice: str) -> None:
        text, cursor = self.value, self._line.cursor_position
        end = cursor
        while end < len(text) and text[end] not in " ,":
            end += 1
        self.value = text[: self._start] + choice + text[end:]
        self._line.cursor_position = self._start + len(choice)
        self.post_message(self.Edited(self, self.value))
        if choice.endswith((":", "=")):
            self.suggest()

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.suggest()
        self.post_message(self.Edited(self, event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if (choice := self._choice) is not None:
            self._take(choice)
            return
        self._close()
        self.post_message(self.Entered(self, event.value))

    @on(Input.Blurred)
    def _blurred(self, event: Input.Blurred) -> None:
        event.stop()
        self._close()
        self.post_message(self.Blurred())

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option.id is not None:
            self._line.focus()
            self._take(event.option.id)

    @on(OptionList.OptionHighlighted)
    def _quiet(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()

    def step(self, by: int) -> None:
        """Move in the list, opening it if need be."""
        if not self._list.display:
            self.suggest()
        elif by > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def complete(self) -> bool:
        """Take the choice, or the first that fits what is typed; False when there is none."""
        typed = self.value[self._start : self._line.cursor_position]
        choice = self._choice
        if choice is None and self._list.display and typed:
            choice = self._list.get_option_at_index(0).id
        if choice is not None:
            self._take(choice)
        return choice is not None

    def leave(self) -> None:
        """Close the list, or ask the owner to move on."""
        if self._list.display:
            self._close()
        else:
            self.post_message(self.Left(self))


class _Line(Input):
    """The text itself; it hands the keys of the list to its parent."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "step(1)", "choices", show=False, id="input.down"),
        Binding("up", "step(-1)", "choices", show=False, id="input.up"),
        Binding("tab", "take", "complete", show=False, id="input.take"),
        Binding("enter", "submit", "apply", id="input.enter"),
        Binding("escape", "leave", "back", id="input.leave"),
    ]

    @property
    def _owner(self) -> CompletingInput:
        assert isinstance(self.parent, CompletingInput)  # noqa: S101
        return self.parent

    def action_step(self, by: int) -> None:
        self._owner.step(by)

    def action_leave(self) -> None:
        self._owner.leave()

    def action_take(self) -> None:
        if not self._owner.complete():
            self.screen.focus_next()
