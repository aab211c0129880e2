"""The draft: rules with what they do, and the lists they are made of."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.policy import (
    Assertion,
    Doubt,
    Exclusion,
    Guardrail,
    Rule,
    Segment,
    ServiceGroup,
)
from workbench.model.simulation import Changes
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.screens.base import Rows, WorkScreen
from workbench.tui.screens.form import Form
from workbench.tui.screens.policylists import LISTS, Listing, PolicyList, doubts
from workbench.tui.screens.protection import ServicesForm, next_protection
from workbench.tui.screens.ruleform import ExclusionForm, GuardrailForm, RuleForm
from workbench.tui.screens.segmentform import SegmentForm
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    from workbench.session import Session

_NEW: Mapping[str, Callable[[], Form]] = {
    "rules": lambda: RuleForm(Rule("", (), (), ()), None),
    "segments": lambda: SegmentForm(Segment(""), None),
    "services": lambda: ServicesForm(ServiceGroup("", ()), None),
    "guardrails": lambda: GuardrailForm(Guardrail("", Assertion.NEVER, (), (), ()), None),
    "exclusions": lambda: ExclusionForm(Exclusion("", (), (), (), ""), None),
}


class PolicyScreen(WorkScreen):
    """One list at a time; Enter edits, and every edit counts at once."""

    TAB = "policy"
    TELLS_EDITS = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", id="policy.new", tooltip="Add to this list"),
        Binding("x,delete", "remove", "delete", id="policy.delete", tooltip="u takes it back"),
        Binding("D", "duplicate", "duplicate", show=False, id="policy.duplicate",
                tooltip="Copy this rule"),
        Binding("p", "protect", "protect", id="policy.protect",
                tooltip="This segment: both directions, incoming, outgoing, or not at all"),
        Binding("right_square_bracket,right,l", "turn(1)", "next list", key_display="]",
                id="policy.next"),
        Binding("left_square_bracket,left,h", "turn(-1)", "previous list", show=False,
                key_display="[", id="policy.previous"),
        Binding("y", "yaml", "YAML", id="policy.yaml", tooltip="The whole draft as text"),
        Binding("ctrl+s", "app.save", "save", id="save"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._list = "rules"

    def body(self) -> Iterable[Widget]:
        yield Static(id="lists")
        yield PolicyList(id="policy-list")
        yield Static(id="warnings")
        yield Static(id="last-change")

    def load(self) -> None:
        session, name = self.opened, self._list
        self.ask("list", lambda: LISTS[name](session), self._show)
        self.ask("warnings", lambda: doubts(session), self._warn)
        self._tell_change()

    def _show(self, listing: Listing) -> None:
        self.query_one(PolicyList).show(listing)
        parts = [(" ", "")]
        for name, count in listing.sizes:
            lit = name == self._list
            parts += [(f" {name} {count} ", "bold reverse $primary" if lit else ""), ("  ", "")]
        self.query_one("#lists", Static).update(Content.assemble(*parts))

    def _warn(self, warnings: tuple[Doubt, ...]) -> None:
        more = f"  (+{len(warnings) - 1}: y tells them)" if len(warnings) > 1 else ""
        text = f" ! {warnings[0].text}{more}" if warnings else ""
        line = self.query_one("#warnings", Static)
        line.display = bool(text)
        line.update(Content.assemble((text, CLASS_STYLES["warn"])))

    def _tell_change(self) -> None:
        line = self.query_one("#last-change", Static)
        line.display = self.bench.last_edit is not None
        if self.bench.last_edit is not None:
            line.update(change_content(*self.bench.last_edit, self.size.width))

    @property
    def _table(self) -> PagedTable:
        return self.query_one(PolicyList).table

    def focus_body(self) -> None:
        self._table.focus()

    # ── keys ───────────────────────────────────────────────────────────────────────────────

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that only make sense on one list; rules are what allows, not what is allowed."""
        only = {"protect": "segments", "duplicate": "rules", "allow": "nothing"}
        if only.get(action, self._list) != self._list:
            return False
        return super().check_action(action, parameters)

    def action_turn(self, by: int) -> None:
        names = list(LISTS)
        self._list = names[(names.index(self._list) + by) % len(names)]
        self.load()
        self.refresh_bindings()

    def action_new(self) -> None:
        self.deeper(_NEW[self._list]())

    def action_remove(self) -> None:
        name, key = self._list, self._table.key
        if isinstance(key, str):
            self.bench.edit(lambda session: _remove(session, name, key))

    def action_duplicate(self) -> None:
        if isinstance(key := self._table.key, str):
            self.bench.edit(lambda session: _duplicate(session, key))

    def action_protect(self) -> None:
        if isinstance(key := self._table.key, str):
            self.bench.edit(lambda session: next_protection(session, key))

    def action_yaml(self) -> None:
        from workbench.tui.screens.yamlview import YamlScreen

        self.deeper(YamlScreen())

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        if isinstance(event.key, str) and (form := _form(self.opened, self._list, event.key)):
            self.deeper(form)

    def subject(self) -> Rows | None:
        session, key = self.opened, self._table.key
        if self._list != "rules" or not isinstance(key, str):
            return None
        return lambda: session.conversation_rows(session.parse(f"rule:{key}"))


def change_content(what: str, changes: Changes | None, width: int) -> Content:
    """`last change: …   ✗ newly blocked 4   ✓ newly allowed 0   u undo`; the words give way."""
    parts: list[tuple[str, str]] = []
    if changes is not None:
        blocked, allowed = changes.newly_blocked, changes.newly_allowed
        parts += [
            (f"   ✗ newly blocked {blocked:,}", CLASS_STYLES["blocked" if blocked else "dim"]),
            (f"   ✓ newly allowed {allowed:,}", CLASS_STYLES["allowed" if allowed else "dim"]),
        ]
    key, does = ("^r", " redo") if what.startswith("undone: ") else ("u", " undo")
    tail = Content.assemble(*parts, (f"   {key}", "bold $primary"), does)
    head = Content.assemble((" last change: ", "$dim"), (what, "bold"))
    return head.truncate(max(16, width - tail.cell_length), ellipsis=True) + tail


def _form(session: "Session", name: str, key: str) -> Form | None:
    policy = session.policy
    if name == "rules":
        return next((RuleForm(one, key) for one in policy.rules if one.id == key), None)
    if name == "segments":
        return next((SegmentForm(one, key) for one in policy.segments if one.name == key), None)
    if name == "services":
        return next((ServicesForm(one, key) for one in policy.services if one.name == key), None)
    if name == "guardrails":
        return next((GuardrailForm(one, key) for one in policy.guardrails if one.id == key), None)
    return next((ExclusionForm(one, key) for one in policy.exclusions if one.id == key), None)


def _remove(session: "Session", name: str, key: str) -> None:
    draft = session.draft
    remove = {
        "rules": draft.remove_rule,
        "segments": draft.remove_segment,
        "services": draft.remove_services,
        "guardrails": draft.remove_guardrail,
        "exclusions": draft.remove_exclusion,
    }[name]
    remove(key)


def _duplicate(session: "Session", key: str) -> None:
    session.draft.duplicate_rule(key)
