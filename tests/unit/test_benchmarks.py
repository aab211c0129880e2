"""The benchmarks run, and the captures they are made on hold exactly what was asked for."""

import hashlib
import importlib
import struct
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from workbench.capture import kernel_compiled, read_capture
from workbench.model.traffic import FlowColumns

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
TINY = {"packets": 2000, "flows": 100}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("generate_capture")


def lengths(path: Path) -> list[tuple[int, int]]:
    """Captured and wire length of every record, read without our own reader."""
    data, at, found = path.read_bytes(), 24, []
    while at < len(data):
        captured, wire = struct.unpack_from("<II", data, at + 8)
        found.append((captured, wire))
        at += 16 + captured
    assert at == len(data)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_arguments_give_the_same_bytes(bench: ModuleType, tmp_path: Path) -> None:
    bench.generate(tmp_path / "a.pcap", bench.Shape(**TINY))
    assert (
        digest(tmp_path / "a.pcap")
        == "340cc577b5f3ace03154552942f07ea2056b90eb7a96414662cb1afa06d531f1"
    )


def test_windows_of_time_leave_no_trace(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = bench.Shape(packets=4000, flows=300, data=200, ack_every=7)
    bench.generate(tmp_path / "one.pcap", shape)
    monkeypatch.setattr(bench, "WINDOW", 90)
    bench.generate(tmp_path / "many.pcap", shape)
    assert digest(tmp_path / "one.pcap") == digest(tmp_path / "many.pcap")


@pytest.mark.parametrize("name", ["default", "full-size", "snaplen-96", "million-flows"])
def test_every_shape_holds_what_it_says(bench: ModuleType, tmp_path: Path, name: str) -> None:
    shape = replace(bench.SHAPES[name], packets=4321, flows=250)
    bench.generate(tmp_path / "a.pcap", shape)
    batches: list[FlowColumns] = []
    report = read_capture(tmp_path / "a.pcap", on_flows=batches.append)
    records = lengths(tmp_path / "a.pcap")
    assert (report.packets, report.decoded, report.skipped) == (4321, 4321, {})
    assert (report.flows, report.snaplen, report.problems) == (250, shape.snaplen, ())
    assert len(records) == 4321
    assert report.wire_bytes == sum(wire for _, wire in records)
    assert all(captured == min(wire, shape.snaplen) for captured, wire in records)
    assert report.truncated_packets == sum(captured < wire for captured, wire in records)
    protocols = np.concatenate([batch["protocol"] for batch in batches])
    assert Counter(protocols.tolist()) == {6: 175, 17: 75}


def test_full_size_packets_fill_the_mtu(bench: ModuleType, tmp_path: Path) -> None:
    shape = replace(bench.SHAPES["full-size"], packets=9000, flows=100)
    bench.generate(tmp_path / "a.pcap", shape)
    sizes = [wire for _, wire in lengths(tmp_path / "a.pcap")]
    assert max(sizes) == 14 + 1500
    assert sum(sizes) / len(sizes) > 1300


@pytest.mark.parametrize("option", ["--flows=9", "--packets=200", "--snaplen=95", "--ack-every=2"])
def test_impossible_shapes_are_refused(option: str, tmp_path: Path) -> None:
    script = [sys.executable, str(BENCHMARKS / "generate_capture.py"), str(tmp_path / "a.pcap")]
    done = subprocess.run([*script, "--flows=100", option], capture_output=True, text=True)
    assert done.returncode == 2
    assert "at least" in done.stderr or "or more" in done.stderr
    assert not (tmp_path / "a.pcap").exists()


def test_decode_measures(bench: ModuleType, tmp_path: Path) -> None:
    bench.generate(tmp_path / "full-size.pcap", bench.Shape(**TINY))
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "decode.py"), str(tmp_path / "full-size.pcap")],
        capture_output=True,
        text=True,
    )
    if kernel_compiled():
        assert "2,000 packets, 1 MB, 100 flows" in done.stdout
        assert "× read() (aim ≤ 2.5)" in done.stdout
    else:
        assert "nothing to measure" in done.stderr


def test_ingest_measures(bench: ModuleType, tmp_path: Path) -> None:
    bench.generate(tmp_path / "a.pcap", bench.Shape(**TINY))
    slow = (f"--without={name}" for name in ("tshark", "argus", "nfpcapd"))
    options = ("--rounds=1", "--markdown", *slow)
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "ingest.py"), str(tmp_path / "a.pcap"), *options],
        capture_output=True,
        text=True,
        check=True,
    )
    command, _, head, _, *rows = done.stdout.splitlines()
    assert command.startswith("`python ")
    assert head.startswith("| 2,000 packets, 1 MB, 100 flows | seconds |")
    assert {"cat", "workbench"} <= {row.split(" | ")[0].removeprefix("| ") for row in rows}
