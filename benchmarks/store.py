"""Ten million generated flows in the store, and the yardstick of the analysis benches.

    python benchmarks/store.py [--flows N] [--keep FILE]

The yardstick is the time DuckDB needs to aggregate all flows into conversations. Ratios to it are
what counts; seconds depend on the machine. `--keep` fills FILE once and uses it again.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from workbench.capture import judge_again
from workbench.model.filters import parse_filter
from workbench.model.net import TCP, UDP, V4_BASE, AddressSet, ServiceRange, merge_services
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.traffic import (
    FLOW_DTYPES,
    CaptureReport,
    Direction,
    FlowColumns,
    HostTable,
    Mark,
    Outcome,
)
from workbench.store import FlowQuery, Judge, Store
from workbench.store.conversations import AGGREGATE

FLOWS = 10_000_000
HOSTS = 20_000
PAIRS = 750_000
"""Distinct (client, server, service) tuples that flows are drawn from."""
BATCH = 250_000
DAY_US = 86_400_000_000
START_US = 1_774_915_200_000_000
SERVICES = ((TCP, 443), (TCP, 80), (TCP, 445), (UDP, 53), (TCP, 5432), (TCP, 22), (UDP, 161))


def batches(flows: int = FLOWS, seed: int = 7) -> Iterator[FlowColumns]:
    """Flows of a site of 20,000 hosts: few servers, many clients, ~0.7 million conversations."""
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
        first = START_US + np.sort(random.integers(begin, begin + count, count)) * (DAY_US // flows)
        packets = random.integers(1, 40, count)
        answered = random.random(count) < 0.9
        unsure = at % 50 == 0
        opened = np.where(protocols[at] == TCP, ~unsure * (Mark.OPEN | Mark.ANSWER << 1), 0)
        token = random.integers(1, 1 << 32, count)
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
                "direction": np.where(unsure, Direction.FIRST, Direction.SYN),
                "flags_to_server": np.full(count, 0x1B),
                "flags_to_client": np.full(count, 0x1B) * answered,
                "vlan": np.zeros(count),
                "first_offset": np.arange(begin, begin + count) * 4000,
                "last_offset": np.arange(begin, begin + count) * 4000 + 3000,
                "client_token": token,
                "server_token": token * answered,
                "client_ttl": np.full(count, 64),
                "server_ttl": np.full(count, 128),
                "tunnel": np.zeros(count),
                "marks": opened | Mark.LIVE * answered,
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


def best_of(times: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest run."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found)


def yardstick(store: Store, times: int = 3) -> float:
    """Seconds to aggregate all flows into conversations, unsorted, into a temporary table."""
    aggregate = " ".join(("CREATE OR REPLACE TEMP TABLE aggregated AS", AGGREGATE))
    with store._database.work() as cursor:
        return best_of(times, lambda: cursor.execute(aggregate))


def thousand_rules(hosts: HostTable, rules: int = 1000, seed: int = 7) -> ResolvedPolicy:
    """A policy of 100 segments of 200 hosts; each rule joins two of them on a few services."""
    random = np.random.default_rng(seed)
    segments = [
        AddressSet.of_addresses(hosts.addresses[at] for at in random.choice(len(hosts), 200))
        for _ in range(100)
    ]

    def rule(number: int) -> ResolvedRule:
        client, server = random.integers(0, len(segments), 2)
        protocol, port = SERVICES[number % len(SERVICES)]
        wide = int(random.integers(1024, 60_000))
        services = [ServiceRange(protocol, port, port), ServiceRange(TCP, wide, wide + 500)]
        return ResolvedRule(
            f"rule-{number}", segments[client], segments[server], merge_services(services)
        )

    return ResolvedPolicy(
        "benchmark",
        segments=tuple((f"segment-{at}", segment) for at, segment in enumerate(segments)),
        protected_ingress=AddressSet.of_cidrs(["10.0.0.0/18"]),
        protected_egress=AddressSet.of_cidrs(["10.0.0.0/19"]),
        rules=tuple(map(rule, range(rules))),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Ten million generated flows in the store.")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--keep", type=Path, help="fill this file once and use it again")
    options = parser.parse_args()
    began = time.perf_counter()
    with filled(options.flows, options.keep) as store:
        print(f"filled and opened in {time.perf_counter() - began:.1f} s, peak {_peak_mb()} MB")
        hosts = store.hosts()
        table = store.conversations(hosts)
        print(f"{options.flows:,} flows, {len(table):,} conversations, {len(hosts):,} hosts")
        print(f"{store.path.stat().st_size / options.flows:.1f} bytes a flow on disk")
        unit = yardstick(store)
        print(f"yardstick: flows → conversations in {unit:.3f} s")
        policy = thousand_rules(hosts)
        query = FlowQuery(terms=parse_filter("port:443 -outcome:established").terms, sort="bytes")
        for label, work in {
            "conversations into arrays": lambda: store.conversations(hosts),
            "1,000 rules judged in SQL": lambda: store.judge(policy),
            "all flows sorted by bytes": lambda: store.flow_view(FlowQuery(sort="bytes")).close(),
            "flows filtered and sorted": lambda: store.flow_view(query).close(),
        }.items():
            print(f"{label}: {best_of(3, work) / unit:.3f} of the yardstick")
        for label, hints in (("one service more", (ServiceRange(TCP, 5432, 5432),)), ("less", ())):
            judge = Judge(judge_again, hints)
            spent = best_of(1, lambda judge=judge: store.settle(judge))  # type: ignore[misc]
            print(f"directions judged again, {label}: {spent / unit:.3f} of the yardstick")
        with store.flow_view(FlowQuery(sort="bytes")) as view:
            page = best_of(9, lambda: view.page(view.total // 2, 50))
        print(f"a page of 50 flows: {page * 1000:.1f} ms; peak {_peak_mb()} MB")


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
