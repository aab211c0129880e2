"""One conversation of every kind: all that neither the policy nor the files can tell apart.

Boundary probes come from the policy, so they never meet what only a file speaks of: an address or
a port that somebody added. Here the files have their say. A conversation is its service, its client
and its server; services in the same ranges are one class, and so, for each service, are addresses
in the same sets. One conversation for each service and pair of classes then stands for all.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import (
    ANY_PROTOCOL,
    ICMP,
    ICMPV6,
    LAST_ADDRESS,
    PORT_PROTOCOLS,
    AddressSet,
    ServiceRange,
    last_port,
)
from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Check
from workbench.model.verdict import NOT_POLICY, NOT_POLICY_SERVICES
from workbench.verify.batch import Batch, grouped

LIMIT = 400_000
"""Kinds judged; of more, as many are drawn evenly."""
SEED = 0x5EED
MOST_BITS = 200_000_000
"""Addresses times sets of which classes are made; beyond that every address is its own."""

Services = tuple[ServiceRange, ...]
Sides = tuple[frozenset[AddressSet], frozenset[AddressSet]]
"""Sets of clients, sets of servers."""


@dataclass(frozen=True)
class Telling:
    """What the files are able to tell apart."""

    services: frozenset[Services]
    """Each a set of services."""
    sets: Callable[[int, int], Sides]
    """Protocol and port → the addresses that the files tell from others when they judge it."""
    protocols: frozenset[int] = frozenset(range(256))
    """Those that the files may speak of."""


@dataclass(frozen=True)
class Kinds:
    """What `kinds` found."""

    batch: Batch
    total: int
    """Of which the batch holds all, unless they are too many."""

    @property
    def unasked(self) -> tuple[Check, ...]:
        """A check that says so when some kinds were not judged."""
        if len(self.batch) >= self.total:
            return ()
        detail = f"{len(self.batch):,} of {self.total:,} kinds judged"
        return (Check("every kind of conversation", "not checked", detail),)


def kinds(
    policy: ResolvedPolicy, telling: Telling, tick: Callable[[], None], *, limit: int = LIMIT
) -> Kinds:
    """The same policy and files give the same conversations.

    `tick` is called for every service and may raise to stop.
    """
    asked = []
    for service, numbers in _service_classes(policy, telling):
        tick()
        asked.append((service, _sides(policy, telling.sets(*service), numbers)))
    places = _Places({one for _, sides in asked for side in sides for one in side})
    pairs = []
    for service, sides in asked:
        tick()
        pairs += [(service, pair) for pair in places.pairs(sides, service[0])]
    counts = [len(clients) * len(servers) for _, (clients, servers) in pairs]
    total = sum(counts)
    share = min(1.0, limit / max(1, total))
    dice = np.random.default_rng(SEED)
    columns: list[NDArray[np.int64]] = [np.zeros((4, 0), np.int64)]
    for (service, (clients, servers)), count in zip(pairs, counts, strict=True):
        rows = np.arange(count)
        if share < 1:
            rows = np.sort(dice.choice(count, -(-count * limit // total), replace=False))
        ends = clients[rows // max(1, len(servers))], servers[rows % max(1, len(servers))]
        columns.append(np.array([*ends, *(np.full(len(rows), part) for part in service)]))
    return Kinds(Batch(places.addresses, *np.concatenate(columns, axis=1)), total)


def _sides(policy: ResolvedPolicy, files: Sides, numbers: list[int]) -> Sides:
    """What the files and these rules of the policy tell apart among the ends of one service."""
    rules = [policy.rules[at] for at in numbers]
    clients, servers = files
    return (
        clients | {rule.clients for rule in rules} | {policy.protected_egress},
        servers | {rule.servers for rule in rules} | {policy.protected_ingress},
    )


def _service_classes(
    policy: ResolvedPolicy, telling: Telling
) -> Iterator[tuple[tuple[int, int], list[int]]]:
    """One protocol and port of every class that no range tells apart, and its rules' numbers."""
    ranges = telling.services | {rule.services for rule in policy.rules} | {NOT_POLICY_SERVICES}
    points = {(protocol, 0): None for protocol in sorted(telling.protocols)}
    for piece in sorted({piece for services in ranges for piece in services}):
        every = PORT_PROTOCOLS if piece.protocol == ANY_PROTOCOL else {piece.protocol}
        for protocol, port in product(sorted(every & telling.protocols), _steps(piece)):
            if port <= last_port(protocol):
                points[protocol, port] = None
    found = list(points)
    protocols, ports = np.array(found, np.int64).reshape(-1, 2).T
    masks = {}
    for services in sorted(ranges):
        mask = np.zeros(len(found), np.bool_)
        for piece in services:
            ours = (protocols == piece.protocol) | (piece.protocol == ANY_PROTOCOL)
            mask |= ours & (ports >= piece.first) & (ports <= piece.last)
        masks[services] = mask
    _, firsts = np.unique(grouped(list(masks.values()), len(found)), return_index=True)
    rules = np.array([masks[rule.services] for rule in policy.rules], np.bool_)
    rules = rules.reshape(len(policy.rules), len(found))
    for first in np.sort(firsts).tolist():
        yield found[first], np.flatnonzero(rules[:, first]).tolist()


def _steps(piece: ServiceRange) -> tuple[int, int]:
    """Where a range begins and where it is over."""
    return piece.first, piece.last + 1


class _Places:
    """Addresses at which one of the sets begins or ends, and their classes.

    Between two of them nothing changes. Those that are no matter for a policy are left out, and
    their neighbours are there: else a set of everything would have no address at all.
    """

    def __init__(self, sets: Iterable[AddressSet]) -> None:
        found: set[int] = set()
        for piece in (piece for one in (*sets, NOT_POLICY) for piece in one.ranges):
            found |= {piece.first, piece.last, piece.first - 1, piece.last + 1}
        self.addresses = tuple(
            sorted(at for at in found if 0 <= at <= LAST_ADDRESS and at not in NOT_POLICY)
        )
        nothing = np.zeros(0, np.int64)
        self._batch = Batch(self.addresses, nothing, nothing, nothing, nothing)
        self._mask = lru_cache(maxsize=None)(self._batch.members)
        self._ends = lru_cache(maxsize=None)(self._of_family)

    def pairs(
        self, sides: Sides, protocol: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """For each family one client and one server (ranks) of every class.

        The first of a class is its client and the last its server, so that a class that is more
        than one address talks to itself, too.
        """
        for v4 in (True, False):
            if protocol != (ICMPV6 if v4 else ICMP):
                yield self._ends(sides[0], v4)[0], self._ends(sides[1], v4)[1]

    def _of_family(
        self, sets: frozenset[AddressSet], v4: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The first and the last rank of each class of addresses that no set tells apart."""
        here = np.flatnonzero(self._batch.v4 == v4)
        if len(sets) * len(here) > MOST_BITS:
            return here, here
        masks: Sequence[NDArray[np.bool_]] = [self._mask(one)[here] for one in sets]
        classes = grouped(masks, len(here))
        _, firsts = np.unique(classes, return_index=True)
        _, lasts = np.unique(classes[::-1], return_index=True)
        return here[firsts], here[::-1][lasts]
