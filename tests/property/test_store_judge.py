"""The SQL oracle gives the reference verdict for every conversation."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import store_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.model.net import (
    ALL_V4,
    ANY_SERVICE,
    EVERYWHERE,
    AddressRange,
    AddressSet,
    ServiceRange,
    merge_services,
)
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.traffic import Direction, Flow
from workbench.model.verdict import Verdict
from workbench.policy import decide
from workbench.store import Store

_bound = st.sampled_from(samples.ADDRESSES)
_range = st.builds(lambda a, b: AddressRange(min(a, b), max(a, b)), _bound, _bound)
address_sets = st.sampled_from((EVERYWHERE, ALL_V4, AddressSet())) | st.lists(
    _range | _bound.map(lambda one: AddressRange(one, one)), max_size=4
).map(AddressSet.of)
_port = st.sampled_from(samples.PORTS)
services = st.lists(
    st.just(ANY_SERVICE)
    | st.builds(
        lambda protocol, a, b: ServiceRange(protocol, min(a, b), max(a, b)),
        st.sampled_from(samples.PROTOCOLS),
        _port,
        _port,
    ),
    min_size=1,
    max_size=3,
).map(merge_services)
rules = st.lists(
    st.builds(ResolvedRule, st.just("rule"), address_sets, address_sets, services), max_size=5
).map(tuple)
policies = st.builds(
    ResolvedPolicy,
    st.just("generated"),
    protected_ingress=address_sets,
    protected_egress=address_sets,
    rules=rules,
)


# Three hosts, both roles unknown, client ports far apart: what the swapped reading is about.
unsure_flows = st.builds(
    samples.flow,
    client=st.sampled_from(samples.ADDRESSES[:3]),
    server=st.sampled_from(samples.ADDRESSES[:3]),
    protocol=st.sampled_from((6, 17)),
    client_port=_port,
    server_port=st.sampled_from((53, 443)),
    direction=st.just(Direction.FIRST),
)
narrow = st.builds(
    lambda protocol, first, wide: ServiceRange(protocol, first, min(first + wide, 65_535)),
    st.sampled_from((-1, 6, 17)),
    _port,
    st.sampled_from((0, 1, 400, 40_000)),
)
few = st.sampled_from(
    (EVERYWHERE, *(AddressSet.of_addresses([one]) for one in samples.ADDRESSES[:3]))
)
open_policies = st.builds(
    ResolvedPolicy,
    st.just("generated"),
    protected_ingress=st.just(EVERYWHERE) | few,
    rules=st.lists(
        st.builds(ResolvedRule, st.just("rule"), few, few, st.tuples(narrow)), max_size=6
    ).map(tuple),
)


def agrees(groups: list[list[Flow]], policies: list[ResolvedPolicy]) -> None:
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        samples.load(store, *groups)
        table = store.conversations(store.hosts())
        seen = [table.at(row) for row in range(len(table))]
        for policy in policies:
            expected = [decide(policy, conversation).verdict for conversation in seen]
            assert store.judge(policy).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(samples.captures, st.lists(policies, min_size=1, max_size=2))
def test_every_verdict_is_the_reference_verdict(
    groups: list[list[Flow]], policies: list[ResolvedPolicy]
) -> None:
    agrees(groups, policies)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(unsure_flows, min_size=10, max_size=60),
    st.lists(open_policies, min_size=2, max_size=2),
)
def test_unknown_directions_are_read_both_ways(
    flows: list[Flow], policies: list[ResolvedPolicy]
) -> None:
    agrees([flows], policies)


def test_the_swapped_reading_at_every_edge() -> None:
    """Client ports 60 to 70 of a UDP conversation that is allowed as read, on port 53."""
    client, server = samples.ADDRESSES[:2]
    flows = [
        samples.flow(protocol=17, client_port=port, server_port=53, direction=Direction.FIRST)
        for port in (60, 66)
    ]
    forward = ResolvedRule("forward", *_ends(client, server), (ServiceRange(17, 53, 53),))
    everywhere = {"protected_ingress": EVERYWHERE}
    for services, verdict in {
        ((60, 66),): Verdict.ALLOWED,
        ((0, 65_535),): Verdict.ALLOWED,
        ((60, 62), (63, 66)): Verdict.ALLOWED,
        ((60, 62), (64, 66)): Verdict.UNCERTAIN,
        ((60, 65),): Verdict.UNCERTAIN,
        ((61, 66),): Verdict.UNCERTAIN,
        (): Verdict.UNCERTAIN,
    }.items():
        back = tuple(ServiceRange(17, first, last) for first, last in services)
        rules = (forward, ResolvedRule("back", *_ends(server, client), back))
        policy = ResolvedPolicy("edges", rules=rules, **everywhere)
        with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
            samples.load(store, flows)
            assert store.judge(policy).tolist() == [verdict]
            dhcp = [*flows, *(replace(flow, client_port=69) for flow in flows)]
            samples.load(store, dhcp)  # 67 and 68 lie between now, and are no matter for a policy
            assert store.judge(policy).tolist() == [Verdict.UNCERTAIN]


def _ends(client: int, server: int) -> tuple[AddressSet, AddressSet]:
    return AddressSet.of_addresses([client]), AddressSet.of_addresses([server])
