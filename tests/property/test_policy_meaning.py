"""The reference meaning against plainer readings of the same words."""

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import (
    INSIDE,
    PORTS,
    TODAY,
    UNIVERSE,
    conversations,
    inventories,
    policies,
    resolved_policies,
)

from workbench.model.net import parse_cidr
from workbench.model.policy import Policy, ResolvedPolicy, Segment, Side
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, Direction
from workbench.model.verdict import Verdict
from workbench.policy import decide, dump_policy, load_policy, resolve


@given(policies())
@settings(max_examples=150)
def test_text_round_trips(policy: Policy) -> None:
    assert load_policy(dump_policy(policy)) == policy


def inside(address: int, cidrs: tuple[str, ...]) -> bool:
    return any(p.first <= address <= p.last for cidr in cidrs for p in parse_cidr(cidr))


def belongs(address: int, segment: Segment, inventory: Inventory, known: set[int]) -> bool:
    if inside(address, segment.excepts):
        return False
    if segment.cidrs and not inside(address, segment.cidrs):
        return False
    labels = inventory.labels(address)
    fits = all(labels.get(key) in values for key, values in segment.match)
    return fits and (address in known or not segment.match)


@given(policies(), inventories(), st.sets(st.sampled_from(UNIVERSE)))
@settings(max_examples=150)
def test_segments_hold_exactly_the_hosts_whose_labels_and_addresses_fit(
    policy: Policy, inventory: Inventory, seen: set[int]
) -> None:
    resolved = resolve(policy, inventory, seen, TODAY)
    known = seen | set(inventory.by_address)
    for segment in policy.segments:
        found = resolved.segment(segment.name)
        for address in UNIVERSE:
            assert (address in found) == belongs(address, segment, inventory, known)
    for side, protected in (
        (Side.INGRESS, resolved.protected_ingress),
        (Side.EGRESS, resolved.protected_egress),
    ):
        wanted = [p.segment for p in policy.protect if side in p.directions]
        for address in UNIVERSE:
            assert (address in protected) == any(address in resolved.segment(n) for n in wanted)


@given(policies(), inventories())
@settings(max_examples=60)
def test_the_day_after_expiry_a_rule_is_gone(policy: Policy, inventory: Inventory) -> None:
    resolved = resolve(policy, inventory, INSIDE, TODAY)
    ended = {x.id for x in (*policy.rules, *policy.exclusions) if (x.expires or TODAY) < TODAY}
    assert set(resolved.expired) == ended
    assert {x.id for x in (*resolved.rules, *resolved.exclusions)} == {
        x.id for x in (*policy.rules, *policy.exclusions)
    } - ended
    assert resolve(policy, inventory, INSIDE, date(2019, 1, 1)).expired == ()


@given(resolved_policies(), conversations())
@settings(max_examples=150)
def test_unknown_direction_is_judged_on_every_client_port(
    policy: ResolvedPolicy, conversation: Conversation
) -> None:
    """The short list of ports that decide() tries stands for all of them."""
    low = conversation.client_port_low
    conversation = replace(
        conversation,
        direction=Direction.FIRST,
        client_port_high=min(conversation.client_port_high, low + 120),
    )
    sure = decide(policy, replace(conversation, direction=Direction.SYN))
    assert sure.verdict is not Verdict.UNCERTAIN
    swapped = {
        decide(
            policy,
            replace(
                conversation,
                client=conversation.server,
                server=conversation.client,
                port=port,
                direction=Direction.SYN,
            ),
        ).verdict
        for port in range(low, conversation.client_port_high + 1)
    }
    found = decide(policy, conversation)
    if conversation.protocol in (6, 17, 132) and swapped != {sure.verdict}:
        assert found.verdict is Verdict.UNCERTAIN
    else:
        assert found == sure


@given(resolved_policies(), conversations())
def test_order_of_rules_never_matters(policy: ResolvedPolicy, conversation: Conversation) -> None:
    backwards = replace(policy, rules=policy.rules[::-1])
    first, second = decide(policy, conversation), decide(backwards, conversation)
    assert (first.verdict, first.rules) == (second.verdict, second.rules[::-1])


@given(resolved_policies(), conversations(), st.sampled_from(PORTS))
def test_a_rule_allows_exactly_its_box(
    policy: ResolvedPolicy, conversation: Conversation, port: int
) -> None:
    conversation = replace(conversation, port=port, direction=Direction.SYN)
    decision = decide(policy, conversation)
    matching = tuple(
        rule.id
        for rule in policy.rules
        if conversation.client in rule.clients
        and conversation.server in rule.servers
        and any(s.covers(conversation.protocol, conversation.port) for s in rule.services)
    )
    if decision.verdict is Verdict.OUT_OF_SCOPE:
        assert decision.reason.startswith("out of scope (")
        assert decision.rules == ()
    else:
        assert decision.rules == matching
        assert decision.verdict is (Verdict.ALLOWED if matching else Verdict.BLOCKED)
