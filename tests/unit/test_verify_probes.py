"""Boundary probes, batches, and the packets that the gateway probe makes."""

import random
import struct

from workbench.model.net import (
    EVERYWHERE,
    ICMP,
    ICMPV6,
    SCTP,
    TCP,
    UDP,
    AddressSet,
    is_v4,
    parse_address,
    parse_service,
)
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.verify import gateway
from workbench.verify.batch import Batch
from workbench.verify.probes import boundary_probes, edges, service_edges

OFFICE = AddressSet.of_cidrs(["10.1.0.0/24", "fd00:1::/64"])
WEB = AddressSet.of_cidrs(["10.2.0.8/29"])


def _policy(count: int = 1) -> ResolvedPolicy:
    services = (parse_service("tcp/443"), parse_service("icmp/echo-request"))
    rules = tuple(ResolvedRule(f"r{at}", OFFICE, WEB, services) for at in range(count))
    return ResolvedPolicy("p", (("office", OFFICE), ("web", WEB)), WEB, AddressSet(), rules)


def test_every_edge_of_a_rule_is_probed_from_both_sides() -> None:
    probes = boundary_probes(_policy())
    clients = {probe[0] for probe in probes}
    servers = {probe[1] for probe in probes}
    for text in ("10.1.0.0", "10.1.0.255", "10.0.255.255", "10.1.1.0", "fd00:1::", "fd00:0:ff::"):
        assert parse_address(text) in clients or text == "fd00:0:ff::"
    for text in ("10.2.0.8", "10.2.0.15", "10.2.0.7", "10.2.0.16"):
        assert parse_address(text) in servers
    services = {probe[2:] for probe in probes}
    assert {(TCP, 442), (TCP, 443), (TCP, 444), (UDP, 443), (SCTP, 443), (ICMP, 8)} <= services
    assert {(ICMP, 7), (ICMP, 9), (47, 0), (ICMPV6, 128)} <= services


def test_probes_are_repeatable_bounded_and_of_one_family() -> None:
    assert boundary_probes(_policy()) == boundary_probes(_policy())
    few = boundary_probes(_policy(40), limit=500)
    assert 100 < len(few) <= 500
    assert len(set(few)) == len(few)
    for client, server, protocol, _ in boundary_probes(_policy()):
        assert is_v4(client) == is_v4(server)
        assert protocol != ICMP or is_v4(client)
        assert protocol != ICMPV6 or not is_v4(client)


def test_a_rule_without_a_family_is_probed_there_too() -> None:
    inside = parse_address("fd00:1::1")
    assert any(not is_v4(probe[1]) and probe[0] in OFFICE for probe in boundary_probes(_policy()))
    assert inside in OFFICE


def test_whole_families_get_points_that_matter() -> None:
    world = AddressSet.of_cidrs(["0.0.0.0/0"])
    rule = ResolvedRule("r", world, WEB, (parse_service("tcp/443"),))
    policy = ResolvedPolicy("p", (("web", WEB),), WEB, AddressSet(), (rule,))
    batch = Batch.of(boundary_probes(policy))
    batch = batch.take(batch.judgeable())
    hits = [batch.at(row) for row in range(len(batch)) if rule.matches(*batch.key(row))]
    assert len({hit.client for hit in hits}) > 3


def test_edges_stay_inside_the_number_range_and_the_policy() -> None:
    assert edges(EVERYWHERE.ranges, EVERYWHERE) == []  # :: and ff… are no matter for a policy
    some = edges(AddressSet.of_cidrs(["10.0.0.0/8"]).ranges, EVERYWHERE)
    names = ("10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0")
    assert some == [parse_address(name) for name in names]


def test_service_edges_stay_inside_their_range() -> None:
    found = service_edges([parse_service("tcp"), parse_service("icmp"), parse_service("ip/47")])
    assert all(0 <= port <= (255 if kind == ICMP else 65535) for kind, port in found)
    assert (47, 0) in found
    assert (TCP, 0) in found and (TCP, 65535) in found and (UDP, 65535) in found


def test_batches_leave_out_what_is_no_matter_for_a_policy() -> None:
    rows = [
        ("10.0.0.1", "10.0.0.2", TCP, 22),
        ("10.0.0.1", "224.0.0.1", UDP, 5353),
        ("10.0.0.1", "10.0.0.2", UDP, 67),
        ("10.0.0.1", "10.0.0.2", ICMP, 3),
        ("fd00::1", "fd00::2", ICMPV6, 135),
        ("fe80::1", "fd00::2", TCP, 22),
        ("10.0.0.1", "10.0.0.2", ICMPV6, 128),
        ("10.0.0.1", "10.0.0.2", 2, 0),
        ("fd00::1", "fd00::2", ICMPV6, 128),
    ]
    batch = Batch.of((parse_address(a), parse_address(b), *service) for a, b, *service in rows)
    assert batch.judgeable().tolist() == [True] + [False] * 7 + [True]
    assert len(batch.take(batch.judgeable())) == 2
    assert not len(Batch.of([]).take(Batch.of([]).judgeable()))


def _plain_checksum(data: bytes) -> int:
    words = struct.unpack(f"!{len(data) // 2}H", data)
    total = sum(words)
    return (total + (total >> 16)) & 0xFFFF


def test_packets_carry_right_checksums() -> None:
    dice = random.Random(1)
    for size in (4, 16):
        for protocol, port in ((TCP, 443), (UDP, 53), (ICMP, 8), (ICMPV6, 128)):
            ends = dice.randbytes(size), dice.randbytes(size)
            packet = gateway.Packet(*ends, protocol, port, 1234)
            for raw, source in ((packet.first(), ends[0]), (packet.reply(), ends[1])):
                assert raw is not None
                head = 20 if size == 4 else 40
                assert raw[head - 2 * size : head - size] == source
                pseudo = b"" if protocol == ICMP else raw[head - 2 * size : head]
                if pseudo:
                    pseudo += struct.pack("!IHBB", len(raw) - head, 0, 0, protocol)
                assert _plain_checksum(pseudo + raw[head:]) == 0xFFFF
                assert size == 16 or _plain_checksum(raw[:20]) == 0xFFFF


def test_sctp_checksum_is_crc32c() -> None:
    assert gateway.crc32c(b"123456789") == 0xE3069283  # RFC 3720 appendix B.4's polynomial


def test_no_two_flows_of_the_gateway_look_like_replies() -> None:
    rows = [("0a000001", "0a000002", TCP, 20002), ("0a000002", "0a000001", TCP, 20001)]
    rows += [("0a000001", "0a000002", 47, 0), ("0a000002", "0a000001", 47, 0)]
    rows += [("0" * 32, "1" * 32, 44, 0)]
    packets = list(gateway.distinct(rows))
    assert [packet is None for packet in packets] == [False, False, False, True, True]
    first, second = packets[0], packets[1]
    assert first and second
    assert (first.number, second.number) == (20001, 20003)  # 20002 would answer the first
