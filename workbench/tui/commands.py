"""The palette: every command of the screen in front, by name."""

from collections.abc import Callable
from functools import partial

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider

EXTRA = (
    ("Reload from disk", "app.reload", "Take policy.yaml and inventory.yaml as they are on disk"),
    (
        "Write the report",
        "app.report",
        "report.html in the workspace, for who signs the policy off",
    ),
    ("Choose a theme", "app.change_theme", "The workbench's own and Textual's"),
    ("Picture of this screen", "app.screenshot", "Saved as SVG"),
    ("Copy the last error", "app.copy_error", "The whole text, to the clipboard"),
)
"""Commands without a key."""


class Palette(CommandPalette):
    """Textual's, but for a second Enter: it would close the screen below, too."""

    def dismiss(self, result: None = None) -> AwaitComplete:
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Commands(Provider):
    """What the keys of the screen in front can do, and the few commands that have no key."""

    def _commands(self) -> list[tuple[str, str, Callable[[], object]]]:
        seen: dict[str, tuple[str, str, Callable[[], object]]] = {}
        active = sorted(self.screen.active_bindings.values(), key=lambda one: not one.binding.show)
        for node, binding, enabled, tooltip in active:
            moves = not tooltip and node is not self.app  # arrows and the like
            if enabled and binding.id and not moves:
                key = self.app.get_key_display(binding)
                title = f"{binding.description[0].upper()}{binding.description[1:]}  ({key})"
                call = partial(self.app.run_action, binding.action, node)
                seen.setdefault(binding.action, (title, tooltip, call))
        for title, action, tooltip in EXTRA:
            seen.setdefault(action, (title, tooltip, partial(self.app.run_action, action)))
        return list(seen.values())

    async def discover(self) -> Hits:
        for title, tooltip, call in self._commands():
            yield DiscoveryHit(title, call, text=title, help=tooltip or None)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, tooltip, call in self._commands():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), call, text=title, help=tooltip or None)
