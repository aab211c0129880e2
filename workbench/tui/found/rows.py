"""The triage list: one finding a row, in the order asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from workbench.model.finding import Finding, Level, Stage
from workbench.model.net import format_address
from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.tui.lines import clock
from workbench.tui.widgets.pagedtable import Cell, Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

Part = tuple[str, str]
"""Text and tone."""
_DAY = 86_400_000_000
"""µs."""

LEVEL_GLYPHS = {Level.HIGH: "█", Level.MEDIUM: "▅", Level.LOW: "▂"}
LEVEL_TONES = {Level.HIGH: "blocked", Level.MEDIUM: "uncertain", Level.LOW: "dim"}


def columns(one_day: str = "") -> tuple[Column, ...]:
    """Of the list; where all begins on one day, that stands above and the times below."""
    return (
        Column("sure", 8, "worst"),
        Column("impact", 8),
        Column("what", 20, flex=5, middle=True),
        Column("technique", 9, "technique"),
        Column("host", 12, "host", flex=1, middle=True),
        Column("address", 15, spare=1),
        Column(f"{one_day} UTC" if one_day else "when (UTC)", 9 if one_day else 11, "time"),
        Column("peers", 5, right=True, spare=2),
    )


def day_of(found: Sequence[Finding]) -> str:
    """`09-15` where all of them begin on that day; empty where not."""
    moments = [one.first_us for one in found]
    first, last = (clock(ends(moments, default=0))[:5] for ends in (min, max))
    same = bool(moments) and max(moments) - min(moments) < _DAY and first == last
    return first if same else ""


ORDERS: Mapping[str, tuple[str, str]] = {
    "worst": ("worst first", "mildest first"),
    "technique": ("by technique", "by technique, backwards"),
    "host": ("by host", "by host, backwards"),
    "time": ("earliest first", "latest first"),
}
"""Sort key → what the order is called, and its reverse."""
VIEWS: Mapping[str, str] = {"all": "all", "new": "new only", "gone": "vanished only"}
"""What a comparison with a baseline is looked at for."""


@dataclass(frozen=True, slots=True)
class Triage:
    """How the user looks at the findings."""

    stage: Stage | None = None
    """None for all of them."""
    least: Level = Level.LOW
    """Of confidence."""
    view: str = "all"
    """A key of VIEWS."""
    suppressed_last: bool = True

    def shows(self, one: Finding) -> bool:
        return (
            (self.stage is None or one.stage is self.stage)
            and one.confidence >= self.least
            and (self.view == "all" or (one.kind == "vanished") == (self.view == "gone"))
        )

    def sorted(
        self, found: Iterable[Finding], key: str, backwards: bool, name: Callable[[int], str]
    ) -> list[Finding]:
        """Those shown, in order; suppressed ones last if they are to be."""
        keys: Mapping[str, Callable[[Finding], Any]] = {
            "worst": lambda one: (-one.confidence * one.impact, -one.confidence, one.first_us),
            "technique": lambda one: (one.technique, one.first_us),
            "host": lambda one: (name(one.host), one.host, one.first_us),
            "time": lambda one: (one.first_us, one.last_us),
        }
        order = sorted(filter(self.shows, found), key=keys[key], reverse=backwards)
        return sorted(order, key=lambda one: self.suppressed_last and bool(one.suppression))


def level(one: Level) -> tuple[str, str]:
    """`█ high` and its tone."""
    return f"{LEVEL_GLYPHS[one]} {one.text}", LEVEL_TONES[one]


def finding_row(session: "Session", at: int, one: Finding, one_day: str) -> Row:
    """In the order of `columns`; known by its place in the list."""
    name, address = printable(session.inventory.name(one.host)), format_address(one.host)
    when = clock(one.first_us)
    cells: tuple[Cell, ...] = (
        level(one.confidence),
        level(one.impact),
        titled(one),
        one.technique,
        name,
        ("" if name == address else address, "dim"),
        when[6:] if one_day else when[:11],
        f"{len(one.peers):,}",
    )
    if one.suppression:
        cells = (f"– {one.confidence.text}", *cells[1:])
        cells = tuple((cell if isinstance(cell, str) else cell[0], "dim") for cell in cells)
    return Row(at, cells)


class FindingRows(Sequence[Row]):
    """Rows made as they are looked at: there may be many thousands."""

    def __init__(self, session: "Session", shown: Sequence[Finding]) -> None:
        self._session = session
        self._shown = shown
        self.day = day_of(shown)

    def __len__(self) -> int:
        return len(self._shown)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        return finding_row(self._session, at, self._shown[at], self.day)


def titled(one: Finding) -> str:
    """The title, marked where it is suppressed."""
    return f"{'suppressed: ' if one.suppression else ''}{printable(one.title)}"


def headline(shown: list[Finding], total: int, look: Triage, order: str) -> list[Part]:
    """`18 findings   █ 6 high   – 1 suppressed   worst first`: nothing hidden unsaid."""
    count = plural(len(shown), "finding")
    parts: list[Part] = [(f" {count}", "strong")]
    if len(shown) < total:
        parts.append((f" of {total:,}", "dim"))
    open_ones = [one for one in shown if not one.suppression]
    for one in Level.HIGH, Level.MEDIUM, Level.LOW:
        number = sum(found.confidence is one for found in open_ones)
        if number:
            parts.append((f"   {LEVEL_GLYPHS[one]} {number:,} {one.text}", LEVEL_TONES[one]))
    if aside := len(shown) - len(open_ones):
        parts.append((f"   – {aside:,} suppressed", "out"))
    if look.stage:
        parts.append((f"   {look.stage.value} only", "accent"))
    if look.least > Level.LOW:
        parts.append((f"   {look.least.text} and above", "accent"))
    if look.view != "all":
        parts.append((f"   {VIEWS[look.view]}", "accent"))
    parts.append((f"   {order}", "dim"))
    return parts
