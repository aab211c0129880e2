"""Link types and tunnels by hand: where the flow is found, what is left out, who carried it."""

import shutil
import struct
import subprocess
from pathlib import Path

import craft
import craft_layers as layers
import numpy as np
import pytest
from craft import SYN, ether, icmp, ipv4, ipv6, pcap, tcp, udp

from workbench.capture import layout
from workbench.capture.decoding import MAX_TUNNELS, PacketDecoder
from workbench.capture.fragments import Fragments
from workbench.capture.links import ethertype_name, unknown_link
from workbench.model.net import format_address

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
OUT, TO = "192.0.2.1", "192.0.2.2"
IP = ipv4(A, B, 6, tcp(40000, 445, SYN))
IP6 = ipv6(A6, B6, 17, udp(40000, 53))
FLOW = f"6 {A}:40000 {B}:445"
FLOW6 = f"17 {A6}:40000 {B6}:53"
FRAME = ether(IP)
TAGGED = ether(IP, tags=[(0x8100, 7)])
WIFI_QOS = layers.wifi(IP, control=0x88)
SWAPPED = b"\1\x88" + WIFI_QOS[2:22] + b"\1\x10" + WIFI_QOS[24:]
"""Frame control and number 17 as CAPWAP of some access points has them."""
MESH = layers.wifi(IP, control=0x88, flags=3)
BEFORE = (b"", b"\x12\x34\x56\x78", bytes(8), bytes(12))
"""What may lie between an L2TP session and its frame: a cookie, a sublayer, both."""
PREAMBLE = b"\x55" * 7 + b"\xd5"
SNAP_IP = layers.SNAP + b"\x08\0" + IP


class Decoded:
    """Packets as decoding and fragments leave them."""

    def __init__(self, packets: list[bytes], link: int = 1, wire: int = 0) -> None:
        buffer = np.frombuffer(b"".join(packets) + bytes(128), np.uint8).copy().data
        records = np.zeros((len(packets), layout.RECORD_WORDS), np.uint64)
        start = 0
        for row, packet in enumerate(packets):
            records[row, :6] = (start, len(packet), wire or len(packet), row, link, start)
            start += len(packet)
        out = np.zeros((2 * len(packets), layout.PACKET_WORDS), np.uint64)
        decoder, fragments = PacketDecoder(), Fragments()
        made = decoder.decode(buffer, records.data, len(packets), out.data)
        fragments.join(out.data, made)
        self.lost = int(fragments.lost)
        self.rows = [row for row in out[:made].tolist() if row[layout.PKT_PACKETS]]
        self.quoted = [flow(row) for row in out[:made].tolist() if row[5] & layout.QUOTED]
        self.flows = [flow(row) for row in self.rows]
        codes = {int(code): int(decoder.skips[code]) for code in np.flatnonzero(decoder.skips)}
        self.skipped = {
            layout.REASONS.get(code, ethertype_name(code)): codes[code] for code in codes
        }
        for code in np.flatnonzero(decoder.unknown_links):
            self.skipped[unknown_link(int(code))] = self.skipped.pop("EtherType 0x0002")
        self.tunnels = [
            f"{layout.TUNNELS[row[4] >> 32]} {row[4] & 0xFFFFFFFF}"
            for row in np.asarray(decoder.underlay.tunnels)[: decoder.underlay.used].tolist()
        ]

    def words(self, word: int, shift: int = 0, mask: int = (1 << 64) - 1) -> list[int]:
        return [row[word] >> shift & mask for row in self.rows]


def flow(row: list[int]) -> str:
    who = row[layout.PKT_WHO]
    a, b = (format_address(row[end] << 64 | row[end + 1]) for end in (0, 2))
    return f"{who >> 32} {a}:{who >> 16 & 0xFFFF} {b}:{who & 0xFFFF}"


