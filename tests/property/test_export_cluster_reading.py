"""A cluster does with the exported file what decide() says, however it reads ipBlock."""

import ipaddress
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import TODAY

from workbench.export import render
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import PROTOCOL_NAMES, SCTP, TCP, UDP, format_address, parse_address
from workbench.model.policy import Policy, Protection, ResolvedPolicy, Rule, Segment, Side
from workbench.model.site import Host, Inventory, Pod, labels_of
from workbench.model.traffic import Conversation
from workbench.model.verdict import Verdict
from workbench.policy import decide, resolve

OUTSIDE = tuple(map(parse_address, ("10.1.0.1", "10.9.0.9", "8.8.8.8", "2001:db8::8")))
CIDRS = ("10.1.0.0/24", "10.42.0.0/16", "10.0.0.0/8", "fd00:42::/32", "0.0.0.0/0", "::/0")
SERVICES = ("any", "tcp", "udp/53", "tcp/80", "tcp/80-443", "sctp/2905", "tcp/443-65535")
PORTS = (1, 53, 79, 80, 81, 442, 443, 444, 2905, 65535)
SEGMENTS = (
    Segment("web", (("app", ("web",)),)),
    Segment("db", (("app", ("db",)),)),
    Segment("front", (("tier", ("front",)),)),
    Segment("prod", (("app", ("web", "db")), ("tier", ("front", "back")))),
    Segment("vpn", (("role", ("vpn",)),)),
)


@st.composite
def clusters(draw: st.DrawFn) -> Inventory:
    """A few pods in two namespaces, one or two addresses each, and a host outside."""
    hosts = [Host("vpn", OUTSIDE[:1], labels_of({"role": "vpn"}))]
    for number in range(draw(st.integers(1, 6))):
        addresses = [f"10.42.0.{number + 1}"]
        if draw(st.booleans()):
            addresses.append(f"fd00:42::{number + 1:x}")
        labels = draw(
            st.fixed_dictionaries(
                {"app": st.sampled_from(["web", "db", "other"])},
                optional={"tier": st.sampled_from(["front", "back"])},
            )
        )
        own = labels_of(labels)
        pod = Pod(draw(st.sampled_from(["shop", "data"])), f"pod-{number}", own)
        hosts.append(Host(f"pod-{number}", tuple(map(parse_address, addresses)), own, pod))
    return Inventory(tuple(hosts))


@st.composite
def resolved(draw: st.DrawFn) -> tuple[ResolvedPolicy, Inventory]:
    inventory = draw(clusters())
    cidrs = draw(st.lists(st.sampled_from(CIDRS), unique=True, min_size=1, max_size=2))
    excepts = draw(st.lists(st.sampled_from(CIDRS[:4]), unique=True, max_size=2))
    names = [*(segment.name for segment in SEGMENTS), "nets"]
    places = st.lists(st.sampled_from([*names, "any"]), unique=True, min_size=1, max_size=2)
    services = st.lists(st.sampled_from(SERVICES), unique=True, min_size=1, max_size=2)
    protected = draw(st.lists(st.sampled_from(names[:4]), unique=True, min_size=1, max_size=2))
    policy = Policy(
        protect=tuple(
            Protection(name, draw(st.frozensets(st.sampled_from(list(Side)), min_size=1)))
            for name in protected
        ),
        segments=(*SEGMENTS, Segment("nets", cidrs=tuple(cidrs), excepts=tuple(excepts))),
        rules=tuple(
            Rule(f"rule-{n}", tuple(draw(places)), tuple(draw(places)), tuple(draw(services)))
            for n in range(draw(st.integers(0, 4)))
        ),
    )
    return resolve(policy, inventory, OUTSIDE, TODAY), inventory


