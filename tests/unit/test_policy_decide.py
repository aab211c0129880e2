"""What a policy means, by example. The same words stand in docs/policy.md."""

from datetime import date

import pytest

from workbench.model.net import ICMP, SCTP, TCP, UDP, AddressSet, parse_address
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Host, Inventory, Network
from workbench.model.traffic import Conversation, Direction
from workbench.model.verdict import Decision, Verdict
from workbench.policy import Resolver, decide, load_policy, resolve

POLICY = """\
workbench: 1
name: example
protect:
  db: {directions: [ingress]}
  kiosk: {directions: [egress]}
segments:
  web: {match: {role: web}}
  db: {match: {role: db}, cidrs: [10.2.0.0/16]}
  kiosk: {cidrs: [10.3.0.0/24], except: [10.3.0.9]}
services:
  sql: [tcp/5432]
rules:
  - {id: web-db, from: [web], to: [db], services: [sql, icmp/echo-request]}
  - {id: also-web-db, from: [any], to: [db], services: [tcp/5000-6000], expires: 2026-06-15}
  - {id: kiosk-web, from: [kiosk], to: [web], services: [tcp/443]}
exclusions:
  - {id: scans, from: [web], to: [db], services: [tcp/9], reason: scanner, expires: 2026-06-14}
"""
WEB, DB, FAR_DB, KIOSK, FREE = "10.1.0.1", "10.2.0.1", "10.4.0.1", "10.3.0.1", "10.3.0.9"
SITE = Inventory(
    (
        Host("web", (parse_address(WEB),), (("role", "web"),)),
        Host("db", (parse_address(DB),), (("role", "db"),)),
        Host("far", (parse_address(FAR_DB),), (("role", "db"),)),
    )
)
LAST_DAY = date(2026, 6, 15)


def resolved(on: date = LAST_DAY) -> ResolvedPolicy:
    return resolve(load_policy(POLICY), SITE, (), on)


