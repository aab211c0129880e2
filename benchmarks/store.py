"""Ten million generated flows in the store: what the analysis benches compare themselves with.

    python benchmarks/store.py [--flows N] [--keep FILE]

The yardstick is the time DuckDB needs to aggregate all flows into conversations. Ratios to it are
what counts; seconds depend on the machine.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from workbench.model.net import TCP, UDP, V4_BASE
from workbench.model.traffic import (
    FLOW_DTYPES,
    CaptureReport,
    ConversationTable,
    Direction,
    FlowColumns,
    Outcome,
)
from workbench.store import Store

FLOWS = 10_000_000
HOSTS = 20_000
PAIRS = 750_000
"""Distinct (client, server, service) tuples that flows are drawn from."""
BATCH = 250_000
DAY_US = 86_400_000_000
START_US = 1_774_915_200_000_000
SERVICES = ((TCP, 443), (TCP, 80), (TCP, 445), (UDP, 53), (TCP, 5432), (TCP, 22), (UDP, 161))


def batches(flows: int = FLOWS, seed: int = 7) -> Iterator[FlowColumns]:
    """Flows of a site of 20,000 hosts: few servers, many clients, some 0.7 million conversations."""
    random = np.random.default_rng(seed)
    pairs = min(PAIRS, max(1, flows // 13))
    clients = random.integers(0, HOSTS, pairs)
    servers = random.zipf(1.3, pairs) % HOSTS
    service = random.integers(0, len(SERVICES), pairs)
    odd = random.random(pairs) < 0.1
    ports = np.where(odd, random.integers(1024, 65536, pairs), np.array(SERVICES)[service, 1])
    protocols = np.array(SERVICES)[service, 0]
    address = _addresses()
    for begin in range(0, flows, BATCH):
        count = min(BATCH, flows - begin)
        at = random.integers(0, pairs, count)
        first = START_US + np.sort(random.integers(0, DAY_US, count)) // (flows // BATCH + 1)
        first += DAY_US * begin // flows
        packets = random.integers(1, 40, count)
        answered = random.random(count) < 0.9
        yield _typed(
            {
                "client_hi": np.zeros(count),
                "client_lo": address[clients[at]],
                "server_hi": np.zeros(count),
                "server_lo": address[servers[at]],
                "protocol": protocols[at],
                "client_port": random.integers(32768, 61000, count),
                "server_port": ports[at],
                "packets_to_server": packets,
                "packets_to_client": packets * answered,
                "bytes_to_server": packets * 120,
                "bytes_to_client": packets * answered * 900,
                "first_us": first,
                "last_us": first + random.integers(0, 60_000_000, count),
                "outcome": np.where(answered, Outcome.ESTABLISHED, Outcome.UNANSWERED),
                "direction": np.where(at % 50 == 0, Direction.FIRST, Direction.SYN),
                "flags_to_server": np.full(count, 0x1B),
                "flags_to_client": np.full(count, 0x1B) * answered,
                "vlan": np.zeros(count),
                "first_offset": np.arange(begin, begin + count) * 4000,
                "last_offset": np.arange(begin, begin + count) * 4000 + 3000,
            }
        )


def _addresses() -> np.ndarray:
    """10.0.0.0 upwards, 250 hosts in each /24."""
    number = np.arange(HOSTS)
    return V4_BASE + (10 << 24) + (number // 250 << 8) + number % 250 + 1


def _typed(columns: dict[str, np.ndarray]) -> FlowColumns:
    return {name: columns[name].astype(kind) for name, kind in FLOW_DTYPES.items()}


def fill(store: Store, flows: int = FLOWS) -> None:
    """Load the generated flows as one capture."""
    with store.load() as job:
        number = job.begin("generated", f"generated-{flows}")
        for columns in batches(flows):
            job.flows(number, columns)
        job.finish(number, report(flows))


def report(flows: int) -> CaptureReport:
    return CaptureReport(
        path="generated",
        format="generated",
        size=0,
        fingerprint=f"generated-{flows}",
        packets=flows,
        decoded=flows,
        skipped={},
        truncated_packets=0,
        snaplen=0,
        link_types=("Ethernet",),
        interfaces=1,
        first_us=START_US,
        last_us=START_US + DAY_US,
        wire_bytes=0,
        flows=flows,
    )


@contextmanager
def filled(flows: int = FLOWS, keep: Path | None = None) -> Iterator[Store]:
    """A store with the generated flows; `keep` names a file to fill once and use again."""
    with tempfile.TemporaryDirectory() as folder:
        path = keep or Path(folder) / "flows.duckdb"
        fresh = not path.exists()
        with Store.open(path) as store:
            if fresh:
                fill(store, flows)
            yield store


def best_of(times: int, work: object) -> float:
    raise NotImplementedError
