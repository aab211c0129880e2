"""How far an intruder gets from here, and what the draft changes about it."""

from collections.abc import Hashable, Iterable, Mapping
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.exposure import OUTSIDE, Scenario
from workbench.model.packets import printable
from workbench.model.vulnerability import Exposed
from workbench.session.exposure import CROWN
from workbench.session.guarding import RiskyRow
from workbench.tui.desk import Stopped, Tell
from workbench.tui.exposed import acts
from workbench.tui.exposed.chokes import chokes_sheet
from workbench.tui.exposed.paths import Step, imagined, paths_sheet
from workbench.tui.exposed.places import places_sheet
from workbench.tui.exposed.reach import reach_sheet
from workbench.tui.exposed.rows import detail_parts, gates_of, rows_of, title_of
from workbench.tui.exposed.services import services_sheet
from workbench.tui.exposed.sheet import WORDS, Look, Page, Parts, Sheet
from workbench.tui.exposed.weak import TOTALS, weak_sheet
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.base import Rows
from workbench.tui.screens.sheets import SheetScreen
from workbench.tui.widgets.compared import Head
from workbench.tui.widgets.facts import figure
from workbench.tui.widgets.pagedtable import PagedTable
from workbench.tui.widgets.tabs import PageLine

PAGES: Mapping[str, tuple[str, Page]] = {
    "reach": ("reach", reach_sheet),
    "paths": ("paths", paths_sheet),
    "chokes": ("choke points", chokes_sheet),
    "services": ("risky services", services_sheet),
    "places": ("hosts", places_sheet),
    "weak": ("vulnerabilities", weak_sheet),
}
"""In the order of the keys [ and ]."""
_ONLY: Mapping[str, tuple[str, ...]] = {
    "foothold": ("reach", "paths", "chokes"),
    "target": ("paths", "chokes"),
    "scenario": ("paths", "chokes"),
    "shut": ("paths", "chokes"),
    "conversations": ("paths", "services", "weak"),
    "narrow": ("chokes",),
    "guard": ("services",),
    "group": ("places", "weak"),
    "crown": ("reach", "places"),
    "explain": ("paths", "services", "weak"),
    "allow": (),
}
"""Keys that mean something on some pages only."""


