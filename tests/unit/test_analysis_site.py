"""The analysis room on one small site that a reader can hold in mind.

office (two PCs) reads web over https and db over tcp/5432; an admin PC that is in no segment uses
ssh on web; a scanner was refused; a stray conversation has no known direction.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from strategies import table_of

from workbench.analysis import (
    NONE,
    HostWords,
    Simulator,
    by_host,
    by_segment,
    by_subnet,
    changes,
    check,
    complete,
    explain,
    host_facts,
    matrix,
    propose,
    select,
    suggest,
)
from workbench.analysis.outside import is_internet
from workbench.model.errors import FilterError, InputError
from workbench.model.filters import parse_filter
from workbench.model.net import TCP, UDP, AddressSet, parse_address
from workbench.model.policy import (
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    ResolvedPolicy,
    Rule,
    Segment,
    ServiceGroup,
)
from workbench.model.simulation import Simulation
from workbench.model.site import Host, Inventory, Network
from workbench.model.traffic import Conversation, ConversationTable, Direction, Outcome
from workbench.model.verdict import Class, Verdict
from workbench.policy import decide, resolve

TODAY = date(2026, 6, 15)
PC1, PC2, ADMIN = map(parse_address, ("10.1.0.11", "10.1.0.12", "10.9.0.5"))
WEB, DB, OUTSIDE = map(parse_address, ("10.2.0.1", "10.3.0.1", "93.184.216.34"))


def talk(client: int, server: int, port: int, protocol: int = TCP, **facts: object) -> Conversation:
    base = Conversation(client, server, protocol, port, 40000, 40000, 5, 50, 5000, 1000, 9000)
    return replace(base, **facts)  # type: ignore[arg-type]


TRAFFIC = [
    talk(PC1, WEB, 443),
    talk(PC2, WEB, 443),
    talk(PC1, DB, 5432),
    talk(ADMIN, WEB, 22, flows=1),
    talk(PC1, OUTSIDE, 443),
    talk(PC2, DB, 22, outcome=Outcome.REFUSED),
    talk(PC2, DB, 3389, outcome=Outcome.UNANSWERED),
    talk(WEB, DB, 50001, direction=Direction.FIRST),
    talk(WEB, DB, 5432, outcome=Outcome.MID_STREAM, direction=Direction.WELL_KNOWN),
    talk(PC1, parse_address("224.0.0.251"), 5353, UDP),
]
INVENTORY = Inventory(
    hosts=(
        Host("pc-01", (PC1,), (("role", "pc"),)),
        Host("pc-02", (PC2,), (("role", "pc"),)),
        Host("web-1", (WEB,), (("role", "web"),)),
        Host("db-1", (DB, parse_address("fd00::3")), (("role", "db"),)),
    ),
    networks=(Network("lan", AddressSet.of_cidrs(["10.0.0.0/8"]), (("site", "hq"),)),),
)
POLICY = Policy(
    protect=(Protection("web"), Protection("db")),
    segments=(
        Segment("office", match=(("role", ("pc",)),)),
        Segment("web", match=(("role", ("web",)),)),
        Segment("db", match=(("role", ("db",)),)),
    ),
    services=(ServiceGroup("postgres", ("tcp/5432",)),),
    rules=(
        Rule("office-web", ("office",), ("web",), ("tcp/443",)),
        Rule("old", ("any",), ("any",), ("any",), expires=date(2020, 1, 1)),
        Rule("unused", ("db",), ("web",), ("tcp/1",)),
    ),
)


@pytest.fixture
def table() -> ConversationTable:
    return table_of(TRAFFIC)


def resolved(policy: Policy, table: ConversationTable) -> ResolvedPolicy:
    return resolve(policy, INVENTORY, table.hosts.addresses, TODAY)


@pytest.fixture
def simulation(table: ConversationTable) -> Simulation:
    return Simulator(table).simulate(resolved(POLICY, table))


@pytest.fixture
def words(table: ConversationTable) -> HostWords:
    return HostWords.of(table, INVENTORY, POLICY, resolved(POLICY, table))


def row_of(table: ConversationTable, wanted: Conversation) -> int:
    return next(row for row in range(len(table)) if table.at(row) == wanted)


def test_the_classes_are_what_production_would_feel(simulation: Simulation) -> None:
    classes = [Class(simulation.classes[row_of(simulation.table, item)]) for item in TRAFFIC]
    assert classes == [
        Class.PERMITTED,
        Class.PERMITTED,
        Class.WOULD_BLOCK,
        Class.WOULD_BLOCK,
        Class.OUT_OF_SCOPE,
        Class.REJECTED,
        Class.REJECTED,
        Class.WOULD_BLOCK,
        Class.UNCERTAIN,
        Class.OUT_OF_SCOPE,
    ]
    assert simulation.coverage.conversations == 2
    assert simulation.coverage.in_scope == 7
    states = {use.id: (use.hits, use.state) for use in simulation.rules}
    assert states == {"office-web": (2, "active"), "unused": (0, "unused"), "old": (0, "expired")}


def test_results_cannot_be_written_and_survive_the_next_simulation(
    table: ConversationTable,
) -> None:
    simulator = Simulator(table)
    first = simulator.simulate(resolved(POLICY, table))
    kept = first.classes.tolist()
    second = simulator.simulate(resolved(replace(POLICY, rules=()), table))
    assert first.classes.tolist() == kept != second.classes.tolist()
    with pytest.raises(ValueError, match="read-only"):
        second.verdicts[0] = 1


def test_an_exclusion_takes_traffic_out_of_the_count(table: ConversationTable) -> None:
    skip = Exclusion("patch", ("office",), ("db",), ("any",), "patch night")
    found = Simulator(table).simulate(resolved(replace(POLICY, exclusions=(skip,)), table))
    assert found.totals.by_class[Class.EXCLUDED] == 3
    assert found.verdicts[row_of(table, TRAFFIC[2])] == Verdict.BLOCKED


def test_an_edit_says_what_it_changed(table: ConversationTable) -> None:
    simulator = Simulator(table)
    before = simulator.simulate(resolved(POLICY, table))
    rule = Rule("office-db", ("office",), ("db",), ("postgres",))
    edited = replace(POLICY, rules=(*POLICY.rules, rule))
    found = changes(before, simulator.simulate(resolved(edited, table)))
    assert (len(found), found.newly_allowed, found.newly_blocked) == (1, 1, 0)
    assert found.rows.tolist() == [row_of(table, TRAFFIC[2])]
    with pytest.raises(ValueError, match="different tables"):
        changes(before, Simulator(table_of(TRAFFIC[:2])).simulate(before.policy))


def test_the_segment_matrix_counts_by_class_and_puts_strangers_last(
    simulation: Simulation,
) -> None:
    found = matrix(simulation, by_segment(simulation.table.hosts, simulation.policy))
    assert found.rows == ("office", "web", "db", NONE)
    cells = {
        (found.rows[row], found.columns[column]): at
        for at, (row, column) in enumerate(
            zip(found.cells["row"], found.cells["column"], strict=True)
        )
    }
    at = cells["office", "db"]
    assert {
        name: int(found.cells[name][at]) for name in ("conversations", "would_block", "rejected")
    } == {
        "conversations": 3,
        "would_block": 1,
        "rejected": 2,
    }
    assert set(cells) == {
        ("office", "web"),
        ("office", "db"),
        ("office", NONE),
        ("web", "db"),
        (NONE, "web"),
    }


def test_a_machine_is_one_row_whatever_its_addresses(table: ConversationTable) -> None:
    twin = replace(INVENTORY, hosts=(Host("pc", (PC1, PC2)),))
    grouping = by_host(table.hosts, twin)
    assert grouping.names.count("pc") == 1
    named = [grouping.names[group] for group in grouping.groups]
    addresses = [table.hosts.addresses[host] for host in grouping.hosts]
    assert {address for name, address in zip(named, addresses, strict=True) if name == "pc"} == {
        PC1,
        PC2,
    }
    assert by_subnet(table.hosts).names[:2] == ("10.1.0.0/24", "10.2.0.0/24")


def test_a_host_named_like_an_address_is_told_apart(table: ConversationTable) -> None:
    liar = replace(INVENTORY, hosts=(Host("10.1.0.11", (PC2,)),))
    assert {"10.1.0.11", "(10.1.0.11)"} <= set(by_host(table.hosts, liar).names)


def test_suggestion_learns_what_worked_and_nothing_else(simulation: Simulation) -> None:
    found = suggest(simulation, POLICY, INVENTORY)
    rules = {item.rule.id: item for item in found.proposals}
    assert set(rules) == {"office-and-web-to-db-postgres", "hq-to-web-ssh"}
    postgres = rules["office-and-web-to-db-postgres"]
    assert postgres.rule.services == ("postgres",)
    assert postgres.evidence.outcomes == {"established": 1, "mid-stream": 1}
    assert "seen only in part" in postgres.caution
    ssh = rules["hq-to-web-ssh"]
    assert "seen only once" in ssh.caution
    assert "lateral movement" in ssh.caution
    assert found.policy.segments[-1] == Segment("hq", cidrs=("10.9.0.5/32",))
    assert found.policy.protect == POLICY.protect


def test_a_policy_that_protects_nothing_is_given_protection(table: ConversationTable) -> None:
    empty = Policy()
    simulation = Simulator(table).simulate(resolved(empty, table))
    assert suggest(simulation, empty, INVENTORY, protect=False).proposals == ()
    found = suggest(simulation, empty, INVENTORY)
    names = [item.segment for item in found.policy.protect]
    assert names == ["db", "hq", "pc", "web"]
    internet = next(item for item in found.policy.segments if item.name == "internet-hosts")
    assert internet.cidrs == ("93.184.216.34/32",)
    after = Simulator(table).simulate(resolved(found.policy, table))
    assert after.totals.by_class[Class.WOULD_BLOCK] == 1  # the direction of this one is unknown
    assert after.classes[row_of(table, TRAFFIC[7])] == Class.WOULD_BLOCK


def test_public_addresses_that_the_inventory_names_are_ours(table: ConversationTable) -> None:
    empty = Policy()
    simulation = Simulator(table).simulate(resolved(empty, table))
    lan = Network("lan", AddressSet.of_cidrs(["93.184.216.0/24"]))
    named = replace(INVENTORY, networks=(*INVENTORY.networks, lan))
    found = suggest(simulation, empty, named)
    assert "hosts-93-184-216" in [item.segment for item in found.policy.protect]
    zone = replace(lan, labels=(("zone", "internet"),))
    found = suggest(simulation, empty, replace(named, networks=(*INVENTORY.networks, zone)))
    assert [item.segment for item in found.policy.protect] == ["db", "hq", "pc", "web"]


def test_a_proposal_is_one_rule_with_its_doubts(simulation: Simulation) -> None:
    rows = np.array([row_of(simulation.table, TRAFFIC[at]) for at in (5, 7)])
    [item] = propose(simulation, POLICY, INVENTORY, rows).proposals
    assert item.rule.clients == ("office", "web")
    assert item.rule.servers == ("db",)
    assert item.rule.services == ("tcp/22", "tcp/50001")
    assert "refused or never answered" in item.caution
    assert "wrong way round" in item.caution
    with pytest.raises(InputError, match="nothing to allow"):
        propose(simulation, POLICY, INVENTORY, np.array([], dtype=np.int64))


def test_remote_administration_is_what_findings_call_so() -> None:
    """A desktop by TCP and UDP is one rule, apart from what else the same hosts do."""
    desktop = [talk(PC1, DB, 3389), talk(PC1, DB, 3389, UDP), talk(PC1, DB, 5901)]
    table = table_of([*desktop, talk(PC1, DB, 5938), talk(PC1, DB, 5432)])
    simulation = Simulator(table).simulate(resolved(POLICY, table))
    proposals = suggest(simulation, POLICY, INVENTORY).proposals
    found = {one.rule.services: one.caution for one in proposals}
    moving = "rdp, tcp-5901, tcp-5938, udp-3389: remote administration, a road for lateral movement"
    assert found.keys() == {("postgres",), ("tcp/3389", "tcp/5901", "tcp/5938", "udp/3389")}
    assert moving in found["tcp/3389", "tcp/5901", "tcp/5938", "udp/3389"]
    assert "remote" not in found["postgres",]


def test_explanations_name_what_a_rule_lacks(simulation: Simulation) -> None:
    found = explain(simulation, Conversation(PC1, DB, TCP, 443), INVENTORY, decide=decide)
    assert found.decision.verdict is Verdict.BLOCKED
    assert (found.klass, found.observed_flows) == (None, 0)
    assert [(miss.rule, miss.lacks) for miss in found.near_misses] == [("office-web", ("to",))]
    assert (found.client_segments, found.server_segments) == (("office",), ("db",))
    named = explain(simulation, TRAFFIC[3], INVENTORY, decide=decide)
    assert named.conversation == "10.9.0.5 → web-1 (10.2.0.1) tcp/22"
    assert (named.klass, named.observed_flows) == (Class.WOULD_BLOCK, 1)


def test_names_that_captures_claim_are_marked_and_tell_nobody_apart(
    table: ConversationTable,
) -> None:
    unlisted = [one for one in table.hosts.addresses if one not in INVENTORY.by_address]
    claimed = replace(INVENTORY, seen_names=dict.fromkeys(table.hosts.addresses, "dc-1"))
    assert all(claimed.name(one) == "~dc-1" for one in unlisted) and len(unlisted) > 1
    assert claimed.name(WEB) == INVENTORY.name(WEB) and claimed == INVENTORY
    rows, named = by_host(table.hosts, INVENTORY), by_host(table.hosts, claimed)
    assert len(rows.names) == len(named.names) == len(set(named.names))


def test_guardrails_give_a_witness(table: ConversationTable) -> None:
    guardrails = (
        Guardrail("no-web", Assertion.NEVER, ("office",), ("web",), ("any",)),
        Guardrail("no-rdp", Assertion.NEVER, ("office",), ("web",), ("tcp/3389",)),
        Guardrail("no-net", Assertion.NEVER, ("office",), ("any",), ("tcp/25",)),
        Guardrail("web-always", Assertion.ALWAYS, ("office",), ("web",), ("tcp/443",)),
        Guardrail("more-always", Assertion.ALWAYS, ("office",), ("web",), ("tcp/443-444",)),
    )
    found = check(resolved(replace(POLICY, guardrails=guardrails), table))
    assert [(item.id, item.rule) for item in found] == [
        ("no-web", "office-web"),
        ("no-net", None),
        ("more-always", None),
    ]
    assert found[0].witness == "10.1.0.11 → 10.2.0.1 tcp/443"
    assert "out of scope" in found[1].because
    assert found[2].witness == "10.1.0.11 → 10.2.0.1 tcp/444"


def kept(text: str, simulation: Simulation, words: HostWords) -> list[int]:
    mask = select(parse_filter(text), simulation, words)
    return [at for at, item in enumerate(TRAFFIC) if mask[row_of(simulation.table, item)]]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("client:office server:db", [2, 5, 6]),
        ("pc-01", [0, 2, 4, 9]),
        ("server:role=db outcome:refused,unanswered", [5, 6]),
        ("server:DB-* -service:postgres", [5, 6, 7]),
        ("client:10.9.0.0/24", [3]),
        ("class:would-block direction:syn", [2, 3]),
        ("rule:office-web", [0, 1]),
        ("rule:old", []),
        ("port:40000 -client:office", [3, 7, 8]),
        ("vlan:7 -capture:1", list(range(10))),
        ("server:fd00::3", []),
    ],
)
def test_the_filter_line(
    text: str, rows: list[int], simulation: Simulation, words: HostWords
) -> None:
    assert kept(text, simulation, words) == rows


@pytest.mark.parametrize("services", [("tcp/443", "any"), ("any", "tcp/443")])
def test_a_service_group_with_any_in_it_is_everything(
    services: tuple[str, ...], simulation: Simulation, words: HostWords
) -> None:
    wide = replace(words, services={"wide": ServiceGroup("wide", services).ranges})
    assert kept("service:wide", simulation, wide) == list(range(10))
    assert kept("-service:wide", simulation, wide) == []


@pytest.mark.parametrize(
    ("text", "problem", "position"),
    [
        ("client:offce", "did you mean office?", 0),
        ("pc-01 server:10.1.0.1/16", "host bits set", 6),
        ("service:postgrs", "did you mean postgres", 0),
        ("rule:office-wob", "did you mean office-web?", 0),
    ],
)
def test_unknown_words_are_named(
    text: str, problem: str, position: int, simulation: Simulation, words: HostWords
) -> None:
    with pytest.raises(FilterError, match=problem.replace("?", r"\?")) as caught:
        kept(text, simulation, words)
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", "client:"),
        ("ser", "server:"),
        ("pc", "pc-01"),
        ("client:o", "client:office"),
        ("-server:db,w", "-server:db,web"),
        ("client:role=p", "client:role=pc"),
        ("service:p", "service:postgres"),
        ("service:tcp/4", "service:tcp/443"),
        ("outcome:ref", "outcome:refused"),
        ("rule:", "rule:office-web"),
        ("class:permitted client:of verdict:allowed", "verdict:allowed"),
    ],
)
def test_completion_offers_whole_terms(text: str, first: str, words: HostWords) -> None:
    assert complete(text, len(text), words)[0] == first


def test_completion_is_for_the_term_under_the_cursor(words: HostWords) -> None:
    assert complete("client:of server:db", 9, words) == ("client:office",)
    assert complete("bytes:", 6, words) == ()


def test_host_facts_list_what_a_host_answers(simulation: Simulation) -> None:
    facts = {fact.address: fact for fact in host_facts(simulation, INVENTORY)}
    assert facts[DB].name == "db-1"
    assert facts[DB].segments == ("db",)
    assert facts[DB].services == ("tcp/5432", "tcp/22", "tcp/3389", "tcp/50001")
    assert (facts[PC1].as_client, facts[PC1].as_server) == (4, 0)
    assert dict(facts[ADMIN].labels) == {"site": "hq"}


def test_the_internet_is_not_ours() -> None:
    assert is_internet(AddressSet.of_cidrs(["0.0.0.0/0"]))
    assert is_internet(AddressSet.of_cidrs(["::/0"]))
    assert not is_internet(AddressSet.of_cidrs(["10.0.0.0/8", "fc00::/7", "203.0.113.0/24"]))
