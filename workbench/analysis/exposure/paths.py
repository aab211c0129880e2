"""Attack paths: the shortest ways from a foothold to a target, as chains to read."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from workbench.analysis.exposure.bits import lowest, positions, union
from workbench.analysis.exposure.figures import Picture
from workbench.analysis.exposure.openings import MOVES, services_of
from workbench.model.errors import Cancelled
from workbench.model.exposure import AttackPath, Gate, GateKind, Hop
from workbench.model.traffic import Stop

PATIENCE = 100_000
"""Chains to look at before the search gives up; most sites need a few hundred."""


@dataclass(frozen=True)
class Ways:
    """Chains of machines from any machine of `start` to any machine of `goal`.

    Machines that are clients and servers of the same doors are one *block*; a chain visits a block
    once, for going through its other machines leads nowhere else.
    """

    picture: Picture
    start: int
    goal: int

    @cached_property
    def block_of(self) -> dict[int, int]:
        """Bitset of each machine's block, by machine; neither start nor goal are in one with
        others."""
        spread = self.picture.spread
        behind: list[list[int]] = [[] for _ in range(len(self.picture.machines))]
        for door, servers in enumerate(spread.servers):
            for machine in positions(servers).tolist():
                behind[machine].append(door)
        blocks: dict[object, int] = {}
        keys: list[object] = []
        for machine, doors in enumerate(behind):
            aimed = bool(self.goal >> machine & 1)
            keys.append((int(spread.kind_of[machine]), tuple(doors), aimed))
            blocks[keys[-1]] = blocks.get(keys[-1], 0) | 1 << machine
        return {machine: blocks[key] & ~self.start for machine, key in enumerate(keys)}

    @cached_property
    def _left(self) -> dict[int, int]:
        """Hops from a machine to the nearest goal, for those that get there."""
        found = dict.fromkeys(positions(self.goal).tolist(), 0)
        for hops, ring in enumerate(self.picture.spread.sources(self.goal), 1):
            found |= dict.fromkeys(positions(ring).tolist(), hops)
        return found

    def _next(self, block: int) -> Iterator[tuple[int, int]]:
        """Blocks one hop on, each once, and the hops that are left from there."""
        spread = self.picture.spread
        doors = {door for at in positions(block) for door in spread.doors_of[spread.kind_of[at]]}
        ahead = union(spread.servers[door] for door in doors) & ~self.start
        while ahead:
            machine = lowest(ahead)
            found = self.block_of[machine]
            ahead &= ~found
            if machine in self._left:
                yield found, self._left[machine]

    def chains(self, count: int, cancelled: Stop = None) -> list[tuple[int, ...]]:
        """At most `count` chains of blocks, start first, shortest first.

        Best first by the exact number of hops that are left, so that few chains are tried in vain.
        """
        found: list[tuple[int, ...]] = []
        queue: list[tuple[int, int, int, tuple[int, ...]]] = [(0, 0, 0, (self.start,))]
        known: dict[int, list[tuple[int, int]]] = {}
        for tried in range(PATIENCE):
            if not queue or len(found) == count:
                break
            if cancelled and cancelled():
                raise Cancelled
            chain = heapq.heappop(queue)[-1]
            last = chain[-1]
            if len(chain) > 1 and last & self.goal:
                found.append(chain)
                continue
            if last not in known:
                known[last] = list(self._next(last))
            for at, (block, left) in enumerate(known[last]):
                if block not in chain:
                    longer = (*chain, block)
                    whole = len(longer) - 1 + left
                    heapq.heappush(queue, (whole, -len(longer), tried * 65536 + at, longer))
        return found

    def paths(self, count: int, cancelled: Stop = None) -> tuple[AttackPath, ...]:
        """The shortest attack paths, shortest first; alike ones are told once."""
        return tuple(
            AttackPath(self.picture.scenario, tuple(self._hops(chain)))
            for chain in self.chains(count, cancelled)
        )

    def _hops(self, chain: tuple[int, ...]) -> Iterator[Hop]:
        picture = self.picture
        client = self._client(chain[1])
        for block in chain[1:]:
            server = lowest(block)
            gates, services = gates_between(picture, client, server)
            yield Hop(
                picture.machines.name(client),
                picture.machines.name(server),
                block.bit_count() - 1,
                services,
                gates,
            )
            client = server

    def _client(self, block: int) -> int:
        """The first machine of the start that gets to a block in one hop."""
        spread = self.picture.spread
        for machine in positions(self.start).tolist():
            doors = spread.doors_of[spread.kind_of[machine]]
            if any(spread.servers[door] & block for door in doors):
                return int(machine)
        raise AssertionError("a chain begins at the foothold")


def gates_between(
    picture: Picture, client: int, server: int
) -> tuple[tuple[Gate, ...], tuple[str, ...]]:
    """What lets one machine move to another, and on which services.

    Where neither end is protected no rule is needed, so none is named beside that.
    """
    boxes = [
        box
        for box in picture.openings
        if box.services & MOVES and box.clients >> client & 1 and box.servers >> server & 1
    ]
    gates = tuple(dict.fromkeys(box.gate for box in boxes))
    services = services_of(union(box.services for box in boxes) & MOVES)
    freely = tuple(gate for gate in gates if gate.kind is GateKind.UNPROTECTED)
    return freely or gates, tuple(one.id for one in services)
