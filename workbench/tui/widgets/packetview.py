"""One packet: its layers, field by field, and its bytes with the field under the cursor marked."""

from collections.abc import Iterator

from textual import on
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.packets import Packet, printable
from workbench.model.text import plural
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

FIELD_COLUMNS = (Column("field", 26), Column("value", 20, flex=1))
_MOST = 4096
"""Bytes shown."""
_LIT = "bold reverse"


class PacketView(Horizontal):
    """Takes a packet. Beside each other where there is room, else one in place of the other."""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._packet: Packet | None = None
        self._places: list[tuple[int, int]] = []
        """Row of the fields → where its bytes begin, and how many they are."""

    def compose(self) -> Iterator[Widget]:
        yield PagedTable(FIELD_COLUMNS, empty="No packet.", id="fields")
        with VerticalScroll(id="bytes"):
            yield Static(id="dump")

    def show(self, packet: Packet | None) -> None:
        if packet is not self._packet:
            self._packet = packet
            found = list(field_rows(packet)) if packet else []
            self._places = [place for _, place in found]
            self.query_one(PagedTable).show_rows([row for row, _ in found])

    def enter(self) -> None:
        """Take the focus."""
        panes = self.query_one("#fields"), self.query_one("#bytes")
        next(pane for pane in panes if pane.display).focus()

    def toggle_bytes(self) -> None:
        self.toggle_class("-turned")

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        event.stop()

    @on(PagedTable.Moved)
    def _moved(self, event: PagedTable.Moved) -> None:
        """Mark the bytes of the field under the cursor, and bring them into view."""
        event.stop()
        raw = self._packet.raw if self._packet else b""
        known = isinstance(event.key, int) and event.key < len(self._places)
        start, size = self._places[event.key] if known and isinstance(event.key, int) else (0, 0)
        self.query_one("#dump", Static).update(hex_content(raw, start, size))
        scroll = self.query_one("#bytes", VerticalScroll)
        line, height = start // 16, max(1, scroll.size.height)
        if not scroll.scroll_offset.y <= line < scroll.scroll_offset.y + height:
            scroll.scroll_to(y=max(0, line - height // 3), animate=False)


def field_rows(packet: Packet) -> Iterator[tuple[Row, tuple[int, int]]]:
    """Layers with their fields under them, the application's first; each with its place."""
    at = 0
    for layer in reversed(packet.layers):
        size = plural(layer.size, "byte") if layer.size else ""
        title = (printable(layer.name, 60), "accent")
        yield Row(at, (title, (size, "dim"))), (layer.start, layer.size)
        at += 1
        for field in layer.fields:
            cells = (f" {printable(field.name, 60)}", "dim"), printable(field.value)
            yield Row(at, cells), (field.start, field.size)
            at += 1


def hex_content(raw: bytes, start: int = 0, size: int = 0) -> Content:
    """`0000  45 00 …  E.…`: offset, sixteen bytes, printable ASCII; `size` bytes are marked."""
    parts: list[tuple[str, str]] = []
    for at in range(0, min(len(raw), _MOST), 16):
        piece = raw[at : at + 16]
        low = min(max(start - at, 0), len(piece))
        high = max(low, min(start + size - at, len(piece)))
        left, right = piece[:8].hex(" "), piece[8:].hex(" ")
        text = "".join(chr(one) if 32 <= one < 127 else "·" for one in piece)
        parts.append((f"{at:04x}  ", "$foreground 50%"))
        line, first, last = f"{left:<23}  {right:<23}", _column(low), _column(high - 1) + 2
        for half, a, b, style in ((line, first, last, ""), (text, low, high, "$primary")):
            if low == high:
                a = b = 0
            parts += [(half[:a], style), (half[a:b], f"{style} {_LIT}"), (half[b:], style)]
            parts.append(("  " if half is line else "\n", ""))
    if len(raw) > _MOST:
        parts.append((f"… {plural(len(raw) - _MOST, 'more byte')}", "$foreground 50%"))
    shown = [part for part in parts if part[0]]
    return Content.assemble(*shown) if shown else Content("no bytes were kept")


def _column(byte: int) -> int:
    """Where a byte of a line stands in its hexadecimal text."""
    return byte * 3 + (byte >= 8)
