"""pcapng: block counts of the whole test suite, and the blocks that are no packets."""

import io
import re
import struct
from ipaddress import ip_address
from pathlib import Path

import craft
import pytest
from craft import T0, Pcapng

from workbench.capture import layout, pcapng
from workbench.capture.ahead import MARGIN
from workbench.capture.reader import Reader
from workbench.model.net import parse_address

PACKET = craft.udp4("10.0.0.1", 40000, "10.0.0.2", 53)
NUMBERS = (*range(1, 19), 100, 101, 102, 200, 201, 202)


def read(data: bytes) -> tuple[Reader, list[tuple[int, int, bytes]]]:
    """The reader at its end; and time, wire length and bytes of each packet."""
    found = []
    with Reader(Path("in memory"), stream=io.BytesIO(data)) as reader:
        for block in reader.blocks():
            for row in range(block.count):
                start, caplen, wirelen, time = (
                    block.records[row, word] for word in range(layout.REC_LINK)
                )
                found.append((time, wirelen, bytes(block.buffer[start : start + caplen])))
    return reader, found


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("number", NUMBERS)
def test_block_counts_of_the_suite(shared_data: Path, order: str, number: int) -> None:
    path = shared_data / "pcapng-suite" / order / f"test{number:03}.pcapng"
    truth = path.with_suffix(".txt").read_text()
    counts = {kind: int(count) for kind, count in re.findall(r"\t(\w+): +(\d+)", truth)}
    reader, packets = read(path.read_bytes())
    assert dict(reader.block_counts) == counts
    assert len(packets) == sum(counts.get(kind, 0) for kind in ("EPB", "SPB", "OPB"))
    assert reader.interfaces == counts.get("IDB", 0)
    assert {line.split(" ", 2)[2] for line in reader.problems} <= {
        "without a time: given that of the packet before, or the first one's",
        "without a time, and none has one: flows are shown at 1970-01-01",
    }


def test_the_suite_is_whole(shared_data: Path) -> None:
    for order in ("le", "be"):
        files = sorted((shared_data / "pcapng-suite" / order).glob("*.pcapng"))
        assert [int(file.stem[4:]) for file in files] == list(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_both_byte_orders_hold_the_same(shared_data: Path, number: int) -> None:
    told = []
    for order in ("le", "be"):
        path = shared_data / "pcapng-suite" / order / f"test{number:03}.pcapng"
        reader, packets = read(path.read_bytes())
        told.append((packets, reader.names, reader.drops, reader.snaplen, reader.link_types))
    assert told[0] == told[1]


def names_block(*records: tuple[int, bytes], big: bool = False) -> bytes:
    order = ">" if big else "<"
    body = b"".join(
        struct.pack(order + "HH", kind, len(value)) + value + bytes(-len(value) % 4)
        for kind, value in records
    )
    return body + bytes(4)


def v4(address: str, *names: bytes) -> tuple[int, bytes]:
    return 1, ip_address(address).packed + b"".join(name + b"\0" for name in names)


def v6(address: str, *names: bytes) -> tuple[int, bytes]:
    return 2, ip_address(address).packed + b"".join(name + b"\0" for name in names)


@pytest.mark.parametrize("big", [False, True])
def test_names(big: bool) -> None:
    file = Pcapng(big).section().interface()
    file.block(4, names_block(v4("10.0.0.1", b"pc-1", b"alias"), v6("fd00::1", b"srv"), big=big))
    file.enhanced(PACKET)
    file.block(4, names_block(v4("10.0.0.1", b"late"), v4("10.0.0.2", b"dns"), big=big))
    reader, packets = read(file.data)
    wanted = {"10.0.0.1": "pc-1", "fd00::1": "srv", "10.0.0.2": "dns"}
    assert reader.names == {parse_address(text): name for text, name in wanted.items()}
    assert (len(packets), reader.problems) == (1, [])


def test_hostile_names_are_safe_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcapng, "MAX_NAMES", 3)
    records = [
        v4("10.0.0.1", b"\x1b]0;owned\x07"),
        v4("10.0.0.2", b"x" * 5000),
        (1, b"\x0a\0\0"),  # no whole address
        (1, b"\x0a\0\0\3"),  # no name
        (3, b"\x0a\0\0\3what"),  # no known kind
        v4("10.0.0.4", b"\xff\xfe"),
        v4("10.0.0.5", b"one too many"),
    ]
    reader, _ = read(Pcapng().section().block(4, names_block(*records)).data)
    assert list(reader.names.values()) == ["·]0;owned·", "x" * 254 + "…", "��"]
    cut = names_block(v4("10.0.0.9", b"n"))[:-4] + struct.pack("<HH", 1, 60000) + b"\x0a\0\0\7evil"
    reader, _ = read(Pcapng().section().block(4, cut).data)
    assert list(reader.names.values()) == ["n"]


def option(code: int, value: int, big: bool = False) -> bytes:
    return struct.pack(">HHQ" if big else "<HHQ", code, 8, value)


