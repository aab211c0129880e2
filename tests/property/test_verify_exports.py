"""Exported files, judged by readers that share nothing with the exporters, equal decide()."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.strategies import (
    INSIDE,
    TODAY,
    conversations,
    inventories,
    label_maps,
    pods,
    policies,
    resolved_policies,
    table_of,
    tables,
)
from workbench.export import render
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import (
    ANY_PROTOCOL,
    PORT_PROTOCOLS,
    AddressSet,
    ServiceRange,
    parse_address,
)
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Host, Inventory, labels_of
from workbench.model.traffic import Conversation, ConversationTable, Direction
from workbench.policy import decide, resolve
from workbench.verify import verify
from workbench.verify.batch import Batch
from workbench.verify.compare import expected

relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(relaxed, max_examples=60)
@given(resolved_policies(), st.lists(conversations(), max_size=40))
def test_the_shortcut_to_decide_is_decide(policy: ResolvedPolicy, seen: list[Conversation]) -> None:
    batch = Batch.of((c.client, c.server, c.protocol, c.port) for c in seen)
    wanted = [
        decide(policy, replace(conversation, direction=Direction.SYN)).verdict
        for conversation in seen
    ]
    assert expected(batch, policy, decide).tolist() == wanted


@settings(relaxed, max_examples=30)
@given(resolved_policies(), tables(), inventories())
def test_nftables_files_mean_what_decide_says(
    policy: ResolvedPolicy, table: ConversationTable, inventory: Inventory
) -> None:
    try:
        rendered = render("nftables", policy, inventory)
    except UnsupportedPolicy:
        assume(False)
    found = verify("nftables", rendered.files, policy, table, inventory, decide, kernel=False)
    assert found.proven, (found.mismatches[:5], found.checks)
    assert found.judged + found.skipped == len(table)


def _matters(line: str) -> bool:
    """The baseline and what is no valid packet are never judged."""
    return not re.search("baseline|mapped|invalid|type |elements|}$", line)


def _turned(line: str) -> str:
    """Accept what was dropped, drop what was accepted, accept where another chain was asked."""
    verdicts = {"accept": "drop", "drop": "accept"}
    return re.sub(
        r"\b(accept|drop|goto zt_[\w-]+)", lambda word: verdicts.get(word.group(), "accept"), line
    )


def _shifted(line: str) -> str:
    """The last number is one larger: an address, a prefix length, a port, a set's family."""
    return re.sub(r"(\d+)(?=\D*$)", lambda number: str(int(number.group()) + 1), line)


STRANGERS = ("172.16.9.9", "2a00::9")
STRAYS = (
    "ip saddr 172.16.9.9 accept",
    "ip daddr 172.16.9.0/28 tcp dport 31337 accept",
    "ip6 saddr 2a00::/64 accept",
    "tcp dport 31337 accept",
    "udp dport 31337-31400 accept",
    "ip saddr . tcp dport { 172.16.9.9 . 443, 10.0.0.1 . 31337 } accept",
    "tcp dport vmap { 31337 : accept, 80 : drop }",
    "icmp type timestamp-request accept",
    "meta l4proto 50 accept",
    "ip saddr 172.16.9.9 return",
)
"""Rules that no policy has anything to do with."""


@settings(relaxed, max_examples=30)
@given(resolved_policies(), st.data())
def test_a_broken_nftables_file_is_never_proven_wrongly(
    policy: ResolvedPolicy, data: st.DataObject
) -> None:
    """Change one thing in the file: either verify() objects, or the change means nothing.

    That it means nothing is asked of an independent, exhaustive judge: every address of the small
    universe and every service the policy names, through the same evaluator.
    """
    assume(policy.rules and (policy.protected_ingress or policy.protected_egress))
    rendered = render("nftables", policy, Inventory())
    ((name, text),) = rendered.files.items()
    lines = text.splitlines()
    places = [at for at, line in enumerate(lines) if re.match("\t\t[^\t]", line) and _matters(line)]
    at = data.draw(st.sampled_from(places))
    stray = f"\t\t{data.draw(st.sampled_from(STRAYS))}\n{lines[at]}"
    lines[at] = data.draw(st.sampled_from([_turned(lines[at]), _shifted(lines[at]), "", stray]))
    broken = {name: "\n".join(lines) + "\n"}
    empty = ConversationTable.empty()
    found = verify("nftables", broken, policy, empty, Inventory(), decide, kernel=False)
    if not found.proven:
        return
    everything = _everything(policy)
    found = verify("nftables", broken, policy, everything, Inventory(), decide, kernel=False)
    assert found.proven, (lines[at], found.mismatches[:5])


