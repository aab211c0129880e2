"""Who is the client, on what evidence, and what came of it: protocols that break simple rules."""

from collections.abc import Sequence
from pathlib import Path

import craft
import pytest
from craft import ACK, FIN, RST, SYN, ether, icmp, ipv4, ipv6, sctp, tcp4, udp, udp4
from test_capture_flows import brief, load, ways

A, B, C, D, E = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"
ALL, SSDP, MDNS = "255.255.255.255", "239.255.255.250", "224.0.0.251"


def flows(tmp_path: Path, packets: Sequence[bytes]) -> list[str]:
    return brief(load(tmp_path, packets)[1])


def raw(source: str, target: str, protocol: int, data: bytes = bytes(20)) -> bytes:
    return ether(ipv4(source, target, protocol, data))


def talk(a: tuple[str, int], b: tuple[str, int], flags: Sequence[int]) -> list[bytes]:
    """TCP packets from a to b and back in turn; a negative number: from b."""
    return [tcp4(*a, *b, flag) if flag >= 0 else tcp4(*b, *a, -flag) for flag in flags]


def pair(a: tuple[str, int], b: tuple[str, int]) -> list[bytes]:
    """A UDP datagram from a to b, and one back."""
    return [udp4(*a, *b), udp4(*b, *a)]


# TCP.


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([SYN, -(SYN | ACK), RST], "established syn"),  # half-open scan, port open
        ([SYN, -(RST | ACK)], "refused syn"),  # the same, port closed
        ([SYN, SYN, SYN], "unanswered syn"),  # filtered
        ([SYN, -SYN, SYN | ACK, -(SYN | ACK)], "established syn"),  # simultaneous open
        ([SYN, ACK, -(RST | ACK)], "established syn"),  # its SYN-ACK was not captured
        ([SYN, ACK, FIN | ACK], "one-way syn"),  # none of the server's packets were
        ([-(SYN | ACK), -ACK, -(FIN | ACK)], "one-way syn"),  # none of the client's
        ([SYN | FIN, -(RST | ACK)], "refused syn"),  # a scan that tries SYN and FIN at once
        ([SYN | 0xC0, -(SYN | ACK | 0x40), ACK], "established syn"),  # ECN
    ],
)
def test_openings(tmp_path: Path, flags: Sequence[int], expected: str) -> None:
    packets = talk((A, 50000), (B, 51234), flags)
    assert flows(tmp_path, packets) == [f"{A} > {B} tcp/51234 {expected}"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([ACK, -ACK], "mid-stream"),
        ([-ACK, ACK, -ACK], "mid-stream"),  # keep-alives and nothing else
        ([-(FIN | ACK), ACK, FIN | ACK, -ACK], "mid-stream"),  # only the close was captured
        ([-(RST | ACK)], "one-way"),
        ([RST], "one-way"),
        ([ACK, -RST], "mid-stream"),  # ACK scan
        ([FIN, -(RST | ACK)], "mid-stream"),  # FIN scan
        ([0, -(RST | ACK)], "mid-stream"),  # NULL scan
        ([FIN | 8 | 32, -(RST | ACK)], "mid-stream"),  # Xmas scan
    ],
)
def test_the_middle_of_a_connection(tmp_path: Path, flags: Sequence[int], expected: str) -> None:
    """Whoever comes first: a listed port serves, or the one that is no client's port."""
    packets = talk((A, 50000), (B, 445), flags)
    assert flows(tmp_path, packets) == [f"{A} > {B} tcp/445 {expected} well-known"]
    packets = talk((A, 50001), (B, 12345), flags)
    assert flows(tmp_path, packets) == [f"{A} > {B} tcp/12345 {expected} first"]
    packets = talk((A, 2001), (B, 44818), flags)  # EtherNet/IP, from a controller's low port
    assert flows(tmp_path, packets) == [f"{A} > {B} tcp/44818 {expected} well-known"]


