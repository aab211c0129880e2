"""Values as text: made safe, cut to size, and as people read them."""

from collections.abc import Iterable
from datetime import date

from workbench.model.exposure import Scenario
from workbench.model.facts import moment
from workbench.model.packets import printable
from workbench.model.report import Some
from workbench.model.text import percent, short_bytes
from workbench.report.document import Cell, Kind, Mark

SCENARIOS = {
    Scenario.NONE: "no policy",
    Scenario.OBSERVED: "as observed",
    Scenario.SAVED: "saved policy",
    Scenario.DRAFT: "this policy",
}
LONGEST = 600
"""Characters of one text; names have 255 at most, reasons 500, sentences hold several names."""
NAMES = 6
"""Names of a list that are written out."""
_UNFIT = dict.fromkeys((0x061C, 0x180E, 0x200B, 0x2060, 0xFEFF, 0xFFFE, 0xFFFF), "·")
"""What `printable` lets through: marks of direction and width that nobody sees, and what XML does
not allow."""


def safe(text: str, limit: int = LONGEST) -> str:
    """Text without anything that hides, reorders or breaks what is around it."""
    return printable(text.translate(_UNFIT), limit)


def names(found: Some[str] | Iterable[str], most: int | None = NAMES) -> str:
    """`a, b, c and 17 more`; most None: all there are."""
    some = found if isinstance(found, Some) else _all(found)
    shown = some.items[:most]
    more = some.total - len(shown)
    text = ", ".join(safe(one, 80) for one in shown)
    return f"{text} and {more:,} more" if more else text


def _all(found: Iterable[str]) -> Some[str]:
    items = tuple(found)
    return Some(items, len(items))


def told(value: Cell, kind: Kind) -> str:
    """One value for a person; empty for None."""
    if value is None:
        return ""
    if isinstance(value, Mark):
        return value.text
    if isinstance(value, tuple):
        return names(value, None)
    if isinstance(value, Some):
        return names(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return SCENARIOS[Scenario(value)] if kind is Kind.SCENARIO else safe(value)
    return _number(value, kind)


def _number(value: float, kind: Kind) -> str:
    if kind is Kind.TIME:
        return moment(int(value))
    if kind is Kind.BYTES:
        return short_bytes(int(value))
    if kind is Kind.SHARE:
        return percent(value, 1)
    return f"{value:.1f}" if kind is Kind.SCORE else f"{value:,}"
