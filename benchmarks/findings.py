"""How long findings take, against DuckDB's aggregation of the flows into conversations.

    python benchmarks/findings.py [--flows N] [--keep FILE]

Adding up flows for the detectors (contacts, logins by the minute, rhythms, days) takes most of it;
the generated site logs in a great deal: half of its flows are on services that detectors look at.
"""

import argparse
import time
from pathlib import Path

from store import FLOWS, filled, yardstick

from workbench.analysis.findings import SERVICES, Scene, detect
from workbench.model.finding import Thresholds, Window
from workbench.model.site import Inventory
from workbench.store import Store


def report(store: Store, unit: float) -> None:
    begin = time.perf_counter()
    traces = store.traces(Window(), SERVICES, Thresholds())
    read = time.perf_counter() - begin
    times = traces.contacts["first_us"]
    covered = ((int(times.min()), int(times.max())),)
    scene = Scene(store.hosts(), Inventory(), traces, None, covered, Thresholds())
    begin = time.perf_counter()
    found = detect(scene)
    judged = time.perf_counter() - begin
    print(
        f"{len(times):,} contacts, {len(traces.logins['client']):,} minutes of logins, "
        f"{len(found):,} findings"
    )
    for name, seconds in (("flows added up", read), ("detectors", judged)):
        print(f"{name:40} {seconds:8.1f} s  {seconds / unit:.1f} × the yardstick")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--flows", type=int, default=FLOWS)
    parser.add_argument("--keep", type=Path, help="a store to fill once and use again")
    arguments = parser.parse_args()
    with filled(arguments.flows, arguments.keep) as store:
        report(store, yardstick(store))


if __name__ == "__main__":
    main()
