"""Hostile captures through the real command line: one clear line, bounded time and memory.

What the reader makes of each oddity is in tests/unit/test_capture_*.py; this is what a user sees.
"""

import gzip
import os
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import craft
import numpy as np
import pytest
import zstandard
from commandline import ROOT, Done, Run
from craft import Pcapng

from workbench.capture.engine import MAX_FLOWS

PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53)
GOOD = craft.pcap([PACKET])
PEAK = 600
"""MB that a load may take at its peak, whatever it is given."""


@dataclass(frozen=True)
class Measured(Done):
    peak: float
    """MB of memory."""


_LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


def measured(*arguments: object) -> Measured:
    """The command line, and the most memory that it had.

    Started by a small process: what a process had before it became another one counts too.
    """
    command = [sys.executable, "-c", _LAUNCHER, sys.executable, "-m", "workbench"]
    command += map(str, arguments)
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    told, _, peak = done.stderr.rstrip().rpartition("\n")
    assert "Traceback" not in told, told
    return Measured(done.returncode, done.stdout, told, int(peak) / 1024)


def deflated(pieces: Iterator[bytes]) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join([packer.compress(piece) for piece in pieces]) + packer.flush()


def fine(text: str) -> bool:
    """Nothing in it steers a terminal."""
    return all(line.isprintable() for line in text.split("\n"))


# What is no capture: exit code 2, one line, nothing loaded


def _gzip_in_gzip() -> bytes:
    return gzip.compress(gzip.compress(GOOD))


