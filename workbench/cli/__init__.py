"""The command line: stdout is data, stderr is narration.

Exit status: 0 done, or the answer is yes; 1 the honest answer is no; 2 usage or bad input, with one
clear line on stderr; 130 stopped by Ctrl-C.
"""

import os
import sys
from collections.abc import Sequence

from workbench.cli.parser import parse
from workbench.cli.streams import forgiving_streams
from workbench.model.errors import Cancelled, WorkbenchError
from workbench.model.packets import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    forgiving_streams()
    options = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        from workbench.cli.commands import run

        status = run(options)
        sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        print("stopped; the workspace is as it was", file=sys.stderr)
        return 130
    except WorkbenchError as error:
        print(f"workbench: {printable(str(error), 2000)}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status
