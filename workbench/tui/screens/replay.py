"""`p` on findings: the intrusion step by step under no policy, the saved one and the draft."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import Finding
from workbench.model.response import Replayed, Step
from workbench.tui.found.panel import FindingPanel
from workbench.tui.found.replayed import Replays, columns, head, step_row
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import plural
from workbench.tui.screens.findingbase import Baseline, FindingBase, Stopped
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    from workbench.session import Session


class ReplayScreen(FindingBase):
    """Steps in order of time; every edit of the draft replays it."""

    def __init__(self, about: str, wanted: Sequence[str], baseline: Baseline) -> None:
        """about: whose intrusion, in words; wanted: ids of the findings it consists of."""
        super().__init__(baseline)
        self._about = about
        self._wanted = frozenset(wanted)
        self._replays: Replays | None = None
        self._by_id: dict[str, Finding] = {}

    def body(self) -> Iterable[Widget]:
        yield Static(id="crumbs")
        yield Static(id="replay-head")
        with Container(id="findings-row"):
            yield PagedTable((), empty="Replaying it …", id="table")
            yield FindingPanel(id="finding-panel")
        yield Static(id="finding-note")
        yield Static(id="list-title")

    def load(self) -> None:
        session, wanted = self.opened, self._wanted

        def more(found: tuple[Finding, ...], stopped: Stopped) -> Replays:
            return replayed(session, [one for one in found if one.id in wanted], stopped)

        self.search(more, self._show)

    def _show(self, replays: Replays) -> None:
        self._replays = replays
        self._by_id = {one.id: one for one in self.found}
        table, name = self.query_one(PagedTable), self.opened.inventory.name
        steps = replays.draft.steps
        table.set_columns(columns(replays), "Nothing of it is in the recording any more.")
        table.show_rows([step_row(at, replays, name) for at in range(len(steps))])
        count = f"{plural(len(self._wanted), 'finding')} › {plural(len(steps), 'step')}"
        self.query_one("#crumbs", Static).update(Content(f" Replay of {self._about} › {count}"))
        spans = [(text, CLASS_STYLES[tone]) for text, tone in head(replays, self.size.width)]
        self.query_one("#replay-head", Static).update(Content.assemble(*spans))
        self.say(
            (" – open: nothing judges it   · not reached: the intruder never got there", "$dim")
        )

    def step(self) -> Step | None:
        """What the cursor is on, under the draft."""
        key = self.query_one(PagedTable).key if self.is_mounted else None
        steps = self._replays.draft.steps if self._replays else ()
        return steps[key] if isinstance(key, int) and key < len(steps) else None

    def finding(self) -> Finding | None:
        step = self.step()
        return self._by_id.get(step.findings[0]) if step and step.findings else None

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "replay" and super().check_action(action, parameters)


def replayed(session: "Session", found: Sequence[Finding], stopped: Stopped) -> Replays:
    """Under no policy, the saved one and the draft."""
    nothing = replace(session.policy, protect=(), rules=(), exclusions=())
    policies = (("none", nothing), ("saved", session.draft.saved.policy), ("draft", session.policy))
    runs: list[Replayed] = [
        session.response.replay(found, policy, name, cancelled=stopped) for name, policy in policies
    ]
    return Replays(tuple(runs))
