"""Texts cut or filled up to a number of terminal cells."""

from typing import Literal

from rich.cells import cell_len, set_cell_size

Align = Literal["left", "right", "middle", "names"]
"""`middle`: aligned to the left, and where it is too long its middle goes; `names`: so does that of
one name, while of several the last ones go."""


def fitted(text: str, room: int, align: Align) -> str:
    """Exactly `room` cells; `…` where something is missing."""
    size = cell_len(text)
    if size <= room:
        return " " * (room - size) + text if align == "right" else set_cell_size(text, room)
    if room <= 1:
        return set_cell_size(text, room)
    if align in ("left", "right") or (align == "names" and " " in text):
        return set_cell_size(text, room - 1) + "…"
    head = set_cell_size(text, room // 2)
    tail = text[len(text) - (room - room // 2 - 1) :]
    while cell_len(tail) > room - room // 2 - 1:
        tail = tail[1:]
    return set_cell_size(head + "…" + tail, room)
