"""A second opinion: Wireshark's capinfos reads the same files, and must find the same in them."""

import csv
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_capture_pcap import VARIANTS, file_of

from workbench.capture.reader import raw_records

Facts = tuple[int, int, str, str]
"""Packets, bytes on the wire, time of the first and of the last packet."""
NONE = "n/a"


def theirs(paths: Sequence[Path]) -> dict[str, Facts]:
    program = shutil.which("capinfos") or pytest.skip("capinfos is not installed")
    command = [program, "-T", "-m", "-S", "-c", "-d", "-a", "-e", *map(str, paths)]
    out = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    rows = list(csv.reader(out.splitlines()))[1:]
    return {
        name: (int(count), int(size), *map(_micro, times)) for name, count, size, *times in rows
    }  # type: ignore[misc]


def _micro(time: str) -> str:
    if time == NONE:
        return time
    seconds, fraction = time.split(".")
    return str(int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0")))


def ours(path: Path) -> Facts:
    rows = [(time, wire) for _, time, wire, *_ in raw_records(path)]
    times = [str(time) for time, _ in rows] or [NONE]
    return len(rows), sum(wire for _, wire in rows), times[0], times[-1]


def test_every_variant_of_pcap(tmp_path: Path) -> None:
    paths = []
    for number, (name, variant) in enumerate(VARIANTS.items()):
        for order, big in (("le", False), ("be", True)):
            if name != "IXIA hardware":  # nanoseconds, which Wireshark 4.0 does not know yet
                path = tmp_path / f"{number}-{order}.pcap"
                path.write_bytes(file_of(big=big, wire=7, **variant))
                paths.append(path)
    assert {str(path): ours(path) for path in paths} == theirs(paths)


def test_the_pcapng_suite(shared_data: Path) -> None:
    paths = sorted(shared_data.glob("pcapng-suite/*/*.pcapng"))
    told = theirs(paths)
    for path in paths:
        found = ours(path)
        wanted = told[str(path)]
        if wanted[2] == NONE:  # among packets without time, capinfos gives up on all times
            found = (*found[:2], NONE, NONE)
        assert found == wanted, path


def test_real_captures(shared_data: Path) -> None:
    paths = sorted(
        path for kind in ("cap", "pcap", "pcapng") for path in shared_data.rglob(f"*.{kind}")
    )
    told = theirs(paths)
    unread = {path.name for path in paths if str(path) not in told}
    assert unread == {"kday6.pcap"}  # a fuzzer's; its first packet is whole all the same
    different = {
        path.name
        for path in paths
        if path.name not in unread and ours(path)[:2] != told[str(path)][:2]
    }
    assert different == set()
    assert len(paths) > 100
