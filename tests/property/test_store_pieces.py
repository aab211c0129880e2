"""Traffic cut into files anywhere, loaded in any order, is the traffic of one file."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import craft
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import judge_again, read_capture
from workbench.model.traffic import CaptureReport, Flow, FlowColumns
from workbench.store import FlowQuery, Judge, Store

JUDGE = Judge(judge_again)
FIN, SYN, RST, ACK = craft.FIN, craft.SYN, craft.RST, craft.ACK
HOSTS = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
STARTS = st.integers(0, 300_000_000)
NUMBERS = st.uuids(version=4).map(lambda one: one.int & 0xFFFFFFFF | 1)
Timed = tuple[int, bytes]
"""Microseconds since the epoch, and a packet."""


def segment(source: str, sport: int, target: str, dport: int, flags: int, number: int) -> bytes:
    head = struct.pack(">HHIIBBHHH", sport, dport, number, 1, 0x50, flags, 1000, 0, 0)
    return craft.ether(craft.ipv4(source, target, 6, head))


@st.composite
def connections(draw: st.DrawFn) -> list[Timed]:
    """A TCP connection: refused, unanswered, or used and then closed, reset or left alone.

    Sequence numbers are what tells one of them from the next on the same ports.
    """
    client, server = draw(st.permutations(HOSTS))[:2]
    ports = draw(st.sampled_from(((40_000, 80), (40_001, 80), (50_000, 50_001))))
    numbers = draw(NUMBERS), draw(NUMBERS)
    steps = [(True, SYN)] * draw(st.integers(1, 2))
    ending = draw(st.sampled_from(("silence", "refused", "closed", "reset", "open")))
    if ending == "refused":
        steps.append((False, RST | ACK))
    elif ending != "silence":
        steps += [(False, SYN | ACK), (True, ACK)]
        steps += [(way, ACK) for way in draw(st.lists(st.booleans(), max_size=5))]
        steps += {
            "closed": [(True, FIN | ACK), (False, FIN | ACK), (True, ACK)],
            "reset": [(draw(st.booleans()), RST)],
        }.get(ending, [])
    time = draw(STARTS)
    packets = []
    for to_server, flags in steps:
        ends = (client, ports[0], server, ports[1])
        number = numbers[not to_server] if flags & SYN else 7
        packets.append(
            (time, segment(*(ends if to_server else ends[2:] + ends[:2]), flags, number))
        )
        longest = 3_000_000 if flags & (FIN | RST) else 90_000_000
        time += draw(st.sampled_from((1, 1000, 50_000, longest)))
    return packets


@st.composite
def exchanges(draw: st.DrawFn) -> list[Timed]:
    """UDP or ping between two hosts, with shorter and longer silence."""
    one, other = draw(st.permutations(HOSTS))[:2]
    ports = draw(st.sampled_from(((40_000, 53), (123, 123), (50_000, 50_001))))
    time = draw(STARTS)
    ping = draw(st.booleans())
    packets = []
    for forth in draw(st.lists(st.booleans(), min_size=1, max_size=6)):
        ends = (one, other) if forth else (other, one)
        if ping:
            packet = craft.ether(craft.ipv4(*ends, 1, craft.icmp(8 if forth else 0, 0, 7)))
        else:
            to = ports if forth else ports[::-1]
            packet = craft.udp4(ends[0], to[0], ends[1], to[1])
        packets.append((time, packet))
        time += draw(st.sampled_from((1, 5_000_000, 59_000_000, 62_000_000)))
    return packets


@st.composite
def traffic(draw: st.DrawFn) -> list[Timed]:
    """Up to ten of them at once, no two packets at the same time."""
    packets: list[Timed] = []
    free: dict[bytes, int] = {}  # ends → when a connection between them is over
    for part in draw(st.lists(connections() | exchanges(), min_size=1, max_size=10)):
        ends = bytes(
            sum(pair) % 256 for pair in zip(part[0][1][26:30], part[0][1][30:34], strict=True)
        )
        later = max(0, free.get(ends, 0) - part[0][0])
        packets += [(time + later, packet) for time, packet in part]
        free[ends] = part[-1][0] + later + 1
    packets.sort(key=lambda one: one[0])
    return [(craft.T0 + time + at, packet) for at, (time, packet) in enumerate(packets)]


def pcap(packets: Sequence[Timed]) -> bytes:
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)]
    for time, packet in packets:
        size = len(packet)
        parts += [struct.pack("<IIII", time // 1_000_000, time % 1_000_000, size, size), packet]
    return b"".join(parts)


Read = tuple[CaptureReport, list[FlowColumns]]


def read(folder: Path, name: str, packets: Sequence[Timed]) -> Read:
    path = folder / f"{name}.pcap"
    path.write_bytes(pcap(packets))
    batches: list[FlowColumns] = []
    report = read_capture(path, on_flows=batches.append)
    return replace(report, fingerprint=name), batches


def load(store: Store, captures: Sequence[Read]) -> None:
    with store.load(JUDGE) as job:
        for report, batches in captures:
            number = job.begin(report.path, report.fingerprint)
            for columns in batches:
                job.flows(number, columns)
            job.finish(number, report)


def flows(store: Store) -> list[Flow]:
    """All flows in order of time, without what depends on the files."""
    with store.flow_view(FlowQuery()) as view:
        found = view.page(0, view.total)
    bare = {"id": 0, "capture": 0, "first_offset": 0, "last_offset": 0}
    return [replace(flow, **bare) for flow in found]


@settings(max_examples=25, deadline=None)
@given(traffic(), st.data())
def test_files_cut_anywhere_and_loaded_in_any_order_are_one(
    packets: list[Timed], data: st.DataObject
) -> None:
    borders = data.draw(st.lists(st.integers(1, max(1, len(packets) - 1)), max_size=5, unique=True))
    edges = [0, *sorted(borders), len(packets)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "whole.duckdb") as store:
            load(store, [read(folder, "whole", packets)])
            whole, conversations = flows(store), len(store.conversations(store.hosts()))
        parts = [
            read(folder, f"{begin}", packets[begin:end])
            for begin, end in pairwise(edges)
            if begin < end
        ]
        parts = data.draw(st.permutations(parts))
        first = data.draw(st.integers(0, len(parts)))
        with Store.open(folder / "parts.duckdb") as store:
            load(store, parts[:first])
            load(store, parts[first:])
            assert flows(store) == whole
            assert len(store.conversations(store.hosts())) == conversations
            assert store.vantages() == ()
            sought = store.pieces(range(1, 500)).values()
            assert len(sought) == len(whole)
            assert all(
                read_ == sorted(read_, key=lambda one: parts[one[0] - 1][0].first_us or 0)
                for read_ in map(list, sought)
            )


def read_growing(folder: Path, store: Store, packets: Sequence[Timed], edges: list[int]) -> None:
    """Load a file that has so many packets each time it is looked at."""
    path, before = folder / "growing.pcap", None
    for size in edges:
        path.write_bytes(pcap(packets[:size]))
        batches: list[FlowColumns] = []
        report = read_capture(path, on_flows=batches.append, before=before)
        with store.load(JUDGE) as job:
            if before is None:
                job.begin(report.path, report.fingerprint)
            else:
                job.extend(1)
            for columns in batches:
                job.flows(1, columns)
            job.finish(1, report)
        [before] = store.captures()


@settings(max_examples=25, deadline=None)
@given(traffic(), st.data())
def test_a_file_read_in_several_goes_holds_what_one_reading_finds(
    packets: list[Timed], data: st.DataObject
) -> None:
    borders = data.draw(st.lists(st.integers(1, max(1, len(packets) - 1)), max_size=5, unique=True))
    with TemporaryDirectory() as name:
        folder = Path(name)
        with Store.open(folder / "whole.duckdb") as store:
            load(store, [read(folder, "whole", packets)])
            [whole], shares = store.captures(), store.flow_shares()
        with Store.open(folder / "goes.duckdb") as store:
            read_growing(folder, store, packets, sorted({*borders, len(packets)}))
            [found] = store.captures()
            assert (found.packets, found.flows) == (whole.packets, whole.flows)
            assert store.flow_shares() == shares
            assert shares[1].total.flows == whole.flows
