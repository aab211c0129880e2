"""Tables for people: short times and sizes, folded to the terminal, and what was left out said."""

import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.model.packets import printable
from workbench.model.text import short_bytes

Record = Mapping[str, Any]
WIDEST_CELL = 60
NARROWEST_CELL = 14
"""Terminal columns to which a text may be shortened before whole columns are left out."""
GAP = "  "
_TIME = re.compile(r"(\d{4})-(\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{6}Z")


def line_width() -> int | None:
    """Columns of the terminal (or of $COLUMNS); None where the lines go to a file or a pipe."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size().columns
    return None


def say(text: str) -> None:
    """Narration."""
    print(printable(text, 4000), file=sys.stderr)


def show(value: Any) -> str:
    """One value as a person reads it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " ".join(f"{show(key)}={show(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value))
    return printable(str(value))


def print_table(rows: Sequence[Record], columns: Sequence[str]) -> None:
    """Rows as a table; `columns` picks and orders, the least important last."""
    if not rows:
        say("nothing to show")
        return
    names = [name for name in columns or tuple(rows[0]) if name in rows[0]]
    texts = [_column(name, [row[name] for row in rows]) for name in names]
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    wide = line_width()
    if wide is not None:
        rigid = [number or name == "id" for number, name in zip(numbers, names, strict=True)]
        texts, gone = _folded(texts, rigid, wide)
        if gone:
            say(f"no room for {', '.join(names[-gone:])}; --format csv or json shows them")
    head, *cells = (list(line) for line in zip(*texts, strict=True))
    print_grid([head], cells, numbers)


def _column(name: str, values: Sequence[Any]) -> list[str]:
    """A column of text, its head first."""
    head = name.replace("_", " ")
    if name.endswith("_seen") or name == "time":
        return _times(head, values)
    if "bytes" in name:
        return [head, *("" if value is None else short_bytes(value) for value in values)]
    return [head, *(shortened(show(value), WIDEST_CELL) for value in values)]


def _times(head: str, values: Sequence[str | None]) -> list[str]:
    """To the second; the year goes to the head where it is the same all the way down."""
    found = [_TIME.fullmatch(value or "") for value in values]
    years = {one[1] for one in found if one}
    if len(years) == 1:
        return [f"{head} {years.pop()}", *(f"{one[2]} {one[3]}" if one else "" for one in found)]
    return [head, *(f"{one[1]}-{one[2]} {one[3]}" if one else "" for one in found)]


def _folded(
    columns: list[list[str]], rigid: Sequence[bool], wide: int
) -> tuple[list[list[str]], int]:
    """Columns that fit, texts shortened where that helps; and how many are left out at the end."""
    gone = 0
    widths = [max(map(width, column)) for column in columns]
    while len(columns) > 1:
        least = [
            size if whole else min(size, NARROWEST_CELL)
            for size, whole in zip(widths, rigid, strict=False)
        ]
        if sum(least) + len(GAP) * (len(columns) - 1) <= wide:
            break
        columns, widths, gone = columns[:-1], widths[:-1], gone + 1
    while sum(widths) + len(GAP) * (len(columns) - 1) > wide:
        texts = [at for at in range(len(columns)) if not rigid[at]]
        if not texts or max(widths[at] for at in texts) <= NARROWEST_CELL:
            break
        widths[max(texts, key=widths.__getitem__)] -= 1
    return [
        column if rigid[at] else [shortened(text, widths[at]) for text in column]
        for at, column in enumerate(columns)
    ], gone


def width(text: str) -> int:
    """Terminal columns of a text."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def shortened(text: str, wide: int) -> str:
    """The text in at most `wide` terminal columns, `…` where something is missing."""
    if width(text) <= wide:
        return text
    while text and width(text) > wide - 1:
        text = text[: wide - 1] if text.isascii() else text[:-1]
    return text + "…"


def print_grid(
    heads: Sequence[Sequence[str]], cells: Iterable[Sequence[str]], right: Sequence[bool]
) -> None:
    """Aligned columns; `right` says which hold numbers."""
    lines = [*heads, *cells]
    widths = [max(map(width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (_padded(*cell) for cell in zip(line, widths, right, strict=False))
        print(GAP.join(padded).rstrip())


def _padded(text: str, wide: int, right: bool) -> str:
    space = " " * (wide - width(text))
    return space + text if right else text + space
