"""The hosts: name them, label them, make segments of them."""

from collections.abc import Hashable, Iterable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from workbench.model.net import format_address
from workbench.model.packets import printable
from workbench.model.site import HostFacts
from workbench.model.text import plural, short_bytes, short_count
from workbench.tui.lines import clock
from workbench.tui.screens.base import WorkScreen
from workbench.tui.screens.hostforms import LabelForm, RenameForm, segment_of
from workbench.tui.widgets.grid import named_first
from workbench.tui.widgets.pagedtable import Column, PagedTable, Row

COLUMNS = (
    Column("", 1),
    Column("name", 12, "name", flex=2, middle=True),
    Column("address", 15, "address", flex=1),
    Column("labels", 12, "labels", flex=4),
    Column("segments", 10, "segments", flex=2, spare=1),
    Column("conv", 5, "conversations", right=True),
    Column("bytes", 8, "bytes", right=True, spare=3),
    Column("answers on", 12, flex=3, spare=4),
    Column("last (UTC)", 14, "last_us", spare=5),
)


class HostsScreen(WorkScreen):
    """Space marks, l labels, S makes a segment; every change can be undone."""

    TAB = "hosts"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="hosts.mark", tooltip="Mark or unmark this host"),
        Binding("l", "label", "label", id="hosts.label",
                tooltip="Set key=value on the marked hosts, or on this one"),
        Binding("n", "rename", "name", id="hosts.rename", tooltip="Name this host"),
        Binding("S", "segment", "segment", id="hosts.segment",
                tooltip="Define a segment from the marked hosts' labels or addresses"),
        Binding("o", "unplaced", "no segment", id="hosts.unplaced",
                tooltip="Only hosts that no segment holds yet, or all"),
        Binding("A", "mark_all", "all", id="hosts.all", tooltip="Mark all listed hosts, or none"),
        Binding("shift+down,J", "extend(1)", "mark downwards", show=False, id="hosts.extend-down"),
        Binding("shift+up,K", "extend(-1)", "mark upwards", show=False, id="hosts.extend-up"),
        Binding("r", "range", "mark range", show=False, id="hosts.range",
                tooltip="Mark everything from the last marked host to this one"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._hosts: tuple[HostFacts, ...] = ()
        self._anchor = 0
        self._only_unplaced = False

    def body(self) -> Iterable[Widget]:
        yield PagedTable(COLUMNS, sort="name", empty=_empty(False), id="table")
        yield Static(id="totals")

    # ── loading ────────────────────────────────────────────────────────────────────────────

    def load(self) -> None:
        session, chosen = self.opened, self.bench.chosen
        table = self.query_one(PagedTable)
        key, descending, only = table.sort_key, table.descending, self._only_unplaced
        table.empty = _empty(only)

        def question() -> tuple[HostFacts, ...]:
            hosts = session.hosts(chosen)
            listed = [host for host in hosts if not (only and host.segments)]
            return ordered_hosts(listed, key, descending)

        self.ask("hosts", question, self._show)

    def _show(self, hosts: tuple[HostFacts, ...]) -> None:
        self._hosts = hosts
        table = self.query_one(PagedTable)
        table.marked &= frozenset(host.address for host in hosts)
        table.show(len(hosts))
        self._tell()

    @on(PagedTable.Wanted)
    def _page_wanted(self, event: PagedTable.Wanted) -> None:
        page = self._hosts[event.start : event.start + event.count]
        marked = event.table.marked
        event.table.put(
            event.generation, event.start, [host_row(host, host.address in marked) for host in page]
        )

    @on(PagedTable.Sorted)
    def _sorted(self) -> None:
        self.reload()

    def _tell(self) -> None:
        marked = len(self.query_one(PagedTable).marked)
        unlabelled = sum(not host.labels for host in self._hosts)
        unplaced = sum(not host.segments for host in self._hosts)
        text = f" {plural(len(self._hosts), 'address')}, {unlabelled:,} without labels, "
        text += f"{unplaced:,} in no segment"
        only = "   only those" if self._only_unplaced else ""
        parts = [
            (text, "$dim"),
            (only, "bold $primary"),
            (f"   {marked} marked" if marked else "", "bold $primary"),
        ]
        self.query_one("#totals", Static).update(Content.assemble(*parts))

    # ── marking ────────────────────────────────────────────────────────────────────────────

    def _mark(self, marked: frozenset[Hashable]) -> None:
        table = self.query_one(PagedTable)
        table.marked = marked
        table.show(len(self._hosts))
        self._tell()

    def action_mark(self) -> None:
        table = self.query_one(PagedTable)
        if (key := table.key) is not None:
            self._anchor = table.cursor
            self._mark(table.marked ^ {key})
            table.action_step(1)

    def action_extend(self, by: int) -> None:
        table = self.query_one(PagedTable)
        before = table.key
        table.action_step(by)
        self._mark(table.marked | {key for key in (before, table.key) if key is not None})

    def action_range(self) -> None:
        table = self.query_one(PagedTable)
        low, high = sorted((self._anchor, table.cursor))
        self._mark(table.marked | {host.address for host in self._hosts[low : high + 1]})

    def action_mark_all(self) -> None:
        every = frozenset[Hashable](host.address for host in self._hosts)
        self._mark(frozenset() if self.query_one(PagedTable).marked == every else every)

    def action_unplaced(self) -> None:
        self._only_unplaced = not self._only_unplaced
        self.query_one(PagedTable).cursor = 0
        self.reload()

    def _picked(self) -> tuple[HostFacts, ...]:
        """The marked hosts; without marks the one under the cursor."""
        table = self.query_one(PagedTable)
        wanted = table.marked or {table.key}
        return tuple(host for host in self._hosts if host.address in wanted)

    # ── edits ──────────────────────────────────────────────────────────────────────────────

    def action_label(self) -> None:
        if picked := self._picked():
            self.deeper(LabelForm(picked))

    def action_rename(self) -> None:
        key = self.query_one(PagedTable).key
        for host in self._hosts:
            if host.address == key:
                self.deeper(RenameForm(host))

    def action_segment(self) -> None:
        from workbench.tui.screens.segmentform import SegmentForm

        if picked := self._picked():
            self.deeper(SegmentForm(segment_of(picked), replaces=None))

    @on(PagedTable.Chosen)
    def _chosen(self, event: PagedTable.Chosen) -> None:
        from workbench.tui.screens.conversations import ConversationsScreen

        session, address = self.opened, event.key
        assert isinstance(address, int)  # noqa: S101
        found = session.parse(f"host:{format_address(address)}")
        title = session.name_of(address)
        self.deeper(ConversationsScreen(self.TAB, title, lambda: session.conversation_rows(found)))


def _empty(only_unplaced: bool) -> str:
    if only_unplaced:
        return "Every host here is in a segment: o shows all."
    return "No hosts: load a capture (1), or change the filter (/)."


def ordered_hosts(hosts: Iterable[HostFacts], key: str, descending: bool) -> tuple[HostFacts, ...]:
    """By a field of HostFacts; names in natural order."""

    def value(host: HostFacts) -> tuple[object, ...]:
        if key == "name":
            return named_first(host.name)
        found = getattr(host, key)
        return found if isinstance(found, tuple) else (-1 if found is None else found,)

    return tuple(sorted(hosts, key=value, reverse=descending))


def host_row(host: HostFacts, marked: bool) -> Row:
    """In the order of COLUMNS."""
    address = format_address(host.address)
    labels = " ".join(f"{key}={value}" for key, value in host.labels)
    cells = (
        ("●", "accent") if marked else " ",
        printable(host.name) if host.name != address else ("–", "dim"),
        address,
        printable(labels) if labels else ("no labels", "uncertain"),
        ", ".join(host.segments) or ("none", "dim"),
        short_count(host.conversations),
        short_bytes(host.bytes),
        (" ".join(host.services), "dim"),
        clock(host.last_us),
    )
    return Row(host.address, cells)
