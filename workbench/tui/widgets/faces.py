"""What a cell of the matrix looks like, and how long names are written over narrow columns."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from workbench.tui.glyphs import SHADES, shade

FACE = ("would_block", "uncertain", "allowed", "rejected", "out_of_scope", "conversations", "bytes")
"""The counts that a face is made of."""


def face(counts: Mapping[str, int], show: str) -> tuple[str, str]:
    """A cell's text and tone: the worst of what is in it, then how much of it."""
    octets = counts["bytes"]
    if show == "volume":
        return _brief(octets), _heat(octets)
    glyph, tone, name = next(
        (one for one in _FACES if counts[one[2]]), ("–", "out", "out_of_scope")
    )
    if show == "verdict" or tone in ("blocked", "uncertain"):
        return glyph + _brief(counts[name]), tone
    return glyph + shade(octets), tone


class Openness(Protocol):
    """Which machine pairs are open to an intruder, cell by cell."""

    def pairs(self, client: str, server: str) -> tuple[int, int]:
        """Open ones, and all."""
        ...


def open_face(found: int, whole: int) -> tuple[str, str]:
    """The share of machine pairs that are open: `all`, `24%`, `<1%`; a dot where none is."""
    if not found:
        return ("·", "dim") if whole else ("", "dim")
    if found == whole:
        return "all", "blocked"
    share = 100 * found / whole
    text = "<1%" if share < 1 else f"{min(99, round(share))}%"
    return text, "blocked" if share >= 50 else "uncertain"


_FACES = (
    ("✗", "blocked", "would_block"),
    ("?", "uncertain", "uncertain"),
    ("✓", "allowed", "allowed"),
    ("✗", "dim", "rejected"),
    ("–", "out", "out_of_scope"),
)


def _brief(count: int) -> str:
    """At most three characters: `999`, `12k`, `.3M`."""
    for unit in ("", "k", "M", "G", "T"):
        if count < (1000 if not unit else 100):
            return f"{count}{unit}"
        if count < 1000:
            return f".{count // 100}{'kMGTP'['kMGT'.index(unit) + 1]}"
        count //= 1000
    return "max"


def _heat(octets: int) -> str:
    return ("dim", "strong", "accent", "warn")[SHADES.index(shade(octets))]


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names without what all of them begin and end with: `host-07.example` → `07`."""
    head = _shared(names)
    tail = _shared([name[head:][::-1] for name in names])
    return tuple(name[head : len(name) - tail] or name for name in names)


def _shared(names: Sequence[str]) -> int:
    """Characters that all the names begin with: those the first and the last in order share."""
    low, high = min(names, default=""), max(names, default="")
    differs = (at for at, (one, two) in enumerate(zip(low, high, strict=False)) if one != two)
    return next(differs, min(len(low), len(high)))


def downwards(name: str, height: int) -> str:
    """The name's characters, one a line, resting on the bottom; the middle goes if it is long."""
    if len(name) > height:
        head = (height - 1) // 2
        name = f"{name[:head]}…{name[len(name) - (height - 1 - head) :]}"
    return name.rjust(height)
