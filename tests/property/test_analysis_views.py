"""Matrix, filter and host facts against plain loops over the same conversations."""

from collections import Counter, defaultdict
from fnmatch import fnmatchcase

import numpy as np
from analysis_strategies import any_resolved, any_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import LABELS, UNIVERSE, inventories, resolved_policies

from workbench.analysis import (
    NONE,
    Grouping,
    HostWords,
    Simulator,
    by_host,
    by_label,
    by_segment,
    by_subnet,
    host_facts,
    matrix,
    select,
)
from workbench.analysis import matrix as matrix_function
from workbench.model.filters import Filter, Term, parse_filter
from workbench.model.matrix import MATRIX_COUNTS
from workbench.model.net import PORT_PROTOCOLS, format_address, parse_cidr, parse_service
from workbench.model.policy import ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable, Direction, Outcome
from workbench.model.verdict import Class, Verdict

COLUMN = {
    Class.PERMITTED: "allowed",
    Class.MISDROPPED: "allowed",
    Class.WOULD_BLOCK: "would_block",
    Class.REJECTED: "rejected",
    Class.UNCERTAIN: "uncertain",
    Class.OUT_OF_SCOPE: "out_of_scope",
    Class.EXCLUDED: "out_of_scope",
}


def groups_of(grouping: Grouping) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for host, group in zip(grouping.hosts.tolist(), grouping.groups.tolist(), strict=True):
        found[host].add(group)
    return found


def slow_matrix(
    simulation: Simulation, grouping: Grouping, rows: list[bool]
) -> dict[tuple[int, int], dict[str, int]]:
    table, groups = simulation.table, groups_of(grouping)
    cells: dict[tuple[int, int], dict[str, int]] = {}
    for row in range(len(table)):
        if not rows[row]:
            continue
        for client in groups[int(table["client"][row])]:
            for server in groups[int(table["server"][row])]:
                cell = cells.setdefault(
                    (client, server), {**dict.fromkeys(MATRIX_COUNTS, 0), "last_us": -1}
                )
                cell["conversations"] += 1
                cell["flows"] += int(table["flows"][row])
                cell["bytes"] += int(table["bytes"][row])
                cell[COLUMN[Class(simulation.classes[row])]] += 1
                cell["last_us"] = max(cell["last_us"], int(table["last_us"][row]))
    return cells


@given(
    any_resolved() | resolved_policies(),
    inventories(),
    any_tables(),
    st.data(),
    st.sampled_from([0, 1 << 16]),
)
@settings(max_examples=80, deadline=None)
def test_matrix_sums_are_plain_sums(
    policy: ResolvedPolicy,
    inventory: Inventory,
    table: ConversationTable,
    data: st.DataObject,
    dense: int,
) -> None:
    simulation = Simulator(table).simulate(policy)
    grouping = data.draw(
        st.sampled_from(
            [
                by_host(table.hosts, inventory),
                by_segment(table.hosts, policy),
                by_label(table.hosts, inventory, "role"),
                by_subnet(table.hosts),
            ]
        )
    )
    rows = data.draw(st.lists(st.booleans(), min_size=len(table), max_size=len(table)))
    mask = None if all(rows) else np.array(rows, dtype=np.bool_)
    module = __import__(matrix_function.__module__, fromlist=["DENSE"])
    kept, module.DENSE = module.DENSE, dense
    try:
        found = matrix(simulation, grouping, mask)
    finally:
        module.DENSE = kept
    columns = {name: values.tolist() for name, values in found.cells.items()}
    cells = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    places = [(cell.pop("row"), cell.pop("column")) for cell in cells]
    assert places == sorted(places)
    assert dict(zip(places, cells, strict=True)) == slow_matrix(simulation, grouping, rows)
    assert set(columns) == {"row", "column", "last_us", *MATRIX_COUNTS}
    assert len(set(found.rows)) == len(found.rows)


@given(any_resolved() | resolved_policies(), inventories(), any_tables())
@settings(max_examples=40, deadline=None)
def test_every_host_is_grouped_and_none_comes_last(
    policy: ResolvedPolicy, inventory: Inventory, table: ConversationTable
) -> None:
    addresses = table.hosts.addresses
    for grouping, names_of in (
        (by_segment(table.hosts, policy), lambda a: [n for n, s in policy.segments if a in s]),
        (
            by_label(table.hosts, inventory, "env"),
            lambda a: [v for k, v in inventory.labels(a).items() if k == "env"],
        ),
    ):
        found = groups_of(grouping)
        for host, address in enumerate(addresses):
            names = [grouping.names[at] for at in sorted(found[host])]
            assert sorted(names) == sorted(names_of(address) or [NONE])
        assert NONE not in grouping.names[:-1]


def words_of(inventory: Inventory, policy: ResolvedPolicy) -> st.SearchStrategy[str]:
    names = [host.name for host in inventory.hosts] + [name for name, _ in policy.segments]
    pairs = [f"{key}={value}" for key, values in LABELS.items() for value in values]
    texts = [*map(format_address, UNIVERSE), "10.0.0.0/30", "fd00::/64", "host-*", "*1", "any"]
    return st.sampled_from([*names, *pairs, *texts])


def host_matches(word: str, address: int, inventory: Inventory, policy: ResolvedPolicy) -> bool:
    if word == "any":
        return True
    if "=" in word:
        key, value = word.split("=")
        return inventory.labels(address).get(key) == value
    if word in dict(policy.segments):
        return address in policy.segment(word)
    try:
        return any(piece.first <= address <= piece.last for piece in parse_cidr(word))
    except ValueError:
        return fnmatchcase(inventory.name(address), word)


