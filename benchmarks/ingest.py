"""Ingest speed against other tools: whole processes on one file, interleaved, medians.

    python benchmarks/generate_capture.py /tmp/big.pcap
    python benchmarks/ingest.py /tmp/big.pcap [--markdown] [--tshark-rounds 1]

`workbench ingest` is timed from start to a closed DuckDB file. Every tool reads the whole file,
from the page cache, in the setting that is fastest for it while it counts every packet; `commands`
has them all. One that is not installed is left out, by name. Peak memory is that of the process,
or of this one (some 16 MB) where it has less.
"""

import argparse
import json
import os
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

WORKBENCH = (sys.executable, "-m", "workbench")
FIELDS = (
    "frame.time_epoch",
    "ip.src",
    "ip.dst",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.flags",
    "ip.len",
)
AIMS = {
    "tshark": 150,
    **dict.fromkeys(("nfpcapd", "softflowd", "argus", "tcpdump", "tcpdump -w"), 1.0),
}
"""How many times as fast as each the workbench is to be."""
CAT_AIM, FULL_SIZE = 1 / 8, 1000
"""Against `cat`, for packets of so many bytes on average."""
MEMORY_AIM = 600
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""Unset: an installed workbench is byte-compiled."""


@dataclass(frozen=True, slots=True)
class Run:
    """One process, or the medians of several and their highest peak."""

    seconds: float
    cpu: float
    """User and system, seconds, all threads."""
    peak: float
    """Resident memory, MB."""


@dataclass(frozen=True, slots=True)
class Capture:
    path: Path
    packets: int
    flows: int
    megabytes: float

    def __str__(self) -> str:
        return f"{self.packets:,} packets, {self.megabytes:,.0f} MB, {self.flows:,} flows"


def commands(capture: Path, sink: int) -> dict[str, Callable[[Path], Sequence[str]]]:
    """Name → command line for an empty folder to write to; `sink` is a UDP port for exports.

    tshark prints seven fields of each packet and resolves no names. nfpcapd writes its flow files.
    softflowd exports NetFlow 9, since its default, version 5, passes over IPv6, and hands old flows
    on beyond its default of 8,192, which is faster than holding all. argus takes nothing from
    /etc/argus.conf and writes one record a flow and minute. tcpdump prints a line a packet, or (-w)
    copies packets without looking into them. capinfos reads all it reports but the file's hashes.
    """
    file = str(capture)
    fields = [word for name in FIELDS for word in ("-e", name)]
    return {
        "workbench": lambda folder: (*WORKBENCH, "ingest", "--quiet", str(folder / "ws"), file),
        "cat": lambda _: ("cat", file),
        "capinfos": lambda _: ("capinfos", "-tEcsdlauexyizoF", file),
        "tcpdump -w": lambda _: ("tcpdump", "-r", file, "-w", os.devnull),
        "tcpdump": lambda _: ("tcpdump", "-n", "-r", file),
        "nfpcapd": lambda folder: ("nfpcapd", "-r", file, "-w", str(folder)),
        "softflowd": lambda _: ("softflowd", "-r", file, "-v", "9", "-n", f"127.0.0.1:{sink}"),
        "argus": lambda folder: (
            *("argus", "-X", "-S", "60", "-r", file, "-w", str(folder / "argus.out")),
        ),
        "tshark": lambda _: ("tshark", "-n", "-r", file, "-T", "fields", *fields),
    }


def run(command: Sequence[str]) -> Run:
    """Raises SystemExit when the process fails."""
    environment = {key: value for key, value in os.environ.items() if key != NO_BYTECODE}
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def look(path: Path) -> Capture:
    """What is in the file; leaves it in the page cache and the workbench byte-compiled."""
    with tempfile.TemporaryDirectory() as folder:
        run((*WORKBENCH, "ingest", "--quiet", folder, str(path)))
        told = subprocess.run(
            [*WORKBENCH, "captures", folder, "--format", "json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    report = json.loads(told.stdout)[0]
    return Capture(path, report["packets"], report["flows"], report["size"] / 1e6)


def measure(capture: Path, rounds: dict[str, int]) -> dict[str, Run]:
    """Every tool as many times as `rounds` says, taking turns; median times, highest peaks."""
    runs: dict[str, list[Run]] = {name: [] for name in rounds}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))  # never read: what does not fit is dropped, at no cost
        every = commands(capture, sink.getsockname()[1])
        for number in range(max(rounds.values())):
            for name in (name for name, count in rounds.items() if number < count):
                with tempfile.TemporaryDirectory() as folder:
                    runs[name].append(run(every[name](Path(folder))))
            print(f"round {number + 1} of {max(rounds.values())}", file=sys.stderr)
    return {
        name: Run(
            statistics.median(run.seconds for run in some),
            statistics.median(run.cpu for run in some),
            max(run.peak for run in some),
        )
        for name, some in runs.items()
    }


def installed(without: list[str]) -> list[str]:
    names = [name for name in commands(Path(), 0) if name not in without or name == "workbench"]
    missing = [name for name in names[1:] if shutil.which(name.split()[0]) is None]
    for name in missing:
        print(f"{name} is not installed: left out", file=sys.stderr)
    return [name for name in names if name not in missing]


def table(capture: Capture, results: dict[str, Run], rounds: dict[str, int]) -> list[list[str]]:
    """Fastest first."""
    ours = results["workbench"]
    rows = [[str(capture), "seconds", "CPU s", "packets/s", "peak MB", "workbench is"]]
    for name, row in sorted(results.items(), key=lambda item: item[1].seconds):
        usual = rounds[name] == max(rounds.values())
        shown = name if usual else f"{name} (runs: {rounds[name]})"
        speed = f"{row.seconds / ours.seconds:.2f} × as fast"
        rows.append(
            [
                *(shown, f"{row.seconds:.2f}", f"{row.cpu:.2f}"),
                *(f"{capture.packets / row.seconds:,.0f}", f"{row.peak:.0f}"),
                "" if row is ours else speed,
            ]
        )
    return rows


def missed(capture: Capture, results: dict[str, Run]) -> list[str]:
    """The aims that were not reached; there are none for files of less than 1 GB."""
    if capture.megabytes < 1000:
        return []
    ours, aims = results["workbench"], dict(AIMS)
    if capture.megabytes * 1e6 / capture.packets >= FULL_SIZE:
        aims["cat"] = CAT_AIM
    speeds = {name: results[name].seconds / ours.seconds for name in aims if name in results}
    lines = [
        f"missed: {speed:.2f} × as fast as {name}, aim {aims[name]:g}"
        for name, speed in speeds.items()
        if speed < aims[name]
    ]
    if ours.peak >= MEMORY_AIM:
        lines.append(f"missed: peak memory {ours.peak:.0f} MB, aim below {MEMORY_AIM}")
    return lines


def show(rows: list[list[str]], markdown: bool) -> None:
    if markdown:
        print(f"`python {shlex.join(sys.argv)}`\n")
        rows = [rows[0], ["---", *["---:"] * (len(rows[0]) - 1)], *rows[1:]]
        print("\n".join(f"| {' | '.join(row)} |" for row in rows))
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("capture", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tshark-rounds", type=int, help="for it takes minutes")
    parser.add_argument("--without", action="append", default=[], help="leave a tool out")
    parser.add_argument("--markdown", action="store_true", help="the table as README has it")
    args = parser.parse_args()
    rounds = dict.fromkeys(installed(args.without), args.rounds)
    if args.tshark_rounds and "tshark" in rounds:
        rounds["tshark"] = args.tshark_rounds
    capture = look(args.capture)
    results = measure(args.capture, rounds)
    show(table(capture, results, rounds), args.markdown)
    for line in missed(capture, results):
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main()
