"""Comment lines of exported files: one line stays one line, whatever the names hold."""

from collections.abc import Iterable, Iterator

from workbench.model.packets import printable

WIDTH = 100


def one_line(text: str, limit: int = 60) -> str:
    """Text that cannot leave its comment: no control characters, quotes or backslashes."""
    return printable(text, limit).translate({ord('"'): "'", ord("\\"): "/"})


def wrapped(start: str, words: Iterable[str], prefix: str, joint: str = ", ") -> Iterator[str]:
    """`start` and the words, each on one line, joined to lines of about WIDTH characters."""
    line = prefix + start
    for number, word in enumerate(map(one_line, words)):
        if number and len(line) + len(joint) + len(word) > WIDTH:
            yield (line + joint).rstrip()
            line = prefix + word
        else:
            line += (joint if number else "") + word
    yield line