@pytest.mark.parametrize(
    ("link", "packet"),
    [
        (12, IP),
        (14, IP),
        (51, b"\x11\0\0\1\0\x40\0\x21" + IP),
        (50, b"\x8f\0\x08\0" + IP),
        (204, b"\0\xff\x03\0\x21" + IP),
        (9, b"\xff\x03\x02\x81" + layers.mpls(IP, 16)),
        (9, b"\xff\x03\0\x3d\xc0\0\0\1\0\x21" + IP),
        (51, b"\x11\0\0\1\0\x40\0\x3d\xc0\0\0\1\x21" + IP),
        (10, bytes(13) + SNAP_IP),
        (100, SNAP_IP),
        (100, b"\6\6\3" + IP),
        (100, b"\xaa\xaa\3\0\x80\xc2\0\7\0\0" + FRAME),
        (100, b"\xfe\xfe\3\xcf\0\x21" + IP),
        (123, b"\2\0\0\5\xaa\xaa\3\0\x80\xc2\0\1\0\0" + FRAME),
        (104, b"\x0f\0\x08\0" + IP),
        (205, b"\1\x0f\0\x08\0" + IP),
        (107, b"\x18\x41\3\xcc" + IP),
        (107, b"\x18\x40\x40\x41\3\0\xcc" + IP),
        (107, b"\x18\x41\x08\0" + IP),
        (107, b"\x18\x41\3\0\x80\0\0\0\x08\0" + IP),
        (107, b"\x18\x41\3\0\x80\0\x80\xc2\0\7" + FRAME),
        (206, b"\1\x18\x41\3\xcc" + IP),
        (105, layers.wifi(IP)),
        (105, layers.wifi(IP, flags=0)),
        (105, layers.wifi(IP, flags=3)),
        (105, WIFI_QOS),
        (105, layers.wifi(IP, control=0x88, flags=0x81)),
        (105, layers.wifi(IP, control=0x88, flags=3, amsdu=True)),
        (105, layers.wifi(IP).replace(layers.SNAP, bytes.fromhex("aaaa030000f8"))),  # 802.1H
        (105, MESH[:31] + b"\1" + bytes([0, 31]) + bytes(4) + MESH[32:]),
        (105, MESH[:31] + b"\1" + bytes([1, 31]) + bytes(10) + MESH[32:]),
        (105, MESH[:31] + b"\1" + MESH[32:]),  # the same bit says something else elsewhere
        (127, layers.radiotap(layers.wifi(IP))),
        (127, layers.radiotap(WIFI_QOS, flags=0x10, stamp=True)),
        (127, layers.radiotap(WIFI_QOS[:26] + bytes(2) + WIFI_QOS[26:], flags=0x20)),
        (119, layers.prism(WIFI_QOS)),
        (119, layers.avs(WIFI_QOS)),
        (163, layers.avs(WIFI_QOS)),
        (109, b"\2\0\0\0" + bytes(8) + IP),
        (117, b"\x3d\2" + bytes(62) + IP),
        (138, bytes(16) + b"\x08\0" + IP),
        (6, bytes(14) + SNAP_IP),
        (6, bytes(8) + b"\x80" + bytes(5) + b"\x06\x30\1\2\3\4" + SNAP_IP),
        (122, bytes(16) + SNAP_IP),
        (123, b"\2\0\0\5" + SNAP_IP),
        (167, layers.juniper(FRAME)),
        (259, bytes(8) + FRAME),
        (178, layers.juniper(FRAME)),
        (178, layers.juniper(FRAME, 1)),
        (178, layers.juniper(bytes(4) + IP, 3)),
        (179, layers.juniper(b"\xff\x03\0\x21" + IP)),
        (180, layers.juniper(b"\x18\x41\3\xcc" + IP)),
        (181, layers.juniper(b"\x0f\0\x08\0" + IP)),
        (219, layers.mpls(IP, 16, 17)),
        (219, layers.mpls(FRAME, 16)),
        (219, layers.mpls(bytes(4) + FRAME, 16)),
        (226, bytes(24) + IP),
        (239, layers.nflog(IP)),
        (239, layers.nflog(IP, order=">")),
        (240, bytes(4) + FRAME),
        (242, bytes(40) + b"\x08\0\0\0" + IP),
        (258, layers.pktap(FRAME)),
        (258, layers.pktap(IP, 12)),
        (258, layers.pktap(WIFI_QOS, 105)),
        (149, layers.pktap(FRAME)),
        (0, b"\0\0\0\2" + IP),
        (0, b"\0\0\x08\0" + IP),
        (0, b"\0\x08\0\0" + IP),
        (0, b"\xff\x03\0\x21" + IP),
        (107, b"\x18\x41\3\xcf\0\x21" + IP),
        (113, layers.cooked(layers.radiotap(WIFI_QOS), 803)),
        (113, layers.cooked(layers.prism(WIFI_QOS), 802)),
        (113, layers.cooked(WIFI_QOS, 801)),
        (113, layers.cooked(b"\x18\x41\3\xcc" + IP, 770)),
        (276, layers.cooked(layers.radiotap(WIFI_QOS), 803, version=2)),
        (192, layers.per_packet(WIFI_QOS, 105)),
        (192, layers.per_packet(layers.radiotap(WIFI_QOS), 127, bytes(24))),
        (192, layers.per_packet(IP, 12)),
        (197, layers.erf(2, b"\0\0" + FRAME)),
        (197, layers.erf(16, b"\0\0" + FRAME, more=2)),
        (197, layers.erf(1, b"\xff\x03\0\x21" + IP)),
        (197, layers.erf(1, b"\x0f\0\x08\0" + IP, more=1)),
        (197, layers.erf(22, IP)),
        (219, layers.mpls(ether(IP, to=0x4C), 16)),
        (219, layers.mpls(ether(IP, to=0x60), 16)),
        (219, layers.mpls(bytes(4) + ether(IP, to=0x48), 16)),
        (241, bytes(4) + PREAMBLE + FRAME),
        (274, PREAMBLE + FRAME),
        (281, FRAME[:12] + bytes(4) + FRAME[12:]),
        (284, FRAME[:12] + b"\xc0\x28\0\1" + FRAME[12:]),
        (285, ether(bytes(2) + b"\xc0\x28\0\1\x08\0" + IP, 0xDADA)),
        (282, bytes(4) + FRAME),
        (1, ether(b"\x10\x01\0\0\0\1\x08\0" + IP, 0x88E5)[:14] + bytes(6) + b"\x08\0" + IP),
        (1, ether(bytes(14) + b"\x08\0" + IP, 0x8903)),
        (1, ether(b"\1\1\0\1\0\5\x08\0" + IP, 0x8909)),
        (1, ether(bytes(4) + b"\x08\0" + IP, 0x8926)),
        (1, ether(bytes(6) + b"\x08\0" + IP, 0x893F)),
        (1, ether(bytes(4) + FRAME, 0x88E7, tags=[(0x88A8, 7)])),
        (1, ether(b"\x10\x2e\0\7\x08\0" + IP, 0x892F)),
        (1, ether(b"\x10\x2e\0\7\x81\0\0\5\x08\0" + IP, 0x892F)),
        (1, ether(b"\0\1\0\x10" + bytes(8) + b"\x08\0" + IP, 0xD28B)),
        (1, ether(b"\0\1\1\x20" + bytes(6) + b"\x08\0" + IP, 0xD28B)),
        (1, ether(b"\0\3\0\1\0\2" + FRAME, 0x22F3)),
        (1, ether(b"\0\x43\0\1\0\2" + bytes(4) + FRAME, 0x22F3)),
        (1, layers.isl(FRAME)),
        (1, ether(b"\0\0\0\1\x08\0" + IP, 0xF1C1, tags=[(0x8100, 7)])),
        (1, ether(SNAP_IP, 0x8870)),
        (1, ether(SNAP_IP.replace(layers.SNAP, bytes.fromhex("aaaa030000f8")), len(SNAP_IP))),
        (1, ether(layers.nsh(1, IP), 0x894F)),
        (1, ether(layers.nsh(3, FRAME), 0x894F)),
        (1, ether(layers.nsh(4, layers.nsh(5, layers.mpls(IP, 9))), 0x894F)),
        (1, ether(SNAP_IP, len(SNAP_IP))),
    ],
)
def test_ip_is_found_on_every_link_type(link: int, packet: bytes) -> None:
    decoded = Decoded([packet], link)
    assert (decoded.flows, decoded.skipped) == ([FLOW], {})
    assert decoded.words(layout.PKT_BYTES) == [len(IP)]
    assert decoded.words(layout.PKT_PATH) == [64 << 32 | 1]


