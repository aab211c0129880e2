"""Hypothesis strategies for sites, policies and traffic.

The address universe is small (a few dozen addresses in both families), so that segments, rules and
conversations overlap often. Everything drawn here is valid.
"""

from datetime import date
from typing import Any

import numpy as np
from hypothesis import strategies as st

from workbench.model.net import (
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    SCTP,
    TCP,
    UDP,
    AddressSet,
    parse_address,
)
from workbench.model.policy import (
    ANY,
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    ResolvedPolicy,
    Rule,
    Segment,
    ServiceGroup,
    Side,
)
from workbench.model.site import Host, Inventory, Network, Pod, labels_of
from workbench.model.traffic import (
    CONVERSATION_DTYPES,
    Conversation,
    ConversationTable,
    Direction,
    HostTable,
    Outcome,
)
from workbench.policy import resolve

TODAY = date(2026, 6, 15)
"""The day policies are resolved for."""

INSIDE = tuple(
    parse_address(text)
    for text in (
        *(f"10.0.0.{last}" for last in range(12)),
        *(f"10.0.1.{last}" for last in range(4)),
        *(f"fd00::{last:x}" for last in range(1, 8)),
        "fd00:0:0:1::1",
        "8.8.8.8",
        "2001:db8::8",
    )
)
"""Ordinary hosts."""
SPECIAL = tuple(
    parse_address(text)
    for text in ("224.0.0.1", "255.255.255.255", "127.0.0.1", "169.254.0.9", "ff02::1", "fe80::1")
)
"""Addresses that are no matter for a policy."""
UNIVERSE = INSIDE + SPECIAL

CIDRS = (
    "10.0.0.0/30",
    "10.0.0.4/30",
    "10.0.0.0/29",
    "10.0.0.0/24",
    "10.0.1.0/30",
    "10.0.0.0/8",
    "10.0.0.3",
    "10.0.1.1",
    "0.0.0.0/0",
    "fd00::/126",
    "fd00::4/126",
    "fd00::/64",
    "fd00::/16",
    "fd00::2",
    "::/0",
    "8.8.8.8",
    "224.0.0.0/4",
)
LABELS = {"role": ("web", "app", "db"), "env": ("prod", "test"), "zone": ("a", "b")}
PORTS = (22, 53, 67, 68, 80, 443, 445, 546, 5432, 8080, 40000, 50000, 65535)
"""Ports that rules and traffic share; DHCP's among them."""
ICMP_MESSAGES = (0, 3, 8, 128, 135)
PROTOCOLS = (TCP, UDP, SCTP, ICMP, ICMPV6, 47, 2)
SERVICES = (
    "any",
    "tcp",
    "udp",
    "sctp",
    "icmp",
    "icmpv6",
    "tcp/22",
    "tcp/80",
    "tcp/443",
    "tcp/80-443",
    "tcp/443-8080",
    "tcp/445",
    "tcp/5432",
    "tcp/0-1023",
    "tcp/40000-65535",
    "udp/53",
    "udp/67-68",
    "udp/40000-50000",
    "sctp/80",
    "icmp/echo-request",
    "icmp/3",
    "icmpv6/echo-request",
    "icmpv6/nd-neighbor-solicit",
    "ip/47",
    "ip/2",
)
REASONS = st.text(
    st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")), max_size=20
)
"""Anything printable, quotes, hashes and other scripts included."""


def addresses(special: bool = True) -> st.SearchStrategy[int]:
    """An address of the universe."""
    return st.sampled_from(UNIVERSE if special else INSIDE)


def label_maps() -> st.SearchStrategy[dict[str, str]]:
    """Labels of a host or network."""
    return st.fixed_dictionaries(
        {}, optional={key: st.sampled_from(values) for key, values in LABELS.items()}
    )


