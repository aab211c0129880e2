"""Kubernetes export: golden bytes, then the published schema and the API server's own checks."""

import ipaddress
import re
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest
import yaml
from export_samples import (
    GOLDEN,
    KUBERNETES,
    SHOP,
    assert_golden,
    host,
    pod,
    resolved,
)

from workbench.export import render
from workbench.model.errors import UnsupportedPolicy
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory
from workbench.verify.k8s import read

FILE = "networkpolicies.yaml"
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?")
VERSION = kubernetes_validate.latest_version()


def text_of(policy: ResolvedPolicy, inventory: Inventory = SHOP) -> str:
    rendered = render("kubernetes", policy, inventory)
    assert list(rendered.files) == [FILE]
    return rendered.files[FILE]


def documents(text: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(text))


def exported(policy: str, inventory: Inventory = SHOP) -> list[dict[str, Any]]:
    return documents(text_of(resolved(policy, inventory), inventory))


def refusal(policy: str, inventory: Inventory = SHOP) -> str:
    with pytest.raises(UnsupportedPolicy) as refused:
        exported(policy, inventory)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def check(found: list[dict[str, Any]]) -> None:
    """What the published schema and the API server's validation demand, and our own house rules."""
    names = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found]
    assert names == sorted(set(names))
    for document in found:
        kubernetes_validate.validate(document, VERSION, strict=True)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", document["metadata"]["name"])
        spec = document["spec"]
        check_selector(spec["podSelector"])
        (direction,) = spec["policyTypes"]
        assert set(spec) <= {"podSelector", "policyTypes", direction.lower()}
        assert spec.get(direction.lower(), True), "an empty list: some clusters allow all"
        for item in spec.get(direction.lower(), []):
            check_item(item, "from" if direction == "Ingress" else "to")


def check_item(item: dict[str, Any], key: str) -> None:
    assert set(item) <= {key, "ports"}
    assert item.get(key, True) and item.get("ports", True)
    for peer in item.get(key, []):
        if "ipBlock" in peer:
            assert set(peer) == {"ipBlock"}
            network = ipaddress.ip_network(peer["ipBlock"]["cidr"])
            holes = [ipaddress.ip_network(hole) for hole in peer["ipBlock"].get("except", [])]
            assert all(hole != network and hole.subnet_of(network) for hole in holes)
        else:
            assert set(peer) == {"namespaceSelector", "podSelector"}
            check_selector(peer["podSelector"])
            check_selector(peer["namespaceSelector"])
    for port in item.get("ports", []):
        assert port["protocol"] in ("TCP", "UDP", "SCTP")
        assert 1 <= port.get("port", 1) <= port.get("endPort", 65535) <= 65535
        assert "port" in port or "endPort" not in port


def check_selector(selector: dict[str, Any]) -> None:
    pairs = list(selector.get("matchLabels", {}).items())
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In" and expression["values"]
        pairs += [(expression["key"], value) for value in expression["values"]]
    assert all(LABEL_KEY.fullmatch(key) and LABEL_VALUE.fullmatch(value) for key, value in pairs)


@pytest.mark.parametrize("name", KUBERNETES)
def test_golden(name: str) -> None:
    text = text_of(resolved(KUBERNETES[name], SHOP))
    assert_golden(GOLDEN / "kubernetes" / f"{name}.yaml", text)
    check(documents(text))


def test_the_header_says_what_it_is() -> None:
    text = text_of(resolved(KUBERNETES["shop"], SHOP))
    head = text.partition("---\n")[0]
    assert all(line.startswith("#") for line in head.splitlines())
    assert "policy 'shop'" in head and "2026-03-31 over 7 known pods" in head
    assert "--prune" in head and "ICMP" in head
    assert "&id" not in text and "*id" not in text, "aliases are for machines"


def test_every_protected_pod_is_isolated_even_without_rules() -> None:
    found = exported(KUBERNETES["nobody-talks"])
    assert [
        (one["metadata"]["namespace"], one["metadata"]["name"], set(one["spec"])) for one in found
    ] == [
        (namespace, f"zt-default-deny-{side}", {"podSelector", "policyTypes"})
        for namespace in ("data", "shop")
        for side in ("egress", "ingress")
    ]


def test_a_rule_for_nobody_is_left_out_not_opened() -> None:
    (allow,) = [one for one in exported(KUBERNETES["egress-only"]) if "egress" in one["spec"]]
    assert allow["metadata"]["annotations"] == {"segmentation-workbench/rules": "inside"}
    assert len(allow["spec"]["egress"]) == 1


