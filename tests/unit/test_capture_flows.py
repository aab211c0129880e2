"""Packets to flows: link types, headers, direction and its evidence, outcome, fragments."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import craft
import craft_layers as layers
import numpy as np
import pytest
from craft import ACK, FIN, RST, SYN, ether, icmp, ipv4, ipv6, tcp, tcp4, udp, udp4

from workbench.capture import layout, read_capture
from workbench.capture.flows import flow_columns, judge_again
from workbench.capture.ports import WELL_KNOWN
from workbench.model.net import ServiceRange, format_address, parse_service, service_text
from workbench.model.traffic import FLOW_DTYPES, CaptureReport, Direction, FlowColumns, Outcome

A, B, C, D = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
A6, B6 = "fd00::1", "fd00::2"


def load(
    tmp_path: Path, packets: Sequence[bytes], link: int = 1, **options: Any
) -> tuple[CaptureReport, list[dict[str, Any]]]:
    """The report, and the flows as words."""
    path = tmp_path / "x.pcap"
    wire = options.pop("wire", None)
    path.write_bytes(craft.pcap(packets, link=link, wire=wire))
    batches: list[FlowColumns] = []
    report = read_capture(path, on_flows=batches.append, **options)
    return report, [flow for batch in batches for flow in words(batch)]


def words(batch: FlowColumns) -> list[dict[str, Any]]:
    assert {name: column.dtype for name, column in batch.items()} == {
        name: np.dtype(kind) for name, kind in FLOW_DTYPES.items()
    }
    flows = []
    for row in range(len(batch["protocol"])):
        flow = {name: int(column[row]) for name, column in batch.items()}
        flow["client"] = format_address(flow["client_hi"] << 64 | flow["client_lo"])
        flow["server"] = format_address(flow["server_hi"] << 64 | flow["server_lo"])
        flow["service"] = service_text(flow["protocol"], flow["server_port"])
        flow["outcome"] = Outcome(flow["outcome"]).text
        flow["direction"] = Direction(flow["direction"]).text
        flows.append(flow)
    return flows


def brief(flows: Sequence[dict[str, Any]]) -> list[str]:
    names = ("service", "outcome", "direction")
    return [
        f"{flow['client']} > {flow['server']} {' '.join(flow[name] for name in names)}"
        for flow in flows
    ]


def ways(flow: dict[str, Any]) -> tuple[int, int]:
    return flow["packets_to_server"], flow["packets_to_client"]


HANDSHAKE = [
    tcp4(A, 40000, B, 445, SYN),
    tcp4(B, 445, A, 40000, SYN | ACK),
    tcp4(A, 40000, B, 445, ACK),
]

IP = ipv4(A, B, 17, udp(40000, 53))
IP6 = ipv6(A6, B6, 17, udp(40000, 53))


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (1, ether(IP)),
        (1, ether(IP, tags=[(0x8100, 42)])),
        (1, ether(IP, tags=[(0x88A8, 42), (0x8100, 7)])),
        (1, ether(IP, tags=[(0x9100, 42), (0x8100, 7), (0x8100, 8)])),
        (1, ether(bytes.fromhex("aaaa030000000800") + IP, kind=len(IP) + 8)),  # SNAP
        (1, ether(bytes.fromhex("1100000100300021") + IP, kind=0x8864)),  # PPPoE
        (1, ether(bytes.fromhex("000640ff000651ff") + IP, kind=0x8847)),  # two MPLS labels
        (1, ether(bytes.fromhex("0000") + ether(IP), kind=0x8903)),  # FabricPath
        (
            1,
            ether(bytes.fromhex("200000000001") + bytes(8) + b"\x08\0" + IP, kind=0x88E5),
        ),  # MACsec
        (101, IP),
        (12, IP),
        (14, IP),
        (228, IP),
        (0, b"\2\0\0\0" + IP),
        (0, b"\0\0\0\2" + IP),
        (108, b"\0\0\0\2" + IP),
        (113, bytes(14) + b"\x08\0" + IP),
        (276, b"\x08\0" + bytes(18) + IP),
        (242, bytes(40) + b"\x08\0\0\0" + IP),
        (9, b"\x00\x21" + IP),
        (9, b"\x21" + IP),
        (50, b"\xff\x03\x00\x21" + IP),
        (239, b"\2\0\0\0" + b"\x08\0\1\0abcd" + b"\x05\0\x0a\0x\0\0\0" + b"\x40\0\x09\0" + IP),
    ],
)
def test_every_link_type_leads_to_the_same_flow(tmp_path: Path, link: int, packet: bytes) -> None:
    report, [flow] = load(tmp_path, [packet], link)
    assert (flow["client"], flow["server"], flow["service"]) == (A, B, "udp/53")
    assert flow["bytes_to_server"] == len(IP)
    assert flow["vlan"] == (42 if packet[14:16] == b"\0\x2a" else 0)
    assert (report.decoded, report.skipped) == (1, {})


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (1, ether(IP6, 0x86DD)),
        (101, IP6),
        (229, IP6),
        (0, b"\x1e\0\0\0" + IP6),
        (0, b"\x0a\0\0\0" + IP6),
        (108, b"\0\0\0\x18" + IP6),
        (113, bytes(14) + b"\x86\xdd" + IP6),
        (276, b"\x86\xdd" + bytes(18) + IP6),
        (9, b"\x00\x57" + IP6),
    ],
)
def test_ipv6_on_every_link_type(tmp_path: Path, link: int, packet: bytes) -> None:
    _, [flow] = load(tmp_path, [packet], link)
    assert (flow["client"], flow["server"], flow["service"]) == (A6, B6, "udp/53")


@pytest.mark.parametrize(
    ("link", "packet", "reason"),
    [
        (1, ether(bytes(28), 0x0806), "ARP"),
        (1, ether(bytes(28), 0x88CC), "LLDP"),
        (1, ether(bytes(28), 0x1234 + 0x8000), "EtherType 0x9234"),
        (1, ether(b"\x42\x42\x03" + bytes(35), 38), "STP"),
        (1, ether(b"\xaa\xaa\x03\0\0\x0c\x20\0" + bytes(30), 38), "SNAP (CDP and the like)"),
        (1, ether(b"\xfe\xfe\x03" + bytes(30), 33), "LLC"),
        (1, ether(b"\x0c" + bytes(30), 0x88E5), "MACsec, encrypted"),
        (1, b"\2" * 13, "cut inside the link header"),
        (1, ether(IP[:19]), "cut inside the IP header"),
        (1, ether(IP[:22]), "cut before the ports"),
        (1, ether(b""), "cut inside the IP header"),
        (1, ether(ipv4(A, B, 17, udp(1, 2), ihl=4)), "broken IP header"),
        (1, ether(ipv4(A, B, 17, udp(1, 2), total=19)), "broken IP header"),
        (1, ether(b"\x95" + IP[1:]), "broken IP header"),
        (1, ether(ipv4(A, B, 6, bytes(12) + b"\x40" + bytes(7))), "broken TCP header"),
        (1, ether(IP, tags=[(0x8100, 1)] * 12), "too many nested headers"),
        (1, ether(ipv6(A6, B6, 59, b""), 0x86DD), "IPv6 without next header"),
        (1, ether(ipv6(A6, B6, 0, craft.extension(0) * 20), 0x86DD), "too many nested headers"),
        (0, b"\7\0\0\0" + IP, "loopback without IP"),
        (9, b"\xc0\x21" + bytes(20), "PPP control"),
        (147, IP, "link type 147 (user 0)"),
        (999, IP, "link type 999"),
    ],
)
def test_what_is_left_out_is_counted_by_reason(
    tmp_path: Path, link: int, packet: bytes, reason: str
) -> None:
    report, flows = load(tmp_path, [packet, packet], link)
    assert flows == []
    assert report.skipped == {reason: 2}
    assert (report.packets, report.decoded) == (2, 0)


def test_ipv4_options_and_lengths(tmp_path: Path) -> None:
    packets = [
        ether(ipv4(A, B, 17, udp(1000, 53), options=b"\1" * 8)),
        ether(ipv4(A, B, 6, tcp(1000, 443, data=b"x" * 70_000), total=0)),  # GSO
        ether(ipv4(A, C, 17, udp(1000, 53), total=9000)),  # the rest was cut off on the way
        ether(ipv4(A, D, 17, udp(1000, 53)) + bytes(18)),  # Ethernet padding
    ]
    _, flows = load(tmp_path, packets)
    assert [flow["bytes_to_server"] for flow in flows] == [41, 70_040, 9000, 33]


def test_packets_that_a_mirror_cut_count_whole(tmp_path: Path) -> None:
    """Switches and packet brokers cut packets, and so do mirrors that send them in a tunnel; to the
    recorder the frames are whole."""
    whole = ipv4(A, B, 6, tcp(1000, 443, ACK, b"x" * 1400))
    whole6 = ipv6(A6, B6, 6, tcp(1000, 443, ACK, b"x" * 1400))
    packets = [ether(whole)[:64], ether(whole6, 0x86DD)[:96]]
    packets += [layers.over_udp(4789, layers.vxlan(packet)) for packet in packets]
    packets += [layers.over_ip(47, layers.erspan(packet)) for packet in packets[:2]]
    _, flows = load(tmp_path, packets)
    assert [flow["bytes_to_server"] for flow in flows] == [3 * len(whole), 3 * len(whole6)]


def test_snap_length_counts_the_bytes_on_the_wire(tmp_path: Path) -> None:
    whole = tcp4(A, 1000, B, 443, ACK, b"x" * 1000)
    report, [flow] = load(tmp_path, [whole[:58]], wire=[len(whole)])
    assert flow["bytes_to_server"] == len(whole) - 14
    assert report.truncated_packets == 1
    _, [short] = load(tmp_path, [whole[:38]], wire=[len(whole)])  # the ports and no more
    assert (short["service"], short["flags_to_server"]) == ("tcp/443", 0)


def test_ipv6_extension_headers(tmp_path: Path) -> None:
    inner = udp(40000, 53)
    chain = craft.extension(43) + craft.extension(60, bytes(14)) + craft.extension(51)
    chain += bytes([44, 4]) + bytes(22)  # AH of 24 bytes
    packet = ipv6(A6, B6, 0, chain + craft.fragment6(17, 0, False, 1) + inner)
    _, [flow] = load(tmp_path, [packet], 101)
    assert flow["service"] == "udp/53"
    _, [jumbo] = load(tmp_path, [ipv6(A6, B6, 17, inner, length=0)], 101)
    assert jumbo["bytes_to_server"] == 40 + len(inner)


def fragments(order: Sequence[int], ident: int = 7) -> list[bytes]:
    data = udp(40000, 53, b"x" * 92)
    cuts = [(0, 40), (40, 80), (80, 100)]
    pieces = [
        ether(ipv4(A, B, 17, data[first:last], ident=ident, offset=first, more=last < 100))
        for first, last in cuts
    ]
    return [pieces[at] for at in order]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1)])
def test_fragments_join_their_flow_in_any_order(tmp_path: Path, order: Sequence[int]) -> None:
    report, flows = load(tmp_path, fragments(order))
    assert brief(flows) == [f"{A} > {B} udp/53 unanswered well-known"]
    assert ways(flows[0]) == (3, 0)
    assert flows[0]["bytes_to_server"] == 100 + 3 * 20
    assert (report.decoded, report.skipped) == (3, {})


def test_fragments_without_their_first_part_are_no_flow(tmp_path: Path) -> None:
    report, flows = load(tmp_path, [*fragments((1, 2), ident=9), *fragments((0,), ident=10)])
    assert len(flows) == 1
    assert report.skipped == {"fragment without its first part": 2}
    assert report.decoded == 1


def test_ipv6_fragments(tmp_path: Path) -> None:
    data = udp(40000, 53, b"x" * 72)
    first = ipv6(A6, B6, 44, craft.fragment6(17, 0, True, 5) + data[:40])
    later = ipv6(A6, B6, 44, craft.fragment6(17, 40, False, 5) + data[40:])
    for packets in ([first, later], [later, first]):
        _, [flow] = load(tmp_path, packets, 101)
        assert (ways(flow), flow["service"]) == ((2, 0), "udp/53")


def test_both_directions_are_one_flow(tmp_path: Path) -> None:
    packets = [
        *HANDSHAKE,
        tcp4(A, 40000, B, 445, ACK | 8, b"data"),
        tcp4(B, 445, A, 40000, FIN | ACK),
    ]
    _, [flow] = load(tmp_path, packets)
    assert brief([flow]) == [f"{A} > {B} tcp/445 established syn"]
    assert (flow["client_port"], ways(flow)) == (40000, (3, 2))
    assert (flow["bytes_to_server"], flow["bytes_to_client"]) == (124, 80)
    assert (flow["flags_to_server"], flow["flags_to_client"]) == (SYN | ACK | 8, SYN | ACK | FIN)
    assert flow["last_us"] - flow["first_us"] == 4000
    assert (flow["first_offset"], flow["last_offset"]) == (24, 24 + 4 * 70 + 4)


TO, BACK = (A, 40000, B, 445), (B, 445, A, 40000)


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        ([(TO, SYN)], "unanswered syn"),
        ([(TO, SYN)] * 3, "unanswered syn"),
        ([(TO, SYN), (BACK, RST | ACK)], "refused syn"),
        ([(TO, SYN), (BACK, RST | ACK), (TO, SYN), (BACK, RST | ACK)], "refused syn"),
        ([(TO, SYN), (BACK, SYN | ACK)], "established syn"),
        ([(TO, SYN), (BACK, SYN | ACK), (TO, RST)], "established syn"),
        ([(TO, SYN), (BACK, ACK)], "established syn"),  # the SYN-ACK was not captured
        ([(BACK, SYN | ACK), (TO, ACK)], "established syn"),  # the SYN was not captured
        ([(BACK, SYN | ACK), (TO, RST)], "mid-stream syn"),
        ([(BACK, SYN | ACK)], "one-way syn"),
        ([(TO, SYN), (TO, ACK)], "one-way syn"),
        ([(TO, SYN), (TO, RST)], "one-way syn"),
        ([(TO, ACK), (BACK, ACK)], "mid-stream well-known"),
        ([(BACK, ACK), (TO, ACK)], "mid-stream well-known"),
        ([(BACK, ACK)], "one-way well-known"),
        ([(BACK, RST)], "one-way well-known"),
        ([(TO, ACK), (BACK, RST)], "mid-stream well-known"),
    ],
)
def test_tcp_outcomes(tmp_path: Path, packets: list[tuple[Any, int]], expected: str) -> None:
    _, flows = load(tmp_path, [tcp4(*ends, flags) for ends, flags in packets])
    assert brief(flows) == [f"{A} > {B} tcp/445 {expected}"]


def test_a_syn_beats_every_port_table(tmp_path: Path) -> None:
    _, flows = load(tmp_path, [tcp4(A, 445, B, 50123, SYN), tcp4(B, 50123, A, 445, SYN | ACK)])
    assert brief(flows) == [f"{A} > {B} tcp/50123 established syn"]


def test_ports_used_again_make_a_new_flow(tmp_path: Path) -> None:
    ended = [*HANDSHAKE, tcp4(A, 40000, B, 445, FIN | ACK), tcp4(B, 445, A, 40000, FIN | ACK)]
    _, flows = load(tmp_path, ended + HANDSHAKE)
    assert [ways(flow) for flow in flows] == [(3, 2), (2, 1)]
    assert [flow["outcome"] for flow in flows] == ["established"] * 2


@pytest.mark.parametrize(
    ("packets", "expected"),
    [
        ([udp4(A, 40000, B, 53)], f"{A} > {B} udp/53 unanswered well-known"),
        ([udp4(B, 53, A, 40000)], f"{A} > {B} udp/53 one-way well-known"),  # an answer
        (
            [udp4(A, 40000, B, 53), udp4(B, 53, A, 40000)],
            f"{A} > {B} udp/53 established well-known",
        ),
        ([udp4(A, 40000, B, 514)], f"{A} > {B} udp/514 one-way well-known"),
        ([udp4(A, 40000, "239.1.1.1", 40001)], f"{A} > 239.1.1.1 udp/40001 one-way first"),
        ([udp4(A, 68, "255.255.255.255", 67)], f"{A} > 255.255.255.255 udp/67 one-way well-known"),
        (
            [ether(ipv4(A, "10.0.0.255", 17, udp(137, 137)), to=0xFF)],
            f"{A} > 10.0.0.255 udp/137 one-way well-known",
        ),
        ([udp4(A, 137, B, 137)], f"{A} > {B} udp/137 unanswered first"),
        ([udp4(B, 8080, A, 53)], f"{B} > {A} udp/53 unanswered well-known"),
        ([tcp4(B, 8080, A, 53)], f"{B} > {A} tcp/53 one-way well-known"),  # the system port wins
        ([udp4(A, 40000, B, 40001)], f"{A} > {B} udp/40001 unanswered first"),
    ],
)
def test_udp_and_port_tables(tmp_path: Path, packets: list[bytes], expected: str) -> None:
    _, flows = load(tmp_path, packets)
    assert brief(flows) == [expected]


def test_hints_beat_port_tables_but_not_syns(tmp_path: Path) -> None:
    hints = [
        ServiceRange(17, 40000, 40000),
        ServiceRange(6, 40000, 40000),
        ServiceRange(17, 0, 65535),
    ]
    packets = [udp4(A, 40000, B, 53), *HANDSHAKE]
    _, flows = load(tmp_path, packets, hints=hints)
    assert brief(flows) == [
        f"{B} > {A} udp/40000 one-way hint",
        f"{A} > {B} tcp/445 established syn",
    ]


def test_degree_finds_a_server_on_an_unlisted_port(tmp_path: Path) -> None:
    calls = [udp4(client, 41000 + at, D, 45678) for at, client in enumerate((A, B, C))]
    answer_first = udp4(D, 45678, "10.0.0.9", 42000)
    _, flows = load(tmp_path, [*calls, answer_first])
    assert brief(flows)[0] == f"{A} > {D} udp/45678 unanswered degree"
    assert brief(flows)[3] == f"10.0.0.9 > {D} udp/45678 one-way degree"


def test_a_syn_elsewhere_proves_the_server(tmp_path: Path) -> None:
    seen = [tcp4(A, 40000, D, 45678, SYN), tcp4(D, 45678, A, 40000, SYN | ACK)]
    _, flows = load(tmp_path, [*seen, tcp4(D, 45678, B, 41000), tcp4(B, 41000, D, 45678)])
    assert brief(flows)[1] == f"{B} > {D} tcp/45678 mid-stream degree"


def test_a_scanner_is_no_server(tmp_path: Path) -> None:
    scan = [udp4(A, 41000, f"10.0.1.{host}", 45678) for host in range(1, 30)]
    _, flows = load(tmp_path, scan)
    assert {flow["client"] for flow in flows} == {A}


def test_icmp_echo_and_its_reply_are_one_flow(tmp_path: Path) -> None:
    ping = ether(ipv4(A, B, 1, icmp(8, ident=77)))
    pong = ether(ipv4(B, A, 1, icmp(0, ident=77)))
    _, flows = load(tmp_path, [ping, pong, ping, ether(ipv4(A, C, 1, icmp(8, ident=8)))])
    assert brief(flows) == [
        f"{A} > {B} icmp/echo-request established syn",
        f"{A} > {C} icmp/echo-request unanswered syn",
    ]
    assert (flows[0]["client_port"], ways(flows[0])) == (77, (2, 1))
    _, only_reply = load(tmp_path, [pong])
    assert brief(only_reply) == [f"{A} > {B} icmp/echo-request one-way syn"]


def test_icmpv6_echo_and_neighbour_discovery(tmp_path: Path) -> None:
    packets = [
        ipv6(A6, B6, 58, icmp(128, ident=5)),
        ipv6(B6, A6, 58, icmp(129, ident=5)),
        ipv6(A6, "ff02::1:ff00:2", 58, icmp(135, data=bytes(16))),
    ]
    _, flows = load(tmp_path, packets, 101)
    assert brief(flows) == [
        f"{A6} > {B6} icmpv6/echo-request established syn",
        f"{A6} > ff02::1:ff00:2 icmpv6/nd-neighbor-solicit one-way syn",
    ]


@pytest.mark.parametrize(
    ("quoted", "flow"),
    [
        (ipv4(A, B, 17, udp(40000, 53)), f"{A} > {B} udp/53 refused well-known"),
        (ipv4(A, B, 6, tcp(40000, 445, SYN)), f"{A} > {B} tcp/445 refused syn"),
        (ipv4(A, B, 1, icmp(8, ident=3)), f"{A} > {B} icmp/echo-request refused syn"),
        (ipv4(A, B, 132, craft.sctp(40000, 36412, 1)), f"{A} > {B} sctp/36412 refused syn"),
    ],
)
def test_icmp_unreachable_refuses_the_flow_it_quotes(
    tmp_path: Path, quoted: bytes, flow: str
) -> None:
    error = ether(ipv4(D, A, 1, icmp(3, 3, data=quoted)))
    _, flows = load(tmp_path, [ether(quoted), error])
    assert brief(flows) == [flow, f"{D} > {A} icmp/destination-unreachable one-way syn"]
    assert [ways(item) for item in flows] == [(1, 0), (1, 0)]
    too_big = ether(ipv4(D, A, 1, icmp(3, 4, data=quoted)))
    _, flows = load(tmp_path, [ether(quoted), too_big])
    assert "unanswered" in brief(flows)[0]
    _, alone = load(tmp_path, [error])
    assert len(alone) == 1


def test_icmpv6_unreachable(tmp_path: Path) -> None:
    quoted = ipv6(A6, B6, 17, udp(40000, 53))
    _, flows = load(tmp_path, [quoted, ipv6(B6, A6, 58, icmp(1, 4, data=quoted))], 101)
    assert brief(flows)[0] == f"{A6} > {B6} udp/53 refused well-known"


def test_an_answered_flow_stays_established(tmp_path: Path) -> None:
    ask, answer = udp4(A, 40000, B, 53), udp4(B, 53, A, 40000)
    gone = ether(ipv4(A, B, 1, icmp(3, 3, data=ipv4(B, A, 17, udp(53, 40000)))))
    _, flows = load(tmp_path, [ask, answer, gone])
    assert brief(flows)[0] == f"{A} > {B} udp/53 established well-known"


def test_sctp(tmp_path: Path) -> None:
    to = ether(ipv4(A, B, 132, craft.sctp(40000, 50001, 1)))
    back = ether(ipv4(B, A, 132, craft.sctp(50001, 40000, 2)))
    abort = ether(ipv4(B, A, 132, craft.sctp(50001, 40000, 6)))
    assert brief(load(tmp_path, [back, to])[1]) == [f"{A} > {B} sctp/50001 established syn"]
    assert brief(load(tmp_path, [to, abort])[1]) == [f"{A} > {B} sctp/50001 refused syn"]
    assert brief(load(tmp_path, [to])[1]) == [f"{A} > {B} sctp/50001 unanswered syn"]


def test_protocols_without_ports(tmp_path: Path) -> None:
    gre = ether(ipv4(A, B, 47, bytes(20)))
    _, flows = load(
        tmp_path, [gre, ether(ipv4(B, A, 47, bytes(20))), ether(ipv4(A, C, 89, bytes(20)))]
    )
    assert brief(flows) == [f"{A} > {B} ip/47 established first", f"{A} > {C} ip/89 one-way first"]


def test_a_host_that_talks_to_itself(tmp_path: Path) -> None:
    _, flows = load(tmp_path, [udp4(A, 53, A, 53), udp4(A, 40000, A, 53), udp4(A, 53, A, 40000)])
    assert [ways(flow) for flow in flows] == [(1, 0), (1, 1)]


def test_memory_is_bounded_and_nothing_is_lost(tmp_path: Path) -> None:
    """More flows than fit: they come in batches, every packet counted exactly once."""
    packets = [udp4(A, port, B, 53) for port in range(2000, 7000) for _ in range(2)]
    packets += [*HANDSHAKE] * 3
    report, flows = load(tmp_path, packets, capacity=256)
    assert sum(sum(ways(flow)) for flow in flows) == len(packets) == report.decoded
    assert report.flows == len(flows)
    assert len({flow["client_port"] for flow in flows if flow["server_port"] == 53}) == 5000
    _, whole = load(tmp_path, packets)
    assert len(whole) == 5001


EXPECTED = """
    tcp/22 tcp/23 tcp/53 udp/53 tcp/80 tcp/88 udp/88 tcp/102 udp/123 tcp/135 tcp/139 udp/161
    tcp/389 tcp/443 udp/443 tcp/445 tcp/502 tcp/636 tcp/1433 tcp/1521 tcp/2049 tcp/2379 tcp/2404
    tcp/3260 tcp/3268 tcp/3306 tcp/3389 tcp/4840 tcp/5432 tcp/5985 tcp/5986 tcp/6379 tcp/6443
    tcp/8080 tcp/8443 tcp/9092 tcp/9100 tcp/9200 tcp/10250 tcp/20000 tcp/27017 tcp/44818
    udp/2222 udp/4789 udp/5353 udp/47808 sctp/36412
