"""Every core on one capture: the same flows whatever the threads, the rounds and the seed."""

import threading
from pathlib import Path

import numpy as np
import pytest
from craft import ACK, FIN, RST, SYN, ether, icmp, ipv4, pcap, tcp4, udp, udp4
from craft_layers import vxlan

from workbench.capture import engine, read_capture
from workbench.model.errors import Cancelled
from workbench.model.traffic import FLOW_DTYPES, CaptureReport, FlowColumns

A, B, C = "10.0.0.1", "10.0.0.2", "10.0.0.3"


def flows(path: Path, **options: object) -> tuple[CaptureReport, FlowColumns]:
    """All flows of a capture, in the order they are handed on."""
    got: list[FlowColumns] = []
    report = read_capture(path, on_flows=got.append, **options)  # type: ignore[arg-type]
    return report, {name: np.concatenate([one[name] for one in got]) for name in FLOW_DTYPES}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40,000 packets of flows that begin and end all the time, with fragments among them."""
    rng = np.random.default_rng(5)
    packets = []
    for at in range(8_000):
        client, port = f"10.1.{at % 7}.{at % 250 + 1}", 1024 + int(rng.integers(0, 500))
        packets += [
            tcp4(client, port, B, 443, SYN),
            tcp4(B, 443, client, port, SYN | ACK),
            tcp4(client, port, B, 443, FIN if at % 3 else ACK),
            udp4(client, port, C, 53),
            ether(ipv4(client, C, 17, bytes(64), ident=at % 90, offset=185)) if at % 11 == 0
            else tcp4(C, 80, client, port, RST),
        ]  # fmt: skip
    path = tmp_path_factory.mktemp("busy") / "busy.pcap"
    path.write_bytes(pcap(packets, step=3_000))
    return path


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_threads_make_no_difference(
    busy: Path, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, alone = flows(busy, threads=1)
    for round_ in (engine.ROUND, 3_000):
        monkeypatch.setattr(engine, "ROUND", round_)
        monkeypatch.setattr(engine, "FEW", round_ // 10)
        report, together = flows(busy, threads=threads)
        assert (report.packets, report.decoded, report.flows) == (40_000, one.decoded, one.flows)
        assert report.skipped == one.skipped and report.recording == one.recording
        order = np.lexsort([together[name] for name in ("client_port", "first_offset")])
        before = np.lexsort([alone[name] for name in ("client_port", "first_offset")])
        for name in FLOW_DTYPES:
            assert (together[name][order] == alone[name][before]).all(), name
        assert not report.in_pieces


def test_the_order_depends_on_the_records_alone(
    busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ROUND", 3_000)
    monkeypatch.setattr(engine, "FEW", 300)
    _, first = flows(busy, threads=1)
    for threads in (2, 4):
        _, again = flows(busy, threads=threads)
        assert all((first[name] == again[name]).all() for name in FLOW_DTYPES)


def test_flows_that_are_over_leave_while_packets_come(
    busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "ROUND", 3_000)
    for few, times in ((300, 3), (1 << 17, 1)):  # rounds are of at least a block
        monkeypatch.setattr(engine, "FEW", few)
        batches: list[int] = []
        report = read_capture(
            busy, on_flows=lambda flows, to=batches: to.append(len(flows["protocol"])), threads=2
        )
        assert sum(batches) == report.flows and len(batches) == times


def test_more_flows_than_may_be_held_leave_in_pieces_and_nothing_is_lost(
    busy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = flows(busy)
    monkeypatch.setattr(engine, "ROUND", 3_000)
    report, columns = flows(busy, capacity=200, threads=2)
    assert report.in_pieces and report.flows > whole.flows
    packets = int(columns["packets_to_server"].sum() + columns["packets_to_client"].sum())
    assert packets == report.decoded == whole.decoded


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_whatever_a_callback_raises_comes_out_and_no_thread_is_left(
    busy: Path, threads: int
) -> None:
    before = threading.active_count()
    asked = iter(range(100))

    def cancelled() -> bool:
        return next(asked) > 4

    with pytest.raises(Cancelled):
        read_capture(busy, on_flows=lambda _: None, cancelled=cancelled, threads=threads)

    def full(_: FlowColumns) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        read_capture(busy, on_flows=full, threads=threads)
    assert threading.active_count() == before


def test_the_same_ports_again_and_again_need_no_more_than_their_share(tmp_path: Path) -> None:
    """Every connection between the same ports lies in the same part of the table."""
    again = [
        tcp4(A, 40_000, B, 443, flags, seq=at * 1_000 + 1)
        for at in range(30_000)
        for flags in (SYN, RST)
    ]
    path = tmp_path / "again.pcap"
    path.write_bytes(pcap(again, step=10))
    report, columns = flows(path, threads=4, capacity=1_000)
    assert report.flows == 30_000 and set(columns["packets_to_server"].tolist()) == {2}


def test_a_flow_ends_by_silence_by_close_or_by_a_new_sequence_number(tmp_path: Path) -> None:
    def found(*packets: bytes, gap: int) -> int:
        path = tmp_path / "gap.pcap"
        path.write_bytes(pcap(list(packets), step=gap))
        return flows(path)[0].flows

    minute = 60_000_000
    ping = ether(ipv4(A, B, 1, icmp(8, 0)))
    data = tcp4(A, 40_000, B, 443, ACK)
    closed = [tcp4(A, 40_000, B, 443, FIN | ACK), tcp4(B, 443, A, 40_000, FIN | ACK)]
    assert found(udp4(A, 5000, B, 53), udp4(A, 5000, B, 53), gap=minute) == 1
    assert found(udp4(A, 5000, B, 53), udp4(B, 53, A, 5000), gap=minute + 1) == 2
    assert found(ping, ping, gap=minute + 1) == 2
    assert found(data, data, gap=100 * minute) == 1, "connections may be silent for hours"
    assert found(closed[0], data, gap=minute + 1) == 1, "half closed"
    assert found(*closed, data, gap=minute + 1) == 2
    syn = tcp4(A, 40_000, B, 443, SYN, seq=7)
    assert found(syn, syn, syn, gap=1000) == 1, "sent again"
    assert found(syn, data, tcp4(A, 40_000, B, 443, SYN, seq=8), gap=1000) == 2


def test_a_reading_goes_on_with_the_tunnels_of_the_one_before(tmp_path: Path) -> None:
    inner = [ether(ipv4(A, C, 17, udp(5000 + at, 53))) for at in range(6)]
    outer = [
        udp4(*ends, vxlan(frame, network))
        for frame, (ends, network) in zip(
            inner,
            [
                ((A, 50_000, B, 4789), 7), ((A, 50_000, B, 4789), 8), ((B, 50_000, A, 4789), 7),
                ((B, 50_000, A, 4789), 8), ((A, 50_000, C, 4789), 7), ((B, 50_000, A, 4789), 8),
            ],
            strict=True,
        )
    ]  # fmt: skip
    path = tmp_path / "tunnels.pcap"
    path.write_bytes(pcap(outer))
    whole, every = flows(path)
    path.write_bytes(pcap(outer[:3]))
    first, some = flows(path)
    path.write_bytes(pcap(outer))
    second, others = flows(path, before=first)
    assert len(first.tunnels) == 2 and len(whole.tunnels) == 3
    assert second.tunnels == whole.tunnels and second.packets == whole.packets
    numbers = np.concatenate([some["tunnel"], others["tunnel"]])
    assert numbers.tolist() == every["tunnel"].tolist() == [1, 2, 1, 2, 3, 2]