def test_a_syn_flood_is_a_flow_a_source(tmp_path: Path) -> None:
    sources = [f"198.51.100.{host}" for host in range(1, 200)]
    packets = [tcp4(source, 1024 + at, B, 80, SYN) for at, source in enumerate(sources)]
    assert flows(tmp_path, packets) == [f"{one} > {B} tcp/80 unanswered syn" for one in sources]


def test_backscatter_comes_from_servers(tmp_path: Path) -> None:
    """A flood elsewhere in our name: its victims' answers."""
    packets = [tcp4(B, 80, A, 6000, SYN | ACK), tcp4(C, 80, A, 40001, RST | ACK)]
    assert flows(tmp_path, packets) == [
        f"{A} > {B} tcp/80 one-way syn",
        f"{A} > {C} tcp/80 one-way well-known",
    ]


def test_ports_used_again(tmp_path: Path) -> None:
    """A second SYN with another number, before any close was seen."""
    once = [tcp4(A, 50000, B, 445, SYN, seq=100), tcp4(B, 445, A, 50000, SYN | ACK, seq=500)]
    again = [tcp4(A, 50000, B, 445, SYN, seq=9000), tcp4(B, 445, A, 50000, RST | ACK)]
    assert flows(tmp_path, once + again) == [
        f"{A} > {B} tcp/445 established syn",
        f"{A} > {B} tcp/445 refused syn",
    ]
    turned = [tcp4(B, 445, A, 50000, SYN, seq=1), tcp4(A, 50000, B, 445, SYN | ACK, seq=2)]
    assert flows(tmp_path, once + turned)[1] == f"{B} > {A} tcp/50000 established syn"


def test_a_syn_that_is_answered_late(tmp_path: Path) -> None:
    """The SYN again, with its number: after a server that forgot nothing, or has just started."""
    before = talk((A, 50000), (B, 445), [SYN, -(SYN | ACK), ACK])
    syn = tcp4(A, 50000, B, 445, SYN, seq=9000)
    for objection in ([-ACK, RST], [-(RST | ACK)], [-ACK]):
        objected = talk((A, 50000), (B, 445), objection)
        answered = [tcp4(B, 445, A, 50000, SYN | ACK, seq=70), tcp4(A, 50000, B, 445, ACK)]
        assert flows(tmp_path, [*before, syn, *objected, syn, *answered]) == [
            f"{A} > {B} tcp/445 established syn",
            f"{A} > {B} tcp/445 established syn",
        ]


@pytest.mark.parametrize("client", [749, 873, 993])
@pytest.mark.parametrize("server", [111, 2049])
def test_clients_with_reserved_ports(tmp_path: Path, client: int, server: int) -> None:
    """NFS clients bind ports below 1024 (RFC 5531), among them many that services have."""
    for flags in ([ACK, -ACK], [-ACK, ACK]):
        assert flows(tmp_path, talk((A, client), (B, server), flags)) == [
            f"{A} > {B} tcp/{server} mid-stream well-known"
        ]


@pytest.mark.parametrize(
    ("client", "server"), [(1433, 445), (3000, 993), (50051, 8080), (1433, 8080)]
)
def test_clients_whose_port_is_listed_too(tmp_path: Path, client: int, server: int) -> None:
    for flags in ([ACK, -ACK], [-ACK, ACK]):
        assert flows(tmp_path, talk((A, client), (B, server), flags)) == [
            f"{A} > {B} tcp/{server} mid-stream well-known"
        ]


def test_two_listed_ports_that_clients_get_too(tmp_path: Path) -> None:
    """An old system's client port against a high listed one: the number of their clients tells."""
    alone = talk((A, 1433), (B, 44818), [ACK, -ACK])
    assert flows(tmp_path, alone) == [f"{B} > {A} tcp/1433 mid-stream first"]
    others = [packet for port in (1500, 1501) for packet in talk((A, port), (B, 44818), [ACK])]
    assert flows(tmp_path, alone + others)[0] == f"{A} > {B} tcp/44818 mid-stream degree"
    others = [packet for port in (50100, 50101) for packet in talk((B, port), (A, 1433), [ACK])]
    assert flows(tmp_path, alone + others)[0] == f"{B} > {A} tcp/1433 mid-stream degree"


