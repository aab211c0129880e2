"""Rows to a table, JSON or CSV on stdout, page by page; nothing from a packet goes out raw."""

import csv
import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from workbench.model.packets import printable

Record = Mapping[str, Any]
TABLE_LIMIT = 100
"""Rows a table shows when nobody says; the rest is announced, never dropped silently."""


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
        return " ".join(f"{key}={show(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(show, value))
    return printable(str(value))


def width(text: str) -> int:
    """Terminal columns of a text."""
    return sum(
        0 if unicodedata.combining(char) else 1 + (unicodedata.east_asian_width(char) in "WF")
        for char in text
    )


def emit(
    records: Iterable[Record], form: str, *, columns: Iterable[str] = (), limit: int | None = None
) -> None:
    """Write records; `columns` picks and orders what a table shows. limit 0 means all."""
    most = TABLE_LIMIT if limit is None and form == "table" else (limit or 0)
    rows = iter(records)
    shown = islice(rows, most) if most else rows
    {"json": _json_array, "csv": _csv, "table": _table}[form](shown, tuple(columns))
    if most and (left := sum(1 for _ in rows)):
        say(f"… {left} more; --limit 0 shows all")


def emit_object(record: Record) -> None:
    """One JSON object. ASCII only: no control or bidi character survives as itself."""
    json.dump(record, sys.stdout, indent=2)
    print()


def _json_array(records: Iterable[Record], _columns: tuple[str, ...]) -> None:
    start = "[\n  "
    for record in records:
        print(start + json.dumps(record), end="")
        start = ",\n  "
    print("[]" if start.startswith("[") else "\n]")


def _csv(records: Iterable[Record], _columns: tuple[str, ...]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = iter(records)
    first = next(rows, None)
    if first is None:
        return
    writer.writerow(first)
    for record in chain([first], rows):
        writer.writerow([show(value) for value in record.values()])


def _table(records: Iterable[Record], columns: tuple[str, ...]) -> None:
    rows = list(records)
    if not rows:
        say("nothing to show")
        return
    names = [name for name in columns or tuple(rows[0]) if name in rows[0]]
    cells = [[show(row[name]) for name in names] for row in rows]
    numeric = [all(isinstance(row[name], int | float) for row in rows) for name in names]
    print_grid([name.replace("_", " ") for name in names], cells, numeric)


def print_grid(head: list[str], cells: list[list[str]], right: list[bool]) -> None:
    """Aligned columns, two spaces between them; `right` says which hold numbers."""
    widths = [max(map(width, column)) for column in zip(head, *cells, strict=True)]
    for line in chain([head], cells):
        print("  ".join(_padded(*cell) for cell in zip(line, widths, right, strict=True)).rstrip())


def _padded(text: str, wide: int, right: bool) -> str:
    space = " " * (wide - width(text))
    return space + text if right else text + space


def pages(view: Any, size: int = 5000) -> Iterator[Any]:
    """Every item of a paged view, in order."""
    for start in range(0, view.total, size):
        yield from view.page(start, size)
