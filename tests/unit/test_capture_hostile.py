"""Captures made to hurt the engine: collisions prepared for the flow table, ports used again and
again, files that change while they are read."""

import gc
import gzip
import os
import random
from pathlib import Path

import craft
import numpy as np
import pytest
from numpy.typing import NDArray

from workbench.capture import fingerprint, layout, read_capture
from workbench.capture.deal import Dealer
from workbench.capture.engine import Engine
from workbench.capture.reader import Reader
from workbench.model.recording import Ending
from workbench.model.traffic import CaptureReport

SEEDS = [random.Random(number).getrandbits(64) for number in range(5)]
Words = NDArray[np.uint64]


def flows(a: Words, b: Words, who: Words | int = 6 << 32 | 40000 << 16 | 445) -> Words:
    """Packet rows; a and b: (n, 2) or (2,) addresses as upper and lower words."""
    count = max(np.atleast_2d(a).shape[0], np.atleast_2d(b).shape[0], np.size(who))
    rows = np.zeros((count, layout.PACKET_WORDS), np.uint64)
    rows[:, 0:2], rows[:, 2:4], rows[:, layout.PKT_WHO] = a, b, who
    rows[:, layout.PKT_PACKETS] = 1
    return rows


def hashes(rows: Words, seed: int) -> Words:
    count = len(rows)
    out, order, sizes = (
        np.zeros(count, np.uint64),
        np.zeros((1, count), np.uint32),
        np.zeros(1, np.int64),
    )
    Dealer(1, seed).deal(rows.reshape(-1).data, count, out.data, order.data, sizes.data)
    return out


def probes(keys: Words, slots: int) -> float:
    """Slots looked at for each flow, on average, in a table of open addressing."""
    taken = [False] * slots
    looked = 0
    for key in (keys & np.uint64(slots - 1)).tolist():
        while taken[key]:
            key = (key + 1) % slots
            looked += 1
        taken[key] = True
        looked += 1
    return looked / len(keys)


def v4(numbers: Words) -> Words:
    return np.stack([np.zeros_like(numbers), np.uint64(0xFFFF << 32) | numbers], axis=1)


SERVER = np.array([0, 0xFFFF_0A00_0001], np.uint64)


def test_collisions_prepared_for_one_seed_are_none_for_another() -> None:
    rows = flows(v4(np.arange(1 << 20, dtype=np.uint64)), SERVER)
    chosen = rows[hashes(rows, SEEDS[0]) & np.uint64(4095) == 77]
    assert len(chosen) > 200
    assert probes(hashes(chosen, SEEDS[0]), 1024) > 50  # the attack works where the seed is known
    for seed in SEEDS[1:]:
        assert probes(hashes(chosen, seed), 1024) < 2


def _carried(bits: int) -> Words:
    """Pairs of words whose differences cancel in x * constant, x ^ x >> 31, x + word: no seed helps
    a hash that does only this between the two."""
    odd = 0x9E37_79B9_7F4A_7C15
    step = np.arange(1 << bits, dtype=np.uint64)
    hi = (step << np.uint64(64 - bits)) * np.uint64(pow(odd, -1, 1 << 64))
    hi, low = (each.ravel() for each in np.meshgrid(hi, step << np.uint64(33 - bits)))
    return np.stack([hi, low - hi * np.uint64(odd)], axis=1)


def patterns() -> dict[str, Words]:
    """Flows as scanners and those who know the code would arrange them; all different."""
    many = np.arange(1 << 14, dtype=np.uint64)
    mirrored = np.concatenate([v4(many), v4(many[::-1])], axis=1)
    ports = np.uint64(6 << 32) | (many & np.uint64(127)) << np.uint64(16) | many >> np.uint64(7)
    return {
        "addresses in a row": flows(v4(many), SERVER),
        "every 65536th address": flows(v4(many << np.uint64(16)), SERVER),
        "ports": flows(SERVER + np.uint64(1), SERVER, ports),
        "equal sums": flows(mirrored[: 1 << 13, :2], mirrored[: 1 << 13, 2:]),
        "IPv6 networks": flows(np.stack([many << np.uint64(48), many], axis=1), SERVER),
        "IPv6, upper bits": flows(np.stack([many << np.uint64(50), many * 0], axis=1), SERVER),
        "carried differences": flows(_carried(7), SERVER),
    }


