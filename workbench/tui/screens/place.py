"""`f` and `t` on the Exposure screen: a place by name, completed as it is typed."""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.exposure import OUTSIDE
from workbench.tui.screens.dialog import Dialog
from workbench.tui.widgets.completing import CompletingInput, words_of

_HINT = "a host, an address, a segment or key=value"


class PlaceScreen(Dialog):
    """One line; what it names is checked before it is taken."""

    TITLE_TEXT = "Which place?"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", id="place.leave"),
    ]

    def __init__(
        self, title: str, now: str, chosen: Callable[[str], None], *, outside: bool
    ) -> None:
        """outside: whether `outside` is a place, as it is for a foothold."""
        super().__init__()
        self._title = title
        self._now = now
        self._chosen = chosen
        self._outside = outside
        self._places: tuple[str, ...] = ()

    def body(self) -> Iterable[Widget]:
        yield CompletingInput(
            words_of(lambda: self._places), placeholder=f"now {self._now or 'none'}", id="place"
        )
        yield Static("looking …", id="place-note", markup=False)

    def on_mount(self) -> None:
        self.query_one("#dialog").border_title = self._title
        self.query_one(CompletingInput).focus()
        if session := self.bench.session:
            self.ask("places", lambda: session.exposure.places(), self._known)

    def _known(self, places: tuple[str, ...]) -> None:
        self._places = (OUTSIDE, *places) if self._outside else places
        more = "" if "crown" in places else "   crown jewels: label hosts crown=yes (4, l)"
        count = Content(f"{_HINT}{', or outside' if self._outside else ''}{more}")
        self.query_one("#place-note", Static).update(count)

    @on(CompletingInput.Entered)
    def _entered(self, event: CompletingInput.Entered) -> None:
        session, place = self.bench.session, event.value.strip()
        if session is None or not place:
            self.dismiss()
            return

        def question() -> str:
            exposure = session.exposure
            exposure.foothold(place) if self._outside else exposure.target(place)
            return place

        def take(found: str) -> None:
            self._chosen(found)
            self.dismiss()

        self.ask("place", question, take, self.say)
