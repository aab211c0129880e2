"""A screen of what takes a while to work out: numbered, with progress, stopped by Escape."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from textual import on
from textual.message import Message

from workbench.model.errors import WorkbenchError
from workbench.model.traffic import Progress
from workbench.tui.desk import Stopped, Tell
from workbench.tui.screens.base import WorkScreen
from workbench.tui.widgets.progress import ProgressLine

T = TypeVar("T")
SOON = 0.4
"""Seconds without an answer before the progress line appears."""


class SeekingScreen(WorkScreen):
    """Asks one question at a time. Subclasses say what is shown when it was stopped."""

    QUESTION = ""
    """What its questions are asked as."""

    class Looking(Message):
        """How far the present question is."""

        def __init__(self, number: int, progress: Progress) -> None:
            super().__init__()
            self.number = number
            self.progress = progress

    def __init__(self) -> None:
        super().__init__()
        self.busy = False
        self._stop = threading.Event()
        self._question = 0

    def look(
        self,
        question: Callable[[Tell, Stopped], T],
        show: Callable[[T], None],
        failed: Callable[[WorkbenchError], None],
    ) -> Stopped:
        """Ask, in a thread, and give up what was asked before; whether this is given up."""
        self._stop.set()
        stop = self._stop = threading.Event()
        self._question += 1
        number, began = self._question, time.monotonic()

        def tell(progress: Progress) -> None:
            if time.monotonic() - began > SOON:
                self.post_message(self.Looking(number, progress))

        def answered(value: T) -> None:
            self._rest()
            show(value)

        def refused(error: WorkbenchError) -> None:
            self._rest()
            failed(error)

        self.busy = True
        self.ask(self.QUESTION, lambda: question(tell, stop.is_set), answered, refused)
        return stop.is_set

    @on(Looking)
    def _looking(self, message: Looking) -> None:
        message.stop()
        if self.busy and message.number == self._question:
            self.query_one(ProgressLine).progress = message.progress

    def _rest(self) -> None:
        self.busy = False
        self.query_one(ProgressLine).progress = self.bench.progress

    def on_unmount(self) -> None:
        self._stop.set()

    def stopped(self) -> None:
        """Say that nothing was worked out, and what to do."""
        raise NotImplementedError

    def action_back(self) -> None:
        """Stop what is being worked out, before anything else."""
        if not self.busy:
            super().action_back()
            return
        self._stop.set()
        self.forget(self.QUESTION)
        self._rest()
        self.stopped()
