"""The matrix as a grid of text."""

import re
from collections import Counter

from workbench.cli.table import GAP, say, shortened, width
from workbench.model.matrix import Matrix
from workbench.model.text import plural, short_count

WIDEST = 24
"""Columns of servers where the width of the lines does not matter."""
HEAD = 9
"""Terminal columns of a line of a head; longer names are broken where they have a hyphen or dot."""
NAME = 24
CORNER = "client ╲ server"
Grid = tuple[list[list[str]], list[list[str]], list[bool]]
"""Heads, cells and alignment, for `print_grid`."""


def matrix_grid(matrix: Matrix, room: int | None = None, limit: int | None = None) -> Grid:
    """room: terminal columns of a line, None for any number; limit: rows, None for all.

    `✗2/5` two of five conversations would be blocked; `?1/5` one is uncertain; `✓3` neither, and
    some are allowed; `✗3` blocked, and failed already; `–3` out of scope.
    Rows and columns without traffic are left out. Where not all columns fit, the busiest are shown,
    and the last column counts the conversations with the others.
    """
    cells = {name: values.tolist() for name, values in matrix.cells.items()}
    places = list(zip(cells["row"], cells["column"], strict=True))
    texts = {
        where: _cell({name: values[at] for name, values in cells.items()})
        for at, where in enumerate(places)
    }
    every = sorted({row for row, _ in places})
    rows = every[: limit or None]
    if len(rows) < len(every):
        say(f"… {plural(len(every) - len(rows), 'more row')}; --limit 0 shows all")
    names = [shortened(matrix.rows[row], NAME) for row in rows]
    columns = _fitting(matrix, texts, max(map(width, [CORNER, *names])), room)
    heads = [[CORNER], *(_head(matrix.columns[column]) for column in columns)]
    lines = [
        [name, *(texts.get((row, column), "·") for column in columns)]
        for row, name in zip(rows, names, strict=True)
    ]
    gone = len({column for _, column in places}) - len(columns)
    if gone:
        heads.append([f"+{gone}", "others"])
        others: Counter[int] = Counter()
        for (row, column), count in zip(places, cells["conversations"], strict=True):
            others[row] += 0 if column in columns else count
        for row, line in zip(rows, lines, strict=True):
            line.append(short_count(others[row]) if others[row] else "·")
    tall = max(map(len, heads))
    padded = [[""] * (tall - len(head)) + head for head in heads]
    return list(map(list, zip(*padded, strict=True))), lines, [False, *[True] * (len(heads) - 1)]


def _fitting(
    matrix: Matrix, texts: dict[tuple[int, int], str], first: int, room: int | None
) -> list[int]:
    """The busiest columns that fit beside row names of `first` terminal columns, axis order."""
    sizes: Counter[int] = Counter()
    for column, count in zip(
        matrix.cells["column"].tolist(), matrix.cells["conversations"].tolist(), strict=True
    ):
        sizes[column] += count
    busiest = [column for column, _ in sizes.most_common()]
    if room is None:
        return sorted(busiest[:WIDEST])
    widths = {
        column: max(map(width, _head(matrix.columns[column]))) + len(GAP) for column in busiest
    }
    for (_, column), text in texts.items():
        widths[column] = max(widths[column], width(text) + len(GAP))
    if first + sum(widths.values()) <= room:
        return sorted(busiest)
    room -= first + len("others") + len(GAP)
    shown: list[int] = []
    for column in busiest:
        room -= widths[column]
        if room < 0 and shown:
            break
        shown.append(column)
    return sorted(shown)


def _head(name: str) -> list[str]:
    """A name in lines of at most HEAD, broken behind hyphens, dots and the like."""
    lines = [""]
    for part in re.findall(r"[^-./: ]*[-./: ]|[^-./: ]+", name):
        if lines[-1] and width(lines[-1] + part) > HEAD:
            lines.append("")
        lines[-1] += part
    return [shortened(line.strip(), 2 * HEAD) for line in lines]


def _cell(counts: dict[str, int]) -> str:
    total = short_count(counts["conversations"])
    if counts["would_block"]:
        return f"✗{short_count(counts['would_block'])}/{total}"
    if counts["uncertain"]:
        return f"?{short_count(counts['uncertain'])}/{total}"
    if counts["allowed"]:
        return f"✓{total}"
    return f"✗{total}" if counts["rejected"] else f"–{total}"
