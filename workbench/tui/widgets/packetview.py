"""One packet: its layers, and its bytes."""

from collections.abc import Iterator

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from workbench.model.packets import Packet, printable

_MOST = 4096
"""Bytes shown in the hex view."""


class PacketView(VerticalScroll, can_focus=True):
    """Takes a packet; `show_hex` turns from layers to bytes."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text = Static()
        self._packet: Packet | None = None
        self._hex = False

    def compose(self) -> Iterator[Static]:
        yield self._text

    def show(self, packet: Packet | None) -> None:
        if packet is not self._packet:
            self._packet = packet
            self._draw()

    def toggle_hex(self) -> None:
        self._hex = not self._hex
        self._draw()

    def _draw(self) -> None:
        packet = self._packet
        self.border_title = "bytes" if self._hex else "layers"
        if packet is None:
            self._text.update("")
        elif self._hex or not packet.layers:
            self._text.update(hex_content(packet.raw))
        else:
            self._text.update(layers_content(packet))
        self.scroll_home(animate=False)


def layers_content(packet: Packet) -> Content:
    """Layer names with their fields under them, the application's first."""
    parts: list[tuple[str, str]] = []
    for layer in reversed(packet.layers):
        parts.append((f"{printable(layer.name, 60)}\n", "bold $primary"))
        for field in layer.fields:
            parts += [
                (f"  {printable(field.name, 60)}: ", "$foreground 60%"),
                (f"{printable(field.value)}\n", ""),
            ]
    return Content.assemble(*parts)


def hex_content(raw: bytes) -> Content:
    """`0000  45 00 …  E.…`: offset, sixteen bytes, printable ASCII."""
    lines: list[tuple[str, str]] = []
    for at in range(0, min(len(raw), _MOST), 16):
        piece = raw[at : at + 16]
        left, right = piece[:8].hex(" "), piece[8:].hex(" ")
        text = "".join(chr(one) if 32 <= one < 127 else "·" for one in piece)
        lines += [
            (f"{at:04x}  ", "$foreground 50%"),
            (f"{left:<23}  {right:<23}  ", ""),
            (f"{text}\n", "$primary"),
        ]
    if len(raw) > _MOST:
        lines.append((f"… {len(raw) - _MOST} more bytes", "$foreground 50%"))
    return Content.assemble(*lines) if lines else Content("no bytes were kept")
