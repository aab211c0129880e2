"""Datagrams in pieces whose first fragment is in the file before: a ring that rotated between."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from craft import ether, fragment6, icmp, ipv4, ipv6, pcap, udp
from craft_layers import gtp, over_udp, vxlan

from workbench.model.traffic import Flow
from workbench.session import Session, follow_folder, ingest_folder

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"


def pieces4(ident: int, vlan: int = 7) -> list[bytes]:
    """A DNS answer, as three fragments; in a VLAN."""
    whole = udp(53, 40000 + ident, bytes(3000))
    cuts = [(0, 1480), (1480, 2960), (2960, len(whole))]
    return [
        ether(
            ipv4(B, A, 17, whole[at:end], ident=ident, offset=at, more=end < len(whole)),
            tags=[(0x8100, vlan)],
        )
        for at, end in cuts
    ]


def pieces6(ident: int) -> list[bytes]:
    whole = icmp(128, ident=9, data=bytes(2000))
    return [
        ether(ipv6(A6, B6, 44, fragment6(58, at, end < 2000, ident) + whole[at:end]), 0x86DD)
        for at, end in ((0, 1448), (1448, len(whole)))
    ]


PACKETS = [*pieces4(1), *pieces6(2), *pieces4(3)]


def files(folder: Path, *parts: Sequence[bytes], apart: int = 0) -> list[Path]:
    """A file for each part; apart: microseconds between the last packet of one and the next one."""
    paths, begin = [], 0
    folder.mkdir()
    for number, part in enumerate(parts):
        paths.append(folder / f"ring.pcap{number}")
        paths[-1].write_bytes(pcap(part, begin=begin))
        begin += len(part) * 1000 + apart
    return paths


def held(workspace: Path) -> tuple[list[tuple[object, ...]], int]:
    """What flows there are, and how many fragments are without their first one."""
    with Session.open(workspace) as session:
        with session.flow_view(sort="client_port") as view:
            flows: tuple[Flow, ...] = view.page(0, view.total)
        rows = [
            (one.client, one.client_port, one.server, one.server_port, one.packets_to_server,
             one.packets_to_client, one.bytes_to_server, one.bytes_to_client, one.outcome)
            for one in flows
        ]  # fmt: skip
        lost = sum(
            report.skipped.get("fragment without its first part", 0)
            for report in session.captures()
        )
        for flow in flows:
            shown = session.packets(flow)
            assert len(shown) == flow.packets_to_server + flow.packets_to_client
    return rows, lost


@pytest.mark.parametrize("cut", range(1, len(PACKETS)))
def test_a_datagram_goes_on_in_the_next_file(tmp_path: Path, cut: int) -> None:
    ingest_folder(tmp_path / "one", files(tmp_path / "whole", PACKETS))
    ingest_folder(tmp_path / "two", files(tmp_path / "ring", PACKETS[:cut], PACKETS[cut:]))
    assert held(tmp_path / "two") == held(tmp_path / "one")
    assert held(tmp_path / "two")[1] == 0


def test_a_ring_that_is_followed(tmp_path: Path) -> None:
    ingest_folder(tmp_path / "one", files(tmp_path / "whole", PACKETS))
    first, *rest = files(tmp_path / "made", PACKETS[:1], PACKETS[1:4], PACKETS[4:])
    ring = tmp_path / "ring"
    ring.mkdir()
    first.rename(ring / first.name)
    asked = itertools.count()
    for _ in follow_folder(tmp_path / "two", [ring], None, lambda: next(asked) > 60, every=0.0):
        if rest:
            rest[0].rename(ring / rest.pop(0).name)
    assert held(tmp_path / "two") == held(tmp_path / "one")


def test_what_comes_before_its_first_fragment_needs_it_in_the_same_file(tmp_path: Path) -> None:
    first, second, third = pieces4(1)
    ingest_folder(tmp_path / "ws", files(tmp_path / "ring", [third, second], [first]))
    rows, lost = held(tmp_path / "ws")
    assert lost == 2 and [row[4:6] for row in rows] == [(0, 1)]


@pytest.mark.parametrize("cut", [1, 2])
def test_a_tunnel_s_datagram_goes_on_as_the_flow_inside(tmp_path: Path, cut: int) -> None:
    whole = udp(2152, 2152, gtp(ipv4(A, B, 17, udp(40000, 443, bytes(3000)))))
    packets = [
        ether(ipv4("192.0.2.1", "192.0.2.2", 17, part, ident=5, offset=at, more=at < 2960))
        for at, part in ((at, whole[at : at + 1480]) for at in (0, 1480, 2960))
    ]
    ingest_folder(tmp_path / "one", files(tmp_path / "whole", packets))
    ingest_folder(tmp_path / "two", files(tmp_path / "ring", packets[:cut], packets[cut:]))
    rows, lost = held(tmp_path / "two")
    assert (rows, lost) == held(tmp_path / "one")
    assert lost == 0 and [row[1::2][:2] for row in rows] == [(40000, 443)]
    with Session.open(tmp_path / "two") as session:
        assert [len(report.tunnels) for report in session.captures()] == [1, 0]
        with session.flow_view() as view:
            assert view.page(0, 1)[0].tunnel == 1


def test_in_a_tunnel_a_datagram_needs_its_first_fragment_in_the_same_file(tmp_path: Path) -> None:
    inside = [over_udp(4789, vxlan(piece)) for piece in pieces4(1)]
    ingest_folder(tmp_path / "ws", files(tmp_path / "ring", inside[:1], inside[1:]))
    assert held(tmp_path / "ws")[1] == 2


def test_another_datagram_of_the_same_number_is_another(tmp_path: Path) -> None:
    first, second, _ = pieces4(1)
    [_, strange, _] = pieces4(1, vlan=8)
    ingest_folder(tmp_path / "vlan", files(tmp_path / "a", [first], [strange]))
    assert held(tmp_path / "vlan")[1] == 1
    before, after = files(tmp_path / "b", [first], [second], apart=31_000_000)
    ingest_folder(tmp_path / "late", [before, after])
    assert held(tmp_path / "late")[1] == 1
    ingest_folder(tmp_path / "turned", [after, before])
    assert held(tmp_path / "turned")[1] == 1
