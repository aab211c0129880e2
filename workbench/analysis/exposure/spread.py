"""From machine to machine: who is how many hops away, for all pairs at once.

Boxes with the same clients are one *door*. Machines that are clients of the same doors are one
*kind*: they reach the same machines, whatever they are. Reachability is then unions of bitsets,
kind by kind and door by door, instead of a walk for every host.
"""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import bitset, positions, union
from workbench.analysis.exposure.openings import MOVES, Opening
from workbench.model.errors import Cancelled
from workbench.model.exposure import Gate
from workbench.model.traffic import Stop


class Spread:
    """The graph of one scenario: which machines are one hop apart on some of the services."""

    def __init__(self, openings: Iterable[Opening], size: int, services: int = MOVES) -> None:
        """size: number of machines; the outside is one foothold more."""
        doors: dict[int, list[Opening]] = {}
        for opening in openings:
            if opening.services & services:
                doors.setdefault(opening.clients, []).append(opening)
        self.size = size
        self.clients = tuple(doors)
        """Bitset of each door's clients."""
        self._boxes = tuple(doors.values())
        self.servers = [union(box.servers for box in boxes) for boxes in self._boxes]
        """Bitset of the machines behind each door."""
        self.kind_of, self.doors_of = numbered(self.clients, size + 1)
        """Kind by machine, the outside last; and the doors of each kind."""
        self.members = _members(self.kind_of, len(self.doors_of))
        """Bitset of the machines of each kind."""
        self._behind = [self._kinds_in(servers) for servers in self.servers]

    def without(self, closed: Collection[Gate], isolated: int = 0) -> "Spread":
        """The same without some gates, and with nobody moving to isolated machines."""
        other = copy(self)
        other.servers, other._behind = list(self.servers), list(self._behind)
        for door, boxes in enumerate(self._boxes):
            if isolated or any(box.gate in closed for box in boxes):
                left = union(box.servers for box in boxes if box.gate not in closed) & ~isolated
                if left != self.servers[door]:
                    other.servers[door], other._behind[door] = left, self._kinds_in(left)
        return other

    def connects_like(self, before: "Spread") -> bool:
        """Whether all that is one hop away in `before`, of which this is a part, is still reached.

        Then everything is: a hop that is gone can be walked around.
        """
        doors = list(zip(self.clients, self.servers, strict=True))
        for door, (old, new) in enumerate(zip(before.servers, self.servers, strict=True)):
            if lost := old & ~new:
                for kind in np.unique(self.kind_of[positions(self.clients[door])]).tolist():
                    for start in two_of(self.members[kind]):
                        if not _gets_to(doors, start, lost & ~start):
                            return False
        return True

    def _kinds_in(self, machines: int) -> list[int]:
        """Kinds with a machine among these that get any further."""
        found = np.unique(self.kind_of[positions(machines)]).tolist()
        return [kind for kind in found if self.doors_of[kind]]

    def direct(self) -> list[int]:
        """Machines one hop away from each kind; itself is among them where it meets its like."""
        return [union(self.servers[door] for door in doors) for doors in self.doors_of]

    def within(self, cancelled: Stop = None) -> Iterator[list[int]]:
        """Machines at most 1, 2, … hops away from each kind, until nothing is added."""
        through = list(self.servers)
        reached = self.direct()
        moved = {kind for kind, found in enumerate(reached) if found}
        while moved:
            if cancelled and cancelled():
                raise Cancelled
            yield reached
            wider = set()
            for door, kinds in enumerate(self._behind):
                found = union(reached[kind] for kind in kinds if kind in moved)
                if found & ~through[door]:
                    through[door] |= found
                    wider.add(door)
            before, reached = reached, list(reached)
            for kind, doors in enumerate(self.doors_of):
                reached[kind] |= union(through[door] for door in doors if door in wider)
            moved = {
                kind
                for kind, found in enumerate(reached)
                if found.bit_count() > before[kind].bit_count()
            }

    def reached(self, cancelled: Stop = None) -> list[int]:
        """Machines any number of hops away from each kind."""
        last = deque(self.within(cancelled), maxlen=1)
        return last[0] if last else [0] * len(self.doors_of)

    def pairs(self, reached: list[int], footholds: int = -1, targets: int = -1) -> int:
        """Foothold and another machine that it reaches: how many pairs."""
        count = 0
        for members, found in zip(self.members, reached, strict=True):
            start, there = members & footholds, found & targets
            count += start.bit_count() * there.bit_count() - (start & there).bit_count()
        return count

    def rings(self, foothold: int) -> list[int]:
        """Machines exactly 1, 2, … hops away from any of the foothold's machines."""
        return rings(list(zip(self.clients, self.servers, strict=True)), foothold)

    def sources(self, targets: int) -> list[int]:
        """Machines exactly 1, 2, … hops before any of the targets, the outside among them."""
        found, known, newest = [], targets, targets
        outside = 1 << self.size
        while newest:
            doors = (door for door, servers in enumerate(self.servers) if servers & newest)
            reaching = union(self.clients[door] for door in doors) & ~known
            known |= reaching
            newest = reaching & ~outside
            if reaching:
                found.append(reaching)
        return found


