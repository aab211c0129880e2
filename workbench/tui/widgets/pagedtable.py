"""A table of any length, drawn line by line from pages that arrive when they are ready."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import ClassVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from workbench.tui.glyphs import TONES
from workbench.tui.widgets.fitting import Align, fitted

PAGE = 200
"""Rows a page."""
_KEPT = 30
"""Pages kept in memory."""

Cell = str | tuple[str, str]
"""Text, or text and its tone (glyphs.TONES)."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `key` is what sorting by it means to the owner (empty: cannot be sorted by)."""

    title: str
    width: int
    key: str = ""
    flex: int = 0
    """Share of the width that is left over."""
    right: bool = False
    middle: bool = False
    """Where a text is too long its middle goes: names differ at their ends."""
    names: bool = False
    """The same for one name; of several the last ones go."""
    spare: int = 0
    """Where space is short the column with the highest figure goes first; 0 always stays."""

    @property
    def align(self) -> Align:
        if self.names:
            return "names"
        return "right" if self.right else "middle" if self.middle else "left"


@dataclass(frozen=True, slots=True)
class Row:
    """What the owner knows a row by, and what it looks like."""

    key: Hashable
    cells: tuple[Cell, ...]


def fit(columns: Sequence[Column], width: int) -> list[tuple[int, int]]:
    """Which columns fit into `width` cells, and how wide: (column index, width) in order."""
    chosen = list(range(len(columns)))
    while (need := sum(columns[at].width + 1 for at in chosen)) > width:
        spare = max(chosen, key=lambda at: columns[at].spare)
        if not columns[spare].spare:
            break
        chosen.remove(spare)
    rest = max(0, width - need)
    shares = sum(columns[at].flex for at in chosen) or 1
    return [(at, columns[at].width + rest * columns[at].flex // shares) for at in chosen]


class PagedTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Columns fit the width, the header stays, the cursor is a row.

    The owner calls `show(total)` and answers every `Wanted` with `put(generation, start, rows)`;
    answers to older generations are dropped. Rows not there yet are drawn as dots.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--header",
        "table--cursor",
        "table--marked",
        *(f"tone--{tone}" for tone in TONES),
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open", id="table.open", tooltip="Go deeper into this row"),
        Binding("up,k", "step(-1)", "up", show=False, id="table.up"),
        Binding("down,j", "step(1)", "down", show=False, id="table.down"),
        Binding("pageup,ctrl+b", "leap(-1)", "page up", show=False, id="table.page-up"),
        Binding("pagedown,ctrl+f", "leap(1)", "page down", show=False, id="table.page-down"),
        Binding("home", "end(False)", "first", show=False, id="table.first"),
        Binding("end,G", "end(True)", "last", show=False, id="table.last"),
        Binding("s", "sort", "sort", id="table.sort", tooltip="Sort by the next column"),
        Binding(
            "R",
            "reverse",
            "reverse",
            show=False,
            id="table.reverse",
            tooltip="Turn the order round",
        ),
    ]

    cursor: reactive[int] = reactive(0)
    sort_key: reactive[str] = reactive("")
    descending: reactive[bool] = reactive(False)
    marked: reactive[frozenset[Hashable]] = reactive(frozenset[Hashable]())

    @dataclass
    class Wanted(Message):
        """A page is needed on screen."""

        table: "PagedTable"
        generation: int
        start: int
        count: int

        @property
        def control(self) -> "PagedTable":
            return self.table

    @dataclass
    class Chosen(Message):
        """Enter, or a click on the row under the cursor."""

        table: "PagedTable"
        key: Hashable

        @property
        def control(self) -> "PagedTable":
            return self.table

    @dataclass
    class Moved(Message):
        """The cursor is on another row, or its row has arrived; key None while it is loading."""

        table: "PagedTable"
        key: Hashable | None

        @property
        def control(self) -> "PagedTable":
            return self.table

    @dataclass
    class Sorted(Message):
        """The user wants another order."""

        table: "PagedTable"
        key: str
        descending: bool

        @property
        def control(self) -> "PagedTable":
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        sort: str = "",
        descending: bool = False,
        empty: str = "Nothing here.",
        id: str | None = None,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.empty = empty
        self.total = 0
        self.generation = 0
        self._rows: Sequence[Row] | None = None
        self._pages: OrderedDict[int, Sequence[Row]] = OrderedDict()
        self._asked: set[int] = set()
        self._layout_of: tuple[int, list[tuple[int, int]]] = (-1, [])
        self.set_reactive(PagedTable.sort_key, sort)
        self.set_reactive(PagedTable.descending, descending)

    # ── what the owner does ────────────────────────────────────────────────────────────────

    def show(self, total: int, *, keep_cursor: bool = True) -> None:
        """Start anew with `total` rows; pages are asked for as they come into view."""
        self.generation += 1
        self.total = total
        self._pages.clear()
        self._asked.clear()
        self.virtual_size = Size(0, total + 1)
        self.cursor = min(self.cursor, max(0, total - 1)) if keep_cursor else 0
        self._follow()
        self.refresh()
        if not total:
            self.post_message(self.Moved(self, None))

    def show_rows(self, rows: Sequence[Row], *, keep_cursor: bool = True) -> None:
        """A short table: all rows at once."""
        self._rows = rows
        self.show(len(rows), keep_cursor=keep_cursor)
        self.post_message(self.Moved(self, self.key))

    def set_columns(self, columns: Sequence[Column], empty: str) -> None:
        """Other columns, and what to say when there are no rows; `show` must follow."""
        self.columns, self.empty = tuple(columns), empty
        self._layout_of = (-1, [])

    def put(self, generation: int, start: int, rows: Sequence[Row]) -> None:
        """A page has arrived."""
        if generation != self.generation:
            return
        page = start // PAGE
        self._pages[page] = rows
        self._pages.move_to_end(page)
        while len(self._pages) > _KEPT:
            old, _ = self._pages.popitem(last=False)
            self._asked.discard(old)
        self.refresh()
        if page == self.cursor // PAGE:
            self.post_message(self.Moved(self, self.key))

    def row(self, at: int) -> Row | None:
        """The row, or None while it is loading."""
        if self._rows is not None:
            return self._rows[at] if at < len(self._rows) else None
        page = self._pages.get(at // PAGE)
        if page is None or at % PAGE >= len(page):
            return None
        return page[at % PAGE]

    @property
    def key(self) -> Hashable | None:
        """What the owner knows the row under the cursor by."""
        row = self.row(self.cursor) if self.total else None
        return row.key if row else None

    # ── drawing ────────────────────────────────────────────────────────────────────────────

    def _want(self, page: int) -> None:
        if page not in self._asked:
            self._asked.add(page)
            self.call_later(self._ask, self.generation, page)  # not in the middle of a repaint

    def _ask(self, generation: int, page: int) -> None:
        if generation == self.generation:
            self.post_message(self.Wanted(self, generation, page * PAGE, PAGE))

    def _fitted(self) -> list[tuple[int, int]]:
        width = self.size.width
        if self._layout_of[0] != width:
            self._layout_of = (width, fit(self.columns, width))
        return self._layout_of[1]

    def _style(self, tone: str) -> Style:
        return self.get_component_rich_style(f"tone--{tone}", partial=True) if tone else Style()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if y == 0:
            return self._header(width)
        at = y - 1 + self.scroll_offset.y
        if not self.total:
            lines = wrap(self.empty, max(10, width - 4))
            note = lines[y - 2] if 2 <= y < 2 + len(lines) else ""
            line = Segment(set_cell_size(f"  {note}", width), base + self._style("dim"))
            return Strip([line], width)
        if at >= self.total:
            return Strip.blank(width, base)
        row = self.row(at)
        if row is None:
            self._want(at // PAGE)
        style = base
        if row and row.key in self.marked:
            style = self.get_component_rich_style("table--marked")
        if at == self.cursor:
            style = self.get_component_rich_style("table--cursor")
        return self._line(row, style, width, lit=at == self.cursor)

    def _line(self, row: Row | None, style: Style, width: int, *, lit: bool) -> Strip:
        segments = []
        for at, room in self._fitted():
            text, tone = ("·", "dim") if row is None else _cell(row.cells[at])
            column = self.columns[at]
            shown = fitted(text, room, column.align)
            tone = "" if lit and tone in ("dim", "out") else tone  # faint on bright: unreadable
            segments += [Segment(shown, style + self._style(tone)), Segment(" ", style)]
        return Strip(segments).adjust_cell_length(width, style)

    def _header(self, width: int) -> Strip:
        style = self.get_component_rich_style("table--header")
        segments = []
        for at, room in self._fitted():
            column = self.columns[at]
            arrow = ("▼" if self.descending else "▲") if column.key == self.sort_key != "" else ""
            title = column.title + arrow
            shown = fitted(title, room, "right" if column.right else "left")
            segments.append(Segment(shown + " ", style))
        return Strip(segments).adjust_cell_length(width, style)

    # ── moving ─────────────────────────────────────────────────────────────────────────────

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.total - 1))

    def watch_cursor(self) -> None:
        self._follow()
        self.refresh()
        self.post_message(self.Moved(self, self.key))

    def watch_marked(self) -> None:
        self.refresh()

    def _follow(self) -> None:
        """Keep the cursor in view."""
        visible = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + visible:
            self.scroll_to(y=self.cursor - visible + 1, animate=False)

    def on_resize(self) -> None:
        self._follow()

    def action_step(self, by: int) -> None:
        self.cursor += by

    def action_leap(self, by: int) -> None:
        self.cursor += by * max(1, self.size.height - 2)

    def action_end(self, last: bool) -> None:
        self.cursor = self.total - 1 if last else 0

    def action_choose(self) -> None:
        if (key := self.key) is not None:
            self.post_message(self.Chosen(self, key))

    def action_sort(self) -> None:
        keys = [self.columns[at].key for at, _ in self._fitted() if self.columns[at].key]
        if keys:
            at = keys.index(self.sort_key) + 1 if self.sort_key in keys else 0
            self._sort_by(keys[at % len(keys)])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """No sorting where no column can be sorted by."""
        return action not in ("sort", "reverse") or any(column.key for column in self.columns)

    def action_reverse(self) -> None:
        if self.sort_key:
            self._sort(self.sort_key, not self.descending)

    def _sort_by(self, key: str) -> None:
        """By another column: words from A, figures from the largest."""
        self._sort(key, any(column.right for column in self.columns if column.key == key))

    def _sort(self, key: str, descending: bool) -> None:
        self.sort_key, self.descending = key, descending
        self.refresh()
        self.post_message(self.Sorted(self, key, descending))

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        if offset.y == 0:
            self._click_header(offset.x)
        elif (at := offset.y - 1 + self.scroll_offset.y) < self.total:
            again = at == self.cursor
            self.cursor = at
            if again:
                self.action_choose()

    def _click_header(self, x: int) -> None:
        left = 0
        for at, room in self._fitted():
            if left <= x < left + room + 1 and (key := self.columns[at].key):
                if key == self.sort_key:
                    self.action_reverse()
                else:
                    self._sort_by(key)
                return
            left += room + 1

    def line_region(self, at: int) -> Region:
        """Where row `at` is drawn, in widget coordinates."""
        return Region(0, at + 1 - self.scroll_offset.y, self.size.width, 1)


def _cell(cell: Cell) -> tuple[str, str]:
    return (cell, "") if isinstance(cell, str) else cell
