"""Four looks. Verdict colours are theme variables, so that every widget agrees on them."""

from textual.theme import Theme


def _verdicts(
    allowed: str, blocked: str, uncertain: str, out: str, failing: str, dim: str
) -> dict[str, str]:
    return {
        "verdict-failing": failing,
        "dim": dim,
        "verdict-allowed": allowed,
        "verdict-blocked": blocked,
        "verdict-uncertain": uncertain,
        "verdict-out": out,
    }


VERDICT_DEFAULTS = _verdicts("#5fd38d", "#ff6b6b", "#f0c34e", "#8a93a3", "#4a9c6b", "#78828f")
"""For Textual's own themes, which know nothing of verdicts."""

THEMES = (
    Theme(
        name="workbench-dark",
        primary="#6cb6ff",
        secondary="#3f6ea5",
        accent="#f0c34e",
        warning="#f0c34e",
        error="#ff6b6b",
        success="#5fd38d",
        foreground="#dde3ea",
        background="#11151c",
        surface="#171d26",
        panel="#212a36",
        variables=VERDICT_DEFAULTS,
    ),
    Theme(
        name="workbench-light",
        primary="#0b5cad",
        secondary="#5b87b5",
        accent="#8a5a00",
        warning="#8a5a00",
        error="#b3261e",
        success="#1d7a3d",
        foreground="#1c2430",
        background="#fbfcfd",
        surface="#f1f4f7",
        panel="#e1e7ed",
        dark=False,
        variables=_verdicts("#1d7a3d", "#b3261e", "#8a5a00", "#5d6673", "#4d9566", "#77808c"),
    ),
    Theme(
        name="high-contrast",
        primary="#00ffff",
        secondary="#00ffff",
        accent="#ffff00",
        warning="#ffff00",
        error="#ff5c5c",
        success="#00ff66",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        text_alpha=1.0,
        variables=_verdicts("#00ff66", "#ff5c5c", "#ffff00", "#d0d0d0", "#99ffbb", "#c0c0c0"),
    ),
    Theme(  # Okabe and Ito's palette: told apart with any of the common colour deficiencies
        name="blue-orange",
        primary="#56b4e9",
        secondary="#0072b2",
        accent="#f0e442",
        warning="#f0e442",
        error="#e69f00",
        success="#56b4e9",
        foreground="#e4e8ee",
        background="#11151c",
        surface="#171d26",
        panel="#212a36",
        variables=_verdicts("#56b4e9", "#e69f00", "#f0e442", "#9aa3b0", "#3f86ad", "#7d8794"),
    ),
)
