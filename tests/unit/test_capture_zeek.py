"""Real captures against Zeek's connection logs, connection by connection.

Endpoints, service, originator, state, packets and IP bytes each way, begin and end.
"""

import ipaddress
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from truth import Connection, End, Row, load, zeek_log

from workbench.model.net import ICMP, ICMPV6, SCTP, TCP, UDP
from workbench.model.traffic import Outcome

APT29 = "lateral/apt29-day2/"
VAST = "flowlogs/vast-triple/"
LOGS = {
    APT29 + "NEWYORK.cap": APT29 + "zeek/NEWYORK_conn.log",
    APT29 + "SCRANTON.cap": APT29 + "zeek/SCRANTON_conn.log",
    APT29 + "UTICA-A.s128.cap": APT29 + "zeek/UTICA-A_conn.log",
    APT29 + "UTICA-C.cap": APT29 + "zeek/UTICA-C_conn.log",
    APT29 + "UTICA-ONE-DRIVE.pcap": APT29 + "zeek/UTICA-ONE-DRIVE_conn.log",
    VAST + "example.pcap.gz": VAST + "zeek-conn.log.gz",
    **{
        f"zeek/{name}": f"zeek/{name}.conn.log"
        for name in (
            *("Teredo.pcap", "cisco-fabric-path.pcap", "erspanII.pcap", "geneve.pcap"),
            *("gre-within-gre.pcap", "gtp1_gn_normal_incl_fragmentation.pcap", "radiotap.pcap"),
            *("pcapng-multi-interface.pcapng", "pppoe-over-qinq.pcap", "q-in-q.pcap"),
            *("vxlan.pcap", "wikipedia.pcap"),
        )
    },
}
"""Capture → Zeek's log of it."""

WORKED, FAILED = {Outcome.ESTABLISHED}, {Outcome.UNANSWERED, Outcome.ONE_WAY}
STATES = {
    # Zeek's conn_state → the outcomes that say the same
    "S0": FAILED,  # asked and not answered; one-way: groups and services that answer nobody
    "REJ": {Outcome.REFUSED},  # a SYN, and RST for an answer
    "SF": WORKED,  # opened and closed in order; UDP and ICMP: both ways
    "S1": WORKED,  # opened, not closed
    "S2": WORKED,  # opened, closed by the originator
    "S3": WORKED,  # opened, closed by the responder
    "RSTO": WORKED,  # opened, then reset by the originator
    "RSTR": WORKED,  # opened, then reset by the responder
    "SH": {Outcome.ONE_WAY},  # SYN and FIN of one end: the answers went another way
    "SHR": {Outcome.ONE_WAY},  # the same of the responder
    "RSTOS0": {Outcome.ONE_WAY},  # SYN and RST of one end
    "RSTRH": {Outcome.ONE_WAY},  # SYN-ACK and RST of the responder
    "OTH": {Outcome.MID_STREAM, Outcome.ONE_WAY},  # no SYN: caught in the middle
}


def outcomes(line: Connection) -> set[Outcome]:
    """Those that say what Zeek says; of protocols without states (OTH, always) whether anything
    came back is all that it knows."""
    if line.protocol in (TCP, UDP):
        return STATES[line.state]
    assert line.state == "OTH"
    return WORKED if line.to_client[0] else FAILED


class Pair(NamedTuple):
    """A connection of Zeek and the flow that holds its packets."""

    capture: str
    theirs: Connection
    ours: Row

    @property
    def key(self) -> str:
        """The ends of our flow, as the tables below name them."""
        return named(self.ours)


def named(flow: Row) -> str:
    return f"{spelled(flow['client'])} > {spelled(flow['server'])}"


def spelled(end: End) -> str:
    return f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"


def key(protocol: int, client: End, server: End) -> tuple[object, ...]:
    """What Zeek and we call the same: for ICMP by request, for SCTP, whose ports it keeps to
    itself, by addresses."""
    if protocol in (ICMP, ICMPV6):
        return protocol, frozenset({client[0], server[0]}), server[1]
    if protocol == SCTP:
        return protocol, frozenset({client[0], server[0]})
    return protocol, frozenset({client, server})


@cache
def matched(data: Path, capture: str) -> tuple[Sequence[Pair], Sequence[Row]]:
    """Every connection that carries no other, with its flow; and the flows that Zeek has not.

    Of several flows between the same ends a connection's is the one it overlaps in time.
    """
    flows: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for flow in load(data / capture)[1]:
        flows[key(flow["protocol"], flow["client"], flow["server"])].append(flow)
    log = zeek_log(data / LOGS[capture])
    tunnels = frozenset().union(*(line.parents for line in log))
    pairs, met = [], set()
    for line in log:
        if line.uid not in tunnels:
            where = key(line.protocol, line.client, line.server)
            pairs.append(Pair(capture, line, overlapping(flows[where], line)))
            met.add(where)
    return pairs, [flow for where in set(flows) - met for flow in flows[where]]


