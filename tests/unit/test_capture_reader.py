"""Capture files: every format, and everything that can be wrong with one."""

import gzip
import os
import stat
import struct
from pathlib import Path

import craft
import pytest
import zstandard
from craft import T0, Pcapng

from workbench.capture import find_captures, fingerprint, read_capture, records
from workbench.capture.pcap import MAX_CAPTURED
from workbench.model.errors import Cancelled, CaptureError
from workbench.model.traffic import CaptureReport, Progress

PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53)
OTHER = craft.udp4("10.0.0.3", 40001, "10.0.0.2", 53)


def report_of(tmp_path: Path, data: bytes, name: str = "x.pcap") -> CaptureReport:
    path = tmp_path / name
    path.write_bytes(data)
    return read_capture(path, on_flows=lambda flows: None)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("kind", ["micro", "nano", "modified"])
def test_every_pcap_flavour_reads_alike(tmp_path: Path, big: bool, kind: str) -> None:
    data = craft.pcap([PACKET, OTHER], big=big, nano=kind == "nano", modified=kind == "modified")
    report = report_of(tmp_path, data)
    assert (report.packets, report.decoded, report.flows) == (2, 2, 2)
    assert (report.first_us, report.last_us) == (T0, T0 + 1000)
    assert (report.format, report.link_types, report.interfaces) == ("pcap", ("Ethernet",), 1)
    assert report.wire_bytes == len(PACKET) + len(OTHER)
    assert report.problems == ()


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("block", ["enhanced", "obsolete"])
def test_pcapng_packets(tmp_path: Path, big: bool, block: str) -> None:
    file = Pcapng(big).section().interface(snaplen=1500)
    getattr(file, block)(PACKET)
    getattr(file, block)(OTHER, T0 + 5)
    report = report_of(tmp_path, file.data)
    assert (report.packets, report.flows, report.snaplen) == (2, 2, 1500)
    assert (report.first_us, report.last_us) == (T0, T0 + 5)
    assert (report.format, report.problems) == ("pcapng", ())


