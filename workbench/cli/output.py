"""Records to a table, JSON or CSV on stdout; nothing from a packet goes out raw."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from workbench.cli.table import Record, print_table, say, show
from workbench.model.packets import printable
from workbench.model.text import no_formula
from workbench.model.traffic import format_time

TABLE_LIMIT = 100
"""Rows a table shows when nobody says; the rest is announced, never dropped silently."""
NOTHING = "nothing to show"
Row = TypeVar("Row")


def shown_time(moment: int | None) -> str | None:
    """Microseconds as text, RFC 3339; None where there is no time."""
    return None if moment is None else format_time(moment)


def emit(
    records: Iterable[Record],
    form: str,
    head: Sequence[str],
    *,
    columns: Iterable[str] = (),
    limit: int | None = None,
    total: int | None = None,
    nothing: str = NOTHING,
) -> None:
    """Write records; `head` names what each holds, `columns` picks and orders what a table shows.

    limit 0 means all. `total` saves counting records that are not shown; `nothing` is said where a
    table has none.
    """
    most = TABLE_LIMIT if limit is None and form == "table" else (limit or 0)
    rows = iter(records)
    shown = islice(rows, most) if most else rows
    if form == "table":
        print_table(list(shown), tuple(columns), nothing)
    elif form == "csv":
        _csv(shown, head)
    else:
        _json_array(shown)
    _say_left(most, total - most if total is not None else sum(1 for _ in rows))


def first(rows: list[Row], limit: int | None) -> list[Row]:
    """Of a list inside of a JSON object, as many as are wanted; what is left out is said."""
    most = limit or 0
    _say_left(most, len(rows) - most)
    return rows[:most] if most else rows


def _say_left(most: int, left: int) -> None:
    if most and left > 0:
        say(f"… {left:,} more; --limit 0 shows all")


def emit_object(record: Record) -> None:
    """One JSON object. ASCII only: no control or bidi character survives as itself."""
    json.dump(record, sys.stdout, indent=2)
    print()


def _json_array(records: Iterable[Record]) -> None:
    start = "[\n  "
    for record in records:
        print(start + json.dumps(record), end="")
        start = ",\n  "
    print("[]" if start.startswith("[") else "\n]")


def _csv(records: Iterable[Record], head: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    for record in records:
        writer.writerow(_cell(record[key]) for key in head)


def _cell(value: Any) -> str:
    """As a person reads it; a name is never a formula, a number may be negative."""
    return show(value) if isinstance(value, int | float) else no_formula(show(value))


def print_paths(paths: Iterable[Path]) -> None:
    """Where something was written. A path is the user's own, but may come from a script."""
    for path in paths:
        print(printable(str(path), 4096))


def pages(view: Any, limit: int | None = None) -> Iterator[Any]:
    """Every item of a paged view, in order; small pages where few are wanted."""
    size = min(limit or PAGE, PAGE)
    for start in range(0, view.total, size):
        yield from view.page(start, size)


PAGE = 5000