def test_cooked_captures_leave_inner_tags_before_the_packet() -> None:
    """As Linux 6.18 and tcpdump record double-tagged frames that came in, on the device "any"."""
    inner = b"\0\7\x08\0" + IP
    frames = [
        (113, layers.cooked(b"\0\x64\x08\0" + inner, 1, 0x88A8), 100),
        (113, layers.cooked(b"\0\x64\x08\0\0\6\x81\0" + inner, 1, 0x8100), 100),
        (113, layers.cooked(inner, 1, 0x0800), 7),
        (276, layers.cooked(inner, 1, 0x0800, version=2), 7),
        (276, layers.cooked(b"\x60\7\x08\0" + IP, 1, 0x0800, version=2), 7),
    ]
    for link, packet, vlan in frames:
        decoded = Decoded([packet], link)
        assert decoded.flows == [FLOW]
        assert decoded.words(layout.PKT_MARKS, layout.VLAN_SHIFT, 0xFFF) == [vlan]
    inner = b"\x40\7\x86\xdd" + IP6
    assert Decoded([layers.cooked(inner, 1, 0x86DD, version=2)], 276).flows == [FLOW6]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("packet", "what"), [(IP, FLOW), (IP6, FLOW6)])
def test_netfilter_logs_name_the_vlan_of_a_bridge(order: str, packet: bytes, what: str) -> None:
    """As Linux' nfulnl_put_bridge writes it: identifier, then protocol; or the other way round."""
    vlan, protocol = struct.pack(">HH", 0x2007, 0), b"\x81\0\0\0"
    for parts in [(2, vlan), (1, protocol)], [(1, protocol), (2, vlan)]:
        decoded = Decoded([layers.nflog(packet, order, vlan=parts)], 239)
        assert decoded.flows == [what]
        assert decoded.words(layout.PKT_MARKS, layout.VLAN_SHIFT, 0xFFF) == [7]


def test_every_system_has_its_own_number_for_ipv6() -> None:
    families = (10, 23, 24, 26, 28, 30)
    packets = [bytes([*order]) + IP6 for n in families for order in ([n, 0, 0, 0], [0, 0, 0, n])]
    packets.append(b"\0\0\x86\xdd" + IP6)
    assert Decoded(packets, 0).flows == [FLOW6] * len(packets)


@pytest.mark.parametrize(
    ("link", "packet", "reason"),
    [
        (105, layers.wifi(IP, flags=0x41), "802.11, encrypted"),
        (105, b"\x80\0" + bytes(40), "802.11 management"),
        (105, b"\xd4\0" + bytes(8), "802.11 control"),
        (105, b"\x48\1" + bytes(22), "802.11 without data"),
        (105, layers.wifi(IP, fragment=1), "802.11, later fragment"),
        (105, layers.wifi(bytes(40), kind=0x888E), "EAPOL"),
        (105, layers.wifi(IP)[:30], "cut inside the link header"),
        (127, b"\0\0\4\0" + bytes(40), "cut inside the link header"),
        (107, b"\x18\x41\3\x08" + bytes(20), "frame relay without IP"),
        (104, b"\x0f\0\x80\x35" + bytes(20), "RARP"),
        (239, layers.nflog(b"\0\1\x08\0" + bytes(24), kind=0x0806), "ARP"),
        (113, layers.cooked(bytes(20), 824, 4), "link type 253 (netlink)"),
        (276, layers.cooked(bytes(20), 824, 16, version=2), "link type 253 (netlink)"),
        (113, layers.cooked(bytes(16), 280, 12), "link type 227 (CAN)"),
        (178, b"XYZ" + bytes(40), "link type 178 (Juniper Ethernet)"),
        (149, bytes(120), "link type 149 (user 2)"),
        (143, bytes(60), "link type 143 (DOCSIS)"),
        (0, b"\0\0\x08\6" + bytes(28), "ARP"),
        (1, ether(b"\0\2\0\x10" + bytes(60), 0xD28B), "Arista"),
        (192, b"\1" + layers.per_packet(IP, 12)[1:], "link type 192 (per-packet information)"),
        (197, layers.erf(5, FRAME), "link type 197 (Endace ERF)"),
        (197, layers.erf(2, b"", more=1), "cut inside the link header"),
        (258, layers.pktap(b""), "cut inside the link header"),
        (226, bytes(20), "cut inside the link header"),
        (9, b"\0\x3d\xc0\0\0\1", "cut inside the link header"),
        (9, b"\0\x3d\x80\0\0\1\0\x21" + IP, "PPP control"),  # begins, and does not end
        (9, b"\0\x3d\xc0\0\0\1" * 20 + b"\0\x21" + IP, "PPP control"),
        (100, b"\xaa\xaa\3\0\x80\xc2\0\x0e" + bytes(40), "SNAP (CDP and the like)"),
        (219, layers.mpls(b"\x10" + bytes(40), 5), "MPLS without IP"),
        (219, struct.pack(">I", 5 << 12) * 20, "too many nested headers"),
        (1, ether(layers.nsh(9, bytes(20)), 0x894F), "NSH without IP"),
    ],
)
def test_what_is_left_out_is_counted_by_reason(link: int, packet: bytes, reason: str) -> None:
    decoded = Decoded([packet], link)
    assert (decoded.flows, decoded.skipped) == ([], {reason: 1})


