"""One line about long work: how far, how fast, how long, and how to stop it."""

from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static

from workbench.model.text import short_bytes, short_count, time_left
from workbench.model.traffic import Progress


class ProgressLine(Static):
    """Hidden while nothing runs."""

    progress: reactive[Progress | None] = reactive(None)

    def watch_progress(self, progress: Progress | None) -> None:
        self.display = progress is not None

    def render(self) -> Content:
        if self.progress is None:
            return Content("")
        return progress_content(self.progress, self.size.width)


def progress_content(progress: Progress, width: int) -> Content:
    """`reading site.pcap ███████░░░ 70 %  41 MB/s  812k packets/s  3 s left   esc cancel`."""
    facts = []
    if progress.total:
        facts.append(f"{progress.fraction * 100:3.0f} %")
    if progress.elapsed > 0.2:
        if progress.packets:
            facts.append(f"{short_count(int(progress.packets / progress.elapsed))} packets/s")
            facts.append(f"{short_bytes(int(progress.done / progress.elapsed))}/s")
        if (left := progress.seconds_left) is not None:
            facts.append(f"{time_left(left)} left")
    tail = "  ".join(facts)
    room = max(0, min(40, width - len(progress.label) - len(tail) - 16)) if progress.total else 0
    full = round(room * progress.fraction)
    return Content.assemble(
        f" {progress.label} ",
        ("█" * full, "$primary"),
        ("░" * (room - full), "$primary 50%"),
        f" {tail}",
        ("  esc", "bold $primary"),
        " cancel",
    )
