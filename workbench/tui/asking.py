"""Questions to the session, answered by worker threads."""

import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from textual import on
from textual.await_complete import AwaitComplete
from textual.screen import Screen, ScreenResultType

from workbench.model.errors import Cancelled, WorkbenchError
from workbench.model.traffic import Flow
from workbench.tui.messages import Answered, Refused

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.tui.app import WorkbenchApp

T = TypeVar("T")


class Asking(Screen[ScreenResultType]):
    """A screen whose long questions never hold up the event loop.

    Answers are numbered per topic: `exclusive` workers do not stop an older thread, so a late
    answer to an old question has to be recognised and dropped.
    """

    TELLS_EDITS: ClassVar[bool] = False
    """Shows the last edit in a line of its own: a notice would say it twice."""

    @property
    def bench(self) -> "WorkbenchApp":
        """The application, by its own type."""
        from workbench.tui.app import WorkbenchApp

        assert isinstance(self.app, WorkbenchApp)  # noqa: S101
        return self.app

    @property
    def opened(self) -> "Session":
        """The session; only for what is shown once there is one."""
        session = self.bench.session
        if session is None:
            raise RuntimeError("the workspace is not open yet")
        return session

    def __init__(self) -> None:
        super().__init__()
        if self.bench.session is not None:  # the first screen has brought the app its own styles
            # Nothing has changed in the sheet: Textual would parse it twice over, to be sure.
            self._css_update_count = self.app._css_update_count
        self._numbers: defaultdict[str, int] = defaultdict(int)

    def ask(
        self,
        topic: str,
        question: Callable[[], T],
        answer: Callable[[T], None],
        failed: Callable[[WorkbenchError], None] | None = None,
    ) -> None:
        """Run `question` in a thread and `answer` with its value here, if nothing newer was asked.

        Only our own errors are caught (`failed`, or a notice); a bug still ends with a traceback.
        """
        self._numbers[topic] += 1
        number, on_error = self._numbers[topic], failed or self.bench.show_error

        def work() -> None:
            if number != self._numbers[topic]:
                return  # it has waited for a thread so long that nobody wants to know any more
            try:
                value = question()
            except Cancelled:
                return
            except WorkbenchError as error:
                self.post_message(Refused(topic, number, error, on_error))
            else:
                self.post_message(Answered(topic, number, value, answer))

        self.run_worker(work, thread=True, group=topic, exit_on_error=True)

    def forget(self, topic: str) -> None:
        """Answers still under way are not wanted any more."""
        self._numbers[topic] += 1

    def on_unmount(self) -> None:
        for topic in list(self._numbers):
            self.forget(topic)

    def deeper(self, screen: Screen[Any]) -> None:
        """Push a screen; a second Enter, while the first is being answered, does nothing."""
        if self.is_active:
            self.app.push_screen(screen)

    def dismiss(self, result: ScreenResultType | None = None) -> AwaitComplete:
        """Close this screen; a second Enter or Escape never closes the one below."""
        return super().dismiss(result) if self.is_active else AwaitComplete()

    @on(Answered)
    def _answered(self, message: Answered) -> None:
        message.stop()
        if message.number == self._numbers[message.topic]:
            message.answer(message.value)

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        message.stop()
        if message.number == self._numbers[message.topic]:
            message.failed(message.error)


class Totals(Protocol):
    """Of all flows of a view."""

    @property
    def flows(self) -> int: ...
    @property
    def packets(self) -> int: ...
    @property
    def bytes(self) -> int: ...


class View(Protocol):
    """Flows that are paged through (the store's FlowView)."""

    @property
    def total(self) -> int: ...
    @property
    def totals(self) -> "Totals": ...
    def page(self, start: int, count: int) -> tuple[Flow, ...]: ...
    def close(self) -> None: ...


class Pager:
    """One thread at a time reads a view; closing waits for the page that is being read."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._lock = threading.Lock()
        self._closed = False

    def page(self, start: int, count: int) -> tuple[Flow, ...]:
        """Nothing once it is closed: the answer would be dropped anyway."""
        with self._lock:
            return () if self._closed else self.view.page(start, count)

    def close(self) -> None:
        """Let go of the view; a second time does nothing."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self.view.close()
