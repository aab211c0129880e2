"""Exposure by definition: machine pairs, address pairs, ports, each judged by decide()."""

from collections.abc import Collection, Mapping
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


def opens(policy: ResolvedPolicy, risky: RiskyService, client: int, server: int) -> bool:
    """One port of each range is tried: drawn policies tell no two of them apart."""
    return any(
        decide(policy, Conversation(client, server, piece.protocol, piece.first)).verdict
        is not Verdict.BLOCKED
        for piece in risky.services
    )


def edges_of(
    policy: ResolvedPolicy, machines: Machines, risky: tuple[RiskyService, ...] = RISKY
) -> Edges:
    """Every pair of machines one of which may open something on the other."""
    own = addresses_of(machines, policy)
    found = {}
    for client, server in product(range(len(machines) + 1), range(len(machines))):
        if client != server:
            pairs = [(a, b) for a in own[client] for b in own[server] if is_v4(a) == is_v4(b)]
            services = frozenset(
                one.id for one in risky if any(opens(policy, one, *pair) for pair in pairs)
            )
            if services:
                found[client, server] = services
    return found


MOVING = tuple(one for one in RISKY if one.moves)


def moves_of(policy: ResolvedPolicy, machines: Machines) -> set[tuple[int, int]]:
    """Every pair one of which may move to the other."""
    own = addresses_of(machines, policy)
    pieces = [piece for one in MOVING for piece in one.services]
    return {
        (client, server)
        for client, server in product(range(len(machines) + 1), range(len(machines)))
        if client != server
        and any(
            decide(policy, Conversation(a, b, piece.protocol, piece.first)).verdict
            is not Verdict.BLOCKED
            for a in own[client]
            for b in own[server]
            if is_v4(a) == is_v4(b)
            for piece in pieces
        )
    }


def hops_from(edges: Collection[tuple[int, int]], start: int) -> dict[int, int]:
    """Breadth first: machine → hops; the start is left out."""
    hops, frontier = {start: 0}, [start]
    while frontier:
        here = frontier.pop(0)
        for client, server in edges:
            if client == here and server not in hops:
                hops[server] = hops[here] + 1
                frontier.append(server)
    del hops[start]
    return hops