def judge(client: str, server: str, protocol: int, port: int, **more: object) -> Decision:
    ends = parse_address(client), parse_address(server)
    return decide(resolved(), Conversation(*ends, protocol, port, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("client", "server", "protocol", "port", "verdict", "rules"),
    [
        (WEB, DB, TCP, 5432, Verdict.ALLOWED, ("web-db", "also-web-db")),
        (WEB, DB, TCP, 5999, Verdict.ALLOWED, ("also-web-db",)),
        (WEB, DB, TCP, 22, Verdict.BLOCKED, ()),
        (WEB, DB, UDP, 5432, Verdict.BLOCKED, ()),
        (WEB, DB, ICMP, 8, Verdict.ALLOWED, ("web-db",)),
        (DB, WEB, TCP, 443, Verdict.OUT_OF_SCOPE, ()),  # the database's egress is not protected
        (WEB, FAR_DB, TCP, 22, Verdict.OUT_OF_SCOPE, ()),  # the label fits, the address does not
        (KIOSK, WEB, TCP, 443, Verdict.ALLOWED, ("kiosk-web",)),
        (KIOSK, FAR_DB, TCP, 443, Verdict.BLOCKED, ()),
        (FREE, FAR_DB, TCP, 443, Verdict.OUT_OF_SCOPE, ()),  # taken out of the segment
        (WEB, KIOSK, TCP, 443, Verdict.OUT_OF_SCOPE, ()),  # its ingress is not protected
        (KIOSK, DB, SCTP, 5432, Verdict.BLOCKED, ()),  # both ends in scope, no rule
    ],
)
def test_verdicts(
    client: str, server: str, protocol: int, port: int, verdict: Verdict, rules: tuple[str, ...]
) -> None:
    decision = judge(client, server, protocol, port)
    assert (decision.verdict, decision.rules) == (verdict, rules)


@pytest.mark.parametrize(
    ("client", "server", "protocol", "port", "why"),
    [
        (KIOSK, "224.0.0.251", UDP, 5353, "link-local/multicast"),
        (KIOSK, "255.255.255.255", UDP, 67, "link-local/multicast"),
        (KIOSK, "10.3.0.254", UDP, 67, "DHCP"),
        (KIOSK, DB, 2, 0, "IGMP"),
        (KIOSK, DB, ICMP, 3, "ICMP error, ND or MLD"),
        (WEB, FAR_DB, TCP, 80, "neither end is protected"),
    ],
)
def test_what_is_no_matter_for_a_policy(
    client: str, server: str, protocol: int, port: int, why: str
) -> None:
    decision = judge(client, server, protocol, port)
    assert decision == Decision(Verdict.OUT_OF_SCOPE, reason=f"out of scope ({why})")


def test_unknown_direction_is_uncertain_where_the_readings_differ() -> None:
    first = {"direction": Direction.FIRST}
    # As read it is allowed; swapped it would leave the database, whose egress is free.
    uncertain = judge(WEB, DB, TCP, 5432, client_port_low=40000, client_port_high=40010, **first)
    assert uncertain.verdict is Verdict.UNCERTAIN
    assert uncertain.rules == ()
    assert uncertain.reason == "direction unknown: allowed as read, out-of-scope swapped"
    assert judge(WEB, DB, TCP, 5432, direction=Direction.DEGREE).verdict is Verdict.ALLOWED
    assert judge(WEB, DB, ICMP, 8, **first).verdict is Verdict.ALLOWED
    # The kiosk may be the server of this one only if 443 is among the client's ports.
    ends = (WEB, KIOSK, TCP, 9999)
    assert judge(*ends, client_port_low=444, client_port_high=500, **first).verdict is (
        Verdict.UNCERTAIN
    )


def test_both_readings_blocked_is_blocked() -> None:
    both = POLICY.replace("{directions: [egress]}", "{}").replace("{directions: [ingress]}", "{}")
    policy = resolve(load_policy(both), SITE, (), LAST_DAY)
    ends = parse_address(KIOSK), parse_address(DB)
    far = Conversation(*ends, TCP, 22, 40000, 41000, direction=Direction.FIRST)
    assert decide(policy, far).verdict is Verdict.BLOCKED
    swapped = Conversation(*reversed(ends), TCP, 22, 5000, 5001, direction=Direction.FIRST)
    assert decide(policy, swapped).verdict is Verdict.UNCERTAIN


def test_the_port_just_behind_a_rule_counts() -> None:
    text = POLICY.replace("to: [web], services: [tcp/443]", "to: [any], services: [tcp/443]")
    text = text.replace("{directions: [egress]}", "{}").replace("from: [kiosk]", "from: [any]")
    policy = resolve(load_policy(text), SITE, (), LAST_DAY)
    ends = parse_address(KIOSK), parse_address(WEB)
    for high, verdict in ((443, Verdict.ALLOWED), (444, Verdict.UNCERTAIN)):
        read = Conversation(*ends, TCP, 443, 443, high, direction=Direction.FIRST)
        assert decide(policy, read).verdict is verdict


def test_the_narrowest_network_labels_last() -> None:
    wide = Network("wide", AddressSet.of_cidrs(["10.0.0.0/8"]), (("role", "web"),))
    narrow = Network("narrow", AddressSet.of_cidrs(["10.1.0.0/24"]), (("role", "none"),))
    seen = [parse_address("10.1.0.7"), parse_address("10.9.0.7"), parse_address("192.168.0.7")]
    for networks in ((wide, narrow), (narrow, wide)):
        policy = resolve(load_policy(POLICY), Inventory(networks=networks), seen, LAST_DAY)
        assert policy.segment("web").cidrs() == ("10.9.0.7/32",)


def test_the_last_day_counts() -> None:
    assert resolved().expired == ("scans",)
    assert resolved().exclusions == ()
    assert resolved(date(2026, 6, 16)).expired == ("also-web-db", "scans")
    assert [rule.id for rule in resolved(date(2026, 6, 16)).rules] == ["web-db", "kiosk-web"]
    assert resolved(date(2026, 6, 14)).expired == ()


def test_names_are_resolved_once() -> None:
    policy = resolved()
    rule = policy.rules[0]
    assert rule.client_segments == ("web",)
    assert rule.clients is policy.segment("web")
    assert [str(service) for service in rule.services] == ["icmp/echo-request", "tcp/5432"]
    assert policy.segment("any").size == 1 << 128


def test_a_resolver_keeps_segments_between_edits() -> None:
    resolver, seen = Resolver(), (parse_address(WEB),)
    policy = load_policy(POLICY)
    before = resolver.resolve(policy, SITE, seen, LAST_DAY)
    edited = load_policy(POLICY.replace("[tcp/443]", "[tcp/444]").replace("10.2.0.0", "10.4.0.0"))
    after = resolver.resolve(edited, SITE, seen, LAST_DAY)
    assert after == resolve(edited, SITE, seen, LAST_DAY)
    assert after.segment("web") is before.segment("web")
    assert after.segment("db") != before.segment("db")
    more = Inventory(networks=(Network("n", AddressSet.of_cidrs(["::/0"]), (("role", "web"),)),))
    for seen in ((1,), (1, 2)):
        assert resolver.resolve(policy, more, seen, LAST_DAY).segment("web").size == len(seen)
    others = Inventory((Host("other", (parse_address(WEB),), (("role", "db"),)),))
    assert not resolver.resolve(policy, others, (), LAST_DAY).segment("web")
