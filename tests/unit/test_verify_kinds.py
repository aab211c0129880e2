"""One conversation of every kind: complete, small, and honest when it is not complete."""

import itertools
from dataclasses import replace

import pytest

from tests.strategies import table_of
from workbench.model.net import SCTP, TCP, UDP, AddressSet, parse_address, parse_service
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.site import Inventory
from workbench.model.verdict import NOT_POLICY
from workbench.policy import decide
from workbench.verify import kinds, nftables, verify
from workbench.verify.nft import read, telling

LAN = AddressSet.of_cidrs(["10.0.0.0/24"])
WEB = AddressSet.of_cidrs(["10.0.0.8/30", "fd00::/64"])
FAR = AddressSet.of_cidrs(["172.16.0.0/24", "172.16.9.9"])
TEST_NET = AddressSet.of_cidrs(["192.0.2.0/24"])
V4, V6 = AddressSet.of_cidrs(["0.0.0.0/0"]), AddressSet.of_cidrs(["::/0"])
POLICY = ResolvedPolicy(
    "two",
    (("lan", LAN), ("web", WEB)),
    protected_ingress=WEB,
    rules=(ResolvedRule("r", LAN, WEB, (parse_service("tcp/80-90"),)),),
)
RULESET = """
table inet t {
    set far { type ipv4_addr; flags interval; elements = { 172.16.0.0/24, 172.16.9.9 }; }
    chain deep { ip saddr @far tcp dport { 31337, 40000-40010 } accept; }
    chain f { type filter hook forward priority 0; policy drop;
        meta l4proto . th dport vmap { udp . 5000 : jump udp_only, sctp . 1-9 : accept }
        jump deep
    }
    chain udp_only { ip daddr 192.0.2.0/24 accept; }
}
"""


def nothing() -> None:
    """No wish to stop."""


def _found(limit: int = kinds.LIMIT) -> kinds.Kinds:
    return kinds.kinds(POLICY, telling(read(RULESET)), nothing, limit=limit)


def test_every_pair_of_classes_and_every_service_is_there() -> None:
    found = _found()
    assert len(found.batch) == found.total < 100
    assert found.unasked == ()
    rows = {found.batch.key(row) for row in range(len(found.batch))}

    def seen(clients: AddressSet, servers: AddressSet, service: tuple[int, int, int]) -> bool:
        protocol, first, last = service
        return any(
            client in clients and server in servers and kind == protocol and first <= port <= last
            for client, server, kind, port in rows
        )

    for clients, servers in itertools.product((LAN, V4 - LAN), (WEB.family(4), V4 - WEB)):
        assert seen(clients, servers, (TCP, 80, 90))
    for clients, servers in itertools.product((FAR, V4 - FAR), (WEB.family(4), V4 - WEB)):
        assert seen(clients, servers, (TCP, 31337, 40010))  # one set, so one class
    assert seen(V4, WEB, (TCP, 0, 79))
    for servers in (TEST_NET, WEB.family(4), V4 - TEST_NET - WEB):
        assert seen(V4, servers, (UDP, 5000, 5000))
    for family in (V4, V6):
        for servers in (WEB & family, family - WEB):
            assert seen(family, servers, (SCTP, 1, 9))


def test_sets_count_only_for_the_services_whose_rules_look_at_them() -> None:
    """Else a site with many groups would have more kinds than anybody can judge."""
    sets = telling(read(RULESET)).sets
    assert TEST_NET in sets(UDP, 5000)[1]
    assert TEST_NET not in sets(UDP, 5001)[1]
    assert sets(UDP, 5001) == (frozenset(), frozenset())
    assert len(sets(TCP, 31337)[0]) == 1


def test_of_too_many_kinds_a_fixed_sample_is_judged_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    some, again = _found(10), _found(10)
    assert [some.batch.key(row) for row in range(len(some.batch))] == [
        again.batch.key(row) for row in range(len(again.batch))
    ]
    assert 10 <= len(some.batch) < some.total == _found().total
    monkeypatch.setattr(nftables, "kinds", lambda *what: kinds.kinds(*what, limit=10))
    files = {"x.nft": RULESET}
    found = verify("nftables", files, POLICY, table_of([]), Inventory(), decide, kernel=False)
    check = next(check for check in found.checks if check.name == "every kind of conversation")
    assert check.state == "not checked"
    assert check.detail == f"{len(some.batch):,} of {some.total:,} kinds judged"


def test_a_class_of_several_addresses_talks_to_itself() -> None:
    rule = ResolvedRule("r", WEB, WEB, (parse_service("tcp/80"),))
    found = kinds.kinds(replace(POLICY, rules=(rule,)), telling(read("")), nothing).batch
    pairs = [found.key(row)[:2] for row in range(len(found)) if found.key(row)[2:] == (TCP, 80)]
    own = {ends for ends in pairs if ends[0] in WEB and ends[1] in WEB}
    assert len(own) == 2 and all(client != server for client, server in own)


def test_a_set_of_everything_has_addresses_too() -> None:
    """Its first and its last address are no matter for a policy, and it has no other edge."""
    whole = replace(POLICY, rules=(), protected_ingress=V4 | V6, protected_egress=V4 | V6)
    ruleset = "table inet t { chain f { type filter hook forward priority 0; policy drop; %s }; }"
    for stray in (
        "",
        "tcp dport 31337 accept",
        "ip saddr 0.0.0.0/0 accept",
        "ip6 daddr ::/0 accept",
    ):
        found = kinds.kinds(whole, telling(read(ruleset % stray)), nothing).batch
        assert {found.v4[client] for client in found.client} == {True, False}
        ends = {*found.client.tolist(), *found.server.tolist()}
        assert not any(found.addresses[end] in NOT_POLICY for end in ends)


def test_no_policy_and_no_rules_leave_little_to_ask() -> None:
    found = kinds.kinds(ResolvedPolicy("empty"), telling(read("")), nothing)
    families = {found.batch.v4[client] for client in found.batch.client}
    assert families == {True, False} and found.total < 40
    assert parse_address("224.0.0.1") not in found.batch.addresses
