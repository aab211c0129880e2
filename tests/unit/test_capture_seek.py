"""A flow's packets are sought from its first offset on, and saved as a capture of their own."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.test_capture_dissect import DEMO, flows_in, one_flow, whole
from workbench.capture import packets_of, reader, records, save_packets
from workbench.capture.cut import pcapng
from workbench.capture.reader import Reader
from workbench.capture.single import Found, flow_records
from workbench.model.errors import Cancelled, CaptureError, InputError
from workbench.model.net import TCP, UDP
from workbench.model.packets import Piece
from workbench.model.traffic import Flow, Progress

SECOND = 1_700_000_000


def frame(port: int, payload: bytes = b"x", *, back: bool = False) -> bytes:
    """Ethernet, IPv4, UDP between 10.0.0.1:port and 10.0.0.2:53."""
    ends = [(b"\x0a\0\0\1", port), (b"\x0a\0\0\2", 53)]
    (source, sport), (target, dport) = reversed(ends) if back else ends
    udp = struct.pack(">4H", sport, dport, 8 + len(payload), 0) + payload
    return ethernet(source, target, udp, 0)


def ethernet(source: bytes, target: bytes, body: bytes, fragment: int, ident: int = 7) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), ident, fragment, 64, 17, 0)
    return bytes(12) + b"\x08\x00" + head + source + target + body


def pcap(frames: Sequence[bytes], *, nano: bool = False, step: int = 1) -> bytes:
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    head = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 65535, 1)
    return head + b"".join(
        struct.pack("<4I", SECOND + at // 1000, at % 1000 * step, len(one), len(one) + 4) + one
        for at, one in enumerate(frames)
    )


def section(resolution: int) -> bytes:
    """A pcapng section header and one Ethernet interface."""
    option = struct.pack("<HHB3xI", 9, 1, resolution, 0)
    interface = struct.pack("<IIHHI", 1, 28 + 4, 1, 0, 0) + option + struct.pack("<I", 32)
    return struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28) + interface


def enhanced(data: bytes, ticks: int) -> bytes:
    body = struct.pack("<5I", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)) + data
    body += bytes(-len(body) % 4)
    return struct.pack("<II", 6, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def flow_of(path: Path, port: int) -> Flow:
    return next(flow for flow in flows_in(path) if flow.client_port == port)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that these captures have many."""
    monkeypatch.setattr(reader, "ROOM", 8192)


