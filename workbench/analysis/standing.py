"""How the cells stand under the rules in force.

Allowed means "covered by at least one rule", so each cell keeps the number of rules that cover it,
and an edited rule is −1 on its old cells and +1 on its new ones. The sum of the covering rules'
slots beside it names the rule wherever exactly one covers: what breaks without that rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.boxes import Box, SetCutsClass, Sets
from workbench.analysis.cells import CLASS_OF, Cells, Rows
from workbench.analysis.reverse import Pieces, Readings
from workbench.analysis.totals import Sums, coverage_of
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.simulation import Simulation
from workbench.model.verdict import NOT_POLICY, NOT_POLICY_SERVICES, Class, RuleUse, Verdict

NEVER = np.iinfo(np.int64).min
USES = ("hits", "flows", "bytes", "last_us", "sole_hits")
_HITS, _FLOWS, _BYTES, _LAST, _SOLE = range(len(USES))


@dataclass(frozen=True)
class Cover:
    """What one box covers, whatever the other rules say."""

    box: Box
    cells: NDArray[np.int64]
    doubtful: NDArray[np.int64]
    """Those whose verdict also hangs on the reverse reading, if they count at all."""
    pieces: Pieces
    """What it covers of reverse readings."""


class Standing:
    """Cells and counts for one scope; moves from one set of rules to the next."""

    def __init__(self, rows: Rows, policy: ResolvedPolicy) -> None:
        self._table = rows.table
        self._sets = Sets.of(rows.table.hosts, policy)
        self._cells = cells = Cells.of(rows, self._sets.classes)
        self._readings = Readings.of(cells, rows.table)
        self._scope = self._scope_of(policy)
        self._before, self._readings_before = self._before_rules(policy)
        self._excluded = np.zeros(len(cells), dtype=np.bool_)
        for exclusion in policy.exclusions:
            box = self._sets.open(self._sets.box(exclusion))
            self._excluded[cells.within(*box)] = True
        self._counted = ~self._excluded & (self._before == Verdict.BLOCKED)
        self._doubtful = np.zeros(len(cells), dtype=np.bool_)
        self._doubtful[cells.doubtful] = self._counted[cells.doubtful]

        self._slots: dict[Box, int] = {}
        self._covers: list[Cover | None] = []
        """By slot; None for a free one."""
        self._free: list[int] = []
        self._fresh: list[int] = []
        """Slots whose firm uses are still to be summed."""
        self._firm = np.zeros((0, len(USES)), dtype=np.int64)
        """By slot: USES of cells that are not doubtful; sole hits hang on other rules and are 0."""
        self._times = np.zeros(0, dtype=np.int64)
        """By slot: how many rules are this box."""
        self._counts = np.zeros(len(cells), dtype=np.int64)
        self._owners = np.zeros(len(cells), dtype=np.int64)
        self._reverse = np.zeros(len(cells), dtype=np.uint8)
        """Verdict of the reverse reading; 0 where there is only one."""
        self._verdicts = np.zeros(len(cells), dtype=np.uint8)
        self._classes = np.zeros(len(cells), dtype=np.uint8)
        self._by_row = (np.zeros(len(rows.table), np.uint8), np.zeros(len(rows.table), np.uint8))
        """Verdicts and classes of the last simulation."""
        self._sums = Sums(cells)
        self._made: dict[str, tuple[list[int], RuleUse]] = {}
        self._touched = np.ones(len(cells), dtype=np.bool_)
        """Cells to judge again."""

    def accepts(self, policy: ResolvedPolicy) -> bool:
        """True when only rules changed, and no set of theirs cuts a host class in two."""
        try:
            for rule in policy.rules:
                self._sets.number(rule.clients)
                self._sets.number(rule.servers)
            return self._scope == self._scope_of(policy)
        except SetCutsClass:
            return False

    def simulate(self, policy: ResolvedPolicy) -> Simulation:
        """Move to the policy's rules and judge what that touches."""
        slots = [self._slot(rule) for rule in policy.rules]
        self._move_to(slots)
        self._judge()
        verdicts, classes = self._by_row
        totals = self._sums.totals()
        return Simulation(
            table=self._table,
            policy=policy,
            verdicts=verdicts,
            classes=classes,
            totals=totals,
            coverage=coverage_of(totals),
            rules=self._rule_uses(policy, slots),
        )

    def _scope_of(self, policy: ResolvedPolicy) -> tuple[int, int, frozenset[Box]]:
        return (
            self._sets.number(policy.protected_ingress),
            self._sets.number(policy.protected_egress),
            frozenset(map(self._sets.box, policy.exclusions)),
        )

    def _before_rules(self, policy: ResolvedPolicy) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Verdicts of cells and of reverse readings while no rule allows anything."""
        cells, readings = self._cells, self._readings
        free = self._sets.inside(NOT_POLICY)
        ingress = self._sets.inside(policy.protected_ingress)
        egress = self._sets.inside(policy.protected_egress)

        def in_scope(client: NDArray[np.int64], server: NDArray[np.int64]) -> NDArray[np.bool_]:
            return (egress[client] | ingress[server]) & ~free[client] & ~free[server]

        scope = in_scope(cells.client, cells.server)
        for start, end in cells.slices(NOT_POLICY_SERVICES):
            scope[start:end] = False
        before = np.where(scope, Verdict.BLOCKED, Verdict.OUT_OF_SCOPE).astype(np.uint8)
        return before, readings.before_rules(in_scope(readings.client, readings.server))

    def _slot(self, rule: ResolvedRule) -> int:
        box = self._sets.box(rule)
        slot = self._slots.get(box)
        if slot is None:
            if not self._free:
                self._free.append(len(self._covers))
                self._covers.append(None)
            slot = self._slots[box] = self._free.pop()
            self._covers[slot] = self._cover(box)
            self._fresh.append(slot)
        return slot

    def _cover(self, box: Box) -> Cover:
        opened = self._sets.open(box)
        cells = self._cells.within(*opened)
        return Cover(
            box=box,
            cells=cells,
            doubtful=cells[self._doubtful.take(cells)],
            pieces=self._readings.pieces(*opened),
        )

    def _move_to(self, slots: Sequence[int]) -> None:
        """Count cells under these rules, and note which cells that touches."""
        wanted = np.bincount(np.array(slots, dtype=np.int64), minlength=len(self._covers))
        had = np.pad(self._times, (0, len(wanted) - len(self._times)))
        for slot in np.flatnonzero(wanted != had).tolist():
            cover = self._covers[slot]
            if cover is None:
                continue
            step = int(wanted[slot] - had[slot])
            self._counts[cover.cells] += step
            self._owners[cover.cells] += step * slot
            self._touched[cover.cells] = True
            if not wanted[slot]:
                del self._slots[cover.box]
                self._covers[slot] = None
                self._free.append(slot)
        self._times = wanted

    def _judge(self) -> None:
        """Bring verdicts, classes and sums of touched cells up to date."""
        cells, readings = self._cells, self._readings
        if len(readings):
            pieces = [cover.pieces for cover in self._covers if cover and cover.pieces.size]
            reverse = readings.judge(self._readings_before, pieces)
            self._touched[readings.cell[reverse != self._reverse[readings.cell]]] = True
            self._reverse[readings.cell] = reverse
        touched = np.flatnonzero(self._touched)
        self._touched[touched] = False
        verdicts = self._before[touched]
        verdicts[(self._counts[touched] > 0) & (verdicts == Verdict.BLOCKED)] = Verdict.ALLOWED
        other = self._reverse[touched]
        verdicts[(other > 0) & (other != verdicts)] = Verdict.UNCERTAIN
        classes = CLASS_OF[verdicts, cells.outcome[touched]]
        classes[self._excluded[touched]] = Class.EXCLUDED
        self._sums.move(touched, self._classes[touched], classes)
        differ = verdicts != self._verdicts[touched]  # in one scope the class follows
        self._publish(touched[differ], verdicts[differ], classes[differ])

    def _publish(
        self, at: NDArray[np.int64], verdicts: NDArray[np.uint8], classes: NDArray[np.uint8]
    ) -> None:
        """Write new verdicts and classes of some cells, and of their rows into fresh arrays."""
        self._verdicts[at] = verdicts
        self._classes[at] = classes
        rows, sizes = self._cells.rows_of(at), self._cells.conversations[at]
        by_row = self._by_row[0].copy(), self._by_row[1].copy()
        for array, values in zip(by_row, (verdicts, classes), strict=True):
            array[rows] = np.repeat(values, sizes)
            array.setflags(write=False)
        self._by_row = by_row

    def _rule_uses(self, policy: ResolvedPolicy, slots: Sequence[int]) -> tuple[RuleUse, ...]:
        """Policy order; the expired, whose place is not known any more, at the end."""
        uses = self._uses().tolist()
        made: dict[str, tuple[list[int], RuleUse]] = {}
        for rule, slot in zip(policy.rules, slots, strict=True):
            use = uses[slot]
            known = self._made.get(rule.id)
            made[rule.id] = known if known and known[0] == use else (use, _rule_use(rule.id, use))
        self._made = made
        gone = (RuleUse(name, 0, 0, 0, 0, None, "expired") for name in policy.expired)
        return (*(made[rule.id][1] for rule in policy.rules), *gone)

    def _uses(self) -> NDArray[np.int64]:
        """USES by slot."""
        self._sum_fresh()
        uses = self._firm.copy()
        allowed = self._counted & (self._verdicts == Verdict.ALLOWED)
        sole = np.flatnonzero(allowed & (self._counts == 1))
        np.add.at(uses[:, _SOLE], self._owners[sole], self._cells.conversations[sole])
        if len(self._readings):
            doubtful = {at: cover.doubtful for at, cover in enumerate(self._covers) if cover}
            self._add_uses(uses, *_pairs(doubtful), allowed)
        return uses

    def _sum_fresh(self) -> None:
        """Firm uses of the slots that came since the last time, all in one go."""
        firm = np.zeros((len(self._covers), len(USES)), dtype=np.int64)
        firm[: len(self._firm)] = self._firm
        firm[self._fresh] = 0
        firm[self._fresh, _LAST] = NEVER
        cells = {at: cover.cells for at in self._fresh if (cover := self._covers[at])}
        self._add_uses(firm, *_pairs(cells), self._counted & ~self._doubtful)
        self._firm, self._fresh = firm, []

    def _add_uses(
        self,
        uses: NDArray[np.int64],
        slots: NDArray[np.int64],
        cells: NDArray[np.int64],
        kept: NDArray[np.bool_],
    ) -> None:
        """Add the sums of `cells` to the uses of `slots`, pair by pair, where the cell is kept."""
        wanted = kept.take(cells)
        slots, cells = slots[wanted], cells[wanted]
        np.add.at(uses[:, _HITS], slots, self._cells.conversations.take(cells))
        np.add.at(uses[:, _FLOWS], slots, self._cells.flows.take(cells))
        np.add.at(uses[:, _BYTES], slots, self._cells.bytes.take(cells))
        np.maximum.at(uses[:, _LAST], slots, self._cells.last_us.take(cells))


def _pairs(by_slot: dict[int, NDArray[np.int64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slot and cell of every cell of every slot."""
    sizes = [len(cells) for cells in by_slot.values()]
    slots = np.repeat(np.array(list(by_slot), dtype=np.int64), sizes)
    return slots, np.concatenate([np.empty(0, dtype=np.int64), *by_slot.values()])


def _rule_use(name: str, use: list[int]) -> RuleUse:
    hits, flows, octets, last, sole = use
    if not hits:
        return RuleUse(name, 0, 0, 0, 0, None, "unused")
    return RuleUse(name, hits, sole, flows, octets, last)