def overlapping(flows: Sequence[Row], line: Connection) -> Row:
    if line.first is None:  # Zeek's test logs come without times
        assert len(flows) == 1
        return flows[0]
    begin, end = line.first * 1e6 - 2, (line.first + line.duration) * 1e6 + 2
    [flow] = [one for one in flows if one["first_us"] <= end and one["last_us"] >= begin]
    return flow


def every(data: Path) -> Iterator[Pair]:
    for capture in LOGS:
        yield from matched(data, capture)[0]


# Flows and connections.

SPLITS = {
    # file, our flow → how many connections Zeek makes of it, and why
    "zeek/Teredo.pcap 192.168.2.16:1576 > 75.126.130.163:80": (
        3,
        "caught in the middle: Zeek begins anew after each FIN or RST of its two ends",
    ),
    "zeek/Teredo.pcap 192.168.2.16:1577 > 75.126.203.78:80": (3, "the same"),
    "zeek/Teredo.pcap 192.168.2.16:1578 > 75.126.203.78:80": (
        2,
        "the server's RST 17 s after the client's: less than the 60 s that we wait after a close",
    ),
    "zeek/Teredo.pcap 192.168.2.16:1920 > 192.168.2.1:53": (
        2,
        "16 s between queries from one port: Zeek's DNS analyzer closes after 10 s, we after 60 s",
    ),
    VAST + "example.pcap.gz 192.168.168.100:61349 > 192.168.168.10:80": (
        2,
        "the client's second try has the sequence number of the first: one attempt, sent twice",
    ),
    VAST + "example.pcap.gz 192.168.168.100:61350 > 192.168.168.10:80": (2, "the same"),
}
ONLY_OURS = {
    # file, our flow → why Zeek has no connection that carries no other
    "zeek/Teredo.pcap 192.168.2.16:3797 > 83.170.1.38:32900": (
        "Teredo bubbles hold no packet: they count to the flow outside"
    ),
    "zeek/Teredo.pcap 192.168.2.16:3797 > 65.55.158.80:3544": "the same",
}


def test_every_connection_is_a_flow_and_every_flow_a_connection(shared_data: Path) -> None:
    split: dict[str, int] = {}
    alone, connections = [], 0
    for capture in LOGS:
        pairs, others = matched(shared_data, capture)
        assert len({pair.theirs.uid for pair in pairs}) == len(pairs)
        counts = Counter(id(pair.ours) for pair in pairs)
        assert len(counts) + len(others) == len(load(shared_data / capture)[1]), capture
        split |= {f"{capture} {pair.key}": counts[id(pair.ours)] for pair in pairs}
        alone += [f"{capture} {named(flow)}" for flow in others]
        connections += len(pairs)
    assert connections == 971
    assert {name: count for name, count in split.items() if count > 1} == {
        name: count for name, (count, _) in SPLITS.items()
    }
    assert sorted(alone) == sorted(ONLY_OURS)


# Direction.

TURNED = {
    "zeek/wikipedia.pcap 141.142.220.235:6705 > 173.192.163.128:80": (
        "a SYN-ACK and nothing else: Zeek takes its sender for the originator; it is the server"
    ),
}


def test_zeeks_originator_is_our_client(shared_data: Path) -> None:
    """On at least 99 of 100 connections, over all captures that Zeek has logged."""
    pairs = list(every(shared_data))
    other = [pair for pair in pairs if pair.theirs.client[0] != pair.ours["client"][0]]
    assert [f"{pair.capture} {pair.key}" for pair in other] == list(TURNED)
    assert 1 - len(other) / len(pairs) >= 0.99
    for pair in pairs:
        if pair not in other and pair.theirs.protocol not in (ICMP, ICMPV6, SCTP):
            assert (pair.ours["client"], pair.ours["server"]) == (
                pair.theirs.client,
                pair.theirs.server,
            )


# What came of it.

STATED = {
    # file, our flow → Zeek's states, our outcome, why they do not say the same
    "zeek/Teredo.pcap 192.168.2.16:1576 > 75.126.130.163:80": (
        "SHR RSTRH",
        "mid-stream",
        "one flow to us, see SPLITS: both ends were seen, the opening was not",
    ),
    "zeek/Teredo.pcap 192.168.2.16:1577 > 75.126.203.78:80": (
        "SHR SH RSTRH",
        "mid-stream",
        "the same",
    ),
    "zeek/Teredo.pcap 192.168.2.16:1578 > 75.126.203.78:80": (
        "RSTRH",
        "established",
        "one flow to us, which had been opened",
    ),
}


def test_states_are_outcomes(shared_data: Path) -> None:
    different: dict[str, tuple[str, str]] = {}
    for pair in every(shared_data):
        outcome = Outcome(pair.ours["outcome"])
        if outcome not in outcomes(pair.theirs):
            name = f"{pair.capture} {pair.key}"
            states = [different[name][0]] if name in different else []
            different[name] = (" ".join([*states, pair.theirs.state]), outcome.text)
    assert different == {name: (states, text) for name, (states, text, _) in STATED.items()}


# Packets, bytes and times.

