"""Plain data as YAML that people like to read: short things on one line, long things in blocks."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import Any

import yaml

WIDTH = 100
"""Characters to a line before a list or mapping is written as a block."""

Data = str | int | date | list["Data"] | dict[str, "Data"]

_PLAIN = re.compile(r"[A-Za-z0-9/._](?:[A-Za-z0-9 /._+@()-]*[A-Za-z0-9/._+@()-])?|[^\W_]+")
_RESOLVER: Any = yaml.resolver.Resolver()


def unprintable(text: str) -> str:
    """Why `text` cannot stand in a document: control, format or undefined characters; or empty."""
    if text.isprintable():
        return ""
    for char in text:
        if not char.isprintable() and unicodedata.category(char) != "Zs":
            return f"holds the character U+{ord(char):04X}, which is not printable"
    return ""


def scalar(value: str | int | date) -> str:
    """One value, quoted where any YAML reader might take it for something else."""
    if not isinstance(value, str):
        return str(value)
    return _quoted(value)


@lru_cache(maxsize=1 << 14)  # sites have few words, often repeated
def _quoted(value: str) -> str:
    string = "tag:yaml.org,2002:str"
    if (
        _PLAIN.fullmatch(value)
        and _RESOLVER.resolve(yaml.ScalarNode, value, (True, False)) == string
    ):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def flow(value: Data) -> str:
    """The value on one line: `[a, b]`, `{role: plc}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return scalar(value)


def field_lines(key: str, value: Data, indent: int) -> list[str]:
    """`key: value` at `indent`, as one line where it fits."""
    name = f"{' ' * indent}{scalar(key)}:"
    line = f"{name} {flow(value)}"
    if len(line) <= WIDTH or not _nested(value):
        return [line]
    return [name, *block_lines(value, indent + 2)]


def item_lines(value: Data, indent: int) -> list[str]:
    """`- value` at `indent`, as one line where it fits."""
    line = f"{' ' * indent}- {flow(value)}"
    if len(line) <= WIDTH or not _nested(value):
        return [line]
    return dashed(block_lines(value, indent + 2), indent)


def block_lines(value: Data, indent: int) -> list[str]:
    """A non-empty mapping or sequence as a block."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in field_lines(key, item, indent)]
    if isinstance(value, list):
        return [line for item in value for line in item_lines(item, indent)]
    raise TypeError(f"{value!r} has no parts")


def dashed(lines: list[str], indent: int) -> list[str]:
    """The block as an item of a sequence: a dash in front of its first line."""
    first = lines[0]
    return [f"{first[:indent]}-{first[indent + 1 :]}", *lines[1:]]


def _nested(value: Data) -> bool:
    return isinstance(value, dict | list) and bool(value)


def render(value: dict[str, Data], *, blocks: Sequence[str] = ()) -> str:
    """A whole document: one entry a line where it fits; entries of `blocks` always as blocks."""
    lines: list[str] = []
    for key, section in value.items():
        lines += section_lines(key, section, as_blocks=key in blocks)
    return "\n".join(lines) + "\n"


def section_lines(key: str, section: Data, *, as_blocks: bool = False) -> list[str]:
    """A top-level key with its entries on lines of their own."""
    if not _nested(section):
        return field_lines(key, section, 0)
    if as_blocks and isinstance(section, list):
        items = [
            dashed(block_lines(item, 4), 2) if _nested(item) else item_lines(item, 2)
            for item in section
        ]
        return [f"{scalar(key)}:", *chain.from_iterable(items)]
    return [f"{scalar(key)}:", *block_lines(section, 2)]
