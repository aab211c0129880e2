"""Every host or segment: from how many it is reached, and how many an intruder gets to from it."""

from typing import TYPE_CHECKING

from workbench.model.exposure import Scenario
from workbench.model.packets import printable
from workbench.model.traffic import Progress
from workbench.tui.exposed.reach import far_cell, host_cell
from workbench.tui.exposed.sheet import WORDS, Look, Sheet, before
from workbench.tui.widgets.compared import bar
from workbench.tui.widgets.grid import natural
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

_BAR = 7
"""Cells of a bar where there is no more room."""


def places_sheet(session: "Session", look: Look) -> Sheet:
    """Before and under the draft, side by side."""
    exposure = session.exposure
    was = before(exposure)
    by = look.by if any(bits for _, bits in exposure.segments) else "host"
    figures_of = exposure.by_segment if by == "segment" else exposure.hosts
    found = []
    for done, one in enumerate((was, Scenario.DRAFT)):
        look.tell(Progress(f"every {by}", done, 2))
        exposure.picture(one).prepare(look.cancelled)
        found.append(figures_of(one))
    whole = max(1, len(exposure.machines) - 1)
    homes = exposure.homes() if by == "host" else {}
    crowns = frozenset(exposure.crowns() if by == "host" else ())
    room = _BAR + max(0, look.width - 120) // 8

    def figure(count: int) -> str:
        return f"{count:>5,} {bar(count / whole, room)}"

    rows, figures = [], []
    for old, new in zip(*found, strict=True):
        if by == "host" and not look.shows(new.name):
            continue
        second = homes.get(new.name, "") if by == "host" else f"{new.machines:,}"
        cells: tuple[Cell, ...] = (
            host_cell(new.name, crowns),
            printable(second) or ("none", "dim"),
            (figure(old.footholds), "dim"),
            (figure(new.footholds), _tone(old.footholds, new.footholds)),
            (figure(old.blast), "dim"),
            (figure(new.blast), _tone(old.blast, new.blast)),
            far_cell(new.outside_hops),
        )
        rows.append(Row(new.name, cells))
        figures.append(
            (natural(new.name), second, old.footholds, new.footholds, old.blast, new.blast,
             new.outside_hops or 10**6)
        )  # fmt: skip
    empty = "No machines yet: 1 loads a capture."
    head = [(f" ← machines that get here, → machines got to from here, of {whole:,}", "dim")]
    return Sheet(_columns(by, WORDS[was], 6 + room), rows, empty, [head], figures)


def _columns(by: str, was: str, bars: int) -> tuple[Column, ...]:
    """bars: width of a figure with its bar."""
    return (
        Column(by, 12, "0", flex=2),
        Column("segment" if by == "host" else "hosts", 7, "1", flex=1, spare=1),
        Column(f"← {was}", bars, "2", spare=2),
        Column("← draft", bars, "3"),
        Column(f"→ {was}", bars, "4", spare=3),
        Column("→ draft", bars, "5"),
        Column("outside", 8, "6"),
    )


def _tone(old: int, new: int) -> str:
    return "allowed" if new < old else "blocked" if new > old else ""
