"""verify() on hand-written nftables files: right ones pass, every planted mistake is reported."""

import shutil
from dataclasses import replace

import pytest

from tests.strategies import table_of
from workbench.model.errors import Cancelled, InputError
from workbench.model.net import AddressSet, parse_address, parse_service
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.rendered import Verification
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable
from workbench.policy import decide
from workbench.verify import compare, kernel, verify

needs_kernel = pytest.mark.skipif(
    not all(shutil.which(tool, path=kernel.PATH) for tool in ("unshare", "nft", "ip")),
    reason="unshare, nft and ip are needed to ask the kernel",
)

OFFICE = AddressSet.of_cidrs(["10.1.0.0/24", "fd00:1::/64"])
WEB = AddressSet.of_cidrs(["10.2.0.8/29", "fd00:2::10"])
DB = AddressSet.of_cidrs(["10.3.0.5"])


def _rule(name: str, clients: AddressSet, servers: AddressSet, *services: str) -> ResolvedRule:
    return ResolvedRule(name, clients, servers, tuple(map(parse_service, services)))


POLICY = ResolvedPolicy(
    "by-hand",
    (("office", OFFICE), ("web", WEB), ("db", DB)),
    protected_ingress=WEB | DB,
    protected_egress=DB,
    rules=(
        _rule("office-web", OFFICE, WEB, "tcp/443", "tcp/8000-8010"),
        _rule("web-db", WEB, DB, "tcp/5432"),
        _rule("office-ping", OFFICE, WEB, "icmp/echo-request", "icmpv6/echo-request"),
        _rule("db-out", DB, OFFICE, "udp/514"),
    ),
)

RIGHT = """\
define office = { 10.1.0.0/24 }
add table inet t
flush table inet t
table inet t {
    chain forward {
        type filter hook forward priority filter; policy drop;
        ct state vmap { established : accept, invalid : jump icmp_or_drop }
        ct state related meta l4proto { icmp, icmpv6 } accept
        ip6 saddr ::ffff:0:0/96 drop
        ip6 daddr ::ffff:0:0/96 drop
        ip daddr { 10.2.0.8/29, 10.3.0.5 } jump scope
        ip6 daddr fd00:2::10 jump scope
        ip saddr 10.3.0.5 jump scope
        accept
    }
    chain icmp_or_drop {
        meta l4proto { icmp, icmpv6 } return
        drop
    }
    chain scope {
        ip saddr $office ip daddr 10.2.0.8/29 tcp dport { 443, 8000-8010 } accept
        ip6 saddr fd00:1::/64 ip6 daddr fd00:2::10 tcp dport { 443, 8000-8010 } accept
        ip saddr . ip daddr . meta l4proto . th dport { 10.2.0.8/29 . 10.3.0.5 . tcp . 5432 } accept
        ip saddr $office ip daddr 10.2.0.8/29 icmp type echo-request accept
        ip6 saddr fd00:1::/64 ip6 daddr fd00:2::10 icmpv6 type echo-request accept
        ip saddr 10.3.0.5 ip daddr $office udp dport 514 counter accept comment "db-out"
        counter log prefix "denied " drop
    }
}
"""


def _table() -> ConversationTable:
    seen = [
        ("10.1.0.7", "10.2.0.9", "tcp/443"),
        ("10.2.0.9", "10.3.0.5", "tcp/5432"),
        ("10.1.0.7", "10.3.0.5", "tcp/5432"),
        ("10.1.0.7", "10.1.0.8", "tcp/22"),
        ("fd00:1::7", "fd00:2::10", "icmpv6/echo-request"),
        ("10.1.0.7", "224.0.0.251", "udp/5353"),
        ("10.1.0.7", "10.2.0.9", "udp/67"),
    ]
    return table_of(
        [
            Conversation(
                parse_address(client),
                parse_address(server),
                parse_service(service).protocol,
                parse_service(service).first,
            )
            for client, server, service in seen
        ]
    )


