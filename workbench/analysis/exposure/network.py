"""Largest flow and smallest cut through gates that let one unit through each."""

from collections import Counter, deque
from collections.abc import Collection, Hashable, Iterator, Mapping

from workbench.model.exposure import Gate

Node = Hashable
"""A gate's two sides, a kind of machines, the start or the goal."""
START, GOAL = "start", "goal"
_ENTRY, _EXIT = "entry", "exit"


class Network:
    """Gates let one unit through, everything else any number; flow is added path by path."""

    def __init__(self, edges: Mapping[Node, set[Node]], gates: Collection[Gate]) -> None:
        self._gates = gates
        self._ahead: dict[Node, set[Node]] = {(gate, _ENTRY): {(gate, _EXIT)} for gate in gates}
        for node, following in edges.items():
            leaving = (node, _EXIT) if node in gates else node
            entering = {(one, _ENTRY) if one in gates else one for one in following}
            self._ahead.setdefault(leaving, set()).update(entering)
        self._flow: Counter[tuple[Node, Node]] = Counter()
        """Units from node to node."""
        self._senders: dict[Node, set[Node]] = {}
        """Where a node's units came from: they can be sent back."""

    def cut(self) -> list[Gate]:
        """Gates that the start still enters and does not leave, once no path is left."""
        while path := self._path():
            for one, other in path:
                if self._flow[other, one]:
                    self._flow[other, one] -= 1
                else:
                    self._flow[one, other] += 1
                    self._senders.setdefault(other, set()).add(one)
        reached = self._walk()
        return [
            gate
            for gate in self._gates
            if (gate, _ENTRY) in reached and (gate, _EXIT) not in reached
        ]

    def _path(self) -> list[tuple[Node, Node]]:
        came_from = self._walk()
        steps: list[tuple[Node, Node]] = []
        node: Node = GOAL if GOAL in came_from else START
        while node != START:
            steps.append((came_from[node], node))
            node = came_from[node]
        return steps

    def _walk(self) -> dict[Node, Node]:
        """Every node that one unit more can get to, and from where."""
        came_from: dict[Node, Node] = {START: START}
        queue: deque[Node] = deque([START])
        while queue:
            node = queue.popleft()
            for one in self._open(node):
                if one not in came_from:
                    came_from[one] = node
                    queue.append(one)
        return came_from

    def _open(self, node: Node) -> Iterator[Node]:
        for one in self._ahead.get(node, ()):
            if not (isinstance(node, tuple) and node[1] == _ENTRY and self._flow[node, one]):
                yield one
        yield from (one for one in self._senders.get(node, ()) if self._flow[one, node])
