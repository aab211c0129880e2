"""Risky services, guardrails that are ready to add, gates that an edit closes, and open pairs."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import DEMO
from workbench.model.errors import FilterError, InputError
from workbench.model.exposure import OUTSIDE, Gate, GateKind, Scenario
from workbench.model.filters import parse_time
from workbench.model.policy import ANY, Assertion, Guardrail, Rule
from workbench.model.risky import MOVEMENT, RISKY
from workbench.model.verdict import Verdict
from workbench.policy import decide
from workbench.session import Session
from workbench.session.departures import GONE, NEW, departed

DAY = date(2026, 11, 24)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guarding")
    for name in ("inventory.yaml", "policy.yaml"):
        (folder / name).write_text((DEMO / name).read_text())
    with Session.open(folder, on=DAY) as session:
        session.ingest([DEMO / "office.pcapng"])
    return folder


@pytest.fixture
def session(demo: Path) -> Iterator[Session]:
    with Session.open(demo, on=DAY, sharing=True) as opened:
        yield opened


def test_every_risky_service_has_a_row(session: Session) -> None:
    rows = {row.service.id: row for row in session.risky(Scenario.NONE)}
    assert list(rows) == [risky.id for risky in RISKY]
    ssh = rows["ssh"]
    assert (ssh.before.light, ssh.now.light) == ("red", "red")
    assert ssh.guardrails == ("office-never-shells",)  # those about everything are about nothing
    assert rows["vnc"].guardrails == ()
    assert len(session.risky_rows("ssh")) == ssh.traffic.conversations > 0


def test_ready_guardrails_leave_what_the_draft_allows(session: Session) -> None:
    ready = session.ready_guardrails("smb")
    assert ready.clients == ("office",) and ready.servers == ("domain", "files")
    elsewhere, others = ready.guardrails
    assert elsewhere.clients == (ANY,) and "domain" not in elsewhere.servers
    assert "internet" not in elsewhere.servers  # a guardrail is about the site
    assert "office" in elsewhere.servers  # workstation to workstation
    assert "office" not in others.clients and "internet" in others.clients
    assert others.servers == ("domain", "files")
    assert [one.id for one in ready.broken] == [elsewhere.id]  # the office is not protected


def test_who_uses_a_service_and_why(session: Session) -> None:
    for one in session.policy.segments:
        if one.name != "internet":
            session.close_gate(Gate(GateKind.UNPROTECTED, one.name))
    users = session.service_users("ssh")
    assert users.gates[0] == Gate(GateKind.RULE, "jump-anywhere")
    assert ("jump", 1) in users.clients and ("prod-db", 1) in users.servers
    assert session.service_users("smb").servers == (("domain", 1), ("files", 1), ("internet", 1))
    seen = session.service_users("smb", Scenario.OBSERVED)
    assert not seen.outside and {gate.kind for gate in seen.gates} == {GateKind.SEEN}


def test_they_are_one_edit(session: Session) -> None:
    before = session.policy
    session.guard("vnc")
    [added] = set(session.policy.guardrails) - set(before.guardrails)
    assert added.assertion is Assertion.NEVER and added.services == ("tcp/5900-5906",)
    assert "T1021.005" in added.reason
    assert session.ready_guardrails("vnc").guardrails == ()
    with pytest.raises(InputError, match="guarded already"):
        session.guard("vnc")
    assert session.draft.undo() == "1 guardrail about vnc added"
    assert session.policy == before


def test_a_guardrail_that_is_kept_is_told_so(session: Session) -> None:
    for segment in session.policy.segments:
        if segment.name != "internet":
            session.close_gate(Gate(GateKind.UNPROTECTED, segment.name))
    ready = session.guard("vnc")
    assert ready.broken == ()
    row = next(one for one in session.risky(Scenario.SAVED) if one.service.id == "vnc")
    assert row.guardrails == ("vnc-never",) and row.broken == ()
    assert row.now.pairs < row.before.pairs


def test_an_id_that_is_taken_is_not_taken_again(session: Session) -> None:
    session.draft.put_guardrail(
        Guardrail("vnc-never", Assertion.NEVER, ("office",), ("plc",), ("tcp/5900",))
    )
    session.draft.put_rule(Rule("vnc-never-2", ("office",), ("plc",), ("tcp/502",)))
    [ready] = session.ready_guardrails("vnc").guardrails
    assert ready.id == "vnc-never-3"
    session.guard("vnc")


def test_unknown_services_and_sites_without_segments(tmp_path: Path, session: Session) -> None:
    with pytest.raises(InputError, match="no risky service is called 'x'"):
        session.guard("x")
    with Session.open(tmp_path / "new") as fresh, pytest.raises(InputError, match="4 names"):
        fresh.guard("smb")


def test_gates_are_closed_in_the_draft(session: Session) -> None:
    session.close_gate(Gate(GateKind.RULE, "jump-anywhere"))
    assert session.policy.rule("jump-anywhere") is None
    session.close_gate(Gate(GateKind.UNPROTECTED, "jump"))
    assert "jump" in {one.segment for one in session.policy.protect}
    with pytest.raises(InputError, match="segment first"):
        session.close_gate(Gate(GateKind.UNPROTECTED, "hosts without a segment in 10.1.0.0/24"))
    with pytest.raises(InputError, match="was seen"):
        session.close_gate(Gate(GateKind.SEEN, "ssh on db-1"))


@pytest.mark.parametrize("by", ["segment", "host", "subnet", "role"])
def test_open_pairs_are_what_decide_lets_through(session: Session, by: str) -> None:
    openness = session.openness(by, Scenario.DRAFT)
    matrix, resolved, exposure = session.matrix(by), session.resolved, session.exposure
    hosts = exposure.machines.hosts.addresses
    home = dict(zip(hosts, exposure.machines.of_host.tolist(), strict=True))

    def whole(addresses: tuple[int, ...]) -> tuple[int, ...]:
        machines = {home[one] for one in addresses} - {-1}
        return (*(one for one in hosts if home[one] in machines),
                *(one for one in addresses if home[one] == -1))  # fmt: skip

    sample = [*matrix.rows[:6], *matrix.rows[-2:]]
    for client in sample:
        for server in sample:
            starts, goals = session.members(by, client), session.members(by, server)
            starts, goals = whole(starts), whole(goals)  # a machine has all its addresses
            found = set()
            for one in starts:
                for other in goals:
                    start = OUTSIDE if one in exposure.machines.outside else home[one]
                    if home[other] == -1 or start in (-1, home[other]):
                        continue
                    if _open(session, one, other):
                        found.add((start, home[other]))
            assert openness.pairs(client, server)[0] == len(found), (client, server)
    assert resolved is session.resolved
    assert openness.pairs("no such group", matrix.rows[0]) == (0, 0)


def _open(session: Session, client: int, server: int) -> bool:
    from workbench.model.net import is_v4
    from workbench.model.traffic import Conversation

    if is_v4(client) != is_v4(server):
        return False
    ports = [(piece.protocol, piece.first) for piece in MOVEMENT]
    return any(
        decide(session.resolved, Conversation(client, server, *port)).verdict is not Verdict.BLOCKED
        for port in ports
    )


def test_open_pairs_agree_with_the_crossings(session: Session) -> None:
    openness = session.openness("segment", Scenario.DRAFT)
    for one in session.exposure.crossings(Scenario.DRAFT):
        if "internet" not in (one.client_segment, one.server_segment):
            found = openness.pairs(one.client_segment, one.server_segment)
            assert found == (one.direct, one.all_pairs)


def test_places_that_can_be_named(session: Session) -> None:
    places = session.exposure.places()
    assert {"office", "role=pc", "pc-07", "env=prod"} <= set(places) and "crown" not in places
    for place in places:
        assert session.exposure.target(place)
    assert session.exposure.homes()["db-1"] == "prod-db"
    session.draft.label_hosts(session.exposure.addresses("db-1"), {"crown": "yes"})
    assert session.exposure.places()[0] == "crown"
    assert session.exposure.crowns() == ("db-1",)
    assert session.exposure.addresses("nobody") == ()


@pytest.mark.parametrize("hour", [9, 12, 16])
def test_new_and_gone_against_a_moment(session: Session, hour: int) -> None:
    table = session.table
    moment = parse_time(f"2026-09-15T{hour:02}:00")
    new = departed(session, moment, "", NEW)
    assert (new == (table["first_us"] >= moment)).all() and new.any() and not new.all()
    gone = departed(session, moment, "", GONE)
    assert not (gone & new).any()
    assert gone[table["last_us"] < moment].all()  # none of its flows begins later
    whole = session.matrix_of("segment", new | ~new)
    for name, counts in session.matrix("segment").cells.items():
        assert (counts == whole.cells[name]).all()
    part = session.matrix_of("host", new).cells["flows"]
    assert 0 < part.sum() < session.matrix("host").cells["flows"].sum()


def test_new_and_gone_against_captures(session: Session) -> None:
    assert not departed(session, None, "office*", NEW).any()
    assert departed(session, None, "1", GONE).all()
    with pytest.raises(InputError, match="new against what"):
        departed(session, None, "", NEW)
    with pytest.raises(FilterError):
        departed(session, None, "nothing-like-it", NEW)
