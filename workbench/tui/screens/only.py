"""`o` on the export screen: a part of the policy for a target that cannot hold all of it."""

import re
from collections.abc import Callable, Iterable, Sequence

from textual import on
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.completing import CompletingInput, words_of

Only = tuple[str, ...]
"""Protected segments; empty for all."""


def advised(refusal: str) -> Only:
    """The segments that a refusal says the target could hold: `… export with --only a,b`."""
    found = re.search(r"--only (\S+)", refusal)
    return tuple(found[1].split(",")) if found else ()


class OnlyScreen(Dialog):
    """Names of protected segments, or nothing for all of them."""

    TITLE_TEXT = "Protect only these segments in the export"

    def __init__(self, only: Only, names: Sequence[str], chosen: Callable[[Only], None]) -> None:
        super().__init__()
        self._only = only
        self._names = tuple(names)
        self._chosen = chosen

    def body(self) -> Iterable[Widget]:
        yield CompletingInput(
            words_of(lambda: self._names),
            value=" ".join(self._only),
            placeholder="segments, or nothing for all that the policy protects",
            id="only",
        )
        yield Static(f"protected: {', '.join(self._names) or 'nothing'}", markup=False)

    def on_mount(self) -> None:
        self.query_one(CompletingInput).focus()

    @on(CompletingInput.Entered)
    def _entered(self, event: CompletingInput.Entered) -> None:
        only = tuple(event.value.replace(",", " ").split())
        if unknown := [name for name in only if name not in self._names]:
            self.say(f"{unknown[0]} is not a protected segment")
        else:
            self._chosen(only)
            self.dismiss()
