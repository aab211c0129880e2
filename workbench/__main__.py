"""The process that runs one command: `workbench`, or `python -m workbench`."""

import gc
import os
import sys


def run() -> None:
    """Run the command and end the process with its exit status."""
    # Nothing here multiplies matrices of real numbers; threads made for that spin when they start.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(100_000)  # frozen values make no cycles; looking for them costs a third
    try:
        from workbench.cli import main  # in here, for a Ctrl-C that comes before anything began

        status = main()
    except KeyboardInterrupt:
        status = 130
    gc.freeze()  # nor would looking through everything once more, at the end, find anything
    sys.exit(status)


if __name__ == "__main__":
    run()
