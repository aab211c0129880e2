"""Ingest speed against tshark and nfpcapd: whole processes on one file, interleaved, medians.

    python benchmarks/generate_capture.py /tmp/big.pcap
    python benchmarks/ingest.py /tmp/big.pcap

`workbench ingest` is timed from start to a closed DuckDB file. tshark prints the seven fields of a
flow record; nfpcapd writes its flow file. A tool that is not installed is left out, by name.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "ip.len",
)
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Unset: an installed workbench is byte-compiled."""


def commands(capture: Path) -> dict[str, Callable[[Path], list[str]]]:
    """Name → command line for an empty folder to write to."""
    fields = [word for name in FIELDS for word in ("-e", name)]
    return {
        "workbench": lambda folder: [
            *(sys.executable, "-m", "workbench", "ingest", "--quiet"),
            *(str(folder / "ws"), str(capture)),
        ],
        "nfpcapd": lambda folder: ["nfpcapd", "-r", str(capture), "-w", str(folder)],
        "tshark": lambda _: ["tshark", "-n", "-r", str(capture), "-T", "fields", *fields],
    }


def run(command: list[str]) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory (MB) of one process."""
    began = time.perf_counter()
    environment = {key: value for key, value in os.environ.items() if key != NO_BYTECODE}
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(
    capture: Path, rounds: int, names: list[str]
) -> dict[str, list[tuple[float, float, float]]]:
    results: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
    every = commands(capture)
    for number in range(rounds):
        for name in names:
            with tempfile.TemporaryDirectory() as folder:
                results[name].append(run(every[name](Path(folder))))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--packets", type=int, default=1_000_000, help="packets in the file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", action="append", default=[], help="leave a tool out")
    args = parser.parse_args()
    names = [name for name in commands(args.capture) if name not in args.without]
    for name in names[1:]:
        if shutil.which(name) is None:
            print(f"{name} is not installed: left out", file=sys.stderr)
            names.remove(name)
    with args.capture.open("rb", buffering=0) as file:  # into the page cache, for everyone
        while file.read(1 << 20):
            pass
    results = measure(args.capture, args.rounds, names)
    rows = {
        name: (
            *(statistics.median(column) for column in list(zip(*runs, strict=True))[:2]),
            max(memory for *_, memory in runs),
        )
        for name, runs in results.items()
    }
    ours = rows["workbench"]
    print("tool        seconds    CPU  packets/s  peak MB  workbench is")
    for name, (seconds, cpu, memory) in rows.items():
        ratio = f"{seconds / ours[0]:.2f} × as fast, {cpu / ours[1]:.2f} × by CPU"
        rate = args.packets / seconds
        print(f"{name:10} {seconds:8.2f} {cpu:6.2f} {rate:10,.0f} {memory:8.0f}  {ratio}")


if __name__ == "__main__":
    main()