class Blocks:
    """Offsets of the blocks that readers gave."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first: list[int] = []
        blocks = Reader.blocks

        def spied(reader: Reader):  # type: ignore[no-untyped-def]
            for block in blocks(reader):
                self.first.append(int(block.records[0, 5]))
                yield block

        monkeypatch.setattr(Reader, "blocks", spied)


def test_what_comes_before_a_flow_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.pcap"
    frames = [frame(1000 + at % 9000) for at in range(30_000)]
    path.write_bytes(pcap([*frames, frame(60_000), frame(60_000, back=True), *frames]))
    flow = flow_of(path, 60_000)
    seen = Blocks(monkeypatch)
    assert len(packets_of(flow, whole(path, flow))) == 2
    assert seen.first == [flow.first_offset]
    cut = tmp_path / "long.pcapng"
    cut.write_bytes(pcapng(Found(1, 50, 1, one, True) for one in [*frames, frame(60_000)]))
    flow = flow_of(cut, 60_000)
    seen.first.clear()
    assert len(packets_of(flow, whole(cut, flow))) == 1
    assert seen.first[-1] == flow.first_offset and len(seen.first) == 2


def test_a_later_section_with_another_clock_is_reached_the_long_way(tmp_path: Path) -> None:
    """Interface 0 of the second section counts nanoseconds, that of the first microseconds."""
    path = tmp_path / "two.pcapng"
    moment = SECOND * 10**9 + 123_456_789
    one, two = enhanced(frame(1), SECOND * 10**6), enhanced(frame(2), moment)
    path.write_bytes(section(6) + one + section(9) + two)
    flow = flow_of(path, 2)
    assert flow.first_us == moment // 1000
    [found] = flow_records(flow, whole(path, flow))
    assert (found.time_us, found.beyond) == (moment // 1000, 789)


@pytest.mark.parametrize(("nano", "beyond"), [(False, 0), (True, 7)])
def test_packed_captures_are_sought_in_too(tmp_path: Path, nano: bool, beyond: int) -> None:
    import gzip

    path = tmp_path / "packed.pcap.gz"
    path.write_bytes(gzip.compress(pcap([frame(at) for at in range(9000)], nano=nano, step=7)))
    flow = flow_of(path, 8001)
    [found] = flow_records(flow, whole(path, flow))
    assert found.data == frame(8001) and found.wire == len(found.data) + 4
    assert (found.beyond, found.source) == (beyond, path.name)


def test_fragments_belong_to_their_flow_in_any_order(tmp_path: Path) -> None:
    a, b = b"\x0a\0\0\1", b"\x0a\0\0\2"
    udp = struct.pack(">4H", 4000, 53, 8 + 16, 0)
    first, last = ethernet(a, b, udp + b"ab345678", 0x2000), ethernet(a, b, b"12345678", 2)
    other = ethernet(a, b, b"strange!", 2, ident=9)
    path = tmp_path / "fragments.pcap"
    path.write_bytes(pcap([frame(4000), last, other, first, first, last]))
    flow = flow_of(path, 4000)
    assert flow.packets_to_server == 5
    found = [record.data for record in flow_records(flow, whole(path, flow))]
    assert found == [frame(4000), last, first, first, last]


def test_pieces_are_read_one_after_the_other(tmp_path: Path) -> None:
    pieces = []
    for at, count in enumerate((2, 3)):
        path = tmp_path / f"ring-{at}.pcap"
        path.write_bytes(pcap([frame(9), *[frame(5, bytes([at]))] * count, frame(9)]))
        flow = flow_of(path, 5)
        pieces.append(Piece(path, flow.first_offset, flow.last_offset))
    found = list(flow_records(flow, pieces))
    assert [one.source for one in found] == ["ring-0.pcap"] * 2 + ["ring-1.pcap"] * 3
    saved = save_packets({flow: pieces}, tmp_path / "both.pcapng")
    assert saved.packets == 5 and saved.size == saved.path.stat().st_size
    with Reader(saved.path) as reader:
        assert sum(block.count for block in reader.blocks()) == 5 and reader.interfaces == 2


def test_it_tells_how_far_it_is_and_stops_when_told(tmp_path: Path) -> None:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap([frame(5), *[frame(6, bytes(1000))] * 20_000, frame(5)]))
    flow = flow_of(path, 5)
    told: list[Progress] = []
    stop = iter([False] * 4)
    with pytest.raises(Cancelled):
        list(flow_records(flow, whole(path, flow), told.append, lambda: next(stop, True)))
    saved = tmp_path / "cut.pcapng"
    with pytest.raises(Cancelled):
        save_packets({flow: whole(path, flow)}, saved, cancelled=lambda: True)
    assert sorted(tmp_path.iterdir()) == [path]
    assert all(0 <= one.fraction <= 1 and one.label == "long.pcap" for one in told)


def tshark(path: Path, *fields: str) -> list[list[str]]:
    arguments = [word for field in fields for word in ("-e", field)]
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_tshark_reads_what_was_saved(tmp_path: Path) -> None:
    source = tmp_path / "nano\x1b[31m.pcap"
    source.write_bytes(pcap([frame(at % 3) for at in range(1, 900)], nano=True, step=1_001_001))
    flow = flow_of(source, 2)
    saved = save_packets({flow: whole(source, flow)}, tmp_path / "cut.pcapng")
    assert saved.packets == flow.packets_to_server
    told = tshark(saved.path, "frame.time_epoch", "frame.len", "frame.cap_len", "udp.srcport")
    size = len(frame(2))
    assert told == [
        [f"{SECOND}.{at * 1_001_001:09}", str(size + 4), str(size), "2"] for at in range(1, 899, 3)
    ]
    content = saved.path.read_bytes()
    assert b"10.0.0.1 \xe2\x86\x92 10.0.0.2 udp/53, cut from nano\xc2\xb7[31m.pcap" in content
    assert b"\x1b" not in content[:200]


def test_links_and_late_times_are_kept(tmp_path: Path) -> None:
    late = 200_000_000_000_000_000  # the year 8307, beyond 64 bits of nanoseconds
    made = [
        Found(late, 99, 1, frame(1), True),
        Found(late + 5, 60, 101, frame(1)[14:], True),
        Found(7, 60, 1, frame(1), True, beyond=999),
    ]
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(pcapng(made))
    assert [(row[1], row[2], row[4], row[5]) for row in records(path)] == [
        (one.time_us, one.wire, one.link, one.data) for one in made
    ]
    flow = flow_of(path, 1)
    assert sorted(flow_records(flow, whole(path, flow)), key=lambda one: one.link)[-1].beyond == 0


def test_several_flows_in_one_pass(tmp_path: Path) -> None:
    flows = [flow for flow in flows_in(DEMO) if flow.server_port == 445][:40]
    saved = save_packets({flow: whole(DEMO, flow) for flow in flows}, tmp_path / "smb.pcapng")
    assert saved.flows == 40
    assert saved.packets == sum(one.packets_to_server + one.packets_to_client for one in flows)
    assert {(one.client_port, one.packets_to_server) for one in flows_in(saved.path)} == {
        (one.client_port, one.packets_to_server) for one in flows
    }
    times = [row[1] for row in records(saved.path)]
    assert times == sorted(times)


def test_nothing_is_written_over_unasked(tmp_path: Path) -> None:
    flow = one_flow(DEMO, UDP, 53)
    wanted = {flow: whole(DEMO, flow)}
    there = tmp_path / "there.pcapng"
    there.write_text("precious")
    with pytest.raises(InputError, match="is there already"):
        save_packets(wanted, there)
    assert there.read_text() == "precious"
    assert save_packets(wanted, there, replace=True).packets == 2
    link = tmp_path / "link.pcapng"
    link.symlink_to(there)
    for path, problem in (
        (link, "not a regular file"),
        (tmp_path, "not a regular file"),
        (tmp_path / "no" / "folder.pcapng", "No such file"),
    ):
        with pytest.raises(InputError, match=problem):
            save_packets(wanted, path, replace=True)
    assert sorted(tmp_path.iterdir()) == [link, there]


def test_captures_are_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "site.pcap"
    path.write_bytes(pcap([frame(5)]))
    flow = flow_of(path, 5)
    other = tmp_path / "other.pcap"
    other.write_bytes(b"precious")
    for capture in path, other:
        with pytest.raises(InputError, match="is a capture of this workspace"):
            save_packets({flow: whole(path, flow)}, capture, replace=True, keep=[other])
    assert other.read_bytes() == b"precious"
    path.write_bytes(pcap([frame(6)]))
    with pytest.raises(CaptureError, match="none of the packets"):
        save_packets({flow: whole(path, flow)}, tmp_path / "cut.pcapng")
    assert sorted(tmp_path.iterdir()) == [other, path]


def test_a_tcp_flow_keeps_its_story(tmp_path: Path) -> None:
    flow = one_flow(DEMO, TCP, 445)
    saved = save_packets({flow: whole(DEMO, flow)}, tmp_path / "cut.pcapng")
    [again] = flows_in(saved.path)
    assert (again.outcome, again.bytes_to_client) == (flow.outcome, flow.bytes_to_client)
