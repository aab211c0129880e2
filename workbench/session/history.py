"""Undo and redo: a list of frozen drafts and an index."""

from dataclasses import dataclass

from workbench.model.policy import Policy
from workbench.model.site import Inventory

LIMIT = 500
"""Steps kept; a draft shares everything unchanged with its neighbours."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the user edits: one step of history holds both, so one undo covers either."""

    policy: Policy
    inventory: Inventory


@dataclass(frozen=True, slots=True)
class Step:
    """A draft, and what led to it in words: `rule web-to-db added`; empty at the beginning."""

    draft: Draft
    label: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """The past and the undone future of a draft. `steps[at]` is the present."""

    steps: tuple[Step, ...]
    at: int = 0

    @property
    def present(self) -> Step:
        return self.steps[self.at]

    @property
    def past(self) -> Step | None:
        return self.steps[self.at - 1] if self.at else None

    @property
    def future(self) -> Step | None:
        """What a redo would bring back."""
        return self.steps[self.at + 1] if self.at + 1 < len(self.steps) else None

    def pushed(self, draft: Draft, label: str) -> "History":
        """A new present; what had been undone is forgotten, and so is what is too long ago."""
        steps = (*self.steps[: self.at + 1], Step(draft, label))[-LIMIT:]
        return History(steps, len(steps) - 1)