LOCAL = ipv6("fe80::1", "fe80::2", 17, udp(40000, 53))
TEREDO = ipv6("2001:0:4136:e378:8000:63bf:3fff:fdd2", B6, 17, udp(40000, 53))
TUNNELS = [
    (layers.over_ip(4, IP), "IP in IP 0"),
    (layers.over_ip(47, layers.gre(0x0800, IP)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x0800, IP, key=42, sequence=True)), "GRE 42"),
    (layers.over_ip(47, b"\x80\0\x08\0" + bytes(4) + IP), "GRE 0"),
    (layers.over_ip(47, b"\x40\0\x08\0" + bytes(4) + b"\0\2\0\4abcd" + bytes(4) + IP), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x6558, FRAME)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x8847, layers.mpls(IP, 5))), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x880B, b"\0\x21" + IP)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x883E, bytes(4) + IP)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x6559, b"\x18\x41\3\xcc" + IP)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x894F, layers.nsh(1, IP))), "GRE 0"),
    (layers.over_ip(47, layers.pptp(b"\xff\x03\0\x21" + IP)), "PPTP 8"),
    (layers.over_ip(47, layers.erspan(FRAME, version=1)), "ERSPAN 0"),
    (layers.over_ip(47, layers.erspan(FRAME, 5)), "ERSPAN 5"),
    (layers.over_ip(47, layers.erspan(FRAME, 6, version=3)), "ERSPAN 6"),
    (
        layers.over_ip(47, layers.gre(0x22EB, layers.erspan(FRAME, 6)[8:], sequence=True)),
        "ERSPAN 6",
    ),
    (layers.over_ip(47, b"\x20\1\x64\0\0\x50\x2a\0" + FRAME), "GRE 42"),
    (layers.over_ip(47, layers.gre(0x8200, WIFI_QOS)), "GRE 0"),
    (layers.over_ip(47, layers.gre(0x9000, layers.wifi(IP))), "GRE 0"),
    (layers.over_udp(4754, layers.gre(0x0800, IP, key=42)), "GRE 42"),
    (layers.over_ip(97, b"\x30\0" + FRAME), "Ethernet in IP 0"),
    (layers.over_ip(137, layers.mpls(IP, 5)), "MPLS in IP 0"),
    (layers.over_udp(6635, layers.mpls(IP, 5)), "MPLS in IP 0"),
    (layers.over_udp(4789, layers.vxlan(FRAME)), "VXLAN 77"),
    (layers.over_udp(8472, layers.vxlan(FRAME)), "VXLAN 77"),
    (layers.over_udp(4789, b"\x88\0\0\5" + layers.vxlan(FRAME)[4:]), "VXLAN 77"),
    (layers.over_udp(4789, b"\x88\x48\0\5" + layers.vxlan(FRAME)[4:]), "VXLAN 77"),
    (
        layers.over_udp(4789, b"\x68\xff\1\2" + layers.vxlan(FRAME)[4:7] + b"\xff" + FRAME),
        "VXLAN 77",
    ),
    (
        layers.over_udp(48879, b"\xc8\x80\x40\1" + layers.vxlan(FRAME)[4:7] + b"\x80" + FRAME),
        "VXLAN 77",
    ),
    (layers.over_udp(4790, layers.vxlan_gpe(1, IP)), "VXLAN-GPE 77"),
    (layers.over_udp(4790, layers.vxlan_gpe(3, FRAME)), "VXLAN-GPE 77"),
    (layers.over_udp(4790, layers.vxlan_gpe(4, layers.nsh(1, IP))), "VXLAN-GPE 77"),
    (layers.over_udp(6081, layers.geneve(0x6558, FRAME, options=bytes(8))), "GENEVE 77"),
    (layers.over_udp(6081, layers.geneve(0x0800, IP)), "GENEVE 77"),
    (layers.over_udp(6081, b"\0\x3f" + layers.geneve(0x0800, IP)[2:7] + b"\1" + IP), "GENEVE 77"),
    (layers.over_udp(2152, layers.gtp(IP)), "GTP-U 9"),
    (layers.over_udp(2152, layers.gtp(IP, extensions=b"\1\0\0\xc0\1\0\0\0")), "GTP-U 9"),
    (layers.over_udp(1701, layers.l2tp(b"\xff\x03\0\x21" + IP)), f"L2TP {3 << 16 | 4}"),
    *((layers.over_ip(115, layers.l2tp3(FRAME, cookie=before)), "L2TP 65537") for before in BEFORE),
    (layers.over_udp(1701, layers.l2tp3(FRAME, over_udp=True, cookie=bytes(4))), "L2TP 65537"),
    (layers.over_udp(1701, layers.l2tp3(b"\xff\x03\0\x21" + IP, over_udp=True)), "L2TP 65537"),
    (layers.over_ip(115, layers.l2tp3(b"\x21" + IP, cookie=bytes(8))), "L2TP 65537"),
    (layers.over_udp(5555, IP), "FOU 0"),
    (layers.over_udp(5555, layers.gre(0x0800, IP)), "FOU 0"),
    (layers.over_udp(5555, layers.gre(0x6558, FRAME, key=6, sequence=True)), "FOU 6"),
    (layers.over_udp(5555, b"\x80" + layers.gre(0x0800, bytes(4) + IP)[1:]), "FOU 0"),
    (layers.over_udp(37008, layers.tzsp(FRAME)), "TZSP 0"),
    (layers.over_udp(37008, layers.tzsp(WIFI_QOS, 18)), "TZSP 0"),
    (layers.over_udp(5247, layers.capwap(FRAME)), "CAPWAP 0"),
    (layers.over_udp(5247, layers.capwap(WIFI_QOS, native=True)), "CAPWAP 0"),
    (layers.over_udp(5247, layers.capwap(SWAPPED, native=True)), "CAPWAP 0"),
    (layers.over_udp(8472, layers.otv(FRAME)), "OTV 77"),
    (layers.over_udp(4341, layers.lisp(IP)), "LISP 0"),
    (layers.over_udp(4341, layers.lisp(IP, 7)), "LISP 7"),
    (layers.over_udp(6080, layers.gue(4, IP)), "GUE 0"),
    (layers.over_udp(6080, layers.gue(4, IP, bytes(8))), "GUE 0"),
    (layers.over_udp(6080, layers.gue(47, layers.gre(0x6558, FRAME, key=6))), "GRE 6"),
    (layers.over_udp(6080, layers.gue(137, layers.mpls(IP, 5))), "GUE 0"),
    (layers.over_udp(6080, IP), "GUE 0"),
    (ether(ipv6(OUT6 := "2001:db8::1", "2001:db8::2", 4, IP), 0x86DD), "IP in IP 0"),
    (ether(ipv6(OUT6, "2001:db8::2", 60, craft.extension(4) + IP), 0x86DD), "IP in IP 0"),
    (ether(ipv6(OUT6, "2001:db8::2", 143, FRAME), 0x86DD), "Ethernet in IP 0"),
    (layers.over_ip(51, bytes([4, 4, 0, 0]) + bytes(20) + IP), "IP in IP 0"),
]


