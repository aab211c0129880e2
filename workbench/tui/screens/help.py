"""`?`: the four steps, the keys of the screen in front, and what the glyphs mean."""

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.glyphs import CLASS_STYLES, LEGEND
from workbench.tui.screens.dialog import Dialog

STEPS = (
    ("label", "4 Hosts: space marks, l labels, S makes a segment"),
    ("draft", "2 Matrix: a allows this, p proposes the rest"),
    ("simulate", "6 Simulate: what would break; every edit counts"),
    ("export", "7 Export: nftables, Kubernetes; proven, written"),
)
"""The whole job, a line each."""

Key = tuple[str, str, str]
"""Key, what it does, more about it."""


class HelpScreen(Dialog):
    """Built from the bindings that were active on the screen below."""

    TITLE_TEXT = "Help"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "leave", "close", id="help.leave"),
    ]

    def __init__(self, keys: Iterable[Key]) -> None:
        super().__init__()
        self._keys = tuple(keys)

    @classmethod
    def of(cls, screen: Screen[Any]) -> "HelpScreen":
        """Help for a screen: every active binding with a description, each action once."""
        found: dict[str, tuple[list[str], str, str]] = {}
        active = sorted(screen.active_bindings.values(), key=lambda one: not one.binding.show)
        for _, binding, _, tooltip in active:
            if binding.description and not binding.system:
                keys, _, _ = found.setdefault(
                    binding.action, ([], binding.description, tooltip or binding.tooltip)
                )
                keys.append(screen.app.get_key_display(binding))
        return cls((" ".join(keys), text, more) for keys, text, more in found.values())

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="help-scroll"):
            yield Static(self._content())

    def _content(self) -> Content:
        parts: list[tuple[str, str]] = [("From capture to proven allow-list\n", "bold")]
        for step, text in STEPS:
            parts += [(f"  {step:<11}", "bold $primary"), (f"{text}\n", "")]
        parts.append(("\nKeys here\n", "bold"))
        wide = max((len(text) for _, text, _ in self._keys), default=0) + 2
        for key, text, more in self._keys:
            parts += [
                (f"  {key:<11}", "bold $primary"),
                (f"{text:<{wide}}", ""),
                (f"{more}\n", "$foreground 60%"),
            ]
        parts.append(("\nGlyphs\n", "bold"))
        for glyph, tone, word, meaning in LEGEND:
            parts += [
                (f"  {glyph:<6}", CLASS_STYLES[tone]),
                (f"{word:<20}", ""),
                (f"{meaning}\n", "$foreground 60%"),
            ]
        return Content.assemble(*parts)
