"""The compiled kernel and the same code uncompiled must agree, on good and on hostile bytes."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import craft
import numpy as np
import pytest
from craft import ether, icmp, ipv4, ipv6, tcp, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import deal as deal_c
from workbench.capture import framing as framing_c
from workbench.capture import kernel_compiled, layout, read_capture
from workbench.capture import table as table_c
from workbench.capture.decoding import PacketDecoder
from workbench.capture.fragments import Fragments
from workbench.model.errors import CaptureError
from workbench.model.traffic import FlowColumns

ROOM = 64
FOLDER = Path(layout.__file__).parent


def plain(name: str) -> ModuleType:
    """A kernel module as plain Python, beside the compiled one."""
    loader = importlib.machinery.SourceFileLoader(f"plain_{name}", str(FOLDER / f"{name}.py"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


COMPILED = {
    "framing": framing_c,
    "deal": deal_c,
    "table": table_c,
}
PLAIN = {name: plain(name) for name in COMPILED}

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
QUOTE, QUOTE6 = ipv4(A, B, 17, udp(40000, 53)), ipv6(A6, B6, 6, tcp(1, 2, 2))
MPLS = bytes.fromhex("000640ff000651ff")
SEEDS = [
    ether(ipv4(A, B, 6, tcp(40000, 445, 2))),
    ether(ipv4(B, A, 6, tcp(445, 40000, 18)), tags=[(0x88A8, 5), (0x8100, 6)]),
    ether(ipv4(A, B, 17, udp(40000, 53), options=b"\1" * 8)),
    ether(ipv4(A, B, 17, udp(40000, 53), ident=9, more=True)),
    ether(ipv4(A, B, 17, bytes(16), ident=9, offset=16)),
    ether(ipv4(B, A, 1, icmp(3, 3, data=QUOTE))),
    ether(ipv4(A, B, 1, icmp(8, ident=3))),
    ether(
        ipv6(A6, B6, 0, craft.extension(44) + craft.fragment6(17, 0, True, 7) + udp(1, 53)), 0x86DD
    ),
    ether(ipv6(B6, A6, 58, icmp(1, 4, data=QUOTE6)), 0x86DD),
    ether(MPLS + ipv4(A, B, 132, craft.sctp(1, 2, 1)), 0x8847),
    ether(b"\x42\x42\x03" + bytes(35), 38),
]


class Table:
    """A flow table with its dealer, as one part."""

    def __init__(self, modules: Mapping[str, Any], capacity: int, seed: int) -> None:
        self._dealer = modules["deal"].Dealer(1, seed)
        self._table = modules["table"].FlowTable(capacity)
        self.keep = self._table.keep

    def add(self, packets: np.ndarray[Any, Any], at: int, count: int) -> int:
        """Deal out packets[:count] and add those from `at` on; where the table stopped."""
        flat = packets.reshape(-1).data
        hashes, order = np.zeros(count, np.uint64).data, np.zeros((1, count), np.uint32)
        self._dealer.deal(flat, count, hashes, order.data, np.zeros(1, np.int64).data)
        return int(self._table.add(flat, hashes, order[0].data, at, count))

    @property
    def used(self) -> int:
        return int(self._table.used)

    @property
    def flows(self) -> np.ndarray[Any, Any]:
        return np.asarray(self._table.flows)


def run(modules: dict[str, Any], packets: list[tuple[bytes, int, int]]) -> dict[str, Any]:
    """Push (bytes, wire length, link type) through a table."""
    buffer = np.frombuffer(b"".join(data for data, _, _ in packets) + b"\0", np.uint8).copy().data
    records = np.zeros((ROOM, layout.RECORD_WORDS), np.uint64)
    start = 0
    for row, (data, wire, kind) in enumerate(packets):
        records[row, :6] = (start, len(data), wire, row * 10, kind, start)
        start += len(data)
    out = np.zeros((2 * ROOM, layout.PACKET_WORDS), np.uint64)
    table = Table(modules, ROOM * 2, 12345)
    made = PacketDecoder().decode(buffer, records.data, len(packets), out.data)
    Fragments().join(out.data, made)
    stopped = table.add(out, 0, made)
    kept = np.arange(0, table.used, 2, dtype=np.uint64)
    flows = np.asarray(table.flows)[: table.used].tolist()
    table.keep(kept.data, len(kept))
    again = table.add(out, 0, made)
    return {
        "flows": flows,
        "flows again": np.asarray(table.flows)[: table.used].tolist(),
        "stopped": (stopped, again),
    }


@st.composite
def packets(draw: st.DrawFn) -> tuple[bytes, int, int]:
    """A good packet with some bytes changed, cut or added, or no packet at all."""
    data = bytearray(draw(st.one_of(st.sampled_from(SEEDS), st.binary(max_size=90))))
    for _ in range(draw(st.integers(0, 4))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    wire = len(data) + draw(st.sampled_from([0, 0, 0, 1, 1400, 2**32]))
    kind = draw(st.sampled_from([1, 1, 1, 1, 0, 9, 50, 101, 108, 113, 239, 276, 147, 65535]))
    if kind not in (1, 147) and len(data) > 14 and draw(st.booleans()):
        data = data[14:]
    return bytes(data), wire, kind


def test_this_test_compares_two_things() -> None:
    if not kernel_compiled():
        pytest.skip("the kernel is not compiled here")
    assert all(module.__file__.endswith(".py") for module in PLAIN.values() if module.__file__)


@settings(max_examples=250, deadline=None)
@given(st.lists(packets(), min_size=1, max_size=20))
def test_compiled_and_plain_agree(mutated: list[tuple[bytes, int, int]]) -> None:
    assert run(COMPILED, mutated) == run(PLAIN, mutated)


def test_the_seeds_are_what_they_seem() -> None:
    result = run(COMPILED, [(seed, len(seed), 1) for seed in SEEDS])
    assert result == run(PLAIN, [(seed, len(seed), 1) for seed in SEEDS])
    assert len(result["flows"]) == 7


def split(modules: dict[str, Any], data: bytes, pcapng: bool, big: bool) -> list[Any]:
    records = np.zeros((ROOM, layout.RECORD_WORDS), np.uint64)
    interfaces = np.zeros((4, layout.INTERFACE_WORDS), np.uint64)
    interfaces[0] = (1, 1, 1_000_000, layout.OFFSET_BIAS, 50, 0)
    interfaces[1] = (101, 1000, 10**12, layout.OFFSET_BIAS - 5, 0, 0)
    splitter = modules["framing"].Splitter(records.data, interfaces.data, 2000)
    splitter.big, splitter.known, splitter.described = big, 2, 3
    buffer = np.frombuffer(data + b"\0", np.uint8).copy().data
    if pcapng:
        stop = splitter.split_pcapng(buffer, 0, len(data), 7)
    else:
        stop = splitter.split_pcap(buffer, 0, len(data), 7, 16)
    count = splitter.count
    names = ("at", "now", "enhanced", "simple", "obsolete", "timeless", "odd_times", "strays")
    names += ("beyond", "broken", "empty")
    counters = [getattr(splitter, name) for name in names]
    return [stop, counters, records[:count].tolist(), interfaces.tolist()]


@settings(max_examples=250, deadline=None)
@given(st.data(), st.booleans(), st.booleans())
def test_framing_compiled_and_plain_agree(data: st.DataObject, pcapng: bool, big: bool) -> None:
    file = craft.Pcapng(big).enhanced(SEEDS[0]).simple(SEEDS[1]).obsolete(SEEDS[2], interface=1)
    whole = file.data if pcapng else craft.pcap(SEEDS[:3], big=big)[24:]
    bytes_ = bytearray(data.draw(st.one_of(st.just(whole), st.binary(max_size=200))))
    for _ in range(data.draw(st.integers(0, 5))):
        if bytes_:
            bytes_[data.draw(st.integers(0, len(bytes_) - 1))] = data.draw(st.integers(0, 255))
    given_ = bytes(bytes_[: data.draw(st.integers(0, len(bytes_)))])
    assert split(COMPILED, given_, pcapng, big) == split(PLAIN, given_, pcapng, big)


def pcapng_seed() -> bytes:
    file = craft.Pcapng().section().interface(1, 96, (9, b"\x09"), (14, bytes(8)))
    for seed in SEEDS[:4]:
        file.enhanced(seed).simple(seed)
    return file.block(4, bytes(12)).section().interface(101).obsolete(SEEDS[2][14:]).data


FILES = [craft.pcap(SEEDS), craft.pcap(SEEDS, big=True, nano=True), pcapng_seed()]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_arbitrary_files_never_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever a file holds: a report or a CaptureError, and every packet accounted for."""
    content = bytearray(data.draw(st.one_of(st.sampled_from(FILES), st.binary(max_size=400))))
    for _ in range(data.draw(st.integers(0, 8))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzz.pcap"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    batches: list[FlowColumns] = []
    try:
        report = read_capture(path, on_flows=batches.append)
    except CaptureError as error:
        assert "\n" not in str(error)
        return
    assert report.packets == report.decoded + sum(report.skipped.values())
    counted = sum(
        int(batch["packets_to_server"].sum() + batch["packets_to_client"].sum())
        for batch in batches
    )
    assert counted == report.decoded
    assert sum(len(batch["protocol"]) for batch in batches) == report.flows


def test_the_seed_changes_nothing_but_the_slots() -> None:
    rng = np.random.default_rng(3)
    packets_ = np.zeros((3000, layout.PACKET_WORDS), np.uint64)
    packets_[:, :5] = rng.integers(0, 4, (3000, 5))
    packets_[:, layout.PKT_PACKETS] = 1
    results = []
    for seed in (0, 1, 2**64 - 1):
        table = Table(COMPILED, 2048, seed)
        assert table.add(packets_, 0, 3000) == 3000
        results.append(np.asarray(table.flows)[: table.used].tolist())
    assert results[0] == results[1] == results[2]


def test_a_full_table_says_where_it_stopped() -> None:
    packets_ = np.zeros((10, layout.PACKET_WORDS), np.uint64)
    packets_[:, layout.PKT_SRC_LO] = np.arange(10)
    packets_[:, layout.PKT_PACKETS] = 1
    table = Table(COMPILED, 4, 7)
    assert table.add(packets_, 0, 10) == 4
    table.keep(np.zeros(0, np.uint64).data, 0)
    assert table.used == 0
    assert table.add(packets_, 4, 10) == 8


def test_the_whole_room_runs_without_a_compiler(tmp_path: Path) -> None:
    """As after an install without C compiler: no extension modules at all, equal flows."""
    for folder in ("capture", "model"):
        shutil.copytree(
            FOLDER.parent / folder,
            tmp_path / "workbench" / folder,
            ignore=shutil.ignore_patterns("*.so", "__pycache__"),
        )
    shutil.copy(FOLDER.parent / "__init__.py", tmp_path / "workbench")
    capture = tmp_path / "x.pcap"
    capture.write_bytes(craft.pcap(SEEDS * 20))
    script = (
        "import sys, pathlib; from workbench.capture import kernel_compiled, read_capture;"
        "assert not kernel_compiled();"
        "out = []; report = read_capture(pathlib.Path('x.pcap'), on_flows=out.append);"
        "print(report.decoded, report.skipped,"
        " [{k: v.tolist() for k, v in batch.items()} for batch in out])"
    )
    environment = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-P", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    batches: list[FlowColumns] = []
    report = read_capture(capture, on_flows=batches.append)
    flows = [{name: column.tolist() for name, column in batch.items()} for batch in batches]
    assert result.stdout.strip() == f"{report.decoded} {report.skipped} {flows}"
