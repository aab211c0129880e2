"""pcap: every header that libpcap or Wireshark knows, told apart by magic, version and records."""

import io
import struct
from pathlib import Path
from typing import Any

import craft
import pytest
from craft import T0

from workbench.capture import layout
from workbench.capture.pcap import MAX_CAPTURED
from workbench.capture.reader import Reader
from workbench.model.errors import CaptureError

PACKETS = [
    craft.tcp4("10.0.0.1", 40000 + number, "10.0.0.2", 443, craft.SYN, bytes(number))
    for number in range(5)
]
PATCHED = ("IHBB", 3, 0x0800, 4, 0)
PATCHED_SMP = ("IHBBBBH", 3, 0x0800, 4, 1, 1, 0, 0)
NOKIA = ("I", 0x9FBFB601)
NOTHING = ("",)
HEADER = 24


def file_of(
    *,
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    network: int = 1,
    big: bool = False,
    behind: bytes = b"",
    extra: tuple[Any, ...] = NOTHING,
    nano: bool = False,
    swapped: bool = False,
    wire: int = 0,
    packets: list[bytes] = PACKETS,
) -> bytes:
    """behind: ends the file header; extra: ends each record header; wire: bytes not captured."""
    order = ">" if big else "<"
    data = struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, network) + behind
    for number, packet in enumerate(packets):
        time = T0 + number * 1000
        fraction = time % 1_000_000 * (1000 if nano else 1)
        lengths = len(packet), len(packet) + wire
        if swapped:
            lengths = lengths[1], lengths[0]
        data += struct.pack(order + "IIII", time // 1_000_000, fraction, *lengths)
        data += struct.pack(order + extra[0], *extra[1:]) + packet
    return data


def read(data: bytes) -> tuple[Reader, list[tuple[int, int, int, bytes]]]:
    """The reader at its end; and time, wire length, link type and bytes of each packet."""
    found = []
    with Reader(Path("in memory"), stream=io.BytesIO(data)) as reader:
        for block in reader.blocks():
            for row in range(block.count):
                start, caplen, wirelen, time, link, _ = (
                    block.records[row, word] for word in range(layout.REC_IP)
                )
                found.append((time, wirelen, link, bytes(block.buffer[start : start + caplen])))
    return reader, found


def expected(wire: int = 0, link: int = 1) -> list[tuple[int, int, int, bytes]]:
    return [
        (T0 + number * 1000, len(packet) + wire, link, packet)
        for number, packet in enumerate(PACKETS)
    ]


VARIANTS: dict[str, dict[str, Any]] = {
    "microseconds": {},
    "nanoseconds": {"nano": True, "magic": 0xA1B23C4D},
    "IXIA software": {"magic": 0x1C0001AB, "behind": bytes(4)},
    "IXIA hardware": {"magic": 0x1C0001AC, "behind": bytes(4), "nano": True},
    "modified": {"magic": 0xA1B2CD34, "extra": PATCHED},
    "modified, with CPUs": {"magic": 0xA1B2CD34, "extra": PATCHED_SMP},
    "modified under the standard magic": {"extra": PATCHED},
    "Nokia": {"extra": NOKIA},
    "Nokia from editcap": {"extra": ("I", 0)},
    "2.3": {"version": (2, 3)},
    "2.3 with lengths in the old order": {"version": (2, 3), "swapped": True},
    "2.2": {"version": (2, 2), "swapped": True},
    "2.0": {"version": (2, 0), "swapped": True},
    "DG/UX": {"version": (543, 0), "swapped": True},
    "2.5": {"version": (2, 5)},
    "AIX": {"version": (2, 2), "swapped": True, "network": 6, "nano": True},
    "with a frame check sequence": {"network": 0x2400_0001},
}


@pytest.mark.parametrize("big", [False, True], ids=["little", "big"])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_reads_alike(name: str, big: bool) -> None:
    reader, found = read(file_of(big=big, wire=7, **VARIANTS[name]))
    assert found == expected(wire=7)
    assert (reader.format, reader.problems) == ("pcap", [])
    assert (list(reader.link_types), reader.interfaces, reader.snaplen) == ([1], 1, 65535)
    assert (reader.drops, dict(reader.block_counts)) == (None, {})


@pytest.mark.parametrize(("written", "link"), [(6, 1), (9, 6), (15, 10), (24, 0)])
def test_link_types_of_aix(written: int, link: int) -> None:
    _, found = read(file_of(version=(2, 2), swapped=True, network=written, nano=True))
    assert found == expected(link=link)


def test_a_link_type_with_reserved_bits_is_read_and_said() -> None:
    reader, found = read(file_of(network=0x0224_0065))
    assert found == expected(link=101)
    assert reader.problems == ["reserved bits of the link type are set (0x02240065)"]


@pytest.mark.parametrize("count", range(6))
@pytest.mark.parametrize("extra", [NOTHING, PATCHED, NOKIA], ids=["standard", "patched", "nokia"])
def test_variants_of_short_files(count: int, extra: tuple[Any, ...]) -> None:
    _, found = read(file_of(packets=PACKETS[:count], extra=extra))
    assert found == expected()[:count]


def test_a_cut_file_is_not_taken_for_a_variant() -> None:
    whole = {HEADER + sum(16 + len(packet) for packet in PACKETS[:count]) for count in range(6)}
    for cut in range(HEADER, len(file_of()), 3):
        reader, found = read(file_of()[:cut])
        assert found == expected()[: len(found)]
        assert bool(reader.cut_short) == (cut not in whole)


def test_nonsense_in_a_standard_file_does_not_make_it_a_variant() -> None:
    data = bytearray(file_of())
    data[28:32] = b"\xff\xff\xff\x7f"  # the first packet's microseconds
    _, found = read(bytes(data))
    assert [row[3] for row in found] == PACKETS


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (file_of(version=(1, 2)), "pcap version 1.2 is unknown"),
        (file_of(version=(3, 0)), "pcap version 3.0 is unknown"),
        (file_of(magic=0xA1B234CD), "neither pcap nor pcapng (it begins with cd 34 b2 a1)"),
        (b"snoop\0\0\0\0\0\0\2", "a Solaris snoop file: convert it with editcap"),
        (b"\xfd7zXZ\0\0", "xz data: unpack it first"),
        (file_of(magic=0x1C0001AC)[:24], "a pcap file header cut short at byte 24"),
    ],
)
def test_what_is_not_read_says_why(data: bytes, problem: str) -> None:
    with pytest.raises(CaptureError) as caught:
        read(data)
    assert problem in str(caught.value)