def test_ftp_data_comes_from_port_20(tmp_path: Path) -> None:
    """The server of the commands is the client of the data (RFC 959 section 3.2)."""
    opened = talk((B, 20), (A, 50000), [SYN, -(SYN | ACK), ACK])
    assert flows(tmp_path, opened) == [f"{B} > {A} tcp/50000 established syn"]
    for flags in ([ACK, -ACK], [-ACK, ACK]):
        assert flows(tmp_path, talk((B, 20), (A, 50000), flags)) == [
            f"{B} > {A} tcp/50000 mid-stream well-known"
        ]


def test_servers_on_high_ports_show_by_their_clients(tmp_path: Path) -> None:
    """RPC: ports from 49152 at both ends, caught in the middle."""
    packets = [
        packet
        for at, host in enumerate((A, B, C))
        for packet in talk((host, 49700 + at), (D, 49667), [ACK, -ACK])
    ]
    late = talk((D, 49667), (E, 49999), [ACK, -ACK])  # here the server is seen first
    assert flows(tmp_path, packets + late) == [
        *(f"{host} > {D} tcp/49667 mid-stream degree" for host in (A, B, C)),
        f"{E} > {D} tcp/49667 mid-stream degree",
    ]


def test_several_connections_of_one_client_show_the_server(tmp_path: Path) -> None:
    packets = [
        *talk((A, 49700), (D, 49667), [ACK, -ACK]),
        *talk((A, 49701), (D, 49667), [ACK, -ACK]),
        *talk((D, 49667), (A, 49702), [ACK, -ACK]),
    ]
    assert flows(tmp_path, packets) == [f"{A} > {D} tcp/49667 mid-stream degree"] * 3


def test_dns_over_tcp(tmp_path: Path) -> None:
    packets = talk((A, 40000), (B, 53), [SYN, -(SYN | ACK), ACK, -ACK])
    assert flows(tmp_path, packets) == [f"{A} > {B} tcp/53 established syn"]


# UDP.


@pytest.mark.parametrize(
    ("client", "server", "evidence"),
    [
        ((A, 68), (B, 67), "well-known"),  # DHCP, a lease renewed
        ((A, 50000), (B, 443), "well-known"),  # QUIC
        ((A, 1024), (B, 4500), "well-known"),  # IPsec behind address translation
        ((A, 40000), (B, 51820), "well-known"),  # WireGuard
        ((A, 49001), (B, 44818), "well-known"),  # EtherNet/IP
        ((A, 5060), (B, 53), "well-known"),  # from a service's port
        ((A, 9995), (B, 53), "well-known"),
        ((A, 44818), (B, 9999), "first"),  # by chance a client has a listed port
        ((A, 500), (B, 500), "first"),  # IKE: either may begin
        ((A, 4500), (B, 4500), "first"),
        ((A, 51820), (B, 51820), "first"),
        ((A, 123), (B, 123), "first"),  # NTP, symmetric
        ((A, 5060), (B, 5060), "first"),  # SIP
        ((A, 137), (B, 137), "first"),  # NetBIOS names
        ((A, 67), (B, 67), "first"),  # a DHCP relay
        ((A, 16384), (B, 20000 + 1), "first"),  # RTP
    ],
)
def test_datagrams_and_their_answers(
    tmp_path: Path, client: tuple[str, int], server: tuple[str, int], evidence: str
) -> None:
    assert flows(tmp_path, pair(client, server)) == [
        f"{A} > {B} udp/{server[1]} established {evidence}"
    ]
    if evidence == "well-known":  # the order is no matter
        assert flows(tmp_path, pair(client, server)[::-1]) == [
            f"{A} > {B} udp/{server[1]} established well-known"
        ]
        answer = pair(client, server)[1:]
        assert flows(tmp_path, answer) == [f"{A} > {B} udp/{server[1]} one-way well-known"]


