"""Output on terminals and pipes that do not speak UTF-8: glyphs become their plain cousins."""

import codecs
import sys

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
    """Make stdout and stderr write whatever they are given."""
    codecs.register_error("workbench-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # not where a test has put something in its place
            stream.reconfigure(errors="workbench-plain")
