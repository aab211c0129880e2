"""The progress line of `ingest`, and what Ctrl-C does to it."""

import signal
import sys
from types import FrameType
from typing import Any

from workbench.model.packets import printable
from workbench.model.text import short_bytes, short_count, time_left
from workbench.model.traffic import Progress


class Meter:
    """One line on stderr, rewritten in place; nothing where stderr is no terminal.

    While it is open, Ctrl-C asks the work to stop at its next block instead of tearing it apart.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._shown = not quiet and sys.stderr.isatty()
        self._stop = False
        self._before: Any = None

    def __enter__(self) -> "Meter":
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        self.clear()

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop:  # a second Ctrl-C does not wait
            raise KeyboardInterrupt
        self._stop = True

    def cancelled(self) -> bool:
        """Whether the user pressed Ctrl-C."""
        return self._stop

    def tell(self, progress: Progress) -> None:
        """Show how far it is, how fast, and how long it will take."""
        if self._shown:
            sys.stderr.write("\r\x1b[K" + progress_line(progress))
            sys.stderr.flush()

    def clear(self) -> None:
        """Leave a clean line behind."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def progress_line(progress: Progress) -> str:
    """`site.pcap  42 %  1.2M packets  310 MB/s  4 s left`."""
    parts = [printable(progress.label, 40)]
    if progress.total:  # not of a pipe
        parts.append(f"{progress.fraction:4.0%}")
    else:
        parts.append(short_bytes(progress.done))
    if progress.packets:
        parts.append(f"{short_count(progress.packets)} packets")
    if progress.elapsed > 0:
        parts.append(f"{short_bytes(int(progress.done / progress.elapsed))}/s")
    if progress.seconds_left is not None:
        parts.append(f"{time_left(progress.seconds_left)} left")
    return "  ".join(parts)
