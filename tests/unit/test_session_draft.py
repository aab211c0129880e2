"""The draft: history, what saving writes, what a changed file does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from session_site import INVENTORY, OTHER, POLICY, WEB, site

from workbench.model.errors import DocumentError, FileChanged, InputError, PolicyError
from workbench.model.net import parse_address
from workbench.model.policy import Protection, Rule, Segment
from workbench.model.site import Host
from workbench.model.verdict import Class, Verdict
from workbench.session import Session, read_hosts
from workbench.session.history import LIMIT

RULE = Rule("ssh", ("web",), ("db",), ("tcp/22",))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with Session.open(site(tmp_path / "site"), on=date(2026, 6, 1)) as opened:
        yield opened


def files(session: Session) -> dict[str, str]:
    """Every text file of the workspace."""
    return {path.name: path.read_text() for path in session.workspace.glob("*.yaml*")}


# ── history ────────────────────────────────────────────────────────────────────────────────


def test_undo_and_redo_walk_the_same_way(session: Session) -> None:
    drafts = [session.draft.present]
    for edit in (
        lambda: session.draft.put_rule(RULE),
        lambda: session.draft.label_hosts([parse_address(OTHER)], {"role": "web"}),
        lambda: session.draft.remove_rule("old"),
    ):
        edit()
        drafts.append(session.draft.present)
    assert session.draft.undo() == "rule old removed"
    assert session.draft.undo() == "role=web on 1 host"
    assert session.draft.present is drafts[1]
    assert session.draft.undo() == "rule ssh added"
    assert session.draft.undo() is None and not session.draft.changed
    assert [session.draft.redo() for _ in range(4)] == [
        "rule ssh added", "role=web on 1 host", "rule old removed", None,
    ]  # fmt: skip
    assert session.draft.present is drafts[-1]


def test_a_host_with_several_addresses_is_one_host(session: Session) -> None:
    both = Host("router", (parse_address(OTHER), parse_address("10.0.0.78")))
    session.draft.merge_hosts((both,), "a list")
    session.draft.label_hosts(both.addresses, {"role": "router"})
    assert session.draft.undo() == "role=router on 1 host"


def test_an_edit_forgets_what_was_undone(session: Session) -> None:
    session.draft.put_rule(RULE)
    session.draft.undo()
    session.draft.remove_rule("old")
    assert session.draft.redo() is None
    assert session.draft.policy.rule("ssh") is None


def test_an_edit_that_changes_nothing_is_no_step(session: Session) -> None:
    session.draft.rename_host(parse_address(WEB), "web-1")
    assert session.draft.last_edit == "" and session.draft.undo() is None


def test_history_is_bounded(session: Session) -> None:
    for number in range(LIMIT + 20):
        session.draft.put_rule(
            replace(RULE, reason=str(number)), replaces="ssh" if number else None
        )
    steps = 0
    while session.draft.undo():
        steps += 1
    assert steps == LIMIT - 1


def test_a_wrong_edit_changes_nothing(session: Session) -> None:
    before = session.draft.present
    with pytest.raises(PolicyError):
        session.draft.put_rule(replace(RULE, servers=("nowhere",)))
    with pytest.raises(InputError, match="another host is called 'db-1' already"):
        session.draft.rename_host(parse_address(OTHER), "db-1")
    with pytest.raises(PolicyError):
        session.draft.put_policy_text("workbench: 1\nrules: [{id: x}]\n", "mine.yaml")
    assert session.draft.present is before


# ── edits ──────────────────────────────────────────────────────────────────────────────────


def test_each_edit_says_what_it_did_to_the_traffic(session: Session) -> None:
    assert session.summary().would_block == 0  # `old` allows ssh until the end of June
    session.draft.remove_rule("old")
    told, change = session.last_change()
    assert (told, change.newly_allowed, change.newly_blocked) == ("rule old removed", 0, 1)
    summary = session.summary()
    assert summary.changed and summary.draft_changes == 1
    assert (summary.would_block, summary.saved_would_block) == (1, 0)
    session.draft.undo()
    assert not session.summary().changed and session.summary().draft_changes == 0


def test_a_renamed_segment_is_followed_everywhere(session: Session) -> None:
    before = session.simulation.verdicts.tolist()
    db = next(one for one in session.policy.segments if one.name == "db")
    session.draft.put_segment(replace(db, name="databases"), replaces="db")
    assert {name for rule in session.policy.rules for name in rule.servers} == {"databases"}
    assert [item.segment for item in session.policy.protect] == ["databases"]
    assert session.simulation.verdicts.tolist() == before
    session.draft.save()
    assert "db:" not in files(session)["policy.yaml"]
    assert "# the crown jewels" in files(session)["policy.yaml"]


@pytest.mark.parametrize("some", [True, False])
def test_accepting_proposals(session: Session, some: bool) -> None:
    session.draft.remove_rule("old")
    session.draft.remove_rule("web-to-db")
    suggestion = session.suggest()
    ids = [proposal.rule.id for proposal in suggestion.proposals]
    assert len(ids) == 2
    session.draft.accept(suggestion, ids[:1] if some else ids)
    assert [rule.id for rule in session.policy.rules] == (ids[:1] if some else ids)
    used = {n for rule in session.policy.rules for n in (*rule.clients, *rule.servers)} - {"any"}
    assert used <= {segment.name for segment in session.policy.segments}
    allowed = (session.simulation.verdicts == Verdict.ALLOWED).sum()
    assert allowed == (1 if some else 2)
    counted = "1 proposed rule accepted" if some else "2 proposed rules accepted"
    assert session.draft.undo() == counted


def test_a_proposal_for_one_conversation_allows_it(session: Session) -> None:
    session.draft.remove_rule("old")
    [row] = (session.simulation.classes == Class.WOULD_BLOCK).nonzero()[0]
    proposed = session.propose([int(row)])
    session.draft.accept(proposed, proposed.harmless)
    assert session.simulation.verdicts[row] == Verdict.ALLOWED
    assert session.explain_row(int(row)).decision.rules


def test_a_policy_can_be_tried_without_becoming_the_draft(session: Session) -> None:
    before, simulation = session.draft.present, session.simulation
    tried = session.try_policy(replace(session.policy, rules=()))
    assert tried.totals.by_class[Class.WOULD_BLOCK] == 2
    assert session.draft.present is before and session.simulation is simulation


# ── expiry ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("on", "blocked"), [(date(2026, 6, 30), 0), (date(2026, 7, 1), 1)])
def test_rules_end_with_their_last_day(tmp_path: Path, on: date, blocked: int) -> None:
    with Session.open(site(tmp_path / "site"), on=on) as session:
        assert session.summary().would_block == blocked
        states = {use.id: use.state for use in session.simulation.rules}
        assert states["old"] == ("expired" if blocked else "active")
        assert session.resolved.on == on


# ── saving ─────────────────────────────────────────────────────────────────────────────────


def test_saving_writes_only_what_changed(session: Session) -> None:
    before = {name: (session.workspace / name).stat().st_ino for name in files(session)}
    session.draft.save()
    assert {name: (session.workspace / name).stat().st_ino for name in files(session)} == before
    session.draft.put_rule(RULE)
    session.draft.save()
    assert files(session)["inventory.yaml"] == INVENTORY
    assert "inventory.yaml~" not in files(session)
    assert files(session)["policy.yaml~"] == POLICY
    assert not session.draft.changed and session.summary().draft_changes == 0


def test_saving_keeps_comments_in_both_files(session: Session) -> None:
    session.draft.put_rule(RULE)
    session.draft.label_hosts([parse_address(OTHER)], {"role": "jump"})
    session.draft.save()
    saved = files(session)
    for comment in ("# the shop, drafted", "# the crown jewels", "# front", "# asked for by"):
        assert comment in saved["policy.yaml"]
    for comment in ("# who is who", "# rack 4"):
        assert comment in saved["inventory.yaml"]
    with Session.open(copy_of(session)) as again:
        assert again.policy == session.policy and again.inventory == session.inventory


def copy_of(session: Session) -> Path:
    folder = session.workspace.parent / "copy"
    folder.mkdir()
    for name, text in files(session).items():
        (folder / name).write_text(text)
    return folder


def test_saving_again_after_undo_writes_the_old_state(session: Session) -> None:
    session.draft.put_rule(RULE)
    session.draft.save()
    session.draft.undo()
    assert session.draft.changed
    session.draft.save()
    assert "ssh" not in files(session)["policy.yaml"] and not session.draft.changed


@pytest.mark.parametrize("name", ["policy.yaml", "inventory.yaml"])
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_a_file_that_changed_on_disk_is_never_clobbered(
    session: Session, name: str, how: str
) -> None:
    path = session.workspace / name
    if how == "edited":
        path.write_text(path.read_text() + "# theirs\n")
    else:
        path.unlink()
    session.draft.put_rule(RULE)
    session.draft.label_hosts([parse_address(OTHER)], {"role": "jump"})
    before = files(session)
    with pytest.raises(FileChanged, match="nothing was saved"):
        session.draft.save()
    assert files(session) == before and session.draft.changed


def test_a_file_that_appeared_is_never_clobbered(tmp_path: Path) -> None:
    with Session.open(tmp_path / "fresh") as session:
        (session.workspace / "policy.yaml").write_text(POLICY)
        session.draft.put_segment(Segment("web", cidrs=("10.0.0.0/8",)))
        with pytest.raises(FileChanged):
            session.draft.save()
        assert files(session) == {"policy.yaml": POLICY}


def test_reloading_takes_theirs_and_undo_brings_ours_back(session: Session) -> None:
    session.draft.put_rule(RULE)
    ours = session.draft.present
    (session.workspace / "policy.yaml").write_text(POLICY.replace("5432", "5433"))
    session.draft.reload()
    assert session.draft.policy.rule("ssh") is None and not session.draft.changed
    assert session.summary().would_block == 1
    assert session.draft.undo() == "reloaded from disk"
    assert session.draft.present is ours and session.draft.changed
    session.draft.save()
    assert "ssh" in files(session)["policy.yaml"]


def test_reloading_something_broken_changes_nothing(session: Session) -> None:
    session.draft.put_rule(RULE)
    before = session.draft.present
    (session.workspace / "policy.yaml").write_text("nonsense: [")
    with pytest.raises(DocumentError):
        session.draft.reload()
    assert session.draft.present is before
    with pytest.raises(FileChanged):
        session.draft.save()
    assert (session.workspace / "policy.yaml").read_text() == "nonsense: ["


def test_a_fresh_workspace_saves_both_files(tmp_path: Path) -> None:
    with Session.open(tmp_path / "deep" / "fresh") as session:
        session.draft.put_segment(Segment("web", cidrs=("10.0.0.0/8",)))
        session.draft.put_protection(Protection("web"))
        session.draft.rename_host(parse_address(WEB), "web-1")
        session.draft.save()
    with Session.open(tmp_path / "deep" / "fresh") as again:
        assert again.policy.protect and again.inventory.name(parse_address(WEB)) == "web-1"


# ── hosts from elsewhere ───────────────────────────────────────────────────────────────────


def test_imported_hosts_join_those_seen_and_undo_takes_them_away(session: Session) -> None:
    seen = session.table.hosts.seen
    rows = session.table.columns
    listing = session.workspace / "more.csv"
    listing.write_text("name,address,role\ndb-2,10.0.0.77,db\n")
    session.draft.merge_hosts(read_hosts(listing, None, print), listing.name)
    table = session.table
    assert table.hosts.seen == seen and len(table.hosts) == seen + 1
    assert all(table[name] is rows[name] for name in rows)
    new = parse_address("10.0.0.77")
    fact = next(one for one in session.hosts() if one.address == new)
    assert (fact.name, fact.segments, fact.first_us) == ("db-2", ("db",), None)
    assert new in session.resolved.segment("db")
    assert session.hosts(session.parse("db-2")) == (fact,)
    assert session.last_change()[0] == "1 host from more.csv"
    assert session.summary().draft_changes == 0
    session.draft.undo()
    assert len(session.table.hosts) == seen
    assert new not in {one.address for one in session.hosts()}
    assert new not in session.resolved.segment("db")
    session.draft.redo()
    assert new in {one.address for one in session.hosts()}


def test_hosts_listed_on_disk_join_on_reload(session: Session) -> None:
    path = session.workspace / "inventory.yaml"
    path.write_text(path.read_text() + "  - {name: db-3, addresses: [10.0.0.33]}\n")
    session.draft.reload()
    assert "db-3" in {one.name for one in session.hosts()}


def test_an_unknown_kind_of_host_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "hosts.xlsx"
    path.write_bytes(b"PK")
    with pytest.raises(InputError, match="csv, hosts, kubectl"):
        read_hosts(path, None, print)


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a workspace is a folder"):
        Session.open(tmp_path / "file")
    with pytest.raises(InputError, match="cannot make the workspace"):
        Session.open(tmp_path / "file" / "inside")


def test_a_broken_document_leaves_the_store_alone(tmp_path: Path) -> None:
    folder = site(tmp_path / "site")
    (folder / "policy.yaml").write_text("rules: 5\n")
    with pytest.raises(PolicyError):
        Session.open(folder)
    (folder / "policy.yaml").write_text(POLICY)
    with Session.open(folder) as session:  # nothing holds it
        assert len(session.captures()) == 1
