"""Words that both the policy and the inventory hold, and why one may be wrong."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from workbench.documents.writing import unprintable
from workbench.model.net import parse_cidr
from workbench.model.site import LABEL_KEY

MAX_LABEL = 253
"""Characters in a label value."""
_CIDR = re.compile(r"[^/%]+(/[0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule of a format, at a path of the document."""

    where: str
    text: str


def unique(section: str, names: Iterable[str]) -> Iterator[Problem]:
    """A problem for every name that occurs again."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield Problem(f"{section}.{name}", f"{name!r} is written twice")
        seen.add(name)


def cidr_problem(text: str) -> str:
    """Why `text` is no CIDR or address that a document may hold; or empty."""
    if not _CIDR.fullmatch(text):
        return f"{text[:80]!r} is not an address or CIDR such as 10.0.0.0/24 or fd00::/64"
    try:
        parse_cidr(text)
    except ValueError as error:
        return f"{text[:80]!r} {_wrong(str(error))}"
    return ""


def _wrong(told: str) -> str:
    if "IPv4-mapped" in told:
        return "is IPv4 inside IPv6; write it as IPv4"
    return "has host bits set" if "host bits" in told else "is not an address or CIDR"


def label_key_problem(key: str) -> str:
    """Why `key` cannot be a label key; or empty."""
    if LABEL_KEY.fullmatch(key):
        return ""
    return f"{key[:80]!r} is not a label key: a letter a-z, then a-z 0-9 . _ / -, at most 63"


def label_problem(value: str) -> str:
    """Why `value` cannot be a label value; or empty."""
    if not value or len(value) > MAX_LABEL:
        return f"a label value has 1 to {MAX_LABEL} characters"
    return unprintable(value)
