"""The matrix of conversations: headers that stay, one line drawn at a time from sparse cells."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size, clamp
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from workbench.model.matrix import Cell, Matrix
from workbench.tui.glyphs import SHADES, TONES
from workbench.tui.widgets.faces import FACE, Openness, distinct, downwards, face, open_face
from workbench.tui.widgets.fitting import fitted
from workbench.tui.widgets.grid import COUNTS, Grid

SHOWS = ("verdict and volume", "verdict", "volume", "exposure")
"""What a cell says."""
_NARROW = 4
"""Width of a cell under column labels that are written downwards."""
_TIGHT, _WIDEST = 6, 14
"""Least and most width of a cell under column labels that are written across."""

EMPTY = Grid.of(
    Matrix((), (), {name: np.zeros(0, np.int64) for name in ("row", "column", *COUNTS)})
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in a view of one size."""

    label: int
    """Width of the row labels, with one space behind."""
    header: int
    """Lines of column labels."""
    cell: int
    """Width of a cell, with one space before."""
    labels: tuple[str, ...] = ()
    """Of the columns, shortened where they are written downwards."""

    @classmethod
    def of(cls, grid: Grid, width: int, height: int) -> "Layout":
        """Labels across while they fit, downwards otherwise."""
        longest = max(map(cell_len, grid.columns), default=0)
        label = clamp(max(map(cell_len, grid.rows), default=0), 9, max(9, width // 4)) + 1
        room = (width - label) // max(1, len(grid.columns))
        if room >= _TIGHT:
            across = clamp(longest + 2, _TIGHT, min(room, _WIDEST))
            return cls(label, 1, across, grid.columns)
        room = max(3, height // 3)
        labels = grid.columns if longest <= room else distinct(grid.columns)
        longest = max(map(cell_len, labels), default=0)
        return cls(label, min(longest, room), _NARROW, labels)


class MatrixView(ScrollView, can_focus=True):
    """Clients down, servers across. Takes a Grid, posts where the cursor is and what is chosen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "matrix--header",
        "matrix--header-cursor",
        "matrix--cross",
        "matrix--cursor",
        "matrix--window",
        *(f"tone--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open", id="matrix.open", tooltip="Conversations of this cell"),
        Binding("up,k", "move(-1, 0)", "up", show=False, id="matrix.up"),
        Binding("down,j", "move(1, 0)", "down", show=False, id="matrix.down"),
        Binding("left,h", "move(0, -1)", "left", show=False, id="matrix.left"),
        Binding("right,l", "move(0, 1)", "right", show=False, id="matrix.right"),
        Binding("pageup", "leap(-1)", "page up", show=False, id="matrix.page-up"),
        Binding("pagedown", "leap(1)", "page down", show=False, id="matrix.page-down"),
        Binding("home", "edge(False)", "first column", show=False, id="matrix.first"),
        Binding("end", "edge(True)", "last column", show=False, id="matrix.last"),
        Binding("ctrl+home", "corner(False)", "first cell", show=False, id="matrix.top"),
        Binding("ctrl+end,G", "corner(True)", "last cell", show=False, id="matrix.bottom"),
        Binding(
            "n", "next_bad(1)", "next ✗", show=False, id="matrix.next-bad",
            tooltip="Next cell that would block",
        ),
        Binding(
            "N", "next_bad(-1)", "previous ✗", show=False, id="matrix.previous-bad",
            tooltip="Previous cell that would block",
        ),
    ]  # fmt: skip

    grid: reactive[Grid] = reactive(EMPTY, always_update=True)
    show: reactive[str] = reactive(SHOWS[0])
    openness: reactive[Openness | None] = reactive(None)
    """What `exposure` shows; None while it is worked out."""
    cursor: reactive[tuple[int, int]] = reactive((0, 0))
    """Display row and column."""

    @dataclass
    class Moved(Message):
        """The cursor is on this cell now."""

        cell: Cell

    @dataclass
    class Chosen(Message):
        """Enter, or a click on the cell under the cursor."""

        cell: Cell

    _layout_now = Layout(16, 1, 6)
    _overview: tuple[tuple[int, int], NDArray[np.int64]] = ((0, 0), np.zeros((0, 0), np.int64))

    @property
    def cell(self) -> Cell | None:
        """The cell under the cursor; None in an empty matrix."""
        if not self.grid.rows or not self.grid.columns:
            return None
        return self.grid.cell(*self.cursor)

    # ── layout ─────────────────────────────────────────────────────────────────────────────

    def watch_grid(self, old: Grid, new: Grid) -> None:
        """Keep the cursor on the same names where they still exist."""
        row, column = self.cursor
        if row < len(old.rows) and column < len(old.columns):
            row = _place(old.rows[row], new.rows, row)
            column = _place(old.columns[column], new.columns, column)
        self._overview = ((0, 0), self._overview[1])
        self._measure()
        self.set_reactive(MatrixView.cursor, self.validate_cursor((row, column)))
        self._follow()
        self._tell()

    def on_resize(self) -> None:
        self._measure()
        self._follow()

    def _measure(self) -> None:
        layout = Layout.of(self.grid, self.size.width, self.size.height)
        self._layout_now = layout
        self.virtual_size = Size(
            layout.label + layout.cell * len(self.grid.columns),
            layout.header + len(self.grid.rows),
        )
        self.refresh()

    def _follow(self) -> None:
        """Keep the cursor's cell in view."""
        layout, (row, column) = self._layout_now, self.cursor
        x, y = self.scroll_offset
        (width, height), whole = self.size, self.virtual_size
        right = max(layout.cell, width - layout.label - (whole.height > height))  # scrollbars are 1
        lines = max(1, height - layout.header - (whole.width > width))
        left = column * layout.cell
        x = min(x, left) if left < x else max(x, left + layout.cell - right)
        y = min(y, row) if row < y else max(y, row - lines + 1)
        self.scroll_to(x=x, y=y, animate=False)

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def _style(self, *names: str) -> Style:
        return self.get_component_rich_style(*names)

    def _tone(self, tone: str) -> Style:
        return self.get_component_rich_style(f"tone--{tone}", partial=True)

    def _columns_in_view(self) -> tuple[int, int, int]:
        """First and behind-the-last display column, and cells cut off on the left."""
        layout, x = self._layout_now, self.scroll_offset.x
        first = x // layout.cell
        count = (self.size.width - layout.label + x % layout.cell) // layout.cell + 1
        return first, min(first + count, len(self.grid.columns)), x % layout.cell

    def render_line(self, y: int) -> Strip:
        layout = self._layout_now
        if y < layout.header:
            label, body = self._corner(y), self._header_line(y)
        else:
            row = y - layout.header + self.scroll_offset.y
            if row >= len(self.grid.rows):
                return Strip.blank(self.size.width, self.rich_style)
            label, body = self._row_label(row), self._row_line(row)
        cut = self._columns_in_view()[2]
        room = max(0, self.size.width - layout.label)
        shown = Strip(body).crop_extend(cut, cut + room, self.rich_style)
        return Strip.join([Strip(label), shown])

    def _row_label(self, row: int) -> list[Segment]:
        here = row == self.cursor[0]
        style = self._style("matrix--header-cursor" if here else "matrix--header")
        return [
            Segment(fitted(self.grid.rows[row], self._layout_now.label - 1, "middle") + " ", style)
        ]

    def _row_line(self, row: int) -> list[Segment]:
        first, last, _ = self._columns_in_view()
        width, (cursor_row, cursor_column) = self._layout_now.cell, self.cursor
        plain, cross = self.rich_style, self._style("matrix--cross")
        in_row = row == cursor_row
        cells = dict(self.grid.line(row, first, last))
        dot, segments = self._tone("dim"), []
        for column in range(first, last):
            ground = cross if in_row or column == cursor_column else plain
            at = cells.get(column)
            if self.show == SHOWS[-1]:
                text, tone = self._open_face(row, column)
            else:
                text, tone = ("·", dot) if at is None else self._face(at)
            if in_row and column == cursor_column:
                ground, tone = self._style("matrix--cursor"), Style()
            segments.append(Segment(f" {text:<{width - 1}}", ground + tone))
        return segments

    def _face(self, at: int) -> tuple[str, Style]:
        text, tone = face({name: int(self.grid.counts[name][at]) for name in FACE}, self.show)
        return text, self._tone(tone)

    def _open_face(self, row: int, column: int) -> tuple[str, Style]:
        if self.openness is None:
            return "…", self._tone("dim")
        text, tone = open_face(*self.openness.pairs(self.grid.rows[row], self.grid.columns[column]))
        return text, self._tone(tone)

    def _header_line(self, y: int) -> list[Segment]:
        layout, segments = self._layout_now, []
        first, last, _ = self._columns_in_view()
        for column in range(first, last):
            here = column == self.cursor[1]
            name = layout.labels[column]
            style = self._style("matrix--header-cursor" if here else "matrix--header")
            if layout.header == 1:
                text = " " + fitted(name, layout.cell - 1, "middle")
            else:
                text = f" {downwards(name, layout.header)[y]:<{layout.cell - 1}}"
            segments.append(Segment(text, style))
        return segments

    def _corner(self, y: int) -> list[Segment]:
        """Which way round the matrix is; over tall headers also where we are in it."""
        layout, style = self._layout_now, self._style("matrix--header")
        width, height = layout.label - 2, layout.header - 1
        if y == layout.header - 1:
            way = "client ╲ server" if layout.label > 15 else "↓ to →"
            return [Segment(fitted(way, layout.label, "left"), style)]
        window = self._style("matrix--window")
        rows, columns = len(self.grid.rows), len(self.grid.columns)
        first, last, _ = self._columns_in_view()
        top = self.scroll_offset.y
        bottom = min(rows, top + self.size.height - layout.header)
        if width < 1 or ((first, last, top) == (0, columns, 0) and bottom == rows):
            return [Segment(" " * layout.label, style)]
        lit_rows = range(top * height // rows, -(-bottom * height // rows))
        lit_columns = range(first * width // columns, -(-last * width // columns))
        marks = self._density(width, height)[y]
        segments = [
            Segment(
                SHADES[min(3, int(mark).bit_length() // 3)] if mark else " ",
                window if y in lit_rows and x in lit_columns else style,
            )
            for x, mark in enumerate(marks)
        ]
        return [Segment(" ", style), *segments, Segment(" ", style)]

    def _density(self, width: int, height: int) -> NDArray[np.int64]:
        """Cells with traffic in each character of the overview."""
        if self._overview[0] != (width, height):
            grid = self.grid
            row = np.repeat(np.arange(len(grid.rows)), np.diff(grid.starts))
            y = row * height // max(1, len(grid.rows))
            x = grid.at_column * width // max(1, len(grid.columns))
            counts = np.bincount(y * width + x, minlength=width * height)
            self._overview = ((width, height), counts.reshape(height, width))
        return self._overview[1]

    # ── moving ─────────────────────────────────────────────────────────────────────────────

    def validate_cursor(self, cursor: tuple[int, int]) -> tuple[int, int]:
        row, column = cursor
        return (
            clamp(row, 0, max(0, len(self.grid.rows) - 1)),
            clamp(column, 0, max(0, len(self.grid.columns) - 1)),
        )

    def watch_cursor(self) -> None:
        self._follow()
        self.refresh()
        self._tell()

    def _tell(self) -> None:
        if cell := self.cell:
            self.post_message(self.Moved(cell))

    def jump(self, row: str | None = None, column: str | None = None) -> None:
        """Put the cursor on a row, a column, or both, by name; unknown names change nothing."""
        at_row, at_column = self.cursor
        self.cursor = (
            _place(row, self.grid.rows, at_row),
            _place(column, self.grid.columns, at_column),
        )

    def action_move(self, down: int, right: int) -> None:
        row, column = self.cursor
        self.cursor = (row + down, column + right)

    def action_leap(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - self._layout_now.header - 1), 0)

    def action_edge(self, last: bool) -> None:
        self.cursor = (self.cursor[0], len(self.grid.columns) if last else 0)

    def action_corner(self, last: bool) -> None:
        self.cursor = (len(self.grid.rows), len(self.grid.columns)) if last else (0, 0)

    def action_next_bad(self, by: int) -> None:
        """The next cell, in reading order, in which something would be blocked."""
        grid, columns = self.grid, max(1, len(self.grid.columns))
        row = np.repeat(np.arange(len(grid.rows)), np.diff(grid.starts))
        bad = (row * columns + grid.at_column)[grid.counts["would_block"] > 0]
        if len(bad):
            here = self.cursor[0] * columns + self.cursor[1]
            at = np.searchsorted(bad, here, "right") if by > 0 else np.searchsorted(bad, here) - 1
            self.cursor = divmod(int(bad[at % len(bad)]), columns)

    def land(self) -> None:
        """From a cell where nothing was seen to one that would block, or has any traffic."""
        if (cell := self.cell) is None or (cell.conversations and any(self.cursor)):
            return
        row = int(np.searchsorted(self.grid.starts, 0, "right")) - 1
        if not self.grid.empty:
            self.cursor = (row, int(self.grid.at_column[0]))
            if not self.grid.cell(*self.cursor).would_block:
                self.action_next_bad(1)

    def on_click(self, event: events.Click) -> None:
        layout, at = self._layout_now, event.get_content_offset(self)
        if at is None or at.y < layout.header or at.x < layout.label:
            return
        row = at.y - layout.header + self.scroll_offset.y
        column = (at.x - layout.label + self.scroll_offset.x) // layout.cell
        if row < len(self.grid.rows) and column < len(self.grid.columns):
            again = (row, column) == self.cursor
            self.cursor = (row, column)
            if again:
                self.action_choose()

    def action_choose(self) -> None:
        if (cell := self.cell) and cell.conversations:
            self.post_message(self.Chosen(cell))


def _place(name: str | None, names: tuple[str, ...], otherwise: int) -> int:
    return names.index(name) if name is not None and name in names else otherwise