@st.composite
def pods(draw: st.DrawFn) -> Pod:
    return Pod(
        draw(st.sampled_from(["shop", "ops"])),
        draw(st.sampled_from(["cart-1", "pay-1"])),
        labels_of(draw(label_maps())),
        labels_of({"team": "x"} if draw(st.booleans()) else {}),
        (("http", TCP, 8080),) if draw(st.booleans()) else (),
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """A few hosts (some with two addresses, some pods) and nested, labelled networks."""
    listed = draw(st.lists(st.sampled_from(INSIDE), unique=True, max_size=10))
    hosts: list[Host] = []
    while listed:
        count = draw(st.integers(1, 2))
        own, listed = tuple(listed[:count]), listed[count:]
        pod = draw(st.none() | pods())
        hosts.append(Host(f"host-{len(hosts)}", own, labels_of(draw(label_maps())), pod))
    chosen = draw(st.lists(st.sampled_from(CIDRS), unique=True, max_size=4))
    networks = [
        Network(f"net-{at}", AddressSet.of_cidrs([cidr]), labels_of(draw(label_maps())))
        for at, cidr in enumerate(chosen)
    ]
    return Inventory(tuple(hosts), tuple(networks))


@st.composite
def segments(draw: st.DrawFn, name: str = "seg") -> Segment:
    """By labels, by addresses, or both; with or without exceptions."""
    kind = draw(st.sampled_from(["match", "cidrs", "both"]))
    match: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cidrs: list[str] = []
    if kind != "cidrs":
        keys = draw(st.lists(st.sampled_from(sorted(LABELS)), unique=True, min_size=1, max_size=2))
        match = tuple(
            (key, tuple(draw(st.lists(st.sampled_from(LABELS[key]), unique=True, min_size=1))))
            for key in keys
        )
    if kind != "match":
        cidrs = draw(st.lists(st.sampled_from(CIDRS), unique=True, min_size=1, max_size=3))
    excepts = draw(st.lists(st.sampled_from(CIDRS), unique=True, max_size=2))
    return Segment(name, match, tuple(cidrs), tuple(excepts))


def places(names: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """`from` or `to`: one to three segments, now and then `any`."""
    return st.lists(st.sampled_from([*names, ANY]), unique=True, min_size=1, max_size=3).map(tuple)


def service_lists(groups: list[str]) -> st.SearchStrategy[tuple[str, ...]]:
    """`services`: literals and group names mixed."""
    return st.lists(st.sampled_from([*groups, *SERVICES]), unique=True, min_size=1, max_size=3).map(
        tuple
    )


@st.composite
def policies(draw: st.DrawFn, max_rules: int = 6, *, dates: bool = True) -> Policy:
    """A valid policy; rules and exclusions may have ended before TODAY, end on it, or later."""
    names = ["web", "app", "db", "office", "internet"][: draw(st.integers(1, 5))]
    groups = ["mail", "ping", "admin"][: draw(st.integers(0, 3))]
    days = st.sampled_from([None, None, date(2020, 1, 1), TODAY, date(2030, 1, 1)])
    expiry = days if dates else st.none()

    def boxes(prefix: str, most: int) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{prefix}-{at}",
                "clients": draw(places(names)),
                "servers": draw(places(names)),
                "services": draw(service_lists(groups)),
            }
            for at in range(draw(st.integers(0, most)))
        ]

    protected = draw(st.lists(st.sampled_from(names), unique=True))
    sides = st.frozensets(st.sampled_from(list(Side)), min_size=1)
    return Policy(
        name="drawn",
        protect=tuple(Protection(name, draw(sides)) for name in protected),
        segments=tuple(draw(segments(name)) for name in names),
        services=tuple(
            ServiceGroup(
                name,
                tuple(
                    draw(st.lists(st.sampled_from(SERVICES), unique=True, min_size=1, max_size=3))
                ),
            )
            for name in groups
        ),
        rules=tuple(
            Rule(**box, reason=draw(REASONS), expires=draw(expiry))
            for box in boxes("rule", max_rules)
        ),
        guardrails=tuple(
            Guardrail(**box, assertion=draw(st.sampled_from(list(Assertion))))
            for box in boxes("guard", 2)
        ),
        exclusions=tuple(
            Exclusion(**box, reason="noise " + draw(REASONS), expires=draw(expiry))
            for box in boxes("skip", 2)
        ),
    )


@st.composite
def resolved_policies(draw: st.DrawFn, max_rules: int = 6) -> ResolvedPolicy:
    """A policy resolved over a drawn inventory, all ordinary hosts seen, on TODAY."""
    return resolve(draw(policies(max_rules)), draw(inventories()), INSIDE, TODAY)


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """Traffic in the universe, sometimes special, sometimes of unknown direction."""
    protocol = draw(st.sampled_from(PROTOCOLS))
    low = high = port = 0
    if protocol in PORT_PROTOCOLS:
        port = draw(st.sampled_from(PORTS))
        low, high = sorted(draw(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS))))
    elif protocol in (ICMP, ICMPV6):
        port = draw(st.sampled_from(ICMP_MESSAGES))
    first = draw(st.integers(0, 10**6))
    flows = draw(st.integers(1, 5))
    return Conversation(
        draw(addresses()),
        draw(addresses()),
        protocol,
        port,
        client_port_low=low,
        client_port_high=high,
        flows=flows,
        packets=flows * draw(st.integers(1, 9)),
        bytes=flows * draw(st.integers(40, 9000)),
        first_us=first,
        last_us=first + draw(st.integers(0, 10**6)),
        outcome=draw(st.sampled_from(list(Outcome))),
        direction=draw(st.sampled_from(list(Direction))),
    )


def table_of(found: list[Conversation]) -> ConversationTable:
    """A table of these conversations: one row a (client, server, protocol, port), sorted."""
    unique = {(item.client, item.server, item.protocol, item.port): item for item in found}
    hosts = HostTable(
        tuple(dict.fromkeys(end for key in unique for end in key[:2])),
        len({end for key in unique for end in key[:2]}),
    )
    rows = sorted(
        unique.values(),
        key=lambda item: (
            item.protocol,
            item.port,
            hosts.index[item.client],
            hosts.index[item.server],
        ),
    )
    columns = {
        name: np.array([getattr(item, name) for item in rows], dtype=kind)
        for name, kind in CONVERSATION_DTYPES.items()
        if name not in ("client", "server")
    }
    for end in ("client", "server"):
        numbers = [hosts.index[getattr(item, end)] for item in rows]
        columns[end] = np.array(numbers, dtype=CONVERSATION_DTYPES[end])
    return ConversationTable(hosts, columns)


def tables(max_size: int = 30) -> st.SearchStrategy[ConversationTable]:
    """A conversation table over the universe."""
    return st.lists(conversations(), max_size=max_size).map(table_of)
