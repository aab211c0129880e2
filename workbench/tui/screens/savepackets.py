"""`w`: the packets of flows as a capture file of their own."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.packets import MOST_SAVED, SavedPackets, printable
from workbench.model.text import plural, short_bytes
from workbench.model.traffic import Flow
from workbench.tui.paths import complete_path
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.completing import CompletingInput

if TYPE_CHECKING:
    from workbench.session import Session

Flows = Callable[["Session"], Sequence[Flow]]
"""Which flows, MOST_SAVED at most; called in a worker."""


class SavePacketsScreen(Dialog):
    """Asks for a path, and once more before a file goes; the work shows its progress below."""

    TITLE_TEXT = "Save packets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "save", show=False, id="savepackets.save", priority=True,
                tooltip="Enter does the same"),
    ]  # fmt: skip

    def __init__(self, flows: Flows, total: int, what: str, name: str) -> None:
        """total: flows there are; what: they are, in words; name: of the file, proposed."""
        super().__init__()
        self._flows = flows
        self._total = total
        self._what = what
        self._proposed = name
        self._agreed: Path | None = None
        """A file that the user has seen is there."""

    def body(self) -> Iterable[Widget]:
        yield Static(Content(self._about()), id="form-preview")
        with Horizontal(classes="form-line"):
            yield Static("file", classes="form-label")
            yield CompletingInput(complete_path, value=self._proposed, id="save-path")

    def _about(self) -> str:
        told = self._what
        if self._total > MOST_SAVED:
            told += f"\nOnly its first {MOST_SAVED:,} flows are saved, of {self._total:,}."
        return f"{told}\nWritten as pcapng, for Wireshark and the like; folder: {Path.cwd()}"

    def on_mount(self) -> None:
        self.query_one(CompletingInput).focus()

    @on(CompletingInput.Edited)
    def _edited(self) -> None:
        self._agreed = None
        self.say(None)

    @on(CompletingInput.Entered)
    def action_save(self) -> None:
        """Start the work; the dialog stays open while the path cannot be."""
        text = self.query_one(CompletingInput).value.strip()
        path = Path(text).expanduser()
        if not self.is_active:
            return  # a second Enter: the work has begun
        if not text or path.is_dir():
            self.say("give the name of a file")
        elif path.exists() and self._agreed != path:
            self._agreed = path
            self.say(f"{path} is there already: enter once more to replace it")
        else:
            self._save(path, replace=self._agreed == path)

    def _save(self, path: Path, *, replace: bool) -> None:
        bench, session, flows = self.bench, self.bench.session, self._flows
        if session is None:
            return

        def done(saved: SavedPackets) -> None:
            told = f"saved {plural(saved.packets, 'packet')} of {plural(saved.flows, 'flow')}"
            where = printable(str(saved.path.absolute()))
            bench.notify(f"{told} ({short_bytes(saved.size)}) in {where}", markup=False)

        self.dismiss()
        bench.long_work(
            lambda tell, stopped: session.save_packets(
                flows(session), path, replace=replace, progress=tell, cancelled=stopped
            ),
            done,
        )
