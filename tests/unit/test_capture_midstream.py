"""Real captures as if they had begun too late: without the packets that say who is the client."""

import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from truth import End, load

from workbench.capture import layout
from workbench.capture.decoding import PacketDecoder
from workbench.capture.reader import Reader
from workbench.model.net import TCP, UDP
from workbench.model.traffic import Direction, TcpFlag

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


class FirstOfEach:
    """Whether a UDP packet is the first between its ends."""

    def __init__(self) -> None:
        self._met: set[frozenset[tuple[int, ...]]] = set()

    def __call__(self, packet: Words) -> bool:
        who = packet[layout.PKT_WHO]
        if who >> 32 != UDP or not packet[layout.PKT_PACKETS]:
            return False
        source = (packet[layout.PKT_SRC_HI], packet[layout.PKT_SRC_LO], who >> 16 & 0xFFFF)
        target = (packet[layout.PKT_DST_HI], packet[layout.PKT_DST_LO], who & 0xFFFF)
        ends = frozenset({source, target})
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
