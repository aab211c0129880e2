"""The tab line: `1 Captures │ 2 Matrix │ …`."""

from collections.abc import Mapping

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import Static


class TabLine(Static):
    """Names of the screens, the current one lit; a click asks for another."""

    class Picked(Message):
        """The user clicked a tab."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    current: reactive[str] = reactive("")

    def __init__(self, titles: Mapping[str, str], current: str) -> None:
        super().__init__()
        self._titles = titles
        self.set_reactive(TabLine.current, current)

    def _labels(self) -> list[tuple[str, str]]:
        """(name, label) in order: roomy, tight, or digits only but for the current one."""
        for roomy, gap in ((" ", " "), ("", " "), ("", "")):
            labels = [
                (name, f"{roomy}{at}{gap}{title}{roomy}")
                for at, (name, title) in enumerate(self._titles.items(), 1)
            ]
            if sum(len(label) + 1 for _, label in labels) - 1 <= self.size.width:
                return labels
        return [(name, label if name == self.current else label[0]) for name, label in labels]

    def render(self) -> Content:
        parts: list[tuple[str, str]] = []
        for name, label in self._labels():
            lit = name == self.current
            parts += [(label, "bold reverse $primary" if lit else ""), ("│", "$foreground 30%")]
        return Content.assemble(*parts[:-1])

    def on_click(self, event: events.Click) -> None:
        left = 0
        for name, label in self._labels():
            if left <= event.x < left + len(label):
                self.post_message(self.Picked(name))
            left += len(label) + 1


class PageLine(TabLine):
    """Pages of one screen in the same manner: without digits, which are taken."""

    class Picked(Message):
        """The user clicked a page."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def _labels(self) -> list[tuple[str, str]]:
        return [(name, f" {title} ") for name, title in self._titles.items()]
