"""Answers to findings: what is covered, what a replay means, what an edit costs."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from conftest import DEMO
from strategies import TODAY, table_of

from workbench.analysis import Simulator
from workbench.analysis import response as responses
from workbench.analysis.response import Moment, covered, replay
from workbench.model.errors import Cancelled, InputError
from workbench.model.finding import Evidence, Finding, Level, Stage, Suppression
from workbench.model.net import ICMP, TCP, UDP, parse_address
from workbench.model.policy import Policy, Protection, ResolvedPolicy, Rule, Segment
from workbench.model.response import Fate, Replayed
from workbench.model.site import Host, Inventory
from workbench.model.traffic import Conversation, ConversationTable, Direction, Outcome
from workbench.policy import decide, resolve
from workbench.session import Session
from workbench.session.response import Answered

A, B, C, D = (parse_address(f"10.0.0.{last}") for last in (1, 2, 3, 4))
A6 = parse_address("fd00::1")
TWO_FACED = Inventory((Host("a", (A, A6)),))


def finding(*evidence: Evidence, first: int = 100, **values: object) -> Finding:
    plain = {
        "kind": "first-login", "stage": Stage.MOVEMENT, "technique": "T1021", "title": "a login",
        "host": evidence[0].client, "peers": (), "first_us": first, "last_us": first + 50,
        "confidence": Level.HIGH, "impact": Level.HIGH, "why": "", "evidence": evidence,
    }  # fmt: skip
    return Finding(**{**plain, **values})  # type: ignore[arg-type]


def ssh(client: int, server: int, port: int = 22) -> Evidence:
    return Evidence(client, server, TCP, port)


def seen(one: Evidence, first: int, **values: object) -> Conversation:
    return Conversation(
        one.client, one.server, one.protocol, one.port, 40_000, 40_001, flows=1, bytes=10,
        first_us=first, last_us=first + 1, **values,  # type: ignore[arg-type]
    )  # fmt: skip


EMPTY = table_of([])


# ── what is covered ────────────────────────────────────────────────────────────────────────


def test_all_addresses_of_both_machines_are_covered() -> None:
    [part], left_out = covered(finding(ssh(A, B)), (), EMPTY, TWO_FACED)
    assert (part.clients, part.servers, part.services) == ((A, A6), (B,), ((TCP, 22),))
    assert left_out == 0


def test_what_went_on_before_any_finding_is_left_alone() -> None:
    table = table_of([seen(ssh(A6, B), 50), seen(ssh(A, C), 90), seen(ssh(A, D), 120)])
    login = finding(ssh(A, B), ssh(A, C), ssh(A, D), first=100)
    scan = finding(ssh(A, C), first=80, kind="port-scan", stage=Stage.RECONNAISSANCE)
    [part], left_out = covered(login, (), table, TWO_FACED)
    assert (part.servers, left_out) == ((D,), 2)
    [part], left_out = covered(login, (login, scan), table, TWO_FACED)
    assert (part.servers, left_out) == ((C, D), 1)  # C was scanned before it was used


def test_nothing_is_left_when_no_policy_judges_it() -> None:
    multicast = Evidence(A, parse_address("224.0.0.252"), UDP, 5355)
    with pytest.raises(InputError, match="no policy judges"):
        covered(finding(multicast), (), EMPTY, TWO_FACED)


def test_parts_are_exact_and_as_few_as_can_be() -> None:
    grid = [ssh(A, server, port) for server in (B, C, D) for port in (22, 445)]
    [part], _ = covered(finding(*grid), (), EMPTY, Inventory())
    assert (part.servers, part.services) == ((B, C, D), ((TCP, 22), (TCP, 445)))
    steps = [ssh(A, B), ssh(A, C), ssh(A, C, 445)]
    parts, _ = covered(finding(*steps), (), EMPTY, Inventory())
    told = {
        ssh(client, server, port)
        for part in parts
        for client in part.clients
        for server in part.servers
        for _, port in part.services
    }
    assert told == set(steps) and len(parts) == 2
    wild = [ssh(A, B + at, port) for at in range(60) for port in range(at + 1)]
    with pytest.raises(InputError, match="quarantine the host instead"):
        covered(finding(*wild), (), EMPTY, Inventory())


# ── replay ─────────────────────────────────────────────────────────────────────────────────


def policy(*rules: tuple[str, str, str]) -> ResolvedPolicy:
    """Everything protected; hosts a, b, c, d are segments."""
    names = dict(zip("abcd", (A, B, C, D), strict=True))
    written = Policy(
        protect=tuple(map(Protection, names)),
        segments=tuple(
            Segment(name, cidrs=(f"10.0.0.{one & 255}",)) for name, one in names.items()
        ),
        rules=tuple(
            Rule(f"rule-{at}", (one,), (other,), (service,))
            for at, (one, other, service) in enumerate(rules)
        ),
    )  # fmt: skip
    return resolve(written, Inventory(), (A, B, C, D), TODAY)


def run(
    moments: list[Moment], table: ConversationTable, under: ResolvedPolicy, name: str = "draft"
) -> Replayed:
    return replay(moments, table, under, Inventory(), name, decide=decide)


def moments(table: ConversationTable, *told: tuple[int, Evidence, Stage]) -> list[Moment]:
    rows = responses.rows_of(table, (A, B, C, D))
    return [
        Moment(time, one, (finding(one, first=time, stage=stage),), rows.get(one))
        for time, one, stage in told
    ]


HOP_1, HOP_2, HOP_3 = ssh(A, B), ssh(B, C), ssh(C, D)
CHAIN_TABLE = table_of([seen(HOP_1, 10), seen(HOP_2, 20), seen(HOP_3, 30)])
CHAIN = moments(
    CHAIN_TABLE,
    (30, HOP_3, Stage.MOVEMENT),
    (10, HOP_1, Stage.MOVEMENT),
    (20, HOP_2, Stage.MOVEMENT),
)


def test_a_chain_is_cut_and_what_follows_is_not_reached() -> None:
    allowed = [("a", "b", "tcp/22"), ("b", "c", "tcp/22"), ("c", "d", "tcp/22")]
    whole = run(CHAIN, CHAIN_TABLE, policy(*allowed))
    assert [hop.fate for hop in whole.hops] == [Fate.ALLOWED] * 3
    assert not whole.stopped and whole.stopped_at is None
    assert whole.text == "not stopped: 3 of 3 hops get through"
    middle = run(CHAIN, CHAIN_TABLE, policy(allowed[0], allowed[2]))
    assert [hop.fate for hop in middle.hops] == [Fate.ALLOWED, Fate.BLOCKED, Fate.NOT_REACHED]
    assert middle.steps[1].because == "no rule from b to c on tcp/22"
    assert middle.steps[2].because == "nobody got to 10.0.0.3"
    assert middle.stopped_at == 2 and middle.text == "stopped at hop 2 of 3"
    first = run(CHAIN, CHAIN_TABLE, policy(*allowed[1:]))
    assert [hop.fate for hop in first.hops] == [Fate.BLOCKED, Fate.NOT_REACHED, Fate.NOT_REACHED]
    assert first.stopped_at == 1
    nothing = run(CHAIN, CHAIN_TABLE, ResolvedPolicy("none"))
    assert {step.fate for step in nothing.steps} == {Fate.OPEN} and nothing.passed == 3


def test_one_way_in_is_enough_to_reach_a_machine() -> None:
    smb = ssh(A, B, 445)
    table = table_of([seen(HOP_1, 10), seen(smb, 15), seen(HOP_2, 20)])
    steps = moments(
        table, (10, HOP_1, Stage.MOVEMENT), (15, smb, Stage.MOVEMENT), (20, HOP_2, Stage.MOVEMENT)
    )
    found = run(steps, table, policy(("a", "b", "tcp/445"), ("b", "c", "tcp/22")))
    assert [(step.hop, step.fate) for step in found.steps] == [
        (1, Fate.BLOCKED),
        (1, Fate.ALLOWED),
        (2, Fate.ALLOWED),
    ]
    assert found.hops[0].because == "rule rule-0" and not found.stopped


def test_a_machine_that_acted_first_is_where_the_intrusion_starts() -> None:
    back = ssh(B, A)
    table = table_of([seen(HOP_1, 10), seen(back, 20), seen(ssh(A, C), 30)])
    steps = moments(
        table,
        (10, HOP_1, Stage.MOVEMENT),
        (20, back, Stage.MOVEMENT),
        (30, ssh(A, C), Stage.MOVEMENT),
    )
    found = run(steps, table, policy())
    assert [step.fate for step in found.steps] == [Fate.BLOCKED, Fate.NOT_REACHED, Fate.BLOCKED]


def test_looking_is_no_hop_and_neither_is_a_refused_login() -> None:
    refused = ssh(A, C)
    table = table_of([seen(HOP_1, 10), seen(refused, 20, outcome=Outcome.REFUSED)])
    steps = moments(table, (10, HOP_1, Stage.RECONNAISSANCE), (20, refused, Stage.MOVEMENT))
    found = run(steps, table, policy(("a", "c", "tcp/22")))
    assert found.hops == ()
    assert found.text == "not stopped: 1 of 2 steps gets through"
    assert run(steps, table, policy()).text == "stopped: none of 2 steps gets through"
    assert run([], table, policy()).text == "nothing to replay"
    assert not run([], table, policy()).stopped


def test_an_unclear_direction_counts_as_through() -> None:
    table = table_of([seen(HOP_1, 10, direction=Direction.FIRST)])
    found = run(moments(table, (10, HOP_1, Stage.MOVEMENT)), table, policy(("a", "b", "tcp/22")))
    assert found.steps[0].fate is Fate.UNCERTAIN and not found.stopped


def test_a_replay_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        replay(
            CHAIN, CHAIN_TABLE, policy(), Inventory(), "draft",
            decide=decide, cancelled=lambda: True,
        )  # fmt: skip


def test_costs_are_what_works_and_is_not_the_findings_own() -> None:
    works, failed, half, own = ssh(A, C), ssh(A, D), ssh(B, D), HOP_1
    table = table_of(
        [
            seen(works, 1),
            seen(failed, 1, outcome=Outcome.REFUSED),
            seen(half, 1, outcome=Outcome.ONE_WAY),
            seen(own, 1),
        ]
    )
    simulator = Simulator(table)
    let = [("a", "b", "any"), ("a", "c", "any"), ("a", "d", "any"), ("b", "d", "any")]
    before = simulator.simulate(policy(*let))
    after = Simulator(table).simulate(policy())
    row = responses.rows_of(table, (A,))[own]
    found = responses.cost(before, after, np.array([row]))
    assert [table.at(one).server for one in found.rows] == [C]
    assert [table.at(one).client for one in found.doubtful] == [B]
    assert (found.flows, found.bytes, found.hosts) == (1, 10, (A, C))
    assert found.text == (
        "newly blocked 4: 1 of the intrusion itself, 1 failed anyway, 1 cannot be told, "
        "1 works today"
    )


# ── the session ────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("demo")
    for name in ("inventory.yaml", "policy.yaml"):
        shutil.copy(DEMO / name, folder)
    with Session.open(folder) as session:
        session.ingest([DEMO / "office.pcapng"])
        yield session


@pytest.fixture
def session(loaded: Session) -> Iterator[Session]:
    yield loaded
    while loaded.draft.undo():
        pass


def by_kind(session: Session, kind: str) -> Finding:
    return next(one for one in session.findings.find() if one.kind == kind)


def over_smb(session: Session) -> Finding:
    """The tool written to app-2, which the scan had tried before."""
    app_2 = parse_address("10.3.0.22")
    return next(
        one
        for one in session.findings.find()
        if one.stage is Stage.MOVEMENT
        and [(piece.server, piece.port) for piece in one.evidence] == [(app_2, 445)]
    )


def test_taking_an_answer_is_one_step_of_undo(session: Session) -> None:
    before = session.policy
    answered = session.response.narrow(by_kind(session, "port-scan"), keep=True)
    assert answered.changed and answered.cost.rows == () and session.policy is before
    session.response.take(answered)
    assert session.policy == answered.edit.policy
    assert session.draft.last_edit == answered.edit.label
    assert session.draft.undo() == answered.edit.label
    assert session.policy == before


@pytest.mark.parametrize("kind", ["port-scan", "admin-share", "login-chain"])
def test_what_an_answer_blocks_is_what_the_draft_then_says(session: Session, kind: str) -> None:
    """The header counts the intruder's own and what failed anyway: one line tells the parts."""
    answered = session.response.narrow(by_kind(session, kind))
    blocked = answered.cost.blocked
    if answered.changed:
        session.response.take(answered)
        assert session.last_change()[1].newly_blocked == blocked
    assert answered.cost.text.startswith(f"newly blocked {blocked}")
    assert blocked > len(answered.cost.rows) or not answered.changed


