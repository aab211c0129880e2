"""`?`: the four steps, the keys of the screen in front, and what the glyphs mean."""

from collections.abc import Iterable
from dataclasses import replace
from textwrap import wrap
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from workbench.tui.glyphs import CLASS_STYLES, LEGEND
from workbench.tui.keys import keys_file
from workbench.tui.screens.dialog import Dialog

STEPS = (
    ("label", "4 Hosts: space marks, l labels, S makes a segment"),
    ("draft", "2 Matrix: a allows this, p proposes the rest"),
    ("simulate", "6 Simulate: what would break; every edit counts"),
    ("export", "9 Export: nftables, Kubernetes; proven, written"),
)
"""The whole job, a line each."""

Key = tuple[str, str, str, str]
"""Key, what it does, more about it, the id it has in the key file."""


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
        found: dict[str, Key] = {}
        active = sorted(screen.active_bindings.values(), key=lambda one: not one.binding.show)
        for _, binding, _, tooltip in active:
            if binding.id:  # Textual's own keys have none
                keys = screen.app.get_key_display(binding)
                if binding.action in found:
                    before = found[binding.action][0]
                    if keys in before.split():  # the sign stands for the first of them
                        keys = screen.app.get_key_display(replace(binding, key_display=None))
                    keys = f"{before} {keys}"
                about = tooltip or binding.tooltip
                found[binding.action] = (keys, binding.description, about, binding.id)
        return cls(found.values())

    def body(self) -> Iterable[Widget]:
        with VerticalScroll(id="help-scroll"):
            yield Static(self._content())

    def _content(self) -> Content:
        parts: list[tuple[str, str]] = [("From capture to proven allow-list\n", "bold")]
        for step, text in STEPS:
            parts += [(f"  {step:<11}", "bold $primary"), (f"{text}\n", "")]
        parts.append(("\nKeys here\n", "bold"))
        wide = max((len(text) for _, text, *_ in self._keys), default=0) + 2
        for key, text, more, _ in self._keys:
            parts += [(f"  {key:<11}", "bold $primary"), (f"{text:<{wide}}", "")]
            parts.append((self._hanging(more, wide + 13), "$dim"))
        parts.append(("\nGlyphs\n", "bold"))
        for glyph, tone, word, meaning in LEGEND:
            parts += [(f"  {glyph:<6}", CLASS_STYLES[tone]), (f"{word:<20}", "")]
            parts.append((self._hanging(meaning, 28), "$dim"))
        ids = ", ".join(name for *_, name in self._keys)
        parts += [
            ("\nOther keys\n", "bold"),
            (f'  in {keys_file()}, a line each such as  undo = "z"\n', ""),
            (f"  {self._hanging(ids, 2)}", "$dim"),
        ]
        return Content.assemble(*parts)

    def _hanging(self, text: str, indent: int) -> str:
        """Text behind a column: its further lines begin where the first did."""
        room = min(110, self.app.size.width * 9 // 10) - 6 - indent
        return f"\n{' ' * indent}".join(wrap(text, max(20, room))) + "\n"