@pytest.mark.parametrize(
    ("source", "port"),
    [
        (514, 514),  # syslog
        (40000, 514),
        (161, 162),  # SNMP traps, from where an agent listens
        (40000, 162),
        (138, 138),  # NetBIOS datagrams
        (2055, 2055),  # flow export
        (40000, 9995),
        (50123, 4789),  # VXLAN: the source port is a hash, the way back has another
        (5353, 4789),
        (50123, 6081),  # GENEVE
        (49152, 3784),  # BFD
    ],
)
def test_services_that_do_not_answer(tmp_path: Path, source: int, port: int) -> None:
    payload = bytes(8)
    packet = udp4(A, source, B, port, payload)
    assert flows(tmp_path, [packet, packet]) == [f"{A} > {B} udp/{port} one-way well-known"]


def test_what_is_asked_of_a_group_is_answered_by_hosts(tmp_path: Path) -> None:
    packets = [
        udp4(A, 50000, SSDP, 1900),
        udp4(B, 1900, A, 50000),  # the device from its known port,
        udp4(C, 51111, A, 50000),  # others from any
        udp4(D, 52222, A, 50000),
        udp4(A, 50001, SSDP, 3702),  # WS-Discovery
        udp4(B, 3702, A, 50001),
        udp4(A, 50002, MDNS, 5353),  # mDNS, a legacy query
        udp4(B, 5353, A, 50002),
    ]
    assert flows(tmp_path, packets) == [
        f"{A} > {SSDP} udp/1900 one-way well-known",
        f"{A} > {B} udp/1900 one-way well-known",
        # Who they answer is no server, however many they are: nobody knows.
        f"{C} > {A} udp/50000 unanswered first",
        f"{D} > {A} udp/50000 unanswered first",
        f"{A} > {SSDP} udp/3702 one-way well-known",
        f"{A} > {B} udp/3702 one-way well-known",
        f"{A} > {MDNS} udp/5353 one-way well-known",
        f"{A} > {B} udp/5353 one-way well-known",
    ]


@pytest.mark.parametrize(
    ("source", "group", "port"),
    [
        (67, ALL, 68),  # a DHCP offer
        (1900, SSDP, 40000),
        (53, "224.0.0.99", 5000),
    ],
)
def test_a_group_asks_for_nothing(tmp_path: Path, source: int, group: str, port: int) -> None:
    packet = ether(ipv4(A, group, 17, udp(source, port)), to=0xFF)
    assert flows(tmp_path, [packet]) == [f"{A} > {group} udp/{port} one-way first"]
    subnet = ether(ipv4(A, "10.0.0.255", 17, udp(source, port)), to=0xFF)
    assert flows(tmp_path, [subnet]) == [f"{A} > 10.0.0.255 udp/{port} one-way first"]


@pytest.mark.parametrize(
    ("source", "group", "port"),
    [
        (68, ALL, 67),  # DHCP
        (5353, MDNS, 5353),
        (137, "10.0.0.255", 137),
        (138, "10.0.0.255", 138),
        (520, "224.0.0.9", 520),  # RIP
        (1985, "224.0.0.2", 1985),  # HSRP
        (17500, ALL, 17500),
        (319, "224.0.1.129", 319),  # PTP
    ],
)
def test_services_of_groups(tmp_path: Path, source: int, group: str, port: int) -> None:
    packet = ether(ipv4(A, group, 17, udp(source, port)), to=0xFF)
    [flow] = flows(tmp_path, [packet, packet])
    evidence = "first" if port == 17500 else "well-known"
    assert flow == f"{A} > {group} udp/{port} one-way {evidence}"


