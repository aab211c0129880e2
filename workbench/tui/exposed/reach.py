"""From a foothold: the rings of hosts around it, under every scenario."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from workbench.model.exposure import Blast, Scenario, ServiceReach
from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.model.traffic import Progress
from workbench.tui.exposed.sheet import TONES, WORDS, Look, Parts, Sheet, some
from workbench.tui.widgets.compared import Compared
from workbench.tui.widgets.grid import natural
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

_FAR = 10**6
"""Sorts behind every number of hops."""
_MOST_RINGS = 4
"""Lines of their own; what is farther away shares the last one."""


def reach_sheet(session: "Session", look: Look) -> Sheet:
    """Bars ring by ring, and every machine with its hops."""
    exposure = session.exposure
    scenarios = exposure.scenarios
    blasts: dict[Scenario, Blast] = {}
    for done, one in enumerate(scenarios):
        look.tell(Progress("rings", done, len(scenarios)))
        exposure.picture(one).prepare(look.cancelled)
        blasts[one] = exposure.blast(look.foothold, one)
    hops = {one: _hops(blast) for one, blast in blasts.items()}
    homes, crowns = exposure.homes(), frozenset(exposure.crowns())
    names = dict.fromkeys(name for found in hops.values() for name in found)
    rows, figures = [], []
    for name in filter(look.shows, names):
        far = [hops[one].get(name) for one in scenarios]
        home = homes.get(name, "")
        cells: tuple[Cell, ...] = (
            host_cell(name, crowns),
            printable(home) or ("none", "dim"),
            *map(far_cell, far),
        )
        rows.append(Row(name, cells))
        figures.append((natural(name), home, *(_FAR if one is None else one for one in far)))
    columns = (
        Column("host", 14, "0", flex=2, middle=True),
        Column("segment", 12, "1", flex=1, spare=1, middle=True),
        *(Column(WORDS[one], 9, str(at), right=True) for at, one in enumerate(scenarios, 2)),
    )
    return Sheet(columns, rows, _empty(session, look), _rings(look, blasts), figures)


def host_cell(name: str, crowns: frozenset[str]) -> Cell:
    """A crown jewel has a mark."""
    return (f"● {printable(name)}", "warn") if name in crowns else printable(name)


def _hops(blast: Blast) -> Mapping[str, int]:
    return {name: ring.hops for ring in blast.rings for name in ring.hosts}


def far_cell(hops: int | None) -> Cell:
    """`1 hop`, or that there is no way."""
    if hops is None:
        return "✓ never", "allowed"
    return plural(hops, "hop"), "blocked" if hops == 1 else "uncertain"


def _rings(look: Look, blasts: Mapping[Scenario, Blast]) -> Compared:
    """Numbers by hop, and together."""
    everybody = next(iter(blasts.values())).all_machines
    counts = [[len(ring.hosts) for ring in blast.rings] for blast in blasts.values()]
    deepest = max(map(len, counts), default=0)
    lines = []
    for hop in range(min(deepest, _MOST_RINGS)):
        last = hop == _MOST_RINGS - 1 and deepest > _MOST_RINGS
        name = plural(hop + 1, "hop") + (" +" if last else "")
        lines.append((name, [sum(one[hop:] if last else one[hop : hop + 1]) for one in counts]))
    lines.append((f"of {everybody:,}", [blast.machines for blast in blasts.values()]))
    names = [(WORDS[one], TONES[one]) for one in blasts]
    return Compared(f"{printable(look.foothold)} reaches", names, lines, everybody)


def _empty(session: "Session", look: Look) -> str:
    if not len(session.exposure.machines):
        return "No machines yet: 1 loads a capture, or list hosts in inventory.yaml."
    return f"{printable(look.foothold)} reaches nobody, under any policy: f picks another foothold."


def host_parts(session: "Session", name: str) -> Parts:
    """Who reaches a machine or a segment directly under the draft, and why."""
    reach = session.exposure.reach(name, Scenario.DRAFT)
    figures = reach.figures
    parts: list[tuple[str, str]] = [
        (f"{printable(name)} under the draft\n", "strong"),
        (f"reached by {figures.movers:,} to move, {figures.clients:,} on any risky service\n", ""),
        (f"an intruder gets here from {plural(figures.footholds, 'machine')}, ", ""),
        (_outside(figures.outside_hops) + "\n", "blocked" if figures.outside_hops else "allowed"),
        (f"and from here to {figures.blast:,}\n", ""),
    ]
    alike: dict[tuple[object, ...], list[ServiceReach]] = {}
    for one in reach.services:
        alike.setdefault((one.hosts, one.outside, one.gates), []).append(one)
    for services in sorted(alike.values(), key=len, reverse=True):
        one = services[0]
        who = some([f"{count} {segment}" for segment, count in one.segments], 5)
        who = who or some(one.hosts, 4)
        parts += [
            (f"\n{' '.join(one.service for one in services)}\n", "accent"),
            ("  outside, " if one.outside else "  ", "blocked"),
            (f"{who}\n", ""),
            (f"  {some([gate.reason for gate in one.gates], 3)}\n", "dim"),
        ]
    if not reach.services:
        parts.append(("\n✓ nobody reaches it on a risky service\n", "allowed"))
    return parts


def _outside(hops: int | None) -> str:
    if hops is None:
        return "never from outside"
    return f"in {plural(hops, 'hop')} from outside"
