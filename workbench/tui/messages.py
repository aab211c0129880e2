"""What workers tell the screens: values, never widgets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from textual.message import Message

from workbench.model.errors import WorkbenchError
from workbench.model.traffic import Progress


@dataclass
class Answered(Message):
    """A worker's answer to a numbered question; an older number is dropped."""

    topic: str
    number: int
    value: Any
    answer: Callable[[Any], None]


@dataclass
class Refused(Message):
    """A worker could not answer."""

    topic: str
    number: int
    error: WorkbenchError
    failed: Callable[[WorkbenchError], None]


@dataclass
class Leaving(Message):
    """The user wants to leave, and every edit asked for before is made."""

    unsaved: bool


@dataclass
class Progressed(Message):
    """How far long work is. Only the latest matters."""

    progress: Progress

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, Progressed)