@pytest.mark.parametrize(("packet", "tunnel"), TUNNELS)
def test_a_tunnel_counts_to_the_flow_inside(packet: bytes, tunnel: str) -> None:
    decoded = Decoded([packet, FRAME])
    assert decoded.flows == [FLOW, FLOW]
    assert decoded.tunnels == [tunnel]
    assert decoded.words(layout.PKT_BYTES) == [len(IP), len(IP)]
    assert decoded.words(layout.PKT_PATH, layout.TUNNEL_SHIFT) == [1, 0]
    assert decoded.words(layout.PKT_MARKS)[0] == decoded.words(layout.PKT_MARKS)[1]


@pytest.mark.parametrize(("packet", "tunnel"), TUNNELS)
def test_a_cut_tunnel_counts_to_the_flow_outside(packet: bytes, tunnel: str) -> None:
    """Wherever it is cut, a record is one packet: of the flow inside once its ports are there."""
    ports = len(packet) - len(IP) + 24
    cuts = [packet[:end] for end in range(ports)]
    decoded = Decoded(cuts, wire=len(packet))
    assert len(decoded.flows) + sum(decoded.skipped.values()) == len(cuts)
    assert FLOW not in decoded.flows
    assert decoded.flows
    assert Decoded([packet[:ports]], wire=len(packet)).flows == [FLOW]


def test_an_ipv6_packet_of_length_0_is_that_or_too_large_to_say() -> None:
    """A frame is filled up to 60 bytes; a packet that segmentation left large writes 0 as well."""
    empty = ether(ipv6(A6, B6, 50, b"", length=0) + bytes(6), 0x86DD)
    large = ether(ipv6(A6, B6, 50, bytes(900), length=0), 0x86DD)
    assert Decoded([empty, large]).words(layout.PKT_BYTES) == [40, 940]


