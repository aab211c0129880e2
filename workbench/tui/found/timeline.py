"""A host's story as lines: a time axis above, one bar a finding, what lies between told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workbench.model.finding import Finding
from workbench.model.packets import printable
from workbench.model.text import duration
from workbench.tui.found.rows import LEVEL_TONES, level, titled
from workbench.tui.lines import clock
from workbench.tui.widgets.pagedtable import Cell, Column, Row

_MINUTE = 60_000_000
_STEPS = tuple(
    minutes * _MINUTE for minutes in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 10080)
)
"""Distances of ticks on the axis, µs."""
_QUIET = 12
"""A pause of this share of the whole is told, if it is a minute at least."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Moments as cells of a line."""

    first_us: int
    last_us: int
    width: int

    @classmethod
    def around(cls, spans: Sequence[tuple[int, int]], width: int) -> "Axis":
        """With room for all the spans; never shorter than a minute."""
        first = min((one for one, _ in spans), default=0)
        last = max((one for _, one in spans), default=0)
        return cls(first, max(last, first + _MINUTE), width)

    def at(self, moment: int) -> int:
        """The cell of a moment; the nearest end for one outside."""
        length = self.last_us - self.first_us
        cell = (moment - self.first_us) * self.width // length
        return max(0, min(self.width - 1, cell))

    def bar(self, first_us: int, last_us: int) -> str:
        """`    ●━━━●   `; a single mark for what is over in a cell."""
        left, right = self.at(first_us), self.at(last_us)
        drawn = "●" if left == right else f"●{'━' * (right - left - 1)}●"
        return f"{' ' * left}{drawn}"

    def recorded(self, spans: Sequence[tuple[int, int]]) -> str:
        """`─` where anything was recorded, `░` where nothing was."""
        line = ["░"] * self.width
        for first, last in spans:
            if last >= self.first_us and first <= self.last_us:
                for cell in range(self.at(first), self.at(last) + 1):
                    line[cell] = "─"
        return "".join(line)

    def ticks(self) -> str:
        """`│16:00   │16:30   `, as close as they can be read."""
        length = self.last_us - self.first_us
        many_days = length > 2 * 1440 * _MINUTE
        room = 7
        wanted = length * (room + 1) // self.width
        step = next((one for one in _STEPS if one >= wanted), _STEPS[-1])
        while step < wanted:
            step *= 2
        line = [" "] * (self.width + room)
        moment = -(-self.first_us // step) * step
        while moment <= self.last_us:
            label = clock(moment)[:5] if many_days else clock(moment, day=False)[:5]
            left = self.at(moment)
            if left + len(label) < self.width:
                line[left : left + room] = f"│{label}".ljust(room)
            moment += step
        return "".join(line)[: self.width]


def story_columns(axis: Axis, *, one_day: bool) -> tuple[Column, ...]:
    """Of a story; the axis stands above its own column."""
    return (
        Column("UTC" if one_day else "when (UTC)", 8 if one_day else 14),
        Column(axis.ticks(), axis.width),
        Column("", 1),
        Column("other end", 12, flex=1, middle=True),
        Column("sure", 8, spare=2),
        Column("what", 30, flex=4, middle=True),
        Column("technique", 9, spare=1),
    )


def story_rows(
    found: Sequence[Finding],
    mine: Sequence[int],
    axis: Axis,
    recorded: Sequence[tuple[int, int]],
    name: Callable[[int], str],
) -> Iterator[Row]:
    """Findings in order of time, known by their place; between them what passed."""
    one_day = clock(axis.first_us)[:5] == clock(axis.last_us)[:5]
    least = max(_MINUTE, (axis.last_us - axis.first_us) // _QUIET)
    told = "recorded" if "░" not in (line := axis.recorded(recorded)) else "░ not recorded"
    yield Row("recorded", ("", (line, "dim"), "", (told, "dim"), "", "", ""))
    last: int | None = None
    for at, one in enumerate(found):
        if last is not None and one.first_us - last >= least:
            yield Row(f"pause {at}", pause(one.first_us - last, axis.at(last),
                                           axis.at(one.first_us)))  # fmt: skip
        yield Row(at, _cells(one, mine, axis, name, one_day=one_day))
        last = one.first_us if last is None else max(last, one.first_us)


def pause(lasting: int, left: int, right: int) -> tuple[Cell, ...]:
    """`        ┆┄┄┄┄┆      36 min later`."""
    line = f"{' ' * left}┆{'·' * max(0, right - left - 1)}"
    return ("", (line, "dim"), "", ("", "dim"), "", (f"{duration(lasting)} later", "dim"), "")


def _cells(
    one: Finding,
    mine: Sequence[int],
    axis: Axis,
    name: Callable[[int], str],
    *,
    one_day: bool,
) -> tuple[Cell, ...]:
    did = one.host in mine
    tone = "dim" if one.suppression else LEVEL_TONES[one.confidence]
    return (
        clock(one.first_us, day=not one_day),
        (axis.bar(one.first_us, one.last_us), tone),
        ("→", "accent") if did else ("←", "blocked"),
        printable(other_end(one, mine, name)),
        (level(one.confidence)[0], tone),
        (titled(one), "dim" if one.suppression else ""),
        (one.technique, "dim"),
    )


def other_end(one: Finding, mine: Sequence[int], name: Callable[[int], str]) -> str:
    """`31 hosts`, or the one it was done to; who did it, where it was done to this host."""
    if one.host not in mine:
        return name(one.host)
    others = {name(peer) for peer in one.peers}
    return others.pop() if len(others) == 1 else f"{len(others):,} hosts"
