"""Numbers and glyphs as people read them."""

from workbench.model.verdict import Class, Verdict

GLYPHS = {
    Verdict.ALLOWED: "✓",
    Verdict.BLOCKED: "✗",
    Verdict.UNCERTAIN: "?",
    Verdict.OUT_OF_SCOPE: "–",
}
CLASS_GLYPHS = {
    Class.PERMITTED: "✓",
    Class.WOULD_BLOCK: "✗",
    Class.MISDROPPED: "✓",
    Class.REJECTED: "✗",
    Class.UNCERTAIN: "?",
    Class.OUT_OF_SCOPE: "–",
    Class.EXCLUDED: "–",
}


def short_count(value: int) -> str:
    """`999`, `12.4k`, `3.1M`: at most five characters."""
    return _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))


def short_bytes(value: int) -> str:
    """`999 B`, `12.4 kB`, `3.1 GB` (powers of 1000)."""
    text = _scaled(value, 1000, ("", "k", "M", "G", "T", "P"))
    number = text.rstrip("kMGTP")
    return f"{number} {text[len(number) :]}B"


def _scaled(value: int, step: int, units: tuple[str, ...]) -> str:
    size = float(value)
    for unit in units:
        if abs(size) < step - 0.5 or unit == units[-1]:
            break
        size /= step
    if not unit or size >= 99.95:
        return f"{size:.0f}{unit}"
    return f"{size:.1f}{unit}"
