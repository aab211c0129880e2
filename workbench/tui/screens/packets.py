"""The packets of one flow: our own decode at once, tshark's dissection when it arrives."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.model.packets import Packet
from workbench.model.traffic import Flow
from workbench.tui.lines import PACKET_COLUMNS, ends, packet_row, row_of
from workbench.tui.screens.base import Rows, WorkScreen
from workbench.tui.widgets.packetview import PacketView
from workbench.tui.widgets.pagedtable import PagedTable

if TYPE_CHECKING:
    pass


class PacketsScreen(WorkScreen):
    """One flow, packet by packet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "bytes", "bytes", id="packets.hex", tooltip="Layers or bytes of the packet"),
        Binding("tab", "app.focus_next", "other pane", show=False, id="packets.other"),
    ]

    def __init__(self, tab: str, flow: Flow) -> None:
        self.TAB = tab  # type: ignore[misc]
        super().__init__()
        self._flow = flow
        self._packets: dict[int, Packet] = {}
        self._stop = False

    def body(self) -> Iterable[Widget]:
        yield Static(Content(f" {ends(self._flow)}"), id="crumbs")
        with Vertical(id="packets-column"):
            yield PagedTable(PACKET_COLUMNS, empty="No packets.", id="table")
            yield PacketView(id="packet")

    def load(self) -> None:
        if self._packets:
            return
        session, flow = self.opened, self._flow
        self.ask("packets", lambda: session.packets(flow), self._show_own)
        self._state("tshark is dissecting …")

        def dissect() -> tuple[Packet, ...]:
            return session.dissect(flow, cancelled=lambda: self._stop)

        self.ask("dissect", dissect, self._show_dissected, self._no_dissection)

    def _state(self, text: str) -> None:
        total = self._flow.packets_to_server + self._flow.packets_to_client
        if len(self._packets) < total:
            text = f"the first {len(self._packets):,} of {total:,} packets; {text}"
        crumbs = Content.assemble(f" {ends(self._flow)}", (f"   {text}", "$dim"))
        self.query_one("#crumbs", Static).update(crumbs)

    def _show_own(self, packets: tuple[Packet, ...]) -> None:
        self._merge({packet.number: packet for packet in packets} | self._packets)

    def _show_dissected(self, packets: tuple[Packet, ...]) -> None:
        more = len(self._packets) - len(packets)
        self._merge(self._packets | {packet.number: packet for packet in packets})
        self._state(f"dissected by tshark{f'; {more} more by our own decoder' if more > 0 else ''}")

    def _no_dissection(self, error: WorkbenchError) -> None:
        self._state(f"our own decode; {error}")

    def _merge(self, packets: dict[int, Packet]) -> None:
        self._packets = packets
        self.query_one(PagedTable).show_rows([packet_row(packets[at]) for at in sorted(packets)])

    @on(PagedTable.Moved)
    def _packet_moved(self, event: PagedTable.Moved) -> None:
        number = event.key
        packet = self._packets.get(number) if isinstance(number, int) else None
        self.query_one(PacketView).show(packet)

    @on(PagedTable.Chosen)
    def _packet_chosen(self) -> None:
        self.query_one(PacketView).focus()

    def action_bytes(self) -> None:
        self.query_one(PacketView).toggle_hex()

    def subject(self) -> Rows | None:
        session, flow = self.opened, self._flow

        def rows() -> NDArray[np.int64]:
            row = row_of(session, flow)
            return np.array([] if row is None else [row], np.int64)

        return rows

    def on_unmount(self) -> None:
        self._stop = True