def test_dhcpv6_answers(tmp_path: Path) -> None:
    ask = ether(ipv6("fe80::1", "ff02::1:2", 17, udp(546, 547)), 0x86DD, to=0x33)
    answer = ether(ipv6("fe80::2", "fe80::1", 17, udp(547, 546)), 0x86DD)
    assert flows(tmp_path, [ask, answer]) == [
        "fe80::1 > ff02::1:2 udp/547 one-way well-known",
        "fe80::1 > fe80::2 udp/547 one-way well-known",
    ]


def test_a_scan_from_one_port_makes_no_server(tmp_path: Path) -> None:
    """Ports of one host, and hosts on one port; unreachables say which are closed."""
    probes = [udp4(A, 45000, B, port) for port in range(33434, 33464)]
    probes += [udp4(A, 45001, f"10.0.1.{host}", 33434) for host in range(1, 30)]
    closed = ether(ipv4(B, A, 1, icmp(3, 3, data=ipv4(A, B, 17, udp(45000, 33434)))))
    found = flows(tmp_path, [*probes, closed])
    assert found[0] == f"{A} > {B} udp/33434 refused first"
    assert all(flow.startswith(f"{A} > ") for flow in found[:-1])
    assert found[-1] == f"{B} > {A} icmp/destination-unreachable one-way syn"


# SCTP, ICMP and protocols without ports.


def test_sctp(tmp_path: Path) -> None:
    data, init, ack = (0, 1, 2)
    to = [raw(A, B, 132, sctp(50000, 60000, chunk)) for chunk in (init, data)]
    back = [raw(B, A, 132, sctp(60000, 50000, chunk)) for chunk in (ack, data)]
    assert flows(tmp_path, [back[0], to[1]]) == [f"{A} > {B} sctp/60000 established syn"]
    assert flows(tmp_path, [back[1], to[1]]) == [f"{B} > {A} sctp/50000 established first"]
    listed = raw(B, A, 132, sctp(36412, 50000, data))
    assert flows(tmp_path, [listed]) == [f"{A} > {B} sctp/36412 one-way well-known"]


@pytest.mark.parametrize(
    ("protocol", "target"),
    [(112, "224.0.0.18"), (89, "224.0.0.5"), (103, "224.0.0.13"), (2, "224.0.0.22")],
)
def test_routers_among_themselves(tmp_path: Path, protocol: int, target: str) -> None:
    """VRRP, OSPF, PIM, IGMP to their groups."""
    assert flows(tmp_path, [raw(A, target, protocol)]) == [
        f"{A} > {target} ip/{protocol} one-way first"
    ]
    [both] = flows(tmp_path, [raw(A, B, protocol), raw(B, A, protocol)])
    assert both == f"{A} > {B} ip/{protocol} established first"


def test_icmp_queries_and_errors(tmp_path: Path) -> None:
    """Time exceeded on the way (traceroute) leaves the flow unanswered."""
    probe = ipv4(A, B, 17, udp(45000, 33434))
    packets = [
        ether(probe),
        ether(ipv4(C, A, 1, icmp(11, 0, data=probe))),
        ether(ipv4(A, B, 1, icmp(13, ident=5))),
        ether(ipv4(B, A, 1, icmp(14, ident=5))),
    ]
    assert flows(tmp_path, packets) == [
        f"{A} > {B} udp/33434 unanswered first",
        f"{C} > {A} icmp/time-exceeded one-way syn",
        f"{A} > {B} icmp/timestamp-request established syn",
    ]


def test_vxlan_whose_inside_is_no_ip_counts_outside(tmp_path: Path) -> None:
    arp = craft.ether(bytes(28), 0x0806)
    head = bytes.fromhex("0800000000007b00")
    to, back = udp4(A, 50123, B, 4789, head + arp), udp4(B, 50124, A, 4789, head + arp)
    _, found = load(tmp_path, [to, back, to])
    assert brief(found) == [
        f"{A} > {B} udp/4789 one-way well-known",
        f"{B} > {A} udp/4789 one-way well-known",
    ]
    assert [ways(flow) for flow in found] == [(2, 0), (1, 0)]
