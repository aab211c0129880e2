"""Packets of one flow: found by our kernel, cut into a small capture, dissected by tshark."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from workbench.capture import dissect, packets_of, read_capture, records
from workbench.capture.cut import pcapng
from workbench.capture.single import Found, flow_records
from workbench.model.errors import Cancelled, CaptureError, MissingTool
from workbench.model.net import TCP, UDP
from workbench.model.packets import Piece
from workbench.model.traffic import FLOW_DTYPES, Direction, Flow, FlowColumns, Outcome

DEMO = next((Path(__file__).resolve().parents[2] / "demo_data").glob("*.pcap*"))


def flows_in(path: Path) -> Iterator[Flow]:
    batches: list[FlowColumns] = []
    read_capture(path, on_flows=batches.append)
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in FLOW_DTYPES}
    for row in range(len(columns["protocol"])):
        value = {name: int(column[row]) for name, column in columns.items()}
        ends = {
            end: value.pop(f"{end}_hi") << 64 | value.pop(f"{end}_lo")
            for end in ("client", "server")
        }
        outcome, direction = Outcome(value.pop("outcome")), Direction(value.pop("direction"))
        yield Flow(row, 1, **ends, **value, outcome=outcome, direction=direction)


def one_flow(path: Path, protocol: int, port: int) -> Flow:
    found = (f for f in flows_in(path) if (f.protocol, f.server_port) == (protocol, port))
    return next(flow for flow in found if flow.packets_to_client)


def whole(path: Path, flow: Flow) -> tuple[Piece, ...]:
    return (Piece(path, flow.first_offset, flow.last_offset),)


def test_every_flow_finds_exactly_its_packets() -> None:
    for flow in list(flows_in(DEMO))[::53]:
        packets = packets_of(flow, whole(DEMO, flow), 10**6)
        assert len(packets) == flow.packets_to_server + flow.packets_to_client
        assert sum(packet.to_server for packet in packets) == flow.packets_to_server
        assert packets[0].time_us == flow.first_us
        assert packets[-1].time_us == flow.last_us


def test_tshark_names_what_is_inside() -> None:
    flow = one_flow(DEMO, UDP, 53)
    packets = dissect(flow, whole(DEMO, flow), limit=5)
    assert "dns" in {packet.protocol for packet in packets}
    layers = [layer.name for layer in packets[0].layers]
    assert layers[0] == "eth" and layers[-1] == "dns"
    assert any("Port" in field.name for field in packets[0].layers[2].fields)
    assert packets[0].raw


def test_limits_hold() -> None:
    flow = one_flow(DEMO, TCP, 445)
    assert len(packets_of(flow, whole(DEMO, flow), 2)) == 2
    assert len(dissect(flow, whole(DEMO, flow), limit=3)) == 3


def test_the_cut_reads_back_the_same(tmp_path: Path) -> None:
    flow = one_flow(DEMO, TCP, 445)
    cut = tuple(flow_records(flow, whole(DEMO, flow)))
    path = tmp_path / "cut.pcapng"
    path.write_bytes(pcapng(cut))
    assert [(r[1], r[2], r[4], r[5]) for r in records(path)] == [
        (found.time_us, found.wire, found.link, found.data) for found in cut
    ]
    [again] = flows_in(path)
    assert (again.client, again.server, again.outcome) == (flow.client, flow.server, flow.outcome)


def dns_query(name: bytes) -> bytes:
    """An Ethernet frame with a DNS query for one label."""
    query = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name + b"\0\0\1\0\1"
    udp = struct.pack(">4H", 40000, 53, 8 + len(query), 0) + query
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0) + b"\x0a\0\0\1\x0a\0\0\2"
    return bytes(12) + b"\x08\x00" + ip + udp


@pytest.mark.parametrize("name", [b"\x1b]0;owned\x07\x1b[2J", b"a\x9b31mb", "‮evil".encode()])
def test_no_escape_reaches_the_screen(tmp_path: Path, name: bytes) -> None:
    frame = dns_query(name)
    path = tmp_path / "hostile.pcapng"
    path.write_bytes(pcapng([Found(1_000_000, len(frame), 1, frame, True, 0)]))
    [flow] = flows_in(path)
    [packet] = dissect(flow, whole(path, flow))
    shown = [packet.info, packet.protocol]
    shown += [
        text for layer in packet.layers for one in layer.fields for text in (one.name, one.value)
    ]
    assert packet.protocol == "dns"
    assert len(shown) > 20
    for text in shown:
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text)
        assert "\u202e" not in text


def test_without_tshark_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingTool, match="install"):
        flow = one_flow(DEMO, UDP, 53)
        dissect(flow, whole(DEMO, flow))


def test_it_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        flow = one_flow(DEMO, TCP, 445)
        dissect(flow, whole(DEMO, flow), cancelled=lambda: True)


def test_a_capture_that_went_away(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"gone\.pcap"):
        flow = one_flow(DEMO, UDP, 53)
        packets_of(flow, whole(tmp_path / "gone.pcap", flow))
