"""Verdicts, levels and lights as glyph and word."""

from workbench.model.finding import Level
from workbench.model.quality import Weight
from workbench.model.verdict import CLASS_GLYPHS, CLASS_WORDS, Class
from workbench.report.document import Mark, Tone

CLASSES = {
    Class.PERMITTED: (Tone.GOOD, "works today and stays allowed"),
    Class.WOULD_BLOCK: (Tone.BAD, "works today, and the policy would stop it"),
    Class.UNCERTAIN: (Tone.CARE, "the recording cannot tell who opened it, or whether it worked"),
    Class.MISDROPPED: (Tone.CARE, "allowed, and it failed anyway"),
    Class.REJECTED: (Tone.PLAIN, "failed already, and the policy blocks it"),
    Class.OUT_OF_SCOPE: (
        Tone.PLAIN,
        "neither end is protected, or it is never a matter of policy (multicast, DHCP …)",
    ),
    Class.EXCLUDED: (Tone.PLAIN, "left out on purpose, with a reason"),
}
"""Class → tone, meaning; in the order they are told."""
YES = Mark("✓", "yes", Tone.GOOD)
_LEVELS = {
    Level.HIGH: ("▲", Tone.BAD),
    Level.MEDIUM: ("◆", Tone.CARE),
    Level.LOW: ("▽", Tone.PLAIN),
}
_LIGHTS = {"red": ("●", Tone.BAD), "amber": ("◐", Tone.CARE), "green": ("○", Tone.GOOD)}


def class_mark(klass: Class) -> Mark:
    """`✗ would block`."""
    tone, _ = CLASSES[klass]
    return Mark(CLASS_GLYPHS[klass], CLASS_WORDS[klass], tone)


def level_mark(level: Level) -> Mark:
    """`▲ high`."""
    glyph, tone = _LEVELS[level]
    return Mark(glyph, level.text, tone)


def light_mark(light: str) -> Mark:
    """`● red`."""
    glyph, tone = _LIGHTS[light]
    return Mark(glyph, light, tone)


def weight_mark(weight: Weight) -> Mark:
    """`! care`."""
    care = weight is Weight.CARE
    return Mark("!" if care else "·", weight.value, Tone.CARE if care else Tone.PLAIN)
