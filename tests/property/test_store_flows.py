"""What the store answers equals what plain Python says of the same flows."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import store_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.model.filters import Term, parse_time
from workbench.model.net import PORT_PROTOCOLS
from workbench.model.traffic import Conversation, Direction, Flow, Outcome
from workbench.store import SORTS, FlowQuery, Store, keys_of

BEST_FIRST = (
    Outcome.ESTABLISHED,
    Outcome.REFUSED,
    Outcome.MID_STREAM,
    Outcome.ONE_WAY,
    Outcome.UNANSWERED,
)
LARGEST = 2**63 - 1


def aggregated(flows: list[Flow]) -> list[Conversation]:
    """Conversations by protocol, port and endpoints, in no order."""
    groups: dict[tuple[int, int, int, int], list[Flow]] = defaultdict(list)
    for flow in flows:
        groups[flow.client, flow.server, flow.protocol, flow.server_port].append(flow)
    return [
        Conversation(
            *key,
            client_port_low=min(flow.client_port for flow in group),
            client_port_high=max(flow.client_port for flow in group),
            flows=len(group),
            packets=min(LARGEST, sum(f.packets_to_server + f.packets_to_client for f in group)),
            bytes=min(LARGEST, sum(f.bytes_to_server + f.bytes_to_client for f in group)),
            first_us=min(flow.first_us for flow in group),
            last_us=max(flow.last_us for flow in group),
            outcome=min((flow.outcome for flow in group), key=BEST_FIRST.index),
            direction=max(flow.direction for flow in group),
        )
        for key, group in groups.items()
    ]


@settings(max_examples=25, deadline=None)
@given(samples.captures, samples.captures)
def test_conversations_are_the_flows_added_up(
    first: list[list[Flow]], second: list[list[Flow]]
) -> None:
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        samples.load(store, *first)
        before = store.hosts()
        samples.load(store, *second)
        everything = [flow for group in (*first, *second) for flow in group]
        hosts = store.hosts()
        assert hosts.addresses[: len(before)] == before.addresses
        assert sorted(hosts.addresses) == sorted(
            {flow.client for flow in everything} | {flow.server for flow in everything}
        )
        table = store.conversations(hosts)
        found = [table.at(row) for row in range(len(table))]
        assert set(found) == set(aggregated(everything))
        assert len(found) == len(set(found))
        keys = [tuple(table[name]) for name in ("protocol", "port", "client", "server")]
        assert list(zip(*keys, strict=True)) == sorted(zip(*keys, strict=True))


TIMES = ("1970-01-01", "1970-01-01T00:00:00.000012Z", "2026-03-31T14:02Z")
terms = st.one_of(
    *(
        st.builds(
            Term,
            st.just(field),
            st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple),
            st.booleans(),
        )
        for field, values in {
            "capture": ("1", "2", "3.pcap", "?.pcap", "nothing"),
            "vlan": ("0", "10", "99999"),
            "port": ("80", "443", "8", "65535"),
            "outcome": tuple(item.text for item in Outcome),
            "direction": tuple(item.text for item in Direction),
            "after": TIMES,
            "before": TIMES,
        }.items()
    )
)


def holds(term: Term, flow: Flow) -> bool:
    name = f"{flow.capture}.pcap"
    ports = (flow.client_port, flow.server_port) if flow.protocol in PORT_PROTOCOLS else ()
    test: Callable[[str], bool] = {
        "capture": lambda value: value in (str(flow.capture), name, "?.pcap"),
        "vlan": lambda value: flow.vlan == int(value),
        "port": lambda value: int(value) in ports,
        "outcome": lambda value: flow.outcome.text == value,
        "direction": lambda value: flow.direction.text == value,
        "after": lambda value: flow.last_us >= parse_time(value),
        "before": lambda value: flow.first_us < parse_time(value),
    }[term.field]
    return any(map(test, term.values)) is not term.negated


def sort_key(sort: str) -> Callable[[Flow], int]:
    if sort in ("packets", "bytes"):
        return lambda flow: getattr(flow, f"{sort}_to_server") + getattr(flow, f"{sort}_to_client")
    return lambda flow: int(getattr(flow, sort))


@settings(max_examples=40, deadline=None)
@given(
    samples.captures,
    st.lists(terms, max_size=3).map(tuple),
    st.sampled_from(sorted(SORTS)),
    st.booleans(),
    st.none() | st.integers(0, 2**30),
    st.integers(1, 9),
)
def test_pages_are_the_flows_filtered_and_sorted(
    groups: list[list[Flow]],
    terms: tuple[Term, ...],
    sort: str,
    descending: bool,
    chosen: int | None,
    size: int,
) -> None:
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        expected = samples.load(store, *groups)
        table = store.conversations(store.hosts())
        fitting = {
            (flow.client, flow.server, flow.protocol, flow.server_port)
            for flow in expected
            if all(holds(term, flow) for term in terms)
        }
        seen = [table.at(row) for row in range(len(table))]
        assert store.having(terms).tolist() == [
            (one.client, one.server, one.protocol, one.port) in fitting for one in seen
        ]
        rows = np.array([(chosen or 0) >> row % 30 & 1 for row in range(len(table))], dtype=bool)
        kept = {
            (seen.client, seen.server, seen.protocol, seen.port)
            for seen in (table.at(int(row)) for row in np.flatnonzero(rows))
        }
        expected = [
            flow
            for flow in expected
            if all(holds(term, flow) for term in terms)
            and (
                chosen is None
                or (flow.client, flow.server, flow.protocol, flow.server_port) in kept
            )
        ]
        sign = -1 if descending else 1
        expected.sort(key=lambda flow: (sign * sort_key(sort)(flow), flow.id))
        keys = None if chosen is None else keys_of(table, rows)
        with store.flow_view(FlowQuery(keys, terms, sort, descending)) as view:
            assert view.total == len(expected)
            assert view.totals.packets == sum(
                flow.packets_to_server + flow.packets_to_client for flow in expected
            )
            assert view.totals.bytes == sum(
                flow.bytes_to_server + flow.bytes_to_client for flow in expected
            )
            for start in range(0, len(expected) + 1, size):
                assert list(view.page(start, size)) == expected[start : start + size]
        for flow in expected[:2]:
            assert store.flow(flow.id) == flow
