"""nftables export: golden bytes, then the kernel as a second opinion."""

from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from export_samples import (
    GOLDEN,
    NFTABLES,
    OFFICE_SITE,
    assert_golden,
    nft_load,
    nft_works,
    resolved,
)

from workbench.export import EXPORTERS, render
from workbench.model.errors import InputError, UnsupportedPolicy
from workbench.model.net import (
    ALL_V4,
    EVERYWHERE,
    AddressSet,
    ServiceRange,
    parse_address,
    parse_service,
)
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.site import Host, Inventory

needs_nft = pytest.mark.skipif(not nft_works(), reason="needs nft and a network namespace")
FILE = "zt-gateway.nft"


def text_of(policy: ResolvedPolicy, inventory: Inventory = OFFICE_SITE) -> str:
    rendered = render("nftables", policy, inventory)
    assert list(rendered.files) == [FILE]
    return rendered.files[FILE]


def sample(name: str) -> str:
    return text_of(resolved(NFTABLES[name], OFFICE_SITE))


def policy_of(*rules: ResolvedRule, **fields: Any) -> ResolvedPolicy:
    return ResolvedPolicy("made", rules=rules, protected_ingress=EVERYWHERE, **fields)


def rule(
    clients: AddressSet, servers: AddressSet, *services: str, name: str = "one"
) -> ResolvedRule:
    return ResolvedRule(name, clients, servers, tuple(map(parse_service, services)))


WEB = AddressSet.of_cidrs(["10.2.0.10", "fd00:2::10"])


@pytest.mark.parametrize("name", NFTABLES)
def test_golden(name: str) -> None:
    assert_golden(GOLDEN / "nftables" / f"{name}.nft", sample(name))


@needs_nft
@pytest.mark.parametrize("name", NFTABLES)
def test_the_kernel_holds_what_was_written(name: str, tmp_path: Path) -> None:
    policy = resolved(NFTABLES[name], OFFICE_SITE)
    held = nft_load(tmp_path, [text_of(policy)])
    chains = {item["chain"]["name"] for item in held if "chain" in item}
    base = [item["chain"] for item in held if "chain" in item and "hook" in item["chain"]]
    rules = [item["rule"] for item in held if "rule" in item]
    said = {one["comment"] for one in rules if "comment" in one}
    possible = {
        found.id
        for found in policy.rules
        for version in (4, 6)
        if found.clients.family(version) and found.servers.family(version)
    }
    assert {one for one in said if not one.startswith("zt: ")} == possible
    assert [(one["hook"], one["prio"], one["policy"]) for one in base] == [("forward", 0, "drop")]
    assert all(item["table"]["name"] == "zt" for item in held if "table" in item)
    assert all(chain.startswith("zt_") for chain in chains)
    last = {chain: [one["expr"] for one in rules if one["chain"] == chain][-1] for chain in chains}
    assert {"drop": None} in last["zt_any"] and {"accept": None} in last["zt_forward"]
    ends = {chain: expr[-1] for chain, expr in last.items()}
    assert all(
        end == {"goto": {"target": "zt_any"}}
        for chain, end in ends.items()
        if chain not in ("zt_any", "zt_forward")
    )


@needs_nft
def test_loading_again_changes_nothing(tmp_path: Path) -> None:
    for name in NFTABLES:
        once, twice = (nft_load(tmp_path, [sample(name)] * times) for times in (1, 2))
        assert without_handles(once) == without_handles(twice)
        assert chain_handle(once) == chain_handle(twice), "the base chain was deleted on reload"


@needs_nft
def test_another_policy_takes_over(tmp_path: Path) -> None:
    """After any older policy, everything reachable is what the new file alone would give."""
    alone = {name: nft_load(tmp_path, [sample(name)]) for name in NFTABLES}
    for older in NFTABLES:
        for newer in ("three-tier", "overlaps", "everything-shut"):
            held = nft_load(tmp_path, [sample(older), sample(newer)])
            assert reachable(held) == reachable(alone[newer])
            assert chain_handle(held) == chain_handle(alone[older])


@needs_nft
def test_the_advised_tidy_load_leaves_nothing_old(tmp_path: Path) -> None:
    new = sample("plant-floor")
    assert "(echo 'delete table inet zt'; cat zt-gateway.nft) | nft -f -" in new
    held = nft_load(tmp_path, [sample("overlaps"), "delete table inet zt\n" + new])
    assert without_handles(held) == without_handles(nft_load(tmp_path, [new]))


def without_handles(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {kind: {key: value for key, value in body.items() if key != "handle"}}
        for item in held
        for kind, body in item.items()
    ]


def chain_handle(held: list[dict[str, Any]]) -> int:
    (found,) = [
        i["chain"]["handle"] for i in held if i.get("chain", {}).get("name") == "zt_forward"
    ]
    return int(found)


def reachable(held: list[dict[str, Any]]) -> dict[str, Any]:
    """Rules by chain and elements by set, from the base chain on; leftovers fall away."""
    rules: dict[str, list[Any]] = {}
    stores: dict[str, Any] = {}
    for item in without_handles(held):
        if "rule" in item:
            body = {key: value for key, value in item["rule"].items() if key != "index"}
            rules.setdefault(body["chain"], []).append(body)
        for kind in ("set", "map"):
            if kind in item:
                stores["@" + item[kind]["name"]] = item[kind]
    found: dict[str, Any] = {}
    todo = ["zt_forward"]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found[name] = stores.get(name, rules.get(name, []))
        todo += names_in(found[name])
    return found


