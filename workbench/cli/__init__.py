"""The command line: stdout is data, stderr is narration.

Exit status: 0 done, or the answer is yes; 1 the honest answer is no; 2 usage or bad input, with one
clear line on stderr; 130 stopped by Ctrl-C.
"""

import sys
from collections.abc import Sequence

from workbench.cli.parser import parse
from workbench.cli.streams import complain, forgiving_streams, give_up_output
from workbench.model.errors import Cancelled, WorkbenchError
from workbench.model.packets import printable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    forgiving_streams()
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        from workbench.cli.commands import run

        status = run(options)
        sys.stdout.flush()
    except (KeyboardInterrupt, Cancelled):
        complain("stopped; the workspace is as it was")
        return 130
    except WorkbenchError as error:
        complain(f"workbench: {printable(str(error), 2000)}")
        return 2
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        give_up_output()
        return 0
    except OSError as error:
        what = "the output cannot be written" if error.filename is None else error.filename
        complain(f"workbench: {printable(f'{what}: {error.strerror}', 2000)}")
        give_up_output()
        return 2
    return status
