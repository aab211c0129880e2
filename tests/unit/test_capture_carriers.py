"""What carries IP in wireless and mobile networks, against tshark."""

import shutil
import subprocess
from pathlib import Path

import craft_layers as layers
import pytest
from craft import ether, ipv4, ipv6, pcap, tcp, udp

from tests.unit.test_capture_links import FLOW, FRAME, IP, SWAPPED, WIFI_QOS, A, B, Decoded
from workbench.capture import layout

IP6 = ipv6("fd00::1", "fd00::2", 6, tcp(40000, 445, 2))
TAGGED = ether(IP, tags=[(0x8100, 7)])
LABELS = layers.mpls(IP, 16, 17)
STACKED = b"\0\7\x88\x47" + LABELS
"""What is behind the first tag's EtherType."""
WIRELESS = {
    "pppoe": layers.wifi(layers.pppoe(IP), kind=0x8864),
    "mpls": layers.wifi(LABELS, kind=0x8847),
    "tag": layers.wifi(b"\0\7\x08\0" + IP, kind=0x8100, control=0x88),
    "tag, mpls": layers.wifi(STACKED, kind=0x8100),
    "pppoe, mpls": layers.wifi(layers.pppoe(LABELS, 0x0281), kind=0x8864),
}
MESH = {kind: ether(layers.batman(FRAME, kind), 0x4305) for kind in (1, 0x40, 0x42)}
OVER_UDP = {
    "GTP-U 9": layers.over_udp(3386, layers.gtp0(IP)),
    "LWAPP 0": layers.over_udp(12222, layers.lwapp(WIFI_QOS)),
}


def tshark(path: Path, *settings: str) -> list[str]:
    """The innermost IP addresses and port of each packet."""
    program = shutil.which("tshark") or pytest.skip("tshark is not installed")
    command = [program, "-r", str(path), "-T", "fields", "-e", "ip.src", "-e", "ip.dst"]
    command += ["-e", "tcp.srcport", "-e", "tcp.dstport", *settings]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [[each.split(",")[-1] for each in line.split("\t")] for line in told.splitlines()]
    return [f"6 {a}:{sport} {b}:{dport}" for a, b, sport, dport in lines]


@pytest.mark.parametrize("frame", WIRELESS.values(), ids=WIRELESS)
def test_more_than_ip_in_802_11(tmp_path: Path, frame: bytes) -> None:
    assert Decoded([frame], 105).flows == [FLOW]
    assert Decoded([layers.radiotap(frame)], 127).flows == [FLOW]
    (path := tmp_path / "a.pcap").write_bytes(pcap([frame], link=105))
    assert tshark(path) == [FLOW]


def test_tags_and_groups_in_802_11_count() -> None:
    frame = WIRELESS["tag, mpls"]
    group = frame[:16] + b"\1" + frame[17:]
    marks = Decoded([frame, group], 105).words(layout.PKT_MARKS)
    assert [mark >> layout.VLAN_SHIFT & 0xFFF for mark in marks] == [7, 7]
    assert [bool(mark & layout.GROUP) for mark in marks] == [False, True]


@pytest.mark.parametrize("kind", MESH)
def test_a_mesh_carries_whole_frames(tmp_path: Path, kind: int) -> None:
    nested = ether(layers.batman(ether(layers.batman(TAGGED), 0x4305), kind), 0x4305)
    assert Decoded([MESH[kind], nested]).flows == [FLOW, FLOW]
    (path := tmp_path / "a.pcap").write_bytes(pcap([MESH[kind]]))
    assert tshark(path) == [FLOW]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (layers.batman(FRAME, 0x41), "batman-adv"),
        (layers.batman(FRAME, 0), "batman-adv"),
        (layers.batman(FRAME, version=14), "batman-adv"),
        (layers.batman(ether(bytes(28), 0x0806)), "ARP"),
        (layers.batman(FRAME)[:20], "cut inside the link header"),
        (b"\x40", "cut inside the link header"),
    ],
    ids=["piece", "own talk", "version", "ARP", "cut", "one byte"],
)
def test_what_a_mesh_carries_beside_ip_is_counted(payload: bytes, reason: str) -> None:
    assert Decoded([ether(payload, 0x4305)]).skipped == {reason: 1}