def _wide_zstd() -> bytes:
    """A frame that asks for a window of 2 GB (RFC 8878 section 3.1.1.1.2)."""
    return b"\x28\xb5\x2f\xfd\0" + bytes([21 << 3]) + b"\x03\x80\0" + b"a"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.pcap", b"", "empty"),
        ("text.pcap", b"#!/bin/sh\nrm -rf /\n", "neither pcap nor pcapng"),
        ("zeros.pcap", bytes(5000), "neither pcap nor pcapng"),
        ("short.pcap", GOOD[:11], "cut short"),
        ("nested.pcap.gz", _gzip_in_gzip(), "gzip"),
        ("cut.pcap.gz", gzip.compress(GOOD)[:12], "cut short"),
        ("bad.pcap.zst", b"\x28\xb5\x2f\xfd" + bytes(range(60)), "zstd"),
        ("wide.pcap.zst", _wide_zstd(), "zstd"),
        ("zip.pcap", b"PK\x03\x04" + bytes(30), "zip"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value else "",
)
def test_no_capture(workbench: Run, tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = workbench("ingest", tmp_path / "site", path)
    assert done.status == 2
    assert str(path) in done.error
    assert words in done.error
    assert done.out == ""


def test_what_is_no_capture_keeps_nobody_from_the_others(workbench: Run, tmp_path: Path) -> None:
    folder, site = tmp_path / "captures", tmp_path / "site"
    folder.mkdir()
    (folder / "1.pcap").touch()
    (folder / "2.pcap").write_bytes(GOOD)
    (folder / "3.pcap").write_text("a letter")
    (folder / "4.pcap").write_bytes(GOOD + GOOD[24:])
    done = workbench("ingest", site, folder, "--format", "json")
    assert done.status == 2
    assert [Path(one["path"]).name for one in done.json] == ["2.pcap", "4.pcap"]
    empty, text = done.err.splitlines()
    assert empty == f"{folder / '1.pcap'}: an empty file, no capture; left out"
    assert text.startswith(f"{folder / '3.pcap'}: no capture: neither pcap nor pcapng")
    (folder / "2.pcap").unlink()
    (folder / "4.pcap").unlink()
    again = workbench("ingest", site, folder)
    assert again.status == 2 and again.err.count("; left out\n") == 2
    assert len(workbench("captures", site, "--format", "json").json) == 2


def test_bombs_that_hold_no_capture_end_at_once(tmp_path: Path) -> None:
    zeros = tmp_path / "zeros.pcap.zst"
    zeros.write_bytes(zstandard.ZstdCompressor().compress(bytes(1 << 28)))
    done = measured("ingest", tmp_path / "site", zeros)
    assert done.status == 2
    assert "neither pcap nor pcapng" in done.error
    assert done.peak < PEAK


def test_what_is_no_regular_file(workbench: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.pcap").mkdir()
    (tmp_path / "dangling.pcap").symlink_to(tmp_path / "gone")
    (tmp_path / "loop.pcap").symlink_to(tmp_path / "loop.pcap")
    os.mkfifo(tmp_path / "silent.pcap")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.pcap"))
        for path, words in {
            "/dev/zero": "not a regular file",
            "/dev/null": "not a regular file",
            tmp_path / "folder.pcap": "no capture in this folder",
            tmp_path / "dangling.pcap": "no such file",
            tmp_path / "loop.pcap": "",
            tmp_path / "silent.pcap": "pipe",
            tmp_path / "socket.pcap": "not a regular file",
            tmp_path / ("x" * 300): "too long",
            tmp_path / "*.nothing": "matches no file",
            "/proc/self/mem": "",
        }.items():
            done = workbench("ingest", tmp_path / "site", path)
            assert done.status == 2, path
            assert words in done.error, path
            assert Path(path).name[:80] in done.error, path


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "secret.pcap"
    path.write_bytes(GOOD)
    path.chmod(0)
    command = [sys.executable, "-m", "workbench", "ingest", str(tmp_path / "site"), str(path)]
    if os.geteuid() == 0:  # may read everything, unless it gives that up
        command[:0] = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert Done(2, "", done.stderr).error == f"workbench: {path}: Permission denied"


def test_links_lead_to_files_and_never_round_in_circles(workbench: Run, tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    (outside / "real.pcap").write_bytes(GOOD)
    (folder / "link.pcap").symlink_to(outside / "real.pcap")
    (folder / "again.pcap").symlink_to(outside / "real.pcap")
    (folder / "round").symlink_to(folder)
    (folder / "elsewhere").symlink_to(outside)
    (folder / "loop.pcap").symlink_to(folder / "loop.pcap")
    (folder / "trap.pcap").mkdir()
    os.mkfifo(folder / "pipe.pcap")
    done = workbench("ingest", tmp_path / "site", folder, "--format", "json")
    assert done.status == 0, done.err
    assert [Path(report["path"]).name for report in done.json] == ["real.pcap"]


# Captures with nonsense in them: what is whole is loaded, the rest is said


def absurd() -> dict[str, bytes]:
    section = Pcapng().section().interface()
    huge = struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF)
    option = struct.pack("<HH", 9, 0xFFFF)
    return {
        "record.pcap": GOOD + huge + bytes(100),
        "block.pcapng": section.enhanced(PACKET).data + struct.pack("<II", 6, 0xFFFFFFFC),
        "other.pcapng": section.data + struct.pack("<II", 0xBAD, 0xFFFFFFFC) + bytes(64),
        "tiny.pcapng": section.data + struct.pack("<III", 5, 4, 4),
        "options.pcapng": Pcapng()
        .section()
        .block(1, struct.pack("<HHI", 1, 0, 0) + option)
        .enhanced(PACKET)
        .data,
        "names.pcapng": section.data + Pcapng().block(4, struct.pack("<HH", 1, 0xFFFF)).data,
        "tail.pcap.gz": gzip.compress(GOOD)[:-3],
    }


@pytest.mark.parametrize("name", absurd())
def test_absurd_lengths(workbench: Run, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(absurd()[name])
    done = workbench("ingest", tmp_path / "site", path, "--format", "json")
    assert done.status == 0, done.err
    [report] = done.json
    assert report["packets"] == report["decoded"] <= 1
    assert all(problem.isprintable() for problem in report["problems"])
    assert report["problems"] or name in ("options.pcapng", "names.pcapng")


@pytest.mark.parametrize("packing", ["gzip", "zstd"])
def test_a_bomb_that_is_a_capture(tmp_path: Path, packing: str) -> None:
    """Four million records without bytes behind a good one: all are counted, memory stays flat."""
    path = tmp_path / f"bomb.pcap.{packing[0]}"
    empty = struct.pack("<IIII", 1_700_000_000, 0, 0, 0)
    pieces = [GOOD, *[empty * (1 << 16)] * 64]
    if packing == "gzip":
        path.write_bytes(deflated(iter(pieces)))
    else:
        path.write_bytes(zstandard.ZstdCompressor().compress(b"".join(pieces)))
    assert path.stat().st_size < 1_000_000
    done = measured("ingest", tmp_path / "site", path, "--format", "csv", "--quiet")
    assert done.status == 0, done.err
    assert str(1 + (1 << 22)) in done.out
    assert done.peak < PEAK


def test_a_million_interfaces_and_names(tmp_path: Path) -> None:
    path = tmp_path / "many.pcapng"
    interface = Pcapng().interface(1, 0, (2, b"eth0")).data
    names = bytearray()
    for number in range(250_000):
        names += struct.pack("<HH", 1, 10) + struct.pack(">I", number) + b"host-\0\0\0"
    blocks = Pcapng().block(4, bytes(names) + bytes(4)).data
    file = Pcapng().section().interface().enhanced(PACKET).data
    path.write_bytes(file + interface * 1_000_000 + blocks + Pcapng().enhanced(PACKET).data)
    done = measured("ingest", tmp_path / "site", path, "--format", "csv", "--quiet")
    assert done.status == 0, done.err
    assert done.peak < PEAK
    assert fine(done.out)


def scan(hosts: int, flows: int) -> bytes:
    """One host tries `flows` ports and addresses among `hosts`; a SYN each, 54 bytes a frame."""
    order = np.arange(flows, dtype=np.uint32)
    head = np.frombuffer(craft.tcp4("10.9.9.9", 40000, "10.0.0.0", 1, craft.SYN), np.uint8)
    row = np.zeros((flows, 16 + len(head)), np.uint8)
    row[:, 16:] = head
    words = np.zeros((flows, 4), "<u4")
    words[:, 0] = 1_700_000_000 + order // 10_000
    words[:, 1] = order % 10_000 * 100
    words[:, 2:] = len(head)
    row[:, :16] = words.view(np.uint8)
    target = (0x0A000000 + order % hosts).astype(">u4")
    row[:, 46:50] = target[:, None].view(np.uint8)
    port = (1 + order // hosts).astype(">u2")
    row[:, 52:54] = port[:, None].view(np.uint8)
    return GOOD[:24] + row.tobytes()


def test_a_scanner(tmp_path: Path) -> None:
    """30,000 hosts, more flows than are held at once: every one is kept, under the ceiling."""
    path, flows = tmp_path / "scan.pcap", 5 * MAX_FLOWS // 2
    path.write_bytes(scan(30_000, flows))
    done = measured("ingest", tmp_path / "site", path, "--format", "json", "--quiet")
    assert done.status == 0, done.err
    assert f'"flows": {flows}' in done.out
    assert done.peak < PEAK, f"{done.peak:.0f} MB"


# Names


ESCAPES = "\x1b[2J\x1b]0;owned\x07\r\n\u202e\x9b31m"


@pytest.mark.parametrize("name", [ESCAPES + "x.pcap", os.fsdecode(b"\xff\xfe.pcap")])
def test_file_names_do_not_steer_the_terminal(workbench: Run, tmp_path: Path, name: str) -> None:
    path, site = tmp_path / name, tmp_path / "site"
    path.write_bytes(b"no capture")
    done = workbench("ingest", site, path)
    assert done.status == 2
    assert fine(done.error)
    path.write_bytes(GOOD)
    done = workbench("ingest", site, path)
    assert done.status == 0, done.err
    assert fine(done.out), done.out
    assert fine(workbench("ingest", site, path).error)  # loaded before
    for command in (("captures", "--format", "csv"), ("captures",), ("flows", "--format", "json")):
        done = workbench(command[0], site, *command[1:])
        assert done.status == 0, done.err
        assert fine(done.out), (command, done.out)


def test_names_inside_do_not_steer_the_terminal(workbench: Run, tmp_path: Path) -> None:
    path, site = tmp_path / "names.pcapng", tmp_path / "site"
    evil = ESCAPES.encode() + b"\xff\xfe"
    record = struct.pack("<HH", 1, 4 + len(evil) + 1) + bytes([10, 0, 0, 2]) + evil + b"\0"
    file = Pcapng().section().interface(1, 0, (2, evil), (3, evil), (12, evil))
    file.block(4, record + bytes(-len(record) % 4) + bytes(4)).enhanced(PACKET)
    path.write_bytes(file.data)
    assert workbench("ingest", site, path).status == 0
    for command, style in (("captures", "table"), ("hosts", "table"), ("hosts", "csv")):
        done = workbench(command, site, "--format", style)
        assert done.status == 0, done.err
        assert fine(done.out), (command, style, done.out)
