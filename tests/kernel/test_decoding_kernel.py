"""Records to packets: compiled and uncompiled agree, and the straight path with the general one."""

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import craft
import craft_layers as layers
import numpy as np
import pytest
from craft import ether, icmp, ipv4, ipv6, tcp, udp
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import (
    decode,
    decoding,
    evidence,
    fragments,
    kernel_compiled,
    layout,
    link,
    plain,
    radio,
    tunnel,
    underlay,
    wifi,
    wrapper,
)

ROOM = 64
FOLDER = Path(layout.__file__).parent
CLASSES = {
    "plain": "Plain",
    "wrapper": "Wrappers",
    "link": "LinkDecoder",
    "wifi": "WifiDecoder",
    "decode": "Decoder",
    "evidence": "Evidence",
    "radio": "Radio",
    "tunnel": "Tunnels",
    "underlay": "Underlay",
}


def uncompiled(name: str) -> ModuleType:
    """A kernel module as plain Python, beside the compiled one."""
    loader = importlib.machinery.SourceFileLoader(f"plain_{name}", str(FOLDER / f"{name}.py"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


COMPILED = (decode, evidence, fragments, link, plain, radio, tunnel, underlay, wifi, wrapper)
PLAIN = {
    module.__name__.rpartition(".")[2]: uncompiled(module.__name__.rpartition(".")[2])
    for module in COMPILED
}
PLAIN_DECODING = uncompiled("decoding")
for _module, _class in CLASSES.items():
    setattr(PLAIN_DECODING, _class, getattr(PLAIN[_module], _class))

A, B, A6, B6 = "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"
TEREDO_A = "2001:0:4136:e378:8000:63bf:3fff:fdd2"
INNER = ipv4(A, B, 6, tcp(40000, 445, 2))
FRAME = ether(INNER, tags=[(0x8100, 7)])
AMSDU = layers.amsdu((0x0800, INNER), (0x0806, bytes(28)), (0x0800, INNER))
QUOTE, QUOTE6 = ipv4(A, B, 17, udp(40000, 53)), ipv6(A6, B6, 6, tcp(1, 2, 2))
SEGMENTS = bytes([4, 1, 1, 0, 0, 0]) + bytes(15) + b"\x09" + bytes(16)
ETHERNET = [
    ether(INNER),
    ether(ipv4(B, A, 6, tcp(445, 40000, 18)), tags=[(0x8100, 5)]),
    ether(ipv4(B, A, 6, tcp(445, 40000, 18)), tags=[(0x88A8, 5), (0x8100, 6)]),
    ether(ipv6(A6, B6, 6, tcp(40000, 445, 2)), 0x86DD),
    ether(ipv6(A6, B6, 17, udp(40000, 53)), 0x86DD, tags=[(0x8100, 0)]),
    ether(ipv4(A, B, 17, udp(40000, 53), options=b"\1" * 8)),
    ether(ipv4(A, B, 17, udp(40000, 53), ident=9, more=True)),
    ether(ipv4(A, B, 17, bytes(16), ident=9, offset=16)),
    ether(ipv4(B, A, 1, icmp(3, 3, data=QUOTE))),
    ether(ipv4(A, B, 1, icmp(8, ident=3))),
    ether(ipv4(A, B, 132, craft.sctp(1, 2, 1))),
    ether(ipv4(A, B, 51, bytes([6, 4, 0, 0]) + bytes(20) + tcp(1, 2))),
    ether(
        ipv6(A6, B6, 0, craft.extension(44) + craft.fragment6(17, 0, True, 7) + udp(1, 53)), 0x86DD
    ),
    ether(ipv6(A6, B6, 43, craft.extension(6, SEGMENTS) + tcp(1, 2, 2)), 0x86DD),
    ether(ipv6(A6, B6, 0, bytes([6, 0, 0xC2, 4, 0, 1, 0, 0]) + tcp(1, 2), length=0), 0x86DD),
    ether(ipv6(B6, A6, 58, icmp(1, 4, data=QUOTE6)), 0x86DD),
    ether(layers.mpls(ipv4(A, B, 132, craft.sctp(1, 2, 1)), 100, 101), 0x8847),
    ether(layers.mpls(bytes(4) + FRAME, 100), 0x8847),
    ether(layers.nsh(1, INNER), 0x894F),
    ether(b"\x42\x42\x03" + bytes(35), 38),
    layers.over_ip(4, INNER),
    layers.over_ip(41, ipv6(A6, B6, 6, tcp(1, 2, 2))),
    layers.over_ip(47, layers.gre(0x0800, INNER)),
    layers.over_ip(47, layers.gre(0x6558, FRAME, key=3)),
    layers.over_ip(47, layers.erspan(FRAME)),
    layers.over_ip(47, layers.erspan(FRAME, version=3)),
    layers.over_ip(47, layers.pptp(b"\xff\x03\0\x21" + INNER)),
    layers.over_ip(137, layers.mpls(INNER, 5)),
    layers.over_udp(4789, layers.vxlan(FRAME)),
    layers.over_udp(4789, layers.vxlan(layers.over_udp(6081, layers.geneve(0x6558, FRAME)))),
    layers.over_udp(6081, layers.geneve(0x0800, INNER, options=bytes(8))),
    layers.over_udp(4790, layers.vxlan_gpe(4, layers.nsh(3, FRAME))),
    layers.over_udp(2152, layers.gtp(INNER, extensions=b"\1\0\0\0")),
    layers.over_udp(1701, layers.l2tp(b"\0\x21" + INNER)),
    layers.over_udp(1701, layers.l2tp3(FRAME, over_udp=True)),
    layers.over_ip(115, layers.l2tp3(b"\xff\x03\0\x21" + INNER, cookie=bytes(8))),
    layers.over_udp(5555, INNER),
    layers.over_udp(6635, layers.mpls(INNER, 5)),
    layers.over_udp(37008, layers.tzsp(FRAME)),
    layers.over_udp(3386, layers.gtp0(INNER)),
    layers.over_udp(12222, layers.lwapp(layers.wifi(INNER))),
    ether(layers.batman(FRAME), 0x4305),
    layers.over_udp(5247, layers.capwap(layers.wifi(INNER), native=True)),
    layers.over_udp(8472, layers.otv(FRAME)),
    layers.over_udp(4341, layers.lisp(INNER, 7)),
    layers.over_udp(6080, layers.gue(4, INNER)),
    layers.over_udp(6080, layers.gue(47, layers.gre(0x0800, INNER), bytes(4))),
    layers.over_udp(40001, ipv6(TEREDO_A, B6, 6, tcp(1, 2, 2))),
    ether(ipv4(A, B, 17, udp(1, 4789, layers.vxlan(FRAME)), ident=4, more=True)),
]
OTHERS = [
    (113, b"\0\0\0\1\0\6" + bytes(8) + b"\x08\0" + INNER),
    (276, b"\x08\0" + bytes(18) + INNER),
    (0, b"\2\0\0\0" + INNER),
    (101, INNER),
    (12, ipv6(A6, B6, 6, tcp(1, 2, 2))),
    (9, b"\xff\x03\0\x21" + INNER),
    (50, b"\x0f\0\x08\0" + INNER),
    (51, b"\x11\0\0\1\0\x40\0\x21" + INNER),
    (104, b"\x0f\0\x08\0" + INNER),
    (107, b"\x18\x41\3\xcc" + INNER),
    (107, b"\x18\x40\1\3\0\x80\0\0\0\x08\0" + INNER),
    (105, layers.wifi(INNER)),
    (105, layers.wifi(layers.pppoe(INNER), kind=0x8864)),
    (105, layers.wifi(layers.mpls(INNER, 5), kind=0x8847)),
    (105, layers.wifi(INNER, flags=0x41)),
    (127, layers.radiotap(layers.wifi(INNER, control=0x88, flags=3), flags=0x20, stamp=True)),
    (119, layers.prism(layers.wifi(INNER, control=0x88, amsdu=True))),
    (163, layers.avs(layers.wifi(INNER))),
    (layout.MSDU, AMSDU[26:]),
    (layout.MSDU, b"\1" + AMSDU[27:]),
    (178, layers.juniper(FRAME)),
    (219, layers.mpls(INNER, 9)),
    (226, bytes(24) + INNER),
    (239, layers.nflog(INNER)),
    (239, layers.nflog(INNER, order=">")),
    (242, bytes(40) + b"\x08\0\0\0" + INNER),
    (258, layers.pktap(FRAME)),
    (258, layers.pktap(layers.wifi(INNER), 105)),
    (147, bytes(40)),
]
WIRELESS = [
    (105, AMSDU),
    (127, layers.radiotap(AMSDU, flags=0x20)),
    (119, layers.prism(AMSDU)),
    (163, layers.avs(AMSDU)),
    (192, layers.per_packet(AMSDU, 105)),
]
SEEDS = [(1, frame) for frame in ETHERNET] + OTHERS


def laid_out(packets: list[tuple[int, bytes, int]]) -> tuple[Any, Any]:
    """A buffer that holds them, and their records."""
    blocks = b"".join(data for _, data, _ in packets) + bytes(200)
    records = np.zeros((ROOM, layout.RECORD_WORDS), np.uint64)
    start = 0
    for row, (kind, data, wire) in enumerate(packets):
        records[row, :6] = (start, len(data), wire, row * 10, kind, start)
        start += len(data)
    return np.frombuffer(blocks, np.uint8).copy(), records


def run(
    packets: list[tuple[int, bytes, int]],
    package: Any = decoding,
    joining: Any = fragments,
) -> dict[str, Any]:
    """Push (link type, bytes, wire length) through decoding and fragments."""
    buffer, records = laid_out(packets)
    out = np.full((2 * ROOM, layout.PACKET_WORDS), 99, np.uint64)
    decoder, joiner = package.PacketDecoder(), joining.Fragments()
    made = decoder.decode(buffer.data, records.data, len(packets), out.data)
    joiner.join(out.data, made)
    return {
        "records": records[:, : layout.REC_MARKS].tolist(),
        "packets": out[:made].tolist(),
        "counts": (decoder.decoded, joiner.lost),
        "skips": {code: int(decoder.skips[code]) for code in np.flatnonzero(decoder.skips)},
        "links": np.flatnonzero(decoder.unknown_links).tolist(),
        "tunnels": np.asarray(decoder.underlay.tunnels)[: decoder.underlay.used].tolist(),
    }


def whole(seeds: list[tuple[int, bytes]]) -> list[tuple[int, bytes, int]]:
    return [(kind, data, len(data)) for kind, data in seeds]


@st.composite
def packets(draw: st.DrawFn, seeds: list[tuple[int, bytes]] = SEEDS) -> tuple[int, bytes, int]:
    """A good packet with some bytes changed, cut or added, or no packet at all."""
    kind, seed = draw(st.sampled_from(seeds))
    data = bytearray(draw(st.one_of(st.just(seed), st.just(seed), st.binary(max_size=90))))
    for _ in range(draw(st.integers(0, 4))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del data[draw(st.integers(0, len(data))) :]
    return kind, bytes(data), len(data) + draw(st.sampled_from([0, 0, 0, 1, 1400, 2**32]))


def test_this_test_compares_two_things() -> None:
    if not kernel_compiled():
        pytest.skip("the kernel is not compiled here")
    assert all(module.__file__.endswith(".py") for module in PLAIN.values() if module.__file__)


def test_the_seeds_are_what_they_seem() -> None:
    """Every one has IP but STP, what is encrypted, and the unknown link type."""
    for at in range(0, len(SEEDS), ROOM):
        some = whole(SEEDS[at : at + ROOM])
        assert run(some) == run(some, PLAIN_DECODING, PLAIN["fragments"])
    result = [run([seed]) for seed in whole(SEEDS)]
    left_out = [next(iter(one["skips"]), 0) for one in result if not one["counts"][0]]
    assert left_out == [layout.STP, layout.WIFI_ENCRYPTED, layout.UNKNOWN_LINK]
    tunnelled = [one["tunnels"][0][layout.TUN_KEY] >> 32 for one in result if one["tunnels"]]
    assert set(tunnelled) == set(layout.TUNNELS) - {layout.ETHERIP}


@settings(max_examples=250, deadline=None)
@given(st.lists(packets(), min_size=1, max_size=20))
def test_compiled_and_plain_agree(mutated: list[tuple[int, bytes, int]]) -> None:
    assert run(mutated) == run(mutated, PLAIN_DECODING, PLAIN["fragments"])


@settings(max_examples=250, deadline=None)
@given(st.lists(packets([*WIRELESS, SEEDS[0]]), max_size=8), st.integers(1, 12))
def test_aggregates_unfold_alike(mutated: list[tuple[int, bytes, int]], room: int) -> None:
    """Compiled and plain, however much room there is, and never beyond the captured bytes."""
    buffer, records = laid_out(mutated)

    def unfolded(package: Any, wrappers: Any, room: int) -> list[list[int]]:
        decoder, rows, opened = package.WifiDecoder(), [], records.copy()
        wrappers.Wrappers().open(buffer.data, opened.data, len(mutated))
        out = np.zeros((room, layout.RECORD_WORDS), np.uint64)
        while made := decoder.unfold(
            buffer.data, records.data, len(mutated), opened.data, out.data
        ):
            rows += out[:made].tolist()
        return rows

    rows = unfolded(wifi, wrapper, room)
    assert rows == unfolded(PLAIN["wifi"], PLAIN["wrapper"], 4 * ROOM)
    numbers = [row[layout.REC_OFFSET] for row in rows]
    assert list(dict.fromkeys(numbers)) == list(
        dict.fromkeys(records[: len(mutated), layout.REC_OFFSET].tolist())
    )
    of = {row[layout.REC_TIME]: row for row in records[: len(mutated)].tolist()}
    for start, size, _, time, link_type, *_ in rows:
        record = of[time]
        assert record[0] <= start and start + size <= record[0] + record[1]
        assert link_type == layout.MSDU or (start, size) == (record[0], record[1])


@settings(max_examples=250, deadline=None)
@given(packets())
def test_the_straight_path_agrees_with_the_general_one(packet: tuple[int, bytes, int]) -> None:
    """A plain packet decodes the same where none is taken for plain, as on a big-endian machine."""
    little, PLAIN["plain"]._LITTLE = PLAIN["plain"]._LITTLE, False
    general = run([packet], PLAIN_DECODING, PLAIN["fragments"])
    PLAIN["plain"]._LITTLE = little
    result = run([packet])
    assert len(general["packets"]) == 2
    if len(result["packets"]) == 1:  # it was plain: no blank row for what is quoted
        assert general["packets"].pop()[layout.PKT_PACKETS] == 0
    assert result == general


@pytest.mark.parametrize("package", [decoding, PLAIN_DECODING])
def test_a_packet_may_end_where_the_buffer_ends(package: Any) -> None:
    for size in range(len(ETHERNET[0]) + 1):
        records = np.zeros((1, layout.RECORD_WORDS), np.uint64)
        records[0, :5] = (0, size, size, 0, 1)
        out = np.zeros((2, layout.PACKET_WORDS), np.uint64)
        buffer = np.frombuffer(ETHERNET[0], np.uint8)[:size].copy()
        decoder = package.PacketDecoder()
        decoder.decode(buffer.data, records.data, 1, out.data)
        assert decoder.decoded + decoder.skips.sum() == 1
    assert decoder.decoded == 1


def test_plain_packets_are_plain() -> None:
    """The straight path takes what it is for: it is worth nothing otherwise."""
    for number in (0, 1, 3, 4):
        assert len(run(whole(SEEDS)[number : number + 1])["packets"]) == 1


def test_reading_past_a_buffer_raises() -> None:
    """The bounds checks are on: a record that lies about its place does not read foreign memory."""
    buffer = np.full(64, 0x45, np.uint8).data
    lay = np.zeros((1, layout.LAYER_WORDS), np.uint64)
    lay[0, :6] = (50, 4000, 4000, 0, 1, 0)
    with pytest.raises(IndexError):
        link.LinkDecoder().find(np.zeros(64, np.uint8).data, lay.data, 1)
    lay[0, layout.REC_IP] = 60
    out = np.zeros((2, layout.PACKET_WORDS), np.uint64)
    with pytest.raises(IndexError):
        decode.Decoder().decode(buffer, lay.data, 1, out.data, lay.data, 0)
    lay[0, layout.LAY_TUNNEL] = (layout.PROTOCOL_TUNNELS + 47) << 32
    lay[0, layout.REC_START] = 62
    with pytest.raises(IndexError):
        tunnel.Tunnels().open(buffer, lay.data, 1, out.data)


def test_the_list_of_tunnels_is_the_same_for_any_number_of_decoders() -> None:
    rng = np.random.default_rng(5)
    blocks = []
    for _ in range(40):
        ends = rng.integers(1, 5, (12, 3))
        vxlan = [
            layers.over_udp(
                4789, layers.vxlan(FRAME, int(vni)), f"192.0.2.{source}", f"192.0.2.{target}"
            )
            for source, target, vni in ends
        ]
        blocks.append([(1, data, len(data)) for data in [*vxlan, ETHERNET[0]]])
    results = []
    for number in (1, 2, 3):
        decoders = [decoding.PacketDecoder() for _ in range(number)]
        tunnels = decoding.TunnelList()
        numbers: list[int] = []
        for at, block in enumerate(blocks):
            buffer, records = laid_out(block)
            out = np.zeros((2 * ROOM, layout.PACKET_WORDS), np.uint64)
            decoder = decoders[at * at % number]
            made = decoder.decode(buffer.data, records.data, len(block), out.data)
            tunnels.renumber(decoder, out[:made])
            numbers += (out[:made, layout.PKT_PATH] >> np.uint64(layout.TUNNEL_SHIFT)).tolist()
        results.append((numbers, tunnels.rows(decoders).tolist()))
    assert results[0] == results[1] == results[2]
    rows = np.array(results[0][1])
    packets_ = rows[:, layout.TUN_PACKETS_A] + rows[:, layout.TUN_PACKETS_B]
    assert packets_.sum() == 40 * 12
    assert np.count_nonzero(rows[:, layout.TUN_PACKETS_B]) > 10
    assert numbers.count(0) == 40 * 13


def test_a_full_list_of_tunnels_has_a_number_for_the_others() -> None:
    room = layout.OTHER_TUNNELS + 10
    lay = np.zeros((room, layout.LAYER_WORDS), np.uint64)
    lay[:, layout.LAY_TUNNEL] = layout.VXLAN << 32 | np.arange(room)
    lay[:, layout.LAY_ROW] = np.arange(room)
    out = np.zeros((room + 1, layout.PACKET_WORDS), np.uint64)
    list_ = underlay.Underlay(3)
    list_.number(lay.data, room, out.data)
    numbers = out[:room, layout.PKT_PATH] >> np.uint64(layout.TUNNEL_SHIFT)
    assert list_.used == layout.OTHER_TUNNELS - 1
    assert numbers[: list_.used].tolist() == list(range(1, layout.OTHER_TUNNELS))
    assert set(numbers[list_.used :].tolist()) == {layout.OTHER_TUNNELS}


def test_layout_of_the_kernel_rows() -> None:
    """Kernels write packet rows, and read records and tunnels, by number: they must fit layout."""
    assert (layout.REC_START, layout.REC_CAPLEN, layout.REC_WIRELEN, layout.REC_TIME) == (
        0,
        1,
        2,
        3,
    )
    assert (layout.REC_LINK, layout.REC_OFFSET, layout.REC_IP) == (4, 5, 6)
    wanted = (layout.PKT_SRC_HI, layout.PKT_SRC_LO, layout.PKT_DST_HI, layout.PKT_DST_LO)
    assert wanted == (0, 1, 2, 3)
    assert (layout.PKT_WHO, layout.PKT_MARKS, layout.PKT_PACKETS) == (4, 5, 6)
    assert (layout.PKT_BYTES, layout.PKT_TIME, layout.PKT_OFFSET, layout.PKT_IDENT) == (7, 8, 9, 10)
    assert (layout.PKT_PATH, layout.TTL_SHIFT, layout.VLAN_SHIFT) == (11, 32, 16)
    assert layout.LAY_DST_LO - layout.LAY_SRC_HI == 3
    assert (layout.TUN_A_HI, layout.TUN_B_LO, layout.TUN_KEY) == (0, 3, 4)
    assert (layout.TUN_PACKETS_A, layout.TUN_PACKETS_B) == (5, 6)
