"""How the cells stand under the rules in force.

Allowed means "covered by at least one rule", so each cell keeps the number of rules that cover it,
and an edited rule is −1 on its old cells and +1 on its new ones. The sum of the covering rules'
slots beside it names the rule wherever exactly one covers: what breaks without that rule.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.boxes import NOT_POLICY_SERVICES, Box, SetCutsClass, Sets
from workbench.analysis.cells import CLASS_OF, Cells, Rows
from workbench.analysis.hosts import HostClasses
from workbench.analysis.reverse import Pieces, Readings
from workbench.analysis.totals import coverage_of, totals_of
from workbench.model.net import AddressSet
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.simulation import Simulation
from workbench.model.verdict import NOT_POLICY, Class, RuleUse, Verdict

NEVER = np.iinfo(np.int64).min
USES = ("hits", "flows", "bytes", "last_us", "sole_hits")
_HITS, _FLOWS, _BYTES, _LAST, _SOLE = range(len(USES))


@dataclass(frozen=True)
class Cover:
    """What one box covers, whatever the other rules say."""

    cells: NDArray[np.int64]
    doubtful: NDArray[np.int64]
    """Those whose verdict also hangs on the reverse reading, if they count at all."""
    pieces: Pieces
    """What it covers of reverse readings."""
    uses: tuple[int, int, int, int, int]
    """USES of the cells that are not doubtful; sole hits, which hang on other rules, are 0."""


class Standing:
    """Cells and counts for one scope; moves from one set of rules to the next."""

    def __init__(self, rows: Rows, policy: ResolvedPolicy) -> None:
        self._table = rows.table
        self._sets = Sets(HostClasses(rows.table.hosts, _address_sets(policy)))
        self._cells = cells = Cells.of(rows, self._sets.classes)
        self._readings = Readings.of(cells, rows.table)
        self._scope = self._scope_of(policy)
        self._before, self._readings_before = self._before_rules(policy)
        self._excluded = np.zeros(len(cells), dtype=np.bool_)
        for exclusion in policy.exclusions:
            box = self._sets.open(self._sets.box(exclusion))
            self._excluded[cells.within(*box)] = True
        self._counted = ~self._excluded & (self._before == Verdict.BLOCKED)
        self._is_doubtful = np.zeros(len(cells), dtype=np.bool_)
        self._is_doubtful[cells.doubtful] = True
        self._counts = np.zeros(len(cells), dtype=np.int32)
        self._owners = np.zeros(len(cells), dtype=np.int64)
        self._slots: dict[Box, int] = {}
        self._times: Counter[Box] = Counter()
        self._covers: list[Cover | None] = []
        self._free: list[int] = []

    def accepts(self, policy: ResolvedPolicy) -> bool:
        """True when only rules changed, and no set of theirs cuts a host class in two."""
        try:
            for rule in policy.rules:
                self._sets.box(rule)
            return self._scope == self._scope_of(policy)
        except SetCutsClass:
            return False

    def simulate(self, policy: ResolvedPolicy) -> Simulation:
        """Move to the policy's rules and judge every conversation."""
        boxes = [self._sets.box(rule) for rule in policy.rules]
        self._move_to(Counter(boxes))
        verdicts = self._verdicts()
        classes = CLASS_OF[verdicts, self._cells.outcome]
        classes[self._excluded] = Class.EXCLUDED
        totals = totals_of(self._cells, classes)
        return Simulation(
            table=self._table,
            policy=policy,
            verdicts=self._by_row(verdicts),
            classes=self._by_row(classes),
            totals=totals,
            coverage=coverage_of(totals),
            rules=self._rule_uses(policy, boxes, verdicts),
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

    def _move_to(self, wanted: Counter[Box]) -> None:
        for box in [box for box in self._times if wanted[box] < self._times[box]]:
            self._add(box, wanted[box] - self._times[box])
            if not wanted[box]:
                slot = self._slots.pop(box)
                self._covers[slot] = None
                self._free.append(slot)
        for box, times in wanted.items():
            if times > self._times[box]:
                self._add(box, times - self._times[box])
        self._times = wanted

    def _add(self, box: Box, times: int) -> None:
        if box not in self._slots:
            if not self._free:
                self._free.append(len(self._covers))
                self._covers.append(None)
            self._slots[box] = self._free.pop()
            self._covers[self._slots[box]] = self._cover(box)
        slot = self._slots[box]
        cover = self._covers[slot]
        if cover is not None:  # always: a slot in use has one
            self._counts[cover.cells] += times
            self._owners[cover.cells] += times * slot

    def _cover(self, box: Box) -> Cover:
        opened, cells = self._sets.open(box), self._cells
        covered = cells.within(*opened)
        counted = covered[self._counted[covered]]
        doubtful = self._is_doubtful[counted]
        firm = counted[~doubtful]
        return Cover(
            cells=covered,
            doubtful=counted[doubtful],
            pieces=self._readings.pieces(*opened),
            uses=(
                int(cells.conversations[firm].sum()),
                int(cells.flows[firm].sum()),
                int(cells.bytes[firm].sum()),
                int(cells.last_us[firm].max(initial=NEVER)),
                0,
            ),
        )

    def _verdicts(self) -> NDArray[np.uint8]:
        """By cell."""
        verdicts = self._before.copy()
        verdicts[(self._counts > 0) & (verdicts == Verdict.BLOCKED)] = Verdict.ALLOWED
        if len(self._readings):
            pieces = [cover.pieces for cover in self._covers if cover and cover.pieces.size]
            reverse = self._readings.judge(self._readings_before, pieces)
            forward = verdicts[self._readings.cell]
            differ = self._readings.cell[forward != reverse]
            verdicts[differ] = Verdict.UNCERTAIN
        return verdicts

    def _by_row(self, by_cell: NDArray[np.uint8]) -> NDArray[np.uint8]:
        by_row = by_cell.take(self._cells.of_row)
        by_row.setflags(write=False)
        return by_row

    def _rule_uses(
        self, policy: ResolvedPolicy, boxes: Sequence[Box], verdicts: NDArray[np.uint8]
    ) -> tuple[RuleUse, ...]:
        """Policy order; the expired, whose place is not known any more, at the end."""
        uses = self._uses(verdicts).tolist()
        found = []
        for rule, box in zip(policy.rules, boxes, strict=True):
            hits, flows, octets, last, sole = uses[self._slots[box]]
            state = "active" if hits else "unused"
            found.append(RuleUse(rule.id, hits, sole, flows, octets, last if hits else None, state))
        gone = (RuleUse(name, 0, 0, 0, 0, None, "expired") for name in policy.expired)
        return (*found, *gone)

    def _uses(self, verdicts: NDArray[np.uint8]) -> NDArray[np.int64]:
        """USES by slot."""
        cells = self._cells
        blank = (0, 0, 0, NEVER, 0)
        uses = np.array([cover.uses if cover else blank for cover in self._covers], dtype=np.int64)
        uses = uses.reshape(-1, len(USES))
        allowed = self._counted & (verdicts == Verdict.ALLOWED)
        sole = np.flatnonzero(allowed & (self._counts == 1))
        np.add.at(uses[:, _SOLE], self._owners[sole], cells.conversations[sole])
        if len(self._readings):
            slot, cell = self._doubtful_hits()
            kept = allowed[cell]
            slot, cell = slot[kept], cell[kept]
            np.add.at(uses[:, _HITS], slot, cells.conversations[cell])
            np.add.at(uses[:, _FLOWS], slot, cells.flows[cell])
            np.add.at(uses[:, _BYTES], slot, cells.bytes[cell])
            np.maximum.at(uses[:, _LAST], slot, cells.last_us[cell])
        return uses

    def _doubtful_hits(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Slot and cell of every cover of a doubtful cell."""
        pairs = [(at, cover.doubtful) for at, cover in enumerate(self._covers) if cover]
        sizes = [len(cells) for _, cells in pairs]
        slots = np.repeat(np.array([at for at, _ in pairs], dtype=np.int64), sizes)
        return slots, np.concatenate([np.empty(0, np.int64), *(cells for _, cells in pairs)])


def _address_sets(policy: ResolvedPolicy) -> set[AddressSet]:
    """Every set that tells hosts apart."""
    boxes: tuple[ResolvedRule, ...] = (*policy.rules, *policy.exclusions)
    return {
        NOT_POLICY,
        policy.protected_ingress,
        policy.protected_egress,
        *(addresses for _, addresses in policy.segments),
        *(rule.clients for rule in boxes),
        *(rule.servers for rule in boxes),
    }
