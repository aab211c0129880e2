"""What counts as the same packet again, and what a capture's report says of its recording."""

from pathlib import Path

import numpy as np
import pytest
from craft import T0, ether, ipv4, ipv6, pcap, tcp, tcp4, udp

from workbench.capture import layout, read_capture
from workbench.capture.tally import ALL, NEAR, Tally
from workbench.model.traffic import CaptureReport

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
INNER = [ether(ipv4(A, B, 6, tcp(port, 22), ident=0)) for port in (40000, 40001)]


def vxlan(frame: bytes) -> bytes:
    """Outer header with neither identification nor checksum, as Linux writes it."""
    return ether(ipv4("192.0.2.1", "192.0.2.2", 17, udp(55555, 4789, b"\x08" + bytes(7) + frame)))


def report(path: Path, packets: list[bytes], **kind: int) -> CaptureReport:
    path.write_bytes(pcap(packets, **kind))  # type: ignore[arg-type]
    return read_capture(path, on_flows=lambda _: None)


def routed(packet: bytes) -> bytes:
    """One hop on: time to live and header checksum change, the traffic class may."""
    at = 14
    changed = bytearray(packet)
    if packet[at] >> 4 == 4:
        changed[at + 1] = 0x28
        changed[at + 8] -= 1
        changed[at + 10 : at + 12] = b"\xab\xcd"
    else:
        changed[at] |= 2
        changed[at + 7] -= 1
    return bytes(changed)


TCP4, TCP6 = tcp4(A, 40000, B, 445, data=b"x" * 50), ether(ipv6(A6, B6, 6, tcp(4, 5)), 0x86DD)
SAME = {
    "the very same": (TCP4, TCP4),
    "one router on": (TCP4, routed(TCP4)),
    "one router on, IPv6": (TCP6, routed(TCP6)),
    "tagged on the way": (TCP4, ether(TCP4[14:], tags=[(0x8100, 7)])),
    "padded to a frame": (tcp4(A, 1, B, 2), tcp4(A, 1, B, 2) + bytes(6)),
    "captured shorter": (TCP4, TCP4[:60]),
}
OTHER = {
    "sent again": (TCP4, ether(ipv4(A, B, 6, tcp(40000, 445, data=b"x" * 50), ident=9))),
    "other ports": (TCP6, ether(ipv6(A6, B6, 6, tcp(4, 6)), 0x86DD)),
    "another packet in the tunnel": (vxlan(INNER[0]), vxlan(INNER[1])),
    "deeper in tunnels": tuple(vxlan(vxlan(frame)) for frame in INNER),
    "the other way": (tcp4(A, 1, B, 2), tcp4(B, 2, A, 1)),
    "another fragment": tuple(
        ether(ipv4(A, B, 17, b"f" * 32, ident=3, offset=offset, more=True)) for offset in (32, 64)
    ),
}


@pytest.mark.parametrize("name", [*SAME, *OTHER])
def test_the_same_packet_again(tmp_path: Path, name: str) -> None:
    first, second = (SAME | OTHER)[name]
    made = report(tmp_path / "two.pcap", [first, second], step=50).recording
    assert (made.compared, made.copies) == (2, int(name in SAME)), name


def test_a_copy_comes_within_milliseconds(tmp_path: Path) -> None:
    for step, copies in ((1000 * (NEAR - 2), 1), (1024 * (NEAR + 1), 0)):
        made = report(tmp_path / f"{step}.pcap", [TCP4, TCP4], step=step).recording
        assert made.copies == copies, step


def test_of_many_packets_some_are_compared() -> None:
    rows = np.zeros((2 * ALL, layout.RECORD_WORDS), np.uint64)
    rows[:, layout.REC_CAPLEN] = len(TCP4) - 14
    rows[:, layout.REC_TIME] = np.arange(2 * ALL) * 1_000_000
    for size in (ALL, 1000):  # in stretches that blocks need not know of
        tally = Tally()
        for at in range(0, 2 * ALL, size):
            part = np.ascontiguousarray(rows[at : at + size])
            tally.add(memoryview(bytearray(TCP4[14:])), part.data, len(part))
        assert tally.compared == ALL + ALL // 8


def test_the_report_of_a_recording(tmp_path: Path) -> None:
    packets = [tcp4(A, port, B, 80) for port in range(1000, 1100)]
    made = report(tmp_path / "plain.pcap", packets, step=50_000)
    recording = made.recording
    assert recording.captured_bytes == made.wire_bytes == 100 * len(packets[0])
    assert sum(recording.activity) == 100 and recording.bucket_us == 128_000
    assert [gap.length_us for gap in recording.gaps] == [50_000] * 8
    assert recording.gaps[0].start_us == T0
    assert (recording.steps_back, recording.step_back_at_us) == (0, None)
    back = report(tmp_path / "back.pcap", packets[:5], step=-2_000_000).recording
    assert (back.steps_back, back.step_back_us, back.step_back_at_us) == (4, 2_000_000, T0)


def test_an_empty_capture_has_nothing_to_say(tmp_path: Path) -> None:
    made = report(tmp_path / "empty.pcap", [])
    assert made.first_us is None and made.recording.gaps == made.recording.activity == ()


def test_real_copies(shared_data: Path) -> None:
    """Two frames as a trunk carried them, each recorded twice; a host's own capture has none."""
    for name, compared, copies in (("zeek/q-in-q.pcap", 4, 2), ("zeek/vxlan.pcap", None, 0)):
        made = read_capture(shared_data / name, on_flows=lambda _: None).recording
        assert made.copies == copies, name
        assert compared in (None, made.compared)
