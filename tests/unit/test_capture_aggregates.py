"""Several packets in one 802.11 frame (A-MSDU), against tshark."""

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import craft
import craft_layers as layers
import numpy as np
import pytest
from craft import SYN, ipv4, ipv6, tcp, udp
from truth import load

from tests.unit.test_capture_dissect import flows_in
from workbench.capture import layout, packets_of, save_packets
from workbench.capture.aggregates import unfolded
from workbench.capture.reader import ROOM, Block
from workbench.model.packets import Piece

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"
SENT = (
    (0x0800, ipv4(A, B, 6, tcp(40000, 445, SYN))),
    (0x0800, ipv4(A, C, 17, udp(40001, 9, b"a question"))),
    (0x86DD, ipv6("fd00::1", "fd00::2", 6, tcp(40002, 443, SYN))),
    (0x0800, ipv4(A, B, 6, tcp(40000, 445, 24, b"data"))),
)
ARP = (0x0806, bytes(28))
LARGE = (0x0800, ipv4(A, C, 17, udp(40001, 9, bytes(1800))))
"""More than Ethernet has, and than a length there may say."""
FRAMES: dict[int, Callable[[bytes], bytes]] = {
    105: bytes,
    119: layers.prism,
    127: layers.radiotap,
    163: layers.avs,
    192: lambda frame: layers.per_packet(frame, 105),
    113: lambda frame: layers.cooked(frame, 801),
    276: lambda frame: layers.cooked(layers.radiotap(frame), 803, version=2),
    258: lambda frame: layers.pktap(layers.radiotap(frame), 127),
    149: lambda frame: layers.pktap(layers.cooked(frame, 801), 113),
}


def flows(path: Path) -> Counter[tuple[str, int, str, int, int, int]]:
    return Counter(
        {
            (*row["client"], *row["server"], row["packets_to_server"], row["bytes_to_server"]): 1
            for row in load(path)[1]
        }
    )


@pytest.mark.parametrize("link", FRAMES)
def test_every_packet_of_an_aggregate_counts(tmp_path: Path, link: int) -> None:
    path = tmp_path / "a.pcap"
    whole = FRAMES[link](layers.amsdu(*SENT, ARP, LARGE))
    path.write_bytes(craft.pcap([whole, FRAMES[link](layers.wifi(SENT[0][1]))], link=link))
    report, _ = load(path)
    assert flows(path) == Counter(
        {
            (A, 40000, B, 445, 3, 40 + 44 + 40): 1,
            (A, 40001, C, 9, 2, 38 + 1828): 1,
            ("fd00::1", 40002, "fd00::2", 443, 1, 60): 1,
        }
    )
    assert (report.packets, report.decoded, report.skipped) == (7, 6, {"ARP": 1})
    assert not report.truncated_packets


def test_other_packets_of_a_cooked_capture_are_as_they_were(tmp_path: Path) -> None:
    path, alone = tmp_path / "a.pcap", tmp_path / "b.pcap"
    plain = [layers.cooked(packet, 1, kind) for kind, packet in SENT]
    several = layers.cooked(layers.amsdu(SENT[1], SENT[1]), 801)
    path.write_bytes(craft.pcap([*plain, several, *plain], link=113))
    alone.write_bytes(craft.pcap(plain * 2, link=113))
    assert load(path)[0].packets == load(alone)[0].packets + 2
    told, before = flows(path), flows(alone)
    assert told - before == Counter({(A, 40001, C, 9, 4, 152): 1})
    assert before - told == Counter({(A, 40001, C, 9, 2, 76): 1})


@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
@pytest.mark.parametrize("fcs", [False, True])
def test_tshark_sees_the_same_packets(tmp_path: Path, fcs: bool) -> None:
    path = tmp_path / "a.pcap"
    aggregates = [layers.amsdu(*SENT[:n], LARGE, *SENT[n:], fcs=fcs) for n in range(4)]
    path.write_bytes(craft.pcap(aggregates, link=105))
    command = ["tshark", "-o", f"wlan.check_checksum:{fcs}", "-r", str(path), "-T", "fields"]
    fields = [part for name in ("ip.src", "ip.dst", "ip.len", "ipv6.dst") for part in ("-e", name)]
    told = subprocess.run([*command, *fields], capture_output=True, text=True, check=True).stdout
    theirs: Counter[str] = Counter()
    for line in told.splitlines():
        _, targets, sizes, targets6 = (part.split(",") for part in line.split("\t"))
        for target, size in zip(targets, map(int, sizes), strict=True):
            theirs.update({target: size})
        theirs.update(dict.fromkeys(targets6, 60))
    ours: Counter[str] = Counter()
    for row in load(path)[1]:
        ours[row["server"][0]] += row["bytes_to_server"]
    assert ours == theirs


def test_a_record_of_several_packets_is_shown_and_saved_once(tmp_path: Path) -> None:
    path, out = tmp_path / "a.pcap", tmp_path / "out.pcapng"
    whole = layers.amsdu(*SENT, SENT[2])
    path.write_bytes(craft.pcap([layers.wifi(LARGE[1]), whole, whole], link=105))
    flow = next(flow for flow in flows_in(path) if flow.server_port == 443)
    assert flow.packets_to_server == 4 and flow.first_us == craft.T0 + 1000
    pieces = [Piece(path, flow.first_offset, flow.last_offset)]
    packets = packets_of(flow, pieces)
    assert [packet.raw for packet in packets] == [whole, whole]
    assert [layer.name for layer in packets[0].layers][:3] == ["802.11", "IPv6", "TCP"]
    assert packets[0].layers[1].start == whole.index(SENT[2][1])
    save_packets({flow: pieces}, out)
    assert load(out)[0].packets == 10


@pytest.mark.parametrize(
    ("frame", "packets", "skipped"),
    [
        (layers.amsdu(*SENT)[:70], 1, {"cut before the ports": 1}),
        (layers.amsdu(*SENT)[:108], 2, {"cut inside the link header": 1}),
        (layers.amsdu(*SENT)[:34], 1, {"cut inside the link header": 1}),
        (layers.amsdu(fcs=False) + bytes(1400), 87, {"cut inside the link header": 87}),
        (b"\x88\x41" + layers.amsdu(*SENT)[2:], 1, {"802.11, encrypted": 1}),
    ],
    ids=["ports", "second link header", "link header", "zeros", "encrypted"],
)
def test_what_is_cut_or_hostile_is_counted(
    tmp_path: Path, frame: bytes, packets: int, skipped: dict[str, int]
) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(craft.pcap([frame], link=105))
    report, _ = load(path)
    assert (report.packets, report.skipped) == (packets, skipped)
    assert report.decoded == packets - sum(skipped.values())


def test_hostile_aggregates_make_more_blocks_not_larger_ones() -> None:
    frame = layers.amsdu(fcs=False) + bytes(14 * 4096)
    records = np.zeros((32, layout.RECORD_WORDS), np.uint64)
    records[:, :6] = [(0, len(frame), len(frame), row, 105, 7 * row) for row in range(32)]
    buffer = np.frombuffer(frame, np.uint8).copy().data
    parts = list(unfolded(Block(buffer, records.data, 32, wireless=True)))
    assert [part.count for part in parts[:-1]] == [ROOM] * (len(parts) - 1)
    made = np.concatenate([np.asarray(part.records)[: part.count] for part in parts])
    assert len(made) == 32 * (len(frame) - 26) // 16
    ends = made[:, layout.REC_START] + made[:, layout.REC_CAPLEN]
    assert ends.max() <= len(frame) and (np.diff(made[:, layout.REC_OFFSET]) >= 0).all()