@pytest.mark.parametrize("name", patterns())
def test_no_pattern_collides(name: str) -> None:
    rows = patterns()[name]
    assert len(np.unique(rows, axis=0)) == len(rows)
    for seed in SEEDS:
        keys = hashes(rows, seed)
        assert len(np.unique(keys)) == len(rows)
        assert probes(keys, 2 * len(rows)) < 1.7  # 1.5 where it is random


@pytest.mark.parametrize("threads", [1, 16])
def test_one_pair_of_ports_used_again_and_again(tmp_path: Path, threads: int) -> None:
    """700,000 connections of the same ports: each a flow, in one part of the table."""
    count = 700_000
    frame = np.frombuffer(craft.tcp4("10.0.0.1", 40000, "10.0.0.2", 445, craft.SYN), np.uint8)
    rows = np.zeros((count, 16 + len(frame)), np.uint8)
    rows[:, 16:] = frame
    rows[:, 8:12] = rows[:, 12:16] = np.frombuffer(len(frame).to_bytes(4, "little"), np.uint8)
    rows[:, 54:58] = np.arange(1, count + 1, dtype=">u4")[:, None].view(np.uint8)  # sequence
    path = tmp_path / "again.pcap"
    path.write_bytes(craft.pcap([]) + rows.tobytes())
    report = read_capture(path, on_flows=lambda batch: None, threads=threads)
    assert (report.packets, report.decoded, report.flows) == (count, count, count)


PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53, bytes(1000))


def _read_while(path: Path, change: str) -> tuple[int, list[str]]:
    """Records and problems of a file of 20 MB that is changed once reading has begun."""
    whole = craft.pcap([PACKET] * 20_000)
    path.write_bytes(whole)
    with Reader(path) as reader:
        blocks = reader.blocks()
        count = next(blocks).count
        if change == "shrinks":
            os.truncate(path, len(whole) // 2)
        elif change == "grows":
            with path.open("ab") as file:
                file.write(whole[24:])
        elif change == "goes":
            path.unlink()
        elif change == "is overwritten":
            with path.open("r+b") as file:
                file.write(b"\xff" * len(whole))
        count += sum(block.count for block in blocks)
        return count, list(reader.problems)


def test_a_file_that_shrinks(tmp_path: Path) -> None:
    count, problems = _read_while(tmp_path / "x.pcap", "shrinks")
    assert 9_000 < count < 20_000
    assert any("shrank" in problem for problem in problems)


def test_a_file_that_grows(tmp_path: Path) -> None:
    count, problems = _read_while(tmp_path / "x.pcap", "grows")
    assert 20_000 <= count <= 40_000
    assert len(problems) <= 1


def test_a_file_that_goes(tmp_path: Path) -> None:
    assert _read_while(tmp_path / "x.pcap", "goes") == (20_000, [])


def test_a_file_that_is_overwritten(tmp_path: Path) -> None:
    count, problems = _read_while(tmp_path / "x.pcap", "is overwritten")
    assert count < 20_000
    assert len(problems) == 1
    assert "cannot be" in problems[0]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_makes_no_sense_from_its_middle_on(tmp_path: Path, packed: bool) -> None:
    """It is that file all the same, however far the reader was ahead when it gave up."""
    whole = craft.pcap([PACKET] * 1000) + b"\xff" * 40 + bytes(20_000_000)
    path = tmp_path / "x.pcap"
    path.write_bytes(gzip.compress(whole, 1) + bytes(500_000) if packed else whole)
    report = read_capture(path, on_flows=lambda batch: None)
    assert (report.packets, report.ending) == (1000, Ending.CUT)
    assert (report.size, report.fingerprint) == (path.stat().st_size, fingerprint(path))


def test_nothing_of_a_reading_stays(tmp_path: Path) -> None:
    """A folder of thousands of captures takes the memory of one, without waiting for the garbage
    collector, which counts objects and not their bytes."""
    path = tmp_path / "x.pcap"
    path.write_bytes(craft.pcap([PACKET] * 10))
    gc.collect()
    gc.disable()
    try:
        read_capture(path, on_flows=lambda batch: None, threads=2)
        left = [one for one in gc.get_objects() if isinstance(one, Engine | Reader)]
    finally:
        gc.enable()
    assert left == []


def test_a_million_sections_say_little(tmp_path: Path) -> None:
    """Every section with the same trouble: the report stays short."""
    odd = craft.Pcapng().section().interface().enhanced(PACKET[:60], interface=7).data
    path = tmp_path / "x.pcapng"
    path.write_bytes(odd * 20_000)
    report: CaptureReport = read_capture(path, on_flows=lambda batch: None)
    assert len(report.problems) < 10
    assert all(len(problem) < 200 for problem in report.problems)