def _verify(text: str, *, ask_kernel: bool = False) -> Verification:
    files = {"gate.nft": text, "README": "not a ruleset"}
    return verify("nftables", files, POLICY, _table(), Inventory(), decide, kernel=ask_kernel)


def test_a_right_file_is_proven() -> None:
    found = _verify(RIGHT)
    assert found.mismatches == ()
    assert found.proven
    assert (found.judged, found.skipped) == (5, 2)
    assert found.probes > 500


@needs_kernel
def test_a_right_file_is_proven_by_the_kernel() -> None:
    found = _verify(RIGHT, ask_kernel=True)
    assert found.proven, found.checks
    states = {check.name: check.state for check in found.checks}
    assert states["packets through the kernel"] == "passed"
    assert states["the kernel holds what the file says"] == "passed"


@needs_kernel
def test_protocols_that_this_machine_names_in_its_own_way_are_read_back() -> None:
    extra = _rule("tunnels", OFFICE, WEB, "ip/4", "ip/41", "ip/89")
    right = RIGHT.replace(
        "chain scope {", "chain scope { meta l4proto { 4, 41, 89 } jump tunnels", 1
    ).replace(
        "    chain forward {",
        """    chain tunnels {
        ip saddr 10.1.0.0/24 ip daddr 10.2.0.8/29 accept
        ip6 saddr fd00:1::/64 ip6 daddr fd00:2::10 accept
    }
    chain forward {""",
        1,
    )
    policy = replace(POLICY, rules=(*POLICY.rules, extra))
    found = verify("nftables", {"x.nft": right}, policy, _table(), Inventory(), decide)
    assert found.proven, found.checks
    states = {check.name: check.state for check in found.checks}
    assert states["the kernel holds what the file says"] == "passed"


FIRST = "        ct state vmap {"


def _stray(rule: str) -> tuple[str, str]:
    """A rule more, before all others."""
    return FIRST, f"        {rule}\n{FIRST}"


