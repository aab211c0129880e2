"""Widgets with values only: no session, no files."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widget import Widget

from workbench.model.matrix import MATRIX_COUNTS, Cell, Matrix
from workbench.model.traffic import Progress
from workbench.model.verdict import Class
from workbench.tui.glyphs import AsciiFilter, shade
from workbench.tui.themes import VERDICT_DEFAULTS
from workbench.tui.widgets.classbar import ORDER, legend, shares
from workbench.tui.widgets.codeview import CodeView, tokens
from workbench.tui.widgets.completing import words_of
from workbench.tui.widgets.faces import face
from workbench.tui.widgets.fitting import Align, fitted
from workbench.tui.widgets.grid import COUNTS, SORTS, Grid, natural
from workbench.tui.widgets.matrix import MatrixView
from workbench.tui.widgets.packetview import hex_content
from workbench.tui.widgets.pagedtable import PAGE, Column, PagedTable, Row, fit
from workbench.tui.widgets.progress import progress_content

SHEET = Path(__file__).parents[2] / "workbench" / "tui" / "workbench.tcss"


class Stage(App[None]):
    """One widget on an otherwise empty screen."""

    CSS_PATH = SHEET

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget
        self.seen: list[object] = []

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return VERDICT_DEFAULTS

    def compose(self) -> ComposeResult:
        yield self.widget

    def on_paged_table_chosen(self, event: PagedTable.Chosen) -> None:
        self.seen.append(event.key)

    def on_paged_table_sorted(self, event: PagedTable.Sorted) -> None:
        self.seen.append((event.key, event.descending))

    def on_paged_table_wanted(self, event: PagedTable.Wanted) -> None:
        self.seen.append(event)

    def on_matrix_view_chosen(self, event: MatrixView.Chosen) -> None:
        self.seen.append(event.cell)


def text_of(widget: MatrixView | PagedTable | CodeView) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


# ── matrix ─────────────────────────────────────────────────────────────────────────────────


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    rows = draw(st.integers(1, 9))
    columns = draw(st.integers(1, 9))
    places = draw(st.sets(st.integers(0, rows * columns - 1), max_size=30))
    cell = np.array(sorted(places), np.int64)
    cells = {"row": (cell // columns).astype(np.int32), "column": (cell % columns).astype(np.int32)}
    for name in (*MATRIX_COUNTS, "last_us"):
        values = draw(st.lists(st.integers(0, 10**9), min_size=len(cell), max_size=len(cell)))
        cells[name] = np.array(values, np.int64)
    names = [f"n{at}" for at in draw(st.permutations(range(max(rows, columns))))]
    return Matrix(tuple(names[:rows]), tuple(names[:columns]), cells)


@given(matrices(), st.sampled_from(SORTS), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_grid_shows_every_cell_where_its_names_say(
    matrix: Matrix, sort: str, silent: bool
) -> None:
    grid = Grid.of(matrix, sort, silent=silent)
    wanted = {
        (matrix.rows[row], matrix.columns[column]): tuple(
            int(matrix.cells[name][at]) for name in MATRIX_COUNTS
        )
        for at, (row, column) in enumerate(
            zip(matrix.cells["row"], matrix.cells["column"], strict=True)
        )
    }
    found = {
        (grid.rows[row], grid.columns[column]): tuple(
            int(grid.counts[name][at]) for name in MATRIX_COUNTS
        )
        for row in range(len(grid.rows))
        for column, at in grid.line(row, 0, len(grid.columns))
    }
    assert found == wanted
    if silent:
        assert sorted(grid.rows) == sorted(matrix.rows)
    else:
        assert {row for row, _ in wanted} == set(grid.rows)
        assert {column for _, column in wanted} == set(grid.columns)


@given(matrices())
@settings(max_examples=30, deadline=None)
def test_a_line_of_a_grid_is_cut_at_both_ends(matrix: Matrix) -> None:
    grid = Grid.of(matrix)
    for row in range(len(grid.rows)):
        whole = list(grid.line(row, 0, len(grid.columns)))
        assert whole == sorted(whole)
        assert list(grid.line(row, 2, 5)) == [pair for pair in whole if 2 <= pair[0] < 5]


def big_matrix(size: int, cells: int) -> Matrix:
    rng = np.random.default_rng(7)
    cell = np.unique(rng.integers(0, size * size, cells))
    found = {"row": (cell // size).astype(np.int32), "column": (cell % size).astype(np.int32)}
    for name in (*MATRIX_COUNTS, "last_us"):
        found[name] = rng.integers(0, 3, len(cell))
    names = tuple(f"host-{at:04}.example" for at in range(size))
    return Matrix(names, names, found)


def test_heavy_and_bad_groups_come_first() -> None:
    counts = {name: np.array([1, 0, 0]) for name in (*MATRIX_COUNTS, "last_us")}
    counts |= {
        "row": np.array([0, 1, 2], np.int32),
        "column": np.array([0, 0, 0], np.int32),
        "bytes": np.array([5, 900, 10]),
        "would_block": np.array([0, 1, 7]),
    }
    matrix = Matrix(("a", "b", "c"), ("x",), counts)
    assert Grid.of(matrix, "name").rows == ("a", "b", "c")
    assert Grid.of(matrix, "heavy first").rows == ("b", "c", "a")
    assert Grid.of(matrix, "bad first").rows == ("c", "b", "a")


def test_natural_order() -> None:
    assert sorted(["pc-10", "pc-9", "10.0.0.10", "10.0.0.9"], key=natural) == [
        "10.0.0.9",
        "10.0.0.10",
        "pc-9",
        "pc-10",
    ]


@pytest.mark.parametrize(
    ("counts", "show", "wanted"),
    [
        ({"would_block": 2, "allowed": 5}, "verdict and volume", ("✗2", "blocked")),
        ({"uncertain": 1, "allowed": 5}, "verdict and volume", ("?1", "uncertain")),
        ({"allowed": 5, "bytes": 10**9}, "verdict and volume", ("✓█", "allowed")),
        ({"allowed": 5}, "verdict", ("✓5", "allowed")),
        ({"rejected": 1, "bytes": 50}, "verdict and volume", ("✗░", "dim")),
        ({"out_of_scope": 123_456}, "verdict", ("–.1M", "out")),
        ({"allowed": 1, "bytes": 12_345}, "volume", ("12k", "strong")),
    ],
)
def test_the_worst_of_a_cell_is_its_face(
    counts: dict[str, int], show: str, wanted: tuple[str, str]
) -> None:
    every = dict.fromkeys((*MATRIX_COUNTS, "last_us"), 0)
    assert face(every | counts, show) == wanted


async def test_headers_stay_and_the_cursor_is_always_in_view() -> None:
    view = MatrixView()
    app = Stage(view)
    async with app.run_test(size=(100, 30)) as pilot:
        view.grid = Grid.of(big_matrix(2000, 20_000))
        await pilot.pause()
        view.cursor = (1500, 700)
        await pilot.pause()
        lines = text_of(view)
        assert any(line.startswith("host-1500.example ") for line in lines)
        at = 18 + 700 * 4 - view.scroll_offset.x + 1
        assert [line[at] for line in lines[:4]] == list("0700"), "what tells the columns apart"
        await pilot.press("ctrl+end")
        assert view.cursor == (1999, 1999)
        assert text_of(view)[-2].startswith("host-1999.example "), "the last line is the scrollbar"
        await pilot.press("k", "h", "home")
        assert view.cursor == (1998, 0)


async def test_a_line_looks_only_at_the_cells_in_view(monkeypatch: pytest.MonkeyPatch) -> None:
    view = MatrixView()
    looked = []
    line = Grid.line
    monkeypatch.setattr(
        Grid, "line", lambda self, *args: [looked.append(args), *line(self, *args)][1:]
    )
    async with Stage(view).run_test(size=(100, 30)) as pilot:
        view.grid = Grid.of(big_matrix(2000, 20_000))
        await pilot.pause()
        looked.clear()
        text_of(view)
        assert len(looked) <= 30
        assert all(last - first <= 100 // 4 + 1 for _, first, last in looked)


async def test_the_cursor_keeps_its_names_when_the_order_changes() -> None:
    view = MatrixView()
    async with Stage(view).run_test(size=(100, 30)) as pilot:
        matrix = big_matrix(50, 400)
        view.grid = Grid.of(matrix)
        view.cursor = (20, 30)
        before = view.cell
        view.grid = Grid.of(matrix, "heavy first")
        await pilot.pause()
        assert view.cell == before


@pytest.mark.parametrize(
    ("align", "text", "shown"),
    [
        ("left", "segment-with-long-name-07", "segment-wit…"),
        ("middle", "segment-with-long-name-07", "segmen…me-07"),
        ("names", "segment-with-long-name-07", "segmen…me-07"),
        ("names", "office admins cluster-dns", "office admi…"),
    ],
)
def test_where_a_long_name_is_cut(align: Align, text: str, shown: str) -> None:
    assert fitted(text, 12, align) == shown


async def test_long_names_of_rows_can_be_told_apart() -> None:
    names = tuple(f"segment-with-long-name-{at:02}" for at in range(20))
    at = np.arange(20)
    cells = {name: np.ones(20, np.int64) for name in COUNTS}
    view = MatrixView()
    async with Stage(view).run_test(size=(60, 30)) as pilot:
        view.grid = Grid.of(Matrix(names, names, {"row": at, "column": at, **cells}))
        await pilot.pause()
        labels = [line.split()[0] for line in text_of(view) if line.startswith("seg")]
        assert len(set(labels)) == 20 and labels[7].endswith("07")


async def test_next_bad_cell_goes_round() -> None:
    view = MatrixView()
    async with Stage(view).run_test(size=(100, 30)) as pilot:
        counts = {name: np.array([1, 1, 1]) for name in (*MATRIX_COUNTS, "last_us")}
        counts |= {"row": np.array([0, 1, 2], np.int32), "column": np.array([1, 0, 2], np.int32)}
        counts["would_block"] = np.array([1, 0, 4])
        view.grid = Grid.of(Matrix(("a", "b", "c"), ("a", "b", "c"), counts))
        await pilot.pause()
        await pilot.press("n")
        assert view.cursor == (0, 1)
        await pilot.press("n")
        assert view.cursor == (2, 2)
        await pilot.press("n")
        assert view.cursor == (0, 1)
        await pilot.press("N")
        assert view.cursor == (2, 2)


async def test_enter_and_a_second_click_choose_a_cell() -> None:
    view = MatrixView()
    app = Stage(view)
    async with app.run_test(size=(60, 20)) as pilot:
        counts = {name: np.array([3]) for name in (*MATRIX_COUNTS, "last_us")}
        counts |= {"row": np.array([0], np.int32), "column": np.array([0], np.int32)}
        view.grid = Grid.of(Matrix(("db", "office"), ("db", "office"), counts))
        await pilot.pause()
        view.focus()
        await pilot.press("enter")
        await pilot.click(view, offset=(14, 2))
        await pilot.pause()
        cell = Cell("db", "db", *[3] * 9)
        assert app.seen == [cell, cell]
        await pilot.press("down", "enter")
        await pilot.pause()
        assert app.seen == [cell, cell], "nothing is in this cell: nothing to open"


async def test_an_empty_matrix_draws_and_moves() -> None:
    view = MatrixView()
    async with Stage(view).run_test(size=(60, 20)) as pilot:
        view.focus()
        await pilot.press("down", "right", "enter", "n", "end", "pagedown")
        assert view.cell is None


# ── tables ─────────────────────────────────────────────────────────────────────────────────

COLUMNS = (
    Column("name", 8, "name", flex=1),
    Column("bytes", 6, "bytes", right=True),
    Column("why", 10, spare=2),
    Column("when", 12, "when", spare=1),
)


def rows(start: int, count: int) -> list[Row]:
    return [
        Row(at, (f"row {at}", str(at * 10), ("why", "dim"), "now"))
        for at in range(start, start + count)
    ]


@given(st.integers(1, 300))
def test_columns_never_leave_the_edge(width: int) -> None:
    chosen = fit(COLUMNS, width)
    kept = [at for at, _ in chosen]
    assert kept == sorted(kept) and {0, 1} <= set(kept)
    if width >= 16:
        assert sum(room + 1 for _, room in chosen) <= max(width, 16)
    if 2 in kept:
        assert 3 in kept, "the column with the higher figure goes first"


async def test_a_million_rows_are_paged() -> None:
    table = PagedTable(COLUMNS)
    app = Stage(table)
    async with app.run_test(size=(60, 20)) as pilot:
        table.show(1_000_000)
        assert "·" in text_of(table)[1]
        await pilot.pause()
        [first] = app.seen
        assert isinstance(first, PagedTable.Wanted) and (first.start, first.count) == (0, PAGE)
        table.put(first.generation, 0, rows(0, PAGE))
        assert text_of(table)[1].startswith("row 0 ")
        table.focus()
        await pilot.press("end")
        await pilot.pause()
        text_of(table)
        await pilot.pause()
        last = app.seen[-1]
        assert isinstance(last, PagedTable.Wanted) and last.start == 1_000_000 - PAGE
        table.put(last.generation, last.start, rows(last.start, PAGE))
        assert text_of(table)[-1].startswith("row 999999")
        assert table.key == 999_999


async def test_late_answers_to_old_questions_are_dropped() -> None:
    table = PagedTable(COLUMNS)
    app = Stage(table)
    async with app.run_test(size=(60, 20)) as pilot:
        table.show(500)
        await pilot.pause()
        old = table.generation
        table.show(3)
        table.put(old, 0, rows(0, PAGE))
        assert table.key is None
        table.put(table.generation, 0, rows(100, 3))
        assert table.key == 100


async def test_sorting_by_keys_and_by_the_header() -> None:
    table = PagedTable(COLUMNS, sort="name")
    app = Stage(table)
    async with app.run_test(size=(60, 20)) as pilot:
        table.show_rows(rows(0, 5))
        table.focus()
        await pilot.press("s", "R")
        await pilot.click(table, offset=(2, 0))
        await pilot.click(table, offset=(2, 0))
        assert app.seen == [("bytes", True), ("bytes", False), ("name", False), ("name", True)]
        assert "name▼" in text_of(table)[0]


async def test_choosing_rows() -> None:
    table = PagedTable(COLUMNS)
    app = Stage(table)
    async with app.run_test(size=(60, 20)) as pilot:
        table.show_rows(rows(0, 50))
        table.focus()
        await pilot.press("j", "down", "enter", "G", "k", "enter")
        assert app.seen == [2, 48]


async def test_an_empty_table_says_what_to_do() -> None:
    table = PagedTable(COLUMNS, empty="press i")
    async with Stage(table).run_test(size=(60, 20)) as pilot:
        table.show(0)
        await pilot.press("down", "enter", "end")
        assert "press i" in "".join(text_of(table))


# ── the rest ───────────────────────────────────────────────────────────────────────────────


@given(
    st.dictionaries(st.sampled_from(ORDER), st.integers(0, 10**6), max_size=7), st.integers(20, 200)
)
def test_bars_fill_their_width_and_hide_nothing(counts: dict[Class, int], width: int) -> None:
    cells = shares(counts, width)
    assert set(cells) == {klass for klass, count in counts.items() if count}
    if cells:
        assert sum(cells.values()) == width and min(cells.values()) >= 1
    lines = "".join(text for text, _ in legend({}, counts, 80)).split("\n")
    assert all(len(line) <= 80 for line in lines)


def test_words_are_completed_where_the_cursor_is() -> None:
    complete = words_of(lambda: ("web", "web-test", "db"))
    assert complete("we", 2) == (0, ["web", "web-test"])
    assert complete("web d", 5) == (4, ["db"])
    assert complete("web we", 6) == (4, ["web-test"]), "a word is not offered twice"


@given(st.text(max_size=80))
def test_code_is_cut_into_pieces_without_losing_any(line: str) -> None:
    assert "".join(piece for piece, _ in tokens(line)) == line


async def test_code_shows_no_control_characters() -> None:
    view = CodeView()
    async with Stage(view).run_test(size=(60, 10)):
        view.show(["add rule \x1b[31mred\x07", "\tend"])
        first, second = text_of(view)[:2]
        assert "\x1b" not in first and "\x07" not in first and "red" in first
        assert second.rstrip().endswith("     end")


def test_hex() -> None:
    text = hex_content(bytes(range(60, 80))).plain
    assert text.splitlines()[0].startswith("0000  3c 3d 3e 3f 40 41 42 43  44 45 46 47")
    assert text.splitlines()[1].startswith("0010  4c 4d 4e 4f")
    assert text.splitlines()[0].endswith("<=>?@ABCDEFGHIJK")
    assert "\x1b" not in hex_content(b"\x1b[31m").plain


def test_progress_says_rate_and_time_left() -> None:
    progress = Progress("site.pcap", 50_000_000, 100_000_000, packets=40_000, elapsed=2.0)
    text = progress_content(progress, 100).plain
    for words in ("site.pcap", "50 %", "20.0k packets/s", "25.0 MB/s", "2 s left", "esc cancel"):
        assert words in text
    assert len(text) <= 100


def test_shades_are_hundredfold() -> None:
    assert [shade(size) for size in (0, 9_999, 10_000, 10**6, 10**8, 10**12)] == list("░░▒▓██")


def test_everything_the_interface_says_can_be_said_in_ascii() -> None:
    """Every character in our own strings has a plain stand-in of one cell."""
    folder = SHEET.parent
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    texts.append((folder.parent / "model" / "text.py").read_text(encoding="utf-8"))
    odd = {one for text in texts for one in text if not one.isascii()} - set("äöüß")
    assert len(odd) > 20
    plain = AsciiFilter().apply([Segment("".join(sorted(odd)))], Color(0, 0, 0))[0].text
    assert plain.isascii() and len(plain) == len(odd)
    lost = [one for one, said in zip(sorted(odd), plain, strict=True) if said == "?"]
    assert lost == []


def test_wide_characters_keep_their_width_in_ascii() -> None:
    [segment] = AsciiFilter().apply([Segment("主机 a→b")], Color(0, 0, 0))
    assert segment.text == "???? a>b"
    assert math.isclose(len(segment.text), 8)
