"""Exposure through the session: drawn once, redrawn when the draft changes, down to the rows."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from session_site import DB, OTHER, site

from workbench.model.errors import InputError
from workbench.model.exposure import Scenario
from workbench.model.net import parse_address
from workbench.model.policy import Rule
from workbench.model.site import Host
from workbench.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(site(tmp_path / "site"), on=date(2026, 7, 15)) as opened:
        yield opened


def test_the_site_in_figures(session: Session) -> None:
    exposure = session.exposure
    assert exposure.scenarios == (Scenario.NONE, Scenario.OBSERVED, Scenario.DRAFT)
    assert exposure.score(Scenario.NONE) == 100
    seen = exposure.whole(Scenario.OBSERVED)
    assert (seen.machines, seen.pairs, seen.widest) == (3, 1, OTHER)  # it logs in to db-1
    drafted = exposure.whole(Scenario.DRAFT)
    # db-1 is protected and no rule moves there; it may not go anywhere either
    assert drafted.pairs == 4  # web-1 and the other reach each other, the outside both
    [found] = [one for one in exposure.hosts(Scenario.DRAFT) if one.name == "db-1"]
    assert (found.clients, found.movers, found.footholds, found.blast) == (1, 0, 0, 0)
    assert found.services == ("database",)


def test_an_edit_is_seen_and_what_was_observed_is_kept(session: Session) -> None:
    before = session.exposure
    assert session.exposure is before
    observed, draft = before.picture(Scenario.OBSERVED), before.score(Scenario.DRAFT)
    session.draft.put_rule(Rule("shell", ("web",), ("db",), ("tcp/22",)))
    after = session.exposure
    assert after is not before
    assert after.scenarios == tuple(Scenario)
    assert after.picture(Scenario.OBSERVED) is observed
    assert after.score(Scenario.SAVED) == pytest.approx(draft)
    assert after.score(Scenario.DRAFT) > draft
    session.draft.undo()
    assert session.exposure.score(Scenario.DRAFT) == pytest.approx(draft)


def test_a_listed_host_joins(session: Session) -> None:
    before = session.exposure.machines
    session.draft.merge_hosts((Host("spare", (parse_address("10.0.0.77"),)),), "list")
    now = session.exposure.machines
    assert len(now) == len(before) + 1
    assert "spare" in now.names


def test_a_hop_leads_to_its_conversations(session: Session) -> None:
    exposure = session.exposure
    [path] = exposure.paths(OTHER, "db-1", Scenario.OBSERVED)
    [hop] = path.hops
    rows = exposure.evidence(hop)
    found = [str(session.table.at(int(row))) for row in rows]
    assert found == [f"{OTHER} → {DB} tcp/22"]
    with session.flows_of(rows) as view:
        assert view.total == 1


def test_places_by_every_name(session: Session) -> None:
    exposure = session.exposure
    db = exposure.target("db-1")
    assert db == exposure.target(DB) == exposure.target("db") == exposure.target("role=db")
    assert exposure.foothold("outside") == exposure.machines.outside_bit
    session.draft.label_hosts([parse_address(DB)], {"crown": "yes"})
    assert session.exposure.target("crown") == db
    for wrong in ("outside", "nobody", "crown=no", "10.0.0.200"):
        with pytest.raises(InputError):
            exposure.target(wrong)


def test_a_foothold_that_is_its_own_target(session: Session) -> None:
    exposure = session.exposure
    assert exposure.paths("db-1", "db-1", Scenario.NONE) == ()
    assert exposure.cut("db-1", "db-1", Scenario.NONE).gates == ()
    assert exposure.chokes(Scenario.NONE, "db-1", "db-1") == ()


def test_risky_traffic_is_counted_by_what_the_draft_does(session: Session) -> None:
    found = {one.service: one for one in session.exposure.traffic()}
    assert (found["ssh"].conversations, found["ssh"].would_block) == (1, 1)
    assert (found["database"].conversations, found["database"].allowed) == (2, 1)
    assert found["database"].coverage == 1
    assert found["ssh"].coverage == 0
    assert (found["rdp"].in_scope, found["rdp"].coverage) == (0, 1)


def test_from_segment_to_segment(session: Session) -> None:
    found = {
        (one.client_segment, one.server_segment): one
        for one in session.exposure.crossings(Scenario.NONE)
    }
    assert set(found) == {("web", "web"), ("web", "db"), ("db", "web"), ("db", "db")}
    assert (found["web", "db"].direct, found["web", "db"].share) == (1, 1)
    assert (found["db", "db"].all_pairs, found["db", "db"].share) == (0, 0)
    drafted = session.exposure.crossings(Scenario.DRAFT)
    assert sum(one.pairs for one in drafted) == 0