def test_a_file_that_was_filled_up_with_zeros() -> None:
    """As file systems leave it after a crash: not a million empty packets of 1970."""
    reader, found = read(file_of() + bytes(4000))
    assert found == expected()
    assert reader.problems == ["250 records of nothing but zeros: skipped"]
    reader, found = read(file_of() + bytes(16) + file_of(packets=PACKETS[:1])[24:] + bytes(7))
    assert found == expected() + expected()[:1]
    assert reader.problems[0].startswith("cut short: the packet at byte ")
    assert reader.problems[1:] == ["1 record of nothing but zeros: skipped"]


@pytest.mark.parametrize("name", VARIANTS)
def test_files_joined_by_cat(name: str) -> None:
    one = file_of(wire=7, **VARIANTS[name])
    reader, found = read(one * 3)
    assert found == expected(wire=7) * 3
    assert (reader.problems, reader.interfaces) == ([], 3)
    reader, found = read(one + file_of(network=101) if one[:4] == file_of()[:4] else one)
    assert found[:5] == expected(wire=7)
    assert found[5:] in ([], expected(link=101))


def test_joined_files_that_end_in_a_header() -> None:
    reader, found = read(file_of() + file_of()[:20])
    assert found == expected()
    where = len(file_of())
    assert reader.problems == [f"stopped at byte {where}: a pcap file header cut short at byte 20"]
    reader, found = read(file_of() + file_of(version=(7, 1)))
    assert found == expected()
    assert reader.problems == [f"stopped at byte {where}: pcap version 7.1 is unknown"]


def test_lengths_that_cannot_be() -> None:
    reader, found = read(file_of(packets=[bytes(MAX_CAPTURED)]))
    assert (len(found), reader.problems) == (1, [])
    reader, found = read(file_of(packets=[bytes(MAX_CAPTURED + 1)]))
    assert found == []
    assert reader.problems == [
        f"stopped at byte 24: a packet cannot be {MAX_CAPTURED + 1} bytes long"
    ]