def statistics(interface: int, *drops: tuple[int, int], big: bool = False) -> bytes:
    head = struct.pack(">III" if big else "<III", interface, 0, 0)
    return head + b"".join(option(code, value, big) for code, value in drops) + bytes(4)


def enhanced(drops: int | None, interface: int = 0, big: bool = False) -> bytes:
    head = struct.pack(">IIIII" if big else "<IIIII", interface, 0, 1000, len(PACKET), len(PACKET))
    body = head + PACKET + bytes(-len(PACKET) % 4)
    comment = struct.pack(">HH" if big else "<HH", 1, 5) + b"hello\0\0\0"
    return body + comment + (b"" if drops is None else option(4, drops, big) + bytes(4))


@pytest.mark.parametrize("big", [False, True])
def test_drops_that_the_file_reports(big: bool) -> None:
    def drops(*blocks: tuple[int, bytes], interfaces: int = 2) -> int | None:
        file = Pcapng(big).section()
        for _ in range(interfaces):
            file.interface()
        for kind, body in blocks:
            file.block(kind, body)
        return read(file.data)[0].drops

    none = (6, enhanced(None, big=big))
    assert drops() is None
    assert drops(none, (5, statistics(0, (4, 100), big=big))) is None  # received, not dropped
    assert drops(none, (5, statistics(0, (5, 0), big=big))) == 0
    last = (5, statistics(0, (5, 3), (7, 4), big=big))
    assert drops((5, statistics(0, (5, 1), big=big)), last) == 7  # the last one is the sum
    assert drops(last, (5, statistics(1, (5, 10), big=big))) == 17
    assert drops(last, (5, statistics(9, (5, 10), big=big))) == 7  # of no interface
    packets = [(6, enhanced(2, big=big)), none, (6, enhanced(40, big=big))]
    assert drops(*packets) == 42
    assert drops(*packets, last) == 42  # both tell of the same packets
    assert drops(*packets, (6, enhanced(1, 1, big=big))) == 43
    assert drops(last, (5, statistics(1, (5, 2**64 - 1), big=big))) == 7  # unknown
    assert drops((5, statistics(0, (5, 2**63), (7, 2**63), big=big))) == 2 << 40
    assert drops((6, enhanced(2**64 - 1, big=big)), (6, enhanced(5, big=big))) == 1 << 40


def test_drops_add_up_over_sections() -> None:
    section = Pcapng().section().interface().block(5, statistics(0, (5, 3))).data
    quiet = Pcapng(big=True).section().interface().enhanced(PACKET).data
    assert read(section + quiet + section)[0].drops == 6
    assert read(quiet + quiet)[0].drops is None


@pytest.mark.parametrize("big", [False, True])
def test_drops_of_obsolete_packets(big: bool) -> None:
    file = Pcapng(big).section().interface()
    for drops in (5, 0xFFFF, 2):
        head = struct.pack(
            ">HHIIII" if big else "<HHIIII", 0, drops, 0, 1000, len(PACKET), len(PACKET)
        )
        file.block(2, head + PACKET)
    reader, packets = read(file.data)
    assert (reader.drops, len(packets), reader.block_counts["OPB"]) == (7, 3, 3)


def test_many_interfaces() -> None:
    limit = pcapng.MAX_INTERFACES
    one, packets = Pcapng().interface().data, Pcapng()
    for number in (0, limit - 1, limit, limit + 2, limit + 3):
        packets.enhanced(PACKET, interface=number)
    reader, found = read(Pcapng().section().data + one * (limit + 3) + packets.data)
    assert (len(found), reader.interfaces) == (2, limit + 3)
    assert sorted(reader.problems) == [
        "1 packet of interfaces that are not described: skipped",
        f"2 packets of interfaces after a section's first {limit:,}: skipped",
    ]
    reader, found = read(Pcapng().section().data * 2 + one + packets.data)
    assert len(found) == 1  # a new section knows nothing of the last one's interfaces


