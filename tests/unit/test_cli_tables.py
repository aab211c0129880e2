"""Tables for people: folded to the terminal, nothing cut without saying so, nothing raw."""

import csv
import io
import json

import numpy as np
import pytest

from workbench.cli.grid import WIDEST, matrix_grid
from workbench.cli.meter import progress_line
from workbench.cli.output import emit, emit_object, pages
from workbench.cli.table import print_grid, shortened, width
from workbench.model.matrix import MATRIX_COUNTS, Matrix
from workbench.model.traffic import Progress

ROWS = [
    {"id": at, "name": f"host-{at}", "labels": {"role": "pc", "zone": "office" * at},
     "bytes": 10**at, "first_seen": f"2026-03-31T14:0{at}:09.000123Z", "rules": ["one", "two"],
     "vlan": None}
    for at in range(1, 7)
]  # fmt: skip
COLUMNS = ("id", "name", "bytes", "first_seen", "labels", "rules", "vlan")


@pytest.mark.parametrize("wide", [20, 40, 80, 200])
def test_a_table_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wide: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    emit(ROWS, "table", (), columns=COLUMNS)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(ROWS) + 1
    assert all(width(line) <= wide for line in out.splitlines())
    head = out.splitlines()[0]
    gone = [name for name in COLUMNS if name.partition("_")[0] not in head]
    assert all(name in err for name in gone) and bool(err) == bool(gone)
    assert gone == list(COLUMNS[len(COLUMNS) - len(gone) :])
    if wide == 200:
        assert not gone and "…" not in out


def test_a_pipe_gets_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    emit(ROWS, "table", (), columns=COLUMNS)
    out, err = capsys.readouterr()
    head, first, *_ = out.splitlines()
    assert head.split("  ")[0] == "id" and "first seen 2026" in head and not err
    assert "03-31 14:01:09" in first and "10 B" in first and "role=pc zone=office" in first


WHY = "a sentence of some length, with figures, that says why; " * 4
FOUND = [
    {"id": "c1bc0bc6", "title": "Port scan of 31 hosts: 8 ports", "why": WHY.strip(), "stage": "x"},
    {"id": "77520007", "title": "Ping sweep", "why": "", "stage": "y"},
]


@pytest.mark.parametrize("wide", [20, 40, 80, 160, 400])
def test_sentences_are_never_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wide: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(wide))
    emit(FOUND, "table", (), columns=("id", "title", "why", "stage"))
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert all(width(line) <= wide for line in lines) and "…" not in out
    assert WHY.strip() in " ".join(out.split()) and FOUND[0]["title"] in " ".join(out.split())
    below = [line for line in lines if line.startswith("    ")]
    assert bool(below) == (wide < 400)
    assert ("    why: a sentence" in out) == (wide < 400)
    assert ("    title: Port" in out) == (wide < 38)  # 28 columns behind the id
    assert sum("why:" in line for line in lines) == (wide < 400)  # nothing is said below "Ping …"


def test_a_text_has_the_room_that_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    emit([{"id": "1", "name": "n" * 100}], "table", ())
    assert "n" * 100 in capsys.readouterr().out


@pytest.mark.parametrize("form", ["table", "csv"])
def test_a_pipe_gets_all_of_every_text(capsys: pytest.CaptureFixture[str], form: str) -> None:
    long = "word " * 400 + "end"
    row = {"id": "1", "why": long, "names": ["host-name"] * 400, "last": "z"}
    emit([row] * 2, form, tuple(row))
    out, err = capsys.readouterr()
    assert out.count(long) == 2 and out.count("host-name") == 800 and "…" not in out + err
    assert len(out.splitlines()) == 3


def test_years_are_shown_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    emit(
        [{"last_seen": "2025-12-31T23:59:59.999999Z"}, {"last_seen": None},
         {"last_seen": "2026-01-01T00:00:00.000000Z"}],
        "table",
        (),
    )  # fmt: skip
    assert capsys.readouterr().out.split("\n")[1:4] == [
        "2025-12-31 23:59:59",
        "",
        "2026-01-01 00:00:00",
    ]


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    emit(ROWS, "table", (), limit=2)
    assert "… 4 more" in capsys.readouterr().err
    emit(iter(ROWS), "json", (), limit=2, total=6)
    out, err = capsys.readouterr()
    assert len(json.loads(out)) == 2 and "… 4 more" in err
    emit(ROWS, "table", (), limit=0)
    assert not capsys.readouterr().err
    many = [{"n": n} for n in range(250)]
    emit(many, "table", ())
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 101 and "… 150 more" in err
    emit(many, "csv", ("n",))
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 251 and not err


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_nothing_from_a_packet_goes_out_raw(capsys: pytest.CaptureFixture[str], form: str) -> None:
    evil = "a\x1b[31m\n\r\u202e\x9b" + "\udcff"
    row = {"name": evil, "list": [evil], "labels": {evil: evil}}
    emit([row], form, tuple(row))
    out, _ = capsys.readouterr()
    assert not any(char in out for char in "\x1b\r\u202e\x9b\udcff")
    assert len(out.splitlines()) == {"table": 2, "csv": 2, "json": 3}[form]


