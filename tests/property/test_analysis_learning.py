"""Suggestions cover what they learnt from; guardrails hold exactly where no witness exists."""

from dataclasses import replace

import numpy as np
from analysis_strategies import any_policies, any_resolved, any_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    PORTS,
    TODAY,
    UNIVERSE,
    inventories,
    resolved_policies,
)

from workbench.analysis import Simulator, check, explain, propose, suggest
from workbench.analysis.suggest import learnable
from workbench.model.net import (
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    SCTP,
    TCP,
    UDP,
    is_v4,
    parse_address,
    parse_service,
)
from workbench.model.policy import Assertion, Policy, ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable, Direction
from workbench.model.verdict import Class, Verdict, not_policy
from workbench.policy import decide, dump_policy, load_policy, resolve


@given(any_policies(), inventories(), any_tables(), st.sampled_from([None, True, False]))
@settings(max_examples=120, deadline=None)
def test_a_suggestion_covers_what_it_learnt_and_leaves_nothing_to_learn(
    policy: Policy, inventory: Inventory, table: ConversationTable, protect: bool | None
) -> None:
    addresses = table.hosts.addresses
    simulator = Simulator(table)
    before = simulator.simulate(resolve(policy, inventory, addresses, TODAY))
    found = suggest(before, policy, inventory, protect=protect)
    after = simulator.simulate(resolve(found.policy, inventory, addresses, TODAY))

    assert load_policy(dump_policy(found.policy)) == found.policy
    assert (after.verdicts[learnable(before)] == Verdict.ALLOWED).all()
    assert not len(learnable(after))
    assert found.policy.rules[: len(policy.rules)] == policy.rules
    assert [item.rule for item in found.proposals] == [*found.policy.rules[len(policy.rules) :]]
    assert found.policy.protect[: len(policy.protect)] == policy.protect
    if protect is False or (protect is None and policy.protect):
        assert found.policy.protect == policy.protect
        learnt = sum(item.evidence.conversations for item in found.proposals)
        assert learnt == len(learnable(before))
    for item in found.proposals:
        row = next(use for use in after.rules if use.id == item.rule.id)
        assert row.hits >= item.evidence.conversations > 0
        assert not {"refused", "unanswered"} & set(item.evidence.outcomes)
    cautions = {item.rule.id: item.caution for item in found.proposals}
    for broken in check(after.policy):
        if broken.rule in cautions:
            assert broken.id in cautions[broken.rule]
    assert suggest(after, found.policy, inventory, protect=False).proposals == ()


@given(any_policies(), inventories(), any_tables(), st.data())
@settings(max_examples=80, deadline=None)
def test_a_proposal_allows_the_rows_that_were_chosen(
    policy: Policy, inventory: Inventory, table: ConversationTable, data: st.DataObject
) -> None:
    addresses = table.hosts.addresses
    before = Simulator(table).simulate(resolve(policy, inventory, addresses, TODAY))
    rows = np.flatnonzero([data.draw(st.booleans()) for _ in range(len(table))])
    if not len(rows):
        return
    found = propose(before, policy, inventory, rows)
    assert len(found.proposals) == 1
    after = resolve(found.policy, inventory, addresses, TODAY)
    for row in rows.tolist():
        seen = replace(table.at(row), direction=Direction.SYN)
        verdict = decide(after, seen).verdict
        assert verdict is Verdict.ALLOWED or (
            verdict is Verdict.OUT_OF_SCOPE and decide(before.policy, seen).verdict is verdict
        )


MESSAGES = {ICMP: (0, 3, 8, 9), ICMPV6: (1, 128, 135)}
SERVICES = [
    *((protocol, port) for protocol in (TCP, UDP, SCTP) for port in (*PORTS, 0, 81, 444, 9999)),
    *((protocol, kind) for protocol, kinds in MESSAGES.items() for kind in kinds),
    (47, 0),
    (2, 0),
]
PROBES = (*UNIVERSE, parse_address("10.0.2.9"), parse_address("9.9.9.9"), parse_address("fd01::1"))


def conversation_of(witness: str) -> Conversation:
    client, _, server, service = witness.split()
    found = parse_service(service)
    port = found.first if found.protocol in PORT_PROTOCOLS or found.protocol in MESSAGES else 0
    return Conversation(parse_address(client), parse_address(server), found.protocol, port)


@given(any_resolved() | resolved_policies())
@settings(max_examples=150, deadline=None)
def test_guardrails_break_exactly_where_a_conversation_breaks_them(policy: ResolvedPolicy) -> None:
    broken = {item.id: item for item in check(policy)}
    for guardrail in policy.guardrails:
        wrong = (
            {Verdict.ALLOWED, Verdict.OUT_OF_SCOPE}
            if guardrail.assertion is Assertion.NEVER
            else {Verdict.BLOCKED}
        )
        found = broken.pop(guardrail.box.id, None)
        if found:
            seen = conversation_of(found.witness)
            ends = (seen.client, seen.server, seen.protocol, seen.port)
            assert guardrail.box.matches(*ends)
            assert not not_policy(*ends)
            assert is_v4(seen.client) == is_v4(seen.server)
            decision = decide(policy, seen)
            assert decision.verdict in wrong
            assert found.rule is None or found.rule in {
                rule.id for rule in policy.rules if rule.matches(*ends)
            }
            continue
        clients = [address for address in PROBES if address in guardrail.box.clients]
        servers = [address for address in PROBES if address in guardrail.box.servers]
        services = [
            service
            for service in SERVICES
            if any(piece.covers(*service) for piece in guardrail.box.services)
        ]
        for client in clients:
            for server in servers:
                for service in services:
                    alike = is_v4(client) == is_v4(server)  # no conversation has both families
                    if alike and not not_policy(client, server, *service):
                        seen = Conversation(client, server, *service)
                        assert decide(policy, seen).verdict not in wrong
    assert not broken


@given(any_resolved() | resolved_policies(), any_tables(), st.integers(0, 29))
@settings(max_examples=100, deadline=None)
def test_explanation_agrees_with_the_simulation(
    policy: ResolvedPolicy, table: ConversationTable, row: int
) -> None:
    if row >= len(table):
        return
    simulation = Simulator(table).simulate(policy)
    seen = table.at(row)
    asked = Conversation(seen.client, seen.server, seen.protocol, seen.port)
    found = explain(simulation, asked, Inventory(), decide=decide)
    assert found.decision == decide(policy, seen)
    assert found.klass is Class(simulation.classes[row])
    assert found.observed_flows == seen.flows
    assert found.client_segments == tuple(n for n, s in policy.segments if seen.client in s)
    lacks = [len(miss.lacks) for miss in found.near_misses]
    assert lacks == sorted(lacks)
    assert set(lacks) <= {1, 2}
    assert len(lacks) <= 5
    if found.decision.verdict is Verdict.ALLOWED:
        assert not lacks
    for miss in found.near_misses:
        rule = next(rule for rule in policy.rules if rule.id == miss.rule)
        assert ("from" in miss.lacks) == (seen.client not in rule.clients)
        assert ("to" in miss.lacks) == (seen.server not in rule.servers)
