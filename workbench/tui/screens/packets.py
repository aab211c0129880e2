"""The packets of one flow: our own decode at once, tshark's dissection when it arrives."""

from collections.abc import Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.errors import WorkbenchError
from workbench.model.packets import Packet
from workbench.model.text import plural
from workbench.model.traffic import Flow
from workbench.tui.desk import Stopped, Tell
from workbench.tui.lines import PACKET_COLUMNS, ends, packet_row
from workbench.tui.screens.base import Rows, row_of_flow
from workbench.tui.screens.seeking import SeekingScreen
from workbench.tui.widgets.packetview import PacketView
from workbench.tui.widgets.pagedtable import PagedTable


class PacketsScreen(SeekingScreen):
    """One flow, packet by packet."""

    QUESTION = "packets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "bytes", "bytes", id="packets.hex",
                tooltip="The packet's bytes: beside its layers, or in their place"),
        Binding("w", "save", "save packets", id="packets.save",
                tooltip="Write the packets of this flow to a capture file of their own"),
        Binding("tab", "other", "other pane", show=False, id="packets.other",
                tooltip="Packets, fields, bytes"),
    ]  # fmt: skip

    def __init__(self, tab: str, flow: Flow) -> None:
        self.TAB = tab  # type: ignore[misc]
        super().__init__()
        self._flow = flow
        self._packets: dict[int, Packet] = {}

    def body(self) -> Iterable[Widget]:
        yield Static(Content(f" {ends(self._flow)}"), id="crumbs")
        with Vertical(id="packets-column"):
            yield PagedTable(PACKET_COLUMNS, empty="Looking for the packets …", id="table")
            yield PacketView(id="packet")

    def load(self) -> None:
        """Once: neither the draft nor the filter changes what was sent."""
        if self._packets or self.busy:
            return
        session, flow = self.opened, self._flow

        def find(tell: Tell, stopped: Stopped) -> tuple[Packet, ...]:
            return session.packets(flow, progress=tell, cancelled=stopped)

        given_up = self.look(
            find,
            lambda packets: self._show_own(packets, given_up),
            lambda error: self._none(f"The packets cannot be read: {error}"),
        )

    def stopped(self) -> None:
        self._none("Stopped before the packets were found. Back at its flow, Enter looks again.")

    def _none(self, words: str) -> None:
        """Words in place of packets."""
        table = self.query_one("#table", PagedTable)
        table.empty = words
        table.show_rows([])

    def _state(self, text: str) -> None:
        total = self._flow.packets_to_server + self._flow.packets_to_client
        if 0 < len(self._packets) < total:
            text = f"the first {len(self._packets):,} of {total:,} packets; {text}"
        crumbs = Content.assemble(f" {ends(self._flow)}", (f"   {text}", "$dim"))
        self.query_one("#crumbs", Static).update(crumbs)

    def _show_own(self, packets: tuple[Packet, ...], given_up: Stopped) -> None:
        if not packets:
            self._none("None of its packets is in the capture any more.")
            return
        self._merge({packet.number: packet for packet in packets})
        self._state("tshark is dissecting …")
        session, flow = self.opened, self._flow

        def dissect() -> tuple[Packet, ...]:
            return session.dissect(flow, cancelled=given_up)

        self.ask("dissect", dissect, self._show_dissected, self._no_dissection)

    def _show_dissected(self, packets: tuple[Packet, ...]) -> None:
        more = len(self._packets) - len(packets)
        self._merge(self._packets | {packet.number: packet for packet in packets})
        self._state(f"dissected by tshark{f'; {more} more by our own decoder' if more > 0 else ''}")

    def _no_dissection(self, error: WorkbenchError) -> None:
        self._state(f"our own decode; {error}")

    def _merge(self, packets: dict[int, Packet]) -> None:
        self._packets = packets
        rows = [packet_row(packets[at]) for at in sorted(packets)]
        self.query_one("#table", PagedTable).show_rows(rows)

    @on(PagedTable.Moved, "#table")
    def _packet_moved(self, event: PagedTable.Moved) -> None:
        number = event.key
        packet = self._packets.get(number) if isinstance(number, int) else None
        self.query_one(PacketView).show(packet)

    @on(PagedTable.Chosen, "#table")
    def _packet_chosen(self) -> None:
        self.query_one(PacketView).enter()

    def action_other(self) -> None:
        """The focus to the next pane that is shown."""
        found = [self.query_one(name) for name in ("#table", "#fields", "#bytes")]
        panes = [pane for pane in found if pane.display]
        at = next((at for at, pane in enumerate(panes) if pane.has_focus), -1)
        panes[(at + 1) % len(panes)].focus()

    def action_bytes(self) -> None:
        self.query_one(PacketView).toggle_bytes()

    def action_save(self) -> None:
        from workbench.tui.screens.savepackets import SavePacketsScreen

        flow = self._flow
        total = plural(flow.packets_to_server + flow.packets_to_client, "packet")
        what = f"{total} of {ends(flow)}"
        name = f"flow-{flow.id}.pcapng"
        self.deeper(SavePacketsScreen(lambda _: [flow], 1, what, name))

    def subject(self) -> Rows | None:
        return row_of_flow(self.opened, self._flow)