IDB = struct.pack("<HHI", 1, 0, 0)
ABSURD = {
    "an option beyond its block": (1, IDB + struct.pack("<HH", 9, 0xFFFF) + b"\x09\0\0\0"),
    "options too short": (1, IDB + struct.pack("<HHHH", 9, 0, 14, 3)),
    "two megabytes of options": (1, IDB + bytes(2 * MARGIN)),
    "a name beyond its block": (4, struct.pack("<HH", 1, 0xFFFF)),
    "a million empty names": (4, b"\x03\0\0\0" * (MARGIN // 2)),
    "a count beyond its block": (5, bytes(12) + struct.pack("<HH", 5, 0xFFF0)),
    "a megabyte of secrets": (10, bytes(MARGIN)),
    "an empty custom block": (0xBAD, b""),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_options_do_no_harm(name: str) -> None:
    file = Pcapng().section().interface().block(*ABSURD[name]).interface().enhanced(PACKET, T0)
    reader, packets = read(file.data)
    assert packets == [(T0, len(PACKET), PACKET)]
    assert (reader.problems, reader.drops, reader.names) == ([], None, {})


@pytest.mark.parametrize("length", [0, 4, 8, 11, 13, 16])
@pytest.mark.parametrize("kind", [1, 2, 3, 5, 6, 7])
def test_tiny_blocks_end_the_file_with_a_line(kind: int, length: int) -> None:
    good = Pcapng().section().interface().enhanced(PACKET).data
    bad = struct.pack("<II", kind, length) + bytes(40)
    reader, packets = read(good + bad)
    assert len(packets) == 1
    if (kind, length) != (7, 16):  # that one is whole, and the zeros behind it are not
        assert reader.problems[0].startswith(f"stopped at byte {len(good)}: ")


def uncounted(block: bytes, padding: int) -> bytes:
    """The block as written by those who leave its padding out of both lengths."""
    length = struct.pack("<I", len(block) - padding)
    return block[:4] + length + block[8:-4] + length


def test_padding_may_be_left_out_of_lengths() -> None:
    """As Wireshark takes it."""
    odd = PACKET + b"x"
    blocks = [
        uncounted(Pcapng().block(10, bytes(7)).data, 1),
        uncounted(Pcapng().enhanced(PACKET, T0).data, 1),
        uncounted(Pcapng().simple(PACKET).data, 1),
        uncounted(Pcapng().obsolete(PACKET, T0).data, 1),
        Pcapng().enhanced(odd, T0).data,
    ]
    reader, packets = read(Pcapng().section().interface().data + b"".join(blocks))
    assert [data for _, _, data in packets] == [PACKET, PACKET, PACKET, odd]
    assert reader.problems == [
        "1 packet without a time: given that of the packet before, or the first one's"
    ]


def test_a_packet_that_claims_more_than_its_block_is_skipped() -> None:
    broken = struct.pack("<IIIII", 0, 0, 0, 61, 61) + bytes(60)
    file = Pcapng().section().interface().block(6, broken).enhanced(PACKET)
    reader, packets = read(file.data)
    assert len(packets) == 1
    assert reader.problems == ["1 packet with fewer bytes in the block than claimed: skipped"]


def test_simple_packets_obey_the_snap_length() -> None:
    file = Pcapng().section().interface(snaplen=20).enhanced(PACKET, T0)
    _, packets = read(file.simple(PACKET[:20], wire=900).simple(PACKET[:8], wire=8).data)
    assert packets[1:] == [(T0, 900, PACKET[:20]), (T0, 8, PACKET[:8])]


def test_other_blocks_are_counted_by_name() -> None:
    file = Pcapng().section()
    for kind in (9, 10, 0xBAD, 0x40000BAD, 0x40000BAD, 77, 0x80000001):
        file.block(kind, bytes(16))
    reader, _ = read(file.data)
    wanted = {"SHB": 1, "JEB": 1, "DSB": 1, "CB": 1, "DCB": 2, "other": 2}
    assert dict(reader.block_counts) == wanted
    assert reader.problems == []


@pytest.mark.parametrize("big", [False, True])
def test_packets_without_time_at_the_front_take_the_first_time_that_follows(big: bool) -> None:
    file = Pcapng(big).section().interface(1, 0, (9, b"\x09")).simple(PACKET).simple(PACKET)
    file.block(4, names_block(big=big)).block(0xBAD, bytes(5000)).simple(PACKET).interface()
    file.enhanced(PACKET, T0 * 1000).simple(PACKET).enhanced(PACKET, T0 + 9, interface=1)
    reader, packets = read(file.data)
    assert [time for time, *_ in packets] == [T0] * 5 + [T0 + 9]
    assert reader.dated and reader.problems == [
        "4 packets without a time: given that of the packet before, or the first one's"
    ]


def test_looking_for_a_time_counts_nothing_twice() -> None:
    plain = Pcapng().section().interface().enhanced(PACKET, T0)
    file = Pcapng().section().interface().simple(PACKET)
    for one in (plain, file):
        one.obsolete(PACKET, T0).enhanced(PACKET, 2**63).enhanced(PACKET, interface=7)
    one, two = (read(file.data)[0] for file in (plain, file))
    assert one.drops == two.drops == 7
    told = [
        "packet of interfaces that are not described: skipped",
        "time before 1970 or after 9999: clamped",
    ]
    assert one.problems == [f"1 {line}" for line in told]
    assert [line for line in two.problems if "without" not in line] == one.problems


def test_the_time_is_sought_no_further_than_a_megabyte() -> None:
    far = Pcapng().section().interface().simple(PACKET).block(0xBAD, bytes(MARGIN))
    reader, packets = read(far.enhanced(PACKET, T0).data)
    assert [time for time, *_ in packets] == [0, T0] and reader.dated
    other = Pcapng().section().interface().simple(PACKET).section().interface()
    reader, packets = read(other.enhanced(PACKET, T0).data)
    assert [time for time, *_ in packets] == [0, T0]


def test_no_packet_has_a_time() -> None:
    reader, packets = read(Pcapng().section().interface().simple(PACKET).data)
    assert packets[0][0] == 0 and not reader.dated
    assert reader.problems == [
        "1 packet without a time, and none has one: flows are shown at 1970-01-01"
    ]