@pytest.mark.parametrize(
    ("resolution", "ticks"),
    [
        (3, T0 // 1000),
        (6, T0),
        (9, T0 * 1000),
        (0, T0 // 1_000_000),
        (0x80 | 10, T0 * 1024 // 1_000_000),
        (0x80 | 30, (T0 // 1_000_000) << 30),
        (12, 999_999_000_000),  # less than a second after the epoch
        (0x80 | 60, 1 << 59),  # half a second
        (0xFF, 1),
    ],
)
def test_time_resolution(tmp_path: Path, resolution: int, ticks: int) -> None:
    units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    file = Pcapng().section().interface(1, 0, (9, bytes([resolution]))).enhanced(PACKET, ticks)
    report = report_of(tmp_path, file.data)
    assert report.first_us == ticks * 1_000_000 // units
    assert report.problems == ()


def test_time_offset_and_interfaces_and_sections(tmp_path: Path) -> None:
    first = (
        Pcapng()
        .section()
        .interface(1, 96, (14, struct.pack("<q", 3600)))
        .interface(101, 0, (2, b"eth1"), (9, b"\x09"))
        .enhanced(PACKET, T0)
        .enhanced(OTHER[14:], (T0 + 7) * 1000, interface=1)
    )
    second = Pcapng(big=True).section().interface(113).enhanced(bytes(14) + b"\x08\0" + OTHER[14:])
    report = report_of(tmp_path, first.data + second.data)
    assert (report.packets, report.decoded, report.interfaces) == (3, 3, 3)
    assert report.link_types == ("Ethernet", "raw IP", "Linux cooked v1")
    assert (report.first_us, report.last_us) == (T0, T0 + 3_600_000_000)
    assert report.snaplen == 96


def test_time_before_the_epoch_is_clamped_and_said(tmp_path: Path) -> None:
    file = Pcapng().section().interface(1, 0, (14, struct.pack("<q", -(2**62)))).enhanced(PACKET)
    file.enhanced(PACKET, 2**64 - 1)
    report = report_of(tmp_path, file.data)
    assert report.first_us == 0
    assert report.problems == ("2 times before 1970 or after 9999: clamped",)


def test_simple_packets_take_the_time_of_the_one_before(tmp_path: Path) -> None:
    file = Pcapng().section().interface(snaplen=60).enhanced(PACKET).simple(OTHER[:60], wire=900)
    report = report_of(tmp_path, file.data)
    assert (report.packets, report.flows, report.truncated_packets) == (2, 2, 1)
    assert report.first_us == report.last_us == T0
    assert report.problems == (
        "1 packet without a time: given that of the packet before, or the first one's",
    )


def test_packets_without_any_time_say_so_and_no_time_is_made_up(tmp_path: Path) -> None:
    file = Pcapng().section().interface().simple(PACKET).simple(OTHER)
    none = report_of(tmp_path, file.data)
    assert (none.packets, none.flows, none.first_us, none.last_us) == (2, 2, None, None)
    assert none.problems == (
        "2 packets without a time, and none has one: flows are shown at 1970-01-01",
    )
    path = tmp_path / "x.pcap"
    for packet in (file.enhanced(PACKET), file.simple(OTHER)):
        path.write_bytes(packet.data)
        found = read_capture(path, on_flows=lambda flows: None, before=none)
        assert found.first_us == found.last_us == T0
        assert found.recording.captured_bytes == found.wire_bytes > none.wire_bytes


def test_blocks_that_are_no_packets_are_passed_over(tmp_path: Path) -> None:
    file = Pcapng().section().interface().block(4, bytes(40)).block(0xBAD, bytes(3 << 20))
    report = report_of(tmp_path, file.enhanced(PACKET).data)
    assert (report.packets, report.problems) == (1, ())


def test_a_packet_of_an_unknown_interface(tmp_path: Path) -> None:
    file = Pcapng().section().interface().enhanced(PACKET, interface=3).enhanced(PACKET)
    report = report_of(tmp_path, file.data)
    assert report.packets == 1
    assert report.problems == ("1 packet of interfaces that are not described: skipped",)


def test_an_oversized_packet_block_is_skipped_and_said(tmp_path: Path) -> None:
    file = Pcapng().section().interface().enhanced(bytes(MAX_CAPTURED + 100)).enhanced(PACKET)
    report = report_of(tmp_path, file.data)
    assert report.packets == 1
    assert report.problems == (f"1 packet of more than {MAX_CAPTURED:,} bytes: skipped",)


def test_a_broken_block_ends_the_file_and_says_where(tmp_path: Path) -> None:
    good = Pcapng().section().interface().enhanced(PACKET).data
    bad = bytearray(Pcapng().enhanced(OTHER).data)
    bad[-4] ^= 4  # the trailing length differs
    report = report_of(tmp_path, good + bytes(bad) + Pcapng().enhanced(OTHER).data)
    assert report.packets == 1
    assert report.problems == (
        f"stopped at byte {len(good)}: a broken block (type 0x6, length {len(bad)})",
    )
    short = report_of(tmp_path, good + struct.pack("<II", 4, 8) + bytes(20))
    assert short.problems == (f"stopped at byte {len(good)}: a broken block (type 0x4, length 8)",)


def test_several_gigabytes_of_packet_in_pcap(tmp_path: Path) -> None:
    good = craft.pcap([PACKET])
    report = report_of(tmp_path, good + struct.pack("<IIII", 1, 1, 0xFFFFFFFF, 60) + bytes(60))
    assert report.packets == 1
    assert report.problems == (
        f"stopped at byte {len(good)}: a packet cannot be 4294967295 bytes long",
    )


@pytest.mark.parametrize("data", [craft.pcap([PACKET, OTHER])], ids=["pcap"])
def test_pcap_cut_anywhere_keeps_whole_packets(tmp_path: Path, data: bytes) -> None:
    first, second = 24 + 16 + len(PACKET), 24 + 32 + len(PACKET) + len(OTHER)
    assert second == len(data)
    for size in range(24, len(data) + 1):
        report = report_of(tmp_path, data[:size])
        assert report.packets == (size >= first) + (size >= second)
        whole = size in (24, first, second)
        assert bool(report.problems) != whole, size
        if not whole:
            start = first if size > first else 24
            assert report.problems[0].startswith(
                f"cut short: the packet at byte {start} has {size - start} of "
            )


def test_pcapng_cut_anywhere_keeps_whole_packets(tmp_path: Path) -> None:
    file = Pcapng().section().interface()
    ends = [28, len(file.data), len(file.enhanced(PACKET).data), len(file.simple(OTHER).data)]
    for size in range(4, len(file.data) + 1):
        report = report_of(tmp_path, file.data[:size])
        assert report.packets == (size >= ends[2]) + (size >= ends[3])
        cut = [line for line in report.problems if line.startswith("cut short")]
        assert bool(cut) != (size in ends), size


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_files(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    report = report_of(tmp_path, pack(craft.pcap([PACKET] * 100)))
    assert (report.packets, report.problems) == (100, ())
    assert report.format in ("pcap (gzip)", "pcap (zstd)")
    whole = craft.pcap([PACKET] * 100)
    parts = report_of(tmp_path, pack(whole[:1000]) + pack(whole[1000:]))
    assert (parts.packets, parts.problems) == (100, ())


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_compressed_files_cut_short(tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    packed = pack(craft.pcap([os.urandom(60) for _ in range(5000)]))
    report = report_of(tmp_path, packed[: len(packed) // 2])
    assert 1000 < report.packets < 4000
    assert any("cut short" in line for line in report.problems)


def test_corrupt_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(craft.pcap([PACKET] * 3000)))
    packed[-6] ^= 1  # the checksum
    report = report_of(tmp_path, bytes(packed))
    assert report.packets > 2000
    assert report.problems[0].startswith("the gzip data are corrupt")
    packed[len(packed) // 2] ^= 0xFF
    assert report_of(tmp_path, bytes(packed)).problems


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "an empty file, no capture"),
        (b"hello world, how are you", "neither pcap nor pcapng (it begins with 68 65 6c 6c)"),
        (b"\xd4", "it begins with d4"),
        (craft.pcap([])[:20], "a pcap file header cut short at byte 20"),
        (gzip.compress(b"text", mtime=0), "neither pcap nor pcapng inside the gzip data"),
        (gzip.compress(b"text" * 1000, mtime=0)[:15], "gzip data are cut short"),
        (b"\x28\xb5\x2f\xfd" + bytes(30), "no capture"),
    ],
)
def test_what_is_no_capture(tmp_path: Path, data: bytes, problem: str) -> None:
    with pytest.raises(CaptureError) as caught:
        report_of(tmp_path, data)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_capture_is_a_capture(tmp_path: Path) -> None:
    report = report_of(tmp_path, craft.pcap([]))
    assert (report.packets, report.first_us, report.last_us) == (0, None, None)
    assert (report.flows, report.problems) == (0, ())


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mknod(tmp_path / "sock", stat.S_IFSOCK | 0o600)
    for path, kind in (
        (tmp_path, "folder"),
        (Path("/dev/zero"), "device"),
        (tmp_path / "sock", "socket"),
    ):
        with pytest.raises(CaptureError, match=f"a {kind}, not a regular file"):
            read_capture(path, on_flows=lambda flows: None)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="No such file"):
        read_capture(tmp_path / "absent.pcap", on_flows=lambda flows: None)


def test_snap_length_and_odd_lengths_are_reported(tmp_path: Path) -> None:
    data = craft.pcap([PACKET, PACKET, b""], wire=[1500, 10, 60], snaplen=96)
    report = report_of(tmp_path, data)
    assert (report.truncated_packets, report.snaplen, report.wire_bytes) == (2, 96, 1570)
    assert report.problems == ("1 packet with fewer bytes on the wire than were captured",)
    assert report.skipped == {"no bytes captured": 1}


def test_records_gives_the_raw_packets(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(craft.pcap([PACKET, OTHER], wire=[len(PACKET), 2000]))
    assert list(records(path)) == [
        (24, T0, len(PACKET), len(PACKET), 1, PACKET),
        (24 + 16 + len(PACKET), T0 + 1000, 2000, len(OTHER), 1, OTHER),
    ]


def test_packets_larger_than_the_rest_of_the_buffer(tmp_path: Path) -> None:
    big = craft.udp4("10.0.0.1", 1, "10.0.0.2", 53, b"x" * 60_000)
    path = tmp_path / "x.pcap"
    path.write_bytes(craft.pcap([big] * 100))
    seen = [(offset, data == big) for offset, _, _, _, _, data in records(path)]
    assert seen == [(24 + number * (16 + len(big)), True) for number in range(100)]


def test_progress_and_cancel(tmp_path: Path) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(craft.pcap([PACKET] * 50_000))
    told: list[Progress] = []
    read_capture(path, on_flows=lambda flows: None, progress=told.append)
    assert told[-1].fraction == 1.0
    assert told[-1].packets == 50_000
    calls = iter([False, False, True])
    with pytest.raises(Cancelled):
        read_capture(path, on_flows=lambda flows: None, cancelled=lambda: next(calls))


def test_find_captures(tmp_path: Path) -> None:
    names = ["b/site-10.pcap", "b/site-2.pcap.gz", "b/notes.txt", "a.pcapng", "b/c/X.CAP"]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = find_captures([tmp_path / "b"])
    assert [path.name for path in found] == ["X.CAP", "site-2.pcap.gz", "site-10.pcap"]
    assert find_captures([tmp_path / "b" / "notes.txt"]) == (tmp_path / "b" / "notes.txt",)
    assert len(find_captures([tmp_path, tmp_path / "a.pcapng"])) == 4
    assert find_captures([tmp_path / "*.pcapng"]) == (tmp_path / "a.pcapng",)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("absent.pcap", "no such file"), ("*.none", "matches no file"), ("sock", "not a regular")],
)
def test_find_captures_says_why_not(tmp_path: Path, name: str, problem: str) -> None:
    os.mknod(tmp_path / "sock", stat.S_IFSOCK | 0o600)
    with pytest.raises(CaptureError, match=problem):
        find_captures([tmp_path / name])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CaptureError, match="no capture in this folder"):
        find_captures([tmp_path / "empty"])
    with pytest.raises(CaptureError, match="no file was named"):
        find_captures([])


def test_fingerprint_tells_contents_apart(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for size in (0, 10, 3_000_000):
        data = bytearray(os.urandom(size))
        first.write_bytes(data)
        second.write_bytes(data)
        assert fingerprint(first) == fingerprint(second)
        second.write_bytes(bytes(data) + b"x")
        assert fingerprint(first) != fingerprint(second)
        if data:
            data[-1] ^= 1
            second.write_bytes(data)
            assert fingerprint(first) != fingerprint(second)
    with pytest.raises(CaptureError):
        fingerprint(tmp_path / "absent")
