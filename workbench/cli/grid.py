"""The matrix as a grid of text."""

from workbench.model.matrix import Matrix
from workbench.model.text import short_count

WIDEST = 24
"""Columns of servers a terminal grid shows before it asks for another grouping."""


def matrix_grid(
    matrix: Matrix, limit: int | None = None
) -> tuple[list[str], list[list[str]], list[bool]]:
    """Head, cells and alignment for `print_grid`: `✓3` all allowed, `✗2/5` two would be blocked.

    Rows and columns without traffic are left out; more than `WIDEST` columns are folded into
    `others`.
    """
    texts: dict[tuple[int, int], str] = {}
    cells = matrix.cells
    for at in range(len(cells["row"])):
        where = int(cells["row"][at]), int(cells["column"][at])
        texts[where] = _cell({name: int(values[at]) for name, values in cells.items()})
    rows = sorted({row for row, _ in texts})[: limit or None]
    columns = sorted({column for _, column in texts})
    folded = len(columns) - WIDEST
    columns = columns[:WIDEST]
    head = ["client ╲ server", *(matrix.columns[column] for column in columns)]
    lines = [
        [matrix.rows[row], *(texts.get((row, column), "·") for column in columns)] for row in rows
    ]
    if folded > 0:
        head.append(f"+{folded} more")
        lines = [[*line, ""] for line in lines]
    return head, lines, [False, *[True] * (len(head) - 1)]


def _cell(counts: dict[str, int]) -> str:
    total = short_count(counts["conversations"])
    if counts["would_block"]:
        return f"✗{short_count(counts['would_block'])}/{total}"
    if counts["uncertain"]:
        return f"?{short_count(counts['uncertain'])}/{total}"
    if counts["allowed"]:
        return f"✓{total}"
    return f"✗{total}" if counts["rejected"] else f"–{total}"
