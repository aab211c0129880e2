"""Choke points: what cuts most when it is closed, and the fewest things that cut everything."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from workbench.analysis.exposure.bits import positions, union
from workbench.analysis.exposure.figures import Picture
from workbench.analysis.exposure.network import GOAL, START, Network, Node
from workbench.analysis.exposure.openings import MOVES, Opening
from workbench.analysis.exposure.paths import Ways
from workbench.analysis.exposure.spread import Spread, Stop, rings
from workbench.model.errors import Cancelled
from workbench.model.exposure import Choke, ChokeKind, Cut, Gate
from workbench.model.traffic import Progress

Tell = Callable[[Progress], None] | None


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
        return self._connected(self._boxes())

    def _boxes(self, without: Collection[Gate] = (), isolated: int = 0) -> list[Opening]:
        """The boxes but those of some gates, and nothing from or to isolated machines."""
        boxes = [box for gate, own in self._gates.items() if gate not in without for box in own]
        if not isolated:
            return boxes
        return [
            Opening(box.clients & ~isolated, box.servers & ~isolated, box.services, box.gate)
            for box in boxes
        ]

    def _connected(self, boxes: list[Opening]) -> int:
        if self.footholds.bit_count() == 1:
            doors = [(box.clients, box.servers) for box in boxes]
            return (union(rings(doors, self.footholds)) & self.targets).bit_count()
        spread = Spread(boxes, len(self.picture.machines))
        return spread.pairs(spread.reached(), self.footholds, self.targets)

    def ranked(self, tell: Tell = None, cancelled: Stop = None) -> tuple[Choke, ...]:
        """Everything that cuts at least one pair when it is closed alone, most pairs first.

        For a rule that is its marginal share: what is connected through it and not without it.
        """
        tries: list[tuple[Choke, list[Opening]]] = [
            (Choke(ChokeKind.GATE, gate.name, gate.text, 0, 0.0, gate), self._boxes({gate}))
            for gate in self._gates
        ]
        tries += [
            (
                Choke(ChokeKind.HOST, name, f"isolate {name}", 0, 0.0),
                self._boxes(isolated=1 << machine),
            )
            for machine, name in self._passed()
        ]
        found = []
        for done, (choke, boxes) in enumerate(tries):
            if cancelled and cancelled():
                raise Cancelled
            if tell:
                tell(Progress("choke points", done, len(tries)))
            cut = self.pairs - self._connected(boxes)
            if cut:
                found.append(
                    Choke(choke.kind, choke.name, choke.text, cut, cut / self.pairs, choke.gate)
                )
        return tuple(sorted(found, key=lambda one: (-one.cut, one.kind, one.text)))

    def _passed(self) -> Iterator[tuple[int, str]]:
        """Machines that all paths of a pair may go through.

        Neither foothold nor target, reached, going on, and like no other: a path through one of
        several that are alike can take the other. Over all pairs there are none.
        """
        spread, machines = self.picture.spread, self.picture.machines
        between = union(spread.rings(self.footholds)) & union(spread.sources(self.targets))
        between &= machines.everybody & ~self.footholds & ~self.targets
        if between:
            alike = Ways(self.picture, self.footholds, self.targets).block_of
            for machine in positions(between).tolist():
                if alike[machine].bit_count() == 1:
                    yield machine, machines.names[machine]

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
            if not others._connected(self._boxes(gates - {gate})):
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
