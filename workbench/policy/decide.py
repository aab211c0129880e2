"""What a policy means. Every faster path (arrays, SQL, exported files) must agree with this one."""

from workbench.model.net import PORT_PROTOCOLS
from workbench.model.policy import ResolvedPolicy
from workbench.model.traffic import Conversation, Direction
from workbench.model.verdict import NOT_POLICY_PORTS, Decision, Verdict, not_policy


def decide(policy: ResolvedPolicy, conversation: Conversation) -> Decision:
    """Judge one conversation. Exclusions do not change the verdict.

    Where nothing but "who spoke first" tells client from server, the roles may be swapped; when
    the swapped reading has another verdict on any of the client's ports, it is uncertain.
    """
    client, server, protocol = conversation.client, conversation.server, conversation.protocol
    decision = _judge(policy, client, server, protocol, conversation.port)
    if conversation.direction is Direction.FIRST and protocol in PORT_PROTOCOLS:
        for port in _ports_to_try(policy, conversation):
            swapped = _judge(policy, server, client, protocol, port).verdict
            if swapped is not decision.verdict:
                reason = (
                    f"direction unknown: {decision.verdict.text} as read, {swapped.text} swapped"
                )
                return Decision(Verdict.UNCERTAIN, reason=reason)
    return decision


def _judge(policy: ResolvedPolicy, client: int, server: int, protocol: int, port: int) -> Decision:
    if why := not_policy(client, server, protocol, port):
        return Decision(Verdict.OUT_OF_SCOPE, reason=f"out of scope ({why})")
    if client not in policy.protected_egress and server not in policy.protected_ingress:
        return Decision(Verdict.OUT_OF_SCOPE, reason="out of scope (neither end is protected)")
    rules = tuple(r.id for r in policy.rules if r.matches(client, server, protocol, port))
    if rules:
        return Decision(Verdict.ALLOWED, rules)
    return Decision(Verdict.BLOCKED, reason="no rule allows it")


def _ports_to_try(policy: ResolvedPolicy, conversation: Conversation) -> list[int]:
    """The client's ports where the swapped verdict may change: one of each run of equals."""
    low, high = conversation.client_port_low, conversation.client_port_high
    ports = set(NOT_POLICY_PORTS.get(conversation.protocol, ()))
    edges = {low, *ports, *(port + 1 for port in ports)}
    for rule in policy.rules:
        for service in rule.services:
            edges |= {service.first, service.last + 1}
    return sorted(port for port in edges if low <= port <= high)