class ClusterReading:
    """The semantics of NetworkPolicy v1 in a few lines, for one reading of ipBlock."""

    def __init__(self, text: str, inventory: Inventory, blocks_mean_pods: bool) -> None:
        self.policies = list(yaml.safe_load_all(text))
        self.inventory = inventory
        self.blocks_mean_pods = blocks_mean_pods

    def allows(self, client: int, server: int, protocol: int, port: int) -> bool:
        return self._side("Egress", "to", client, server, protocol, port) and self._side(
            "Ingress", "from", server, client, protocol, port
        )

    def _side(self, side: str, key: str, own: int, other: int, protocol: int, port: int) -> bool:
        pod = self.inventory.pod(own)
        isolating = [
            one["spec"]
            for one in self.policies
            if pod
            and one["metadata"]["namespace"] == pod.namespace
            and side in one["spec"]["policyTypes"]
            and picks(one["spec"]["podSelector"], dict(pod.labels))
        ]
        return not isolating or any(
            self._peer(item.get(key), other) and has_port(item.get("ports"), protocol, port)
            for spec in isolating
            for item in spec.get(side.lower(), [])
        )

    def _peer(self, peers: list[dict[str, Any]] | None, other: int) -> bool:
        pod = self.inventory.pod(other)
        for peer in peers or []:
            if "ipBlock" in peer:
                block = peer["ipBlock"]
                holes = (inside(other, hole) for hole in block.get("except", []))
                seen = not pod or self.blocks_mean_pods
                if seen and inside(other, block["cidr"]) and not any(holes):
                    return True
            elif pod and picks(peer["podSelector"], dict(pod.labels)):
                name = {"kubernetes.io/metadata.name": pod.namespace}
                if picks(peer["namespaceSelector"], name):
                    return True
        return not peers


def inside(address: int, cidr: str) -> bool:
    return ipaddress.ip_address(format_address(address)) in ipaddress.ip_network(cidr)


def picks(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return all(labels.get(k) == v for k, v in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def has_port(ports: list[dict[str, Any]] | None, protocol: int, port: int) -> bool:
    name = PROTOCOL_NAMES[protocol].upper()
    return not ports or any(
        one["protocol"] == name
        and one.get("port", 0) <= port <= one.get("endPort", one.get("port", 65535))
        for one in ports
    )


def differences(policy: ResolvedPolicy, inventory: Inventory, text: str) -> list[str]:
    addresses = [*OUTSIDE, *(a for host in inventory.hosts if host.pod for a in host.addresses)]
    readings = [ClusterReading(text, inventory, meaning) for meaning in (True, False)]
    found = []
    for client in addresses:
        for server in addresses:
            same = inventory.by_address.get(client, client) is inventory.by_address.get(server)
            for protocol in (TCP, UDP, SCTP) if not same else ():
                for port in PORTS:
                    what = (client, server, protocol, port)
                    open_ = decide(policy, Conversation(*what)).verdict is not Verdict.BLOCKED
                    if any(reading.allows(*what) is not open_ for reading in readings):
                        found.append(str(Conversation(*what)))
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(resolved())
def test_a_cluster_reads_what_was_meant(drawn: tuple[ResolvedPolicy, Inventory]) -> None:
    policy, inventory = drawn
    try:
        text = render("kubernetes", policy, inventory).files["networkpolicies.yaml"]
    except UnsupportedPolicy as refused:
        assert refused.missing
        return
    assert text == render("kubernetes", policy, inventory).files["networkpolicies.yaml"]
    assert not differences(policy, inventory, text)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("port: 80", "port: 81"), ("app: web", "app: other"), ("- Ingress", "- Egress")],
)
def test_the_reading_notices_a_planted_mistake(right: str, wrong: str) -> None:
    own = labels_of({"app": "web"})
    pods = [
        Host(name, (parse_address(address),), labels, Pod("shop", name, labels))
        for name, address, labels in (
            ("pod-1", "10.42.0.1", own),
            ("pod-2", "10.42.0.2", labels_of({"app": "other"})),
        )
    ]
    inventory = Inventory(tuple(pods))
    policy = Policy(
        protect=(Protection("web"),),
        segments=SEGMENTS[:1],
        rules=(Rule("only", ("any",), ("web",), ("tcp/80",)),),
    )
    box = resolve(policy, inventory, OUTSIDE, TODAY)
    text = render("kubernetes", box, inventory).files["networkpolicies.yaml"]
    assert not differences(box, inventory, text)
    assert right in text
    assert differences(box, inventory, text.replace(right, wrong))