def test_empty_answers(capsys: pytest.CaptureFixture[str]) -> None:
    for form, out in [("json", "[]\n"), ("csv", "id,name\n"), ("table", "")]:
        emit([], form, ("id", "name"))
        assert capsys.readouterr().out == out
    emit_object({"a": "ü"})
    assert capsys.readouterr().out.isascii()


def test_csv_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    emit(ROWS, "csv", tuple(ROWS[0]), columns=("id",))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == [row["name"] for row in ROWS]
    assert rows[0]["rules"] == "one, two" and rows[0]["vlan"] == ""


@pytest.mark.parametrize("text", ["plain text", "日本語テキスト", "e\u0301" * 4, ""])
@pytest.mark.parametrize("wide", [1, 3, 5, 100])
def test_shortening_keeps_within_the_width(text: str, wide: int) -> None:
    short = shortened(text, wide)
    assert width(short) <= wide
    assert short == text or short.endswith("…")


def test_numbers_stand_right(capsys: pytest.CaptureFixture[str]) -> None:
    print_grid([["name", "n"]], [["a", "1"], ["long one", "100"]], [False, True])
    assert capsys.readouterr().out == "name        n\na           1\nlong one  100\n"


def test_pages_are_no_larger_than_what_is_wanted() -> None:
    class View:
        total = 12

        def __init__(self) -> None:
            self.asked: list[tuple[int, int]] = []

        def page(self, start: int, count: int) -> range:
            self.asked.append((start, count))
            return range(start, min(start + count, self.total))

    view = View()
    assert list(pages(view, 5)) == list(range(12)) and view.asked == [(0, 5), (5, 5), (10, 5)]
    assert list(pages(view)) == list(range(12))


# ── the matrix ─────────────────────────────────────────────────────────────────────────────


def matrix(size: int) -> Matrix:
    """Every group talks to every group, more to the later ones; odd rows are allowed to."""
    names = tuple(f"segment-{at}" for at in range(size))
    places = np.array([(i, j) for i in range(size) for j in range(size)], dtype=np.int32)
    rows, columns = places[:, 0], places[:, 1]
    counts = columns.astype(np.int64) // 4 + 1
    cells = {name: np.zeros(len(places), dtype=np.int64) for name in (*MATRIX_COUNTS, "last_us")}
    cells |= {"row": rows, "column": columns, "conversations": counts}
    cells |= {"allowed": counts * (rows % 2), "would_block": counts * (rows % 2 == 0)}
    return Matrix(names, names, cells)


@pytest.mark.parametrize("wide", [40, 80, 300])
@pytest.mark.parametrize("size", [2, 40])
def test_a_matrix_fits_and_adds_up(
    capsys: pytest.CaptureFixture[str], wide: int, size: int
) -> None:
    heads, lines, right = matrix_grid(matrix(size), wide)
    print_grid(heads, lines, right)
    out = capsys.readouterr().out
    assert all(width(line) <= wide for line in out.splitlines())
    assert len(lines) == size
    folded = heads[-1][-1] == "others"
    assert folded == (size == 40)
    for row, line in enumerate(lines):
        shown = [int(cell.lstrip("✓✗?–").rpartition("/")[2]) for cell in line[1:]]
        assert sum(shown) == sum(j // 4 + 1 for j in range(size))
        assert line[1][0] == ("✓" if row % 2 else "✗")


def test_the_busiest_columns_stay() -> None:
    heads, _, _ = matrix_grid(matrix(40))
    assert len(heads[0]) == 1 + WIDEST + 1
    assert heads[-1][1:-1] == [str(at) for at in range(40 - WIDEST, 40)]
    assert (heads[-2][-1], heads[-1][-1]) == (f"+{40 - WIDEST}", "others")


def test_rows_can_be_limited(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines, _ = matrix_grid(matrix(10), limit=3)
    assert len(lines) == 3 and "7 more rows" in capsys.readouterr().err


def test_the_progress_line_says_how_long() -> None:
    line = progress_line(Progress("a\x1bb.pcap", 50, 100, 1_200_000, 2.0))
    assert "\x1b" not in line
    for part in ("50%", "1.2M packets", "25 B/s", "2 s left"):
        assert part in line
    assert "left" not in progress_line(Progress("a", 0, 0))
    assert "5 h left" in progress_line(Progress("a", 1, 10_001, 0, 1.8))


def test_the_progress_line_of_a_pipe_guesses_nothing() -> None:
    line = progress_line(Progress("-", 3_000_000, 0, 1_200_000, 2.0))
    assert "%" not in line and "left" not in line
    assert "3.0 MB" in line and "1.5 MB/s" in line
