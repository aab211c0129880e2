"""The busiest minutes of every client, beside those of the others."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from workbench.analysis.findings.scene import Mask, Rows, Scene, grouped
from workbench.analysis.findings.talk import Words
from workbench.model.finding import Columns, Finding, Level

_PEERS = 3
"""Other clients that make a comparison."""


@dataclass(frozen=True)
class Burst:
    """One client's busiest window on some service."""

    table: Columns
    """Of all clients."""
    host: int
    size: int
    first_us: int
    last_us: int
    rows: Rows
    """All of the client's rows."""
    usual: float | None
    """Median of the other clients' busiest windows; None for too few others."""
    others: int

    def stands_out(self, least: int, factor: float) -> bool:
        """At least so much, and so many times what is usual."""
        return self.size >= max(least, (self.usual or 0) * factor)

    def compared(self, text: str) -> str:
        """`the median of 12 others is 3.1 kB`, with `text` for the median."""
        if self.usual is None:
            return "there are too few others to compare it with"
        return f"the median of {self.others:,} others is {text}"


def bursts(table: Columns, column: str, window_s: int) -> Iterator[Burst]:
    """For every client (`host`) that is no server of the same rows (`target`)."""
    serving = set(np.unique(table["target"]).tolist())
    peaks = {
        int(table["host"][rows[0]]): (*peak(table, rows, column, window_s), rows)
        for rows in grouped(table["host"])
        if int(table["host"][rows[0]]) not in serving
    }
    sizes = np.sort(np.array([one[0] for one in peaks.values()], dtype=np.int64))
    for host, (size, first, last, rows) in peaks.items():
        others = len(sizes) - 1
        usual = _median_without(sizes, size) if others >= _PEERS else None
        yield Burst(table, host, size, first, last, rows, usual, others)


def outstanding(
    scene: Scene, rows: Mask, column: str, window_s: int, least: int
) -> Iterator[Burst]:
    """Among these rows of the logins of one site: what is far more than others do."""
    logins = scene.now.logins
    for one in bursts(scene.select(logins, rows & scene.within(logins)), column, window_s):
        if one.stands_out(least, scene.limits.burst_factor):
            yield one


def burst_finding(scene: Scene, one: Burst, confidence: Level, words: Words) -> Finding:
    """A burst as a finding."""
    return Finding(
        kind=words.kind,
        stage=words.stage,
        technique=words.technique,
        title=words.title,
        host=scene.address(one.host),
        peers=scene.addresses(one.table["target"][one.rows]),
        first_us=one.first_us,
        last_us=one.last_us,
        confidence=confidence,
        impact=words.impact,
        why=words.why,
        unseen=words.unseen,
        evidence=scene.evidence(one.table, one.rows),
    )


def _median_without(ascending: Rows, value: int) -> float:
    """Median of the sorted values, one of which is left out."""
    at = int(np.searchsorted(ascending, value))
    middle = len(ascending) - 1
    places = [(middle - 1) // 2, middle // 2]
    kept = [int(ascending[place + (place >= at)]) for place in places]
    return sum(kept) / 2


def peak(table: Columns, rows: Rows, column: str, window_s: int) -> tuple[int, int, int]:
    """The most of a column within a window of minutes; first and last time of it, µs."""
    rows = rows[np.argsort(table["minute"][rows], kind="stable")]
    minutes = table["minute"][rows]
    ends = np.searchsorted(minutes, minutes + max(1, window_s // 60), side="left")
    sums = np.concatenate(([0], np.cumsum(table[column][rows])))
    at = int((sums[ends] - sums[: len(rows)]).argmax())
    inside = rows[at : ends[at]]
    total = int(sums[ends[at]] - sums[at])
    return total, int(table["first_us"][inside].min()), int(table["last_us"][inside].max())
