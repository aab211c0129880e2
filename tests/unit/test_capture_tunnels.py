"""Tunnels of real captures: what is inside, against Zeek and Arkime, and who carried it."""

import ipaddress
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from truth import load

from workbench.capture import layout
from workbench.capture.decoding import PacketDecoder, TunnelList
from workbench.capture.reader import Reader
from workbench.model.net import format_address

Key = tuple[int, tuple[str, int], tuple[str, int]]
Sums = tuple[int, int, int, int]
"""Packets and IP bytes to the server, packets and IP bytes back."""

TUNNELS = {
    "zeek/6in4.pcap": {"IP in IP 0 1.2.3.4 5.6.7.8": (1, 0)},
    "zeek/Teredo.pcap": {
        "Teredo 0 192.168.2.16 65.55.158.80": (2, 0),
        "Teredo 0 65.55.158.81 192.168.2.16": (1, 0),
        "Teredo 0 83.170.1.38 192.168.2.16": (13, 10),
    },
    "zeek/erspanII.pcap": {"ERSPAN 100 2.2.2.2 1.1.1.1": (4, 0)},
    "zeek/geneve.pcap": {"GENEVE 0 20.0.0.1 20.0.0.2": (3, 3)},
    "zeek/gre-within-gre.pcap": {"GRE 0 72.205.54.70 86.106.164.150": (314, 314)},
    "zeek/gtp1_gn_normal_incl_fragmentation.pcap": {
        "GTP-U 2355215926 239.114.155.111 63.94.149.181": (27, 0),
        "GTP-U 45751 63.94.149.181 239.114.155.111": (45, 0),
    },
    "zeek/vxlan.pcap": {"VXLAN 123 192.168.56.11 192.168.56.12": (4, 4)},
    "arkime/6-4-gre-ppp-udp-4-dns.pcap": {
        "IP in IP 0 2402:f000:1:8e01::5555 2607:fcd0:100:2300::b108:2a6b": (1, 1)
    },
    "arkime/gre-erspan-vxlan.pcap": {"ERSPAN 20 100.20.9.2 100.20.9.1": (7, 0)},
    "arkime/ipv6-in-ipv4.pcap": {"IP in IP 0 10.0.0.1 10.0.0.2": (5, 5)},
    "tcpdump/geneve.pcap": {
        "GENEVE 10 20.0.0.1 20.0.0.2": (19, 0),
        "GENEVE 11 20.0.0.2 20.0.0.1": (20, 0),
    },
    "tcpdump/gso-ipv6-vxlan-ipv4.pcap": {
        "VXLAN 5001 2604:1380:4091:ce00::b 2604:1380:4091:ce00::d": (1, 0)
    },
    "tcpdump/nsh-over-vxlan-gpe.pcap": {"VXLAN-GPE 16777215 127.0.0.1 127.0.0.1": (1, 0)},
    "tcpdump/ipv6-srh-ext-header.pcap": {"IP in IP 0 a:b:c:12::1 a:b:c:3::d6": (1, 0)},
    "lateral/apt29-day2/NEWYORK.cap": {},
    "zeek/wikipedia.pcap": {},
}
"""File → kind, key, end that sent first, other end → packets of each that were counted inside."""


@pytest.mark.parametrize("file", TUNNELS)
def test_tunnels_are_listed(shared_data: Path, file: str) -> None:
    decoder, tunnels = PacketDecoder(), TunnelList()
    with Reader(shared_data / file) as reader:
        for block in reader.blocks():
            packets = np.zeros((2 * block.count, layout.PACKET_WORDS), np.uint64)
            made = decoder.decode(block.buffer, block.records, block.count, packets.data)
            tunnels.renumber(decoder, packets[:made])
    found = {}
    for row in tunnels.rows([decoder]).tolist():
        kind, key = row[layout.TUN_KEY] >> 32, row[layout.TUN_KEY] & 0xFFFF_FFFF
        a, b = (format_address(row[end] << 64 | row[end + 1]) for end in (0, 2))
        found[f"{layout.TUNNELS[kind]} {key} {a} {b}"] = tuple(row[layout.TUN_PACKETS_A :][:2])
    assert found == TUNNELS[file]


