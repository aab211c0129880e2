"""Scans of all speeds are found and named; hosts that merely fail now and then are not."""

from pathlib import Path

import numpy as np
import pytest
from findings_site import (
    HOUR,
    failed,
    inventory,
    look,
    of_kind,
    office,
    only,
    opened,
    ping,
    seen,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.analysis.findings.reconnaissance import ALARM, walk
from workbench.model.finding import Level, Thresholds
from workbench.model.net import parse_address
from workbench.model.traffic import Flow

BAD = "10.1.0.66"


def scan(step: float, targets: int = 40) -> list[Flow]:
    """Nobody answers: firewalls drop what they do not know."""
    return [
        failed(BAD, f"10.3.0.{at + 1}", 445, HOUR + at * step, refused=False)
        for at in range(targets)
    ]


@pytest.mark.parametrize("step", [0.0001, 0.1, 1, 15, 300, 4 * HOUR])
def test_a_horizontal_scan_is_found_at_any_speed(tmp_path: Path, step: float) -> None:
    found = only(look(tmp_path, office(), scan(step)), "port-scan")
    assert (found.technique, found.host) == ("T1046", parse_address(BAD))
    assert found.confidence is Level.MEDIUM  # nothing ever answered it: perhaps unseen
    assert len(found.peers) == 40 and len(found.evidence) == 40
    assert "40 hosts for tcp/445" in found.title


def alive() -> list[Flow]:
    """The scanner is a host like others: it gets answers."""
    return [seen(BAD, "10.2.0.10", 389, at) for at in (100, 2 * HOUR)]


@pytest.mark.parametrize("step", [0.001, 2, 600])
def test_one_that_gets_answers_elsewhere_is_sure(tmp_path: Path, step: float) -> None:
    assert only(look(tmp_path, office(), scan(step), alive()), "port-scan").confidence is Level.HIGH


@pytest.mark.parametrize("step", [0.001, 1, 900])
def test_a_vertical_scan_is_found_at_any_speed(tmp_path: Path, step: float) -> None:
    probes = [failed(BAD, "10.3.0.9", port, HOUR + port * step) for port in range(1, 101)]
    found = only(look(tmp_path, office(), probes, alive()), "port-scan")
    assert found.title == "Port scan of one host: 100 ports"
    assert found.confidence is Level.HIGH
    assert found.peers == (parse_address("10.3.0.9"),)


def test_a_connect_scan_of_ports_that_are_all_open_is_found(tmp_path: Path) -> None:
    probes = [opened(BAD, f"10.3.0.{at}", 445, HOUR + at) for at in range(1, 41)]
    found = only(look(tmp_path, office(), probes, alive()), "port-scan")
    assert "40 opened, but it said nothing" in found.why


def test_a_scan_among_much_that_works_shows_on_its_port(tmp_path: Path) -> None:
    """Two good first contacts for every failed one: over all of them the walk goes down."""
    good = [
        seen(BAD, f"10.4.{at // 100}.{at % 100 + 1}", 443, HOUR + at * 0.4) for at in range(100)
    ]
    assert only(look(tmp_path, office(), scan(1), good), "port-scan").confidence is Level.MEDIUM


def test_scanners_by_trade_are_told_with_low_confidence(tmp_path: Path) -> None:
    known = inventory(scanner=BAD)
    found = look(tmp_path, office(), scan(0.1), alive(), known=known)
    assert only(found, "port-scan").confidence is Level.LOW


def test_few_failures_are_nothing(tmp_path: Path) -> None:
    dead = [failed(BAD, f"10.3.0.{at}", 9100, at * 60) for at in range(1, 10)]
    assert not look(tmp_path, office(), dead, alive())


def test_a_handful_of_hosts_on_a_handful_of_ports_is_told_weakly(tmp_path: Path) -> None:
    """A gateway that fails to reach four hosts on three ports within the day."""
    tries = [failed(BAD, f"10.3.0.{at % 4}", 80 + at // 4, HOUR + at * 1800) for at in range(12)]
    assert only(look(tmp_path, office(), tries), "port-scan").confidence is Level.LOW


def test_failing_again_and_again_at_the_same_is_no_scan(tmp_path: Path) -> None:
    polls = [failed(BAD, f"10.3.0.{at % 5 + 1}", 9100, 60 * at, refused=False) for at in range(300)]
    assert not of_kind(look(tmp_path, office(), polls), "port-scan")


def test_load_balancers_that_knock_all_day_are_no_scanners(tmp_path: Path) -> None:
    knocks = [
        opened(BAD, f"10.3.0.{at}", 8080, round_ * 30 + at)
        for round_ in range(20)
        for at in range(1, 25)
    ]
    assert not of_kind(look(tmp_path, office(), knocks), "port-scan")


def test_what_fails_outside_is_no_business_of_ours(tmp_path: Path) -> None:
    peers = [failed(BAD, f"198.51.100.{at}", 6881, HOUR + at) for at in range(1, 200)]
    assert not of_kind(look(tmp_path, office(), peers), "port-scan")


def test_thresholds_can_be_moved(tmp_path: Path) -> None:
    found = look(tmp_path, office(), scan(1), limits=Thresholds(scan_targets=41))
    assert not of_kind(found, "port-scan")


# ── pings ──────────────────────────────────────────────────────────────────────────────────


def test_a_ping_sweep_is_found(tmp_path: Path) -> None:
    pings = [ping(BAD, f"10.3.0.{at}", HOUR + at) for at in range(1, 21)]
    found = only(look(tmp_path, office(), pings), "ping-sweep")
    assert (found.technique, found.confidence, len(found.peers)) == ("T1018", Level.MEDIUM, 20)


def test_a_sweep_into_the_void_is_sure(tmp_path: Path) -> None:
    pings = [ping(BAD, f"10.3.0.{at}", HOUR + at, answered=False) for at in range(1, 41)]
    assert only(look(tmp_path, office(), pings), "ping-sweep").confidence is Level.HIGH


def test_who_comes_back_watches(tmp_path: Path) -> None:
    pings = [
        ping(BAD, f"10.3.0.{at}", again * 600 + at) for again in range(6) for at in range(1, 21)
    ]
    assert not of_kind(look(tmp_path, office(), pings), "ping-sweep")


def test_what_the_baseline_holds_is_no_first_contact(tmp_path: Path) -> None:
    """A monitoring host without a label: its round of pings and dead ports was there before."""

    def round_(at: float) -> list[Flow]:
        pings = [ping(BAD, f"10.3.0.{one}", at + one) for one in range(1, 41)]
        dead = [failed(BAD, f"10.3.0.{one}", 9100, at + one + 0.5) for one in range(1, 41)]
        return [*pings, *dead]

    today = round_(9 * HOUR)
    assert not of_kind(
        look(tmp_path, today, before=[*office(), *round_(HOUR)]), "port-scan", "ping-sweep"
    )
    again = tmp_path / "again"
    again.mkdir()
    assert len(of_kind(look(again, today, before=office()), "port-scan", "ping-sweep")) == 2


# ── the walk ───────────────────────────────────────────────────────────────────────────────


def plain_walk(steps: list[tuple[int, int, int, bool]]) -> list[bool]:
    """The walk as it is told: by client and key, in order of time."""
    alarmed = [False] * len(steps)
    groups: dict[tuple[int, int], list[int]] = {}
    for at in sorted(range(len(steps)), key=lambda at: (steps[at][0], steps[at][3])):
        groups.setdefault(steps[at][1:3], []).append(at)
    for rows in groups.values():
        height, rise, top = 0, [], 0
        for row in [*rows, None]:
            if row is not None:
                height = max(0, height + (1 if steps[row][3] else -1))
            if row is None or height == 0:
                if top >= ALARM:
                    for one in rise:
                        alarmed[one] = steps[one][3]
                rise, top = [], 0
            else:
                rise.append(row)
                top = max(top, height)
    return alarmed


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 2), st.integers(0, 2), st.booleans()),
        max_size=60,
    )
)
def test_the_walk_is_what_it_says(steps: list[tuple[int, int, int, bool]]) -> None:
    times, clients, keys, bad = (
        (np.array(one) for one in zip(*steps, strict=True))
        if steps
        else (np.empty(0, np.int64) for _ in range(4))
    )
    found = walk(
        times.astype(np.int64), bad.astype(bool), clients.astype(np.int32), keys.astype(np.int64)
    )
    assert found.tolist() == plain_walk(steps)