def test_a_guardrail_breaks_nothing_by_not_holding_yet(session: Session) -> None:
    answered = session.response.guardrail(by_kind(session, "admin-share"))
    assert answered.broken == () and len(answered.unmet) == 1
    session.response.take(answered)
    again = session.response.guardrail(by_kind(session, "admin-share"))
    assert not again.changed and again.broken == () and again.unmet == answered.unmet


def test_an_answer_to_another_draft_is_refused(session: Session) -> None:
    answered = session.response.guardrail(by_kind(session, "first-login"))
    session.draft.remove_rule("vendor-remote")
    with pytest.raises(InputError, match="edited since"):
        session.response.take(answered)


def test_the_costs_are_those_of_the_simulation_once_taken(session: Session) -> None:
    answered = session.response.quarantine(by_kind(session, "port-scan"), ["jump"], ["tcp/22"])
    before = session.simulation.verdicts.copy()
    session.response.take(answered)
    after = session.simulation.verdicts
    assert all(before[row] != 2 and after[row] == 2 for row in answered.cost.rows)
    assert len(answered.cost.rows) > 5
    host = by_kind(session, "port-scan").host
    mine = set(session.addresses("pc-07"))
    assert host in mine
    for row in answered.cost.rows:
        one = session.table.at(row)
        assert one.client in mine or one.server in mine


