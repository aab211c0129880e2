"""The evaluator against the kernel: random rulesets, the same packets through both."""

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.strategies import resolved_policies, tables
from workbench.export import render
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import parse_address
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable
from workbench.policy import decide
from workbench.verify import kernel, nftables, verify
from workbench.verify.batch import Batch
from workbench.verify.nft import read

needs_kernel = pytest.mark.skipif(
    not all(shutil.which(tool, path=kernel.PATH) for tool in ("unshare", "nft", "ip")),
    reason="unshare, nft and ip are needed to ask the kernel",
)

V4 = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.1.0.1")
V6 = ("fd00::1", "fd00::2", "fd00:1::1")
SERVICES = ((6, 22), (6, 443), (17, 53), (132, 443), (1, 8), (1, 0), (58, 128), (58, 129), (47, 0))
BATCH = Batch.of(
    (parse_address(client), parse_address(server), protocol, port)
    for family in (V4, V6)
    for client, server in itertools.permutations(family, 2)
    for protocol, port in SERVICES
    if protocol not in (1, 58) or (protocol == 1) == (family is V4)
)

ADDRESSES = {
    "ip": st.sampled_from(["10.0.0.1", "10.0.0.0/24", "10.0.0.2-10.0.1.1", "10.0.0.0/8"]),
    "ip6": st.sampled_from(["fd00::1", "fd00::/64", "fd00::2-fd00:1::1", "fd00::/16"]),
}
PORTS = st.sampled_from(["22", "443", "53", "0-52", "443-65535", "100-500"])
PROTOCOLS = st.sampled_from(["tcp", "udp", "sctp", "icmp", "ipv6-icmp", "47", "gre"])
SETS = """
    set four { type ipv4_addr; flags interval; auto-merge; elements = { 10.0.0.0/31, 10.0.1.1 } }
    set six { type ipv6_addr; flags interval
        elements = { fd00::2-fd00::9, fd00:1::/64, }
    }
    set box { typeof ip saddr . ip daddr . meta l4proto . th dport; flags interval
        elements = { 10.0.0.0/24 . 10.0.0.0/16 . tcp . 22-400, 10.1.0.1 . 10.0.0.1 . udp . 53 }
    }
    map services { type inet_proto . inet_service : verdict; flags interval
        elements = { tcp . 443 : accept, udp . 50-60 : jump c1, sctp . 443 : goto c2,
                     tcp . 22 comment "ssh" : return }
    }
    map clients { type ipv4_addr : verdict; flags interval
        elements = { 10.0.0.0/24 : jump c2, 10.1.0.1 : drop, 10.0.1.0-10.0.1.9 : continue }
    }
"""


STATES = ("new", "established,related", "!= established", "{ new, invalid }", "invalid")
STATES += ("!= established,new",)
ICMP = ("icmp type echo-request", "icmp type { echo-reply, 9-12 }", "icmp type != echo-request")
ICMPV6 = ("icmpv6 type 100-128", "icmpv6 type != echo-request")


@st.composite
def endpoints(draw: st.DrawFn, family: str) -> str:
    """A match on addresses of one family."""
    sign = draw(st.sampled_from(["", "", "!= "]))
    field = draw(st.sampled_from(["saddr", "daddr"]))
    plain = f"{family} {field} {sign}{draw(ADDRESSES[family])}"
    named = f"{family} {field} {sign}@{'four' if family == 'ip' else 'six'}"
    return draw(
        st.sampled_from([plain, named, f"meta nfproto {sign}ipv{4 if family == 'ip' else 6}"])
    )


@st.composite
def services(draw: st.DrawFn, family: str) -> str:
    """A match on what an IP packet carries."""
    sign = draw(st.sampled_from(["", "", "!= "]))
    field = draw(st.sampled_from(["tcp dport", "udp dport", "sctp dport", "th dport"]))
    ports = draw(PORTS | st.just("{ 22, 443-500, 53 }"))
    bound = "meta l4proto { tcp, udp, sctp } " if field == "th dport" else ""
    chosen = draw(st.lists(PROTOCOLS, min_size=1, max_size=3, unique=True))
    if "gre" in chosen and "47" in chosen:
        chosen.remove("gre")
    protocol = f"meta l4proto {sign}{{ {', '.join(chosen)} }}"
    messages = draw(st.sampled_from(ICMP if family == "ip" else ICMPV6))
    return draw(st.sampled_from([f"{bound}{field} {sign}{ports}", protocol, messages]))


