"""Whatever policy is drawn: the kernel loads the file; Kubernetes writes it or says why not."""

import tempfile
from pathlib import Path

import pytest
from export_samples import nft_load, nft_works
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import inventories, resolved_policies

from workbench.export import render
from workbench.export.dispatch import dispatch
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import ANY_SERVICE, ICMP, ICMPV6, SCTP, TCP, UDP
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory

needs_nft = pytest.mark.skipif(not nft_works(), reason="needs nft and a network namespace")
PROTOCOLS = {TCP: 65535, UDP: 65535, SCTP: 65535, ICMP: 255, ICMPV6: 255, 47: 0, 2: 0, 50: 0}
EDGES = (0, 3, 8, 22, 53, 79, 80, 81, 128, 255, 442, 443, 444, 1023, 1024, 8080, 8081, 65535)


@needs_nft
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(resolved_policies(), inventories()), min_size=1, max_size=6))
def test_every_file_loads_after_every_other(
    drawn: list[tuple[ResolvedPolicy, Inventory]],
) -> None:
    texts: list[str] = []
    for policy, inventory in drawn:
        texts.append(render("nftables", policy, inventory).files["zt-gateway.nft"])
        again = render("nftables", policy, inventory).files["zt-gateway.nft"]
        assert again == texts[-1]
    with tempfile.TemporaryDirectory() as folder:
        held = nft_load(Path(folder), [*texts, texts[-1]])
    assert any(item.get("chain", {}).get("hook") == "forward" for item in held)


@settings(max_examples=60, deadline=None)
@given(resolved_policies())
def test_dispatch_finds_exactly_the_rules_of_a_service(policy: ResolvedPolicy) -> None:
    plan = dispatch(policy.rules)
    for protocol, top in PROTOCOLS.items():
        for port in (edge for edge in EDGES if edge <= top):
            hits = [
                rules
                for rules, pieces in plan.chains
                if any(piece.covers(protocol, port) for piece in pieces)
            ]
            assert len(hits) <= 1, "two chains answer for one service"
            expected = {
                at
                for at, rule in enumerate(policy.rules)
                if any(service.covers(protocol, port) for service in rule.services)
            }
            assert {*(hits[0] if hits else ()), *plan.any_service} == expected
    assert all(ANY_SERVICE in policy.rules[at].services for at in plan.any_service)


@settings(max_examples=60, deadline=None)
@given(resolved_policies(), inventories())
def test_kubernetes_refuses_or_writes_but_never_fails(
    policy: ResolvedPolicy, inventory: Inventory
) -> None:
    try:
        rendered = render("kubernetes", policy, inventory)
    except UnsupportedPolicy as refused:
        assert refused.missing and "\n" not in str(refused)
    else:
        assert rendered.files["networkpolicies.yaml"].startswith("# networkpolicies.yaml")
