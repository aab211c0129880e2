"""How long exposure takes, against DuckDB's aggregation of the flows that the hosts come from.

    python benchmarks/exposure.py [--flows N] [--keep FILE]

The aims: all pairs of all hosts under 1,000 rules within ten times the yardstick of 10 million
flows, and after an edit of one rule within the yardstick itself. `benchmarks/simulate.py` prints
the same lines at its end.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from simulate import RULES, edits, policy_of
from store import FLOWS, best_of, filled, yardstick

from workbench.analysis.exposure import Chokes, Picture, allowed, machines_of, positions, seen
from workbench.model.exposure import Scenario
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable


def report(table: ConversationTable, unit: float) -> None:
    drafts = iter(edits(policy_of(RULES), table))
    first = next(drafts)
    machines = machines_of(table, Inventory())
    shown = drawn(first, table)
    whole = shown.whole()
    jobs = {
        "exposure of all pairs, afresh": (best_of(3, lambda: drawn(first, table)), 10.0),
        "after one edited rule": (best_of(5, lambda: edited(drafts, shown).score), 1.0),
        "exposure as observed": (best_of(3, lambda: observed(table, shown)), 10.0),
        "every host in figures": (best_of(3, shown.targets), 10.0),
        "choke points of one foothold": (best_of(3, lambda: chokes(shown)), 10.0),
    }
    print(
        f"{len(machines):,} machines, {len(shown.openings):,} boxes, "
        f"{len(shown.spread.doors_of):,} kinds, score {whole.score:.1f}"
    )
    for name, (seconds, most) in jobs.items():
        verdict = "ok" if seconds <= most * unit else "TOO SLOW"
        times = f"{seconds / unit:.2f} × the yardstick (at most {most:.0f} ×)"
        print(f"{name:40} {seconds * 1000:8.1f} ms  {times} {verdict}")


def drawn(policy: ResolvedPolicy, table: ConversationTable) -> Picture:
    """Everything from the machines on."""
    machines = machines_of(table, Inventory())
    segments = tuple((name, machines.within(inside)) for name, inside in policy.segments)
    picture = Picture(Scenario.DRAFT, machines, allowed(policy, machines), segments)
    picture.prepare()
    return picture


def edited(drafts: Iterator[ResolvedPolicy], before: Picture) -> Picture:
    """The next draft on machines and segments that are known."""
    boxes = allowed(next(drafts), before.machines)
    return Picture(Scenario.DRAFT, before.machines, boxes, before.segments)


def observed(table: ConversationTable, before: Picture) -> None:
    boxes = seen(table, before.machines)
    Picture(Scenario.OBSERVED, before.machines, boxes, before.segments).prepare()


def chokes(picture: Picture) -> None:
    last = int(positions(picture.machines.everybody)[-1])
    Chokes(picture, 1, 1 << last).ranked()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--keep", type=Path, help="a store to fill once and use again")
    arguments = parser.parse_args()
    with filled(arguments.flows, arguments.keep) as store:
        table, unit = store.conversations(store.hosts()), yardstick(store)
    report(table, unit)


if __name__ == "__main__":
    main()
