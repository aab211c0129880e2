"""Undo and redo: a list of frozen drafts and an index."""

from dataclasses import dataclass, field

from workbench.model.policy import Policy
from workbench.model.site import Inventory

LIMIT = 500
"""Steps kept; a draft shares everything unchanged with its neighbours."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the user edits: one step of history holds both, so one undo covers either."""

    policy: Policy
    inventory: Inventory


@dataclass
class History:
    """The past and the undone future of a draft. `steps[at]` is the present."""

    steps: list[Draft]
    labels: list[str] = field(default_factory=lambda: [""])
    """What led to each step, in words: `rule web-to-db added`."""
    at: int = 0

    @property
    def present(self) -> Draft:
        return self.steps[self.at]

    @property
    def past(self) -> Draft | None:
        return self.steps[self.at - 1] if self.at else None

    @property
    def label(self) -> str:
        return self.labels[self.at]

    def push(self, draft: Draft, label: str) -> None:
        """A new present; what had been undone is forgotten."""
        if draft == self.present:
            return
        self.steps[self.at + 1 :] = [draft]
        self.labels[self.at + 1 :] = [label]
        self.at += 1
        if (excess := len(self.steps) - LIMIT) > 0:
            del self.steps[:excess], self.labels[:excess]
            self.at -= excess

    def undo(self) -> str | None:
        """Step back; what was undone in words, None when there is nothing."""
        if not self.at:
            return None
        self.at -= 1
        return self.labels[self.at + 1]

    def redo(self) -> str | None:
        """Step forward; what was redone in words, None when there is nothing."""
        if self.at + 1 == len(self.steps):
            return None
        self.at += 1
        return self.labels[self.at]
