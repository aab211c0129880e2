"""What the formats have in common: texts made safe, numbers within bounds, times."""

import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from workbench.model.net import PORT_PROTOCOLS, PROTOCOLS, parse_address
from workbench.model.packets import printable
from workbench.model.vulnerability import Severity, severity_of

MAX_TITLE = 200
MAX_FIX = 200
MAX_ID = 100
MAX_CVES = 200
"""CVEs kept of one finding; monthly updates name about a hundred."""
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,12}", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = (datetime(2200, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


def line(text: object, limit: int = MAX_TITLE) -> str:
    """Any text on one line, safe to show."""
    words = str(text)[: 8 * limit].split() if text is not None else []
    return printable(" ".join(words), limit)


def score(text: object) -> float | None:
    """A score from 0 to 10; None for anything else."""
    if isinstance(text, bool):
        return None
    if isinstance(text, int | float):
        return round(float(text), 1) if 0 <= text <= 10 and math.isfinite(text) else None
    if not isinstance(text, str) or not _NUMBER.fullmatch(text.strip()):
        return None
    return score(float(text))


def first_score(texts: Iterable[object]) -> float | None:
    """The first of them that is a score above 0."""
    return next((found for text in texts if (found := score(text))), None)


def rated(word: Severity | None, number: float | None) -> tuple[float, Severity]:
    """Score and word from whichever the scanner gave; information scores nothing."""
    if word is Severity.INFO:
        return 0.0, word
    if number is None:
        return (0.0, Severity.INFO) if word is None else (word.typical, word)
    return number, severity_of(number) if word is None else word


def cves(texts: Iterable[object]) -> tuple[str, ...]:
    """CVE ids out of texts that are or hold them, sorted, each once."""
    found = {one.upper() for text in texts for one in _CVE.findall(str(text)[:100_000])}
    return tuple(sorted(found)[:MAX_CVES])


def address(text: str | None) -> int | None:
    """An address; None for text that is none."""
    try:
        return parse_address((text or "").strip())
    except ValueError:
        return None


def place(protocol: str | None, port: str | None) -> tuple[int | None, int | None]:
    """Protocol and port as numbers; both None for the host as a whole (port 0, ICMP).

    Raises ValueError for what is no port.
    """
    number = PROTOCOLS.get((protocol or "").strip().lower())
    text = (port or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f"{line(text, 40)!r} is not a port")
    if number not in PORT_PROTOCOLS or not int(text):
        return None, None
    return number, int(text)


def moment(text: object) -> int | None:
    """Seconds since the epoch, or RFC 3339, as microseconds; None for anything else."""
    words = str(text or "").strip()
    try:
        if words.isascii() and words.isdigit() and len(words) < 15:
            found = _EPOCH + timedelta(seconds=int(words))
        else:  # Grype tells nanoseconds
            found = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", words[:50]))
            found = found if found.tzinfo else found.replace(tzinfo=UTC)
        since = (found - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None
    return since if 0 < since < _LAST else None