def rings(doors: list[tuple[int, int]], foothold: int) -> list[int]:
    """The same over doors as pairs of clients and servers."""
    found, known, newest = [], foothold, foothold
    while newest:
        ahead = union(servers for clients, servers in doors if clients & newest) & ~known
        doors = [door for door in doors if not door[0] & newest]
        known |= ahead
        newest = ahead
        if newest:
            found.append(newest)
    return found


def _gets_to(doors: list[tuple[int, int]], start: int, wanted: int) -> bool:
    """Whether all that is wanted is reached, without looking further than that."""
    newest = known = start
    while newest and wanted & ~known:
        ahead = union(servers for clients, servers in doors if clients & newest) & ~known
        newest, known = ahead, known | ahead
    return not wanted & ~known


def two_of(members: int) -> Iterator[int]:
    """The first two machines of a kind, which stand for all.

    The second one sees what the others do of the first.
    """
    for _ in range(2):
        first = members & -members
        if first:
            yield first
        members &= ~first


def tree(doors: Sequence[tuple[int, int]], start: int) -> list[tuple[int, int, int]]:
    """One way to everything that is reached: machines, the door to them, one client of it before.

    In the order in which they are reached; every machine is reached once. `start` is one machine.
    """
    found, known, newest = [], start, start
    closed: Sequence[int] = range(len(doors))
    while newest:
        ahead, still = 0, []
        for door in closed:
            clients, servers = doors[door]
            if before := clients & newest:
                fresh = servers & ~known & ~ahead
                if fresh:
                    found.append((fresh, door, before & -before))
                    ahead |= fresh
            else:
                still.append(door)
        closed, newest, known = still, ahead, known | ahead
    return found


def numbered(doors: Sequence[int], size: int) -> tuple[NDArray[np.int64], list[list[int]]]:
    """Number machines by the sets that they are in: kind by machine, and the sets of each kind."""
    clients = [positions(door) for door in doors]
    machine = np.concatenate([*clients, np.empty(0, np.int64)])
    which = np.repeat(np.arange(len(doors), dtype=np.int32), [len(one) for one in clients])
    order = np.argsort(machine, kind="stable")
    which, starts = which[order], np.searchsorted(machine[order], np.arange(size + 1)).tolist()
    numbers: dict[bytes, int] = {}
    kind_of = [
        numbers.setdefault(which[start:end].tobytes(), len(numbers))
        for start, end in pairwise(starts)
    ]
    doors_of = [np.frombuffer(one, dtype=np.int32).tolist() for one in numbers]
    return np.array(kind_of, dtype=np.int64), doors_of


def _members(kind_of: NDArray[np.int64], kinds: int) -> list[int]:
    order = np.argsort(kind_of, kind="stable")
    bounds = np.searchsorted(kind_of[order], np.arange(kinds + 1)).tolist()
    found = []
    for start, end in pairwise(bounds):
        if end - start == 1:
            found.append(1 << int(order[start]))
        else:
            mask = np.zeros(len(kind_of), dtype=np.bool_)
            mask[order[start:end]] = True
            found.append(bitset(mask))
    return found
