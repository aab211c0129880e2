"""Every real capture against what tshark measured on it; every difference has its reason."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from truth import load

from workbench.model.net import TCP, UDP
from workbench.model.traffic import Direction

Figures = dict[str, int]
"""packets: records of the file. tcp and udp: tshark's streams, our flows. tcp and udp pairs:
conversations, that is pairs of addresses and ports. v4 and v6 pairs: of addresses alone."""

OUTER = (
    "a packet inside a tunnel counts to the flow inside; tshark counts the tunnel's ends as well"
)
SILENCE = "more than 60 s of silence: a flow each; tshark's UDP streams never end"
TWICE = "tshark gives some answers a stream of their own and lists the pair twice"
DEVIATIONS: dict[str, dict[str, tuple[int, int, str]]] = {
    # file → figure → ours, tshark's, why
    "lateral/apt29-day2/NEWYORK.cap": {"udp": (159, 156, SILENCE)},
    "ics/wrapup.pcapng": {"udp": (63, 61, SILENCE)},
    "ics/Sample_File_MMS_and_GOOSE.pcap": {
        "udp": (8, 10, TWICE),
        "udp pairs": (8, 10, TWICE),
    },
    "ics/hart_ip.pcap": {"udp": (2, 3, TWICE), "udp pairs": (2, 3, TWICE)},
    "arkime/arkime_synthetic.pcap": {
        "udp": (92, 100, OUTER + "; one pair falls silent"),
        "udp pairs": (91, 98, OUTER),
        "v4 pairs": (189, 199, OUTER),
        "v6 pairs": (15, 17, OUTER),
    },
    "arkime/gre-erspan-vxlan.pcap": {
        "udp": (0, 1, OUTER),
        "udp pairs": (0, 1, OUTER),
        "v4 pairs": (1, 3, OUTER),
    },
    "arkime/gtp-iphone.pcap": {
        "tcp pairs": (1, 4, "tshark lists the pair again for every connection that uses it anew"),
        "udp": (7, 8, OUTER + "; one pair falls silent, another is listed twice"),
        "udp pairs": (6, 8, OUTER + "; one pair is listed twice"),
        "v4 pairs": (1, 2, OUTER),
    },
    "arkime/6-4-gre-ppp-udp-4-dns.pcap": {"v4 pairs": (1, 2, OUTER), "v6 pairs": (0, 1, OUTER)},
    "arkime/ipv6-in-ipv4.pcap": {"v4 pairs": (0, 1, OUTER)},
    "zeek/erspanII.pcap": {"v4 pairs": (1, 2, OUTER)},
    "zeek/vxlan.pcap": {
        "udp": (2, 4, OUTER + "; but for the two that carry ARP"),
        "udp pairs": (2, 4, OUTER + "; but for the two that carry ARP"),
    },
    "zeek/geneve.pcap": {
        "udp": (0, 2, OUTER),
        "udp pairs": (0, 2, OUTER),
        "v4 pairs": (1, 2, OUTER),
    },
    "zeek/Teredo.pcap": {
        "tcp": (5, 4, "we look into Teredo between client and relay, where neither port is 3544"),
        "tcp pairs": (5, 4, "the same"),
        "udp": (6, 7, OUTER),
        "udp pairs": (6, 7, OUTER),
        "v4 pairs": (8, 9, OUTER),
        "v6 pairs": (3, 4, "a bubble, IPv6 without a next header, is no flow"),
    },
    "zeek/gre-within-gre.pcap": {"v4 pairs": (3, 5, OUTER)},
    "zeek/6in4.pcap": {"v4 pairs": (0, 1, OUTER)},
    "zeek/gtp1_gn_normal_incl_fragmentation.pcap": {
        "udp": (0, 1, OUTER),
        "udp pairs": (0, 1, OUTER),
        "v4 pairs": (1, 2, OUTER),
    },
    "tcpdump/gso-ipv6-vxlan-ipv4.pcap": {
        "udp": (0, 1, OUTER),
        "udp pairs": (0, 1, OUTER),
        "v6 pairs": (0, 1, OUTER),
    },
    "tcpdump/geneve.pcap": {
        "udp": (0, 4, OUTER),
        "udp pairs": (0, 4, OUTER),
        "v4 pairs": (1, 2, OUTER),
    },
    "tcpdump/ipv6-srh-ext-header.pcap": {"v6 pairs": (1, 2, OUTER)},
    "tcpdump/nsh-over-vxlan-gpe.pcap": {
        "udp": (1, 2, OUTER),
        "udp pairs": (1, 2, OUTER),
        "v4 pairs": (1, 2, OUTER),
    },
    "tcpdump/heapoverflow-tcp_print.pcap": {
        "tcp pairs": (1, 0, "the header is cut behind its ports: a stream to tshark, but no pair"),
    },
}
UNREADABLE = {"tcpdump/kday6.pcap": {"link type 182 (multi-link frame relay)": 1}}
"""tshark cannot read these at all: what we say of their records."""


def tshark(entry: dict[str, Any]) -> Figures:
    """What the manifest says, in the words of Figures."""
    pairs = {"tcp pairs": "TCPC", "udp pairs": "UDPC", "v4 pairs": "IPv4C", "v6 pairs": "IPv6C"}
    return {
        "packets": int(entry["pkts"]),
        "tcp": entry["tcp_streams"],
        "udp": entry["udp_streams"],
        **{ours: entry["cnt"].get(theirs, 0) for ours, theirs in pairs.items()},
    }


def ours(path: Path) -> Figures:
    report, flows = load(path)
    assert report.flows == len(flows)
    assert report.packets == report.decoded + sum(report.skipped.values())
    assert sum(flow["packets_to_server"] + flow["packets_to_client"] for flow in flows) == (
        report.decoded
    )
    count = Counter(flow["protocol"] for flow in flows)
    pairs = Counter(protocol for protocol, _ in {(one["protocol"], one["ends"]) for one in flows})
    hosts = {frozenset({flow["client"][0], flow["server"][0]}) for flow in flows}
    v6 = sum(":" in min(pair) for pair in hosts)
    return {
        "packets": report.packets,
        "tcp": count[TCP],
        "udp": count[UDP],
        "tcp pairs": pairs[TCP],
        "udp pairs": pairs[UDP],
        "v4 pairs": len(hosts) - v6,
        "v6 pairs": v6,
    }


def test_figures_equal_those_of_tshark(shared_data: Path) -> None:
    manifest = json.loads((shared_data / "manifest.json").read_text())
    captures = {entry["file"]: entry for entry in manifest if entry.get("cap")}
    assert len(captures) == 131
    different: dict[str, dict[str, tuple[int, int]]] = {}
    for file, entry in captures.items():
        found = ours(shared_data / file)
        if file in UNREADABLE:
            assert load(shared_data / file)[0].skipped == UNREADABLE[file]
            continue
        for figure, truth in tshark(entry).items():
            if found[figure] != truth:
                different.setdefault(file, {})[figure] = (found[figure], truth)
    assert different == {
        file: {figure: (our, theirs) for figure, (our, theirs, _) in deviations.items()}
        for file, deviations in DEVIATIONS.items()
    }


def test_every_direction_of_a_handshake_is_by_syn(shared_data: Path) -> None:
    _, flows = load(shared_data / "lateral" / "apt29-day2" / "NEWYORK.cap")
    evidence = Counter(Direction(flow["direction"]) for flow in flows if flow["protocol"] == TCP)
    assert evidence[Direction.SYN] >= 0.99 * evidence.total()