def test_a_step_begins_with_its_first_flow_in_the_findings_time(session: Session) -> None:
    """The scan tried app-2 over SMB before the tool was written there."""
    transfer = over_smb(session)
    found = session.response.replay([transfer], Policy(), "none")
    [step] = found.steps
    [row] = session.findings.rows_of(transfer)
    assert session.table["first_us"][row] < transfer.first_us <= step.time_us
    with session.findings.flows_of(transfer) as view:
        assert step.time_us == view.page(0, 1)[0].first_us


def test_a_conversation_is_a_step_for_each_stage(session: Session) -> None:
    scan, transfer = by_kind(session, "port-scan"), over_smb(session)
    found = session.response.replay([scan, transfer], Policy(), "none")
    both = [step for step in found.steps if step.conversation == transfer.evidence[0]]
    assert [step.stage for step in both] == [Stage.RECONNAISSANCE, Stage.MOVEMENT]
    assert [step.hop for step in both] == [None, 1]


def test_the_intrusion_is_what_is_sure_and_not_suppressed(session: Session) -> None:
    found = session.findings.find()
    sure = session.response.intrusion(found)
    assert sure and {one.confidence for one in sure} == {Level.HIGH}
    known = replace(sure[0], suppression=Suppression(sure[0].id, "a test"))
    assert session.response.intrusion([known, *sure[1:]]) == sure[1:]
    with pytest.raises(InputError, match="baseline with a time"):
        session.response.policy("baseline")


def test_an_answer_can_be_stopped(session: Session) -> None:
    scan = by_kind(session, "port-scan")
    for ask in (session.response.guardrail, session.response.narrow, session.response.quarantine):
        with pytest.raises(Cancelled):
            ask(scan, cancelled=lambda: True)


def test_pings_are_covered_too(session: Session) -> None:
    answered: Answered = session.response.guardrail(by_kind(session, "ping-sweep"))
    added = [one for one in answered.edit.policy.guardrails if one.id.startswith("finding-")]
    assert {service for one in added for service in one.services} == {"icmp/echo-request"}
    assert {piece.protocol for piece in by_kind(session, "ping-sweep").evidence} == {ICMP}