@st.composite
def rules(draw: st.DrawFn, later: list[str]) -> str:
    """A rule of a chain; it may only jump to later chains, so there is no circle."""
    family = draw(st.sampled_from(["ip", "ip6"]))
    who, what, when = (draw(st.booleans()) for _ in range(3))
    said = [draw(endpoints(family))] if who else []
    said += [draw(services(family))] if what else []
    said += [f"ct state {draw(st.sampled_from(STATES))}"] if when else []
    verdicts = ["accept", "drop", "return", "continue", "counter", "reject with icmpx no-route"]
    verdicts += [f"{kind} {chain}" for chain in later for kind in ("jump", "goto")]
    if "c1" in later and not what:
        verdicts += ["meta l4proto { tcp, udp, sctp } meta l4proto . th dport vmap @services"]
        verdicts += ["tcp dport vmap { 22 : jump c1, 400-500 : goto c2 }"]
    if "c2" in later and family == "ip":
        verdicts += ["ip saddr vmap @clients"]
        if not what:
            verdicts += [
                f"ip saddr . ip daddr . meta l4proto . th dport {sign}@box accept"
                for sign in ("", "!= ")
            ]
            verdicts += ["ip saddr . tcp dport { 10.0.0.1 . 22, 10.0.1.0/24 . 400-500 } drop"]
    if "c2" in later and not when:
        verdicts += ["ct state vmap { new : goto c2, invalid : drop }"]
    return " ".join([*said, draw(st.sampled_from(verdicts))])


@st.composite
def rulesets(draw: st.DrawFn) -> str:
    lines = ["table inet t {", SETS]
    names = ["c2", "c1", "c0"]
    for at, name in enumerate(names):
        body = draw(st.lists(rules(names[:at]), max_size=4))
        lines += [f"chain {name} {{", *body, "}"]
    for number in range(draw(st.integers(1, 2))):
        policy = draw(st.sampled_from(["accept", "drop"]))
        lines.append(f"chain b{number} {{ type filter hook forward priority {number - 1}")
        lines += [f"policy {policy}", "ct state established accept"]
        lines += [*draw(st.lists(rules(names), min_size=1, max_size=6)), "}"]
    return "\n".join([*lines, "}"])


@needs_kernel
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(rulesets())
def test_evaluator_and_kernel_agree_on_any_ruleset(text: str) -> None:
    answer = kernel.ask(text, BATCH, lambda: None)
    assert (answer.unasked, answer.load, answer.trouble) == ("", "", ""), text
    ruleset = read(text)
    ours = nftables.found(ruleset, BATCH)
    shut = (nftables.Fate.DROP, nftables.LEAK, nftables.RELATED_LEAK)
    accepts = ~np.isin(ours.codes, shut)
    sent = np.array([letter != "n" for letter in answer.fates])
    theirs = np.array([letter in "ar" for letter in answer.fates])
    wrong = np.flatnonzero((accepts != theirs) & sent)
    assert not len(wrong), (text, [str(BATCH.at(row)) for row in wrong[:5].tolist()])
    listed = nftables.found(read(answer.listing), BATCH)
    assert (listed.codes == ours.codes).all()


@needs_kernel
@settings(max_examples=24, deadline=None, suppress_health_check=list(HealthCheck))
@given(resolved_policies(), tables())
def test_the_kernel_proves_exported_files(policy: ResolvedPolicy, table: ConversationTable) -> None:
    try:
        rendered = render("nftables", policy, Inventory())
    except UnsupportedPolicy:
        assume(False)
    found = verify("nftables", rendered.files, policy, table, Inventory(), decide)
    assert found.proven, (found.checks, found.mismatches[:3])
    assert {check.state for check in found.checks} == {"passed"}


@needs_kernel
def test_the_kernel_is_left_as_it_was() -> None:
    """Everything happens in a namespace of its own."""
    answer = kernel.ask("table inet zt_test_only {\n}\n", BATCH, lambda: None)
    assert (answer.unasked, answer.load, answer.trouble) == ("", "", "")
    assert "zt_test_only" in answer.listing
    assert set(answer.fates) <= set("an")
    assert "gate:" not in Path("/proc/net/dev").read_text()
    listed = subprocess.run(
        ["nft", "list", "tables"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": kernel.PATH},
    )
    assert "zt_test_only" not in listed.stdout


@needs_kernel
def test_asking_can_be_stopped() -> None:
    class Stopped(Exception):
        pass

    def tick() -> None:
        raise Stopped

    text = "table inet t {\n set s { type ipv4_addr; elements = { "
    text += ", ".join(f"10.{a}.{b}.{c}" for a in range(4) for b in range(200) for c in range(200))
    with pytest.raises(Stopped):
        kernel.ask(text + " }; }\n}\n", BATCH, tick)


@needs_kernel
def test_where_there_is_no_namespace_the_reason_is_said(tmp_path: Path) -> None:
    """As on a system that forbids user namespaces: `unshare` fails."""
    fake = tmp_path / "unshare"
    fake.write_text(
        "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n"
    )
    fake.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "PATH", f"{tmp_path}:{kernel.PATH}")
        answer = kernel.ask("", BATCH, lambda: None)
    assert (
        answer.unasked
        == "no namespace of our own: unshare: unshare failed: Operation not permitted"
    )
