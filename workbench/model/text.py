"""Numbers as people read them."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches


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


def plural(count: int, word: str) -> str:
    """`1 flow`, `1,204 flows`, `2 addresses`, `3 policies`."""
    return f"{count:,} {noun(count, word)}"


def noun(count: int, word: str) -> str:
    """The word as it follows the number: `flow`, `flows`, `addresses`, `policies`."""
    if count == 1:
        return word
    if word.endswith("y") and word[-2:-1] not in tuple("aeiou"):
        return f"{word[:-1]}ies"
    return f"{word}{'es' if word.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def and_more(names: Sequence[str], most: int) -> str:
    """`a, b, c`, or `a, b, c and 1,204 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """`; did you mean a, b?` or nothing."""
    close = get_close_matches(word[:80], list(dict.fromkeys(names)), n=3, cutoff=0.6)
    return f"; did you mean {', '.join(close)}?" if close else ""


def few_of_each(lines: Iterable[tuple[str, str]], most: int, rest: str = "") -> Iterator[str]:
    """Lines, each behind its kind: the first `most` of a kind, then how many more there are.

    rest: where those are told. One more than `most` is told itself.
    """
    kinds: dict[str, list[str]] = {}
    for kind, line in lines:
        kinds.setdefault(kind, []).append(line)
    for kind, found in kinds.items():
        if len(found) <= most + 1:
            yield from found
            continue
        yield from found[:most]
        yield f"… {len(found) - most:,} more {kind}{rest}"


_FORMULA = ("=", "+", "-", "@", "'")
"""A spreadsheet would calculate a text that begins so, or take the apostrophe for our own."""


def no_formula(text: str) -> str:
    """A cell of a CSV file: an apostrophe keeps a text a text in a spreadsheet."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def percent(part: float, whole: float) -> str:
    """`0 %`, `< 0.1 %`, `5.8 %`, `42 %`, `> 99 %`: no nothing and no all that is not true."""
    share = part / whole if whole else 0.0
    if share <= 0 or share >= 1:
        return "0 %" if share <= 0 else "100 %"
    if share < 0.0005 or share >= 0.995:
        return "< 0.1 %" if share < 0.5 else "> 99 %"
    return f"{share * 100:.1f} %" if share < 0.0995 else f"{share * 100:.0f} %"


def duration(microseconds: int) -> str:
    """`412 µs`, `31 ms`, `4.3 s`, `9 min 36 s`, `5 h 12 min`, `3 d 4 h`: so everywhere."""
    if microseconds < 1000:
        return f"{microseconds} µs"
    if microseconds < 999_500:
        return f"{microseconds / 1000:.0f} ms"
    if microseconds < 59_950_000:
        return f"{microseconds / 1e6:.1f} s"
    seconds = round(microseconds / 1e6)
    large, small, size, part = ("d", "h", 86_400, 3600)
    if seconds < 3600:
        large, small, size, part = ("min", "s", 60, 1)
    elif seconds < 86_400:
        large, small, size, part = ("h", "min", 3600, 60)
    whole, rest = divmod(seconds, size)
    rest = 0 if whole >= 100 else rest // part
    return f"{whole:,} {large} {rest} {small}" if rest else f"{whole:,} {large}"


def time_left(seconds: float) -> str:
    """A rough wait: `42 s`, `3 min`, `5 h`."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h"
