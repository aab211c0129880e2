"""Exposure by definition: machine pairs, address pairs, ports, each judged by decide()."""

from collections.abc import Mapping
from itertools import product

from workbench.analysis.exposure.machines import NOBODY, Machines
from workbench.model.net import AddressSet, is_v4
from workbench.model.policy import ResolvedPolicy
from workbench.model.risky import RISKY, RiskyService
from workbench.model.traffic import Conversation
from workbench.model.verdict import Verdict
from workbench.policy import decide

Edges = Mapping[tuple[int, int], frozenset[str]]
"""Client machine (the last number is the outside), server machine → ids of the risky services."""


def addresses_of(machines: Machines, policy: ResolvedPolicy) -> list[list[int]]:
    """Addresses of every machine; for the outside one of every run of equals."""
    found: list[list[int]] = [[] for _ in range(len(machines) + 1)]
    for host, machine in enumerate(machines.of_host.tolist()):
        if machine != NOBODY:
            found[machine].append(machines.hosts.addresses[host])
    sides = [side for rule in policy.rules for side in (rule.clients, rule.servers)]
    sets: list[AddressSet] = [policy.protected_egress, policy.protected_ingress, *sides]
    edges = {edge for one in sets for piece in one.ranges for edge in (piece.first, piece.last + 1)}
    for piece in machines.outside.ranges:
        inside = {edge for edge in edges if piece.first <= edge <= piece.last}
        found[-1] += sorted({piece.first, *inside})
    return found


def open_ports(policy: ResolvedPolicy, risky: RiskyService, client: int, server: int) -> bool:
    return any(
        decide(policy, Conversation(client, server, piece.protocol, port)).verdict
        is not Verdict.BLOCKED
        for piece in risky.services
        for port in range(piece.first, piece.last + 1)
    )


def edges_of(
    policy: ResolvedPolicy, machines: Machines, risky: tuple[RiskyService, ...] = RISKY
) -> Edges:
    """Every pair of machines one of which may open something on the other."""
    own = addresses_of(machines, policy)
    found = {}
    for client, server in product(range(len(machines) + 1), range(len(machines))):
        if client != server:
            services = frozenset(
                one.id
                for one in risky
                if any(
                    is_v4(a) == is_v4(b) and open_ports(policy, one, a, b)
                    for a in own[client]
                    for b in own[server]
                )
            )
            if services:
                found[client, server] = services
    return found


def hops_from(edges: Edges, start: int) -> dict[int, int]:
    """Breadth first: machine → hops; the start is left out."""
    moving = {one.id for one in RISKY if one.moves}
    hops, frontier = {start: 0}, [start]
    while frontier:
        here = frontier.pop(0)
        for (client, server), services in edges.items():
            if client == here and server not in hops and services & moving:
                hops[server] = hops[here] + 1
                frontier.append(server)
    del hops[start]
    return hops
