"""Real captures against what tshark and Zeek measured on them; every difference has its reason."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workbench.capture import read_capture
from workbench.model.net import TCP, UDP, format_address
from workbench.model.traffic import CaptureReport, Direction, FlowColumns, Outcome

End = tuple[str, int]

INSIDE = "tshark counts the tunnel's own UDP flows as well; we count what is inside of them"
DEVIATIONS: dict[str, tuple[int, int, str]] = {
    # file: our TCP, our UDP conversations, why tshark's truth differs
    "arkime/arkime_synthetic.pcap": (98, 91, INSIDE),
    "arkime/gre-erspan-vxlan.pcap": (1, 0, INSIDE),
    "arkime/gtp-iphone.pcap": (
        1,
        6,
        INSIDE + "; and lists a pair of ports again for every connection that uses it anew",
    ),
    "tcpdump/geneve.pcap": (1, 0, INSIDE),
    "tcpdump/gso-ipv6-vxlan-ipv4.pcap": (1, 0, INSIDE),
    "tcpdump/nsh-over-vxlan-gpe.pcap": (0, 1, INSIDE),
    "zeek/geneve.pcap": (0, 0, INSIDE),
    "zeek/vxlan.pcap": (0, 2, INSIDE + "; but for the two that carry ARP"),
    "zeek/Teredo.pcap": (
        5,
        6,
        INSIDE + ", also between client and relay, where neither port is Teredo's",
    ),
    "zeek/gtp1_gn_normal_incl_fragmentation.pcap": (1, 0, INSIDE),
    "ics/Sample_File_MMS_and_GOOSE.pcap": (
        16,
        8,
        "tshark lists two pairs of ports twice, once for each end that spoke first",
    ),
    "ics/hart_ip.pcap": (45, 2, "tshark lists one pair of ports twice"),
    "tcpdump/heapoverflow-tcp_print.pcap": (
        1,
        0,
        "the TCP header is cut short behind its ports: tshark makes no conversation of it",
    ),
}
UNREADABLE = {"tcpdump/kday6.pcap"}
"""tshark cannot read these; we must not do worse than say what is in them."""


def load(path: Path) -> tuple[CaptureReport, list[dict[str, Any]]]:
    batches: list[FlowColumns] = []
    report = read_capture(path, on_flows=batches.append)
    return report, [flow for batch in batches for flow in rows(batch)]


def rows(batch: FlowColumns) -> Iterator[dict[str, Any]]:
    for row in range(len(batch["protocol"])):
        flow: dict[str, Any] = {name: int(column[row]) for name, column in batch.items()}
        for end in ("client", "server"):
            address = format_address(flow[f"{end}_hi"] << 64 | flow[f"{end}_lo"])
            flow[end] = (address, flow[f"{end}_port"])
        flow["ends"] = frozenset({flow["client"], flow["server"]})
        yield flow


def test_conversations_equal_those_of_tshark(shared_data: Path) -> None:
    manifest = json.loads((shared_data / "manifest.json").read_text())
    captures = [entry for entry in manifest if entry.get("cap")]
    assert len(captures) > 100
    different = {}
    for entry in captures:
        report, flows = load(shared_data / entry["file"])
        pairs = Counter(
            protocol for protocol, _ in {(flow["protocol"], flow["ends"]) for flow in flows}
        )
        assert report.packets == report.decoded + sum(report.skipped.values()), entry["file"]
        if entry["file"] in UNREADABLE:
            assert report.skipped, entry["file"]
            continue
        assert report.packets == int(entry["pkts"]), entry["file"]
        truth = (entry["cnt"].get("TCPC", 0), entry["cnt"].get("UDPC", 0))
        if (pairs[TCP], pairs[UDP]) != truth:
            different[entry["file"]] = (pairs[TCP], pairs[UDP])
    assert different == {file: (tcp, udp) for file, (tcp, udp, _) in DEVIATIONS.items()}


STATES = {
    # Zeek's conn_state → the outcomes that may stand for it
    "S0": {Outcome.UNANSWERED, Outcome.ONE_WAY},  # one-way: services that answer nobody, groups
    "REJ": {Outcome.REFUSED},
    "SF": {Outcome.ESTABLISHED},
    "S1": {Outcome.ESTABLISHED},
    "S2": {Outcome.ESTABLISHED},
    "S3": {Outcome.ESTABLISHED},
    "RSTO": {Outcome.ESTABLISHED},
    "RSTR": {Outcome.ESTABLISHED},
    "SH": {Outcome.ONE_WAY},  # SYN, FIN and no answer: the answers went another way
    "SHR": {Outcome.ONE_WAY},
    "RSTOS0": {Outcome.ONE_WAY},
    "RSTRH": {Outcome.ONE_WAY},
    "OTH": {Outcome.MID_STREAM, Outcome.ONE_WAY},
}
NUMBERS = {"tcp": TCP, "udp": UDP}


def compare(
    path: Path, log: list[dict[str, Any]]
) -> tuple[Counter[str], dict[tuple[int, frozenset[End]], str]]:
    """Totals, and the TCP and UDP conversations on which Zeek and we differ."""
    report, flows = load(path)
    ours: dict[tuple[int, frozenset[End]], list[dict[str, Any]]] = {}
    for flow in flows:
        if flow["protocol"] in (TCP, UDP):
            ours.setdefault((flow["protocol"], flow["ends"]), []).append(flow)
    theirs: dict[tuple[int, frozenset[End]], list[dict[str, Any]]] = {}
    for line in log:
        if line["proto"] in NUMBERS:
            ends = frozenset({line["orig"], line["resp"]})
            theirs.setdefault((NUMBERS[line["proto"]], ends), []).append(line)
    assert set(ours) == set(theirs)
    differences = {}
    totals: Counter[str] = Counter(pairs=len(ours), flows=report.flows)
    for key, lines in theirs.items():
        if ours[key][0]["client"] != lines[0]["orig"]:
            differences[key] = "direction"
        states = {line["conn_state"] for line in lines}
        outcomes = {Outcome(flow["outcome"]) for flow in ours[key]}
        if not outcomes <= set().union(*(STATES[state] for state in states)):
            differences[key] = f"{states} {outcomes}"
        totals.update(states)
    return totals, differences


@pytest.mark.parametrize(
    ("capture", "log", "pairs"),
    [
        ("NEWYORK.cap", "NEWYORK", 311),
        ("SCRANTON.cap", "SCRANTON", 53),
        ("UTICA-C.cap", "UTICA-C", 31),
        ("UTICA-A.s128.cap", "UTICA-A", 353),
        ("UTICA-ONE-DRIVE.pcap", "UTICA-ONE-DRIVE", 64),
    ],
)
def test_apt29_day2_equals_its_zeek_log(
    shared_data: Path, capture: str, log: str, pairs: int
) -> None:
    """Endpoints, service, direction and state of every connection: no difference at all."""
    folder = shared_data / "lateral" / "apt29-day2"
    text = (folder / "zeek" / f"{log}_conn.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        line["orig"] = (line["id_orig_h"], line["id_orig_p"])
        line["resp"] = (line["id_resp_h"], line["id_resp_p"])
    totals, differences = compare(folder / capture, lines)
    assert totals["pairs"] == pairs
    assert differences == {}


LONE_ANSWER = (TCP, frozenset({("173.192.163.128", 80), ("141.142.220.235", 6705)}))
"""A SYN-ACK and nothing else. Zeek takes its sender for the originator; a SYN-ACK comes from a
server."""


@pytest.mark.parametrize(
    ("capture", "explained"),
    [
        ("wikipedia.pcap", {LONE_ANSWER: "direction"}),
        ("q-in-q.pcap", {}),
        ("pcapng-multi-interface.pcapng", {}),
        ("pppoe-over-qinq.pcap", {}),
        ("cisco-fabric-path.pcap", {}),
    ],
)
def test_zeek_test_traces_equal_their_logs(
    shared_data: Path, capture: str, explained: dict[Any, str]
) -> None:
    lines = []
    for text in (shared_data / "zeek" / f"{capture}.conn.log").read_text().splitlines():
        words = text.split("\t")
        if words[0] == "#fields":
            names = words[1:]
        elif not text.startswith("#"):
            line: dict[str, Any] = dict(zip(names, words, strict=True))
            line["orig"], line["resp"] = (words[2], int(words[3])), (words[4], int(words[5]))
            lines.append(line)
    _, differences = compare(shared_data / "zeek" / capture, lines)
    assert differences == explained


def test_every_direction_of_a_handshake_is_by_syn(shared_data: Path) -> None:
    _, flows = load(shared_data / "lateral" / "apt29-day2" / "NEWYORK.cap")
    evidence = Counter(Direction(flow["direction"]) for flow in flows if flow["protocol"] == TCP)
    assert evidence[Direction.SYN] >= 0.99 * evidence.total()
