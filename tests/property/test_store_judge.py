"""The SQL oracle gives the reference verdict for every conversation."""

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
from workbench.model.traffic import Flow
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


@settings(max_examples=40, deadline=None)
@given(samples.captures, st.lists(policies, min_size=1, max_size=2))
def test_every_verdict_is_the_reference_verdict(
    groups: list[list[Flow]], policies: list[ResolvedPolicy]
) -> None:
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        samples.load(store, *groups)
        table = store.conversations(store.hosts())
        seen = [table.at(row) for row in range(len(table))]
        for policy in policies:
            expected = [decide(policy, conversation).verdict for conversation in seen]
            assert store.judge(policy).tolist() == expected
