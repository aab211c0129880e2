"""Tables for people: short times and sizes, folded to the terminal, and what was left out said."""

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from workbench.model.packets import printable
from workbench.model.text import few_of_each, short_bytes

Record = Mapping[str, Any]
WIDEST_CELL = 60
"""Longer texts get what room is left, and nothing is aligned behind them."""
NARROWEST_CELL = 14
"""Terminal columns to which a text may be shortened before whole columns are left out."""
_LONGEST = 65_536
SENTENCES = {"title": 28, "why": _LONGEST, "because": _LONGEST, "caution": _LONGEST}
"""Column → terminal columns that it needs, or all it has: with less it stands below its row."""
MOST_SAID = 10
"""Lines of narration of one kind."""
INDENT = "    "
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


def say_few(lines: Iterable[tuple[str, str]], rest: str = "") -> None:
    """Narration that may be long, see `few_of_each`."""
    for line in few_of_each(lines, MOST_SAID, rest):
        say(line)


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
    return printable(str(value), _LONGEST)


def print_table(rows: Sequence[Record], columns: Sequence[str], nothing: str) -> None:
    """Rows as a table; `columns` picks and orders, the least important last.

    `nothing` is said in place of no rows.
    """
    if not rows:
        say(nothing)
        return
    names = [name for name in columns or tuple(rows[0]) if name in rows[0]]
    texts = {name: _column(name, [row[name] for row in rows]) for name in names}
    wide = line_width()
    below = [] if wide is None else _below(texts, wide)
    names = [name for name in names if name not in below]
    numbers = [all(isinstance(row[name], int | float | None) for row in rows) for name in names]
    shown = [texts[name] for name in names]
    if wide is not None:
        least = [
            _LONGEST if number or name == "id" else SENTENCES.get(name, NARROWEST_CELL)
            for number, name in zip(numbers, names, strict=True)
        ]
        shown, gone = _folded(shown, least, wide)
        if gone:
            say(f"no room for {', '.join(names[-gone:])}; --format csv or json shows them")
    head, *cells = (list(line) for line in zip(*shown, strict=True))
    notes = [
        [line for name in below for line in _wrapped(f"{name}: ", texts[name][at], wide or 0)]
        for at in range(1, len(rows) + 1)
    ]
    print_grid([head], cells, numbers, notes)


def _below(columns: Mapping[str, list[str]], wide: int) -> list[str]:
    """Sentences for which there is no room in their place."""
    found, used = [], 0
    for name, column in columns.items():
        size = max(map(width, column))
        if name in SENTENCES and used + min(size, SENTENCES[name]) > wide:
            found.append(name)
        else:
            used += min(size, WIDEST_CELL) + len(GAP)
    return found


def _wrapped(name: str, text: str, wide: int) -> list[str]:
    """A sentence in lines of the terminal; nothing where there is none."""
    room = max(wide - len(INDENT), NARROWEST_CELL)
    lines = textwrap.wrap(name + text, room, break_on_hyphens=False) if text else []
    return [INDENT + line for line in lines]


def _column(name: str, values: Sequence[Any]) -> list[str]:
    """A column of text, its head first."""
    head = name.replace("_", " ")
    if name.endswith("_seen") or name == "time":
        return _times(head, values)
    if "bytes" in name:
        return [head, *("" if value is None else short_bytes(value) for value in values)]
    return [head, *map(show, values)]


def _times(head: str, values: Sequence[str | None]) -> list[str]:
    """To the second; the year goes to the head where it is the same all the way down."""
    found = [_TIME.fullmatch(value or "") for value in values]
    years = {one[1] for one in found if one}
    if len(years) == 1:
        return [f"{head} {years.pop()}", *(f"{one[2]} {one[3]}" if one else "" for one in found)]
    return [head, *(f"{one[1]}-{one[2]} {one[3]}" if one else "" for one in found)]


def _folded(
    columns: list[list[str]], least: Sequence[int], wide: int
) -> tuple[list[list[str]], int]:
    """Columns that fit, texts shortened where that helps; and how many are left out at the end.

    least: terminal columns below which a text is not shortened.
    """
    needed = [max(map(width, column)) for column in columns]
    floors = [min(size, floor) for size, floor in zip(needed, least, strict=True)]
    kept = len(columns)
    while kept > 1 and sum(floors[:kept]) + len(GAP) * (kept - 1) > wide:
        kept -= 1
    room = wide - len(GAP) * (kept - 1)
    widths = [max(floor, min(size, WIDEST_CELL))
              for size, floor in zip(needed[:kept], floors, strict=False)]  # fmt: skip
    while sum(widths) > room:
        longer = [at for at in range(kept) if widths[at] > floors[at]]
        if not longer:
            break
        widths[max(longer, key=widths.__getitem__)] -= 1
    left = room - sum(widths)
    for at, size in enumerate(widths):
        more = max(0, min(needed[at] - size, left))
        widths[at], left = size + more, left - more
    return [
        [shortened(text, wide) if needed[at] > wide else text for text in columns[at]]
        for at, wide in enumerate(widths)
    ], len(columns) - kept


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
    heads: Sequence[Sequence[str]],
    cells: Iterable[Sequence[str]],
    right: Sequence[bool],
    notes: Iterable[Sequence[str]] = (),
) -> None:
    """Aligned columns; `right` says which hold numbers, `notes` are lines below each of `cells`."""
    lines = [*heads, *cells]
    wide = line_width() or WIDEST_CELL
    widths = [min(max(map(width, column)), wide) for column in zip(*lines, strict=True)]
    below = chain([()] * len(heads), notes)
    for line in lines:
        padded = (_padded(*cell) for cell in zip(line, widths, right, strict=False))
        print(GAP.join(padded).rstrip())
        for note in next(below, ()):
            print(note)


def _padded(text: str, wide: int, right: bool) -> str:
    space = " " * (wide - width(text))
    return space + text if right else text + space