def test_a_mesh_without_end_is_too_deep() -> None:
    frame = FRAME
    for _ in range(20):
        frame = ether(layers.batman(frame), 0x4305)
    assert Decoded([frame]).skipped == {"too many nested headers": 1}


@pytest.mark.parametrize("tunnel", OVER_UDP)
def test_tunnels_of_mobile_networks(tmp_path: Path, tunnel: str) -> None:
    decoded = Decoded([OVER_UDP[tunnel], FRAME])
    assert decoded.flows == [FLOW, FLOW] and decoded.tunnels == [tunnel]
    (path := tmp_path / "a.pcap").write_bytes(pcap([OVER_UDP[tunnel]]))
    assert tshark(path) == [FLOW]


def test_lwapp_has_frame_control_either_way_round(tmp_path: Path) -> None:
    packet = layers.over_udp(12222, layers.lwapp(SWAPPED))
    assert Decoded([packet]).flows == [FLOW]
    (path := tmp_path / "a.pcap").write_bytes(pcap([packet]))
    assert tshark(path, "-o", "lwapp.swap_fc:TRUE") == [FLOW]


def test_the_first_piece_of_lwapp_is_opened(tmp_path: Path) -> None:
    packet = layers.over_udp(12222, layers.lwapp(WIFI_QOS, 3))
    assert Decoded([packet]).flows == [FLOW]
    (path := tmp_path / "a.pcap").write_bytes(pcap([packet]))
    assert tshark(path) == [FLOW]


@pytest.mark.parametrize(
    ("port", "payload"),
    [
        (3386, layers.gtp0(IP, flags=0x0E)),
        (3386, layers.gtp0(IP, flags=0x3E)[:1] + b"\1" + layers.gtp0(IP)[2:]),
        (3386, layers.gtp0(b"")),
        (12222, layers.lwapp(WIFI_QOS, 4)),
        (12222, layers.lwapp(WIFI_QOS, 2)),
        (12222, layers.lwapp(WIFI_QOS, 0x40)),
        (12222, layers.lwapp(b"")),
        (12222, layers.lwapp(b"\x80" + WIFI_QOS[1:])),
    ],
    ids=["charging", "echo", "empty", "control", "last piece", "version", "no frame", "beacon"],
)
def test_what_is_none_counts_to_the_flow_outside(port: int, payload: bytes) -> None:
    decoded = Decoded([layers.over_udp(port, payload)])
    assert decoded.flows == [f"17 192.0.2.1:50000 192.0.2.2:{port}"] and not decoded.tunnels


def test_ipv6_in_all_of_them() -> None:
    frame = ether(IP6, 0x86DD)
    packets = [
        ether(layers.batman(frame), 0x4305),
        layers.over_udp(3386, layers.gtp0(IP6)),
        layers.over_udp(12222, layers.lwapp(layers.wifi(layers.pppoe(IP6, 0x57), kind=0x8864))),
    ]
    assert Decoded(packets).flows == ["6 fd00::1:40000 fd00::2:445"] * 3


def test_a_packet_tap_of_the_loopback() -> None:
    families = (b"\2\0\0\0", b"\0\0\0\2", b"\0\0\x08\0")
    packets = [layers.pktap(family + IP, link) for family in families for link in (0, 108)]
    assert Decoded(packets, 258).flows == [FLOW] * 6
    inner = layers.per_packet(layers.cooked(layers.wifi(IP), 801), 113)
    assert Decoded([inner], 192).flows == [FLOW]
    nest = layers.pktap(IP, 101)
    for _ in range(50):
        nest = layers.pktap(nest, 258)
    assert Decoded([nest], 258).skipped == {"link type 258 (Apple PKTAP)": 1}


def test_a_port_alone_makes_no_tunnel() -> None:
    packet = ether(ipv4(A, B, 17, udp(12222, 53, b"\0" * 6 + b"what is no frame")))
    assert Decoded([packet]).flows == [f"17 {A}:12222 {B}:53"]
