"""The side panel: one cell of the matrix, conversation by conversation."""

from collections.abc import Iterator, Sequence

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from workbench.model.matrix import Cell
from workbench.model.text import plural, short_bytes
from workbench.model.traffic import Direction
from workbench.model.verdict import Class
from workbench.tui.glyphs import CLASS_STYLES, CLASS_TONES, class_label
from workbench.tui.lines import Story, period
from workbench.tui.widgets.faces import Openness

PanelLine = tuple[tuple[str, str], ...]


def cell_headline(cell: Cell) -> PanelLine:
    """`✗ 2 would block   ✓ 3 allowed`, exact figures."""
    kinds = (
        ("✗", cell.would_block, "would block", "blocked"),
        ("?", cell.uncertain, "uncertain", "uncertain"),
        ("✓", cell.allowed, "allowed", "allowed"),
        ("✗", cell.rejected, "rejected", "dim"),
        ("–", cell.out_of_scope, "out of scope", "out"),
    )
    parts = [(f"{glyph} {count:,} {word}   ", tone) for glyph, count, word, tone in kinds if count]
    return tuple(parts) or (("· nothing seen", "dim"),)


def open_parts(cell: Cell, now: Openness | None, saved: Openness | None) -> PanelLine:
    """`2 of 9 machine pairs are open …  ▼3`: how open it is under the draft, against the saved."""
    if now is None or saved is None:
        return (("working out how open it is …", "dim"),)
    found, whole = now.pairs(cell.row, cell.column)
    was, _ = saved.pairs(cell.row, cell.column)
    arrow, tone = ("▼", "allowed") if found < was else ("▲", "blocked")
    return (
        (f"{found:,} of {whole:,} machine pairs ", "blocked" if found else "allowed"),
        ("are open on services to move by under the draft", "dim"),
        (f"  {arrow}{abs(found - was):,}" if found != was else "", tone),
    )


class CellPanel(VerticalScroll, can_focus=False):
    """Takes a cell at once and its conversations when they have been looked up."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = Static()

    def compose(self) -> Iterator[Static]:
        yield self._text

    def show(self, cell: Cell, found: Sequence[Story] | None) -> None:
        """`found` is None while the conversations are being looked up."""
        self.border_title = Content(f"{cell.row} → {cell.column}")
        lines: list[PanelLine] = [cell_headline(cell)]
        if cell.conversations:
            total = f"{plural(cell.conversations, 'conversation')}, {plural(cell.flows, 'flow')}, "
            exact = f" ({cell.bytes:,})" if cell.bytes >= 1000 else ""
            lines += [((total + short_bytes(cell.bytes) + exact, "dim"),), ()]
        for story in found or ():
            lines += [*_story(story), ()]
        if found is not None and len(found) < cell.conversations:
            lines.append(((f"… and {cell.conversations - len(found):,} more: enter", "dim"),))
        spans = [(text, CLASS_STYLES[tone]) for line in lines for text, tone in (*line, ("\n", ""))]
        self._text.update(Content.assemble(*spans))
        self.scroll_home(animate=False)


def _story(story: Story) -> list[PanelLine]:
    seen = story.conversation
    flows = plural(seen.flows, "flow")
    lines: list[PanelLine] = [
        ((f"{class_label(story.klass)}  ", CLASS_TONES[story.klass]), (seen.service, "strong")),
        ((f"{story.client} → {story.server}", ""),),
        ((f"  {flows} {seen.outcome.text}  {period(seen.first_us, seen.last_us)}", "dim"),),
    ]
    if seen.direction is not Direction.SYN:
        weak = seen.direction in (Direction.FIRST, Direction.DEGREE)
        tone = "uncertain" if weak else "dim"
        lines.append(((f"  direction {'only ' if weak else ''}by {seen.direction.text}", tone),))
    if story.why:
        allowed = story.klass in (Class.PERMITTED, Class.MISDROPPED)
        lines.append(((f"  {'by ' if allowed else ''}{story.why}", "dim"),))
    return lines
