"""Packets of one flow, dissected, as text that is safe to show."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One protocol layer of a packet."""

    name: str
    fields: tuple[tuple[str, str], ...]
    """Field name, value; both free of control characters."""


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
    raw: bytes = b""
    """Captured bytes, for the hex view."""


_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "·")
_CONTROLS |= dict.fromkeys((8206, 8207, *range(8232, 8239), *range(8294, 8298)), "·")


def printable(text: str, limit: int = 500) -> str:
    """Text from a packet made safe for a terminal: control and bidi characters become `·`."""
    safe = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"
