"""Real captures as if less of them had been seen: begun too late, or from where one way passes.

What is left must still say who is the client, or that it does not know.
"""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from truth import End, Row, load

from workbench.capture import layout
from workbench.capture.decoding import PacketDecoder
from workbench.capture.reader import Reader
from workbench.model.net import TCP, UDP, format_address
from workbench.model.traffic import Direction, Outcome, TcpFlag

FOLDERS = ("arkime", "flowlogs/vast-triple", "ics", "lateral/apt29-day2", "lateral/otrf", "zeek")
Words = list[int]
ETHERNET = 1


class Turned(NamedTuple):
    """A flow whose client is taken for the server then."""

    file: str
    client: End
    server: End
    evidence: Direction


def captures(data: Path) -> Iterator[Path]:
    for folder in FOLDERS:
        for path in sorted((data / folder).iterdir()):
            if {".cap", ".pcap", ".pcapng"} & set(path.suffixes) and path.suffix != ".log":
                yield path


def without(path: Path, dropped: Callable[[Words], bool]) -> bytes:
    """The Ethernet frames of a capture, as a pcap file, but those whose packet (see layout) is
    `dropped`."""
    decoder, parts = PacketDecoder(), [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1)]
    with Reader(path) as reader:
        for block in reader.blocks():
            rows = np.zeros((2 * block.count, layout.PACKET_WORDS), np.uint64)
            made = decoder.decode(block.buffer, block.records, block.count, rows.data)
            gone = {row[layout.PKT_OFFSET] for row in rows[:made].tolist() if dropped(row)}
            records = np.asarray(block.records).reshape(-1, layout.RECORD_WORDS)[: block.count]
            for record in records.tolist():
                start, captured, wire, time, link, offset = record[: layout.REC_OFFSET + 1]
                if link == ETHERNET and offset not in gone:
                    head = struct.pack("<IIII", *divmod(time, 1_000_000), captured, wire)
                    parts += [head, bytes(block.buffer[start : start + captured])]
    return b"".join(parts)


def opens(packet: Words) -> bool:
    return packet[layout.PKT_WHO] >> 32 == TCP and bool(packet[layout.PKT_MARKS] & TcpFlag.SYN)


def ends_of(packet: Words) -> tuple[End, End]:
    """Where it comes from and where it goes."""
    who = packet[layout.PKT_WHO]
    source, target = (
        (format_address(packet[at] << 64 | packet[at + 1]), port)
        for at, port in ((layout.PKT_SRC_HI, who >> 16 & 0xFFFF), (layout.PKT_DST_HI, who & 0xFFFF))
    )
    return source, target


class FirstOfEach:
    """Whether a UDP packet is the first between its ends."""

    def __init__(self) -> None:
        self._met: set[frozenset[End]] = set()

    def __call__(self, packet: Words) -> bool:
        who = packet[layout.PKT_WHO]
        if who >> 32 != UDP or not packet[layout.PKT_PACKETS]:
            return False
        ends = frozenset(ends_of(packet))
        first = ends not in self._met
        self._met.add(ends)
        return first


def compared(
    data: Path,
    folder: Path,
    protocol: int,
    weakest: Direction,
    dropped: Callable[[], Callable[[Words], bool]],
) -> tuple[Counter[Direction], list[Turned]]:
    """Flows whose client is known by `weakest` evidence or better, by the evidence that is left
    once packets are dropped; and those that are turned then."""
    evidence: Counter[Direction] = Counter()
    turned = []
    for path in captures(data):
        known: dict[frozenset[End], End] = {
            flow["ends"]: flow["client"]
            for flow in load(path)[1]
            if flow["protocol"] == protocol and flow["direction"] >= weakest
        }
        late = folder / "late.pcap"
        late.write_bytes(without(path, dropped()))
        for flow in load.__wrapped__(late)[1]:
            if flow["protocol"] == protocol and flow["ends"] in known:
                found = Direction(flow["direction"])
                evidence[found] += 1
                if flow["client"] != known[flow["ends"]]:
                    turned.append(Turned(path.name, flow["client"], flow["server"], found))
    return evidence, turned


