"""What lets traffic through, as boxes: clients × servers × risky services.

A policy is a few hundred boxes over sets of machines, never a matrix of hosts. The union of the
boxes is exactly what `decide()` does not block, in the sense that a machine reaches another when
any of its addresses may open any port of the service on an address of the same family.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import bitset, union
from workbench.analysis.exposure.machines import NOBODY, Machines
from workbench.analysis.grouping import by_subnet
from workbench.analysis.hosts import members
from workbench.analysis.numbers import numbers, pair
from workbench.model.exposure import Gate, GateKind
from workbench.model.net import EVERYWHERE, AddressSet
from workbench.model.policy import ResolvedPolicy
from workbench.model.risky import RISKY, RiskyService, risky_in, risky_service
from workbench.model.traffic import ConversationTable, Outcome

WORKED = (Outcome.ESTABLISHED, Outcome.MID_STREAM, Outcome.ONE_WAY)
"""Outcomes of what got through, as far as was recorded."""
_NUMBER = {risky.id: at for at, risky in enumerate(RISKY)}
UNNAMED = "hosts without a segment in"
ALL_SERVICES = (1 << len(RISKY)) - 1


def services_bits(services: Iterable[RiskyService]) -> int:
    """Risky services as a bitset over RISKY."""
    return union(1 << _NUMBER[risky.id] for risky in services)


MOVES = services_bits(risky for risky in RISKY if risky.moves)
"""The services to move by."""


def services_of(bits: int) -> tuple[RiskyService, ...]:
    """The other way round, in the order of RISKY."""
    return tuple(risky for at, risky in enumerate(RISKY) if bits >> at & 1)


@dataclass(frozen=True, slots=True)
class Opening:
    """Everybody of `clients` may open `services` on everybody of `servers`."""

    clients: int
    """Bitset of machines, the outside among them."""
    servers: int
    """Bitset of machines, never the outside."""
    services: int
    """Bitset over RISKY."""
    gate: Gate


def allowed(policy: ResolvedPolicy, machines: Machines) -> tuple[Opening, ...]:
    """What a policy lets through: by its rules, and by protecting neither end."""
    return (*ruled(policy, machines), *unprotected(policy, machines))


def ruled(policy: ResolvedPolicy, machines: Machines) -> Iterator[Opening]:
    """What the rules let through, policy order."""
    for rule in policy.rules:
        services = services_bits(risky_in(rule.services))
        if services:
            gate = Gate(GateKind.RULE, rule.id)
            yield from _boxes(machines, rule.clients, rule.servers, services, gate)


def unprotected(policy: ResolvedPolicy, machines: Machines) -> Iterator[Opening]:
    """What is out of scope, told apart by what to protect: each server's narrowest segment.

    Hosts in no segment go by the subnet of their machine's lowest address.
    """
    clients = machines.bits(EVERYWHERE - policy.protected_egress)
    left = ~members(policy.protected_ingress, machines.hosts)
    segments = [(name, members(inside, machines.hosts)) for name, inside in policy.segments]
    places = sorted(segments, key=lambda place: int(place[1].sum()))
    for name, inside in (*places, *_subnets(machines)):
        gate = Gate(GateKind.UNPROTECTED, name)
        for one, other in zip(clients, machines.pack(left & inside), strict=True):
            if one and other:
                yield Opening(one, other, ALL_SERVICES, gate)
        left &= ~inside


def _subnets(machines: Machines) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Hosts by the subnet of their machine's lowest address."""
    grouping = by_subnet(machines.hosts)  # one group a host, in the order of addresses
    lowest = np.full(len(machines), len(grouping.names), dtype=np.int64)
    known = machines.of_host != NOBODY
    np.minimum.at(lowest, machines.of_host[known], grouping.groups[known])
    home = np.where(known, lowest[machines.of_host], -1) if len(machines) else grouping.groups
    for at in np.unique(lowest).tolist():
        yield f"{UNNAMED} {grouping.names[at]}", home == at


def _boxes(
    machines: Machines, clients: AddressSet, servers: AddressSet, services: int, gate: Gate
) -> Iterator[Opening]:
    """One box for each address family, empty ones left out."""
    for one, other in zip(machines.bits(clients), machines.bits(servers), strict=True):
        inside = other & machines.everybody
        if one and inside:
            yield Opening(one, inside, services, gate)


def seen(table: ConversationTable, machines: Machines) -> tuple[Opening, ...]:
    """What was recorded and worked: one box for each server and risky service."""
    number = np.append(machines.of_host, NOBODY)
    addresses = table.hosts.addresses
    outside = members(machines.outside, table.hosts)
    client = np.where(outside[table["client"]], len(machines), number[table["client"]])
    server = number[table["server"]]
    service = service_numbers(table)
    worked = np.isin(table["outcome"], WORKED)
    rows = np.flatnonzero(
        worked & (service >= 0) & (server != NOBODY) & (client != NOBODY) & (client != server)
    )
    if not len(rows) or not addresses:
        return ()
    key = server[rows] * len(RISKY) + service[rows]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    found = []
    for start, end in zip(starts, [*starts[1:], len(key)], strict=True):
        machine, at = divmod(int(key[start]), len(RISKY))
        mask = np.zeros(len(machines) + 1, dtype=np.bool_)
        mask[client[rows[start:end]]] = True
        gate = Gate(GateKind.SEEN, f"{RISKY[at].id} on {machines.names[machine]}")
        found.append(Opening(bitset(mask), 1 << machine, 1 << at, gate))
    return tuple(found)


def service_numbers(table: ConversationTable) -> NDArray[np.int64]:
    """Place in RISKY of each row's service, -1 for none."""
    service = numbers(table["protocol"], table["port"])
    distinct, inverse = np.unique(service, return_inverse=True)
    risky = (risky_service(*pair(one)) for one in distinct.tolist())
    places = np.array([_NUMBER[one.id] if one else -1 for one in risky], dtype=np.int64)
    return places[inverse] if len(distinct) else np.empty(0, dtype=np.int64)
