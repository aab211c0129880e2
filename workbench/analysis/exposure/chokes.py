"""Choke points: what cuts most when it is closed, and the fewest things that cut everything."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

from workbench.analysis.exposure.bits import positions, union
from workbench.analysis.exposure.figures import Picture
from workbench.analysis.exposure.network import GOAL, START, Network, Node
from workbench.analysis.exposure.openings import MOVES, Opening
from workbench.analysis.exposure.spread import Spread, rings, tree, two_of
from workbench.model.errors import Cancelled
from workbench.model.exposure import Choke, ChokeKind, Cut, Gate
from workbench.model.traffic import Progress, Stop, Tell

MANY = 50
"""Kinds of footholds above which everything is a candidate."""


@dataclass(frozen=True)
class Chokes:
    """The pairs of foothold and target that are connected, and what connects them."""

    picture: Picture
    footholds: int
    targets: int

    @cached_property
    def _gates(self) -> dict[Gate, list[Opening]]:
        """The boxes to move by, gate by gate."""
        found: dict[Gate, list[Opening]] = {}
        for box in self.picture.openings:
            if box.services & MOVES:
                found.setdefault(box.gate, []).append(box)
        return found

    @cached_property
    def pairs(self) -> int:
        """Connected now."""
        return self._connected(())

    def _boxes(self, closed: Collection[Gate] = ()) -> list[Opening]:
        return [box for gate, own in self._gates.items() if gate not in closed for box in own]

    def _connected(self, closed: Collection[Gate], isolated: int = 0) -> int:
        """Pairs that stay connected when gates are closed or machines isolated."""
        if self.footholds.bit_count() == 1:
            doors = [
                (box.clients & ~isolated, box.servers & ~isolated) for box in self._boxes(closed)
            ]
            return (union(rings(doors, self.footholds)) & self.targets).bit_count()
        whole = self.picture.spread
        if not closed and not isolated:
            return whole.pairs(self.picture.reached, self.footholds, self.targets)
        spread = whole.without(closed, isolated)
        if not isolated and spread.connects_like(whole):
            return self.pairs
        return spread.pairs(spread.reached(), self.footholds, self.targets)

    def ranked(self, tell: Tell = None, cancelled: Stop = None) -> tuple[Choke, ...]:
        """Everything that cuts at least one pair when it is closed alone, most pairs first.

        For a rule that is its marginal share: what is connected through it and not without it.
        """
        gates, hosts = self._candidates(cancelled)
        tries = [
            *((Choke(ChokeKind.GATE, one.name, one.text, 0, 0.0, one), 0) for one in gates),
            *(
                (Choke(ChokeKind.HOST, name, f"isolate {name}", 0, 0.0), 1 << at)
                for at in hosts
                for name in [self.picture.machines.names[at]]
            ),
        ]
        found = []
        for done, (choke, isolated) in enumerate(tries):
            if cancelled and cancelled():
                raise Cancelled
            if tell:
                tell(Progress("choke points", done, len(tries)))
            closed = (choke.gate,) if choke.gate else ()
            cut = self.pairs - self._connected(closed, isolated)
            if cut:
                found.append(replace(choke, cut=cut, share=cut / self.pairs))
        return tuple(sorted(found, key=lambda one: (-one.cut, one.kind, one.text)))

    def _candidates(self, cancelled: Stop) -> tuple[list[Gate], list[int]]:
        """What may cut a pair: the gates and machines on one way from each foothold to each target.

        What is on every way is on this one too. Two footholds of a kind stand for the others, the
        second for the first as a target. Many kinds need all gates in the end; machines are not
        looked at then, nor are machines that are footholds or targets themselves.
        """
        kinds = [members & self.footholds for members in self.picture.spread.members]
        starts = [members for members in kinds if members]
        if len(starts) > MANY:
            return list(self._gates), []
        boxes = self._boxes()
        doors = [(box.clients, box.servers) for box in boxes]
        gates: dict[Gate, None] = {}
        hosts = 0
        for members in starts:
            if cancelled and cancelled():
                raise Cancelled
            for start in two_of(members):
                wanted = self.targets & ~start
                for fresh, door, parent in reversed(tree(doors, start)):
                    if fresh & wanted:
                        gates[boxes[door].gate] = None
                        wanted |= parent
                        hosts |= parent & ~start
        between = hosts & self.picture.machines.everybody & ~self.footholds & ~self.targets
        return sorted(gates), positions(between).tolist()

    def cut(self, foothold: str, target: str) -> Cut:
        """The fewest gates that together leave no path from any foothold to any target.

        By the largest number of paths that share no gate (Menger's theorem). A gate that lets
        through in IPv4 and IPv6 is closed as one, though no path changes from one to the other
        inside of it: gates that are found for that reason alone are left out again. Targets that
        are footholds themselves do not count.
        """
        others = replace(self, targets=self.targets & ~self.footholds)
        gates = set(Network(self._edges(), self._gates).cut()) if others.pairs else set()
        for gate in sorted(gates):
            if not others._connected(gates - {gate}):
                gates.remove(gate)
        return Cut(self.picture.scenario, foothold, target, tuple(sorted(gates)), others.pairs)

    def _edges(self) -> dict[Node, set[Node]]:
        """Foothold → gates → machines → gates → … → targets; kinds of machines stand for all."""
        targets = self.targets & ~self.footholds
        spread = Spread(self._boxes(), len(self.picture.machines))
        edges: dict[Node, set[Node]] = {START: set()}
        for gate, boxes in self._gates.items():
            behind: set[Node] = set()
            for box in boxes:
                servers = box.servers & ~self.footholds
                if servers & targets:
                    behind.add(GOAL)
                behind.update(set(spread.kind_of[positions(servers & ~targets)].tolist()))
                if box.clients & self.footholds:
                    edges[START].add(gate)
                for kind in set(spread.kind_of[positions(box.clients)].tolist()):
                    edges.setdefault(kind, set()).add(gate)
            edges[gate] = behind
        return edges
