"""The exposure figure in the header: worked out behind every edit, never in front of it."""

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from textual import on
from textual.app import App
from textual.message import Message
from textual.reactive import reactive

from workbench.model.errors import Cancelled, WorkbenchError
from workbench.model.exposure import Scenario

if TYPE_CHECKING:
    from workbench.session import Session

_QUICK, _PATIENCE = 0.2, 0.6
"""Seconds: what takes longer than the first waits the second, in case edits follow each other."""


@dataclass(frozen=True, slots=True)
class Weight:
    """How far an intruder gets, as one number a policy (docs/exposure.md), 0 to 100."""

    draft: float
    saved: float
    stale: bool = False
    """The draft is another one by now."""


class Weighing(App[None]):
    """Keeps `weight` up to date, the newest draft only."""

    @dataclass
    class Weighed(Message):
        """The answer to one question."""

        question: threading.Event
        weight: Weight | None
        took: float

    weight: reactive[Weight | None] = reactive(None)
    """None until it is known for the first time, and where there is no traffic."""

    def __init__(self) -> None:
        super().__init__()
        self._weighing = threading.Event()
        self._took = 0.0

    def weigh(self, session: "Session") -> None:
        """Ask anew; a question that is still being worked on is given up."""
        self._weighing.set()
        stop = self._weighing = threading.Event()
        if self.weight is not None:
            self.weight = replace(self.weight, stale=True)
        patience = _PATIENCE if self._took > _QUICK else 0.0

        def work() -> None:
            if stop.wait(patience):
                return
            began = time.monotonic()
            try:
                weight = _weigh(session, stop)
            except Cancelled:
                return
            except WorkbenchError:
                weight = None  # the screen that needs it says why
            self.post_message(self.Weighed(stop, weight, time.monotonic() - began))

        self.run_worker(work, thread=True, group="weigh")

    def stop_weighing(self) -> None:
        """Nobody waits for the answer."""
        self._weighing.set()

    @on(Weighed)
    def _weighed(self, message: Weighed) -> None:
        self._took = message.took
        if message.question is self._weighing:
            self.weight = message.weight


def _weigh(session: "Session", stop: threading.Event) -> Weight | None:
    exposure = session.exposure
    if not len(exposure.machines):
        return None
    draft = exposure.score(Scenario.DRAFT, stop.is_set)
    same = Scenario.SAVED not in exposure.scenarios
    return Weight(draft, draft if same else exposure.score(Scenario.SAVED, stop.is_set))
