"""The packets of a flow: fields, bytes, and saving them."""

from pathlib import Path
from threading import Event

import pytest
from textual.widgets import Static

from tests.tui.driver import press, settle, shown, until, write
from workbench.model.errors import Cancelled, CaptureError, MissingTool
from workbench.model.packets import Packet
from workbench.model.traffic import Progress
from workbench.session import Session
from workbench.tui.app import WorkbenchApp
from workbench.tui.screens.packets import PacketsScreen
from workbench.tui.screens.savepackets import SavePacketsScreen
from workbench.tui.widgets.packetview import PacketView, hex_content
from workbench.tui.widgets.pagedtable import PagedTable

DOWN = ("enter", "enter", "enter")


@pytest.fixture
def no_tshark(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise MissingTool("tshark", "install the package tshark")

    monkeypatch.setattr(Session, "dissect", missing)


@pytest.mark.usefixtures("no_tshark")
async def test_without_tshark_there_are_fields_and_bytes_all_the_same(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN)
        text = shown(bench)
        assert "our own decode; tshark is not installed: install the package tshark" in text
        assert "destination port" in text and "0000  " in text


async def test_a_capture_that_went_away_is_told_where_its_packets_would_be(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise CaptureError("demo.pcapng", "no such file")

    monkeypatch.setattr(Session, "packets", gone)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN)
        why = "The packets cannot be read: demo.pcapng: no such file"
        assert why in shown(bench)
        await press(pilot, "question_mark", "escape", "2", "3", "2")
        assert why in shown(bench), "and goes on telling"


async def test_no_packets_and_no_error_are_told_too(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "packets", lambda *_, **__: ())
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN)
        assert "None of its packets is in the capture any more." in shown(bench)


def marked(bench: WorkbenchApp) -> str:
    """The bytes that are lit in the dump."""
    content = bench.screen.query_one("#dump", Static).content
    spans = [span for span in content.spans if "reverse" in str(span.style)]  # type: ignore[union-attr]
    return " ".join(content.plain[span.start : span.end] for span in spans)  # type: ignore[union-attr]


@pytest.mark.usefixtures("no_tshark")
async def test_the_bytes_of_a_field_are_marked(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN, "enter")
        fields = bench.screen.query_one("#fields", PagedTable)
        assert fields.has_focus
        rows = [fields.row(at) for at in range(fields.total)]
        names = [str(row.cells[0][0]) for row in rows if row]
        packet: Packet | None = bench.screen.query_one(PacketView)._packet
        assert packet is not None
        fields.cursor = names.index(" destination port")
        await settle(pilot)
        named = [field for one in packet.layers for field in one.fields]
        port = next(field for field in named if field.name == "destination port")
        raw = packet.raw[port.start : port.start + port.size]
        assert marked(bench).startswith(raw.hex(" "))
        await press(pilot, "tab", "tab")
        assert bench.screen.query_one("#table", PagedTable).has_focus


async def test_a_small_screen_shows_one_or_the_other(bench: WorkbenchApp) -> None:
    async with bench.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN)
        assert "Source Port" in shown(bench) and "0000  " not in shown(bench)
        await press(pilot, "x", "enter")
        assert "Source Port" not in shown(bench) and "0000  " in shown(bench)
        assert bench.screen.query_one("#bytes").has_focus


@pytest.mark.parametrize(("start", "size"), [(0, 16), (3, 20), (14, 4), (40, 9), (5, 0), (90, 3)])
def test_every_marked_byte_is_marked_and_no_other(start: int, size: int) -> None:
    raw = bytes(range(60))
    content = hex_content(raw, start, size)
    lit = [span for span in content.spans if "reverse" in str(span.style)]
    words = [content.plain[span.start : span.end] for span in lit]
    told = bytes.fromhex(" ".join(words[::2]))
    assert told == raw[start : start + size]


def notices(bench: WorkbenchApp) -> list[str]:
    return [notice.message for notice in bench._notifications]


async def test_packets_are_saved(
    bench: WorkbenchApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, *DOWN, "w")
        assert isinstance(bench.screen, SavePacketsScreen)
        await press(pilot, "enter")
        assert isinstance(bench.screen, PacketsScreen)
        [saved] = tmp_path.glob("flow-*.pcapng")
        assert any("saved 10 packets of 1 flow" in told for told in notices(bench))
        content = saved.read_bytes()
        saved.write_bytes(b"mine")
        await press(pilot, "w", "enter")
        assert "is there already: enter once more to replace it" in shown(bench)
        await press(pilot, "escape")
        assert saved.read_bytes() == b"mine"
        await press(pilot, "w", "enter", "enter")
        assert saved.read_bytes() == content
        await press(pilot, "w", "ctrl+u")
        await write(pilot, str(tmp_path / "no" / "where.pcapng"))
        await press(pilot, "enter")
        assert any("cannot write" in told for told in notices(bench))


async def test_a_conversation_is_saved(
    bench: WorkbenchApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("workbench.tui.screens.savepackets.MOST_SAVED", 0)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "enter", "w")
        assert "Only its first 0 flows are saved" in shown(bench)
        await press(pilot, "enter")
        [told] = notices(bench)
        assert told.startswith("saved 30 packets of 3 flows (")
        assert (tmp_path / "conversation.pcapng").stat().st_size > 1000


def endless(monkeypatch: pytest.MonkeyPatch) -> tuple[Event, Event]:
    """A search that is at 42 % until it is cancelled; set when it began and when it ended."""
    began, ended = Event(), Event()

    def slow(_: Session, __: object, *, progress, cancelled):  # type: ignore[no-untyped-def]
        began.set()
        while not cancelled():
            progress(Progress("site.pcap", 42, 100))
            ended.wait(0.01)
        ended.set()
        raise Cancelled("stopped")

    monkeypatch.setattr(Session, "packets", slow)
    return began, ended


async def test_a_long_search_shows_how_far_it_is_and_can_be_stopped(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ended = endless(monkeypatch)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "enter")
        bench.simulate_key("enter")
        for _ in range(500):
            await pilot.pause(0.01)
            if isinstance(bench.screen, PacketsScreen) and "42 %" in shown(bench):
                break
        text = shown(bench)
        assert "site.pcap" in text and "42 %" in text and "esc cancel" in text
        bench.simulate_key("escape")
        await until(pilot, ended)
        await settle(pilot)
        assert isinstance(bench.screen, PacketsScreen)
        assert "Stopped before the packets were found." in shown(bench)
        await press(pilot, "escape")
        assert not isinstance(bench.screen, PacketsScreen)


async def test_a_search_ends_with_its_screen(
    bench: WorkbenchApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, ended = endless(monkeypatch)
    async with bench.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await press(pilot, "enter", "enter")
        bench.simulate_key("enter")
        await until(pilot, began)
        bench.screen.dismiss()
        await until(pilot, ended)
        await settle(pilot)
