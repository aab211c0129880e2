"""Records the demo site anew: namespaces, real servers and clients, tcpdump, one pcapng.

    sudo python3 demo_data/record.py --out demo_data
    unshare -Un --map-current-user --keep-caps python3 demo_data/record.py --out demo_data
    python3 demo_data/record.py --truth

Needs Linux, iproute2, tcpdump, and root or unprivileged user namespaces (the second line). Nothing
outside the namespaces it makes is touched. Takes about a minute. See README.md for the story.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recorder.calls import clock
from recorder.hosts import NETS
from recorder.merge import StoryTime, merge, write_pcapng
from recorder.network import CallError, Site
from recorder.story import BEFORE, MIDNIGHT_US, day
from recorder.truth import truth

CAPTURE = "office.pcapng"
NOTE = "Kestrel Pumps, an invented site: demo_data/record.py. Pauses between steps are stretched."


def record(out: Path, until: float) -> int:
    """Play the day until that second and write the capture; returns the number of packets."""
    steps = [step for step in day() if step.at < until]
    times = StoryTime()
    with tempfile.TemporaryDirectory(prefix="demo-site-") as folder, Site() as site:
        site.do(BEFORE)
        time.sleep(4)  # neighbour discovery of the start is over
        site.record(Path(folder))
        for done, step in enumerate(steps):
            times.begin(time.time_ns() // 1000, MIDNIGHT_US + round(step.at * 1_000_000))
            site.do(step.calls, together=step.together)
            if done % 50 == 0:
                print(f"\r{done} of {len(steps)} steps", end="", file=sys.stderr, flush=True)
        site.stop_recording()
        print(file=sys.stderr)
        packets = merge([Path(folder) / f"{name}.pcap" for name in NETS], times)
    write_pcapng(out, list(NETS), packets, NOTE)
    return len(packets)


def truth_text() -> str:
    """truth.json: one line for each host, conversation and step."""
    sections = []
    for name, value in truth().items():
        if isinstance(value, list):
            lines = ",\n".join(f"  {json.dumps(item)}" for item in value)
            sections.append(f"{json.dumps(name)}: [\n{lines}\n ]")
        else:
            sections.append(f"{json.dumps(name)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(sections) + "\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument(
        "--out", type=Path, help="a folder for office.pcapng and truth.json, or a capture file"
    )
    wanted.add_argument("--truth", action="store_true", help="only print the ground truth")
    parser.add_argument("--until", default="17:00", metavar="HH:MM", help="stop there, for a trial")
    arguments = parser.parse_args()
    if arguments.truth:
        print(truth_text(), end="")
        return 0
    out: Path = arguments.out
    folder = out.is_dir()
    try:
        count = record(out / CAPTURE if folder else out, clock(arguments.until))
    except (CallError, EOFError, OSError, subprocess.SubprocessError) as error:
        print(f"record.py: {error}", file=sys.stderr)
        return 2
    if folder and arguments.until == parser.get_default("until"):
        (out / "truth.json").write_text(truth_text())
    print(f"{count} packets in {out / CAPTURE if folder else out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
