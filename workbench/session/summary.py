"""The line of facts at the top of every screen."""

from dataclasses import dataclass

from workbench.model.simulation import Simulation
from workbench.model.verdict import Class, Coverage


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers that move as the user edits."""

    name: str
    """The workspace folder's name."""
    captures: int
    hosts: int
    """Machines seen in traffic, whatever the number of their addresses."""
    conversations: int
    flows: int
    changed: bool
    """The draft differs from what is on disk."""
    draft_changes: int
    """Conversations whose class differs between the draft and the saved policy."""
    coverage: Coverage
    saved_coverage: Coverage
    would_block: int
    saved_would_block: int
    by_class: tuple[tuple[Class, int], ...]


def would_block(simulation: Simulation) -> int:
    """Conversations that work today and would not any more."""
    return simulation.totals.by_class[Class.WOULD_BLOCK]
