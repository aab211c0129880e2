"""How long it takes to see and judge 10 million flows, against DuckDB's aggregation of them.

    python benchmarks/simulate.py [--flows N] [--keep FILE]

Prints each job's best of several runs, and its share of the yardstick: the time DuckDB needs to
aggregate all flows into conversations. The aims are a tenth for the segment matrix, a fifth for a
full simulation of 1,000 rules, a hundredth for one edited rule with all that follows from it.
"""

import argparse
import importlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
from store import FLOWS, HOSTS, SERVICES, best_of, filled, yardstick

from workbench.analysis import Simulator, by_host, by_segment, changes, matrix
from workbench.model.net import service_text
from workbench.model.policy import Policy, Protection, ResolvedPolicy, Rule, Segment
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable
from workbench.policy import resolve

RULES = 1_000
SEGMENTS = HOSTS // 250


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


def report(table: ConversationTable, unit: float) -> None:
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
            best_of(5, lambda: Simulator(table).simulate(drafts[0])),
            5,
        ),
        "one edited rule, with what it changed": (best_of(30, edit), 100),
        "segment matrix": (best_of(5, lambda: matrix(simulation, segments)), 10),
        "host matrix": (best_of(5, lambda: matrix(simulation, hosts)), 1),
    }
    shown = simulation.coverage
    print(f"{len(table):,} conversations, coverage {shown.share:.1%}")
    print(f"{'DuckDB: flows to conversations':40} {unit * 1000:8.1f} ms")
    for name, (seconds, aim) in jobs.items():
        share = unit / seconds
        verdict = "ok" if share >= aim else "TOO SLOW"
        print(f"{name:40} {seconds * 1000:8.1f} ms  1/{share:.0f} of it (aim 1/{aim}) {verdict}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--keep", type=Path, help="a store to fill once and use again")
    arguments = parser.parse_args()
    with filled(arguments.flows, arguments.keep) as store:
        table, unit = store.conversations(store.hosts()), yardstick(store)
    report(table, unit)
    importlib.import_module("exposure").report(table, unit)  # it imports this one


if __name__ == "__main__":
    main()
