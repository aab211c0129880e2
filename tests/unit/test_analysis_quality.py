"""What remarks say of captures, of all of them, and of what could not be seen."""

from dataclasses import replace

import numpy as np
import pytest
import store_samples as samples
from strategies import table_of

from workbench.analysis.quality import coverage, quality
from workbench.analysis.recordings import capture_remarks, silences
from workbench.analysis.unseen import view
from workbench.model.net import TCP, AddressSet, parse_address
from workbench.model.quality import FlowShares, HostSides, Part, View, Weight
from workbench.model.recording import Ending, Gap, Recording, Tunnel
from workbench.model.site import Host, Inventory, Network
from workbench.model.traffic import CaptureReport, Conversation, ConversationTable
from workbench.model.vantage import Vantage

SECOND, HOUR = 1_000_000, 3_600_000_000
CLEAN = replace(
    samples.REPORT, id=1, packets=1000, decoded=1000, skipped={}, first_us=0, last_us=HOUR, drops=0
)
LAN = ("10.1.0.1", "10.1.0.2", "10.1.0.3")
FAR = ("10.2.0.1", "10.2.0.2", "10.2.0.3")
WEB = "93.184.216.34"


def kinds(report: CaptureReport, shares: FlowShares = FlowShares()) -> dict[str, Weight]:  # noqa: B008
    return {remark.kind: remark.weight for remark in capture_remarks(report, shares)}


def made(**facts: object) -> CaptureReport:
    return replace(CLEAN, recording=replace(Recording(), **facts))  # type: ignore[arg-type]


def test_a_clean_capture_is_praised_for_one_thing_only() -> None:
    assert kinds(CLEAN) == {"no-drops": Weight.FACT}


