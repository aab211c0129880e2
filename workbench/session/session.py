"""Session: a workspace opened, its traffic, and the draft the user edits."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench import analysis, capture, policy
from workbench.documents import read_text
from workbench.model.errors import InputError, StoreBusy
from workbench.model.filters import NO_FILTER, Filter, parse_filter
from workbench.model.matrix import Matrix
from workbench.model.policy import Doubt, Policy, ResolvedPolicy
from workbench.model.quality import Quality
from workbench.model.simulation import Changes, Simulation, Suggestion
from workbench.model.site import HostFacts, Inventory
from workbench.model.traffic import CaptureReport, Conversation, ConversationTable, Flow, Stop, Tell
from workbench.model.verdict import Explanation
from workbench.session import evidence, names
from workbench.session.drafting import Drafting
from workbench.session.guarding import Guarding
from workbench.session.history import Draft
from workbench.session.ingest import Loaded, Refuse, ingest, service_hints
from workbench.session.opening import open_store
from workbench.session.packets import FlowPackets
from workbench.session.recordings import Recordings
from workbench.session.replay import Replay, Scene
from workbench.session.summary import Summary, would_block
from workbench.session.traffic import Traffic
from workbench.session.workspace import Workspace
from workbench.store import SORTS, FlowQuery, FlowView, Judge, keys_of

if TYPE_CHECKING:
    from workbench.session.exporting import Exporting
    from workbench.session.findings import Findings
    from workbench.session.response import Response
    from workbench.session.vulnerabilities import Vulnerabilities


class Session(FlowPackets, Guarding):
    """The one object a front end holds. Queries are safe to call from worker threads."""

    def __init__(self, folder: Path, on: date, *, sharing: bool) -> None:
        self._on = on
        self._workspace = Workspace(folder)
        self.draft = Drafting(self._workspace)
        """Every edit, undo, redo and save."""
        self._store = open_store(self._workspace.store_path, self._judge(), sharing=sharing)
        try:
            self._read_traffic()
        except BaseException:
            self._store.close()
            raise

    def _judge(self) -> Judge:
        """Directions are judged by the services of the saved policy."""
        return Judge(capture.judge_again, service_hints(self.draft.saved.policy))

    def _read_traffic(self) -> None:
        """Take the store's conversations into memory."""
        self._traffic = Traffic(self._store)
        self._recordings = Recordings(self._store)
        self._replay = Replay(self._traffic.table, self._traffic.names, self.draft, self._on)

    @classmethod
    def open(cls, folder: Path, *, on: date | None = None, sharing: bool = False) -> "Session":
        """Open or create a workspace; `on` is the day expiry dates are judged by (today, UTC).

        Sharing sessions load no captures, and several processes may have one at the same time.
        Raises StoreBusy while another process has the workspace for itself.
        """
        return cls(folder, on or datetime.now(UTC).date(), sharing=sharing)

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # ── rooms, each imported when it is first entered ──────────────────────────────────────

    @cached_property
    def exports(self) -> "Exporting":
        """Preview, write and verify files."""
        from workbench.session.exporting import Exporting

        return Exporting(self, self._workspace.exports)

    @cached_property
    def vulnerabilities(self) -> "Vulnerabilities":
        """What scanners found, and who can reach it."""
        from workbench.session.vulnerabilities import Vulnerabilities

        return Vulnerabilities(self, self._workspace.folder)

    @cached_property
    def findings(self) -> "Findings":
        """Traces of an intruder in the traffic."""
        from workbench.session.findings import Findings

        return Findings(self, self._store, self._on)

    @cached_property
    def response(self) -> "Response":
        """Answers to a finding, and the intrusion replayed."""
        from workbench.session.response import Response

        return Response(self)

    # ── facts ──────────────────────────────────────────────────────────────────────────────

    @property
    def name(self) -> str:
        """The workspace folder's name."""
        return self._workspace.name

    @property
    def workspace(self) -> Path:
        """The workspace folder."""
        return self._workspace.folder

    @property
    def policy(self) -> Policy:
        """The draft's."""
        return self.draft.policy

    @property
    def inventory(self) -> Inventory:
        """The draft's, with the names that captures bring."""
        return self._replay.inventory

    def captures(self) -> tuple[CaptureReport, ...]:
        """Everything loaded, in load order."""
        return self._traffic.captures

    def quality(self) -> Quality:
        """What the captures lack, one by one and together, and what they could not have seen."""
        return self._recordings.quality(self.captures(), self.table, self.inventory)

    def capture(self, number: int) -> CaptureReport:
        """One capture by its number. Raises InputError."""
        return self._traffic.capture(number)

    @property
    def table(self) -> ConversationTable:
        """Conversations of the hosts seen, and the hosts listed in the draft's inventory."""
        return self._replay.table

    @property
    def simulation(self) -> Simulation:
        """The draft replayed on the recorded traffic; computed once a draft."""
        return self._replay.scene().simulation

    @property
    def saved_simulation(self) -> Simulation:
        """The same for what is on disk."""
        return self._replay.scene(self.draft.saved).simulation

    @property
    def resolved(self) -> ResolvedPolicy:
        """The draft without names."""
        return self.simulation.policy

    def resolve(self, wanted: Policy) -> ResolvedPolicy:
        """Any policy without names, by the draft's inventory and the hosts seen."""
        return self._replay.resolve(wanted)

    def summary(self) -> Summary:
        """The header's line of facts."""
        saved, now = self.saved_simulation, self.simulation
        return Summary(
            name=self.name,
            captures=len(self.captures()),
            hosts=self._replay.machines,
            conversations=len(now.table),
            flows=now.totals.flows,
            changed=self.draft.changed,
            draft_changes=len(analysis.changes(saved, now)),
            coverage=now.coverage,
            saved_coverage=saved.coverage,
            would_block=would_block(now),
            saved_would_block=would_block(saved),
            by_class=tuple(now.totals.by_class.items()),
        )

    # ── load ───────────────────────────────────────────────────────────────────────────────

    def ingest(
        self,
        paths: Iterable[Path],
        progress: Tell = None,
        cancelled: Stop = None,
        refused: Refuse = None,
    ) -> Loaded:
        """Captures into the workspace: reports of the new ones, and files already known."""
        hints = service_hints(self.draft.saved.policy)
        try:
            return ingest(lambda: self._store, paths, hints, progress, cancelled, refused)
        finally:  # also after an error: captures that were finished stay
            if service_hints(self.draft.saved.policy) != hints:  # saved meanwhile
                self._settle()
            self._read_traffic()

    def save(self) -> bool:
        """Write the draft; whether its services changed what is known of the traffic.

        Raises FileChanged, and writes nothing, if the files moved under us.
        """
        self.draft.save()
        if self._store.read_only or not self._settle():
            return False
        self._read_traffic()
        return True

    def _settle(self) -> bool:
        """Judge flows by the saved services, or leave it to the load under way, at its end."""
        try:
            return self._store.settle(self._judge())
        except StoreBusy:
            return False

    # ── see ────────────────────────────────────────────────────────────────────────────────

    def parse(self, text: str) -> Filter:
        """Read a filter line and check every name in it. Raises FilterError."""
        found = parse_filter(text)
        broad, fine = names.split(found)
        self._traffic.check(fine)
        if broad:
            self.select(broad)
        return found

    def complete(self, text: str, cursor: int | None = None) -> tuple[str, ...]:
        """Ways to go on with the filter line at the cursor."""
        at = len(text) if cursor is None else cursor
        words, rules = self._replay.scene().words, [rule.id for rule in self.policy.rules]
        return analysis.complete(text, at, words, rules)

    def select(self, chosen: Filter = NO_FILTER) -> NDArray[np.bool_]:
        """Which rows of the table match.

        Terms that are decided flow by flow must all hold for one and the same flow.
        """
        return self._select(chosen, self._replay.scene())

    def _select(self, chosen: Filter, scene: Scene) -> NDArray[np.bool_]:
        broad, fine = names.split(chosen)
        rows = analysis.select(broad, scene.simulation, scene.words)
        return rows & self._traffic.having(fine) if fine else rows

    def groupings(self) -> tuple[str, ...]:
        """What the matrix can be grouped by."""
        return names.groupings(self.inventory, self.policy)

    def matrix(self, by: str, chosen: Filter = NO_FILTER) -> Matrix:
        """Who talks to whom. Raises InputError for an unknown grouping."""
        now = self._replay.scene()
        rows = self._select(chosen, now) if chosen else None
        return analysis.matrix(now.simulation, names.grouping(by, now), rows)

    def members(self, by: str, group: str) -> tuple[int, ...]:
        """Addresses of one group of a matrix axis."""
        now = self._replay.scene()
        return names.members(names.grouping(by, now), group, now.table.hosts)

    def cell_rows(
        self, by: str, row: str, column: str, chosen: Filter = NO_FILTER
    ) -> NDArray[np.int64]:
        """Table rows of the conversations in one cell, largest first."""
        now = self._replay.scene()
        inside = names.cell_mask(names.grouping(by, now), row, column, now.table)
        rows = np.flatnonzero(inside & self._select(chosen, now))
        return names.ordered(rows, now.simulation, "bytes", True)

    def conversation_rows(
        self, chosen: Filter = NO_FILTER, sort: str = "bytes", descending: bool = True
    ) -> NDArray[np.int64]:
        """Matching table rows in the order asked for, see `ordered`."""
        now = self._replay.scene()
        rows = np.flatnonzero(self._select(chosen, now))
        return names.ordered(rows, now.simulation, sort, descending)

    def ordered(self, rows: NDArray[np.int64], sort: str, descending: bool) -> NDArray[np.int64]:
        """Table rows by a column of the table (ends by address) or `class`. Raises InputError."""
        return names.ordered(rows, self.simulation, sort, descending)

    def flow_view(
        self, chosen: Filter = NO_FILTER, sort: str = "first_us", descending: bool = False
    ) -> FlowView:
        """Matching flows, to be paged through; close it when done."""
        broad, fine = names.split(chosen)
        rows = np.flatnonzero(self.select(broad)) if broad else None
        return self._store.flow_view(self._query(rows, fine, sort, descending))

    def flows_of(
        self, rows: Iterable[int], sort: str = "first_us", descending: bool = False
    ) -> FlowView:
        """The flows of some conversations (table rows)."""
        chosen = np.fromiter(rows, dtype=np.int64)
        return self._store.flow_view(self._query(chosen, NO_FILTER, sort, descending))

    def _query(
        self, rows: NDArray[np.int64] | None, fine: Filter, sort: str, descending: bool
    ) -> FlowQuery:
        if sort not in SORTS:
            raise InputError(f"cannot sort flows by {sort!r}; choose one of {', '.join(SORTS)}")
        keys = None if rows is None else keys_of(self.table, rows)
        return FlowQuery(keys, fine.terms, sort, descending)

    def flow(self, flow_id: int) -> Flow:
        """One flow by its id."""
        return self._store.flow(flow_id)

    def hosts(self, chosen: Filter = NO_FILTER) -> tuple[HostFacts, ...]:
        """Hosts with their facts: all of them, or those that fit the filter."""
        now = self._replay.scene()
        facts = analysis.host_facts(now.simulation, now.inventory)
        if not chosen:
            return facts
        inside = names.fitting_hosts(chosen, self._select(chosen, now), now.words)
        return tuple(host for host, fits in zip(facts, inside, strict=True) if fits)

    # ── judge ──────────────────────────────────────────────────────────────────────────────

    def changes(self) -> Changes:
        """The draft against what is on disk."""
        return analysis.changes(self.saved_simulation, self.simulation)

    def last_change(self) -> tuple[str, Changes]:
        """What the last edit was, and what it did to the recorded traffic."""
        label, past = self.draft.last_edit, self.draft.past
        return label, self.change_since(past or self.draft.present)

    def change_since(self, before: Draft) -> Changes:
        """What the present draft does to the recorded traffic that another one did not."""
        now = self._replay.scene()
        return analysis.changes(self._replay.scene(before).simulation, now.simulation)

    def try_policy(self, wanted: Policy) -> Simulation:
        """What a policy would do, without making it the draft."""
        return self._replay.simulate(wanted)

    def explain(self, client: str, server: str, service: str) -> Explanation:
        """Why this conversation, observed or not, would be judged as it is."""
        wanted = names.conversation(self.inventory, self.policy, client, server, service)
        return self._explain(wanted)

    def explain_row(self, row: int) -> Explanation:
        """The same for a row of the table."""
        return self._explain(self.table.at(row))

    def _explain(self, wanted: Conversation) -> Explanation:
        return analysis.explain(self.simulation, wanted, self.inventory, decide=policy.decide)

    def suggest(self) -> Suggestion:
        """Rules for what works today and no rule allows; protects every segment if none is."""
        return analysis.suggest(self.simulation, self.policy, self.inventory)

    def propose(self, rows: Iterable[int]) -> Suggestion:
        """The one narrowest rule that would allow these conversations."""
        chosen = np.fromiter(rows, dtype=np.int64)
        return analysis.propose(self.simulation, self.policy, self.inventory, chosen)

    def check(self, wanted: Policy | None = None) -> tuple[analysis.BrokenGuardrail, ...]:
        """Guardrails that the draft, or another policy, breaks."""
        return analysis.check(self._replay.resolve(wanted) if wanted else self.resolved)

    def warnings(self) -> tuple[Doubt, ...]:
        """What a careful reader would ask about the draft."""
        return policy.lint(self.policy, self.resolved)

    def suggestion_yaml(self, suggestion: Suggestion) -> str:
        """The draft extended by its proposals, as a policy document with the evidence in it."""
        return evidence.annotated(policy.dump_policy(suggestion.policy), suggestion)

    def read_draft(self, path: Path) -> None:
        """Make another policy file the draft; nothing is saved. Raises PolicyError."""
        self.draft.put_policy_text(read_text(path), str(path))

    def addresses(self, text: str) -> tuple[int, ...]:
        """An address or a host name as addresses. Raises InputError."""
        return names.addresses(self.inventory, text)

    def name_of(self, address: int) -> str:
        """`db-1 (10.0.2.5)`, or the address alone."""
        return self.inventory.title(address)
