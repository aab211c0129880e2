"""What every page of the Exposure screen is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.model.exposure import Gate, GateKind, Scenario
from workbench.model.packets import printable
from workbench.model.traffic import Progress
from workbench.tui.widgets.compared import Compared
from workbench.tui.widgets.pagedtable import Column, Row

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.exposure import Exposure

Part = tuple[str, str]
"""Text and tone."""
Parts = Sequence[Part]
WORDS = {
    Scenario.NONE: "no policy",
    Scenario.OBSERVED: "observed",
    Scenario.SAVED: "saved",
    Scenario.DRAFT: "draft",
}
"""Scenarios as people read them."""
TONES = {
    Scenario.NONE: "blocked",
    Scenario.OBSERVED: "dim",
    Scenario.SAVED: "uncertain",
    Scenario.DRAFT: "accent",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the user wants to see, and how to tell and to stop whoever works it out."""

    foothold: str
    target: str
    """Empty until there is one."""
    scenario: Scenario
    by: str
    """`segment` or `host`."""
    total: str
    """What risks are added up by: `finding` (not at all), `host`, `segment` or `service`."""
    narrowed: bool
    """Choke points between foothold and target only."""
    hosts: frozenset[str] | None
    """Machines that the filter line lets through; None for all."""
    width: int
    """Cells that a line of the screen has."""
    tell: Callable[[Progress], None]
    cancelled: Callable[[], bool]

    def shows(self, host: str) -> bool:
        """Whether the filter line lets this machine through."""
        return self.hosts is None or host in self.hosts


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page, ready to show."""

    columns: tuple[Column, ...]
    rows: Sequence[Row]
    empty: str
    head: Compared | Sequence[Parts] = ()
    """Above the table: scenarios side by side, or a line each."""
    figures: Sequence[tuple[object, ...]] = field(default=())
    """What each row is sorted by, in the order of the columns."""


Page = Callable[["Session", Look], Sheet]


def before(exposure: "Exposure") -> Scenario:
    """What the draft is compared with: the saved policy where that is another one, else none."""
    return Scenario.SAVED if Scenario.SAVED in exposure.scenarios else Scenario.NONE


def gate_part(gate: Gate) -> Part:
    """Why it is open, in words."""
    tone = {GateKind.RULE: "accent", GateKind.UNPROTECTED: "warn", GateKind.SEEN: "dim"}[gate.kind]
    return printable(gate.reason), tone


def some(names: Sequence[str], most: int = 12) -> str:
    """`pc-01, pc-02 … and 7 more`."""
    shown = ", ".join(map(printable, names[:most]))
    return f"{shown} … and {len(names) - most:,} more" if len(names) > most else shown