def names_in(value: Any) -> list[str]:
    """Chains and sets that a piece of nft JSON refers to."""
    if isinstance(value, dict):
        own = [value["target"]] if isinstance(value.get("target"), str) else []
        return own + [name for inner in value.values() for name in names_in(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in names_in(inner)]
    return [value] if isinstance(value, str) and value.startswith("@") else []


def test_a_segment_without_members_in_a_family_never_opens_it() -> None:
    text = sample("one-family")
    assert 'comment "pc-log"' in text and 'comment "pc-db"' in text
    assert 'comment "db-log"' not in text, "IPv4 clients, IPv6 servers: no packet is both"
    assert "ghosts" not in text and "zt_nobody" not in text
    for line in text.splitlines():
        if 'accept comment "pc-' in line:
            assert "saddr" in line and "daddr" in line


def test_whole_families_are_named_by_family() -> None:
    text = text_of(policy_of(rule(ALL_V4, ALL_V4, "any"), rule(EVERYWHERE, WEB, "tcp", name="two")))
    assert '\t\tmeta nfproto ipv4 counter accept comment "one"\n' in text
    assert text.count('comment "one"') == 1
    assert '\t\tip6 daddr @zt_set_6 counter accept comment "two"\n' in text
    assert "\t\tmeta nfproto ipv4 goto zt_scope\n\t\tmeta nfproto ipv6 goto zt_scope\n" in text


def test_services_are_cut_into_disjoint_pieces() -> None:
    text = sample("overlaps")
    ports: dict[str, list[tuple[int, int]]] = {}
    for line in text.splitlines():
        key, arrow, _ = line.strip().partition(" : goto ")
        if arrow and " . " in key:
            protocol, span = key.split(" . ")
            first, _, last = span.partition("-")
            ports.setdefault(protocol, []).append((int(first), int(last or first)))
    assert sorted(ports) == ["sctp", "tcp", "udp"]
    for spans in ports.values():
        spans.sort()
        assert all(a[1] < b[0] for a, b in pairwise(spans))


def test_the_header_says_what_it_is() -> None:
    head = sample("three-tier").partition("\n\n")[0]
    assert "policy 'three-tier'" in head and "2026-03-31, 4 rules in force" in head
    assert "expired and left out: old" in head
    assert "Baseline, always accepted: link-local" in head.replace("\n# ", " ")
    assert all(line.startswith("#") for line in head.splitlines())


def test_hostile_names_stay_in_their_comments(tmp_path: Path) -> None:
    evil = 'x"; } \n\tflush ruleset \\'
    inventory = Inventory((Host(evil, (parse_address("10.2.0.10"),)),))
    box = replace(rule(WEB, EVERYWHERE, "tcp/80"), client_segments=(evil,))
    policy = replace(policy_of(box, segments=((evil, AddressSet()),), expired=(evil,)), name=evil)
    text = text_of(policy, inventory)
    for line in text.splitlines():
        assert "flush ruleset" not in line.partition("#")[0]
    if nft_works():
        nft_load(tmp_path, [text])


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (rule(WEB, WEB, "tcp/80", name='a"b'), "no slug"),
        (rule(WEB, WEB, "ip/51", name="ah"), "rule ah: ip/51 over IPv6 is an extension header"),
        (ResolvedRule("odd", WEB, WEB, (ServiceRange(-1, 0, 80),)), "ports in every protocol"),
    ],
)
def test_refuses_what_it_cannot_say(broken: ResolvedRule, says: str) -> None:
    with pytest.raises(UnsupportedPolicy, match=says):
        text_of(policy_of(rule(WEB, WEB, "tcp/22"), broken))


def test_extension_headers_are_fine_over_ipv4() -> None:
    only_v4 = WEB.family(4)
    assert "\t\t\t51 : goto zt_ip_51," in text_of(policy_of(rule(only_v4, WEB, "ip/51")))


def test_set_names() -> None:
    a, b, c, d, e = (AddressSet.of_cidrs([f"10.0.{n}.0/24"]) for n in range(5))
    named = (
        replace(rule(a, b, "tcp/1", name="r1"), client_segments=("x", "y"), server_segments=("z",)),
        replace(
            rule(c, d, "tcp/2", name="r2"), client_segments=("z",), server_segments=tuple("pqrst")
        ),
        replace(rule(e, a, "tcp/3", name="r3"), client_segments=("protected", "egress")),
    )
    text = text_of(policy_of(*named, segments=(("home", e),)))
    assert "ip saddr @zt_x_y_4 ip daddr @zt_z_4 " in text
    assert "ip saddr @zt_z_no2_4 ip daddr @zt_p_q_r_and_2_more_4 " in text
    assert "ip saddr @zt_home_4 ip daddr @zt_x_y_4 " in text


def test_an_unknown_target_is_named() -> None:
    with pytest.raises(
        InputError, match="unknown target 'cisco'; targets are nftables, kubernetes"
    ):
        render("cisco", policy_of(), OFFICE_SITE)
    assert all(name == exporter.name for name, exporter in EXPORTERS.items())


def test_no_date_and_one_rule_read_well() -> None:
    text = text_of(policy_of(rule(WEB, WEB, "tcp/80"), on=date.min))
    assert "1 rule in force" in text
