"""Verdicts as people see them: glyph, word, tone; and what a poor console gets instead."""

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from workbench.model.verdict import CLASS_GLYPHS, CLASS_WORDS, Class, Verdict

TONES = ("allowed", "blocked", "uncertain", "out", "failing", "dim", "strong", "warn", "accent")
"""Names of the styles that cells and lines of text are drawn in (`.tone--NAME` in the sheet)."""

VERDICT_TONES = {
    Verdict.ALLOWED: "allowed",
    Verdict.BLOCKED: "blocked",
    Verdict.UNCERTAIN: "uncertain",
    Verdict.OUT_OF_SCOPE: "out",
}
CLASS_TONES = {
    Class.PERMITTED: "allowed",
    Class.WOULD_BLOCK: "blocked",
    Class.MISDROPPED: "failing",
    Class.REJECTED: "dim",
    Class.UNCERTAIN: "uncertain",
    Class.OUT_OF_SCOPE: "out",
    Class.EXCLUDED: "out",
}
LEGEND = (
    ("✓", "allowed", "allowed", "the draft allows it"),
    ("✗", "blocked", "would block", "it works today and the draft would break it"),
    (
        "?",
        "uncertain",
        "uncertain",
        "the recording cannot tell who opened it, or whether it worked",
    ),
    ("–", "out", "out of scope", "neither end is protected, or it is never policy (multicast …)"),
    ("✗", "dim", "rejected", "it failed already, and the draft blocks it"),
    ("✓", "failing", "allowed, failing", "the draft allows it, yet it failed"),
    ("░▒▓█", "dim", "bytes", "few to many, each step a hundredfold"),
    ("·", "dim", "nothing seen", ""),
    ("○", "dim", "allowed, never seen", "a rule without traffic"),
    ("!", "warn", "guardrail broken", ""),
    (
        "●",
        "warn",
        "unsaved",
        "^s saves; verdicts changed: conversations that the saved policy judges otherwise",
    ),
    ("█▅▂", "dim", "high, medium, low", "findings: how sure, and how bad it would be"),
)
"""Glyph, tone, word, meaning: the `?` screen."""

CLASS_STYLES = {
    "allowed": "$verdict-allowed",
    "blocked": "bold $verdict-blocked",
    "uncertain": "$verdict-uncertain",
    "out": "$verdict-out",
    "failing": "$verdict-failing",
    "dim": "$dim",
    "strong": "bold",
    "warn": "$warning",
    "accent": "bold $primary",
    "": "",
}
"""Tone → style of a `Content` span."""

SHADES = "░▒▓█"


def shade(octets: int) -> str:
    """Bytes on a scale of hundreds: up to 10 kB, 1 MB, 100 MB, and more."""
    return SHADES[sum(octets >= step for step in (10_000, 1_000_000, 100_000_000))]


def class_label(klass: Class) -> str:
    """`✗ would block`."""
    return f"{CLASS_GLYPHS[klass]} {CLASS_WORDS[klass]}"


_PAIRS = (
    "✓+ ✗x –- ·. ○o ●* ▲^ ▼v →> ←< ↑^ ↓v …~ ╲\\ │| ┃| ─- ━- ═= ║| █# ▓* ▒: ░. ▌| ▐| ▀~ ▄_ ▁_ ▔~ "
    "▂- ▃= ▅+ ▆* ▇% ⇹- ⏎< ⌫< ›> ▎| ▏| ▕| ▊| ▉| ▋| ▍| ╱/ ≥> ≤< ×x «< »> ┆| ╎| ┄- ▶> ◀< ≠! ±~ µu"
)
_PLAIN = {pair[0]: pair[1] for pair in _PAIRS.split()}
_PLAIN |= dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╞╡╪┏┓┗┛┡┩╇╸╹╺╻", "+")
_TO_ASCII = str.maketrans(_PLAIN)
_KEY_WORDS = str.maketrans(
    {"⏎": "enter", "⌫": "backspace", "↑": "up", "↓": "down", "←": "left", "→": "right"}
)


def key_in_words(key: str) -> str:
    """A key's sign for poor consoles: a single character would be read as another key."""
    return key.translate(_KEY_WORDS)


class AsciiFilter(LineFilter):
    """Plain ASCII for consoles that have nothing better; every line passes here."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        return [Segment(_plain(text), style, control) for text, style, control in segments]


def _plain(text: str) -> str:
    if text.isascii():
        return text
    known = text.translate(_TO_ASCII)
    if known.isascii():
        return known
    return "".join(one if one.isascii() else "?" * cell_len(one) for one in known)