class ExposureScreen(SheetScreen):
    """One page at a time; everything on it follows the draft."""

    TAB = "exposure"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "foothold", "from", id="exposure.from",
                tooltip="Where the intruder is: host, address, segment, key=value, outside"),
        Binding("t", "target", "to", id="exposure.to",
                tooltip="What he is after: host, segment, key=value, or crown (crown=yes)"),
        Binding("w", "scenario", "policy", id="exposure.policy",
                tooltip="Under the draft, no policy, what was observed, the saved policy"),
        Binding("g", "guard", "guard it", id="exposure.guard",
                tooltip="Add the guardrails shown beside this service to the draft; u undoes"),
        Binding("b", "group", "by", id="exposure.group",
                tooltip="Segments or hosts; findings one by one, or added up"),
        Binding("m", "crown", "crown jewel", id="exposure.crown",
                tooltip="Set or lift crown=yes on this host: crown is the target unless t says"),
        Binding("x", "shut", "close it", id="exposure.close",
                tooltip="Remove the rule, or protect the segment, in the draft; u undoes"),
        Binding("o", "narrow", "all or from → to", id="exposure.narrow",
                tooltip="Choke points of all pairs, or between foothold and target"),
        Binding("c", "conversations", "recorded", id="exposure.recorded",
                tooltip="The conversations that were recorded here"),
        Binding("right_square_bracket,right,l", "turn(1)", "next page", key_display="]",
                id="exposure.next"),
        Binding("left_square_bracket,left,h", "turn(-1)", "previous page", show=False,
                key_display="[", id="exposure.previous"),
        Binding("d", "details", "details", id="exposure.details", tooltip="Panel on or off"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._page = "reach"
        self._foothold = OUTSIDE
        self._target: str | None = None
        """None until it is known whether there are crown jewels."""
        self._scenario = Scenario.DRAFT
        self._by = "segment"
        self._total = TOTALS[0]
        self._narrowed = False
        self._scores: acts.Scores = ()

    def body(self) -> Iterable[Widget]:
        yield PageLine({name: title for name, (title, _) in PAGES.items()}, self._page)
        yield Static(id="ends")
        yield Head(id="exposure-head")
        with Container(id="exposure-row"):
            yield PagedTable((), empty="Working it out …", id="table")
            with VerticalScroll(id="exposure-panel", can_focus=False):
                yield Static(id="exposure-detail")

    # ── working it out ─────────────────────────────────────────────────────────────────────

    def load(self) -> None:
        session, (_, page) = self.opened, PAGES[self._page]
        known, foothold, scenario = self._target, self._foothold, self._scenario
        how, chosen = (self._by, self._total, self._narrowed), self.bench.chosen

        def question(tell: Tell, stopped: Stopped) -> Sheet:
            target = acts.target_of(session) if known is None else known
            hosts = acts.hosts_of(session, chosen) if chosen else None
            ends = foothold, target, scenario
            return page(session, Look(*ends, *how, hosts, self.size.width, tell, stopped))

        stopped = self.seek((self._page, *how[:2]), question)
        self.ask("scores", lambda: acts.scores_of(session, stopped), self._show_scores)
        if known is None:
            self.ask("target", lambda: acts.target_of(session), self._show_target)
        self._titles()

    def _show_target(self, target: str) -> None:
        self._target = target
        self._tell_ends()

    def _show_scores(self, scores: acts.Scores) -> None:
        self._scores = scores
        self._tell_ends()

    def _titles(self) -> None:
        self.query_one(PageLine).current = self._page
        self._tell_ends()

    def _tell_ends(self) -> None:
        """`from outside  to crown  under draft    score  no policy 100  observed 3.5  …`."""
        parts: list[tuple[str, str]] = []
        if self._page in _ONLY["foothold"]:
            parts += [(" from ", "dim"), (printable(self._foothold), "accent")]
        if self._page in _ONLY["target"]:
            parts += [("  to ", "dim"), (printable(self._target or "–"), "accent")]
            parts += [("  under ", "dim"), (WORDS[self._scenario], "accent")]
        scores: list[tuple[str, str]] = [("  score", "dim")]
        for scenario, score in self._scores:
            scores += [(f"  {WORDS[scenario]} ", "dim"), (figure(score), "strong")]
        if sum(len(text) for text, _ in (*parts, *scores)) <= self.size.width:
            parts += scores
        line = [(text, CLASS_STYLES[tone]) for text, tone in parts]
        self.query_one("#ends", Static).update(Content.assemble(*line))

    # ── what is looked at ──────────────────────────────────────────────────────────────────

    @on(PageLine.Picked)
    def _page_picked(self, event: PageLine.Picked) -> None:
        self._go(event.name)

    def action_turn(self, by: int) -> None:
        names = list(PAGES)
        self._go(names[(names.index(self._page) + by) % len(names)])

    def _go(self, page: str) -> None:
        self._page = page
        self.refresh_bindings()
        self.reload()

    def action_scenario(self) -> None:
        scenarios = [scenario for scenario, _ in self._scores] or list(WORDS)
        at = scenarios.index(self._scenario) + 1 if self._scenario in scenarios else 0
        self._scenario = scenarios[at % len(scenarios)]
        self.reload()

    def action_narrow(self) -> None:
        self._narrowed = not self._narrowed
        self.reload()

    def action_group(self) -> None:
        if self._page == "weak":
            self._total = TOTALS[(TOTALS.index(self._total) + 1) % len(TOTALS)]
        else:
            self._by = "segment" if self._by == "host" else "host"
        self.reload()

    def action_foothold(self) -> None:
        from workbench.tui.screens.place import PlaceScreen

        ask = PlaceScreen("The intruder is at", self._foothold, self._from, outside=True)
        self.deeper(ask)

    def action_target(self) -> None:
        from workbench.tui.screens.place import PlaceScreen

        ask = PlaceScreen("The intruder wants", self._target or "", self._to, outside=False)
        self.deeper(ask)

    def _from(self, place: str) -> None:
        self._foothold = place
        self.reload()

    def _to(self, place: str) -> None:
        self._target = place
        self._narrowed = True
        self.reload()

    # ── the row under the cursor ───────────────────────────────────────────────────────────

    @property
    def _key(self) -> Hashable | None:
        return self.query_one(PagedTable).key

    @on(PagedTable.Moved)
    def _row_moved(self, event: PagedTable.Moved) -> None:
        detail = self.query_one("#exposure-detail", Static)
        session, key = self.bench.session, event.key
        if session is None or key is None:
            self.forget("detail")
            detail.update("")
            return

        def show(parts: Parts) -> None:
            detail.update(Content.assemble(*((text, CLASS_STYLES[tone]) for text, tone in parts)))
            self.query_one("#exposure-panel").scroll_home(animate=False)

        self.ask("detail", lambda: detail_parts(session, key), show)

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        key = event.key
        if self._page == "reach" and isinstance(key, str):
            self._target = key
            self._go("paths")
        elif self._page == "places" and isinstance(key, str):
            self._foothold = key
            self._go("reach")
        elif form := acts.form_of(self.opened, gates_of(key)):
            self.deeper(form)
        else:
            self.action_conversations()

    def subject(self) -> Rows | None:
        session, key = self.opened, self._key
        return rows_of(session, key) if isinstance(key, Step | Exposed | RiskyRow) else None

    def action_conversations(self) -> None:
        from workbench.tui.screens.conversations import ConversationsScreen

        if rows := self.subject():
            self.deeper(ConversationsScreen(self.TAB, title_of(self._key), rows))

    def action_explain(self) -> None:
        from workbench.tui.screens.explain import ExplainScreen

        key = self._key
        otherwise = imagined(key.hop) if isinstance(key, Step) else None
        self.deeper(ExplainScreen(self.subject(), otherwise))

    def on_resize(self) -> None:
        self._tell_ends()

    # ── edits and other keys ───────────────────────────────────────────────────────────────

    def action_guard(self) -> None:
        if isinstance(row := self._key, RiskyRow):
            service = row.service.id
            self.bench.edit(lambda session: acts.guard_it(session, service))

    def action_crown(self) -> None:
        if isinstance(name := self._key, str):
            self._target = None if self._target in ("", CROWN) else self._target
            self.bench.edit(lambda session: acts.crown_it(session, name))

    def action_shut(self) -> None:
        if gates := gates_of(self._key):
            self.bench.edit(lambda session: session.close_gate(gates[0]))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that mean something on this page."""
        if self._page not in _ONLY.get(action, (self._page,)):
            return False
        return super().check_action(action, parameters)

    def action_details(self) -> None:
        panel = self.query_one("#exposure-panel")
        shown = panel.display
        panel.set_class(shown, "-hidden")
        panel.set_class(not shown, "-shown")
