"""A document: sections of blocks, without a word of HTML or Markdown.

Cells hold raw values, and a column says what kind they are: each way of writing a document formats
them in its own manner, and none can show another figure than the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TypeAlias

from workbench.model.report import Some

MARK_LINE = "Segmentation Workbench report"
"""Begins what says that a file is a report of ours, and may be replaced by a newer one."""


class Tone(StrEnum):
    """How a mark is coloured. Colour only repeats what glyph and word say."""

    GOOD = "good"
    BAD = "bad"
    CARE = "care"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Mark:
    """A glyph and a word."""

    glyph: str
    word: str
    tone: Tone = Tone.PLAIN

    @property
    def text(self) -> str:
        return f"{self.glyph} {self.word}"


class Kind(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    CODE = "code"
    """A short text to be read letter by letter."""
    DIGEST = "digest"
    """A long one."""
    NAMES = "names"
    """Some[str] or a tuple of texts."""
    COUNT = "count"
    BYTES = "bytes"
    TIME = "time"
    """Microseconds since the epoch, UTC."""
    SHARE = "share"
    """0 to 1."""
    SCORE = "score"
    """A number with one decimal."""
    DAY = "day"
    SCENARIO = "scenario"
    MARK = "mark"


NUMBERS = frozenset({Kind.COUNT, Kind.BYTES, Kind.SHARE, Kind.SCORE})
Cell: TypeAlias = "str | int | float | date | Mark | Some[str] | tuple[str, ...] | None"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    key: str
    """Its name in CSV: a model's field name."""
    title: str
    kind: Kind = Kind.TEXT
    under: bool = False
    """Long text: on paper it has a line of its own under the row."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of values; the first column names the row."""

    id: str
    """A slug: the anchor, and the name of the CSV file."""
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]
    more: int = 0
    """Rows that are not listed."""
    empty: str = "none"
    """What to say when there are no rows."""
    note: str = ""
    page: int | None = None
    """Rows that are written on a page, where that is less than all; CSV has every one."""

    @property
    def page_rows(self) -> Sequence[tuple[Cell, ...]]:
        return self.rows[: self.page]

    @property
    def rest(self) -> str:
        """What a page does not list, in words; empty for nothing."""
        total = len(self.rows) + self.more
        left = total - len(self.page_rows)
        return f"… and {left:,} more, {total:,} in all." if left else ""


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    aside: bool = False
    """Less important: smaller."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Words and what they stand for."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A large number with a word under it."""

    value: str
    label: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Large numbers side by side."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One line of a checklist."""

    mark: Mark
    text: str
    section: str
    """Id of the section that says more."""


@dataclass(frozen=True, slots=True)
class Points:
    """A checklist."""

    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    label: str
    value: float
    text: str
    """The figure in words."""
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars of one scale."""

    title: str
    bars: tuple[Bar, ...]
    top: float
    """What a full bar stands for."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A matrix: one mark for every row and column that meet."""

    title: str
    corner: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Mapping[tuple[int, int], Mark]
    """(row, column) → mark; the others saw nothing."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """From one machine to the next."""

    by: str
    """On which services."""
    because: str
    """What lets it through."""
    to: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A path, hop by hop."""

    title: str
    start: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Command lines that print the figures of a section."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signatures:
    """Lines to sign on."""

    roles: tuple[str, ...]


Block: TypeAlias = (
    Table | Text | Facts | Figures | Points | Bars | Grid | Chain | Commands | Signatures
)


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what is below it."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    parts: tuple["Section", ...] = ()
    """Sections inside of it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    made: str
    """The line with the time: the only one that differs between two reports of one workspace."""
    summary: Section
    """The first page."""
    sections: tuple[Section, ...] = field(default=())