def test_tshark_finds_the_same_inside_of_lisp(tmp_path: Path) -> None:
    path = tmp_path / "lisp.pcap"
    path.write_bytes(pcap([layers.over_udp(4341, layers.lisp(IP, key)) for key in (None, 7)]))
    program = shutil.which("tshark") or pytest.skip("tshark is not installed")
    command = [program, "-r", str(path), "-T", "fields", "-e", "ip.dst", "-e", "tcp.dstport"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == [f"{TO},{B}\t445"] * 2


def summed(packet: bytes) -> bytes:
    """An IPv4 packet without checksum, with it."""
    words = sum(struct.unpack(">10H", packet[:20]))
    return packet[:10] + struct.pack(">H", 0xFFFF - (words & 0xFFFF) - (words >> 16)) + packet[12:]


COOKIES = [("None", b""), ("4 Byte Cookie", b"\x12\x34\x56\x78"), ("8 Byte Cookie", b"\x12" * 8)]


@pytest.mark.parametrize(("cookie", "value"), COOKIES)
@pytest.mark.parametrize("sublayer", ["None", "Default L2-Specific"])
def test_tshark_that_is_told_the_header_finds_the_same_inside_of_l2tp(
    tmp_path: Path, cookie: str, value: bytes, sublayer: str
) -> None:
    program = shutil.which("tshark") or pytest.skip("tshark is not installed")
    before = value + (b"\x40\0\0\1" if sublayer != "None" else b"")
    frames = FRAME, TAGGED, ether(summed(IP)) + bytes(6), ether(IP6, 0x86DD)
    packets = [layers.over_ip(115, layers.l2tp3(frame, cookie=before)) for frame in frames]
    packets += [
        layers.over_udp(1701, layers.l2tp3(frame, cookie=before, over_udp=True)) for frame in frames
    ]
    (path := tmp_path / "l2tp.pcap").write_bytes(pcap(packets))
    settings = f"l2tp.cookie_size:{cookie}", f"l2tp.l2_specific:{sublayer}"
    command = [program, "-r", str(path), "-d", "l2tp.pw_type==0,eth", "-T", "fields"]
    command += [word for setting in settings for word in ("-o", setting)]
    for field in ("tcp.dstport", "udp.dstport", "ipv6.dst", "ip.dst"):
        command += ["-e", field]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert [line.split("\t")[0] for line in told] == ["445", "445", "445", ""] * 2
    assert [B6 in line for line in told] == [False, False, False, True] * 2
    assert Decoded(packets).flows == [FLOW, FLOW, FLOW, FLOW6] * 2


def test_the_first_fragment_of_a_tunnel_shows_what_is_inside() -> None:
    """What is inside says that it is longer than what is here: its checksum has to be right."""
    long = summed(ipv4(A, B, 17, udp(40000, 53, bytes(900))))
    for port, whole in ((5555, long), (1701, layers.l2tp3(ether(long), over_udp=True))):
        body = udp(50000, port, whole)
        first = ether(ipv4(OUT, TO, 17, body[:400], ident=7, more=True))
        rest = ether(ipv4(OUT, TO, 17, body[400:], ident=7, offset=400))
        assert Decoded([first, rest]).flows == [f"17 {A}:40000 {B}:53"] * 2


def test_ipv6_in_tunnels() -> None:
    assert Decoded([layers.over_udp(5555, IP6)]).flows == [FLOW6]
    assert Decoded([layers.over_ip(41, IP6)]).flows == [FLOW6]
    for before in (b"", b"\0\0" + bytes(6), b"\0\1\2\2abcd" + bytes(9), b"\0\1\0\0" + bytes(17)):
        decoded = Decoded([layers.over_udp(3544, before + TEREDO)])
        assert decoded.flows[0].endswith(f" {B6}:53")
        assert decoded.tunnels == ["Teredo 0"]
    assert Decoded([layers.over_udp(40001, TEREDO)]).tunnels == ["Teredo 0"]
    assert Decoded([layers.over_udp(3544, LOCAL)]).tunnels == ["Teredo 0"]


@pytest.mark.parametrize(
    "packet",
    [
        layers.over_udp(40001, IP6 + bytes(8)),  # no end is a Teredo address
        layers.over_udp(40001, TEREDO + b"x"),  # not of the very length
        layers.over_udp(40001, LOCAL),  # link-local, but no Teredo server
        layers.over_udp(3544, IP6),
        layers.over_udp(4789, b"\0" + layers.vxlan(FRAME)[1:]),
        layers.over_udp(4789, layers.vxlan(ether(bytes(28), 0x0806))),  # ARP
        layers.over_udp(6081, b"\0\x80" + layers.geneve(0x6558, FRAME)[2:]),  # control
        layers.over_udp(2152, b"\x30\1" + layers.gtp(IP)[2:]),  # echo request
        layers.over_udp(1701, b"\xc8" + layers.l2tp(b"\0\x21" + IP)[1:]),  # control
        layers.over_ip(115, layers.l2tp3(FRAME, session=0)),  # control
        layers.over_ip(115, layers.l2tp3(FRAME, cookie=bytes(16))),
        layers.over_ip(115, layers.l2tp3(FRAME + bytes(20))),  # more than fills a frame up
        layers.over_udp(1701, layers.l2tp3(ether(bytes(28), 0x0806), over_udp=True)),  # ARP
        layers.over_udp(5555, IP + b"x"),
        layers.over_udp(5555, IP[:10] + b"\1\2" + IP[12:]),  # a wrong checksum
        layers.over_udp(5555, IP6[:-1]),
        layers.over_udp(5247, b"\1" + layers.capwap(FRAME)[1:]),  # DTLS
        layers.over_udp(5247, b"\0\x10\2\x80\0\0\1\0" + FRAME),  # later fragment
        layers.over_udp(53, layers.vxlan(FRAME)),
        layers.over_udp(48879, b"\x12\x34\1\0\0\1" + bytes(6) + FRAME),  # somebody's own port
        layers.over_udp(4341, b"\xc1" + layers.lisp(IP)[1:]),  # encrypted
        layers.over_udp(4341, b"\x20" + layers.lisp(IP)[1:]),  # asks for an echo of no nonce
        layers.over_udp(4341, layers.lisp(bytes(40))),
        layers.over_udp(6080, b"\x20" + layers.gue(4, IP)[1:]),  # control
        layers.over_udp(6080, layers.gue(47, b"\0\0\x08", bytes(4))),
        layers.over_udp(6080, layers.gue(6, IP)),  # TCP between the ends outside
        layers.over_ip(47, layers.gre(0, b"")),  # keepalive
        layers.over_ip(47, b"\0\5\x08\0" + IP),  # version 5
        layers.over_ip(4, b"\x95" + IP[1:]),
        layers.over_ip(4, IP[:10]),
    ],
)
def test_what_is_no_tunnel_counts_to_the_flow_outside(packet: bytes) -> None:
    decoded = Decoded([packet])
    assert decoded.flows[0].split()[1].startswith(f"{OUT}:")
    assert (decoded.tunnels, decoded.words(layout.PKT_PATH, layout.TUNNEL_SHIFT)) == ([], [0])


def test_of_nested_tunnels_the_outermost_is_the_fact() -> None:
    packet = ether(IP)
    for depth in range(MAX_TUNNELS + 2):
        packet = layers.over_udp(4789, layers.vxlan(packet, 100 + depth), to=f"192.0.2.{depth + 9}")
    decoded = Decoded([packet])
    assert decoded.tunnels == [f"VXLAN {100 + MAX_TUNNELS + 1}"]
    assert decoded.flows == ["17 192.0.2.1:50000 192.0.2.10:4789"]  # two are left unopened


def test_both_ways_are_one_tunnel_and_keys_tell_tunnels_apart() -> None:
    there = layers.over_udp(4789, layers.vxlan(FRAME, 5))
    back = layers.over_udp(4789, layers.vxlan(FRAME, 5), source=TO, to=OUT)
    other = layers.over_udp(4789, layers.vxlan(FRAME, 6))
    decoded = Decoded([there, back, other, there])
    assert decoded.words(layout.PKT_PATH, layout.TUNNEL_SHIFT) == [1, 1, 2, 1]


def test_the_vlan_is_that_of_the_frame_outside_where_it_has_one() -> None:
    inner = layers.vxlan(TAGGED)
    outer = ether(ipv4(OUT, TO, 17, udp(50000, 4789, inner)), tags=[(0x8100, 9), (0x8100, 8)])
    decoded = Decoded([layers.over_udp(4789, inner), outer, TAGGED, layers.isl(FRAME, 6)])
    assert decoded.words(layout.PKT_MARKS, layout.VLAN_SHIFT, 0xFFF) == [7, 9, 7, 6]


def test_tokens_and_times_to_live() -> None:
    packets = [
        ether(ipv4(A, B, 6, struct.pack(">HHIIBBHHH", 1, 2, seq, 0, 0x50, flags, 9, 9, 9)))
        for seq, flags in ((7, 2), (0, 18), (7, 16))
    ]
    packets += [
        ether(ipv4(A, B, 17, struct.pack(">HHHH", 1, 2, 8, 0xBEEF))),
        ether(ipv4(A, B, 17, struct.pack(">HHHH", 1, 4789, 8, 0xBEEF))),
        ether(ipv6(A6, B6, 58, b"\x80\0\xca\xfe\0\1\0\1"), 0x86DD),
        ether(ipv4(A, B, 132, struct.pack(">HHIIBBH", 1, 2, 0, 0xDEADBEEF, 0, 0, 4))),
        ether(ipv4(A, B, 99, bytes(20))),
    ]
    assert Decoded(packets).words(layout.PKT_PATH) == [
        64 << 32 | token for token in (7, 1, 0, 0xBEEF, 0xBEEF, 0xCAFE, 0xDEADBEEF, 0)
    ]


def test_fragments_of_a_tunnel_belong_to_the_flow_inside() -> None:
    """In any order; the pieces of what is inside as well."""
    whole = udp(50000, 4789, layers.vxlan(ether(ipv4(A, B, 17, udp(40000, 53, bytes(100))))))
    first = ether(ipv4(OUT, TO, 17, whole[:96], ident=5, more=True))
    later = ether(ipv4(OUT, TO, 17, whole[96:], ident=5, offset=96))
    inside = f"17 {A}:40000 {B}:53"
    decoded = Decoded([first, later])
    assert (decoded.flows, decoded.lost) == ([inside, inside], 0)
    assert decoded.words(layout.PKT_PATH, layout.TUNNEL_SHIFT) == [1, 1]
    decoded = Decoded([later, first])
    assert (decoded.flows, decoded.lost) == ([inside], 0)
    assert decoded.words(layout.PKT_PACKETS) == [2]
    assert Decoded([later]).lost == 1
    pieces = [
        layers.over_ip(47, layers.gre(0x0800, ipv4(A, B, 17, udp(40000, 53), ident=6, more=True))),
        layers.over_ip(47, layers.gre(0x0800, ipv4(A, B, 17, bytes(16), ident=6, offset=16))),
    ]
    assert Decoded(pieces).flows == [inside, inside]


def test_tenants_with_the_same_addresses_keep_their_fragments_apart() -> None:
    """By their VLAN, or by the tunnel; a tunnel's own fragments by the VLAN around it."""

    def pieces(port: int) -> tuple[bytes, bytes]:
        whole = udp(40000, port, bytes(40))
        return (
            ipv4(A, B, 17, whole[:24], ident=5, more=True),
            ipv4(A, B, 17, whole[24:], ident=5, offset=24),
        )

    wanted = [f"17 {A}:40000 {B}:{port}" for port in (53, 54, 53, 54)]
    (one, one_later), (two, two_later) = pieces(53), pieces(54)
    mixed = (one, two, one_later, two_later)
    tags = [ether(data, tags=[(0x8100, 5 + at % 2)]) for at, data in enumerate(mixed)]
    assert Decoded(tags).flows == wanted
    keys = [
        layers.over_ip(47, layers.gre(0x0800, data, key=at % 2)) for at, data in enumerate(mixed)
    ]
    assert Decoded(keys).flows == wanted
    outer = []
    for tag, port in ((5, 53), (6, 54)):
        inner = ether(ipv4(A, B, 17, udp(40000, port, bytes(100))), tags=[(0x8100, 9)])
        whole = udp(50000, 4789, layers.vxlan(inner))
        first = ipv4(OUT, TO, 17, whole[:96], ident=5, more=True)
        later = ipv4(OUT, TO, 17, whole[96:], ident=5, offset=96)
        outer.append([ether(data, tags=[(0x8100, tag)]) for data in (first, later)])
    assert Decoded([outer[0][0], outer[1][0], outer[0][1], outer[1][1]]).flows == wanted
    untagged = [data[:12] + data[16:] for data in outer[0]]
    assert (
        Decoded(untagged).flows == [wanted[0]] * 2
    )  # a tag of what is inside is not of the outside


def test_a_first_fragment_that_hides_nothing_keeps_its_later_ones() -> None:
    first = ether(ipv4(OUT, TO, 17, udp(50000, 4789, bytes(32)), ident=5, more=True))
    later = ether(ipv4(OUT, TO, 17, bytes(32), ident=5, offset=40))
    outside = f"17 {OUT}:50000 {TO}:4789"
    assert Decoded([first, later]).flows == [outside, outside]


def test_icmp_errors_quote_what_is_inside_their_own_tunnel() -> None:
    error = ipv4(B, A, 1, icmp(3, 3, data=ipv4(A, B, 17, udp(40000, 53))))
    decoded = Decoded([ether(error), layers.over_ip(47, layers.gre(0x0800, error))])
    assert decoded.flows == [f"1 {B}:0 {A}:3"] * 2
    assert decoded.quoted == [f"17 {A}:40000 {B}:53"] * 2
    answer = ether(ipv4(B, A, 1, icmp(3, 3, data=ipv4(A, B, 1, icmp(0, ident=7)))))
    assert Decoded([answer]).quoted == []


def test_a_quote_may_be_filled_up_before_extensions() -> None:
    """RFC 4884: to 128 bytes, with zeros, also where no more than the ports was quoted."""
    for quote in (IP, IP[:28]):
        filled = quote + bytes(128 - len(quote)) + b"\x20\0\0\0" + bytes(8)
        assert Decoded([ether(ipv4(B, A, 1, icmp(3, 1, data=filled)))]).quoted == [FLOW]


SEGMENTS = bytes([0, 0, 0, 0]) + bytes(15) + b"\x09" + bytes(15) + b"\x08"


@pytest.mark.parametrize(
    ("header", "server"),
    [
        (bytes([6, 4, 4, 1]) + SEGMENTS, "::9"),  # segment routing: the last segment is the first
        (bytes([6, 4, 4, 0]) + SEGMENTS, B6),  # arrived
        (bytes([6, 4, 0, 2]) + SEGMENTS, "::8"),
        (bytes([6, 2, 2, 1]) + SEGMENTS[:20], "::9"),
        (bytes([6, 4, 3, 2]) + SEGMENTS, B6),  # RPL compresses: not looked into
        (bytes([6, 0, 4, 1]) + bytes(4), B6),
    ],
)
def test_routing_headers_name_the_final_destination(header: bytes, server: str) -> None:
    packet = ether(ipv6(A6, B6, 43, header + tcp(40000, 445, SYN)), 0x86DD)
    assert Decoded([packet]).flows == [f"6 {A6}:40000 {server}:445"]


ROUTE = bytes([10, 0, 0, 9, 10, 0, 0, 8])


@pytest.mark.parametrize(
    ("options", "server"),
    [
        (bytes([131, 11, 4]) + ROUTE + b"\0", "10.0.0.8"),
        (bytes([1, 137, 11, 8]) + ROUTE, "10.0.0.8"),
        (bytes([68, 5, 0, 0, 0, 131, 7, 4]) + ROUTE[:4], "10.0.0.9"),
        (bytes([131, 11, 12]) + ROUTE + b"\0", B),  # arrived
        (bytes([7, 11, 4]) + ROUTE + b"\0", B),  # a route that is recorded
        (bytes([0, 131, 11, 4]) + ROUTE, B),  # behind the end of the options
        (bytes([131, 15, 4]) + ROUTE + b"\0", B),  # longer than the header
        (bytes([131, 6, 4, 1, 1, 1, 1, 1]), B),  # no whole address
    ],
)
def test_source_routes_name_the_final_destination(options: bytes, server: str) -> None:
    packet = ipv4(A, B, 6, tcp(40000, 445, SYN), options=options)
    assert Decoded([ether(packet)]).flows == [f"6 {A}:40000 {server}:445"]
    error = ether(ipv4(B, A, 1, icmp(3, 3, data=packet)))
    assert Decoded([error]).quoted == [f"6 {A}:40000 {server}:445"]


def test_jumbograms_say_their_length_in_an_option() -> None:
    size = 70_000
    option = bytes([6, 0, 0xC2, 4]) + struct.pack(">I", size)
    packet = ether(ipv6(A6, B6, 0, option + tcp(40000, 445, SYN), length=0), 0x86DD)
    assert Decoded([packet], wire=90_000).words(layout.PKT_BYTES) == [size + 40]
    assert Decoded([packet]).words(layout.PKT_BYTES) == [len(packet) - 14]
