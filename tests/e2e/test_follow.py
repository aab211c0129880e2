"""Following captures that are being written, through the real command line."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from craft import pcap, tcp4, udp4

A, B = "10.0.0.1", "10.0.0.2"
HEADER = 24


def records(begin: int, *packets: bytes) -> bytes:
    return pcap(list(packets), begin=begin)[HEADER:]


def line(stream: IO[str], wanted: str) -> str:
    """The next line that says so; the test's time limit ends a wait in vain."""
    for said in stream:
        if wanted in said:
            return said
    raise AssertionError(f"never said: {wanted}")


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    folder = tmp_path / "ring"
    folder.mkdir()
    return folder


def test_a_ring_is_followed_and_its_flows_go_on_from_file_to_file(
    tmp_path: Path, ring: Path
) -> None:
    command = [
        *(sys.executable, "-m", "workbench", "ingest", "--quiet", "--follow"),
        *("--format", "json", str(tmp_path / "ws"), str(ring)),
    ]
    first, second = ring / "trace.pcap9", ring / "trace.pcap10"
    opening = [tcp4(A, 40_000, B, 443, 2), tcp4(B, 443, A, 40_000, 18), tcp4(A, 40_000, B, 443)]
    first.write_bytes(pcap(opening[:2]) + records(2_000, opening[2])[:-7])
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as work:
        assert work.stderr is not None and work.stdout is not None
        try:
            line(work.stderr, "trace.pcap9: 2 packets, 1 flow so far")
            with first.open("ab") as file:
                file.write(records(2_000, opening[2])[-7:])
            line(work.stderr, "trace.pcap9: 3 packets")
            second.write_bytes(b"")
            line(work.stderr, "an empty file")
            second.write_bytes(pcap([tcp4(B, 443, A, 40_000), udp4(A, 5000, B, 53)], begin=9_000))
            line(work.stderr, "trace.pcap10: 2 packets")
        finally:
            work.send_signal(signal.SIGINT)
        told = json.loads(work.stdout.read())
        assert work.wait(timeout=60) == 0
    assert [(one["packets"], one["ending"]) for one in told] == [(3, "complete"), (2, "complete")]
    shown = subprocess.run(
        [sys.executable, "-m", "workbench", "flows", str(tmp_path / "ws"), "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    flows = {one["server_port"]: one for one in json.loads(shown.stdout)}
    assert flows[443]["packets_to_server"] == flows[443]["packets_to_client"] == 2
    assert flows[443]["outcome"] == "established" and len(flows) == 2


def test_standard_input(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workbench", "ingest", str(tmp_path / "ws"), "-"]
    for expected in (0, 2):
        done = subprocess.run(
            [*command, "--format", "json"],
            input=pcap([udp4(A, 5000, B, 53)]),
            check=False,
            capture_output=True,
        )
        assert done.returncode == expected, done.stderr
        if expected:
            assert b"already loaded" in done.stderr and done.stderr.count(b"\n") == 1
        else:
            [report] = json.loads(done.stdout)
            assert (report["path"], report["packets"], report["flows"]) == ("-", 1, 1)


def test_pipes_of_the_shell_are_told_apart(tmp_path: Path) -> None:
    """What `<(zcat x.gz)` names is gone when the command has ended."""
    for number in (1, 2):
        (tmp_path / f"{number}.pcap").write_bytes(pcap([udp4(A, 5000 + number, B, 53)]))
    workbench = f"{shlex.quote(sys.executable)} -m workbench"

    def run(line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, check=False, capture_output=True, text=True
        )

    for number in (1, 2):
        done = run(f"{workbench} ingest ws <(cat {number}.pcap) --format json")
        [report] = json.loads(done.stdout)
        assert re.fullmatch(r"pipe \(fd \d+\)", report["path"]) and report["id"] == number
    again = run(f"{workbench} ingest ws <(cat 2.pcap)")
    assert again.returncode == 2 and "already loaded, as capture 2" in again.stderr
    shown = run(f"{workbench} dissect ws 1")
    assert (
        shown.returncode == 2 and "pipe (fd" in shown.stderr and "packets are gone" in shown.stderr
    )
    both = run(f"{workbench} ingest two <(cat 1.pcap) <(cat 2.pcap) --format json")
    assert [one["packets"] for one in json.loads(both.stdout)] == [1, 1]


def test_a_pipe_that_nobody_writes_to_can_be_left(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "workbench", "ingest", str(tmp_path / "ws"), str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as work:
        time.sleep(1.5)
        assert work.poll() is None
        work.send_signal(signal.SIGINT)
        assert work.stderr is not None
        said = work.stderr.read()
        assert work.wait(timeout=60) != 0 and "Traceback" not in said
