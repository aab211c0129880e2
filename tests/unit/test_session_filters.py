"""The filter line on conversations, matrix, hosts and flows, against plain Python on every flow."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import craft
import numpy as np
import pytest
import store_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from session_site import refused, site
from strategies import table_of

from workbench.analysis import Simulator
from workbench.model.errors import FilterError, InputError
from workbench.model.filters import NO_FILTER, parse_filter, parse_time
from workbench.model.net import PORT_PROTOCOLS, TCP, format_address, parse_address
from workbench.model.policy import ResolvedPolicy
from workbench.model.traffic import Conversation, Direction, Flow, Outcome
from workbench.session import Session, names
from workbench.store import Store

HOSTS = samples.ADDRESSES[:4]
DAY = parse_time("2026-03-31")
HOUR = 3_600_000_000
Key = tuple[int, int, int, int]


def some_flows(count: int, seed: int) -> list[Flow]:
    """Few hosts and services, so that a conversation has several flows of several kinds."""
    pick = random.Random(seed)
    found = []
    for _ in range(count):
        protocol = pick.choice((6, 6, 6, 17, 1, 47))
        start = DAY + pick.randrange(48) * HOUR
        found.append(
            samples.flow(
                client=pick.choice(HOSTS),
                server=pick.choice(HOSTS),
                protocol=protocol,
                client_port=pick.choice((1000, 2000, 3000)) if protocol in PORT_PROTOCOLS else 0,
                server_port=pick.choice((22, 443, 2000)) if protocol in PORT_PROTOCOLS else 8,
                outcome=pick.choice(list(Outcome)),
                direction=pick.choice(list(Direction)),
                vlan=pick.choice((0, 10, 20)),
                first_us=start,
                last_us=start + pick.randrange(4) * HOUR,
            )
        )
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Session, list[Flow]]]:
    folder = tmp_path_factory.mktemp("world")
    with Store.open(folder / "flows.duckdb") as store:
        flows = samples.load(store, some_flows(60, 1), some_flows(60, 2))
    with Session.open(folder) as session:
        yield session, flows


def key(flow: Flow) -> Key:
    return flow.client, flow.server, flow.protocol, flow.server_port


FITS: dict[str, Callable[[Flow, str], bool]] = {
    "capture": lambda flow, value: value in (str(flow.capture), f"{flow.capture}.pcap"),
    "vlan": lambda flow, value: flow.vlan == int(value),
    "port": lambda flow, value: (
        flow.protocol in PORT_PROTOCOLS and int(value) in (flow.client_port, flow.server_port)
    ),
    "outcome": lambda flow, value: flow.outcome.text == value,
    "direction": lambda flow, value: flow.direction.text == value,
    "after": lambda flow, value: flow.last_us >= parse_time(value),
    "before": lambda flow, value: flow.first_us < parse_time(value),
    "client": lambda flow, value: format_address(flow.client) == value,
    "host": lambda flow, value: value in map(format_address, (flow.client, flow.server)),
    "service": lambda flow, value: flow.service == value,
}
times = st.sampled_from([f"2026-03-31T{hour:02}:00" for hour in range(24)] + ["2026-04-01"])
values: dict[str, st.SearchStrategy[str]] = {
    "capture": st.sampled_from(["1", "2", "1.pcap"]),
    "vlan": st.sampled_from(["0", "10", "20", "30"]),
    "port": st.sampled_from(["22", "1000", "2000", "8"]),
    "outcome": st.sampled_from([one.text for one in Outcome]),
    "direction": st.sampled_from([one.text for one in Direction]),
    "after": times,
    "before": times,
    "client": st.sampled_from(HOSTS).map(format_address),
    "host": st.sampled_from(HOSTS).map(format_address),
    "service": st.sampled_from(["tcp/22", "tcp/443", "icmp/echo-request"]),
}
terms = st.sampled_from(list(values)).flatmap(
    lambda field: st.tuples(
        st.sampled_from(["", "-"]), st.just(field), st.lists(values[field], min_size=1, max_size=2)
    )
)
lines = st.lists(terms, min_size=1, max_size=4).map(
    lambda found: " ".join(f"{sign}{field}:{','.join(some)}" for sign, field, some in found)
)


def fits(flow: Flow, line: str) -> bool:
    """All terms at once, on one flow."""
    return all(
        any(FITS[term.field](flow, value) for value in term.values) != term.negated
        for term in parse_filter(line).terms
    )


@settings(max_examples=80, deadline=None)
@given(lines)
def test_every_view_keeps_what_one_flow_justifies(
    world: tuple[Session, list[Flow]], line: str
) -> None:
    session, flows = world
    chosen = session.parse(line)
    kept = [flow for flow in flows if fits(flow, line)]
    table, mask = session.table, session.select(chosen)
    address = table.hosts.addresses
    found = {
        (address[table["client"][row]], address[table["server"][row]],
         int(table["protocol"][row]), int(table["port"][row]))
        for row in mask.nonzero()[0]
    }  # fmt: skip
    assert found == set(map(key, kept))
    assert sorted(session.conversation_rows(chosen)) == mask.nonzero()[0].tolist()
    cells = session.matrix("host", chosen).cells
    assert int(cells["conversations"].sum()) == len(found)
    assert int(cells["flows"].sum()) == sum(key(flow) in found for flow in flows)
    with session.flow_view(chosen) as view:
        assert {flow.id for flow in view.page(0, 1000)} == {flow.id for flow in kept}
    named = [term for term in chosen.terms if term.field == "host"]
    if not named:
        ends = {end for flow in kept for end in (flow.client, flow.server)}
        assert {host.address for host in session.hosts(chosen)} == ends


def test_the_terms_must_hold_for_one_and_the_same_flow(tmp_path: Path) -> None:
    with Store.open(tmp_path / "flows.duckdb") as store:
        samples.load(
            store,
            [samples.flow(vlan=10, outcome=Outcome.REFUSED)],
            [samples.flow(vlan=20, outcome=Outcome.ESTABLISHED)],
        )
    with Session.open(tmp_path) as session:
        for line, count in [
            ("vlan:10 outcome:refused", 1),
            ("vlan:20 outcome:refused", 0),
            ("-vlan:10 -outcome:established", 0),
            ("outcome:refused", 1),  # its best flow was established; one was refused
            ("capture:1 vlan:20", 0),
            ("capture:2.pcap vlan:20", 1),
            ("capture:* -vlan:10,20", 0),
            ("port:443 vlan:10", 1),
            ("service:tcp/443 client:10.0.0.1 vlan:20 verdict:out-of-scope", 1),
        ]:
            chosen = session.parse(line)
            assert session.select(chosen).sum() == count, line
            assert len(session.hosts(chosen)) == 2 * count, line
            assert len(session.matrix("subnet", chosen).cells["row"]) == count, line


def test_the_rows_follow_a_load(tmp_path: Path) -> None:
    """What is remembered of flow-level filters ends with the traffic it was about."""

    folder = site(tmp_path / "site")
    with Session.open(folder) as session:
        chosen = session.parse("outcome:refused")
        before = session.select(chosen)
        (folder / "more.pcap").write_bytes(craft.pcap(refused("10.9.9.9", 5, "10.0.0.9", 5432)))
        session.ingest([folder / "more.pcap"])
        after = session.select(chosen)
        assert len(after) == len(before) + 1 and after.sum() == before.sum() + 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("capture:nowhere", "no capture is called 'nowhere'"),
        ("client:nobody", "nobody"),
        ("rule:none", "no rule"),
        ("outcome:fine", "not one of"),
        ("colour:red", "unknown field 'colour'; did you mean host:colour=red .a label.. Fields"),
        ("vedict:blocked", "unknown field 'vedict'; did you mean verdict"),
        ("role:pc", "did you mean rule or host:role=pc"),
        ("Client:a", "did you mean client"),
        ("os:linux", "unknown field 'os'"),
        ("ab:", "unknown field 'ab'. Fields are"),
    ],
)
def test_words_that_mean_nothing_here(
    world: tuple[Session, list[Flow]], line: str, told: str
) -> None:
    session, _ = world
    with pytest.raises(FilterError, match=told):
        session.parse(f"service:tcp {line}")
    assert session.parse("  ") == NO_FILTER


@pytest.mark.parametrize(
    "word", ["fade::1", "dead:beef::/32", "feed:1:2:3:4:5:6:7", "::1", "a=b:c"]
)
def test_an_address_may_begin_like_a_field(word: str) -> None:
    assert [term.field for term in parse_filter(word).terms] == ["host"]


@pytest.mark.parametrize("end", ["client", "server"])
def test_ends_are_in_order_of_address(end: str) -> None:
    """Not of their numbers, which tell what was loaded first."""
    seen = [("10.0.0.9", "10.0.0.2"), ("fd00::1", "10.0.0.7"), ("10.0.0.1", "10.0.0.9")]
    pairs = [map(parse_address, pair) for pair in seen]
    table = table_of([Conversation(*pair, TCP, at) for at, pair in enumerate(pairs)])
    simulation = Simulator(table).simulate(ResolvedPolicy("none"))
    for descending in (False, True):
        rows = names.ordered(np.arange(3), simulation, end, descending)
        found = [table.hosts.addresses[host] for host in table[end][rows].tolist()]
        assert found == sorted(found, reverse=descending)


def test_unknown_orders_and_groups(world: tuple[Session, list[Flow]]) -> None:
    session, _ = world
    with pytest.raises(InputError, match="colour"):
        session.conversation_rows(sort="colour")
    with pytest.raises(InputError, match="host, subnet, segment"):
        session.matrix("colour")


def test_a_cell_and_its_members(world: tuple[Session, list[Flow]]) -> None:
    session, _ = world
    matrix = session.matrix("host")
    for at in range(len(matrix.cells["row"])):
        row = matrix.rows[matrix.cells["row"][at]]
        column = matrix.columns[matrix.cells["column"][at]]
        inside = session.cell_rows("host", row, column)
        assert len(inside) == matrix.cells["conversations"][at]
        sizes = session.table["bytes"][inside].tolist()
        assert sizes == sorted(sizes, reverse=True)
        with session.flows_of(inside) as view:
            assert view.total == matrix.cells["flows"][at]
        [client] = session.members("host", row)
        assert format_address(client) == row
