"""What the store says of flows and hosts equals what plain Python says of the same flows."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import store_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.model.net import AddressSet
from workbench.model.quality import FlowShares, Part
from workbench.model.recording import Ending, Gap, Recording, Tunnel
from workbench.model.traffic import Direction, Flow, Mark, Outcome
from workbench.store import Store

MANY = AddressSet.of_cidrs(["224.0.0.0/4", "255.255.255.255", "ff00::/8"])
FLOODED = Mark.GROUP | Mark.GROUP << 1
marked = samples.captures.flatmap(
    lambda groups: st.tuples(
        st.just(groups),
        st.lists(
            st.sampled_from([0, Mark.GROUP, Mark.GROUP << 1, Mark.LIVE]),
            min_size=sum(map(len, groups)),
            max_size=sum(map(len, groups)),
        ),
    )
)


def part(flows: list[Flow], fits: Callable[[Flow], bool]) -> Part:
    found = [flow for flow in flows if fits(flow)]
    return Part(len(found), sum(one.packets_to_server + one.packets_to_client for one in found))


def shares(flows: list[Flow]) -> FlowShares:
    one_way = Outcome.ONE_WAY
    return FlowShares(
        total=part(flows, lambda flow: True),
        one_way=part(flows, lambda flow: flow.outcome is one_way),
        mid_stream=part(flows, lambda flow: flow.outcome is Outcome.MID_STREAM),
        unanswered=part(flows, lambda flow: flow.outcome is Outcome.UNANSWERED),
        unknown_direction=part(flows, lambda flow: flow.direction is Direction.FIRST),
        tcp=part(flows, lambda flow: flow.protocol == 6),
        half_tcp=part(flows, lambda flow: flow.protocol == 6 and flow.outcome is one_way),
    )


@settings(max_examples=25, deadline=None)
@given(marked)
def test_shares_and_sides(drawn: tuple[list[list[Flow]], list[int]]) -> None:
    groups, marks = drawn
    left = iter(marks)
    groups = [[replace(flow, marks=int(next(left))) for flow in group] for group in groups]
    with TemporaryDirectory() as folder, Store.open(Path(folder) / "flows.duckdb") as store:
        samples.load(store, *groups)
        found, sides, hosts = store.flow_shares(), store.host_sides(), store.hosts().addresses
        expected = {at: shares(group) for at, group in enumerate(groups, 1) if group}
        assert found == expected
        assert store.all_flow_shares() == shares([flow for group in groups for flow in group])
    sent: dict[int, int] = defaultdict(int)
    received: dict[int, int] = defaultdict(int)
    flooded: dict[int, list[bool]] = defaultdict(list)
    for flow in (flow for group in groups for flow in group):
        pairs = ((flow.client, flow.server), (flow.server, flow.client))
        counts = (flow.packets_to_server, flow.packets_to_client)
        for (end, other), out, back in zip(pairs, counts, counts[::-1], strict=True):
            sent[end] += out
            received[end] += back
            flooded[end].append(bool(flow.marks & FLOODED) or other in MANY)
    assert sides.sent.tolist() == [sent[host] > 0 for host in hosts]
    assert sides.received.tolist() == [received[host] > 0 for host in hosts]
    assert sides.flooded.tolist() == [all(flooded[host]) for host in hosts]
    assert sides.many.tolist() == [host in MANY for host in hosts]


def test_what_two_captures_saw_is_counted_once(tmp_path: Path) -> None:
    one = samples.flow(client_token=77, first_us=1000, last_us=2000)
    with Store.open(tmp_path / "flows.duckdb") as store:
        samples.load(store, [one], [replace(one, packets_to_client=0, outcome=Outcome.ONE_WAY)])
        with store._database.work() as cursor:  # as joining leaves them
            cursor.execute("INSERT INTO pieces SELECT * EXCLUDE (pieces), 1 FROM flows")
            cursor.execute("DELETE FROM flows WHERE id = 2")
            cursor.execute("UPDATE flows SET pieces = 2")
        found = store.flow_shares()
        assert (found[1].half_tcp.flows, found[2].half_tcp.flows) == (0, 1)
        assert store.all_flow_shares().total.flows == store.all_flow_shares().tcp.flows == 1
        assert store.all_flow_shares().half_tcp.flows == 0


def test_reports_come_back_as_they_went_in(tmp_path: Path) -> None:
    recording = Recording(9, (Gap(1, 2), Gap(-5, -1)), 3, 4, 5, 6, 7, (0, 8, 0, 9), 1000)
    tunnels = (Tunnel("VXLAN", (1, 2**128 - 1), 2**24 - 1, 9), Tunnel("GRE", (3, 4)))
    told = replace(
        samples.REPORT, id=1, recording=recording, drops=2**63, names=7, tunnels=tunnels,
        ending=Ending.GROWING,
    )  # fmt: skip
    plain = replace(samples.REPORT, id=2, fingerprint="b")
    with Store.open(tmp_path / "flows.duckdb") as store:
        with store.load() as job:
            for report in (told, plain):
                job.begin(report.path, report.fingerprint)
                job.finish(report.id or 0, report)
        assert store.captures() == (told, plain)


def test_a_store_from_before_has_recordings_that_say_nothing(tmp_path: Path) -> None:
    with Store.open(tmp_path / "flows.duckdb") as store:
        with store.load() as job:
            job.begin("/a", "a")
            job.finish(1, samples.REPORT)
        with store._database.work() as cursor:
            for column in ("recording", "names", "tunnels", "ending"):
                cursor.execute(f"UPDATE captures SET {column} = DEFAULT")
        assert store.captures() == (replace(samples.REPORT, id=1),)
