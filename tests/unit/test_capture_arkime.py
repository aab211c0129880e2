"""Real captures against Arkime's sessions: ends, packets and bytes each way, who spoke first.

Arkime counts the bytes of whole frames as they were on the wire, we those of the IP layer. The
packets of a flow are found again one by one, so that both counts can be compared exactly.
"""

import ipaddress
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from truth import End, Row, load

from workbench.capture import layout
from workbench.capture.decoding import PacketDecoder
from workbench.capture.reader import Reader
from workbench.model.net import PORT_PROTOCOLS, format_address
from workbench.model.traffic import Direction, Mark

CAPTURES = (
    *("6-4-gre-ppp-udp-4-dns", "80211http", "arkime_synthetic", "bigendian", "dot1ad", "empty"),
    *("gre-erspan-vxlan", "gtp-iphone", "icmp-frame-relay", "ip-boundaries", "ipv6-in-ipv4"),
    *("long-session", "modbus", "mpls-basic", "nflog", "no-syn-ack", "pppoe", "v6"),
)
Key = tuple[int, frozenset[End]]
"""Protocol and both ends; ports only where they are ports."""


class Packet(NamedTuple):
    """One packet as the kernel decodes it."""

    key: Key
    sender: End
    size: int
    """IP-layer bytes."""
    frame: int
    """Bytes on the wire."""


class Session(NamedTuple):
    """One of Arkime's sessions; those of ARP, LLDP and the like have no addresses."""

    key: Key
    source: End
    sent: Counter[End]
    """Packets of each end."""
    octets: Counter[End]
    """Frame bytes of each end."""


def end(protocol: int, address: str, port: int) -> End:
    return str(ipaddress.ip_address(address)), port if protocol in PORT_PROTOCOLS else 0


def ends(flow: Row) -> tuple[Key, End, End]:
    """A flow's key, client and server."""
    two = [end(flow["protocol"], *flow[name]) for name in ("client", "server")]
    return (flow["protocol"], frozenset(two)), two[0], two[1]


@cache
def sessions(path: Path) -> tuple[Session, ...]:
    found = []
    for item in json.loads(path.read_text())["sessions3"]:
        body = item["body"]
        if "ip" not in body.get("source", {}):
            continue
        sides = [body["source"], body["destination"]]
        protocol = body["ipProtocol"]
        two = [end(protocol, side["ip"], side.get("port", 0)) for side in sides]
        sent, octets = Counter[End](), Counter[End]()
        for one, side in zip(two, sides, strict=True):
            sent[one] += side["packets"]
            octets[one] += side["bytes"]
        assert (sent.total(), octets.total()) == (
            body["network"]["packets"],
            body["network"]["bytes"],
        )
        found.append(Session((protocol, frozenset(two)), two[0], sent, octets))
    return tuple(found)


@cache
def packets(path: Path) -> tuple[Packet, ...]:
    return tuple(_packets(path))


def _packets(path: Path) -> Iterator[Packet]:
    decoder = PacketDecoder()
    with Reader(path) as reader:
        for block in reader.blocks():
            rows = np.zeros((2 * block.count, layout.PACKET_WORDS), np.uint64)
            made = decoder.decode(block.buffer, block.records, block.count, rows.data)
            records = np.asarray(block.records).reshape(-1, layout.RECORD_WORDS)[: block.count]
            frames = {int(one[layout.REC_OFFSET]): int(one[layout.REC_WIRELEN]) for one in records}
            for row in rows[:made].tolist():
                if row[layout.PKT_PACKETS]:
                    protocol, ports = row[layout.PKT_WHO] >> 32, row[layout.PKT_WHO] & 0xFFFF_FFFF
                    source, target = (
                        end(protocol, format_address(row[at] << 64 | row[at + 1]), port)
                        for at, port in ((0, ports >> 16), (2, ports & 0xFFFF))
                    )
                    yield Packet(
                        (protocol, frozenset({source, target})),
                        source,
                        row[layout.PKT_BYTES],
                        frames[row[layout.PKT_OFFSET]],
                    )


