"""Session: a workspace opened, its traffic, and the draft the user edits."""

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench import analysis, capture, policy
from workbench.documents import read_text
from workbench.model.errors import InputError
from workbench.model.filters import NO_FILTER, Filter, parse_filter
from workbench.model.matrix import Matrix
from workbench.model.net import ServiceRange, parse_service
from workbench.model.packets import Packet
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.simulation import Changes, Simulation, Suggestion
from workbench.model.site import HostFacts, Inventory
from workbench.model.traffic import (
    CaptureReport,
    Conversation,
    ConversationTable,
    Flow,
    HostTable,
    Progress,
)
from workbench.model.verdict import Explanation
from workbench.session import evidence, names
from workbench.session.drafting import Drafting
from workbench.session.exporting import Exporting
from workbench.session.history import Draft
from workbench.session.imports import read_hosts
from workbench.session.ingest import ingest
from workbench.session.summary import Summary, would_block
from workbench.session.workspace import Workspace
from workbench.store import FlowQuery, FlowView, Store

Tell = Callable[[Progress], None] | None
Stop = Callable[[], bool] | None


class Session:
    """The one object a front end holds. Queries are safe to call from worker threads."""

    def __init__(self, folder: Path, on: date) -> None:
        self._on = on
        self._lock = threading.RLock()
        self._workspace = Workspace(folder)
        self._store = Store.open(self._workspace.store_path)
        self.draft = Drafting(self._workspace)
        """Every edit, undo, redo and save."""
        self.exports = Exporting(self, self._workspace.exports)
        """Preview, write and verify files."""
        self._simulations: list[tuple[Draft, Simulation]] = []
        self._kept_words: tuple[Draft, analysis.HostWords] | None = None
        self._read_traffic()

    @classmethod
    def open(cls, folder: Path, *, on: date | None = None) -> "Session":
        """Open or create a workspace; `on` is the day expiry dates are judged by (today, UTC)."""
        return cls(folder, on or datetime.now(UTC).date())

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

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
        """The draft's."""
        return self.draft.inventory

    def captures(self) -> tuple[CaptureReport, ...]:
        """Everything loaded, in load order."""
        return self._store.captures()

    @property
    def simulation(self) -> Simulation:
        """The draft replayed on the recorded traffic; computed once a draft."""
        return self._simulate(self.draft.present, self._simulator)

    @property
    def saved_simulation(self) -> Simulation:
        """The same for what is on disk."""
        return self._simulate(self.draft.saved, self._saved_simulator)

    @property
    def resolved(self) -> ResolvedPolicy:
        """The draft without names."""
        return self.simulation.policy

    def resolve(self, wanted: Policy) -> ResolvedPolicy:
        """Any policy without names, by the draft's inventory and the hosts seen."""
        return policy.resolve(wanted, self.inventory, self.table.hosts.addresses, self._on)

    def _simulate(self, draft: Draft, simulator: analysis.Simulator) -> Simulation:
        """Kept for the last few drafts, found by identity: hashing a large draft is slow."""
        with self._lock:
            for known, simulation in self._simulations:
                if known is draft:
                    return simulation
            resolved = policy.resolve(
                draft.policy, draft.inventory, self.table.hosts.addresses, self._on
            )
            simulation = simulator.simulate(resolved)
            self._simulations = [*self._simulations[-3:], (draft, simulation)]
            return simulation

    def _read_traffic(self) -> None:
        """Take the store's conversations into memory; hosts only listed come after those seen."""
        with self._lock:
            seen = self._store.hosts()
            listed = (address for host in self.inventory.hosts for address in host.addresses)
            unseen = dict.fromkeys(one for one in listed if one not in seen.index)
            hosts = HostTable((*seen.addresses, *unseen), len(seen))
            self.table: ConversationTable = self._store.conversations(hosts)
            self._simulator = analysis.Simulator(self.table)
            self._saved_simulator = analysis.Simulator(self.table)
            self._simulations = []
            self._kept_words = None

    def summary(self) -> Summary:
        """The header's line of facts."""
        now, saved = self.simulation, self.saved_simulation
        return Summary(
            name=self.name,
            captures=len(self.captures()),
            hosts=self.table.hosts.seen,
            conversations=len(self.table),
            flows=now.totals.flows,
            changed=self.draft.changed,
            draft_changes=len(self.changes()),
            coverage=now.coverage,
            saved_coverage=saved.coverage,
            would_block=would_block(now),
            saved_would_block=would_block(saved),
            by_class=tuple(now.totals.by_class.items()),
        )

    # ── load ───────────────────────────────────────────────────────────────────────────────

    def ingest(
        self, paths: Iterable[Path], progress: Tell = None, cancelled: Stop = None
    ) -> tuple[tuple[CaptureReport, ...], tuple[Path, ...]]:
        """Captures into the workspace: reports of the new ones, and files already known."""
        outcome = ingest(self._store, paths, self._hints(), progress, cancelled)
        self._read_traffic()
        return outcome

    def _hints(self) -> tuple[ServiceRange, ...]:
        """The user's services are evidence for direction; `any` says nothing."""
        texts = (text for group in self.policy.services for text in group.services)
        return tuple(parse_service(text) for text in texts if text != "any")

    # ── see ────────────────────────────────────────────────────────────────────────────────

    def parse(self, text: str) -> Filter:
        """Read a filter line and check every name in it. Raises FilterError."""
        found = parse_filter(text)
        if found:
            self.select(found)
        return found

    def complete(self, text: str, cursor: int | None = None) -> tuple[str, ...]:
        """Ways to go on with the filter line at the cursor."""
        at = len(text) if cursor is None else cursor
        return analysis.complete(text, at, self._words(), [rule.id for rule in self.policy.rules])

    def _words(self) -> analysis.HostWords:
        """Kept for the present draft: it remembers every host's name and labels."""
        with self._lock:
            draft = self.draft.present
            if self._kept_words is None or self._kept_words[0] is not draft:
                words = analysis.HostWords.of(
                    self.table, draft.inventory, draft.policy, self.resolved
                )
                self._kept_words = draft, words
            return self._kept_words[1]

    def select(self, chosen: Filter = NO_FILTER) -> NDArray[np.bool_]:
        """Which rows of the table match."""
        return analysis.select(chosen, self.simulation, self._words())

    def groupings(self) -> tuple[str, ...]:
        """What the matrix can be grouped by."""
        return names.groupings(self.inventory)

    def _grouping(self, by: str) -> analysis.Grouping:
        return names.grouping(by, self.table.hosts, self.inventory, self.resolved)

    def matrix(self, by: str = "segment", chosen: Filter = NO_FILTER) -> Matrix:
        """Who talks to whom. Raises InputError for an unknown grouping."""
        return analysis.matrix(self.simulation, self._grouping(by), self.select(chosen))

    def members(self, by: str, group: str) -> tuple[int, ...]:
        """Addresses of one group of a matrix axis."""
        return names.members(self._grouping(by), group, self.table.hosts)

    def cell_rows(
        self, by: str, row: str, column: str, chosen: Filter = NO_FILTER
    ) -> NDArray[np.int64]:
        """Table rows of the conversations in one cell, largest first."""
        inside = names.cell_mask(self._grouping(by), row, column, self.table)
        return self._ordered(np.flatnonzero(inside & self.select(chosen)), "bytes", True)

    def conversation_rows(
        self, chosen: Filter = NO_FILTER, sort: str = "bytes", descending: bool = True
    ) -> NDArray[np.int64]:
        """Matching table rows in the order asked for (a column of the table, or `class`)."""
        return self._ordered(np.flatnonzero(self.select(chosen)), sort, descending)

    def _ordered(self, rows: NDArray[np.int64], sort: str, descending: bool) -> NDArray[np.int64]:
        columns = {**self.table.columns, "class": self.simulation.classes}
        if sort not in columns:
            raise InputError(f"cannot sort conversations by {sort!r}")
        order = np.argsort(columns[sort][rows], kind="stable")
        return rows[order[::-1]] if descending else rows[order]

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
        keys: Mapping[str, NDArray[Any]] | None = None
        if rows is not None:
            keys = {name: self.table[name][rows] for name in names.CONVERSATION_KEY}
        return FlowQuery(keys, fine.terms, sort, descending)

    def flow(self, flow_id: int) -> Flow:
        """One flow by its id."""
        return self._store.flow(flow_id)

    def packets(self, flow: Flow, limit: int = 1000) -> tuple[Packet, ...]:
        """A flow's packets by our own decoder."""
        return capture.packets_of(self._capture_path(flow), flow, limit)

    def dissect(
        self, flow: Flow, *, limit: int = 200, cancelled: Stop = None
    ) -> tuple[Packet, ...]:
        """A flow's packets dissected by tshark. Raises MissingTool."""
        return capture.dissect(self._capture_path(flow), flow, limit=limit, cancelled=cancelled)

    def _capture_path(self, flow: Flow) -> Path:
        for report in self.captures():
            if report.id == flow.capture:
                return Path(report.path)
        raise InputError(f"flow {flow.id}: its capture is not in the workspace any more")

    def hosts(self, chosen: Filter = NO_FILTER) -> tuple[HostFacts, ...]:
        """Hosts with their facts: all of them, or those that fit the filter."""
        facts = analysis.host_facts(self.simulation, self.inventory)
        if not chosen:
            return facts
        inside = names.fitting_hosts(chosen, self.select(chosen), self._words())
        index = self.table.hosts.index
        return tuple(host for host in facts if inside[index[host.address]])

    # ── judge ──────────────────────────────────────────────────────────────────────────────

    def changes(self) -> Changes:
        """The draft against what is on disk."""
        return analysis.changes(self.saved_simulation, self.simulation)

    def last_change(self) -> tuple[str, Changes]:
        """What the last edit was, and what it did to the recorded traffic."""
        before = self.draft.past or self.draft.present
        past = self._simulate(before, self._simulator)
        return self.draft.last_edit, analysis.changes(past, self.simulation)

    def try_policy(self, wanted: Policy) -> Simulation:
        """What a policy would do, without making it the draft."""
        with self._lock:
            return self._simulator.simulate(self.resolve(wanted))

    def explain(self, client: str, server: str, service: str) -> Explanation:
        """Why this conversation, observed or not, would be judged as it is."""
        wanted = names.conversation(self.inventory, self.policy, client, server, service)
        return self._explain(wanted)

    def explain_row(self, row: int) -> Explanation:
        """The same for a row of the table."""
        return self._explain(self.table.at(row))

    def _explain(self, wanted: Conversation) -> Explanation:
        return analysis.explain(self.simulation, wanted, decide=policy.decide)

    def suggest(self) -> Suggestion:
        """Rules for what works today and no rule allows; protects every segment if none is."""
        return analysis.suggest(self.simulation, self.policy, self.inventory)

    def propose(self, rows: Iterable[int]) -> Suggestion:
        """The one narrowest rule that would allow these conversations."""
        chosen = np.fromiter(rows, dtype=np.int64)
        return analysis.propose(self.simulation, self.policy, self.inventory, chosen)

    def check(self) -> tuple[analysis.BrokenGuardrail, ...]:
        """Guardrails that the draft breaks."""
        return analysis.check(self.resolved)

    def warnings(self) -> tuple[str, ...]:
        """What a careful reader would ask about the draft."""
        return policy.lint(self.policy, self.resolved)

    def suggestion_yaml(self, suggestion: Suggestion) -> str:
        """The draft extended by its proposals, as a policy document with the evidence in it."""
        return evidence.annotated(policy.dump_policy(suggestion.policy), suggestion)

    def read_draft(self, path: Path) -> None:
        """Make another policy file the draft; nothing is saved. Raises PolicyError."""
        self.draft.put_policy_text(read_text(path), str(path))

    def import_hosts(self, path: Path, kind: str | None = None) -> None:
        """Take in hosts from a CSV, a hosts file or kubectl JSON. Raises InventoryError."""
        found = read_hosts(path, kind)
        self.draft.merge_hosts(found, path.name)
        self._read_traffic()

    def addresses(self, text: str) -> tuple[int, ...]:
        """An address or a host name as addresses. Raises InputError."""
        return names.addresses(self.inventory, text)

    @property
    def kernel_compiled(self) -> bool:
        """Whether packets are decoded by compiled code."""
        return capture.kernel_compiled()

    def name_of(self, address: int) -> str:
        """`db-1 (10.0.2.5)`, or the address alone."""
        return names.host_line(self.inventory, address)
