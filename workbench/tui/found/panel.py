"""One finding in full: why, what flows cannot show, who else, how much evidence."""

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from workbench.model.finding import MOST_EVIDENCE, Finding
from workbench.model.net import service_text
from workbench.model.packets import printable
from workbench.model.text import duration, plural
from workbench.tui.found.rows import LEVEL_GLYPHS, LEVEL_TONES, Part
from workbench.tui.glyphs import CLASS_STYLES
from workbench.tui.lines import clock, period

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.session import Session

_PEERS = 6
_CONVERSATIONS = 8


def finding_parts(session: "Session", one: Finding) -> list[Part]:
    """What the side panel says of a finding."""
    parts: list[Part] = [(f"{printable(one.title)}\n", "strong")]
    for word, which in (("sure", one.confidence), ("impact", one.impact)):
        parts += [(f"{word} ", "dim"), (f"{LEVEL_GLYPHS[which]} {which.text}   ",
                                        LEVEL_TONES[which])]  # fmt: skip
    parts.append((f"{one.technique} {one.stage.value}\n", "dim"))
    if aside := one.suppression:
        until = f" until {aside.until}" if aside.until else ", for good"
        parts += [("– suppressed", "warn"), (f"{until}: {printable(aside.reason)}\n", "")]
    parts += [("\nWhy  ", "dim"), (f"{printable(one.why)}\n", "")]
    if one.unseen:
        parts += [("Flows cannot show  ", "dim"), (f"{printable(one.unseen)}\n", "uncertain")]
    lasting = one.last_us - one.first_us
    when = f"{period(one.first_us, one.last_us)} UTC" if lasting else f"{clock(one.first_us)} UTC"
    parts += [("\nWhen  ", "dim"), (f"{when}", ""), (f", {duration(lasting)}" if lasting else "",
                                                     "dim"), ("\n", "")]  # fmt: skip
    parts += [("By  ", "dim"), (f"{printable(session.name_of(one.host))}\n", "accent")]
    parts += _peers(session, one)
    parts += _evidence(session, one)
    return parts


def _peers(session: "Session", one: Finding) -> list[Part]:
    if not one.peers:
        return []
    parts: list[Part] = [("To  ", "dim")]
    shown = [printable(session.name_of(peer)) for peer in one.peers[:_PEERS]]
    parts.append((f"{shown[0]}\n", ""))
    parts += [(f"    {peer}\n", "") for peer in shown[1:]]
    if len(one.peers) > _PEERS:
        parts.append((f"    … and {len(one.peers) - _PEERS:,} more\n", "dim"))
    return parts


def _evidence(session: "Session", one: Finding) -> list[Part]:
    name, count = session.inventory.name, len(one.evidence)
    more = " or more" if count == MOST_EVIDENCE else ""
    parts: list[Part] = [("\nEvidence  ", "dim"), (f"{plural(count, 'conversation')}{more}\n", "")]
    for piece in one.evidence[:_CONVERSATIONS]:
        told = f"{printable(name(piece.client))} → {printable(name(piece.server))}"
        parts += [
            (f"  {service_text(piece.protocol, piece.port):<10} ", "strong"),
            (f"{told}\n", ""),
        ]
    if count > _CONVERSATIONS:
        parts.append((f"  … and {count - _CONVERSATIONS:,} more: enter\n", "dim"))
    parts.append((f"id {one.id}", "dim"))
    return parts


class FindingPanel(VerticalScroll, can_focus=False):
    """Takes text and tones."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = Static()

    def compose(self) -> "Iterator[Static]":
        yield self._text

    def show(self, parts: list[Part]) -> None:
        spans = ((text, CLASS_STYLES[tone]) for text, tone in parts)
        self._text.update(Content.assemble(*spans))
        self.scroll_home(animate=False)
