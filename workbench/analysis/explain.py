"""Why one conversation is judged as it is, seen or not."""

from collections.abc import Callable

import numpy as np

from workbench.model.net import AddressSet
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.simulation import Simulation
from workbench.model.traffic import Conversation, ConversationTable
from workbench.model.verdict import Class, Decision, Explanation, NearMiss, Verdict

MOST_NEAR_MISSES = 5


def explain(
    simulation: Simulation | None,
    conversation: Conversation,
    resolved: ResolvedPolicy | None = None,
    *,
    decide: Callable[[ResolvedPolicy, Conversation], Decision],
) -> Explanation:
    """Judge a conversation and say why; one that was seen is judged as it was seen.

    `resolved` defaults to the simulation's policy. Raises ValueError when neither is given.
    """
    policy = resolved or (simulation.policy if simulation else None)
    if policy is None:
        raise ValueError("explain() needs a simulation or a resolved policy")
    row = find_row(simulation.table, conversation) if simulation else None
    if simulation and row is not None:
        conversation = simulation.table.at(row)
    decision = decide(policy, conversation)
    seen = simulation is not None and row is not None and simulation.policy is policy
    return Explanation(
        conversation=str(conversation),
        decision=decision,
        klass=Class(int(simulation.classes[row])) if simulation and seen else None,
        observed_flows=conversation.flows if row is not None else 0,
        client_segments=_segments(policy, conversation.client),
        server_segments=_segments(policy, conversation.server),
        near_misses=near_misses(policy, conversation)
        if decision.verdict in (Verdict.BLOCKED, Verdict.UNCERTAIN)
        else (),
    )


def find_row(table: ConversationTable, conversation: Conversation) -> int | None:
    """The row with the same client, server, protocol and port; None if it was never seen."""
    client = table.hosts.index.get(conversation.client)
    server = table.hosts.index.get(conversation.server)
    if client is None or server is None:
        return None
    same = (table["client"] == client) & (table["server"] == server)
    same &= (table["protocol"] == conversation.protocol) & (table["port"] == conversation.port)
    rows = np.flatnonzero(same)
    return int(rows[0]) if len(rows) else None


def near_misses(policy: ResolvedPolicy, conversation: Conversation) -> tuple[NearMiss, ...]:
    """Rules that fit in part, those that lack least first."""
    found = [NearMiss(rule.id, _lacks(rule, conversation)) for rule in policy.rules]
    near = [miss for miss in found if 0 < len(miss.lacks) < 3]
    return tuple(sorted(near, key=lambda miss: len(miss.lacks))[:MOST_NEAR_MISSES])


def _lacks(rule: ResolvedRule, conversation: Conversation) -> tuple[str, ...]:
    fits = {
        "from": conversation.client in rule.clients,
        "to": conversation.server in rule.servers,
        "services": any(
            service.covers(conversation.protocol, conversation.port) for service in rule.services
        ),
    }
    return tuple(name for name, fit in fits.items() if not fit)


def _segments(policy: ResolvedPolicy, address: int) -> tuple[str, ...]:
    def inside(addresses: AddressSet) -> bool:
        return address in addresses

    return tuple(name for name, addresses in policy.segments if inside(addresses))
