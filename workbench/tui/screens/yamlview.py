"""The whole draft as YAML, and everything a careful reader would ask about it."""

from collections.abc import Iterable

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.policy import Doubt
from workbench.model.text import few_of_each
from workbench.tui.screens.base import WorkScreen
from workbench.tui.screens.policylists import doubts
from workbench.tui.widgets.codeview import CodeView

MOST_TOLD = 10
"""Doubts of one kind."""


class YamlScreen(WorkScreen):
    """Read only: edits go through the lists, or through policy.yaml and `reload`."""

    TAB = "policy"
    AUTO_FOCUS = "CodeView"

    def body(self) -> Iterable[Widget]:
        yield Static(Content(" the draft as YAML"), id="crumbs")
        yield CodeView(id="code")
        with VerticalScroll(id="notes", can_focus=False):
            yield Static(id="notes-text")

    def load(self) -> None:
        session = self.opened
        self.ask("yaml", session.draft.policy_text, self._show)
        self.ask("warnings", lambda: doubts(session), self._warn)

    def _show(self, text: str) -> None:
        self.query_one(CodeView).show(text.splitlines())

    def _warn(self, warnings: tuple[Doubt, ...]) -> None:
        self.query_one("#notes").display = bool(warnings)
        text = "\n".join(f"! {line}" for line in few_of_each(warnings, MOST_TOLD))
        self.query_one("#notes-text", Static).update(Content.styled(text, "$warning"))