# Packets and bytes of each end.

SYNTHETIC = "arkime_synthetic"
DHCP = "Arkime puts the offer into the session of the client's broadcasts"
OPTIONS = "the packet behind AH, or IPv6 destination options, is inside: Arkime stops there"
FRAGMENT = "the later fragment belongs to the ports of the first; Arkime gives it port 0"
REPLY = "the tunnel's answer comes from its well-known port: we look inside that as well"
NO_TUNNEL = "an ERSPAN header right behind Ethernet, which no switch sends"
EXPLAINED = {
    # of arkime_synthetic, sender > receiver → packets of Arkime, ours, and why they differ; in all
    # other captures, and of all other ends, packets and bytes are the same
    "17 255.255.255.255:67 > 0.0.0.0:68": (1, 0, DHCP),
    "17 192.168.1.1:67 > 192.168.1.100:68": (0, 1, DHCP),
    "51 10.0.32.100:0 > 10.0.32.1:0": (1, 0, OPTIONS),
    "1 192.168.3.1:0 > 192.168.3.2:0": (0, 1, OPTIONS),
    "4 2001:db8:900::1:0 > 2001:db8:900::2:0": (1, 0, OPTIONS),
    "17 10.9.10.1:40200 > 10.9.10.2:40201": (0, 1, OPTIONS),
    "41 2001:db8:901::1:0 > 2001:db8:901::2:0": (1, 0, OPTIONS),
    "17 2001:db8:902::1:40300 > 2001:db8:902::2:40301": (0, 1, OPTIONS),
    "17 10.9.8.1:0 > 10.9.8.2:0": (1, 0, FRAGMENT),
    "17 10.9.8.1:40100 > 10.9.8.2:9999": (1, 2, FRAGMENT),
    "17 10.222.222.20:6081 > 10.222.222.10:12345": (1, 0, REPLY),
    "17 10.111.111.20:53 > 10.111.111.10:5353": (0, 1, REPLY),
    "17 10.40.9.100:4790 > 10.40.9.1:40000": (1, 0, REPLY),
    "17 192.0.2.10:12345 > 192.0.2.20:53": (1, 2, REPLY),
    "1 192.168.4.1:0 > 192.168.4.2:0": (1, 0, NO_TUNNEL),
}


def named(key: Key, sender: End) -> str:
    [receiver] = key[1] - {sender} or {sender}
    return f"{key[0]} {sender[0]}:{sender[1]} > {receiver[0]}:{receiver[1]}"


@pytest.mark.parametrize("capture", CAPTURES)
def test_packets_and_bytes_of_each_end(shared_data: Path, capture: str) -> None:
    folder = shared_data / "arkime"
    theirs: dict[str, tuple[int, int]] = {}
    for session in sessions(folder / f"{capture}.test"):
        for one, count in session.sent.items():
            name = named(session.key, one)
            sent, octets = theirs.get(name, (0, 0))
            theirs[name] = sent + count, octets + session.octets[one]
    frames: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for packet in packets(folder / f"{capture}.pcap"):
        frames[named(packet.key, packet.sender)] += packet.frame
        sizes[named(packet.key, packet.sender)] += packet.size
    ours: Counter[str] = Counter()
    octets_of: Counter[str] = Counter()
    for flow in load(folder / f"{capture}.pcap")[1]:
        key, client, server = ends(flow)
        for one, to in ((client, "server"), (server, "client")):
            ours[named(key, one)] += flow[f"packets_to_{to}"]
            octets_of[named(key, one)] += flow[f"bytes_to_{to}"]
    assert +octets_of == sizes
    explained = EXPLAINED if capture == SYNTHETIC else {}
    different = {}
    for name in {*theirs, *ours}:
        sent, octets = theirs.get(name, (0, 0))
        if sent != ours[name]:
            different[name] = (sent, ours[name])
        else:
            assert octets == frames[name], name
    assert different == {name: (arkime, we) for name, (arkime, we, _) in explained.items()}