FROM_LISTED_PORTS = {
    # who opened its connection from a port that services have, to one that none has
    "arkime_synthetic.pcap": (("10.9.14.1", 49701), ("10.9.14.2", 502)),
    "modbus.pcap": (("10.0.0.57", 4446), ("10.0.0.8", 502)),
}


def test_tcp_without_handshakes(shared_data: Path, tmp_path: Path) -> None:
    """Of a thousand connections two are turned, each for its ports."""
    evidence, turned = compared(shared_data, tmp_path, TCP, Direction.SYN, lambda: opens)
    assert evidence == {Direction.WELL_KNOWN: 871, Direction.DEGREE: 134, Direction.FIRST: 9}
    assert {one.file: (one.client, one.server) for one in turned} == FROM_LISTED_PORTS
    assert len(turned) == len(FROM_LISTED_PORTS)


def test_udp_without_first_packets(shared_data: Path, tmp_path: Path) -> None:
    """Whose question is lost is turned only where nothing but its order told: the evidence is
    `first` then, which counts as unknown."""
    evidence, turned = compared(shared_data, tmp_path, UDP, Direction.FIRST, FirstOfEach)
    assert evidence == {Direction.WELL_KNOWN: 498, Direction.DEGREE: 18, Direction.FIRST: 26}
    assert {one.evidence for one in turned} == {Direction.FIRST}
    same_port = [one for one in turned if one.client[1] == one.server[1]]  # NTP, IKE, BACnet
    assert (len(same_port), len(turned)) == (10, 14)


SEEN: dict[str, Counter[tuple[str, str]]] = {
    # seen ways → (outcome of the whole, outcome of what is left) → flows
    "client": Counter(
        {
            ("established", "one-way"): 995,
            ("established", "unanswered"): 366,  # UDP: a question looks like any other
            ("mid-stream", "one-way"): 76,
            ("refused", "unanswered"): 19,
            ("refused", "refused"): 1,  # by an ICMP error, which is no part of the flow
            ("unanswered", "unanswered"): 91,
            ("one-way", "one-way"): 198,
        }
    ),
    "server": Counter(
        {
            ("established", "one-way"): 1356,
            ("established", "unanswered"): 5,  # UDP whose ports tell nothing: an answer asks
            ("mid-stream", "one-way"): 76,
            ("refused", "one-way"): 19,
            ("one-way", "one-way"): 10,
        }
    ),
}


@pytest.mark.parametrize("seen", SEEN)
def test_one_way_of_an_asymmetric_path(shared_data: Path, tmp_path: Path, seen: str) -> None:
    """Only what clients send, or only what servers do: nobody is turned, nothing was answered."""
    results: Counter[tuple[str, str]] = Counter()
    for path in captures(shared_data):
        known = {
            (flow["protocol"], flow["ends"]): flow
            for flow in load(path)[1]
            if flow["protocol"] in (TCP, UDP) and flow["direction"] > Direction.FIRST
        }

        def dropped(packet: Words, known: dict[Any, Row] = known) -> bool:
            source, target = ends_of(packet)
            flow = known.get((packet[layout.PKT_WHO] >> 32, frozenset({source, target})))
            return flow is not None and flow[seen] != source

        half = tmp_path / "half.pcap"
        half.write_bytes(without(path, dropped))
        for flow in load.__wrapped__(half)[1]:
            whole = known.get((flow["protocol"], flow["ends"]))
            if whole is not None:
                before, after = (Outcome(one["outcome"]).text for one in (whole, flow))
                results[before, after] += 1
                if flow["direction"] > Direction.FIRST:
                    assert flow["client"] == whole["client"], (path.name, flow)
    assert results == SEEN[seen]
