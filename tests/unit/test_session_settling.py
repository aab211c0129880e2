"""What captures are together: services that turn flows, rings of files, loads cut short."""

import struct
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from craft import pcap, udp4
from session_site import OTHER, POLICY, WEB, opened, site

from workbench.model.errors import CaptureError, StoreError
from workbench.model.net import parse_address
from workbench.model.policy import ServiceGroup
from workbench.model.traffic import CaptureReport, Conversation, Direction, Flow, Outcome
from workbench.session import Session
from workbench.store.loading import Loading

DEMO = Path(__file__).resolve().parents[2] / "demo_data" / "office.pcapng"
ENDS = (parse_address(WEB), parse_address(OTHER))


def conversation(session: Session, port: int) -> Conversation:
    """The one on this port, whoever serves it."""
    table = session.table
    [found] = [
        one
        for one in map(table.at, range(len(table)))
        if port in (one.port, one.client_port_low) and {one.client, one.server} == set(ENDS)
    ]
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The site, and UDP between two ports that nobody knows, first heard from the server's."""
    home = site(tmp_path / "site")
    path = home / "odd.pcap"
    path.write_bytes(pcap([udp4(WEB, 21_001, OTHER, 21_002), udp4(OTHER, 21_002, WEB, 21_001)]))
    with Session.open(home) as session:
        session.ingest([path])
        found = conversation(session, 21_002)
        assert (found.server, found.direction) == (ENDS[1], Direction.FIRST)
    return home


def test_saved_services_turn_flows_and_forgotten_ones_turn_them_back(folder: Path) -> None:
    group = ServiceGroup("odd", ("udp/21001",))
    with Session.open(folder) as session:
        session.draft.put_services(group)
        assert conversation(session, 21_002).direction is Direction.FIRST  # not saved
        assert session.save()
        found = conversation(session, 21_002)
        assert (found.server, found.port, found.direction) == (ENDS[0], 21_001, Direction.HINT)
        assert not session.save()
        with session.flow_view() as view:
            turned = [flow for flow in view.page(0, 99) if flow.server_port == 21_001]
        assert [(flow.packets_to_server, flow.client_port) for flow in turned] == [(1, 21_002)]
        session.draft.undo()
        assert session.save()
        assert conversation(session, 21_002).server == ENDS[1]


def test_services_saved_while_captures_are_loaded_count_when_they_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more, finish = folder / "more.pcap", Loading.finish
    more.write_bytes(pcap([udp4("10.0.0.40", 30_000, WEB, 53)]))
    with Session.open(folder) as session:
        session.draft.put_services(ServiceGroup("odd", ("udp/21001",)))

        def save_then_finish(load: Loading, number: int, report: CaptureReport) -> None:
            assert not session.save(), "the load is to do it"
            finish(load, number, report)

        monkeypatch.setattr(Loading, "finish", save_then_finish)
        session.ingest([more])
        assert not session.draft.changed and len(session.captures()) == 3
        assert conversation(session, 21_002).direction is Direction.HINT


def test_services_edited_by_hand_count_when_the_workspace_is_opened(folder: Path) -> None:
    (folder / "policy.yaml").write_text(POLICY + "services:\n  odd: [udp/21001]\n")
    with Session.open(folder, sharing=True) as session:
        assert conversation(session, 21_002).direction is Direction.HINT


def test_clients_are_counted_over_all_captures(folder: Path) -> None:
    for number in range(2, 4):
        path = folder / f"{number}.pcap"
        path.write_bytes(pcap([udp4(f"10.0.0.{40 + number}", 30_000 + number, WEB, 21_001)]))
        with Session.open(folder) as session:
            session.ingest([path])
    with Session.open(folder, sharing=True) as session:
        found = conversation(session, 21_002)
        assert (found.server, found.direction) == (ENDS[0], Direction.DEGREE)


def test_a_load_that_was_cut_short_is_finished_when_the_workspace_is_opened(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [folder / "a.pcap", folder / "b.pcap"]
    packets = opened(OTHER, 50_000, WEB, 80)
    whole = pcap(packets)
    border = len(pcap(packets[:2]))
    paths[0].write_bytes(whole[:border])
    paths[1].write_bytes(whole[:24] + whole[border:])
    (folder / "c.pcap").write_text("this is a letter, not a capture, and a long one at that")
    with Session.open(folder) as session:
        before = len(session.captures())
        with monkeypatch.context() as patch, pytest.raises(CaptureError, match=r"c\.pcap"):
            patch.setattr("workbench.store.loading.settle", _fail)
            session.ingest([*paths, folder / "c.pcap"])
    with Session.open(folder, sharing=True) as session:
        assert len(session.captures()) == before + 2
        found = conversation(session, 80)
        assert (found.flows, found.packets, found.outcome) == (1, 4, Outcome.ESTABLISHED)


def _fail(*_: object) -> None:
    raise StoreError("no room")


def split(path: Path, parts: int, folder: Path) -> list[Path]:
    """A pcapng capture cut between its packets, as a ring of files would be."""
    data, at = path.read_bytes(), 0
    head, packets = [], []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        (packets if kind == 6 else head).append(data[at : at + size])
        at += size
    step = -(-len(packets) // parts)
    files = []
    for number in range(parts):
        file = folder / f"ring-{number}.pcapng"
        file.write_bytes(b"".join(head + packets[number * step : (number + 1) * step]))
        files.append(file)
    return files


Known = tuple[list[Flow], dict[Conversation, int]]


def known(session: Session) -> Known:
    with session.flow_view() as view:
        found = view.page(0, view.total)
    bare = {"id": 0, "capture": 0, "first_offset": 0, "last_offset": 0}
    flows = sorted((replace(flow, **bare) for flow in found), key=repr)
    return flows, {session.table.at(row): 1 for row in range(len(session.table))}


@pytest.mark.parametrize("order", ["at once", "one by one", "backwards", "every other"])
def test_the_demo_in_a_ring_of_files_is_the_demo(tmp_path: Path, order: str) -> None:
    with Session.open(tmp_path / "whole") as session:
        session.ingest([DEMO])
        whole = known(session)
    files = split(DEMO, 7, tmp_path)
    loads: Sequence[Sequence[Path]] = {
        "at once": [files],
        "one by one": [[file] for file in files],
        "backwards": [[file] for file in reversed(files)],
        "every other": [files[::2], files[1::2]],
    }[order]
    with Session.open(tmp_path / "ring") as session:
        for paths in loads:
            session.ingest(paths)
        assert known(session) == whole
        assert len(session.captures()) == 7
        with session.flow_view() as view:
            flows = {flow.id: flow for flow in view.page(0, view.total)}
        pieces = session._store.pieces(flows)
        long = max(pieces, key=lambda flow: len(pieces[flow]))
        assert len(pieces[long]) > 2
        packets = session.packets(flows[long])
        flow = flows[long]
        assert len(packets) == flow.packets_to_server + flow.packets_to_client
        assert [packet.time_us for packet in packets] == sorted(one.time_us for one in packets)
