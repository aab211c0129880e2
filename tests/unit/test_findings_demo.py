"""The demo site: every step of the recorded intrusion, by technique and host, in order."""

import json
import shutil
from collections.abc import Iterator

import pytest
from conftest import DEMO

from workbench.analysis.findings import SERVICES, Scene, detect
from workbench.model.filters import parse_time
from workbench.model.finding import Finding, Level, Thresholds, Window
from workbench.model.net import parse_address
from workbench.model.site import Inventory
from workbench.session import Session
from workbench.store import Store

STEPS = json.loads((DEMO / "truth.json").read_text())["intrusion"]
BREAK_IN = parse_time("2026-09-15T15:29")
"""Before the first beacon."""
PC_07, APP_2, DB_1 = map(parse_address, ("10.1.0.17", "10.3.0.22", "10.3.0.31"))
TECHNIQUES = {
    "beacon": "T1071",
    "scan: ping": "T1018",
    "scan: ports": "T1046",
    "SMB 445: reads": "T1021.002",
    "SMB 445: writes": "T1570",
    "SMB 445: fetches": "T1021.002",
    "WINRM 5985: runs": "T1021.006",
    "SSH 22: app-2": "T1021.004",
    "HTTPS 443: sends": "T1041",
}
UNSEEN = "scan: nobody"
"""Addresses that nobody has: ARP only, which is in no flow."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(DEMO / "inventory.yaml", folder)
    with Session.open(folder) as session:
        session.ingest([DEMO / "office.pcapng"])
        yield session


@pytest.fixture(scope="module")
def found(session: Session) -> tuple[Finding, ...]:
    return session.findings.find()


def seen_steps() -> list[dict[str, str]]:
    return [step for step in STEPS if not step["what"].startswith(UNSEEN)]


def test_every_step_is_found_by_technique_host_and_time(found: tuple[Finding, ...]) -> None:
    second = 1_000_000
    for step in seen_steps():
        [technique] = [name for what, name in TECHNIQUES.items() if step["what"].startswith(what)]
        moment, client = parse_time(step["at"]), parse_address(step["client"])
        telling = [
            one
            for one in found
            if one.technique == technique
            and one.host == client
            and parse_address(step["server"]) in one.peers
            and one.first_us - 5 * second <= moment <= one.last_us + 5 * second
        ]
        assert telling, step
        least = Level.MEDIUM if technique in ("T1071", "T1041") else Level.HIGH
        assert max(one.confidence for one in telling) >= least, step


def test_what_nobody_answered_by_arp_is_in_no_flow(session: Session) -> None:
    unseen = {parse_address(one["server"]) for one in STEPS if one["what"].startswith(UNSEEN)}
    assert unseen and not unseen & set(session.table.hosts.addresses)


def test_the_story_is_told_in_order(session: Session, found: tuple[Finding, ...]) -> None:
    sure = [one for one in found if one.confidence is Level.HIGH]
    sure.sort(key=lambda one: (one.first_us, one.technique))
    assert [one.technique for one in sure] == [
        "T1018", "T1046", "T1021.002", "T1021.002", "T1570", "T1021", "T1021.006", "T1021.004",
    ]  # fmt: skip
    assert [one.first_us for one in found] == sorted(one.first_us for one in found)
    story = session.findings.story(APP_2, found)
    assert {one.technique for one in story} >= {"T1046", "T1021.002", "T1021.006", "T1021.004"}
    [chain] = [one for one in found if one.kind == "login-chain"]
    assert "pc-07 → app-2 → db-1" in chain.title
    assert (chain.host, chain.peers) == (PC_07, (APP_2, DB_1))


def test_nothing_benign_is_told_with_high_confidence(found: tuple[Finding, ...]) -> None:
    sure = [one for one in found if one.confidence is Level.HIGH]
    assert {one.host for one in sure} == {PC_07, APP_2}
    assert all(one.first_us > BREAK_IN for one in sure)


@pytest.mark.parametrize("named", [True, False])
def test_the_benign_part_alone_has_no_high_finding(session: Session, named: bool) -> None:
    """With the inventory, and without knowing who is an administrator."""
    session.findings.find()
    store: Store = session._store
    traces = store.traces(Window(before_us=BREAK_IN), SERVICES, Thresholds())
    begin = int(traces.contacts["first_us"].min())
    scene = Scene(
        hosts=store.hosts(),
        inventory=session.inventory if named else Inventory(),
        now=traces,
        before=None,
        covered=((begin, BREAK_IN),),
        limits=Thresholds(),
    )
    calm = detect(scene)
    assert calm
    assert not [one for one in calm if one.confidence is Level.HIGH]


def test_with_the_working_day_as_baseline(session: Session) -> None:
    found = session.findings.find(baseline=BREAK_IN)
    sure = [one for one in found if one.confidence is Level.HIGH]
    assert {one.host for one in sure} == {PC_07, APP_2}
    assert {"T1018", "T1046", "T1021.002", "T1021.006", "T1021.004", "T1570"} <= {
        one.technique for one in sure
    }
    assert any(one.kind == "new-peer" and one.host == PC_07 for one in found)


def test_evidence_leads_to_the_flows(session: Session, found: tuple[Finding, ...]) -> None:
    [login] = [one for one in found if one.kind == "first-login" and one.host == APP_2]
    with session.findings.flows_of(login) as view:
        flows = view.page(0, 10)
    assert [(one.client, one.server, one.server_port) for one in flows] == [(APP_2, DB_1, 22)] * 3
    for one in found:
        with session.findings.flows_of(one) as view:
            assert view.total, one
