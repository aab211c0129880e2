"""A document as CSV: one file a table, with raw values under the model's field names."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from io import StringIO

from workbench.model.report import Some
from workbench.model.text import no_formula
from workbench.model.traffic import format_time
from workbench.report.document import Cell, Document, Kind, Mark, Points, Section, Table
from workbench.report.values import safe

ABOUT = "about.csv"
"""Says what the folder is; a folder that has it is a report of ours."""
LONGEST = 100_000


def csv_files(document: Document) -> Mapping[str, str]:
    """File name → text. The set of names is the same for every report."""
    about = (("title", document.title), ("subtitle", document.subtitle), ("made", document.made))
    points = [
        (one.mark.word, one.text, one.section)
        for block in document.summary.blocks
        if isinstance(block, Points)
        for one in block.points
    ]
    found = {
        ABOUT: _written(("name", "value"), about),
        "summary.csv": _written(("state", "text", "section"), points),
    }
    for table in (one for section in document.sections for one in _tables(section)):
        rows = (
            tuple(
                _value(value, column.kind) for value, column in zip(row, table.columns, strict=True)
            )
            for row in table.rows
        )
        found[f"{table.id}.csv"] = _written([column.key for column in table.columns], rows)
    return found


def _tables(section: Section) -> Iterator[Table]:
    yield from (block for block in section.blocks if isinstance(block, Table))
    for part in section.parts:
        yield from _tables(part)


def _written(head: Iterable[str], rows: Iterable[Iterable[str | int | float]]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([_kept(value) for value in row] for row in rows)
    return text.getvalue()


def _kept(value: str | float) -> str | float:
    return no_formula(value) if isinstance(value, str) else value


def _value(value: Cell, kind: Kind) -> str | int | float:
    """Raw: exact numbers, RFC 3339 times, the word of a mark."""
    if value is None:
        return ""
    if isinstance(value, Mark):
        return safe(value.word)
    if isinstance(value, Some | tuple):
        return ", ".join(safe(one) for one in value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return safe(value, LONGEST)
    return format_time(int(value)) if kind is Kind.TIME else value
