"""Choke points: what cuts most pairs of foothold and target when it alone is closed."""

from typing import TYPE_CHECKING

from workbench.model.exposure import Choke, ChokeKind, GateKind
from workbench.model.packets import printable
from workbench.model.text import percent, plural
from workbench.tui.exposed.paths import closing_parts
from workbench.tui.exposed.sheet import WORDS, Look, Part, Parts, Sheet
from workbench.tui.widgets.compared import bar
from workbench.tui.widgets.pagedtable import Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

_BAR = 16
_COLUMNS = (
    Column("close", 24, flex=2, middle=True),
    Column("cuts", 7, right=True),
    Column("share", 7, right=True),
    Column("of what is connected", _BAR, flex=1),
)


def chokes_sheet(session: "Session", look: Look) -> Sheet:
    """Most first, over all pairs or between foothold and target."""
    exposure = session.exposure
    foothold, target = (look.foothold, look.target or None) if look.narrowed else (None, None)
    found = exposure.chokes(look.scenario, foothold, target, look.tell, look.cancelled)
    rows = [
        Row(
            one,
            (
                (printable(one.text), "accent" if one.kind is ChokeKind.GATE else ""),
                f"{one.cut:,}",
                percent(one.share, 1),
                (bar(one.share, _BAR), "blocked"),
            ),
        )
        for one in found
    ]
    where = "all pairs"
    if look.narrowed:
        target = f" → {printable(look.target)}" if look.target else " → everybody"
        where = f"{printable(look.foothold)}{target}"
    head: list[Part] = [
        (f" under {WORDS[look.scenario]}, {where}: ", "dim"),
        (plural(len(found), "choke point"), "strong"),
    ]
    empty = (
        "Nothing cuts a pair when it alone is closed: every way has another beside it. "
        "o looks between foothold and target only, ] at the risky services."
    )
    return Sheet(_COLUMNS, rows, empty, [head])


def choke_parts(choke: Choke) -> Parts:
    """What closing it means."""
    parts: list[Part] = [
        (f"{printable(choke.text)}\n", "strong"),
        (f"cuts {plural(choke.cut, 'pair')} of foothold and target, ", ""),
        (f"{percent(choke.share, 1)} of those connected now\n\n", ""),
    ]
    if choke.gate is None:
        return [*parts, ("a host on every way: narrow the rules that reach it\n", "dim")]
    if choke.gate.kind is GateKind.UNPROTECTED:
        parts.append(
            ("counted without the rules that it will need: p on 6 then proposes those\n\n", "dim")
        )
    return [*parts, *closing_parts((choke.gate,))]
