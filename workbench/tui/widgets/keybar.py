"""The footer: writes itself from the bindings that are active."""

from textual import events
from textual.binding import Binding
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static


class KeyBar(Static):
    """Keys of the focused widget and its screen, most useful first. The way back and help stay."""

    ALLOW_SELECT = False
    _keys: tuple[tuple[Binding, bool], ...] = ()

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self._changed(self.screen)

    def _changed(self, screen: Screen[object]) -> None:
        seen: dict[str, tuple[Binding, bool]] = {}
        for _, binding, enabled, _ in screen.active_bindings.values():
            back = binding.action == "back" and screen is not self.app.screen_stack[0]
            if (binding.show or back) and binding.description:
                seen.setdefault(binding.action, (binding, enabled))
        keys = sorted(seen.values(), key=lambda key: _rank(key[0], "allow" in seen))
        if tuple(keys) != self._keys:
            self._keys = tuple(keys)
            self.refresh()

    def _shown(self) -> list[tuple[Binding, bool, str]]:
        """As many as fit; the way back and the last one (help) always."""
        labels = [
            (binding, enabled, f" {self.app.get_key_display(binding)} {binding.description} ")
            for binding, enabled in self._keys
        ]
        always = [one for one in labels if one[0].action == "back" or one is labels[-1]]
        room, shown = self.size.width - sum(len(one[2]) for one in always), []
        for label in labels:
            if label in always:
                shown.append(label)
                continue
            room -= len(label[2])
            if room >= 0:
                shown.append(label)
        return shown

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        for binding, enabled, text in self._shown():
            key = f" {self.app.get_key_display(binding)}"
            faint = "" if enabled else " 40%"
            parts += [(key, f"bold $primary{faint}"), (text[len(key) :], f"$foreground{faint}")]
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        left = 0
        for binding, _, text in self._shown():
            if left <= event.x < left + len(text):
                self.app.simulate_key(binding.key)
                return
            left += len(text)


def _rank(binding: Binding, judging: bool) -> int:
    """Where space is short the last keys are dropped: deeper, judge, the screen's own, help."""
    if binding.action == "explain":
        return 2 if judging else 6
    known = {"choose": 0, "accept": 0, "submit": 0, "allow": 1, "filter": 7, "leave": 8, "back": 8}
    return known.get(binding.action, 9 if binding.action == "app.help" else 5)
