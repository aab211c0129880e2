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
    Fate.ALLOWED: ("✓ allowed", "blocked"),
    Fate.OPEN: ("– open", "blocked"),
    Fate.UNCERTAIN: ("? uncertain", "uncertain"),
    Fate.BLOCKED: ("✗ blocked", "allowed"),
    Fate.NOT_REACHED: ("· not reached", "dim"),
}
"""What becomes of a step: glyph and word, and tone. An intruder who gets through is what hurts, so
the colours are the other way round than for traffic that works."""
TITLES = {"none": "no policy"}


@dataclass(frozen=True, slots=True)
class Replays:
    """The same steps under several policies, the draft last."""

    runs: tuple[Replayed, ...]

    @property
    def draft(self) -> Replayed:
        return self.runs[-1]

    def fates(self, at: int) -> tuple[Fate, ...]:
        """Of one step, a policy each."""
        return tuple(run.steps[at].fate for run in self.runs)

    def alike(self) -> tuple[tuple[int, ...], ...]:
        """Steps of the same findings, client and hop that end alike, as one each; by time."""
        groups: dict[object, list[int]] = {}
        for at, step in enumerate(self.draft.steps):
            key = step.findings, step.conversation.client, step.hop, self.fates(at)
            groups.setdefault(key, []).append(at)
        return tuple(map(tuple, groups.values()))


def columns(replays: Replays) -> tuple[Column, ...]:
    """Steps, and a column a policy."""
    fates = (
        Column(TITLES.get(run.policy, run.policy), 13, spare=0 if run is replays.draft else 3)
        for run in replays.runs
    )
    return (
        Column("UTC", 8),
        Column("hop", 3, right=True),
        Column("client", 9, flex=1, middle=True),
        Column("server", 11, flex=1, middle=True),
        Column("service", 10),
        *fates,
        Column("because (draft)", 24, flex=4, spare=4),
        Column("technique", 9, spare=5),
    )


def step_row(alike: tuple[int, ...], replays: Replays, name: Callable[[int], str]) -> Row:
    """In the order of `columns`; known by the first of the steps."""
    steps = [replays.draft.steps[at] for at in alike]
    first = steps[0]
    fates: list[Cell] = [FATES[fate] for fate in replays.fates(alike[0])]
    cells: tuple[Cell, ...] = (
        clock(first.time_us, day=False),
        (str(first.hop) if first.hop else "", "accent"),
        printable(name(first.conversation.client)),
        _several([printable(name(step.conversation.server)) for step in steps], "hosts"),
        _several([_service(step) for step in steps], "services"),
        *fates,
        (printable(first.because), "dim"),
        (first.technique, "dim"),
    )
    return Row(alike[0], cells)


def _service(step: Step) -> str:
    return service_text(step.conversation.protocol, step.conversation.port)


def _several(words: list[str], thing: str) -> str:
    known = dict.fromkeys(words)
    return words[0] if len(known) == 1 else f"{len(known):,} {thing}"


def head(replays: Replays, width: int) -> list[Part]:
    """A line a policy: its hops along the time, and where it stops."""
    spans = [(step.time_us, step.time_us) for step in replays.draft.steps]
    axis = Axis.around(spans, max(10, min(100, width - 58)))
    parts: list[Part] = [(f" {'':<10} {axis.ticks()}\n", "dim")]
    for run in replays.runs:
        title = f" {TITLES.get(run.policy, run.policy):<10} "
        parts += [(title, "accent" if run is replays.draft else ""), *strip(axis, run)]
        glyph, tone = ("✓", "allowed") if run.stopped else ("✗", "blocked")
        end = "" if run is replays.draft else "\n"
        parts.append((f"  {glyph} {run.text}{end}", tone))
    return parts


def strip(axis: Axis, run: Replayed) -> list[Part]:
    """`─────1──2─✗··`: what becomes of the hops, of the steps where there are no hops."""
    moments = [(hop.first_us, hop.fate, str(hop.number)[-1]) for hop in run.hops] or [
        (step.time_us, step.fate, "") for step in run.steps
    ]
    marks: dict[int, tuple[str, Fate]] = {}
    for moment, fate, number in moments:
        cell = axis.at(moment)
        if cell not in marks or (fate.through and not marks[cell][1].through):
            marks[cell] = (number if number and fate.through else FATES[fate][0][0], fate)
    parts: list[Part] = []
    for cell in range(axis.width):
        glyph, found = marks.get(cell, ("─", None))
        parts.append((glyph, "dim" if found is None else FATES[found][1]))
    return parts


def because(step: Step, runs: Replays, at: int) -> list[Part]:
    """What becomes of a step under each policy, for the panel."""
    hop = f"hop {step.hop}   " if step.hop else ""
    parts: list[Part] = [(f"{hop}{clock(step.time_us)} UTC\n", "strong")]
    for run, following in zip(runs.runs, (*runs.runs[1:], None), strict=True):
        told, tone = FATES[run.steps[at].fate]
        parts += [(f"{TITLES.get(run.policy, run.policy):<10} ", "dim"), (f"{told}\n", tone)]
        why = run.steps[at].because
        if following is None or following.steps[at].because != why:
            parts.append((f"  {printable(why)}\n", "dim"))
    return [*parts, ("\n", "")]
