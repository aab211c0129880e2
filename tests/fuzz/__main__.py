"""`python -m fuzz TARGET …` in tests/: fuzz the capture reader with atheris.

Targets: `kernel`, the uncompiled kernel, whose coverage guides, against the compiled one; `reader`,
the compiled reader end to end, guided by the coverage of its Python part.

atheris finds inputs that reach new code; `captures.mutate` makes them. Where atheris has no wheel
for this machine, the same mutations go on without such guidance (`--blind` does that on purpose).
An input that breaks a rule is written to tests/fuzz/found/, where a test replays it for ever.
"""

import argparse
import hashlib
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from fuzz import captures
from fuzz.oracle import Check, Rooms

HERE = Path(__file__).resolve().parent
CORPUS, FOUND = HERE / "corpus", HERE / "found"
LARGEST = 4096
"""Bytes of an input."""
HANG = 60
"""Seconds after which the fuzzer calls an input a hang."""
MEMORY = 4000
"""MB of the whole fuzzing process."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("target", choices=("kernel", "reader"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--executions", type=int, default=-1, help="at most; -1: no limit")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for inputs that reached new code")
    parser.add_argument("--blind", action="store_true", help="without atheris")
    options = parser.parse_args()
    FOUND.mkdir(exist_ok=True)  # git keeps no empty folders
    try:
        import atheris
    except ImportError:
        options.blind = True
    if options.blind:
        return blind(options)
    return guided(options, atheris)


def guided(options: argparse.Namespace, atheris: object) -> int:
    """Never returns where libFuzzer ends the process."""
    rooms = Rooms(lambda code: atheris.patch_code(code, True), plain=options.target == "kernel")  # type: ignore[attr-defined]
    counted = Counted(rooms.check, options)

    def custom(data: bytes, largest: int, seed: int) -> bytes:
        return captures.mutate(data, Random(seed), largest, atheris.Mutate)  # type: ignore[attr-defined]

    new = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-new-"))
    new.mkdir(parents=True, exist_ok=True)  # libFuzzer writes to the first folder it is given
    arguments = [
        sys.argv[0],
        f"-seed={options.seed}",
        f"-runs={options.executions}",
        f"-max_total_time={options.seconds}",
        f"-max_len={LARGEST}",
        "-len_control=0",
        f"-timeout={HANG}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={FOUND}/{options.target}-",
        "-print_final_stats=1",
        str(new),
        str(CORPUS),
        str(FOUND),
    ]
    atheris.Setup(arguments, counted, custom_mutator=custom)  # type: ignore[attr-defined]
    atheris.Fuzz()  # type: ignore[attr-defined]
    return 0


class Counted:
    """A check that says how often it ran, whoever ends the process."""

    def __init__(self, check: Check, options: argparse.Namespace) -> None:
        self._check, self._options = check, options
        self.executions, self.flows, self.read = 0, 0, 0

    def __call__(self, data: bytes) -> None:
        self.executions += 1
        seen = self._check(data)
        if seen.report is not None:
            self.read += 1
            self.flows += seen.report.flows


def blind(options: argparse.Namespace) -> int:
    """The same mutations of the same seeds, without guidance."""
    counted = Counted(Rooms(plain=options.target == "kernel").check, options)
    rng = Random(options.seed)
    pool = [file.read_bytes() for folder in (CORPUS, FOUND) for file in sorted(folder.iterdir())]
    until = time.monotonic() + options.seconds
    data = b""
    try:
        while time.monotonic() < until and counted.executions != options.executions:
            data = captures.mutate(rng.choice(pool), rng, LARGEST)
            counted(data)
            if len(pool) < 2000 and rng.random() < 0.05:
                pool.append(data)
    except Exception:
        traceback.print_exc()
        name = FOUND / f"{options.target}-crash-{hashlib.sha1(data).hexdigest()}"
        name.write_bytes(data)
        print(f"kept as {name}", file=sys.stderr)
        return 1
    print(
        f"{options.target}: {counted.executions} executions without guidance, "
        f"{counted.read} of them captures, {counted.flows} flows",
        file=sys.stderr,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