def test_a_network_that_covers_pods_names_them_too() -> None:
    (allow,) = [one for one in exported(KUBERNETES["egress-only"]) if "egress" in one["spec"]]
    peers = allow["spec"]["egress"][0]["to"]
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in peers
        if "podSelector" in peer
    ]
    assert sorted(set(namespaces)) == ["data", "kube-system", "shop"]
    assert {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.7.0.0/24"]}} in peers
    assert {"ipBlock": {"cidr": "fd00:42::/64"}} in peers


def test_only_pods_need_no_block() -> None:
    assert "ipBlock" not in text_of(resolved(KUBERNETES["ingress-only"], SHOP))


def test_a_missing_way_to_a_name_server_is_noted() -> None:
    notes = render("kubernetes", resolved(KUBERNETES["egress-only"], SHOP), SHOP).notes
    assert [note for note in notes if "udp/53" in note] == [
        "No rule lets shop/front out to a name server (udp/53)."
    ]


ICMP_RULES = """
rules:
  - {id: ping, from: [any], to: [cart], services: [icmp/echo-request, tcp/80]}
  - {id: gre, from: [vpn], to: [cart], services: [ip/47]}
  - {id: zero, from: [vpn], to: [cart], services: [tcp/0-80]}
  - {id: elsewhere, from: [vpn], to: [plc], services: [icmp]}
"""
BASE = """\
workbench: 1
name: made
protect: {cart: {}}
segments:
  cart: {match: {app: cart}}
  pay: {match: {app: pay}}
  vpn: {match: {role: vpn}}
  plc: {match: {role: plc}}
"""


def test_every_unsayable_service_is_named_once() -> None:
    assert refusal(BASE + ICMP_RULES) == (
        "kubernetes cannot express this policy:"
        " rule ping: icmp/echo-request (only TCP, UDP and SCTP can be named);"
        " rule gre: ip/47 (only TCP, UDP and SCTP can be named);"
        " rule zero: tcp/0-80 (ports begin at 1)"
    )


def test_what_is_not_in_the_cluster_is_named_with_a_way_out() -> None:
    both = BASE.replace("protect: {cart: {}}", "protect: {cart: {}, plc: {}, pay: {}}")
    assert refusal(both + "rules: []\n").endswith(
        "protected but not in the cluster: segment plc (2 hosts); export with --only cart,pay"
    )
    only = BASE.replace("protect: {cart: {}}", "protect: {vpn: {}}")
    assert refusal(only + "rules: []\n").endswith("segment vpn (1 host); no segment has pods alone")
    unlisted = replace(resolved(both + "rules: []\n", SHOP), segments=())
    with pytest.raises(UnsupportedPolicy, match="not in the cluster: 2 hosts; no segment"):
        text_of(unlisted)


def test_pods_that_no_selector_tells_apart_are_named() -> None:
    same = pod("shop", "twin", "10.42.1.77", app="cart", tier="front")
    twins = Inventory((*SHOP.hosts, replace(same, labels=(("app", "twin"),))))
    assert refusal(BASE + "rules: []\n", twins).endswith(
        "no label selector tells the pods shop/cart-6b9-x1, shop/cart-6b9-x2 from shop/debug,"
        " shop/pay-7c1-y1, shop/twin"
    )


def test_a_pod_is_named_with_all_its_addresses_or_not_at_all() -> None:
    half = BASE.replace("vpn: {match: {role: vpn}}", "vpn: {cidrs: [10.42.1.9, 10.7.0.1]}")
    rules = "rules: [{id: in, from: [vpn], to: [cart], services: [tcp/80]}]\n"
    assert refusal(half + rules).endswith(
        "rule in: fd00:42::9 of pod shop/pay-7c1-y1 is left out, its other address is not"
    )
    protected = BASE.replace("cart: {match: {app: cart}}", "cart: {cidrs: [10.42.1.7]}")
    assert "protected ingress: fd00:42::7 of pod shop/cart-6b9-x1" in refusal(
        protected + "rules: []\n"
    )


def test_an_address_of_two_hosts_is_refused() -> None:
    shared = Inventory((*SHOP.hosts, pod("shop", "other", "10.42.1.7", app="cart")))
    assert refusal(BASE + "rules: []\n", shared).endswith(
        "cart-6b9-x1 and other are both listed with 10.42.1.7"
    )


def test_long_segment_names_stay_dns_labels() -> None:
    name = "a" * 63
    policy = f"""\
workbench: 1
name: made
protect: {{{name}: {{}}, {name[:-1]}b: {{}}}}
segments:
  {name}: {{match: {{app: cart}}}}
  {name[:-1]}b: {{match: {{app: pay}}}}
rules:
  - {{id: all, from: [any], to: [any], services: [any]}}
"""
    found = exported(policy)
    check(found)
    assert len(found) == 6


def test_labels_of_one_rollout_are_no_selector() -> None:
    pods = Inventory(
        (
            pod("shop", "a", "10.42.1.7", app="x", **{"pod-template-hash": "1"}),
            pod("shop", "b", "10.42.1.8", app="x", **{"pod-template-hash": "2"}),
            host("elsewhere", "10.1.0.1", role="vpn"),
        )
    )
    policy = """\
workbench: 1
name: made
protect: {one: {}}
segments: {one: {match: {pod-template-hash: "1"}}}
rules: []
"""
    assert "no label selector tells the pods shop/a from shop/b" in refusal(policy, pods)


@pytest.mark.parametrize("odd", ["y", "N", "1e3", "12e45678", "089", "0o17", "1_000", "on"])
def test_labels_that_kubectl_would_not_take_for_text_are_quoted(odd: str) -> None:
    """go-yaml reads more plain words as numbers and truth values than PyYAML does."""
    site = Inventory(
        (pod("shop", "a", "10.42.0.1", app=odd), pod("shop", "b", "10.42.0.2", app="other"))
    )
    policy = f"""\
workbench: 1
name: odd
protect: {{a: {{directions: [ingress]}}}}
segments: {{a: {{match: {{app: "{odd}"}}}}}}
rules: []
"""
    text = text_of(resolved(policy, site), site)
    assert f"app: '{odd}'" in text
    read(text)


def test_an_object_that_kubectl_could_not_apply_is_refused() -> None:
    holes = ", ".join(f"10.{a}.{b}.{c}" for a in range(60) for b in range(99) for c in (1, 3, 5, 7))
    policy = f"""\
workbench: 1
name: swiss
protect: {{pay: {{directions: [egress]}}}}
segments:
  pay: {{match: {{app: pay}}}}
  holes: {{cidrs: [10.0.0.0/10], except: [{holes}]}}
rules: [{{id: out, from: [pay], to: [holes], services: [tcp/443]}}]
"""
    site = Inventory((pod("shop", "pay", "10.99.0.9", app="pay"),))
    assert "shop/zt-pay-egress would be" in refusal(policy, site)