# Zeek: every connection that carries no other, with packets and bytes each way.

BUBBLES = "Teredo bubbles hold no packet: they count to the flow outside"
PIECES = (
    "each later fragment of a GTP datagram is a packet with an IP header of its own; four datagrams"
    " miss theirs, which Zeek then leaves out"
)
ZEEK: dict[str, dict[str, tuple[Sums, str]]] = {
    # file → flow → our packets and bytes where they differ, and why
    "vxlan.pcap": {},  # ARP inside has no flow: it counts to the flow outside, as in Zeek
    "geneve.pcap": {},
    "erspanII.pcap": {},
    "gre-within-gre.pcap": {},
    "radiotap.pcap": {},
    "gtp1_gn_normal_incl_fragmentation.pcap": {
        "6 10.131.47.185:1923 79.101.110.141:80": ((28, 3224, 80, 59150), PIECES),
    },
    "Teredo.pcap": {
        "17 192.168.2.16:3797 83.170.1.38:32900": ((2, 136, 0, 0), BUBBLES),
        "17 192.168.2.16:3797 65.55.158.80:3544": ((0, 0, 1, 76), BUBBLES),
    },
}


def spelled(protocol: int, client: tuple[str, int], server: tuple[str, int]) -> str:
    """ICMP by the type of the request alone: Zeek's other port is a code, ours an identifier."""
    (a, a_port), (b, b_port) = client, server
    if protocol in (1, 58):
        return f"{protocol} {a} {b} type {b_port}"
    return f"{protocol} {a}:{a_port} {b}:{b_port}"


def add(sums: dict[str, Sums], key: str, counts: Iterable[int]) -> None:
    a, b, c, d = (x + y for x, y in zip(sums.get(key, (0, 0, 0, 0)), counts, strict=True))
    sums[key] = (a, b, c, d)


def zeek_sums(path: Path) -> dict[str, Sums]:
    lines, parents = [], set()
    for text in path.read_text().splitlines():
        words = text.split("\t")
        if words[0] == "#fields":
            names = words[1:]
        elif not text.startswith("#"):
            lines.append(dict(zip(names, words, strict=True)))
            parents |= set(lines[-1]["tunnel_parents"].split(","))
    sums: dict[str, Sums] = {}
    for line in lines:
        if line["uid"] in parents:
            continue
        number = int(line["ip_proto"])
        client = (line["id.orig_h"], int(line["id.orig_p"]))
        server = (line["id.resp_h"], int(line["id.resp_p"]))
        if number in (1, 58):
            server = (server[0], client[1])
        counts = (
            int(line[f"{end}_{what}"]) for end in ("orig", "resp") for what in ("pkts", "ip_bytes")
        )
        add(sums, spelled(number, client, server), counts)
    return sums


def our_sums(path: Path) -> dict[str, Sums]:
    sums: dict[str, Sums] = {}
    for flow in load(path)[1]:
        key = spelled(flow["protocol"], flow["client"], flow["server"])
        counts = (
            flow[f"{what}_to_{end}"]
            for end in ("server", "client")
            for what in ("packets", "bytes")
        )
        add(sums, key, counts)
    return sums


@pytest.mark.parametrize("file", ZEEK)
def test_inner_flows_equal_those_of_zeek(shared_data: Path, file: str) -> None:
    theirs = zeek_sums(shared_data / "zeek" / f"{file}.conn.log")
    ours = our_sums(shared_data / "zeek" / file)
    different = {key: sums for key, sums in ours.items() if theirs.get(key) != sums}
    assert different == {key: sums for key, (sums, _) in ZEEK[file].items()}
    assert not set(theirs) - set(ours)


# Arkime: its sessions and their packets.