MISTAKES = {
    "a port is dropped": ("{ 443, 8000-8010 } accept\n        ip6", "443 accept\n        ip6"),
    "a port range is one too wide": ("8000-8010", "8000-8011"),
    "a port range is one too narrow": ("8000-8010", "8001-8010"),
    "a prefix is widened": ("10.1.0.0/24 }", "10.1.0.0/23 }"),
    "a prefix is narrowed": ("10.1.0.0/24 }", "10.1.0.0/25 }"),
    "a server set is widened": (
        "$office ip daddr 10.2.0.8/29 tcp",
        "$office ip daddr 10.2.0.0/15 tcp",
    ),
    "saddr and daddr are swapped": (
        "ip saddr 10.3.0.5 ip daddr $office udp",
        "ip daddr 10.3.0.5 ip saddr $office udp",
    ),
    "the port is the client's": ("udp dport 514", "udp sport 514"),
    "a family is missing": ("        ip6 saddr fd00:1::/64 ip6 daddr fd00:2::10 tcp", "#"),
    "a family is wide open": ("ip6 saddr fd00:1::/64 ip6 daddr fd00:2::10 tcp", "tcp"),
    "the protocol is missing": ("udp dport 514", "th dport 514"),
    "the protocol is wrong": ("udp dport 514", "tcp dport 514"),
    "a concat has no protocol": (
        "ip saddr . ip daddr . meta l4proto . th dport { 10.2.0.8/29 . 10.3.0.5 . tcp . 5432 }",
        "ip saddr . ip daddr . th dport { 10.2.0.8/29 . 10.3.0.5 . 5432 }",
    ),
    "the last drop is missing": ('        counter log prefix "denied " drop\n', ""),
    "the last drop logs only": ('prefix "denied " drop', 'prefix "denied "'),
    "all ICMP is let in": ("icmp type echo-request accept", "meta l4proto icmp accept"),
    "new connections come first": ("ct state vmap {", "ct state new accept\n ct state vmap {"),
    "replies are dropped": ("established : accept", "established : drop"),
    "replies are not mentioned": ("established : accept, ", ""),
    "related ICMP is dropped": ("ct state related meta l4proto { icmp, icmpv6 } accept", ""),
    "invalid packets pass": ("invalid : jump icmp_or_drop", "invalid : accept"),
    "egress is not protected": ("        ip saddr 10.3.0.5 jump scope\n", ""),
    "a protected server is forgotten": ("{ 10.2.0.8/29, 10.3.0.5 } jump", "10.2.0.8/29 jump"),
    "out of scope is dropped": ("        accept\n    }\n    chain icmp", "    }\n    chain icmp"),
    "a negation is lost": ("ip6 daddr fd00:2::10 jump", "ip6 daddr != fd00:2::10 jump"),
    "one address is missing": ("10.2.0.8/29 . 10.3.0.5", "10.2.0.8-10.2.0.14 . 10.3.0.5"),
    "a port nobody speaks of is opened": _stray("tcp dport 31337 accept"),
    "a range of ports nobody speaks of is opened": _stray("udp dport 20000-20010 accept"),
    "a host nobody speaks of gets in": _stray("ip saddr 172.16.9.9 accept"),
    "a host nobody speaks of joins a set": ("{ 10.1.0.0/24 }", "{ 10.1.0.0/24, 172.16.5.5 }"),
    "a server is open to all": _stray("ip daddr 10.2.0.12 tcp dport 2222 accept"),
    "one cell is opened": _stray("ip saddr 10.1.0.77 ip daddr 10.2.0.12 tcp dport 2222 accept"),
    "one box is opened": _stray(
        "ip saddr . ip daddr . tcp dport { 10.1.0.77 . 10.2.0.12 . 2222, 10.9.9.9 . 10.3.0.5 . 1 }"
        " accept"
    ),
    "another protocol is opened": _stray("meta l4proto 50 accept"),
    "another message is opened": _stray("icmp type timestamp-request accept"),
    "whoever comes from port 53 gets in": _stray("udp sport 53 accept"),
    "whoever comes from a high port is dropped": _stray("tcp sport 60000-60010 drop"),
    "what a helper relates is let in": ("related meta l4proto { icmp, icmpv6 } acc", "related acc"),
    "untracked packets pass": _stray("ct state untracked accept"),
    "another table drops": (
        "add table inet t\n",
        "table ip u {\nchain c { type filter hook forward priority 10; tcp dport 443 drop; }\n}\n"
        "add table inet t\n",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_is_reported(mistake: str) -> None:
    right, wrong = MISTAKES[mistake]
    assert right in RIGHT
    found = _verify(RIGHT.replace(right, wrong, 1))
    assert found.mismatches, found.checks
    assert not found.proven


@needs_kernel
@pytest.mark.parametrize(
    "mistake", ["a prefix is widened", "replies are dropped", "the last drop is missing"]
)
def test_the_kernel_sees_a_planted_mistake_too(mistake: str) -> None:
    found = _verify(RIGHT.replace(*MISTAKES[mistake], 1), ask_kernel=True)
    states = {check.name: check.state for check in found.checks}
    assert states["packets through the kernel"] == "failed"


def test_a_mismatch_says_who_what_and_how() -> None:
    found = _verify(RIGHT.replace("tcp . 5432", "tcp . 5433"))
    observed = [item for item in found.mismatches if not item.probe]
    assert [(item.conversation, item.expected, item.found) for item in observed] == [
        ("10.2.0.9 → 10.3.0.5 tcp/5432", "allowed", "drop")
    ]


def test_a_file_that_is_not_understood_proves_nothing() -> None:
    found = _verify(RIGHT.replace("counter log", "quota 1 mbytes counter log"))
    assert (found.judged, found.probes, found.skipped) == (0, 0, 7)
    assert [check.state for check in found.checks] == ["failed"]
    problem = "gate.nft: cannot read line 27: unknown match or statement 'quota'"
    assert found.checks[0].detail == problem
    assert not found.proven


@pytest.mark.parametrize("files", [{}, {"a.nft": RIGHT, "b.nft": RIGHT}, {"a.yaml": ""}])
def test_exactly_one_ruleset_is_expected(files: dict[str, str]) -> None:
    found = verify("nftables", files, POLICY, _table(), Inventory(), decide, kernel=False)
    assert not found.proven
    assert "expected one .nft file" in found.checks[0].detail


def test_a_file_that_leaves_old_rules_behind_is_reported() -> None:
    found = _verify(RIGHT.replace("flush table inet t\n", ""))
    reload = next(check for check in found.checks if check.name.startswith("a reload"))
    assert reload.state == "failed"
    assert "chain scope" in reload.detail
    assert not found.proven


@pytest.mark.parametrize(
    ("before", "named"),
    [
        ("flush ruleset\n", "every table of the machine, inet t"),
        ("destroy table inet firewalld\n", "inet firewalld, inet t"),
        ("add table ip filter\nflush table ip filter\n", "inet t, ip filter"),
    ],
)
def test_a_file_that_touches_what_others_hold_is_reported(before: str, named: str) -> None:
    """On a kernel of its own that changes nothing; on the gateway it may undo another's drops."""
    found = _verify(before + RIGHT)
    assert not found.mismatches
    alone = next(check for check in found.checks if check.name == "only one table is touched")
    assert (alone.state, alone.detail) == ("failed", f"it speaks of {named}")
    assert not found.proven


@pytest.mark.parametrize(
    "wrong",
    [
        "ip6 saddr ::ffff:0:0/96 drop\n",
        "ip6 daddr ::ffff:0:0/96 drop\n",
        "ip6 saddr ::ffff:10.1.0.0/120 accept\nip6 daddr ::ffff:0:0/96 drop\n",
    ],
)
def test_mapped_addresses_that_pass_are_reported(wrong: str) -> None:
    right = "        ip6 saddr ::ffff:0:0/96 drop\n        ip6 daddr ::ffff:0:0/96 drop\n"
    assert right in RIGHT
    found = _verify(RIGHT.replace(right, wrong))
    assert not found.mismatches
    check = next(check for check in found.checks if check.name.startswith("IPv4-mapped"))
    assert check.state == "failed" and "passes in an IPv6 packet" in check.detail
    assert not found.proven


@needs_kernel
def test_a_file_the_kernel_refuses_is_reported_in_nfts_words() -> None:
    overlap = "set s { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 10.1.0.0/16 }; }"
    found = _verify(f"{RIGHT}add {overlap.replace('set s', 'set inet t s')}\n", ask_kernel=True)
    load = next(check for check in found.checks if check.name == "loads in the kernel")
    assert load.state == "failed"
    assert "conflicting intervals" in load.detail


def test_without_the_kernel_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "PATH", "")
    found = _verify(RIGHT, ask_kernel=True)
    load = next(check for check in found.checks if check.name == "loads in the kernel")
    assert (load.state, load.detail) == ("not checked", "unshare is not installed here")
    assert found.proven


def test_unknown_targets_are_refused() -> None:
    with pytest.raises(InputError, match="no verifier for 'cisco'"):
        verify("cisco", {}, POLICY, _table(), Inventory(), decide)


def test_it_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        verify(
            "nftables",
            {"gate.nft": RIGHT},
            POLICY,
            _table(),
            Inventory(),
            decide,
            cancelled=lambda: True,
        )


def test_more_differences_than_are_listed_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "LISTED", 1_000_000)
    everything = len(_verify("table inet t {\n}\nflush table inet t\n").mismatches)
    monkeypatch.setattr(compare, "LISTED", 3)
    found = _verify("table inet t {\n}\nflush table inet t\n")
    assert len(found.mismatches) == 3
    check = next(check for check in found.checks if check.name == "differences")
    assert check.state == "failed"
    assert check.detail == f"{everything:,} conversations and probes differ; 3 are listed"
