"""`p` on findings: the intrusion step by step under no policy, the saved one and the draft."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.finding import Finding
from workbench.model.text import plural
from workbench.tui.desk import Stopped
from workbench.tui.found.panel import FindingPanel
from workbench.tui.found.replayed import Replays, because, columns, head, step_row
from workbench.tui.found.rows import Part
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.findingbase import Baseline, FindingBase
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    from workbench.session import Session


class ReplayScreen(FindingBase):
    """Steps in order of time; every edit of the draft replays it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next", "next hop", id="replay.next", tooltip="To the next step of a hop"),
        Binding("c", "collapse", "every step", id="replay.every",
                tooltip="Every conversation, or those of a finding that end alike as one"),
        Binding("b", "teach", "baseline", id="replay.baseline",
                tooltip="Also the policy that the traffic before the intrusion asks for"),
    ]  # fmt: skip

    def __init__(self, about: str, wanted: Sequence[str], baseline: Baseline) -> None:
        """about: whose intrusion, in words; wanted: ids of the findings it consists of."""
        super().__init__(baseline)
        self._about = about
        self._wanted = frozenset(wanted)
        self._replays: Replays | None = None
        self._by_id: dict[str, Finding] = {}
        self._collapsed = True
        self._taught = baseline.moment is not None
        """Whether the policy that a baseline teaches is replayed as well."""

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
        moment, taught = self.baseline.moment, self._taught

        def more(found: tuple[Finding, ...], stopped: Stopped) -> Replays:
            chosen = [one for one in found if one.id in wanted and not one.suppression]
            begun = min((one.first_us for one in chosen), default=None)
            until = begun if moment is None else moment
            return replayed(session, chosen, until if taught else None, stopped)

        self.search(more, self._show)

    def _show(self, replays: Replays) -> None:
        first, self._replays = self._replays is None, replays
        self._by_id = {one.id: one for one in self.found}
        steps = len(replays.draft.steps)
        count = f"{plural(len(self._wanted), 'finding')}, {plural(steps, 'step')}"
        self.query_one("#crumbs", Static).update(Content(f" Replay of {self._about} › {count}"))
        self._draw_head()
        self._list()
        if first:
            self.action_next()

    def _draw_head(self) -> None:
        if self._replays is not None:
            parts = head(self._replays, self.size.width)
            spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
            self.query_one("#replay-head", Static).update(Content.assemble(*spans))

    def on_resize(self) -> None:
        self._draw_head()

    def _list(self) -> None:
        replays, table = self._replays, self.query_one(PagedTable)
        if replays is None:
            return
        every = tuple((at,) for at in range(len(replays.draft.steps)))
        groups = replays.alike() if self._collapsed else every
        name = self.opened.inventory.name
        table.set_columns(columns(replays), "Nothing of it is in the recording any more.")
        table.show_rows([step_row(alike, replays, name) for alike in groups])
        told = " – open: nothing judges it   · not reached: never got there   red: through"
        self.say((told, "$dim"))

    @property
    def _at(self) -> int | None:
        """The step under the cursor."""
        key = self.query_one(PagedTable).key if self.is_mounted else None
        steps = self._replays.draft.steps if self._replays else ()
        return key if isinstance(key, int) and key < len(steps) else None

    def finding(self) -> Finding | None:
        replays, at = self._replays, self._at
        if replays is None or at is None:
            return None
        return self._by_id.get(replays.draft.steps[at].findings[0])

    def about(self) -> list[Part]:
        replays, at = self._replays, self._at
        if replays is None or at is None:
            return []
        return because(replays.draft.steps[at], replays, at)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "replay" and super().check_action(action, parameters)

    def action_next(self) -> None:
        """Round and round, from where the cursor is."""
        replays, table = self._replays, self.query_one(PagedTable)
        for by in range(1, table.total + 1):
            row = table.row((table.cursor + by) % table.total)
            if replays and row and isinstance(row.key, int) and replays.draft.steps[row.key].hop:
                table.cursor = (table.cursor + by) % table.total
                return

    def action_teach(self) -> None:
        self._taught = not self._taught
        self.reload()

    def action_collapse(self) -> None:
        self._collapsed = not self._collapsed
        self._list()


def replayed(
    session: "Session", found: Sequence[Finding], moment: int | None, stopped: Stopped
) -> Replays:
    """Under no policy, the saved one, the draft, and what the traffic before a moment asks for."""
    response = session.response
    names = ("none", "saved", *(("baseline",) if moment is not None else ()), "draft")
    return Replays(
        tuple(
            response.replay(found, response.policy(name, before_us=moment), name, cancelled=stopped)
            for name in names
        )
    )