COUNTED = {
    # file, our flow → our packets and bytes, Zeek's (of all its connections together), why
    "zeek/gtp1_gn_normal_incl_fragmentation.pcap 10.131.47.185:1923 > 79.101.110.141:80": (
        ((28, 3224), (80, 59150)),
        ((27, 3204), (41, 52594)),
        "each later fragment of a GTP datagram is a packet with an IP header of its own; four"
        " datagrams miss theirs, which Zeek then leaves out",
    ),
}
Sums = tuple[tuple[int, int], tuple[int, int]]
"""Packets and IP bytes to the server, and to the client."""


def unseen_by_zeek(path: Path) -> dict[tuple[frozenset[End], End], list[tuple[int, int, bool]]]:
    """Packets of another length than their IP header says, by flow and sender: time, bytes, whether
    Zeek counts the packet at all.

    Recorded on the host itself, packets that the network card was yet to cut into segments
    (TSO, LRO) have the length 0 there, or were cut at 45,430 bytes by the recorder (the sequence
    numbers go on as the header says). Zeek counts no bytes for the former and not even the packet
    for the latter. Plain Ethernet pcap only.
    """
    data = path.read_bytes()
    found = defaultdict(list)
    at = 24
    while at < len(data):
        seconds, micros, captured, size = struct.unpack_from("<IIII", data, at)
        frame = data[at + 16 : at + 16 + captured]
        at += 16 + captured
        if frame[12:14] != b"\x08\0" or frame[23] != TCP:
            continue
        [total] = struct.unpack_from(">H", frame, 16)
        if 0 < total <= size - 14:
            continue
        ports = struct.unpack_from(">HH", frame, 14 + (frame[14] & 15) * 4)
        hosts = (str(ipaddress.ip_address(frame[begin : begin + 4])) for begin in (26, 30))
        sender, receiver = zip(hosts, ports, strict=True)
        packet = seconds * 1_000_000 + micros, total or size - 14, total == 0
        found[frozenset({sender, receiver}), sender].append(packet)
    return found


def as_zeek_counts(flow: Row, unseen: dict[tuple[frozenset[End], End], list[Any]]) -> Sums:
    sums = []
    for sender, to in (("client", "server"), ("server", "client")):
        packets, size = flow[f"packets_to_{to}"], flow[f"bytes_to_{to}"]
        for time, length, counted in unseen.get((flow["ends"], flow[sender]), ()):
            if flow["first_us"] <= time <= flow["last_us"]:
                packets, size = packets - (not counted), size - length
        sums.append((packets, size))
    return sums[0], sums[1]


def total(lines: Iterable[Connection], client: End) -> Sums:
    sums = Counter[tuple[bool, int]]()
    for line in lines:
        turned = line.client[0] != client[0]
        for back, counts in ((turned, line.to_server), (not turned, line.to_client)):
            sums[back, 0] += counts[0]
            sums[back, 1] += counts[1]
    return (sums[False, 0], sums[False, 1]), (sums[True, 0], sums[True, 1])


def test_packets_and_ip_bytes_each_way(shared_data: Path) -> None:
    """Equal to the byte, but for packets whose length is a lie, which are told one by one."""
    different: dict[str, tuple[Sums, Sums]] = {}
    lying = 0
    for capture in LOGS:
        lines = defaultdict(list)
        for pair in matched(shared_data, capture)[0]:
            lines[id(pair.ours)].append(pair)
        unseen = unseen_by_zeek(shared_data / capture) if capture.startswith(APT29) else {}
        lying += sum(map(len, unseen.values()))
        for pairs in lines.values():
            our = as_zeek_counts(pairs[0].ours, unseen)
            theirs = total((pair.theirs for pair in pairs), pairs[0].ours["client"])
            if our != theirs:
                different[f"{capture} {pairs[0].key}"] = (our, theirs)
    assert lying == 319
    assert different == {name: (our, theirs) for name, (our, theirs, _) in COUNTED.items()}


def test_times(shared_data: Path) -> None:
    """Begin and end to 2 µs (Zeek counts in floating point).

    Zeek's end of a connection that both ends closed is before the last acknowledgement, as its
    documentation says; ours is that packet. Where Zeek splits, ours spans them all.
    """
    closed, timed = 0, 0
    for capture in LOGS:
        spans: dict[int, list[Pair]] = defaultdict(list)
        for pair in matched(shared_data, capture)[0]:
            if pair.theirs.first is not None:
                spans[id(pair.ours)].append(pair)
        for pairs in spans.values():
            flow, lines = pairs[0].ours, [pair.theirs for pair in pairs]
            begin = min(line.first for line in lines if line.first is not None)
            end = max(line.first + line.duration for line in lines if line.first is not None)
            assert abs(flow["first_us"] - begin * 1e6) < 2, pairs[0]
            late = flow["last_us"] - end * 1e6
            timed += 1
            if late >= 2:
                closed += 1
                assert lines[-1].state == "SF", pairs[0]
                assert flow["protocol"] == TCP
                assert late < 100_000, pairs[0]
            else:
                assert late > -2, pairs[0]
    assert (timed, closed) == (836, 454)