"""


@pytest.mark.parametrize("service", EXPECTED.split())
def test_ports_that_an_engineer_expects(service: str) -> None:
    wanted = parse_service(service)
    assert wanted.first in WELL_KNOWN[wanted.protocol]


def test_judging_again_changes_nothing_but_for_new_hints() -> None:
    rng = np.random.default_rng(7)
    rows = rng.integers(0, 1 << 63, (2000, layout.FLOW_WORDS), dtype=np.uint64)
    protocols = rng.choice(np.array([1, 6, 17, 58, 132], np.uint64), len(rows))
    ports = rng.choice(np.array([53, 443, 40_000, 50_123, 9_999], np.uint64), (2, len(rows)))
    rows[:, layout.FLOW_WHO] = protocols << np.uint64(32) | ports[0] << np.uint64(16) | ports[1]
    for hints in ((), (parse_service("udp/40000"),)):
        first = flow_columns(rows, hints)
        again = judge_again(first, hints)
        for name in FLOW_DTYPES:
            assert (first[name] == again[name]).all(), name
    turned = judge_again(flow_columns(rows), hints)
    assert all((turned[name] == first[name]).all() for name in FLOW_DTYPES)


def test_columns_of_nothing() -> None:
    columns = flow_columns(np.zeros((0, layout.FLOW_WORDS), np.uint64))
    assert set(columns) == set(FLOW_DTYPES)
