"""Small cases that random drawing meets too seldom."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from strategies import table_of

from workbench.analysis import (
    HostWords,
    Simulator,
    by_segment,
    check,
    matrix,
    propose,
    select,
    suggest,
)
from workbench.analysis.homes import homes
from workbench.model.filters import parse_filter
from workbench.model.net import TCP, UDP, parse_address
from workbench.model.policy import (
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    ResolvedPolicy,
    Rule,
    Segment,
)
from workbench.model.site import Host, Inventory
from workbench.model.traffic import Conversation, Direction
from workbench.model.verdict import Class, Verdict
from workbench.policy import decide, resolve, validate

A, B, C, D = map(parse_address, ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"))
LEFT, RIGHT = (
    Segment("left", cidrs=("10.0.0.0/31", "10.0.0.2")),
    Segment("right", cidrs=("10.0.0.3",)),
)


def policy(*rules: tuple[str, str, str], **parts: tuple[object, ...]) -> ResolvedPolicy:
    made = Policy(
        protect=(Protection("left"), Protection("right")),
        segments=(LEFT, RIGHT),
        rules=tuple(
            Rule(f"r{at}", (clients,), (servers,), (service,))
            for at, (clients, servers, service) in enumerate(rules)
        ),
        **parts,  # type: ignore[arg-type]
    )
    return resolve(made, Inventory(), (A, B, C, D), date(2026, 6, 15))


def unknown(client: int, low: int, high: int, port: int = 9000, kind: int = TCP) -> Conversation:
    return Conversation(
        client, C, kind, port, low, high, flows=2, bytes=10, last_us=5, direction=Direction.FIRST
    )


FORWARD = ("left", "right", "tcp/9000")


@pytest.mark.parametrize(
    ("back", "verdict"),
    [
        (["tcp/100-200"], Verdict.ALLOWED),
        (["tcp/100-150", "tcp/151-200"], Verdict.ALLOWED),
        (["tcp/100-170", "tcp/130-200", "tcp/120-140"], Verdict.ALLOWED),
        (["tcp/100-199"], Verdict.UNCERTAIN),
        (["tcp/101-200"], Verdict.UNCERTAIN),
        (["tcp/100-149", "tcp/151-200"], Verdict.UNCERTAIN),
        (["tcp/100-160", "tcp/100-160", "tcp/199-200"], Verdict.UNCERTAIN),
        (["udp"], Verdict.UNCERTAIN),
        (["any"], Verdict.ALLOWED),
        ([], Verdict.UNCERTAIN),
    ],
)
def test_the_reverse_reading_needs_every_port(back: list[str], verdict: Verdict) -> None:
    resolved = policy(FORWARD, *(("right", "left", service) for service in back))
    table = table_of([unknown(A, 100, 200)])
    found = Simulator(table).simulate(resolved)
    assert found.verdicts.tolist() == [verdict]
    assert decide(resolved, table.at(0)).verdict is verdict
    assert found.rules[0].hits == (verdict is Verdict.ALLOWED)


def test_dhcp_ports_are_no_matter_for_a_policy_in_the_reverse_reading() -> None:
    table = table_of([unknown(A, 67, 68, 67, UDP), unknown(B, 66, 68, 9000, UDP)])
    resolved = policy(("any", "any", "any"))
    found = Simulator(table).simulate(resolved)
    expected = [decide(resolved, table.at(row)).verdict for row in range(2)]
    assert found.verdicts.tolist() == expected == [Verdict.OUT_OF_SCOPE, Verdict.UNCERTAIN]


def test_alike_conversations_of_unknown_direction_are_judged_one_by_one() -> None:
    table = table_of([unknown(A, 100, 100), unknown(B, 300, 300)])
    resolved = policy(FORWARD, ("right", "left", "tcp/100"))
    verdicts = Simulator(table).simulate(resolved).verdicts.tolist()
    assert verdicts == [decide(resolved, table.at(row)).verdict for row in range(2)]
    assert set(verdicts) == {Verdict.ALLOWED, Verdict.UNCERTAIN}


def test_a_rule_filter_keeps_what_the_rule_allows_not_what_it_only_matches() -> None:
    table = table_of([Conversation(A, C, TCP, 9000), unknown(B, 100, 100)])
    resolved = policy(FORWARD)
    simulation = Simulator(table).simulate(resolved)
    words = HostWords(table, Inventory(), resolved, {})
    kept = select(parse_filter("rule:r0"), simulation, words)
    assert [table.at(row).client for row in kept.nonzero()[0]] == [A]
    assert select(parse_filter("-port:9000 -vlan:1"), simulation, words).all()


def test_a_host_goes_by_the_segment_with_fewest_hosts() -> None:
    wide, narrow = Segment("wide", cidrs=("10.0.0.0/24",)), Segment("narrow", cidrs=("10.0.0.1",))
    seen = [Conversation(A, C, TCP, 443, flows=2), Conversation(B, C, TCP, 22, flows=2)]
    for segments in ((wide, narrow), (narrow, wide)):
        draft = Policy(protect=(Protection("wide"),), segments=segments)
        table = table_of(seen)
        resolved = resolve(draft, Inventory(), (A, B, C), date(2026, 6, 15))
        simulation = Simulator(table).simulate(resolved)
        found = homes(simulation, Inventory(), table["client"].astype("int64"))
        homed = {
            address: found.names[at]
            for address, at in zip(table.hosts.addresses, found.of_host.tolist(), strict=True)
        }
        assert homed == {A: "narrow", B: "wide", C: "wide"}
        ids = [item.rule.id for item in suggest(simulation, draft, Inventory()).proposals]
        assert ids == ["narrow-to-wide-https", "wide-to-wide-ssh"]


def test_a_host_in_two_segments_counts_in_both_and_the_excluded_is_out_of_scope() -> None:
    table = table_of([Conversation(A, C, TCP, 443, flows=3), Conversation(C, C, TCP, 443, flows=4)])
    both = Policy(
        protect=(Protection("one"),),
        segments=(
            Segment("one", cidrs=("10.0.0.0/24",)),
            Segment("two", cidrs=("10.0.0.3",)),
            Segment("three", cidrs=("10.0.0.3",)),
        ),
        exclusions=(Exclusion("x", ("two",), ("any",), ("any",), "noise"),),
    )
    resolved = resolve(both, Inventory(), (A, C), date(2026, 6, 15))
    simulation = Simulator(table).simulate(resolved)
    assert simulation.totals.by_class[Class.EXCLUDED] == 1
    found = matrix(simulation, by_segment(table.hosts, resolved))
    flows = {
        (found.rows[row], found.columns[column]): (flows, outside)
        for row, column, flows, outside in zip(
            *(found.cells[name].tolist() for name in ("row", "column", "flows", "out_of_scope")),
            strict=True,
        )
    }
    names = ("one", "two", "three")
    assert flows == {
        **{(a, b): (4, 1) for a in names for b in names},
        **{("one", b): (7, 1) for b in names},
    }


def test_an_empty_table_has_an_empty_answer() -> None:
    table = table_of([])
    resolved = policy(FORWARD)
    simulation = Simulator(table).simulate(resolved)
    assert simulation.coverage.share == 1
    found = matrix(simulation, by_segment(table.hosts, resolved))
    assert not len(found.cells["row"])
    assert suggest(simulation, Policy(), Inventory()).proposals == ()


def test_what_a_guardrail_forbids_is_not_learnt() -> None:
    seen = [Conversation(A, C, TCP, 22, flows=2), Conversation(A, C, TCP, 443, flows=2)]
    never = Guardrail("no-ssh", Assertion.NEVER, ("left",), ("right",), ("tcp/22",))
    draft = Policy(protect=(Protection("right"),), segments=(LEFT, RIGHT), guardrails=(never,))
    table = table_of(seen)
    resolved = resolve(draft, Inventory(), (A, C), date(2026, 6, 15))
    simulation = Simulator(table).simulate(resolved)
    ids = [item.rule.id for item in suggest(simulation, draft, Inventory()).proposals]
    assert ids == ["left-to-right-https"]
    [chosen] = propose(simulation, draft, Inventory(), np.arange(2)).proposals
    assert "breaks guardrail no-ssh" in chosen.caution


def test_a_proposed_rule_takes_no_id_that_a_guardrail_or_an_exclusion_has() -> None:
    table = table_of([Conversation(A, D, TCP, 443, flows=2)])
    draft = Policy(segments=(LEFT, RIGHT))

    def proposed(draft: Policy) -> str:
        resolved = resolve(draft, Inventory(), (A, D), date(2026, 6, 15))
        simulation = Simulator(table).simulate(resolved)
        suggestion = suggest(simulation, draft, Inventory())
        validate(suggestion.policy)
        [proposal] = suggestion.proposals
        return proposal.rule.id

    wish = proposed(draft)
    never = Guardrail(wish, Assertion.NEVER, ("right",), ("left",), ("tcp/1",))
    skip = Exclusion(f"{wish}-2", ("right",), ("left",), ("tcp/1",), "noise")
    assert proposed(replace(draft, guardrails=(never,), exclusions=(skip,))) == f"{wish}-3"


def test_hosts_of_one_label_inside_and_outside_are_kept_apart() -> None:
    public = parse_address("198.51.100.7")
    labelled = Inventory(
        hosts=(
            Host("ours", (A,), (("role", "web"),)),
            Host("theirs", (public,), (("role", "web"), ("zone", "internet"))),
        )
    )
    table = table_of([Conversation(B, A, TCP, 443), Conversation(B, public, TCP, 443)])
    resolved = resolve(Policy(), labelled, (A, B, public), date(2026, 6, 15))
    simulation = Simulator(table).simulate(resolved)
    found = suggest(simulation, Policy(), labelled).policy
    assert {segment.name: segment.cidrs for segment in found.segments} == {
        "hosts-10-0-0": ("10.0.0.2/32",),
        "web": ("10.0.0.1/32",),
        "web-2": ("198.51.100.7/32",),
    }
    assert [item.segment for item in found.protect] == ["hosts-10-0-0", "web"]


def test_an_always_guardrail_asks_nothing_across_families() -> None:
    """One rule a family covers a dual-stack guardrail: no conversation runs from IPv6 to IPv4."""
    segments = tuple(
        Segment(name, cidrs=cidrs)
        for name, cidrs in {
            "c": ("10.0.0.1/32", "fd00::1/128"),
            "s": ("10.0.0.2/32", "fd00::2/128"),
            "c4": ("10.0.0.1/32",),
            "s4": ("10.0.0.2/32",),
            "c6": ("fd00::1/128",),
            "s6": ("fd00::2/128",),
        }.items()
    )
    rules = tuple(
        Rule(f"v{family}", (f"c{family}",), (f"s{family}",), ("tcp/443",)) for family in "46"
    )
    always = Guardrail("reach", Assertion.ALWAYS, ("c",), ("s",), ("tcp/443",))
    policy = Policy(
        protect=(Protection("s"),), segments=segments, rules=rules, guardrails=(always,)
    )
    assert check(resolve(policy, Inventory(), (), date(2026, 1, 1))) == ()
    half = replace(policy, rules=rules[:1])
    [broken] = check(resolve(half, Inventory(), (), date(2026, 1, 1)))
    assert broken.witness == "fd00::1 → fd00::2 tcp/443"
