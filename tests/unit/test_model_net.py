"""Addresses, address sets and services."""

import ipaddress
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.model.net import (
    ALL_V4,
    ANY_SERVICE,
    EVERYWHERE,
    ICMP,
    LAST_ADDRESS,
    TCP,
    V4_BASE,
    AddressRange,
    AddressSet,
    ServiceRange,
    format_address,
    merge_services,
    parse_address,
    parse_cidr,
    parse_service,
    service_text,
)

# A small universe, so that ranges touch and overlap all the time.
edges = st.integers(V4_BASE - 3, V4_BASE + 12)
ranges = st.tuples(edges, edges).map(lambda pair: AddressRange(min(pair), max(pair)))
sets = st.lists(ranges, max_size=5).map(AddressSet.of)


@given(sets, sets, edges)
def test_set_algebra_is_membership_algebra(one: AddressSet, two: AddressSet, address: int) -> None:
    inside, also = address in one, address in two
    assert (address in one | two) == (inside or also)
    assert (address in one & two) == (inside and also)
    assert (address in one - two) == (inside and not also)


@given(sets, sets)
def test_sets_are_canonical(one: AddressSet, two: AddressSet) -> None:
    for result in (one | two, one & two, one - two):
        assert result == AddressSet.of(result.ranges)
        pairs = zip(result.ranges, result.ranges[1:], strict=False)
        assert all(left.last + 1 < right.first for left, right in pairs)
    assert (one - two) | (one & two) == one
    assert one.size == sum(address in one for address in range(V4_BASE - 3, V4_BASE + 13))


@given(sets)
def test_cidrs_say_the_same(one: AddressSet) -> None:
    assert AddressSet.of_cidrs(one.cidrs()) == one
    assert one.family(4) | one.family(6) == one
    assert not one.family(4) & one.family(6)


def test_ipv6_prefixes_never_hold_ipv4() -> None:
    everything = AddressSet.of_cidrs(["0.0.0.0/0", "::/0"])
    assert everything == EVERYWHERE
    assert parse_address("10.0.0.1") not in AddressSet.of_cidrs(["::/0"])
    assert AddressSet.of_cidrs(["0.0.0.0/0"]) == ALL_V4


@given(st.integers(0, LAST_ADDRESS) | edges)
def test_addresses_round_trip(address: int) -> None:
    assert parse_address(format_address(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1/8",
        "10.0.0.256",
        "fe80::1%eth0",
        "",
        "10.0.0.0/33",
        "a b",
        "10.0.0.0/-1",
        "::ffff:0:0/96",
        "::ffff:10.0.0.0/104",
    ],
)
def test_bad_networks_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_cidr(text)


def test_scope_ids_are_refused() -> None:
    with pytest.raises(ValueError, match="scope"):
        parse_address("fe80::1%eth0")
    assert format_address(int(ipaddress.ip_address("2001:db8::1"))) == "2001:db8::1"


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("any", ANY_SERVICE),
        ("tcp", ServiceRange(TCP, 0, 65535)),
        ("tcp/443", ServiceRange(TCP, 443, 443)),
        ("udp/2222-2230", ServiceRange(17, 2222, 2230)),
        ("icmp/echo-request", ServiceRange(ICMP, 8, 8)),
        ("icmp", ServiceRange(ICMP, 0, 255)),
        ("icmpv6/echo-request", ServiceRange(58, 128, 128)),
        ("icmpv6/144", ServiceRange(58, 144, 144)),
        ("sctp/38412", ServiceRange(132, 38412, 38412)),
        ("ip/47", ServiceRange(47, 0, 65535)),
    ],
)
def test_services_round_trip(text: str, service: ServiceRange) -> None:
    assert parse_service(text) == service
    assert str(service) == text


@pytest.mark.parametrize(
    "text",
    ["http", "tcp/", "tcp/65536", "tcp/-1", "tcp/9-8", "tcp/1-", "icmp/256", "icmp/no-such",
     "ip/6", "ip/256", "ip/x", "tcp/٣", "TCP/1", "tcp/1 ", "", "tcp/000443"],
)  # fmt: skip
def test_bad_services_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_service(text)


@given(st.integers(0, 255), st.integers(0, 65535))
def test_every_conversation_names_a_service_that_covers_it(protocol: int, port: int) -> None:
    port = port % 256 if protocol in (1, 58) else port if protocol in (6, 17, 132) else 0
    assert parse_service(service_text(protocol, port)).covers(protocol, port)


services = st.builds(
    lambda protocol, first, size: ServiceRange(protocol, first, first + size),
    st.sampled_from([6, 17, 1]),
    st.integers(0, 12),
    st.integers(0, 4),
)


@given(st.lists(services), st.sampled_from([6, 17, 1, 47]), st.integers(0, 20))
def test_merged_services_cover_the_same(many: list[ServiceRange], protocol: int, port: int) -> None:
    merged = merge_services(many)
    assert any(one.covers(protocol, port) for one in many) == any(
        one.covers(protocol, port) for one in merged
    )
    pairs = itertools.pairwise(merged)
    assert all(a.protocol < b.protocol or a.last + 1 < b.first for a, b in pairs)


def test_any_swallows_the_rest() -> None:
    assert merge_services([parse_service("tcp/1"), ANY_SERVICE]) == (ANY_SERVICE,)
