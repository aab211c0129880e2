"""Replay policies on recorded conversations, quickly when only rules changed."""

from threading import Lock

from workbench.analysis.cells import Rows
from workbench.analysis.standing import Standing
from workbench.model.policy import ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.traffic import ConversationTable


class Simulator:
    """Judges policies on one table. Agrees with `decide()` on every conversation.

    Keeps what the last policy left behind: while protections and exclusions stay and no new set
    splits hosts that were alike, an edit costs as much as the rules it changed. One simulation at
    a time; callers may be on several threads.
    """

    def __init__(self, table: ConversationTable) -> None:
        self.table = table
        self._rows = Rows.of(table)
        self._standing: Standing | None = None
        self._lock = Lock()

    def simulate(self, policy: ResolvedPolicy) -> Simulation:
        """One verdict and one class for every conversation, with totals, coverage, rule use."""
        with self._lock:
            if self._standing is None or not self._standing.accepts(policy):
                self._standing = Standing(self._rows, policy)
            return self._standing.simulate(policy)
