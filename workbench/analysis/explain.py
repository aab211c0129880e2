"""Why one conversation is judged as it is, seen or not."""

from collections.abc import Callable

from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation
from workbench.model.verdict import Class, Decision, Explanation, NearMiss, Verdict

MOST_NEAR_MISSES = 5


def explain(
    simulation: Simulation,
    conversation: Conversation,
    inventory: Inventory,
    *,
    decide: Callable[[ResolvedPolicy, Conversation], Decision],
) -> Explanation:
    """Judge a conversation and say why; one that was seen is judged as it was seen."""
    policy, klass = simulation.policy, None
    key = (conversation.client, conversation.server, conversation.protocol, conversation.port)
    row = simulation.table.find(*key)
    if row is not None:
        conversation = simulation.table.at(row)
        klass = Class(int(simulation.classes[row]))
    decision = decide(policy, conversation)
    unsettled = decision.verdict in (Verdict.BLOCKED, Verdict.UNCERTAIN)
    return Explanation(
        conversation=_text(conversation, inventory),
        decision=decision,
        klass=klass,
        observed_flows=0 if row is None else conversation.flows,
        client_segments=policy.segments_of(conversation.client),
        server_segments=policy.segments_of(conversation.server),
        near_misses=near_misses(policy, conversation) if unsettled else (),
    )


def _text(conversation: Conversation, inventory: Inventory) -> str:
    """`pc-07 (10.1.0.7) → db-1 (10.3.0.1) tcp/5432`"""
    ends = map(inventory.title, (conversation.client, conversation.server))
    return f"{' → '.join(ends)} {conversation.service}"


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
