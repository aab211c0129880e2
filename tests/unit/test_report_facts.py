"""What a report says of a workspace: gathered facts, honest words, nothing overwritten."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from craft import pcap, udp4
from session_site import site

from workbench.model.errors import Cancelled, InputError
from workbench.model.policy import Assertion, Exclusion, Guardrail, Rule
from workbench.model.report import Report, ReportFormat
from workbench.model.verdict import Class
from workbench.report import document, html_page, markdown_page
from workbench.report.document import Points
from workbench.session import Session, Wish, write_report
from workbench.session.reporting import gather

ON = date(2026, 7, 15)
FIXED = Wish(made_us=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return site(tmp_path / "site")


@pytest.fixture
def session(folder: Path) -> Iterator[Session]:
    with Session.open(folder, on=ON) as opened:
        yield opened


def points(report: Report) -> dict[str, str]:
    """Section → the last line of the first page about it, with its mark."""
    [found] = [one for one in document(report).summary.blocks if isinstance(one, Points)]
    return {one.section: f"{one.mark.word}: {one.text}" for one in found.points}


def test_the_first_page_says_what_stands_against_it(session: Session) -> None:
    report = gather(session, FIXED)
    found = points(report)
    assert found["would-block"].startswith("against: 1 conversation with 1 service that work")
    assert found["rules"] == "look: 2 rules: 1 expired, 1 broad, 2 without a reason"
    assert found["guardrails"].startswith("not done: There are no guardrails")
    assert found["paths"].startswith("not done: No crown jewels")
    assert found["vulnerabilities"].startswith("not done")
    assert found["certificate"] == "not done: Nothing was exported, so nothing was verified"
    page = markdown_page(document(report)).replace("\\", "")
    assert "1 point stands against enforcing this policy as it is" in page
    assert "Unseen is not unused" in page
    assert (
        "this report says what the policy means, not what any firewall or cluster would do" in page
    )


@pytest.mark.parametrize(("name", "title"), [("policy", ""), ("plant", " plant")])
def test_the_title_names_a_policy_that_has_a_name(session: Session, name: str, title: str) -> None:
    report = gather(session, FIXED)
    named = replace(report, policy=replace(report.policy, name=name))
    assert document(named).title == f"Segmentation policy{title}"


def test_the_losses_are_by_server_and_service(session: Session) -> None:
    report = gather(session, FIXED)
    [lost] = report.losses
    assert (lost.server, lost.service) == ("db-1 (10.0.0.9)", "tcp/22")
    assert (lost.clients.items, lost.clients.total) == (("10.0.0.2",), 1)
    assert report.totals.by_class[Class.WOULD_BLOCK] == 1
    [used, old] = report.rules
    assert (used.use.hits, used.clients, used.servers) == (1, 1, 1) and used.first_us
    assert (old.flags, old.first_us) == (("expired", "broad"), None)


def test_what_is_excluded_is_nobodys_evidence(session: Session) -> None:
    session.draft.put_rule(Rule("wide", ("any",), ("db",), ("any",)))
    skip = Exclusion("skip", ("web",), ("db",), ("any",), "backup")
    session.draft.put_exclusion(skip)
    wide = gather(session, FIXED).rules[-1]
    assert (wide.use.hits, wide.clients) == (2, 1)


def test_nothing_protected_is_said_and_never_called_covered(session: Session) -> None:
    session.draft.remove_protection("db")
    report = gather(session, FIXED)
    assert report.unsaved
    assert points(report)["policy"] == "against: No segment is protected: the policy blocks nothing"
    page = markdown_page(document(report)).replace("\\", "")
    assert "nothing that was recorded is in scope" in page and "100 %" not in page.split("## 2")[0]
    assert "unsaved draft" in page


def test_no_rules_are_not_called_fine(session: Session) -> None:
    for rule in session.draft.policy.rules:
        session.draft.remove_rule(rule.id)
    report = gather(session, FIXED)
    assert points(report)["rules"].startswith("not done: There are no rules")


def test_guardrails_crown_jewels_and_exports_are_told(session: Session) -> None:
    rail = Guardrail("no-ssh", Assertion.NEVER, ("any",), ("db",), ("tcp/5432",), "<b>never</b>")
    session.draft.put_guardrail(rail)
    session.draft.put_rule(
        Rule("admin", ("any",), ("db",), ("tcp/22",), "night", date(2026, 7, 20))
    )
    [db] = session.addresses("db-1")
    session.draft.label_hosts([db], {"crown": "yes"})
    session.exports.write("nftables")
    report = gather(session, replace(FIXED, kernel=False))
    found = points(report)
    assert found["guardrails"] == "against: Broken guardrails, 1 of 1: no-ssh"
    assert found["paths"].startswith("against: Crown jewels (1) can be reached from outside")
    assert found["certificate"].startswith("look: Exported and proven equal: exports/nftables")
    assert "expires in 5 d" in report.rules[-1].flags
    page = html_page(document(report))
    assert "rule admin" in page and "&lt;b&gt;never&lt;/b&gt;" in page and "not checked" in page
    [proof] = report.certificates
    assert proof.verification and not proof.verification.mismatches
    session.draft.remove_rule("admin")  # and the files say more than the policy now
    other = gather(session, replace(FIXED, kernel=False))
    assert points(other)["certificate"].startswith("against: Exports that do not say")


def test_an_edited_or_broken_export_is_said(session: Session, folder: Path, tmp_path: Path) -> None:
    *_, manifest = session.exports.write("nftables")
    manifest.write_text("{}")
    report = gather(session, FIXED)
    [proof] = report.certificates
    assert proof.verification is None and "not a manifest" in proof.trouble
    assert "not judged" in html_page(document(report))
    with pytest.raises(InputError, match="not a folder that the workbench wrote"):
        gather(session, replace(FIXED, exports=(tmp_path,)))


def test_the_same_workspace_gives_the_same_bytes(session: Session, folder: Path) -> None:
    first = html_page(document(gather(session, FIXED)))
    session.close()
    with Session.open(folder, on=ON) as again:
        later = html_page(document(gather(again, replace(FIXED, made_us=86_400_000_000))))
    differ = [
        (one, other)
        for one, other in zip(first.splitlines(), later.splitlines(), strict=True)
        if one != other
    ]
    [(one, other)] = differ
    assert "1970-01-01" in one and "1970-01-02" in other


def test_a_stopped_report_leaves_nothing(session: Session, tmp_path: Path) -> None:
    told: list[str] = []
    with pytest.raises(Cancelled):
        write_report(
            session,
            tmp_path / "r.html",
            progress=lambda progress: told.append(progress.label),
            cancelled=lambda: any("exposure" in one for one in told),
        )
    assert not (tmp_path / "r.html").exists()
    assert "report: findings" in told


def test_only_reports_are_replaced(session: Session, tmp_path: Path) -> None:
    page, folder = tmp_path / "r.html", tmp_path / "tables"
    page.write_text("my own page")
    folder.mkdir()
    (folder / "notes.csv").write_text("mine")
    for out, form in ((page, ReportFormat.HTML), (folder, ReportFormat.CSV)):
        with pytest.raises(InputError, match="no report; nothing was written"):
            write_report(session, out, form, FIXED)
    assert page.read_text() == "my own page" and len(list(folder.iterdir())) == 1
    write_report(session, page, wish=FIXED, replace=True)
    assert (tmp_path / "r.html~").read_text() == "my own page"
    assert write_report(session, page, wish=FIXED) == (page,)  # one of ours
    write_report(session, folder, ReportFormat.CSV, FIXED, replace=True)
    assert write_report(session, folder, ReportFormat.CSV, FIXED)[0] == folder / "about.csv"
    assert (folder / "notes.csv").read_text() == "mine"
    with pytest.raises(InputError, match="folder of tables"):
        write_report(session, page, ReportFormat.CSV, FIXED)
    with pytest.raises(InputError, match="no regular file"):
        write_report(session, folder, ReportFormat.HTML, FIXED)
    (tmp_path / "link.html").symlink_to(page)
    with pytest.raises(InputError, match="and no report"):
        write_report(session, tmp_path / "link.html", wish=FIXED)
    with pytest.raises(InputError, match="no such folder"):
        write_report(session, tmp_path / "nowhere" / "r.html", wish=FIXED)


def test_what_it_is_made_from_is_spared_even_by_replace(session: Session, folder: Path) -> None:
    for name in ("policy.yaml", "inventory.yaml", "flows.duckdb", "shop.pcap"):
        before = (folder / name).read_bytes()
        with pytest.raises(InputError, match="is made from it"):
            write_report(session, folder / name, wish=FIXED, replace=True)
        assert (folder / name).read_bytes() == before


def test_twenty_thousand_hosts_are_counted_and_not_listed(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    (folder / "policy.yaml").write_text(
        "workbench: 1\nname: large\nprotect: {db: {}}\nsegments: {db: {cidrs: [10.200.0.0/16]}}\n"
    )
    packets = []
    for number in range(20_000):
        client = f"10.{number // 250 // 250}.{number // 250 % 250}.{number % 250 + 1}"
        server = f"10.200.0.{number % 200 + 1}"
        packets += [udp4(client, 40_000, server, 53), udp4(server, 53, client, 40_000)]
    (folder / "large.pcap").write_bytes(pcap(packets))
    with Session.open(folder, on=ON) as session:
        session.ingest([folder / "large.pcap"])
        report = gather(session, replace(FIXED, most=50))
    assert report.totals.by_class[Class.WOULD_BLOCK] == 20_000
    assert (report.losses.total, len(report.losses.items)) == (200, 50)
    assert {one.clients.total for one in report.losses} == {100}
    page = html_page(document(report))
    assert "… and 150 more, 200 in all." in page and "and 94 more" in page
    assert len(page) < 400_000


def test_a_crown_on_an_address_that_is_no_machine_is_none(folder: Path) -> None:
    text = (folder / "inventory.yaml").read_text()
    outside = "networks: [{name: far, cidrs: [203.0.113.0/24], labels: {crown: 'yes'}}]\n"
    (folder / "inventory.yaml").write_text(text + outside)
    with Session.open(folder, on=ON) as session:
        report = gather(session, FIXED)
    assert report.exposure.crown.total == 0 and report.exposure.ways == ()


def test_an_empty_workspace_has_a_report(tmp_path: Path) -> None:
    with Session.open(tmp_path / "empty", on=ON) as session:
        report = gather(session, FIXED)
        assert points(report)["recording"].startswith("against: Nothing was recorded")
        assert "Nothing was seen" in html_page(document(report))
