"""Packets of flows: where they are, what is in them, as text that is safe to show."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a capture file that holds packets of a flow."""

    path: Path
    first_offset: int
    """Byte offset, in the inflated file, of the record of the first packet."""
    last_offset: int
    """The same of the last packet."""


@dataclass(frozen=True, slots=True)
class Field:
    """One line of a layer; both texts are free of control characters."""

    name: str
    value: str
    start: int = 0
    """Where its bytes begin in the packet."""
    size: int = 0
    """How many they are; 0 where it is not known, or worked out from other fields."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One protocol layer of a packet."""

    name: str
    fields: tuple[Field, ...]
    start: int = 0
    """As for a field."""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a flow."""

    number: int
    """1-based, within the flow."""
    time_us: int
    length: int
    """Bytes on the wire."""
    captured: int
    """Bytes in the capture."""
    to_server: bool
    protocol: str
    """Highest protocol dissected."""
    info: str
    layers: tuple[Layer, ...] = ()
    """The outermost first."""
    raw: bytes = b""
    """Captured bytes, for the hex view."""


MOST_SAVED = 1000
"""Flows whose packets are saved in one go: finding them takes one pass over each capture."""


@dataclass(frozen=True, slots=True)
class SavedPackets:
    """A capture file that was cut out of others."""

    path: Path
    flows: int
    packets: int
    size: int
    """Bytes of the file."""


_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "·")
_CONTROLS |= dict.fromkeys((8206, 8207, *range(8232, 8239), *range(8294, 8298)), "·")


def printable(text: str, limit: int = 500) -> str:
    """Text from a packet made safe for a terminal: control and bidi characters become `·`."""
    safe = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


_LONG_WORD = re.compile(r"[^\s/]{256,}")
"""Longer than any name of a file can be."""


def brief(text: str) -> str:
    """A message that repeats what it was given: the middle of a long word is left out."""
    return _LONG_WORD.sub(lambda found: f"{found[0][:80]}…{found[0][-19:]}", text)