def _everything(policy: ResolvedPolicy) -> ConversationTable:
    services = {(6, 443), (17, 53), (132, 80), (1, 8), (58, 128), (47, 0)}
    services |= {(6, 31337), (17, 31337), (1, 13), (50, 0)}
    services |= {
        (piece.protocol, port)
        for rule in policy.rules
        for piece in rule.services
        if piece.protocol != ANY_PROTOCOL
        for port in (piece.first, piece.last)
        if piece.protocol in PORT_PROTOCOLS or port < 256
    }
    return table_of(
        [
            Conversation(client, server, protocol, port)
            for client in (*INSIDE[::2], *map(parse_address, STRANGERS))
            for server in (*INSIDE, *map(parse_address, STRANGERS))
            for protocol, port in services
        ]
    )


@st.composite
def clusters(draw: st.DrawFn) -> tuple[ResolvedPolicy, Inventory]:
    """Most addresses are pods, only pods are protected, only sayable services are allowed."""
    hosts = [
        Host(
            f"h{at}",
            (address,),
            labels_of(draw(label_maps())),
            replace(draw(pods()), name=f"p{at}"),
        )
        for at, address in enumerate(INSIDE[:18])
        if draw(st.integers(0, 9)) < 8
    ]
    inventory = Inventory(tuple(hosts))
    policy = resolve(draw(policies(5, dates=False)), inventory, INSIDE, TODAY)
    ours = AddressSet.of_addresses(address for host in hosts for address in host.addresses)
    rules = tuple(
        replace(rule, services=tuple(filter(_sayable, rule.services))) for rule in policy.rules
    )
    return replace(
        policy,
        rules=tuple(rule for rule in rules if rule.services),
        protected_ingress=policy.protected_ingress & ours,
        protected_egress=policy.protected_egress & ours,
    ), inventory


def _sayable(service: ServiceRange) -> bool:
    if service.protocol == ANY_PROTOCOL:
        return True
    return service.protocol in PORT_PROTOCOLS and (service.first > 0 or service.last == 65535)


@settings(relaxed, max_examples=30)
@given(clusters(), tables())
def test_networkpolicies_mean_what_decide_says(
    site: tuple[ResolvedPolicy, Inventory], table: ConversationTable
) -> None:
    policy, inventory = site
    try:
        rendered = render("kubernetes", policy, inventory)
    except UnsupportedPolicy:
        assume(False)
    found = verify("kubernetes", rendered.files, policy, table, inventory, decide)
    assert found.proven, (found.mismatches[:5], found.checks)


@pytest.mark.parametrize("target", ["nftables", "kubernetes"])
@settings(relaxed, max_examples=20)
@given(site=clusters())
def test_files_of_another_policy_are_not_proven(
    target: str, site: tuple[ResolvedPolicy, Inventory]
) -> None:
    """Files that lack a rule which allows some probe are told from files that have it."""
    policy, inventory = site
    batch = Batch.of(
        (client, server, 6, 443)
        for client in INSIDE[:12]
        for server in INSIDE[:12]
        if client != server
    )
    before = expected(batch, policy, decide)
    for rule in policy.rules:
        less = replace(policy, rules=tuple(other for other in policy.rules if other is not rule))
        rows = np.flatnonzero(before != expected(batch, less, decide))
        if not len(rows):
            continue
        try:
            rendered = render(target, less, inventory)
        except UnsupportedPolicy:
            continue
        empty = ConversationTable.empty()
        found = verify(target, rendered.files, policy, empty, inventory, decide, kernel=False)
        assert found.mismatches, (rule.id, str(batch.at(int(rows[0]))))