SIMPLE = {
    "service": ["tcp/443", "tcp/80-443", "udp", "any", "icmp/echo-request", "ip/47", "web"],
    "outcome": [item.text for item in Outcome],
    "direction": [item.text for item in Direction],
    "verdict": [item.text for item in Verdict],
    "class": [item.text for item in Class],
    "bytes": [">5k", "<=100", "=40", ">=1M"],
    "flows": [">1", "<3", "2"],
    "packets": [">10"],
    "port": ["443", "50000", "0"],
    "vlan": ["7"],
    "capture": ["1"],
    "after": ["1970-01-01T00:00:01Z"],
    "before": ["1970-01-01T00:00:01Z"],
}
GROUPS = {"web": (parse_service("tcp/80"), parse_service("tcp/443"))}
SECOND = 1_000_000


@st.composite
def terms(draw: st.DrawFn, words: st.SearchStrategy[str], rules: list[str]) -> Term:
    fields = ["client", "server", "host", *SIMPLE, *(["rule"] if rules else [])]
    field = draw(st.sampled_from(fields))
    values = st.sampled_from(rules) if field == "rule" else words
    if field in SIMPLE:
        values = st.sampled_from(SIMPLE[field])
    chosen = draw(st.lists(values, min_size=1, max_size=2, unique=True))
    return Term(field, tuple(chosen), draw(st.booleans()))


def plain(term: Term, row: int, seen: Conversation, sim: Simulation, inventory: Inventory) -> bool:
    if term.field in ("vlan", "capture") or (term.field == "port" and term.negated):
        return True

    def one(value: str) -> bool:
        ends = {
            "client": [seen.client],
            "server": [seen.server],
            "host": [seen.client, seen.server],
        }
        number = {"k": 1000, "M": 1_000_000}.get(value[-1], 1)
        match term.field:
            case "client" | "server" | "host":
                return any(
                    host_matches(value, address, inventory, sim.policy)
                    for address in ends[term.field]
                )
            case "service":
                ranges = GROUPS.get(value) or (parse_service(value),)
                return any(piece.covers(seen.protocol, seen.port) for piece in ranges)
            case "outcome" | "direction":
                return getattr(seen, term.field).text == value
            case "verdict":
                return Verdict(sim.verdicts[row]).text == value
            case "class":
                return Class(sim.classes[row]).text == value
            case "rule":
                allowed = sim.verdicts[row] == Verdict.ALLOWED
                return allowed and value in sim.rules_of(row)
            case "port":
                span = range(seen.client_port_low, seen.client_port_high + 1)
                ported = seen.protocol in PORT_PROTOCOLS
                return ported and (int(value) == seen.port or int(value) in span)
            case "after":
                return seen.last_us >= SECOND
            case "before":
                return seen.first_us < SECOND
        amount = getattr(seen, term.field)
        digits = int("".join(filter(str.isdigit, value))) * number
        sign = value.rstrip("0123456789kM") or "="
        return {
            ">": amount > digits,
            "<": amount < digits,
            ">=": amount >= digits,
            "<=": amount <= digits,
            "=": amount == digits,
        }[sign]

    return any(map(one, term.values)) != term.negated


@given(any_resolved() | resolved_policies(), inventories(), any_tables(), st.data())
@settings(max_examples=120, deadline=None)
def test_filter_is_the_plain_predicate(
    policy: ResolvedPolicy, inventory: Inventory, table: ConversationTable, data: st.DataObject
) -> None:
    simulation = Simulator(table).simulate(policy)
    known = set(table.hosts.addresses)
    words = HostWords(table, inventory, policy, GROUPS)
    vocabulary = words_of(inventory, policy)
    rules = [rule.id for rule in policy.rules]
    drawn = data.draw(st.lists(terms(vocabulary, rules), max_size=3))
    kept = select(Filter(tuple(drawn)), simulation, words)
    assert known >= {table.at(row).client for row in range(len(table))}
    for row in range(len(table)):
        seen = table.at(row)
        expected = all(plain(term, row, seen, simulation, inventory) for term in drawn)
        assert kept[row] == expected, (str(Filter(tuple(drawn))), seen)
    assert parse_filter(str(Filter(tuple(drawn)))).terms == tuple(
        Term(term.field, term.values, term.negated, found.position)
        for term, found in zip(drawn, parse_filter(str(Filter(tuple(drawn)))).terms, strict=True)
    )


@given(any_resolved() | resolved_policies(), inventories(), any_tables())
@settings(max_examples=50, deadline=None)
def test_host_facts_are_plain_sums(
    policy: ResolvedPolicy, inventory: Inventory, table: ConversationTable
) -> None:
    simulation = Simulator(table).simulate(policy)
    seen = [table.at(row) for row in range(len(table))]
    facts = host_facts(simulation, inventory)
    assert [fact.address for fact in facts] == list(table.hosts.addresses)
    for fact in facts:
        mine = [item for item in seen if fact.address in (item.client, item.server)]
        assert fact.as_client == sum(item.client == fact.address for item in mine)
        assert fact.as_server == sum(item.server == fact.address for item in mine)
        assert fact.conversations == fact.as_client + fact.as_server
        assert fact.bytes == sum(item.bytes for item in mine)
        assert fact.first_us == min((item.first_us for item in mine), default=None)
        assert fact.last_us == max((item.last_us for item in mine), default=None)
        assert fact.segments == tuple(n for n, s in policy.segments if fact.address in s)
        assert dict(fact.labels) == inventory.labels(fact.address)
        answered = Counter(item.service for item in mine if item.server == fact.address)
        assert [answered[name] for name in fact.services] == sorted(answered.values())[::-1][:8]