DHCP = "Arkime puts the offer into the session of the client's broadcasts"
OPTIONS = "the packet behind AH, or IPv6 destination options, is inside: Arkime stops there"
FRAGMENT = "the later fragment belongs to the ports of the first; Arkime gives it port 0"
REPLY = "the tunnel's answer comes from its well-known port: we look inside that as well"
NO_TUNNEL = "an ERSPAN header right behind Ethernet, which no switch sends"
ARKIME: dict[str, tuple[int | None, int | None, str]] = {
    # session → packets of Arkime, ours, and why they differ
    "17 0.0.0.0:68 255.255.255.255:67": (3, 2, DHCP),
    "17 192.168.1.100:68 192.168.1.1:67": (None, 1, DHCP),
    "51 10.0.32.1 10.0.32.100": (1, None, OPTIONS),
    "1 192.168.3.1 192.168.3.2": (None, 1, OPTIONS),
    "4 2001:db8:900::1 2001:db8:900::2": (1, None, OPTIONS),
    "17 10.9.10.1:40200 10.9.10.2:40201": (None, 1, OPTIONS),
    "41 2001:db8:901::1 2001:db8:901::2": (1, None, OPTIONS),
    "17 2001:db8:902::1:40300 2001:db8:902::2:40301": (None, 1, OPTIONS),
    "17 10.9.8.1:0 10.9.8.2:0": (1, None, FRAGMENT),
    "17 10.9.8.1:40100 10.9.8.2:9999": (1, 2, FRAGMENT),
    "17 10.222.222.10:12345 10.222.222.20:6081": (1, None, REPLY),
    "17 10.111.111.10:5353 10.111.111.20:53": (1, 2, REPLY),
    "17 10.40.9.100:4790 10.40.9.1:40000": (1, None, REPLY),
    "17 192.0.2.10:12345 192.0.2.20:53": (1, 2, REPLY),
    "1 192.168.4.1 192.168.4.2": (1, None, NO_TUNNEL),
}
"""Of arkime_synthetic; in all other captures every session has as many packets."""


ARKIME_TESTS = (
    *("6-4-gre-ppp-udp-4-dns", "80211http", "arkime_synthetic", "bigendian", "dot1ad", "empty"),
    *("gre-erspan-vxlan", "gtp-iphone", "icmp-frame-relay", "ip-boundaries", "ipv6-in-ipv4"),
    *("long-session", "modbus", "mpls-basic", "nflog", "no-syn-ack", "pppoe", "v6"),
)


def arkime_packets(path: Path) -> Counter[str]:
    packets: Counter[str] = Counter()
    for session in json.loads(path.read_text())["sessions3"]:
        body = session["body"]
        if "ip" in body.get("source", {}):
            ends = [
                (body[end]["ip"], body[end].get("port", 0)) for end in ("source", "destination")
            ]
            packets[pair(body["ipProtocol"], *ends)] += body["network"]["packets"]
    return packets


def pair(protocol: int, *ends: tuple[str, int]) -> str:
    """Both ways alike; ports only where they are ports."""
    words = sorted(
        f"{ipaddress.ip_address(address)}" + (f":{port}" if protocol in (6, 17, 132) else "")
        for address, port in ends
    )
    return f"{protocol} {words[0]} {words[1]}"


@pytest.mark.parametrize("test", ARKIME_TESTS)
def test_sessions_equal_those_of_arkime(shared_data: Path, test: str) -> None:
    theirs = arkime_packets(shared_data / "arkime" / f"{test}.test")
    ours: Counter[str] = Counter()
    for flow in load(shared_data / "arkime" / f"{test}.pcap")[1]:
        packets = flow["packets_to_server"] + flow["packets_to_client"]
        ours[pair(flow["protocol"], flow["client"], flow["server"])] += packets
    different = {
        key: (theirs.get(key), ours.get(key))
        for key in {*theirs, *ours}
        if theirs.get(key) != ours.get(key)
    }
    explained = ARKIME if test == "arkime_synthetic" else {}
    assert different == {key: (arkime, we) for key, (arkime, we, _) in explained.items()}