@pytest.mark.parametrize(
    ("report", "kind", "weight"),
    [
        (replace(CLEAN, problems=("cut short: …",), ending=Ending.CUT), "problem", Weight.CARE),
        (replace(CLEAN, ending=Ending.CUT), "cut-short", Weight.CARE),
        (replace(CLEAN, ending=Ending.GROWING), "growing", Weight.CARE),
        (replace(CLEAN, packets=0, decoded=0), "empty", Weight.CARE),
        (replace(CLEAN, drops=3), "drops", Weight.CARE),
        (replace(CLEAN, drops=None), "drops-unknown", Weight.FACT),
        (replace(CLEAN, decoded=300, skipped={"ARP": 700}), "skipped", Weight.CARE),
        (replace(CLEAN, decoded=850, skipped={"ARP": 150}), "skipped", Weight.FACT),
        (replace(CLEAN, truncated_packets=9), "truncated", Weight.FACT),
        (replace(CLEAN, names=4), "names", Weight.FACT),
        (replace(CLEAN, tunnels=(Tunnel("VXLAN", (1, 2), 7, 9),)), "tunnels", Weight.FACT),
        (made(compared=1000, copies=10), "copies", Weight.CARE),
        (made(compared=1000, copies=9), "copies", Weight.FACT),
        (made(steps_back=1, step_back_us=SECOND, step_back_at_us=5), "clock", Weight.CARE),
        (made(steps_back=9, step_back_us=40, step_back_at_us=5), "out-of-order", Weight.FACT),
        (made(gaps=(Gap(0, HOUR // 2),)), "silence", Weight.FACT),
    ],
)
def test_each_thing_has_its_remark(report: CaptureReport, kind: str, weight: Weight) -> None:
    assert kinds(report)[kind] is weight
    assert kind not in kinds(CLEAN)


def test_a_wait_that_chance_explains_is_no_silence() -> None:
    assert silences(made(gaps=(Gap(0, HOUR // 40),))) == (Gap(0, HOUR // 40),)
    assert silences(made(gaps=(Gap(0, HOUR // 101),))) == ()
    few = replace(made(gaps=(Gap(0, HOUR // 40),)), packets=100)
    assert silences(few) == ()


@pytest.mark.parametrize(
    ("shares", "kind", "weight"),
    [
        (FlowShares(tcp=Part(20, 40), half_tcp=Part(2, 9)), "half-tcp", Weight.CARE),
        (FlowShares(unknown_direction=Part(5, 9)), "direction", Weight.CARE),
        (FlowShares(unknown_direction=Part(4, 9)), "direction", Weight.FACT),
        (FlowShares(mid_stream=Part(1, 9)), "mid-stream", Weight.FACT),
        (FlowShares(unanswered=Part(1, 9)), "unanswered", Weight.FACT),
        (FlowShares(one_way=Part(1, 9)), "one-way", Weight.FACT),
    ],
)
def test_kinds_of_flows(shares: FlowShares, kind: str, weight: Weight) -> None:
    total = FlowShares(total=Part(100, 1000))
    assert kinds(CLEAN, shares + total)[kind] is weight
    assert kind not in kinds(CLEAN, total)


def test_a_mirror_port_of_one_direction() -> None:
    shares = FlowShares(total=Part(50, 90), tcp=Part(50, 90), half_tcp=Part(49, 88))
    texts = [remark.text for remark in capture_remarks(CLEAN, shares)]
    assert any("98 % of the TCP flows" in text and "one direction only" in text for text in texts)


# ── time ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("spans", "covered", "gaps", "overlapping", "twice"),
    [
        ([(0, 10)], 10, [], 0, 0),
        ([(0, 10), (10, 20)], 20, [], 0, 0),
        ([(0, 10), (14, 20)], 16, [(10, 14)], 0, 0),
        ([(0, 10), (4, 20)], 20, [], 2, 6),
        ([(0, 30), (5, 10), (8, 12), (40, 41)], 31, [(30, 40)], 3, 7),
        ([(0, 10), (0, 10), (0, 10)], 10, [], 3, 10),
        ([(5, 5)], 0, [], 0, 0),
        ([], 0, [], 0, 0),
    ],
)
def test_time_covered(
    spans: list[tuple[int, int]],
    covered: int,
    gaps: list[tuple[int, int]],
    overlapping: int,
    twice: int,
) -> None:
    reports = [
        replace(CLEAN, first_us=first * SECOND, last_us=last * SECOND)
        for first, last in reversed(spans)
    ]
    found = coverage([*reports, replace(CLEAN, packets=0, first_us=None, last_us=None)])
    assert found.covered_us == covered * SECOND
    assert [(gap.start_us // SECOND, gap.end_us // SECOND) for gap in found.uncovered] == gaps
    assert (found.overlapping, found.overlap_us) == (overlapping, twice * SECOND)


def test_time_covered_is_what_counting_seconds_says() -> None:
    rng = np.random.default_rng(7)
    for _ in range(200):
        spans = [tuple(sorted(rng.integers(0, 40, 2).tolist())) for _ in range(rng.integers(1, 7))]
        seconds = np.zeros(40, np.int64)
        for first, last in spans:
            seconds[first:last] += 1
        reports = [replace(CLEAN, first_us=a * SECOND, last_us=b * SECOND) for a, b in spans]
        found = coverage(reports)
        assert found.covered_us == int((seconds > 0).sum()) * SECOND, spans
        assert found.overlap_us == int((seconds > 1).sum()) * SECOND, spans
        shared = sum(bool((seconds[a:b] > 1).any()) for a, b in spans)
        touching = sum(a == b for a, b in spans)  # a moment inside of another span
        assert shared <= found.overlapping <= shared + 2 * touching, spans


# ── what could not be seen ─────────────────────────────────────────────────────────────────


def table(*pairs: tuple[str, str]) -> ConversationTable:
    found = [
        Conversation(parse_address(client), parse_address(server), TCP, 443, flows=1)
        for client, server in pairs
    ]
    return table_of(found)


def sides(seen: ConversationTable, silent: tuple[str, ...] = ()) -> HostSides:
    """Everybody sends and receives, but for the silent ones."""
    hosts = seen.hosts.addresses
    sent = np.array([address not in map(parse_address, silent) for address in hosts], np.bool_)
    none = np.zeros(len(hosts), np.bool_)
    return HostSides(sent, ~none, none, none)


def look(*pairs: tuple[str, str], inventory: Inventory = Inventory()) -> View:  # noqa: B008
    seen = table(*pairs)
    return view(seen, sides(seen), inventory)


def text_of(found: View, kind: str) -> str:
    [text] = [remark.text for remark in found.remarks if remark.kind == kind]
    return text


def test_traffic_inside_a_network_that_never_came_by() -> None:
    found = look(*((pc, WEB) for pc in LAN), (LAN[0], FAR[0]), (LAN[1], FAR[1]), (LAN[2], FAR[2]))
    [lan] = [one for one in found.networks if one.name == "10.1.0.0/24"]
    assert (lan.guessed, lan.hosts, lan.inside, lan.across) == (True, 3, 0, 6)
    assert (lan.pairs_seen, lan.pairs) == (0, 3)
    texts = [remark.text for remark in found.remarks if remark.kind == "inside-unseen"]
    assert len(texts) == 2  # 10.2.0.0/24 as well
    assert "inside 10.1.0.0/24 (a guess) does not cross" in texts[0]
    assert "3 hosts have 6 conversations with others" in texts[0]


def test_one_conversation_inside_shows_that_it_would_have_come_by() -> None:
    found = look(*((pc, WEB) for pc in LAN), (LAN[0], LAN[1]), (FAR[0], WEB))
    assert not any(remark.kind == "inside-unseen" for remark in found.remarks)
    assert found.networks[0].pairs_seen == 1


def test_traffic_that_never_leaves() -> None:
    found = look((LAN[0], LAN[1]), (LAN[1], LAN[2]), (LAN[2], LAN[0]), (FAR[0], WEB), (FAR[1], WEB))
    assert "only traffic inside 10.1.0.0/24" in text_of(found, "edge-unseen")


def test_networks_that_never_met() -> None:
    apart = [*((pc, WEB) for pc in LAN), *((pc, "8.8.8.8") for pc in FAR)]
    found = look(*apart)
    [pair] = found.apart
    assert ({pair.one, pair.other}, pair.pairs) == ({"10.1.0.0/24", "10.2.0.0/24"}, 9)
    assert found.apart_total == 1 and "9 pairs of hosts" in text_of(found, "never-together")
    assert look(*apart, (FAR[2], LAN[0])).apart == ()


def test_a_capture_on_one_host() -> None:
    found = look(*((LAN[0], other) for other in (*LAN[1:], *FAR, WEB)))
    assert found.remarks[0].kind == "one-host" and "10.1.0.1 at one end" in found.remarks[0].text
    kinds = {remark.kind for remark in found.remarks}
    assert not kinds & {"inside-unseen", "never-together"}, "the one remark says it all"


def test_networks_of_the_inventory_come_first_and_the_narrowest_counts() -> None:
    networks = (
        Network("campus", AddressSet.of_cidrs(["10.0.0.0/8"])),
        Network("lab", AddressSet.of_cidrs(["10.1.0.0/24"])),
    )
    hosts = (Host("pc-1", (parse_address(LAN[0]),)),)
    found = look(*zip(LAN, FAR, strict=True), inventory=Inventory(hosts, networks))
    assert [(one.name, one.hosts) for one in found.networks] == [("campus", 3), ("lab", 3)]
    texts = [remark.text for remark in found.remarks if remark.kind == "inside-unseen"]
    assert any("traffic inside lab does not" in text for text in texts)


def test_pairs_are_counted_once_and_only_between_hosts_that_speak() -> None:
    seen = table((LAN[0], LAN[1]), (LAN[1], LAN[0]), (LAN[0], LAN[2]), (LAN[0], LAN[0]))
    found = view(seen, sides(seen, silent=(LAN[2],)), Inventory())
    assert (found.hosts, found.pairs_seen, found.pairs) == (2, 1, 1)
    assert "10.1.0.3" in text_of(found, "never-sent")


def test_groups_and_broadcast_addresses_are_no_hosts() -> None:
    seen = table((LAN[0], "224.0.0.251"), (LAN[1], "10.1.0.255"), (LAN[0], WEB))
    hosts = seen.hosts.addresses
    groups, lan255 = parse_address("224.0.0.251"), parse_address("10.1.0.255")
    listening = [address not in (groups, lan255) for address in hosts]
    flooded = [address in (groups, lan255, parse_address(LAN[1])) for address in hosts]
    facts = HostSides(
        sent=np.array(listening),
        received=np.array([address != parse_address(LAN[1]) for address in hosts]),
        flooded=np.array(flooded),
        many=np.array([address == groups for address in hosts]),
    )
    found = view(seen, facts, Inventory())
    assert found.hosts == 3
    assert sum(one.inside for one in found.networks) == 0
    assert "10.1.0.2" in text_of(found, "flooded-only")
    assert not any(remark.kind == "never-sent" for remark in found.remarks)


# ── all captures ───────────────────────────────────────────────────────────────────────────


def test_the_dataset_adds_up() -> None:
    nobody = table()
    cut = replace(
        CLEAN, id=2, path="/b.pcap", ending=Ending.CUT, skipped={"ARP": 3}, drops=None,
        first_us=2 * HOUR, last_us=3 * HOUR, recording=Recording(compared=10, copies=5),
    )  # fmt: skip
    shares = {1: FlowShares(Part(7, 70), one_way=Part(1, 2)), 2: FlowShares(Part(3, 30))}
    pair = Vantage(2, 1, 40, -12_000, 400, 2)
    together, reports = FlowShares(Part(9, 90)), [CLEAN, cut]
    judged = quality(reports, shares, together, nobody, sides(nobody), Inventory(), [pair])
    dataset = judged.dataset
    assert [one.shares for one in judged.captures] == list(shares.values())
    assert (dataset.captures, dataset.cut, dataset.packets) == (2, 1, 2000)
    assert (dataset.drops, dataset.compared, dataset.copies) == (0, 10, 5)
    assert dataset.skipped == {"ARP": 3}
    assert dataset.shares == together, "what two captures saw is counted once"
    told = {remark.kind: remark.text for remark in dataset.remarks}
    assert "1 of 2 captures did not end properly" in told["cut-short"]
    assert "1 of 2 captures" in told["drops-unknown"]
    assert "nothing was recorded for 1 h" in told["uncovered"]
    assert "67 % of the time is covered" in told["uncovered"]
    assert (
        "the clock of b.pcap is 12 ms behind (give or take 400 µs), 2 routers"
        in (told["same-traffic"])
    )


def test_nothing_loaded() -> None:
    nobody = table()
    judged = quality([], {}, FlowShares(), nobody, sides(nobody), Inventory())
    assert judged.captures == () and judged.dataset.remarks == judged.dataset.view.remarks == ()
