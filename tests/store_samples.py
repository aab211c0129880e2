"""Generated flows for the store's tests, and one line to load them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from workbench.model.net import LAST_ADDRESS, V4_BASE, V4_LAST, parse_address
from workbench.model.traffic import (
    FLOW_DTYPES,
    CaptureReport,
    Direction,
    Flow,
    FlowColumns,
    Outcome,
)
from workbench.store import Store

ADDRESSES = (
    *map(parse_address, ("10.0.0.1", "10.0.0.2", "10.0.1.9", "192.0.2.7", "224.0.0.251")),
    *map(parse_address, ("fd00::1", "fd00::2", "2001:db8::5", "fe80::1")),
    *(0, V4_BASE, V4_LAST, V4_LAST + 1, LAST_ADDRESS),
)
PROTOCOLS = (1, 2, 6, 17, 47, 58, 132)
PORTS = (0, 3, 8, 22, 53, 67, 68, 80, 443, 445, 546, 8080, 40_000, 65_535)
REPORT = CaptureReport(
    path="/captures/a.pcap",
    format="pcap",
    size=1000,
    fingerprint="a",
    packets=10,
    decoded=9,
    skipped={"ARP": 1},
    truncated_packets=0,
    snaplen=262_144,
    link_types=("Ethernet",),
    interfaces=1,
    first_us=0,
    last_us=5,
    wire_bytes=900,
    flows=0,
)

_count = st.integers(0, 40) | st.integers(0, 2**64 - 1)
_time = st.integers(0, 30) | st.integers(-(2**63), 2**63 - 1)
_flag = st.integers(0, 255)

flows = st.builds(
    Flow,
    id=st.just(0),
    capture=st.just(0),
    client=st.sampled_from(ADDRESSES),
    server=st.sampled_from(ADDRESSES),
    protocol=st.sampled_from(PROTOCOLS),
    client_port=st.sampled_from(PORTS),
    server_port=st.sampled_from(PORTS),
    packets_to_server=_count,
    packets_to_client=_count,
    bytes_to_server=_count,
    bytes_to_client=_count,
    first_us=_time,
    last_us=_time,
    outcome=st.sampled_from(Outcome),
    direction=st.sampled_from(Direction),
    flags_to_server=_flag,
    flags_to_client=_flag,
    vlan=st.sampled_from((0, 10, 4094)),
    first_offset=_count,
    last_offset=_count,
)
captures = st.lists(st.lists(flows, max_size=25), min_size=1, max_size=3)
"""The flows of one to three captures."""


def flow(**values: Any) -> Flow:
    """A plain flow, changed where the test says so."""
    plain = Flow(
        0, 0, ADDRESSES[0], ADDRESSES[1], 6, 40_000, 443, 5, 4, 500, 4000, 100, 200,
        Outcome.ESTABLISHED, Direction.SYN, 27, 27, 0, 24, 900,
    )  # fmt: skip
    return replace(plain, **values)


def columns(items: Sequence[Flow]) -> FlowColumns:
    """Flows as capture hands them over."""

    def values(name: str) -> list[int]:
        end, _, half = name.rpartition("_")
        if half == "hi":
            return [getattr(item, end) >> 64 for item in items]
        if half == "lo":
            return [getattr(item, end) & (1 << 64) - 1 for item in items]
        return [getattr(item, name) for item in items]

    return {name: np.array(values(name), dtype=kind) for name, kind in FLOW_DTYPES.items()}


def load(store: Store, *groups: Sequence[Flow]) -> list[Flow]:
    """Load each group as a capture, in one transaction; the flows as the store numbers them."""
    stored = []
    reports = store.captures()
    first = max((report.id or 0 for report in reports), default=0) + 1
    next_flow = sum(report.flows for report in reports) + 1
    with store.load() as job:
        for number, group in enumerate(groups, first):
            report = replace(REPORT, path=f"/captures/{number}.pcap", fingerprint=f"print {number}")
            assert job.begin(report.path, report.fingerprint) == number
            job.flows(number, columns(group))
            job.finish(number, replace(report, flows=len(group)))
            stored += [replace(item, capture=number) for item in group]
    return [replace(item, id=at) for at, item in enumerate(stored, next_flow)]