HEADERS = {
    # capture → bytes around the IP packet, all of them headers (but for frames padded to 60 bytes)
    "80211http": {36 + 24 + 8 + 4},  # radiotap, 802.11, LLC and SNAP, frame check sequence
    "bigendian": {14},
    "dot1ad": {14 + 8},  # two tags
    "icmp-frame-relay": {4},
    "ip-boundaries": {14},
    "long-session": {14},
    "modbus": {14},
    "mpls-basic": {14, 14 + 4},  # with and without a label
    "nflog": {48, 104, 105, 32},  # fields of the packet on its way out, in (one filled up), ACKs
    "no-syn-ack": {14 + 4},
    "pppoe": {14 + 8},
    "v6": {14},
}
SHORTEST = 60
"""Bytes of an Ethernet frame at least, without its check sequence: shorter packets are padded."""


@pytest.mark.parametrize("capture", HEADERS)
def test_frames_are_ip_packets_and_their_link_headers(shared_data: Path, capture: str) -> None:
    around = [
        (packet.frame, packet.frame - packet.size)
        for packet in packets(shared_data / "arkime" / f"{capture}.pcap")
    ]
    assert {more for frame, more in around if more in HEADERS[capture]} == HEADERS[capture]
    padded = {frame for frame, more in around if more not in HEADERS[capture]}
    assert padded <= {SHORTEST, SHORTEST + 4}


# Sessions and flows.

PARTS = "Arkime writes a long session in parts, and an empty last part where it closes one by force"
JOINED = "Arkime joins all ICMP of two hosts; ours are queries, by identifier, and other messages"
SPLITS = {
    # capture → (protocol, Arkime's sessions, our flows) → between how many ends, and why
    "arkime_synthetic": {
        (6, 2, 1): (24, PARTS),
        (58, 1, 2): (1, JOINED),
    },
    "bigendian": {(1, 1, 2): (1, JOINED)},
    "dot1ad": {(1, 2, 1): (1, "query and reply have other VLANs, which Arkime keeps apart here")},
    "gtp-iphone": {(17, 1, 2): (1, "66 s between two packets: a flow each after 60 s of silence")},
    "long-session": {(6, 2, 1): (1, PARTS)},
    "mpls-basic": {(1, 1, 5): (1, JOINED)},
    "v6": {(58, 1, 4): (1, JOINED), (58, 1, 6): (1, JOINED)},
}


@pytest.mark.parametrize("capture", CAPTURES)
def test_sessions_are_flows(shared_data: Path, capture: str) -> None:
    folder = shared_data / "arkime"
    theirs = Counter(one.key for one in sessions(folder / f"{capture}.test"))
    ours = Counter(ends(flow)[0] for flow in load(folder / f"{capture}.pcap")[1])
    both = set(theirs) & set(ours)
    split = Counter((key[0], theirs[key], ours[key]) for key in both if theirs[key] != ours[key])
    assert split == {how: count for how, (count, _) in SPLITS.get(capture, {}).items()}


@pytest.mark.parametrize("capture", CAPTURES)
def test_arkimes_source_spoke_first(shared_data: Path, capture: str) -> None:
    """Its source is who sent the first packet; our client too, unless evidence says otherwise."""
    folder = shared_data / "arkime"
    sources: dict[Key, set[End]] = defaultdict(set)
    for session in sessions(folder / f"{capture}.test"):
        sources[session.key].add(session.source)
    met = set()
    for flow in sorted(load(folder / f"{capture}.pcap")[1], key=lambda one: one["first_us"]):
        key, client, server = ends(flow)
        first = server if flow["marks"] & Mark.SERVER_FIRST else client
        if first != client:
            assert flow["direction"] > Direction.FIRST, flow
        if key in sources and key not in met:  # of the flows that Arkime joins, the first one
            assert first in sources[key], flow
        met.add(key)
