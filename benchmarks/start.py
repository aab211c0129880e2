"""Cold start of the interface: from starting the process to its first painted screen.

    python benchmarks/start.py WORKSPACE [--rounds N]

The process runs on a pseudo-terminal; its first paint is the moment the tab line is on it. The
yardstick is a whole process that imports textual's application and widgets, and duckdb, and ends.
Interleaved, medians; the aim is a ratio of at most 2.
"""

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

YARDSTICK = "import textual.app, textual.widgets, duckdb"
PAINTED = b"Matrix"
PATIENCE = 30.0


def imports() -> float:
    """Seconds of the yardstick."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", YARDSTICK], check=True)
    return time.perf_counter() - began


def first_paint(workspace: Path) -> float:
    """Seconds from the fork to the tab line."""
    began = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
        os.execv(sys.executable, [sys.executable, "-m", "workbench", "open", str(workspace)])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    seen = b""
    try:
        while PAINTED not in seen:
            ready, _, _ = select.select([terminal], [], [], PATIENCE)
            if not ready:
                raise SystemExit("nothing was painted")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - began
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    first_paint(args.workspace), imports()  # warm the file caches
    paints, yardsticks = [], []
    for _ in range(args.rounds):
        paints.append(first_paint(args.workspace))
        yardsticks.append(imports())
    paint, yardstick = statistics.median(paints), statistics.median(yardsticks)
    print(
        f"first paint {paint:.3f} s, imports {yardstick:.3f} s: {paint / yardstick:.2f} × (aim 2)"
    )


if __name__ == "__main__":
    main()
