"""Findings depend on the traffic alone: not on the order of its flows, nor on how it was cut."""

import random
import tempfile
from dataclasses import replace
from pathlib import Path

from findings_site import (
    HOUR,
    failed,
    look,
    office,
    opened,
    ping,
    question,
    seen,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from store_samples import captures, load

from workbench.analysis.findings import SERVICES, Scene, detect
from workbench.model.finding import Finding, Thresholds, Window
from workbench.model.net import parse_address
from workbench.model.site import Host, Inventory
from workbench.model.traffic import Flow
from workbench.store import Store

HOSTS = ("10.1.0.11", "10.1.0.12", "10.3.0.22", "10.3.0.31", "fd00:1::11", "203.0.113.66")
KNOWN = Inventory((Host("pc-01", tuple(map(parse_address, ("fd00:1::11", "10.1.0.11")))),))
"""Its address that comes first is not the one that is seen first."""

host = st.sampled_from(HOSTS)
moment = st.integers(0, 8 * 60).map(lambda minute: minute * 60.0)  # ties are what goes wrong
logins = st.builds(seen, host, host, st.sampled_from((22, 135, 445, 3389, 5985, 502)), moment)


@st.composite
def bursts(draw: st.DrawFn) -> list[Flow]:
    """Something that an intruder does, at some speed."""
    bad, at = draw(host), draw(moment)
    step = draw(st.sampled_from((0.0, 0.01, 1.0, 60.0)))
    kind = draw(st.sampled_from(("scan", "knock", "ping", "guess", "ask", "beat")))
    many = range(draw(st.integers(8, 45)))
    targets = [f"10.4.0.{number + 1}" for number in many]
    times = [at + number * step for number in many]
    match kind:
        case "scan":
            return [failed(bad, *one, 445, when) for *one, when in zip(targets, times, strict=True)]
        case "knock":
            return [opened(bad, "10.4.0.1", 1000 + one, times[one]) for one in many]
        case "ping":
            return [ping(bad, *one) for one in zip(targets, times, strict=True)]
        case "guess":
            return [seen(bad, "10.3.0.22", 22, when) for when in times]
        case "ask":
            return [question(bad, "10.2.0.10", when) for when in times]
    return [seen(bad, "10.3.0.31", 8443, at + 300 * one) for one in many]


def told(flows: list[Flow], cuts: int) -> tuple[Finding, ...]:
    size = -(-len(flows) // cuts)
    pieces = [flows[begin : begin + size] for begin in range(0, len(flows), size)]
    with tempfile.TemporaryDirectory() as folder:
        return look(Path(folder), *pieces, known=KNOWN)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(logins, max_size=20),
    st.lists(bursts(), max_size=3),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_order_and_cuts_change_nothing(
    single: list[Flow], several: list[list[Flow]], cuts: int, shuffled: random.Random
) -> None:
    flows = [*office(hours=2, pcs=3), *single, *(one for some in several for one in some)]
    once = told(flows, 1)
    shuffled.shuffle(flows)
    assert told(flows, cuts) == once


@settings(max_examples=25, deadline=None)
@given(captures)
def test_hostile_numbers_raise_nothing(groups: list[list[Flow]]) -> None:
    """Any times, sizes and addresses that a log may claim."""
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "f.duckdb") as store:
        load(store, *groups)
        every = store.traces(Window(), SERVICES, Thresholds())
        early = store.traces(Window(before_us=15), SERVICES, Thresholds())
        scene = Scene(store.hosts(), KNOWN, every, early, ((0, HOUR),), Thresholds(scan_targets=1))
        for one in detect(scene):
            assert one.id and one.why and replace(one) == one
        assert int(every.contacts["flows"].sum()) == sum(map(len, groups))
