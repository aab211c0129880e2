"""Flows judged capture by capture, and then together by the store, are as if in one batch."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import store_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.capture import judge_again
from workbench.model.net import SCTP, TCP, UDP, ServiceRange, parse_address
from workbench.model.traffic import Direction, Flow, FlowColumns, Mark, Outcome
from workbench.store import FlowQuery, Judge, Store

HOSTS = [parse_address(f"10.0.0.{number}") for number in range(1, 6)]
PORTS = (443, 8080, 20_001, 20_002, 40_001, 40_002)
HINTS = (ServiceRange(TCP, 20_001, 20_001), ServiceRange(UDP, 40_000, 40_009))

ends = st.tuples(st.sampled_from(HOSTS), st.sampled_from(PORTS))


@st.composite
def seen(draw: st.DrawFn) -> list[Flow]:
    """Flows as if the end that spoke first were the client, no two between the same ends."""
    pairs = draw(st.lists(st.tuples(ends, ends).filter(lambda two: two[0][0] != two[1][0]),
                          max_size=24, unique_by=frozenset))  # fmt: skip
    found = []
    for at, ((client, client_port), (server, server_port)) in enumerate(pairs):
        found.append(
            samples.flow(
                client=client,
                client_port=client_port,
                server=server,
                server_port=server_port,
                protocol=draw(st.sampled_from((TCP, UDP, SCTP))),
                packets_to_client=draw(st.integers(0, 1)),
                direction=Direction.FIRST,
                outcome=Outcome.ONE_WAY,
                first_us=at,
                last_us=at,
                flags_to_client=24,
                marks=draw(st.sampled_from((0, 0, Mark.OPEN, Mark.ANSWER << 1, Mark.LIVE))),
            )
        )
    return found


def judged(flows: Sequence[Flow], hints: Sequence[ServiceRange]) -> FlowColumns:
    """As the capture room judges a batch."""
    return judge_again(samples.columns(flows), hints)


def rows(columns: FlowColumns) -> list[tuple[int, ...]]:
    names = [name for name in columns if not name.startswith(("first", "last"))]
    return sorted(zip(*(columns[name].tolist() for name in names), strict=True))


def stored(store: Store) -> list[tuple[int, ...]]:
    with store.flow_view(FlowQuery()) as view:
        return rows(samples.columns(view.page(0, view.total)))


def load(store: Store, judge: Judge, captures: Sequence[Sequence[Flow]]) -> None:
    with store.load(judge) as job:
        for flows in captures:
            known = len(store.captures())
            name = f"{known} {id(flows)}"
            number = job.begin(name, name)
            job.flows(number, judged(flows, judge.hints))
            job.finish(number, replace(samples.REPORT, fingerprint=name))


@settings(max_examples=30, deadline=None)
@given(seen(), st.lists(st.integers(0, 24), max_size=3), st.integers(0, 4), st.booleans())
def test_judged_in_parts_is_judged_at_once(
    flows: list[Flow], borders: list[int], first: int, hinted: bool
) -> None:
    edges = [0, *sorted(borders), len(flows)]
    parts = [flows[begin:end] for begin, end in pairwise(edges)]
    hints = HINTS if hinted else ()
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        judge = Judge(judge_again, hints)
        load(store, judge, parts[:first])
        load(store, judge, parts[first:])
        assert stored(store) == rows(judged(flows, hints))
        for hints in (HINTS, HINTS[:1], ()):  # and as if the services had always been these
            judge = Judge(judge_again, hints)
            changed = not store.settled(judge)
            assert store.settle(judge) == changed
            assert store.settled(judge)
            assert stored(store) == rows(judged(flows, hints))
            table = store.conversations(store.hosts())
            assert int(np.sum(table["flows"])) == len(flows)
