"""How long it takes to see and judge 10 million flows, against DuckDB's aggregation of them.

    python benchmarks/simulate.py [--flows N] [--keep FILE]

Prints each job's best of several runs, and its share of the yardstick: the time DuckDB needs to
aggregate all flows into conversations. The aims are a tenth for the segment matrix, a fifth for a
full simulation of 1,000 rules, a hundredth for one edited rule with all that follows from it.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
from store import FLOWS, HOSTS, SERVICES, filled

from workbench.analysis import Simulator, by_host, by_segment, changes, matrix
from workbench.model.net import service_text
from workbench.model.policy import Policy, Protection, ResolvedPolicy, Rule, Segment
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable
from workbench.policy import resolve

RULES = 1_000
SEGMENTS = HOSTS // 250
AGGREGATE = """
    CREATE OR REPLACE TEMP TABLE aggregated AS
    SELECT client, server, protocol, server_port,
        min(client_port), max(client_port), count(*),
        sum(packets_to_server) + sum(packets_to_client),
        sum(bytes_to_server) + sum(bytes_to_client),
        min(first_us), max(last_us), min(outcome), max(direction)
    FROM flows GROUP BY ALL
"""


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the quickest run."""
    found = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        found.append(time.perf_counter() - begin)
    return min(found)


def policy_of(rules: int, seed: int = 3) -> Policy:
    """One segment for each /24, all protected; rules between random ones, some on many ports."""
    random = np.random.default_rng(seed)
    names = [f"net-{at}" for at in range(SEGMENTS)]
    literals = [*(service_text(*service) for service in SERVICES), "tcp/1024-65535", "any"]
    chances = np.array([*[1.0] * len(SERVICES), 0.1, 0.05])
    chances /= chances.sum()

    def some(items: list[str], most: int, weights: np.ndarray | None = None) -> tuple[str, ...]:
        count = int(random.integers(1, most + 1))
        return tuple(random.choice(items, count, replace=False, p=weights).tolist())

    return Policy(
        protect=tuple(map(Protection, names)),
        segments=tuple(Segment(name, cidrs=(f"10.0.{at}.0/24",)) for at, name in enumerate(names)),
        rules=tuple(
            Rule(f"rule-{at}", some(names, 3), some(names, 3), some(literals, 2, chances))
            for at in range(rules)
        ),
    )


def edits(policy: Policy, table: ConversationTable) -> list[ResolvedPolicy]:
    """The policy with one rule replaced, resolved afresh, again and again."""
    others = [replace(rule, id="edited") for rule in policy_of(40, seed=11).rules]
    return [
        resolve(
            replace(policy, rules=(*policy.rules[:500], rule, *policy.rules[501:])),
            Inventory(),
            table.hosts.addresses,
            date(2026, 6, 15),
        )
        for rule in others
    ]


def report(table: ConversationTable, yardstick: float) -> None:
    policy = policy_of(RULES)
    drafts = edits(policy, table)
    simulator = Simulator(table)
    simulation = simulator.simulate(drafts[-1])
    waiting = iter(drafts)

    def edit() -> None:
        changes(simulation, simulator.simulate(next(waiting)))

    hosts = by_host(table.hosts, Inventory())
    segments = by_segment(table.hosts, drafts[0])
    jobs: dict[str, tuple[float, int]] = {
        f"full simulation of {RULES} rules": (
            best(lambda: Simulator(table).simulate(drafts[0])),
            5,
        ),
        "one edited rule, with what it changed": (best(edit, 30), 100),
        "segment matrix": (best(lambda: matrix(simulation, segments)), 10),
        "host matrix": (best(lambda: matrix(simulation, hosts)), 1),
    }
    shown = simulation.coverage
    print(f"{len(table):,} conversations, coverage {shown.share:.1%}")
    print(f"{'DuckDB: flows to conversations':40} {yardstick * 1000:8.1f} ms")
    for name, (seconds, aim) in jobs.items():
        share = yardstick / seconds
        verdict = "ok" if share >= aim else "TOO SLOW"
        print(f"{name:40} {seconds * 1000:8.1f} ms  1/{share:.0f} of it (aim 1/{aim}) {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--keep", type=Path, help="a store to fill once and use again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or Path(folder) / "flows.duckdb"
        with filled(arguments.flows, path) as store:
            table = store.conversations(store.hosts())
        offline = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
        with duckdb.connect(path, config=offline) as database:
            yardstick = best(lambda: database.execute(AGGREGATE), 3)
    report(table, yardstick)


if __name__ == "__main__":
    main()
