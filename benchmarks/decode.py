"""Decoding in process against a plain read() of the same file: neither imports nor a store.

    python benchmarks/generate_capture.py /tmp/full-size.pcap --shape full-size
    python benchmarks/decode.py /tmp/full-size.pcap [FILE ...] [--rounds N]

read() fills one buffer of 1 MiB again and again, on one processor; it begins on a page, which makes
read() up to twice as fast as into memory as malloc gives it. `read_capture` gives its flows
to nobody; on one core the whole process, with all its threads, is bound to one processor. The file
is in the page cache; each run is a fresh fork; interleaved, medians. A file named for a shape of
generate_capture.py has aims, shown beside.
"""

import argparse
import inspect
import mmap
import os
import pickle
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from workbench.capture import kernel_compiled, read_capture

AIMS = {"full-size": 2.5, "snaplen-96": 6.0, "million-flows": 8.0}
"""Times a read() at most, on one core."""
GAIN_AIM = 1.6
"""Times as fast on two cores as on one, at least, where the shape has an aim."""
PARALLEL = "threads" in inspect.signature(read_capture).parameters


def read(path: Path) -> tuple[int, int]:
    buffer = mmap.mmap(-1, 1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return 0, 0


def decode(path: Path, threads: int) -> tuple[int, int]:
    """Packets and flows of the file."""
    options = {"threads": threads} if PARALLEL else {}
    report = read_capture(path, on_flows=lambda _: None, **options)  # type: ignore[arg-type]
    return report.packets, report.flows


def timed(cores: int, job: Callable[[], tuple[int, int]]) -> tuple[float, tuple[int, int]]:
    """Seconds and result of a job in a process of its own on so many processors."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
            began = time.perf_counter()
            result = job()
            os.write(sender, pickle.dumps((time.perf_counter() - began, result)))
            status = 0
        finally:
            os._exit(status)
    os.close(sender)
    with os.fdopen(receiver, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("a run failed")
    seconds, result = pickle.loads(told)
    return seconds, result


def measure(path: Path, rounds: int) -> tuple[dict[str, float], tuple[int, int]]:
    """Median seconds by job, and the packets and flows that every decoding agreed on."""
    jobs: dict[str, tuple[int, Callable[[], tuple[int, int]]]] = {
        "read()": (1, lambda: read(path)),
        "one core": (1, lambda: decode(path, 1)),
    }
    if PARALLEL and len(os.sched_getaffinity(0)) > 1:
        jobs["two cores"] = (2, lambda: decode(path, 2))
    timed(1, lambda: read(path))  # into the page cache
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    results = set()
    for _ in range(rounds):
        for name, (cores, job) in jobs.items():
            took, result = timed(cores, job)
            seconds[name].append(took)
            if name != "read()":
                results.add(result)
    [agreed] = results
    return {name: statistics.median(some) for name, some in seconds.items()}, agreed


def verdict(value: float, aim: float | None, most: bool) -> str:
    if aim is None:
        return ""
    kept = value <= aim if most else value >= aim
    return f" (aim {'≤' if most else '≥'} {aim:g}) {'ok' if kept else 'MISSED'}"


def report(path: Path, rounds: int) -> None:
    seconds, (packets, flows) = measure(path, rounds)
    size = path.stat().st_size
    print(f"{path.name}: {packets:,} packets, {size / 1e6:,.0f} MB, {flows:,} flows")
    one, aim = seconds["one core"], AIMS.get(path.stem)
    for name, took in seconds.items():
        ratio = ""
        if name == "one core":
            times = took / seconds["read()"]
            ratio = f"{times:.2f} × read(){verdict(times, aim, most=True)}"
        elif name == "two cores":
            gain = one / took
            ratio = f"{gain:.2f} × one core{verdict(gain, aim and GAIN_AIM, most=False)}"
        print(f"  {name:9} {took:7.3f} s {size / took / 1e9:6.2f} GB/s  {ratio}".rstrip())
    if "two cores" not in seconds:
        print("  two cores: not measured, for lack of processors or of a parallel read_capture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("captures", type=Path, nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if not kernel_compiled():
        raise SystemExit("the packet kernel is not compiled: nothing to measure")
    for path in args.captures:
        report(path, args.rounds)


if __name__ == "__main__":
    main()
