"""What the command line calls things, and what it says where an option or a file does nothing."""

import json
import shutil
from pathlib import Path

import pytest
from session_site import INVENTORY, site

from workbench.cli import main
from workbench.cli.parser import build_parser
from workbench.cli.words import CONVERSATION_ORDER, FLOW_ORDER
from workbench.session import Session


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site(tmp_path_factory.mktemp("words") / "site")


def printed(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main([*map(str, words), "--format", "json"]) == 0
    return list(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize(
    ("command", "columns", "turned"),
    [("flows", FLOW_ORDER, "--descending"), ("conversations", CONVERSATION_ORDER, "--ascending")],
)
def test_rows_are_sorted_by_the_names_they_are_printed_with(
    shop: Path,
    command: str,
    columns: tuple[str, ...],
    turned: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for column in columns:
        one = printed(capsys, command, shop, "--sort", column)
        other = printed(capsys, command, shop, "--sort", column, turned)
        assert len(one) == len(other) > 2
        if column in ("server_port", "first_seen", "last_seen", "client_port", "flows"):
            values = [row[column] for row in one]
            assert values == sorted(values, reverse=command == "conversations")  # type: ignore[type-var]
            assert [row[column] for row in other] == values[::-1]
    assert main([command, str(shop), "--sort", "first_us"]) == 2
    assert "choose one of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("findings {site} --until 2030-01-01", "only with --suppress"),
        ("findings {site} --evidence a --reason known", "only with --suppress"),
        ("dissect {site} 1 --replace", "only with --save"),
        ("exposure {site} --paths 3", "only with --from and --to"),
        ("exposure {site} --from web-1 --to db-1 --chokes --paths 3", "without --chokes"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(
    shop: Path, line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.format(site=shop).split()) == 2
    out, err = capsys.readouterr()
    assert not out and told in err and len(err.splitlines()) == 1


def test_a_capture_that_was_moved_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = site(tmp_path / "site")
    moved = shutil.move(here / "shop.pcap", tmp_path / "elsewhere.pcap")
    assert main(["ingest", str(here), str(moved)]) == 0
    out, err = capsys.readouterr()
    assert not out and "are found where they are now" in err and "nothing to show" not in err
    assert printed(capsys, "captures", here)[0]["path"] == str(tmp_path / "elsewhere.pcap")
    assert main(["ingest", str(here), str(moved)]) == 2
    assert "elsewhere.pcap: already in the workspace; nothing" in capsys.readouterr().err


def test_a_label_of_the_network_stays_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = site(tmp_path / "site")
    lan = "networks:\n  - {name: lan, cidrs: [10.0.0.0/24], labels: {zone: office}}\n"
    (here / "inventory.yaml").write_text(INVENTORY.replace("hosts:", lan + "hosts:"))
    assert main(["label", str(here), "web-1", "db-1", "--set", "zone=", "--set", "role="]) == 0
    told = capsys.readouterr().err
    assert (
        "zone stays on db-1, web-1: the network around has it" in told and "role stays" not in told
    )


def test_another_draft_is_weighed_against_the_saved_policy(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Session.open(shop) as session:
        assert session.policy.rules
    tight = tmp_path / "tight.yaml"
    text = (shop / "policy.yaml").read_text(encoding="utf-8")
    tight.write_text("\n".join(line for line in text.splitlines() if "id: web-to-db" not in line))
    report = tmp_path / "web.json"
    report.write_text(json.dumps(TRIVY))
    assert main(["vulnerabilities", str(shop), "--import", str(report), "--host", "db-1"]) == 0
    [same] = printed(capsys, "vulnerabilities", shop, "--before", "saved")
    [less] = printed(capsys, "vulnerabilities", shop, "--before", "saved", "--draft", tight)
    assert same["reach_before"] == same["reach_after"] == less["reach_before"] == 1
    assert less["reach_after"] == 0
    assert (shop / "policy.yaml").read_text(encoding="utf-8") == text


TRIVY = {
    "SchemaVersion": 2,
    "ArtifactName": "shop/db:1",
    "ArtifactType": "container_image",
    "Results": [
        {
            "Target": "shop/db:1",
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2022-0778",
                    "PkgName": "libssl1.1",
                    "InstalledVersion": "1.1.1k",
                    "Severity": "HIGH",
                }
            ],
        }
    ],
}


def test_every_option_says_what_it_is_for() -> None:
    [group] = build_parser()._subparsers._group_actions  # type: ignore[union-attr]
    for name, parser in group.choices.items():  # type: ignore[union-attr]
        for action in parser._actions:
            assert action.help, f"{name} {action.option_strings or action.dest}"
