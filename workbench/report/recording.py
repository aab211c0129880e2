"""What was looked at, and what could not be seen; who talks to whom."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from workbench.model.facts import dataset_facts, period
from workbench.model.matrix import Matrix
from workbench.model.quality import Remark, Weight
from workbench.model.report import Report
from workbench.model.text import plural, short_count
from workbench.report.document import (
    Block,
    Column,
    Commands,
    Facts,
    Grid,
    Kind,
    Mark,
    Section,
    Table,
    Text,
    Tone,
)
from workbench.report.where import command
from workbench.report.words import weight_mark

MOST_CAPTURES = 50
MOST_REMARKS = 60
WIDEST = 18
"""Rows and columns of the matrix: what fits across a page."""
_CAPTURES = (
    Column("file", "capture"),
    Column("first_seen", "first packet (UTC)", Kind.TIME),
    Column("last_seen", "last packet (UTC)", Kind.TIME),
    Column("packets", "packets", Kind.COUNT),
    Column("flows", "flows", Kind.COUNT),
    Column("ending", "ending"),
    Column("fingerprint", "fingerprint (size and samples)", Kind.DIGEST, under=True),
)
_REMARKS = (
    Column("capture", "capture"),
    Column("weight", "weight", Kind.MARK),
    Column("text", "remark"),
)
_NETWORKS = (
    Column("name", "network"),
    Column("hosts", "hosts", Kind.COUNT),
    Column("inside", "conversations inside", Kind.COUNT),
    Column("across", "across its edge", Kind.COUNT),
    Column("pairs_seen", "host pairs seen", Kind.SHARE),
)


def seen_in_words(report: Report) -> str:
    """`1 capture, 41 hosts, 735 conversations, 2026-09-15 …`."""
    time = report.quality.dataset.time
    when = ""
    if time.first_us is not None and time.last_us is not None:
        when = f", {period(time.first_us, time.last_us)}"
    captures, hosts = plural(len(report.quality.captures), "capture"), plural(report.hosts, "host")
    return f"{captures}, {hosts}, {plural(report.totals.conversations, 'conversation')}{when}"


def _remarks(report: Report) -> Iterator[tuple[str, Remark]]:
    """Every remark with the name of its capture, empty for all of them together."""
    quality = report.quality
    for remark in (*quality.dataset.remarks, *quality.dataset.view.remarks):
        yield "", remark
    for one in quality.captures:
        for remark in one.remarks:
            yield one.report.path.rpartition("/")[2], remark


def cares(report: Report) -> int:
    """Remarks that call for care."""
    return sum(remark.weight is Weight.CARE for _, remark in _remarks(report))


def recording(report: Report) -> Section:
    """Captures, times, quality."""
    captures = report.quality.captures
    rows = [
        (
            one.report.path.rpartition("/")[2],
            one.report.first_us,
            one.report.last_us,
            one.report.packets,
            one.report.flows,
            str(one.report.ending),
            one.report.fingerprint,
        )
        for one in captures
    ]
    blocks: tuple[Block, ...] = (
        Text(
            "Everything below is worked out from these recordings. Unseen is not unused: what "
            "happens once a quarter, or out of the recorder's sight, is in no figure here."
        ),
        Facts(tuple((fact.name, fact.text) for fact in dataset_facts(report.quality.dataset))),
        Table("captures", "Captures", _CAPTURES, rows, page=MOST_CAPTURES),
        _remark_table(report),
        _network_table(report),
        Commands((command(report, "captures"),)),
    )
    return Section("recording", "What was looked at", blocks)


def _remark_table(report: Report) -> Table:
    """Cares first; what is said of all of them together is not said of one capture again."""
    once: dict[str, tuple[str, Remark]] = {}
    for name, remark in _remarks(report):
        once.setdefault(remark.text, (name, remark))
    found = sorted(once.values(), key=lambda one: one[1].weight is not Weight.CARE)
    rows = [
        (name or "all together", weight_mark(remark.weight), remark.text) for name, remark in found
    ]
    title = "What is missing, and what could not be seen"
    return Table("remarks", title, _REMARKS, rows, page=MOST_REMARKS)


def _network_table(report: Report) -> Table:
    networks = report.quality.dataset.view.networks
    rows = [
        (
            one.name + (" (guess)" if one.guessed else ""),
            one.hosts,
            one.inside,
            one.across,
            one.pairs_seen / one.pairs if one.pairs else None,
        )
        for one in networks
    ]
    note = "Few pairs seen means that the recorder stood elsewhere, not that nobody talks."
    return Table("networks", "Networks", _NETWORKS, rows, note=note, page=WIDEST)


# ── who talks to whom ──────────────────────────────────────────────────────────────────────────

_CELLS = (
    Column("client", "client segment"),
    Column("server", "server segment"),
    Column("conversations", "conversations", Kind.COUNT),
    Column("allowed", "✓ allowed", Kind.COUNT),
    Column("would_block", "✗ would block", Kind.COUNT),
    Column("rejected", "✗ rejected", Kind.COUNT),
    Column("uncertain", "? uncertain", Kind.COUNT),
    Column("out_of_scope", "– out of scope", Kind.COUNT),
    Column("bytes", "bytes", Kind.BYTES),
    Column("last_us", "last (UTC)", Kind.TIME),
)
LEAST_CELLS = 12
"""Cells that a page lists even where none of them asks for a look."""


def talk(report: Report) -> Section:
    """The matrix, drawn and listed."""
    matrix = report.matrix
    cells = matrix.cells
    order = np.lexsort((cells["column"], cells["row"], -cells["uncertain"], -cells["would_block"]))
    rows = [
        (
            matrix.rows[cells["row"][at]],
            matrix.columns[cells["column"][at]],
            *(int(cells[column.key][at]) for column in _CELLS[2:]),
        )
        for at in order.tolist()
    ]
    doubtful = int(np.count_nonzero(cells["would_block"] + cells["uncertain"]))
    blocks: tuple[Block, ...] = (
        Text(
            "Segments that open connections are down, segments that answer are across. A host in "
            "several segments counts in each of them."
        ),
        grid(matrix),
        Table(
            "cells",
            "Cell by cell, what would be blocked or is uncertain first",
            _CELLS,
            rows,
            page=max(LEAST_CELLS, doubtful),
        ),
        Commands((command(report, "matrix", "--by", "segment"),)),
    )
    return Section("matrix", "Who talks to whom", blocks)


def grid(matrix: Matrix) -> Grid:
    """The busiest rows and columns, axis order."""
    cells = {name: values.tolist() for name, values in matrix.cells.items()}
    places = list(zip(cells["row"], cells["column"], strict=True))
    rows = _busiest(cells["row"], cells["conversations"])
    columns = _busiest(cells["column"], cells["conversations"])
    across = {column: at for at, column in enumerate(columns)}
    down = {row: at for at, row in enumerate(rows)}
    marks = {
        (down[row], across[column]): _cell({name: values[at] for name, values in cells.items()})
        for at, (row, column) in enumerate(places)
        if row in down and column in across
    }
    left = len(places) - len(marks)
    note = (
        f"{plural(left, 'cell')} of less busy segments are only in the list below. " if left else ""
    )
    return Grid(
        "Conversations by segment",
        "client ╲ server",
        tuple(matrix.rows[row] for row in rows),
        tuple(matrix.columns[column] for column in columns),
        marks,
        f"{note}✓3: three conversations, all allowed. ✗2/5: two of five would be blocked. "
        "?: the recording cannot tell. –: out of scope. ·: nothing seen.",
    )


def _busiest(axis: list[int], sizes: list[int]) -> list[int]:
    total: Counter[int] = Counter()
    for at, size in zip(axis, sizes, strict=True):
        total[at] += size
    ranked = sorted(total, key=lambda at: (-total[at], at))
    return sorted(ranked[:WIDEST])


def _cell(counts: dict[str, int]) -> Mark:
    total = short_count(counts["conversations"])
    if counts["would_block"]:
        return Mark("✗", f"{short_count(counts['would_block'])}/{total}", Tone.BAD)
    if counts["uncertain"]:
        return Mark("?", f"{short_count(counts['uncertain'])}/{total}", Tone.CARE)
    if counts["allowed"]:
        return Mark("✓", total, Tone.GOOD)
    return Mark("✗" if counts["rejected"] else "–", total)
