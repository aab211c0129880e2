"""Output on whatever is there: streams that are closed, full or do not speak UTF-8."""

import codecs
import os
import sys
from contextlib import suppress

PLAIN = str.maketrans(
    {"✓": "+", "✗": "x", "–": "-", "·": ".", "→": "->", "…": "...", "─": "-", "╲": "\\", "×": "x",
     "○": "o", "▲": "^", "▼": "v", "●": "*", "█": "#", "▓": "#", "▒": "=", "░": "-"}
)  # fmt: skip


def _plain(error: UnicodeError) -> tuple[str, int]:
    """An encoding error handler; what has no cousin becomes its escape, never a bare `?`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(PLAIN)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def forgiving_streams() -> None:
    """Make stdout and stderr write whatever they are given, also where they are closed."""
    for number in range(3):  # or the next file opened, a flow store, is what a library writes to
        try:
            os.fstat(number)
        except OSError:
            free = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
            os.set_inheritable(free, True)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # closed when Python started
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8"))
    codecs.register_error("workbench-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test has put something in its place
            stream.reconfigure(errors="workbench-plain")


def complain(text: str) -> None:
    """One line on stderr, if anybody can still be told."""
    with suppress(OSError):
        print(text, file=sys.stderr)


def give_up_output() -> None:
    """Nobody reads on: nothing more is written, at the end of the process neither."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())
