"""The site, its segments and its machines in figures, under one scenario."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import positions, union
from workbench.analysis.exposure.machines import Machines
from workbench.analysis.exposure.openings import (
    ALL_SERVICES,
    MOVES,
    Opening,
    services_bits,
    services_of,
)
from workbench.analysis.exposure.spread import Spread, numbered
from workbench.model.exposure import (
    Blast,
    Crossing,
    Reach,
    Ring,
    Scenario,
    ScenarioExposure,
    ServiceExposure,
    ServiceReach,
    TargetExposure,
)
from workbench.model.risky import RISKY, RiskyService
from workbench.model.traffic import Stop

AMBER, RED = 0.01, 0.10
"""Shares of all pairs above which a service is no longer green, and no longer amber."""


@dataclass(frozen=True)
class Picture:
    """One scenario, worked out: ask it for figures, targets, footholds."""

    scenario: Scenario
    machines: Machines
    openings: tuple[Opening, ...]
    segments: tuple[tuple[str, int], ...]
    """Every segment of the policy and its machines, policy order."""

    @cached_property
    def spread(self) -> Spread:
        """Over the services to move by."""
        return Spread(self.openings, len(self.machines))

    def prepare(self, cancelled: Stop = None) -> None:
        """Work out all pairs, which is what takes time, and keep it. Raises Cancelled."""
        if "_levels" not in self.__dict__:
            counts, reached = [], [0] * len(self.spread.doors_of)
            for reached in self.spread.within(cancelled):
                counts.append(self.spread.pairs(reached))
            self.__dict__["_levels"] = counts, reached

    @cached_property
    def _levels(self) -> tuple[list[int], list[int]]:
        """Pairs within 1, 2, … hops; and what each kind reaches in the end."""
        self.prepare()
        counts, reached = self.__dict__["_levels"]
        return counts, reached

    @property
    def reached(self) -> list[int]:
        """Machines in any number of hops from each kind."""
        return self._levels[1]

    @property
    def all_pairs(self) -> int:
        """Machines and the outside, each with all other machines."""
        return len(self.machines) ** 2

    @property
    def score(self) -> float:
        """The mean of 1 / hops over all pairs, per cent: 0 nobody reaches anybody, 100 all do.

        This is the global efficiency of the graph (Latora and Marchiori, Phys. Rev. Lett. 87,
        198701), with the outside as one more foothold. More openings never lower it: hops only
        become fewer.
        """
        counts = self._levels[0]
        fresh = np.diff(counts, prepend=0)
        total = sum(int(pairs) / hops for hops, pairs in enumerate(fresh, 1))
        return 100 * total / self.all_pairs if self.all_pairs else 0.0

    def blast(self, foothold: str, bits: int) -> Blast:
        """What is how many hops away."""
        rings = self.spread.rings(bits)
        return Blast(
            self.scenario,
            foothold,
            union(rings).bit_count(),
            (self.machines.everybody & ~bits).bit_count(),
            tuple(
                Ring(hops, self.names(ring), self.counted(ring))
                for hops, ring in enumerate(rings, 1)
            ),
        )

    def names(self, bits: int) -> tuple[str, ...]:
        """Machines by name, without the outside."""
        return tuple(self.machines.names[at] for at in positions(bits & self.machines.everybody))

    def counted(self, bits: int) -> tuple[tuple[str, int], ...]:
        """Segments with machines in the set, and how many."""
        counts = ((name, (bits & inside).bit_count()) for name, inside in self.segments)
        return tuple((name, count) for name, count in counts if count)

    def reach(self, target: str, bits: int) -> Reach:
        """Who reaches any of these machines directly, on which risky services."""
        found = (self._service_reach(risky, bits) for risky in RISKY)
        figures = self.target(target, bits)
        return Reach(self.scenario, target, figures, tuple(one for one in found if one))

    def _service_reach(self, risky: RiskyService, bits: int) -> ServiceReach | None:
        wanted = services_bits([risky])
        fitting = [one for one in self.openings if one.services & wanted and one.servers & bits]
        clients = union(one.clients for one in fitting)
        others = clients & ~bits
        if not others:
            return None
        return ServiceReach(
            risky.id,
            risky.technique,
            risky.moves,
            self.names(others),
            self.counted(others),
            bool(others & self.machines.outside_bit),
            tuple(dict.fromkeys(one.gate for one in fitting if one.clients & ~bits)),
        )

    def target(self, name: str, bits: int) -> TargetExposure:
        """A machine or segment in figures."""
        spread, reached = self.spread, self.reached
        into = [one for one in self.openings if one.servers & bits and one.clients & ~bits]
        clients, movers, services = self._entered(into)
        before = (one for one, there in zip(spread.members, reached, strict=True) if there & bits)
        kinds = np.unique(spread.kind_of[positions(bits)]).tolist()
        return TargetExposure(
            name=name,
            machines=bits.bit_count(),
            clients=(clients & ~bits).bit_count(),
            movers=(movers & ~bits).bit_count(),
            footholds=(union(before) & self.machines.everybody & ~bits).bit_count(),
            outside_hops=next((at for at, ring in self._outside_rings if ring & bits), None),
            blast=(union(reached[kind] for kind in kinds) & ~bits).bit_count(),
            services=services,
        )

    @cached_property
    def _outside_rings(self) -> list[tuple[int, int]]:
        """Hops from outside, and the machines so far away."""
        return list(enumerate(self.spread.rings(self.machines.outside_bit), 1))

    def targets(self) -> tuple[TargetExposure, ...]:
        """Every machine; those that are servers of the same boxes are worked out once."""
        size = len(self.machines)
        others = [box for box in map(_of_others, self.openings) if box.servers]
        kind_of, boxes_of = numbered([box.servers for box in others], size)
        entered = [self._entered([others[at] for at in boxes]) for boxes in boxes_of]
        hops = dict[int, int]()
        for far, ring in self._outside_rings:
            hops |= dict.fromkeys(positions(ring).tolist(), far)
        blasts, footholds = self._blasts(self.reached), self._footholds()
        found = []
        for at, name in enumerate(self.machines.names):
            clients, movers, services = entered[kind_of[at]]
            found.append(
                TargetExposure(
                    name=name,
                    machines=1,
                    clients=clients.bit_count() - (clients >> at & 1),
                    movers=movers.bit_count() - (movers >> at & 1),
                    footholds=int(footholds[at]),
                    outside_hops=hops.get(at),
                    blast=int(blasts[at]),
                    services=services,
                )
            )
        return tuple(found)

    def _entered(self, boxes: Sequence[Opening]) -> tuple[int, int, tuple[str, ...]]:
        """Clients inside, those that move, and the services, of some boxes."""
        inside = self.machines.everybody
        clients = union(box.clients for box in boxes) & inside
        movers = union(box.clients for box in boxes if box.services & MOVES) & inside
        services = services_of(union(box.services for box in boxes))
        return clients, movers, tuple(one.id for one in services)

    def _footholds(self) -> NDArray[np.int64]:
        """From how many other machines each machine is reached in the end."""
        found = np.zeros(len(self.machines), dtype=np.int64)
        for members, there in zip(self.spread.members, self.reached, strict=True):
            own = members & self.machines.everybody
            found[positions(there)] += own.bit_count()
            found[positions(own & there)] -= 1
        return found

    def crossings(self) -> tuple[Crossing, ...]:
        """From every segment to every segment, policy order; those without machines left out."""
        spread, direct = self.spread, self.spread.direct()
        places = [(name, bits) for name, bits in self.segments if bits]
        found = []
        for client, start in places:
            kinds = [
                (own, direct[kind], self.reached[kind])
                for kind, members in enumerate(spread.members)
                if (own := members & start)
            ]
            for server, goal in places:
                near, far = (
                    sum(pairs_of(one[0], one[which] & goal) for one in kinds) for which in (1, 2)
                )
                found.append(Crossing(client, server, near, far, pairs_of(start, goal)))
        return tuple(found)

    def whole(self) -> ScenarioExposure:
        """The site in figures."""
        spread, outside = self.spread, len(self.machines)
        counts, reached = self._levels
        blasts = self._blasts(reached)
        widest = int(blasts.argmax()) if len(blasts) and blasts.max() else None
        services = tuple(self._service(risky) for risky in RISKY)
        direct, there = (
            one[spread.kind_of[outside]].bit_count() for one in (spread.direct(), reached)
        )
        return ScenarioExposure(
            scenario=self.scenario,
            score=self.score,
            machines=len(self.machines),
            all_pairs=self.all_pairs,
            direct_pairs=counts[0] if counts else 0,
            pairs=counts[-1] if counts else 0,
            pairs_by_hops=tuple(np.diff(counts, prepend=0).tolist()),
            widest="" if widest is None else self.machines.names[widest],
            widest_machines=0 if widest is None else int(blasts[widest]),
            median_machines=int(np.sort(blasts)[(len(blasts) - 1) // 2]) if len(blasts) else 0,
            outside_direct=direct,
            outside_machines=there,
            doors=sum(one.pairs for one in services),
            services=services,
        )

    def _blasts(self, reached: Sequence[int]) -> NDArray[np.int64]:
        """How many other machines each machine reaches in the end."""
        found = np.zeros(len(self.machines), dtype=np.int64)
        for kind, there in enumerate(reached):
            own = positions(self.spread.members[kind] & self.machines.everybody)
            found[own] = there.bit_count()
            found[positions(self.spread.members[kind] & there)] -= 1
        return found

    @cached_property
    def _by_openings(self) -> dict[tuple[int, ...], tuple[int, int, int]]:
        """What is known of services that the same boxes open: pairs, servers, from outside."""
        return {}

    def _service(self, risky: RiskyService) -> ServiceExposure:
        wanted = services_bits([risky])
        fitting = [at for at, one in enumerate(self.openings) if one.services & wanted]
        key = tuple(fitting)
        if key not in self._by_openings:
            boxes = [self.openings[at] for at in fitting]
            direct = Spread(boxes, len(self.machines), ALL_SERVICES)
            servers = union(_of_others(box).servers for box in boxes)
            outside = direct.direct()[direct.kind_of[len(self.machines)]]
            pairs = direct.pairs(direct.direct())
            self._by_openings[key] = pairs, servers.bit_count(), outside.bit_count()
        pairs, reached, outside = self._by_openings[key]
        share = pairs / self.all_pairs if self.all_pairs else 0.0
        return ServiceExposure(
            service=risky.id,
            technique=risky.technique,
            moves=risky.moves,
            ransomware=risky.ransomware,
            pairs=pairs,
            share=share,
            servers=reached,
            outside=outside,
            light=_light(share, risky.moves and outside > 0),
        )


def _of_others(box: Opening) -> Opening:
    """The box without a server that is its only client."""
    alone = box.clients & box.servers if box.clients.bit_count() == 1 else 0
    return replace(box, servers=box.servers & ~alone)


def pairs_of(start: int, goal: int) -> int:
    """Machines of one set with others of another."""
    return start.bit_count() * goal.bit_count() - (start & goal).bit_count()


def _light(share: float, open_to_outside: bool) -> str:
    if share > RED or open_to_outside:
        return "red"
    return "amber" if share > AMBER else "green"
