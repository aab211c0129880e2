"""Packets of one flow: found by our kernel, cut into a small capture, dissected by tshark."""

import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import dissect, packets_of, read_capture, records
from workbench.capture.cut import pcapng
from workbench.capture.layers import layers_of
from workbench.capture.single import Found, flow_records
from workbench.model.errors import Cancelled, CaptureError, MissingTool
from workbench.model.net import TCP, UDP, format_address
from workbench.model.packets import Piece, printable
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


# What tshark may and may not do


def fake_tshark(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program of that name in front of all others."""
    folder.mkdir()
    program = folder / "tshark"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def dns_flow() -> tuple[Flow, tuple[Piece, ...]]:
    flow = one_flow(DEMO, UDP, 53)
    return flow, whole(DEMO, flow)


def test_tshark_sees_a_small_file_and_nothing_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIRESHARK_CONFIG_DIR", str(tmp_path / "preferences"))
    monkeypatch.setenv("SECRET", "mine")
    log = tmp_path / "log"
    script = f'(env; pwd; echo args "$@"; ls -A; cat >&2) >{log}; echo sorry >&2; exit 2'
    fake_tshark(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(CaptureError, match=r"^dissection: tshark failed: sorry; .*$"):
        dissect(*dns_flow())
    told = log.read_text().splitlines()
    here = next(line for line in told if line.startswith("/"))
    assert f"HOME={here}" in told and f"WIRESHARK_CONFIG_DIR={here}" in told
    assert f"args -n -l -T pdml -r {here}/flow.pcapng" in told and told[-1] == "flow.pcapng"
    assert not any(line.startswith(("SECRET=", "USER=", "DISPLAY=")) for line in told)
    assert not Path(here).exists()


@pytest.mark.parametrize("cause", ["cancelled", "slow", "endless"])
def test_tshark_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str) -> None:
    log = tmp_path / "log"
    waits = "yes '<packet>'" if cause == "endless" else "sleep 300"
    fake_tshark(tmp_path / "bin", monkeypatch, f"echo $$ >>{log}; pwd >>{log}; exec {waits}")
    module = sys.modules["workbench.capture.dissect"]
    error, problem = (Cancelled, "stopped") if cause == "cancelled" else (CaptureError, "")
    if cause == "slow":
        monkeypatch.setattr(module, "_LONGEST", 0.3)
        problem = "tshark took more than"
    if cause == "endless":
        monkeypatch.setattr(module, "_MOST", 100_000)
        problem = "to say of this flow"

    def cancelled() -> bool:
        return cause == "cancelled" and log.exists() and log.read_text().count("\n") == 2

    with pytest.raises(error, match=problem):
        dissect(*dns_flow(), cancelled=cancelled)
    process, folder = log.read_text().splitlines()
    assert not Path("/proc", process).exists() and not Path(folder).exists()


def test_scripts_of_the_user_do_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wireshark runs init.lua and reads preferences from its configuration folder."""
    mark = tmp_path / "ran"
    config = tmp_path / ".config" / "wireshark"
    config.mkdir(parents=True)
    (config / "init.lua").write_text(f'io.open("{mark}", "w"):close()')
    (config / "preferences").write_text("nonsense.preference: TRUE\nnameres.network_name: TRUE\n")
    (config / "disabled_protos").write_text("dns\n")
    for name in ("HOME", "WIRESHARK_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path if name == "HOME" else config))
    assert {packet.protocol for packet in dissect(*dns_flow())} == {"dns"}
    assert not mark.exists()


def test_fields_know_their_bytes() -> None:
    packet = dissect(*dns_flow())[0]
    fields = {field.name: field for layer in packet.layers for field in layer.fields}
    port = fields["Destination Port"]
    assert packet.raw[port.start : port.start + port.size] == (53).to_bytes(2)
    udp = next(layer for layer in packet.layers if layer.name == "udp")
    assert (udp.start, udp.size) == (port.start - 2, 8)


# Our own decode, field by field


def said(data: bytes, link: int = 1) -> dict[str, dict[str, str]]:
    return {
        layer.name: {field.name: field.value for field in layer.fields}
        for layer in layers_of(data, link)
    }


def test_headers_field_by_field() -> None:
    flow = one_flow(DEMO, TCP, 445)
    syn, answer, *_ = packets_of(flow, whole(DEMO, flow))
    assert answer.info.endswith("[SYN ACK]") and answer.protocol == "tcp"
    told = said(syn.raw)
    ip = told.get("IPv4") or told["IPv6"]
    ends = format_address(flow.client), format_address(flow.server)
    assert (ip["source"], ip["destination"]) == ends
    assert told["TCP"]["destination port"] == "445" and told["TCP"]["flags"] == "SYN"
    assert told["TCP"]["maximum segment size"].isdigit()
    for layer in syn.layers:
        for field in layer.fields:
            assert layer.start <= field.start <= field.start + field.size <= len(syn.raw)
    port = next(one for layer in syn.layers for one in layer.fields if one.value == "445")
    assert syn.raw[port.start : port.start + port.size] == (445).to_bytes(2)


def test_layers_within_layers() -> None:
    inner = dns_query(b"name")
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 36 + len(inner), 1, 0, 64, 17, 0) + bytes(8)
    vxlan = struct.pack(">4HII", 5, 4789, 16 + len(inner), 0, 0x08000000, 77 << 8) + inner
    frame = bytes(12) + struct.pack(">4H", 0x8100, 0x2000 | 12, 0x0800, 0)[:6] + ip + vxlan
    names = [layer.name for layer in layers_of(frame + bytes(6), 1)]
    assert names == ["Ethernet", "802.1Q VLAN", "IPv4", "UDP", "VXLAN", "Ethernet", "IPv4", "UDP",
                     "data", "trailer"]  # fmt: skip
    assert said(frame)["802.1Q VLAN"]["VLAN id"] == "12" and said(frame)["VXLAN"]["network"] == "77"
    cooked = bytes(14) + frame[16:]
    assert [layer.name for layer in layers_of(cooked, 113)][:2] == ["Linux cooked v1", "IPv4"]
    assert [layer.name for layer in layers_of(bytes(30) + ip + vxlan, 127, 30)][:2] == [
        "802.11 with radiotap",
        "IPv4",
    ]


@given(
    st.binary(max_size=120),
    st.sampled_from([0, 1, 9, 12, 113, 127, 276, 999]),
    st.sampled_from([b"", bytes(12) + b"\x08\x00\x45", bytes(12) + b"\x86\xdd\x60"]),
    st.integers(0, 200),
)
@settings(max_examples=300)
def test_hostile_bytes_are_only_shown(data: bytes, link: int, head: bytes, ip: int) -> None:
    data = head + data
    end = 0
    for layer in layers_of(data, link, min(ip, len(data))):
        assert layer.start == end, "no byte is left out, none is shown twice"
        end = layer.start + layer.size
        for field in layer.fields:
            assert field.start + field.size <= len(data)
            assert printable(field.value) == field.value
    assert end == len(data)
