"""An intrusion replayed under several policies: a line each, and its steps as rows."""

from collections.abc import Callable
from dataclasses import dataclass

from workbench.model.net import service_text
from workbench.model.packets import printable
from workbench.model.response import Fate, Replayed, Step
from workbench.tui.found.rows import Part
from workbench.tui.found.timeline import Axis
from workbench.tui.lines import clock
from workbench.tui.widgets.pagedtable import Cell, Column, Row

FATES = {
    Fate.ALLOWED: ("✓ allowed", "allowed"),
    Fate.OPEN: ("– open", "out"),
    Fate.UNCERTAIN: ("? uncertain", "uncertain"),
    Fate.BLOCKED: ("✗ blocked", "blocked"),
    Fate.NOT_REACHED: ("· not reached", "dim"),
}
"""What becomes of a step: glyph and word, and tone."""
_WIDTH = 13


@dataclass(frozen=True, slots=True)
class Replays:
    """The same steps under several policies, the draft last."""

    runs: tuple[Replayed, ...]

    @property
    def draft(self) -> Replayed:
        return self.runs[-1]


TITLES = {"none": "no policy", "saved": "saved", "draft": "draft"}


def columns(replays: Replays) -> tuple[Column, ...]:
    """Steps, and a column a policy."""
    fates = (
        Column(TITLES.get(run.policy, run.policy), _WIDTH, spare=3 if run.policy == "none" else 0)
        for run in replays.runs
    )
    return (
        Column("UTC", 8),
        Column("hop", 3, right=True),
        Column("client", 9, flex=1, middle=True),
        Column("server", 9, flex=1, middle=True),
        Column("service", 9),
        *fates,
        Column("what", 20, flex=2, spare=2),
        Column("because (draft)", 24, flex=3, spare=1),
    )


def step_row(at: int, replays: Replays, name: Callable[[int], str]) -> Row:
    """In the order of `columns`; known by its place."""
    step = replays.draft.steps[at]
    piece = step.conversation
    fates: list[Cell] = [FATES[run.steps[at].fate] for run in replays.runs]
    cells: tuple[Cell, ...] = (
        clock(step.time_us, day=False),
        (str(step.hop) if step.hop else "", "accent"),
        printable(name(piece.client)),
        printable(name(piece.server)),
        service_text(piece.protocol, piece.port),
        *fates,
        printable(step.title),
        (printable(step.because), "dim"),
    )
    return Row(at, cells)


def head(replays: Replays, width: int) -> list[Part]:
    """A line a policy: its hops along the time, and where it stops."""
    parts: list[Part] = []
    steps = replays.draft.steps
    spans = [(step.time_us, step.time_us) for step in steps]
    axis = Axis.around(spans, max(10, min(80, width - 60)))
    parts += [(f" {'':<10} ", ""), (f"{axis.ticks()}\n", "dim")]
    for run in replays.runs:
        tone = "accent" if run.policy == "draft" else "dim"
        parts.append((f" {TITLES.get(run.policy, run.policy):<10} ", tone))
        parts += strip(axis, run)
        ended = ("✓ ", "allowed") if run.stopped else ("✗ ", "blocked")
        parts += [("  ", ""), ended, (f"{run.text}\n", ended[1])]
    return parts


def strip(axis: Axis, run: Replayed) -> list[Part]:
    """`──✓───✓─✗·····`: hops where there are any, else steps; what is never reached is a dot."""
    marks: dict[int, Fate] = {}
    moments = [(hop.first_us, hop.fate) for hop in run.hops] or [
        (step.time_us, step.fate) for step in run.steps
    ]
    for moment, fate in moments:
        cell = axis.at(moment)
        if cell not in marks or fate.through:  # what gets through is not hidden by what does not
            marks[cell] = fate
    parts: list[Part] = []
    for cell in range(axis.width):
        if cell in marks:
            told, tone = FATES[marks[cell]]
            parts.append((told[0], tone))
        else:
            parts.append(("─", "dim"))
    return parts


def because(step: Step) -> list[Part]:
    """Why the draft does what it does with a step, for the panel."""
    told, tone = FATES[step.fate]
    hop = f"  hop {step.hop}" if step.hop else ""
    return [(f"{told}{hop}\n", tone), (f"{printable(step.because)}\n\n", "")]
