"""Drafts replayed on the recorded traffic, each once."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from workbench import analysis
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable, HostTable
from workbench.model.verdict import NOT_POLICY
from workbench.policy import Resolver
from workbench.session.drafting import Drafting
from workbench.session.history import Draft


@dataclass(frozen=True)
class Scene:
    """One draft and what it does to the traffic: what a query needs, all of one moment."""

    draft: Draft
    simulation: Simulation
    inventory: Inventory
    """The draft's, with the names that captures bring."""

    @property
    def table(self) -> ConversationTable:
        return self.simulation.table

    @property
    def resolved(self) -> ResolvedPolicy:
        return self.simulation.policy

    @cached_property
    def words(self) -> analysis.HostWords:
        """Remembers every host's name and labels."""
        policy = self.draft.policy
        return analysis.HostWords.of(self.table, self.inventory, policy, self.resolved)


class Replay:
    """The table of conversations, and the scenes of the drafts that matter just now.

    Safe to call from several threads: one simulation at a time.
    """

    def __init__(
        self,
        traffic: ConversationTable,
        seen_names: Mapping[int, str],
        drafting: Drafting,
        on: date,
    ) -> None:
        """traffic: the conversations of the hosts seen; seen_names: address → what captures call
        it; on: the day that expiry is judged by."""
        self._traffic = traffic
        self._seen_names = seen_names
        self._drafting = drafting
        self._on = on
        self._lock = threading.Lock()
        self._resolver = Resolver()
        self._listed: Inventory | None = None
        self._counted: tuple[Inventory, int] | None = None
        self._names: tuple[Inventory, Inventory] | None = None
        self._retable(traffic)

    def _retable(self, table: ConversationTable) -> None:
        self._table = table
        self._simulator = analysis.Simulator(table)
        self._scenes: tuple[Scene, ...] = ()

    @property
    def table(self) -> ConversationTable:
        """Conversations, and the hosts seen or listed in the present draft."""
        with self._lock:
            return self._present_table()

    def _present_table(self) -> ConversationTable:
        """Hosts only listed come after those seen, so that rows stay what they are."""
        inventory = self._drafting.inventory
        if inventory is not self._listed:
            self._listed = inventory
            seen = self._traffic.hosts
            listed = [one for one in inventory.by_address if one not in seen.index]
            hosts = HostTable((*seen.addresses, *listed), len(seen))
            if hosts != self._table.hosts:
                self._retable(ConversationTable(hosts, self._traffic.columns))
        return self._table

    @property
    def machines(self) -> int:
        """Machines seen: listed hosts by name, others by address; groups of many are none."""
        inventory = self._drafting.inventory
        if self._counted is None or self._counted[0] is not inventory:
            seen = (one for one in self._traffic.hosts.addresses if one not in NOT_POLICY)
            self._counted = inventory, len({inventory.name(one) for one in seen})
        return self._counted[1]

    def scene(self, draft: Draft | None = None) -> Scene:
        """The scene of a draft, the present one unless given. Raises PolicyError.

        Found by identity: comparing large drafts is slow. Those of the saved draft, the present one
        and the one before it are kept.
        """
        with self._lock:
            drafting = self._drafting
            self._present_table()
            wanted = draft or drafting.present
            for known in self._scenes:
                if known.draft is wanted:
                    return known
            resolved = self._resolve(wanted.policy, wanted.inventory)
            fresh = Scene(wanted, self._simulator.simulate(resolved), self._named(wanted.inventory))
            matter = {id(one) for one in (drafting.saved, drafting.past, drafting.present)}
            kept = (one for one in self._scenes if id(one.draft) in matter)
            self._scenes = (*kept, fresh)
            return fresh

    @property
    def inventory(self) -> Inventory:
        """The present draft's, with the names that captures bring."""
        return self._named(self._drafting.inventory)

    def _named(self, inventory: Inventory) -> Inventory:
        if not self._seen_names:
            return inventory
        if self._names is None or self._names[0] is not inventory:
            self._names = inventory, replace(inventory, seen_names=self._seen_names)
        return self._names[1]

    def simulate(self, policy: Policy) -> Simulation:
        """Another policy on the same traffic and hosts. Raises PolicyError."""
        with self._lock:
            self._present_table()
            return self._simulator.simulate(self._resolve(policy, self._drafting.inventory))

    def resolve(self, policy: Policy) -> ResolvedPolicy:
        """Any policy without names, by the present inventory and the hosts seen."""
        with self._lock:
            self._present_table()
            return self._resolve(policy, self._drafting.inventory)

    def _resolve(self, policy: Policy, inventory: Inventory) -> ResolvedPolicy:
        return self._resolver.resolve(policy, inventory, self._traffic.hosts.addresses, self._on)
