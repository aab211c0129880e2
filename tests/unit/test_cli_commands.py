"""The command line inside this process: what is parsed, printed and answered."""

import csv
import errno
import inspect
import json
import os
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from craft import ACK, SYN, pcap, tcp4, udp4
from session_site import site

from workbench.cli import commands, main
from workbench.cli.parser import build_parser, parse
from workbench.model.errors import Cancelled, StoreError
from workbench.session import Session
from workbench.store import Store


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site(tmp_path_factory.mktemp("shop") / "site")


def subcommands() -> dict[str, object]:
    [group] = build_parser()._subparsers._group_actions  # type: ignore[union-attr]
    return dict(group.choices)  # type: ignore[arg-type]


def functions() -> list[str]:
    """Public functions of the modules in which commands live."""
    found = []
    for module in pkgutil.iter_modules(commands.__path__):
        if module.name != "opening":
            home = import_module(f"{commands.__name__}.{module.name}")
            members = inspect.getmembers(home, inspect.isfunction)
            found += [name for name, one in members if one.__module__ == home.__name__]
    return [name for name in found if not name.startswith("_")]


def test_every_command_has_a_function_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(subcommands()) > 20
    for name in subcommands():
        with pytest.raises(SystemExit) as done:
            main([name, "--help"])
        assert done.value.code == 0
        assert f"usage: workbench {name}" in capsys.readouterr().out


def test_every_function_is_a_command() -> None:
    runs = {parser.get_default("run") for parser in subcommands().values()}  # type: ignore[attr-defined]
    assert len(subcommands()) == len(runs) and sorted(runs) == sorted(functions())


@pytest.mark.parametrize(
    "line",
    ["", "fly", "flows", "flows site --limit -1", "flows site --limit x", "flows site --format xml",
     "dissect site one", "suggest site --format pcap", "explain site a b", "allow site --id x",
     "findings site --suppress a --lift a", "segment site db --protect sideways",
     "import site x --as excel", "export site --out x"],
)  # fmt: skip
def test_wrong_usage_exits_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(line.split())
    assert done.value.code == 2
    out, err = capsys.readouterr()
    assert not out and err.splitlines()[-1].startswith("workbench") and "error:" in err


@pytest.mark.parametrize(
    "words",
    [["flows", ""], ["ingest", "", "x.pcap"], ["ingest", "site", ""],
     ["export", "site", "--target", "nftables", "--out", ""], ["report", "site", "--out", ""],
     ["dissect", "site", "1", "--save", ""], ["simulate", "site", "--policy", ""]],
)  # fmt: skip
def test_an_empty_path_is_not_the_folder_we_are_in(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(words)
    assert done.value.code == 2 and "an empty path names nothing" in capsys.readouterr().err


LONG = "a" * 300
"""No file system takes such a name."""


@pytest.mark.parametrize(
    "line",
    [f"flows {LONG}", f"ingest {LONG} x.pcap", f"ingest {{site}} {LONG}", f"verify {{site}} {LONG}",
     f"export {{site}} --target nftables --out {LONG}", f"report {{site}} --out {LONG}",
     f"demo --keep {LONG} --headless", "demo --keep {site}/policy.yaml --headless",
     f"diff {{site}} {LONG}", f"report {{site}} --out {{site}}/r.html --export {LONG}"],
)  # fmt: skip
def test_a_path_that_cannot_be_is_told_in_one_line(
    shop: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.format(site=shop).split()) == 2
    *notes, told = capsys.readouterr().err.splitlines()
    assert told.startswith("workbench: ") and not [note for note in notes if "note: " not in note]


@pytest.mark.parametrize(
    "line",
    ["ingest {new} {here}/none.pcap", "ingest {new} {here}/no.pcap", "ingest {new} {here}/*.cap",
     "ingest {new} {here}/no.pcap {here}/no.csv", "ingest {new} {here}/empty",
     "ingest {new} {here}/empty {here}/no.pcap", "import {new} {here}/none.csv",
     "import {new} {here}/no.csv"],
)  # fmt: skip
def test_what_fails_leaves_no_workspace(
    tmp_path: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("no.pcap", "no.csv"):
        (tmp_path / name).write_bytes(b"\0 neither a capture nor a list")
    before = set(tmp_path.rglob("*"))
    for new in ("new", "deep/new", "empty"):
        status = main(line.format(here=tmp_path, new=tmp_path / new).split())
        assert status == 2 or "/empty" in line
        told = capsys.readouterr().err.splitlines()
        assert told and not [text for text in told if "Traceback" in text]
        assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    ["explain {site} 10.0.0.1 10.0.0.9 tcp/{long}", "explain {site} {long} 10.0.0.9 tcp/1",
     "flows {site} --where port:{long}", "flows {site} --sort {long}",
     "flows {site} --limit {long}", "matrix {site} --by {long}",
     "label {site} 10.0.0.1 --set {long}=x", "flows {site} {long}",
     "segment {site} {long} --cidr 10.0.0.1", "suggest {site} --before {long}", "{long}",
     "allow {site} --id x --from any --to any --services tcp/{long}", "captures {site} {long}",
     "allow {site} --id x --from any --to any --services tcp/1 --expires {long}",
     "findings {site} --evidence {long}", "export {site} --target {long} --out x"],
)  # fmt: skip
def test_an_error_does_not_repeat_what_is_endless(
    shop: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = line.format(site=shop, long="9" * 5000).split()
    try:
        status = main(words)
    except SystemExit as done:
        status = int(str(done.code))
    told = capsys.readouterr().err.splitlines()[-1]
    assert status == 2 and "999…999" in told and told.count("9") < 205


@pytest.mark.parametrize(
    ("line", "why"),
    [("allow {site} --id x --from web --from db --to any --services any", "--from: given twice"),
     ("export {site} --target nftables --out o --only web --only db", "--only: given twice"),
     ("flows {site} --where port:1 --where port:2", "--where: given twice"),
     ("suggest {site} --accept a --accept b", "--accept: given twice"),
     ("label {site} web-1 --set role=a --set role=b", "role is there already, as role=a"),
     ("label {site} web-1 --set role= --set role=b", "role is there already, as role="),
     ("segment {site} x --match role=a --match role=b", "role is there already, as role=a")],
)  # fmt: skip
def test_what_is_said_twice_is_not_said_once(
    shop: Path, line: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = [(shop / name).read_text() for name in ("policy.yaml", "inventory.yaml")]
    try:
        status = main(line.format(site=shop).split())
    except SystemExit as done:
        status = int(str(done.code))
    assert status == 2 and capsys.readouterr().err.endswith(f"{why}\n")
    assert before == [(shop / name).read_text() for name in ("policy.yaml", "inventory.yaml")]


@pytest.mark.parametrize(
    ("words", "name"),
    [(["captures", ""], "CAPTURE"), (["findings", "--host", ""], "--host"),
     (["export", "--target", "nftables", "--out", "o", "--only", ""], "--only"),
     (["exposure", "--from", "", "--to", "db"], "--from"), (["matrix", "--by", ""], "--by"),
     (["replay", "--findings", ""], "--findings"), (["suggest", "--before", ""], "--before"),
     (["revoke", "old", ""], "RULE")],
)  # fmt: skip
def test_an_empty_text_is_not_everything(
    shop: Path, words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main([words[0], str(shop), *words[1:]])
    assert done.value.code == 2
    assert f"argument {name}: an empty text names nothing" in capsys.readouterr().err
    assert main(["flows", str(shop), "--where", "", "--limit", "1"]) == 0


@pytest.mark.parametrize(
    ("line", "why"),
    [("findings {site} --evidence 12345678 --host 10.0.0.1", "choose among findings"),
     ("findings {site} --lift 12345678 --technique T1021", "choose among findings"),
     ("findings {site} --suppress 12345678 --reason x --min-confidence low", "choose among findi"),
     ("exposure {site} --policy saved --draft {site}/policy.yaml", "--draft: only with --policy"),
     ("captures {site} 1 --dataset --format csv", "--dataset judges all captures together"),
     ("dissect {site} 1 --limit 3 --save {site}/x.pcapng", "--limit: not with --save")],
)  # fmt: skip
def test_options_that_would_be_passed_over_are_mistakes(
    shop: Path, line: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.format(site=shop).split()) == 2
    [told] = capsys.readouterr().err.splitlines()
    assert told.startswith("workbench: ") and why in told
    assert not (shop / "x.pcapng").exists()


def test_a_limit_holds_inside_of_a_json_object(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", str(shop), "--format", "json", "--limit", "2"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert len(found["conversations"]) == 2
    more = found["totals"]["conversations"] - 2
    assert more > 0 and f"… {more} more; --limit 0 shows all" in err
    assert main(["exposure", str(shop), "--format", "json", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["scenarios"]) == 1


def test_an_import_says_what_it_leaves_out_and_that_nothing_is_in_it(
    guarded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = {"name": "web-0", "namespace": "shop"}
    pod = {"kind": "Pod", "metadata": metadata, "spec": {}, "status": {}}
    ready = {**pod, "status": {"podIP": "10.42.0.9"}}
    (tmp_path / "pods.json").write_text(json.dumps({"kind": "List", "items": [pod]}))
    (tmp_path / "none.csv").write_text("name,address\n")
    for name, notes in (("pods.json", 1), ("none.csv", 0)):
        assert main(["import", str(tmp_path / "new"), str(tmp_path / name)]) == 2
        told = capsys.readouterr().err.splitlines()
        assert told[-1] == f"workbench: {tmp_path / name}: there is no host in it"
        assert len(told) == notes + 1 and not (tmp_path / "new").exists()
    two = {**ready, "metadata": {**metadata, "name": "web-1"}}
    (tmp_path / "pods.json").write_text(json.dumps({"kind": "List", "items": [pod, two]}))
    assert main(["import", str(guarded), str(tmp_path / "pods.json")]) == 0
    assert "1 left out: without an address yet" in capsys.readouterr().err


def test_a_segment_of_nobody_says_so(guarded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", str(guarded), "typo", "--match", "rol=web"]) == 0
    assert "warning: no host belongs to segment typo\n" in capsys.readouterr().err
    assert main(["segment", str(guarded), "nets", "--cidr", "10.0.0.0/8"]) == 0
    assert "no host" not in capsys.readouterr().err


def test_a_baseline_of_nothing_is_none(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, side in [
        (["findings", "--baseline", "2001-01-01"], "before"),
        (["findings", "--baseline", "2099-01-01"], "from then on"),
    ]:
        assert main([words[0], str(shop), *words[1:]]) == 2
        told = capsys.readouterr().err
        assert f"nothing was recorded {side} ({words[-1]}T" in told, told


def test_a_host_is_found_in_whatever_case(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(shop), "WEB-1", "Db-1", "tcp/5432"]) == 0
    assert "web-1 (10.0.0.1) → db-1 (10.0.0.9)" in capsys.readouterr().out
    assert main(["exposure", str(shop), "--from", "WEB-1", "--to", "DB-1"]) == 0
    capsys.readouterr()
    for words in (
        ["explain", "web-l", "db-1", "tcp/1"],
        ["exposure", "--from", "web-l"],
        ["flows", "--where", "host:web-l"],
    ):
        assert main([words[0], str(shop), *words[1:]]) == 2
        assert "; did you mean web-1" in capsys.readouterr().err


def test_lists_may_have_spaces_and_a_last_comma(
    guarded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--from", "office, guest", "--to", "db,", "--services", "tcp/1, tcp/2 ,"]
    assert main(["allow", str(guarded), "--id", "mine", *words]) == 0
    assert main(["segment", str(guarded), "some", "--match", "role=a, b,"]) == 0
    with Session.open(guarded) as session:
        rule, some = session.policy.rule("mine"), session.policy.segments[-1]
    assert rule is not None and some.match == (("role", ("a", "b")),)
    assert (rule.clients, rule.servers) == (("office", "guest"), ("db",))
    assert rule.services == ("tcp/1", "tcp/2")
    with pytest.raises(SystemExit):
        main(["allow", str(guarded), "--id", "none", "--from", " ,", *words[2:]])
    assert "argument --from: an empty text names nothing" in capsys.readouterr().err


def test_rules_are_revoked_together_or_not_at_all(
    guarded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("one", "two"):
        words = ["--from", "office", "--to", "db", "--services", "tcp/1"]
        assert main(["allow", str(guarded), "--id", name, *words]) == 0
    capsys.readouterr()
    assert main(["revoke", str(guarded), "one", "three"]) == 2
    assert capsys.readouterr().err.startswith("workbench: unknown rule 'three'")  # none "removed"
    assert rule_ids(guarded) == ["one", "two"]
    assert main(["revoke", str(guarded), "one", "two", "one"]) == 0
    assert rule_ids(guarded) == []


def test_wrong_usage_is_told_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "site", "red\x1b[31m"])
    err = capsys.readouterr().err
    assert "unrecognized arguments: red·[31m" in err and "\x1b" not in err


@pytest.mark.parametrize(
    "name",
    ["flows.duckdb", "policy.yaml", "inventory.yaml", "findings.yaml", "vulnerabilities.json",
     "policy.yaml~", "shop.pcap"],
)  # fmt: skip
def test_nothing_is_written_over_what_a_workspace_is_made_of(
    shop: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in shop.iterdir() if path.is_file()}
    monkeypatch.chdir(shop)
    for command in (["dissect", ".", "1", "--save"], ["report", ".", "--out"]):
        for place in (name, str(shop / name)):
            assert main([*command, place, "--replace"]) == 2
            assert f"workbench: {place}: " in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in shop.iterdir() if path.is_file()}


@pytest.mark.parametrize("place", ["loop", "loop/inside"])
def test_a_link_that_leads_to_itself_is_refused_in_one_line(
    shop: Path, tmp_path: Path, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for command in (["dissect", "1", "--save"], ["report", "--out"], ["verify"], ["ingest"]):
        assert main([command[0], str(shop), *command[1:], str(tmp_path / place)]) == 2
        assert capsys.readouterr().err.startswith(f"workbench: {tmp_path / place}")


def test_a_policy_that_is_a_link_to_nowhere_is_not_no_policy(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "site"
    copy.mkdir()
    (copy / "flows.duckdb").write_bytes((shop / "flows.duckdb").read_bytes())
    assert main(["check", str(copy)]) == 0
    assert capsys.readouterr().err.endswith("\nthere is no guardrail\n")
    (copy / "policy.yaml").symlink_to(tmp_path / "not-mounted" / "policy.yaml")
    for words in (["check", str(copy)], ["ingest", str(copy), str(shop / "shop.pcap")]):
        assert main(words) == 2
        assert "policy.yaml: cannot read: No such file" in capsys.readouterr().err


def test_a_rule_that_is_over_before_it_begins_is_not_added(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (shop / "policy.yaml").read_text()
    for day, why in ("2020-01-01", " is over: the last day is today ("), ("soon", "' is no"):
        words = ["--id", "x", "--from", "web", "--to", "db", "--services", "any", "--expires", day]
        assert main(["allow", str(shop), *words]) == 2
        assert f"{day}{why}" in capsys.readouterr().err
    assert (shop / "policy.yaml").read_text() == before


def test_of_what_a_huge_policy_leaves_open_a_few_are_told(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "site"
    copy.mkdir()
    (copy / "flows.duckdb").write_bytes((shop / "flows.duckdb").read_bytes())
    idle = "".join(f"  s-{at}: {{cidrs: [192.0.2.{at}]}}\n" for at in range(200))
    rules = "".join(
        f"  - {{id: r-{at}, from: [s-{at}], to: [any], services: [any]}}\n" for at in range(100)
    )
    (copy / "policy.yaml").write_text(
        f"workbench: 1\nname: huge\nprotect: {{s-0: {{}}}}\nsegments:\n{idle}rules:\n{rules}"
    )
    rest = "; --format json tells all"
    for line, about, count, more in [
        ("check", "nothing uses it", 10, [f"… 90 more segments: nothing uses it{rest}"]),
        ("check --format json", "nothing uses it", 100, []),
        ("simulate", "unused", 10, [f"… 90 more rules: unused{rest}"]),
    ]:
        command, *words = line.split()
        assert main([command, str(copy), *words]) == 0
        told = [one for one in capsys.readouterr().err.splitlines() if about in one]
        assert (len(told[:count]), told[count:]) == (count, more)


def test_a_disk_that_is_full_at_once_leaves_no_store_that_cannot_be_read(
    tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Store:
        path.touch()
        raise StoreError(f"{path}: the disk is full; make room and do the same again")

    command = ["ingest", str(tmp_path / "new"), str(shop / "shop.pcap"), "--quiet"]
    with monkeypatch.context() as patched:
        patched.setattr(Store, "open", full)
        assert main(command) == 2
    assert not (tmp_path / "new").exists()
    assert main(command) == 0


def test_half_a_copy_of_the_demo_site_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: Path, _: bytes) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["demo", "--headless", "--keep", str(tmp_path)]) == 2
    assert f"{tmp_path / 'inventory.yaml'}: cannot write: No space" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_workspace_whose_name_is_no_text_is_refused(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / os.fsdecode(b"site-\xff")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    assert main(["ingest", str(folder), str(shop / "shop.pcap")]) == 2
    assert "is not UTF-8; rename the folder" in capsys.readouterr().err


def test_where_things_were_written_is_printed_without_escapes(
    tmp_path: Path, shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ["report", str(shop), "--no-kernel", "--out", str(tmp_path / "red\x1b[31m.html")],
        ["export", str(shop), "--target", "nftables", "--out", str(tmp_path / "red\x1b[31m")],
    ):
        assert main(words) == 0
        out, err = capsys.readouterr()
        assert "red·[31m" in out and "\x1b" not in out + err


def opened(server: str, port: int) -> list[bytes]:
    """A connection from 10.0.0.1 that was answered."""
    return [
        tcp4("10.0.0.1", 40_000, server, port, SYN, seq=7),
        tcp4(server, port, "10.0.0.1", 40_000, SYN | ACK, seq=9),
        tcp4("10.0.0.1", 40_000, server, port, ACK, seq=8),
    ]


def test_suggest_says_how_much_it_leaves_blocked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = [udp4("10.0.0.1", 50_000, "10.0.0.9", 50_001),
               udp4("10.0.0.9", 50_001, "10.0.0.1", 50_000)]  # fmt: skip
    (tmp_path / "x.pcap").write_bytes(pcap([*opened("10.0.0.9", 5432), *unknown]))
    site = str(tmp_path / "site")
    assert main(["ingest", site, str(tmp_path / "x.pcap"), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["suggest", site, "--accept"]) == 0
    err = capsys.readouterr().err
    assert "1 rule proposed\n1 conversation that worked would still be blocked" in err
    assert main(["simulate", site, "--where", "class:would-block", "--format", "json"]) == 0
    [left] = json.loads(capsys.readouterr().out)["conversations"]
    assert (left["service"], left["direction"]) == ("udp/50001", "first")


GUARDED = """\
workbench: 1
name: guarded
protect: {db: {}}
segments:
  office: {cidrs: [10.0.0.0/30]}
  guest: {cidrs: [10.0.0.2]}
  db: {cidrs: [10.0.0.9]}
guardrails:
  - {id: no-guests, never: {from: [guest], to: [db], services: [any]}}
"""
"""What a rule from the office would allow a guest, who was never seen."""


@pytest.fixture
def guarded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """10.0.0.1 asks 10.0.0.9 on two ports: of its segment, one host must not."""
    packets = [*opened("10.0.0.9", 443), *opened("10.0.0.9", 5432)]
    (tmp_path / "x.pcap").write_bytes(pcap(packets))
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "policy.yaml").write_text(GUARDED)
    assert main(["ingest", str(folder), str(tmp_path / "x.pcap"), "--quiet"]) == 0
    capsys.readouterr()
    return folder


def rule_ids(folder: Path) -> list[str]:
    with Session.open(folder) as session:
        return [rule.id for rule in session.policy.rules]


def test_what_breaks_a_guardrail_is_accepted_by_name_only(
    guarded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [proposed] = _proposed(guarded, capsys)
    name = proposed["id"]
    assert proposed["breaks"] == ["no-guests"]
    for words, told in (([], ""), (["--accept"], "left out; ")):
        assert main(["suggest", str(guarded), *words]) == 0
        err = capsys.readouterr().err
        assert (
            f"proposed rule {name} breaks guardrail no-guests: {told}--accept {name} takes" in err
        )
        assert not rule_ids(guarded)
        assert ("2 conversations that worked would still be blocked" in err) == bool(words)
    assert main(["suggest", str(guarded), "--accept", name]) == 0
    err = capsys.readouterr().err
    assert "warning: this breaks guardrail no-guests: 10.0.0.2 → 10.0.0.9 tcp/443" in err
    assert "left out" not in err and rule_ids(guarded) == [name]


def _proposed(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main(["suggest", str(folder), "--format", "json"]) == 0
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return found


def test_an_edit_says_which_guardrail_it_breaks(
    guarded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = ["--from", "office", "--to", "db", "--services", "tcp/22"]
    assert main(["allow", str(guarded), "--id", "shell", *rule]) == 0
    assert "this breaks guardrail no-guests: 10.0.0.2 → 10.0.0.9 tcp/22" in capsys.readouterr().err
    rule[-1] = "tcp/23"
    assert main(["allow", str(guarded), "--id", "telnet", *rule]) == 0
    assert "guardrail" not in capsys.readouterr().err, "it was broken before"


def test_moving_hosts_between_segments_says_what_it_does(
    guarded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = ["--id", "web", "--from", "office", "--to", "db", "--services", "tcp/443,tcp/5432"]
    assert main(["segment", str(guarded), "office", "--cidr", "10.7.0.0/24"]) == 0
    assert main(["allow", str(guarded), *rule]) == 0
    assert "newly allowed 0" in capsys.readouterr().err
    assert main(["segment", str(guarded), "office", "--cidr", "10.0.0.1"]) == 0
    assert capsys.readouterr().err.startswith("newly allowed 2, newly blocked 0\nsaved: ")


def test_a_rule_that_is_not_proposed_cannot_be_accepted(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (shop / "policy.yaml").read_bytes()
    assert main(["suggest", str(shop), "--accept", "nope"]) == 2
    out, err = capsys.readouterr()
    assert not out and "no proposed rule is called 'nope'" in err
    assert (shop / "policy.yaml").read_bytes() == before


@pytest.mark.parametrize("name", ["=cmd|calc", "+1", "@sum", "'quoted"])
def test_a_name_is_no_formula_in_csv(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.pcap").write_bytes(pcap(opened("10.0.0.9", 443)))
    site = str(tmp_path / "site")
    assert main(["ingest", site, str(tmp_path / "x.pcap"), "--quiet"]) == 0
    assert main(["name", site, "10.0.0.9", name]) == 0
    for words in (["hosts"], ["flows"], ["conversations"], ["matrix", "--by", "host"]):
        capsys.readouterr()
        assert main([words[0], site, *words[1:], "--format", "csv"]) == 0
        cells = [cell for row in csv.reader(capsys.readouterr().out.splitlines()) for cell in row]
        assert f"'{name}" in cells and name not in cells


def test_coverage_is_not_rounded_up_to_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packets = [packet for port in range(1000, 3500) for packet in opened("10.0.0.9", port)]
    (tmp_path / "x.pcap").write_bytes(pcap([*packets, *opened("10.0.0.9", 22)]))
    site = str(tmp_path / "site")
    assert main(["ingest", site, str(tmp_path / "x.pcap"), "--quiet"]) == 0
    assert main(["simulate", site]) == 0
    err = capsys.readouterr().err
    assert "nothing is in scope" in err and "100 %" not in err
    assert main(["segment", site, "s", "--cidr", "10.0.0.9", "--protect", "both"]) == 0
    allow = ["--id", "r", "--from", "any", "--to", "s", "--services", "tcp/1000-3499"]
    assert main(["allow", site, *allow]) == 0
    capsys.readouterr()
    assert main(["simulate", site]) == 0
    err = capsys.readouterr().err
    assert "permitted 2,500  would-block 1 " in err
    assert "coverage > 99 % of conversations (2,500 of 2,501 in scope)" in err


@pytest.mark.parametrize("by", [[], ["--by", "host"]])
def test_no_scanner_results_are_an_empty_list(
    shop: Path, by: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vulnerabilities", str(shop), *by, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["vulnerabilities", str(shop), *by]) == 0
    assert "--import FILE brings some" in capsys.readouterr().err


def test_a_negated_filter_is_no_option() -> None:
    assert parse(["flows", "site", "--where", "-outcome:refused"]).where == "-outcome:refused"


def test_numbers_of_flows_are_numbers(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dissect", str(shop), "9" * 18]) == 2
    assert "no flow" in capsys.readouterr().err


def test_data_on_stdout_narration_on_stderr(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(shop)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].split()[0] == "class" and "coverage" in err
    assert "coverage" not in out and len(out.splitlines()) == 5
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "would-block", "rejected", "permitted", "out-of-scope",
    ]  # fmt: skip
    assert main(["simulate", str(shop), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["totals"]["conversations"] == 4 and not err


def test_names_and_addresses_are_both_there(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["flows", str(shop), "--format", "json", "--where", "vlan:0 port:40001"]) == 0
    [flow] = json.loads(capsys.readouterr().out)
    assert (flow["client_name"], flow["client"]) == ("web-1", "10.0.0.1")
    assert (flow["server_name"], flow["server"]) == ("db-1", "10.0.0.9")
    assert flow["capture"] == str(shop / "shop.pcap")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("explain {site} web-1 db-1 tcp/5432", 0),
        ("explain {site} web-1 db-1 tcp/5433", 1),
        ("explain {site} 10.0.0.77 db-1 tcp/22", 1),
        ("check {site}", 0),
        ("diff {site} {site}/policy.yaml", 0),
        ("conversations {site} --where nobody", 2),
        ("flows {site} --where capture:other", 2),
        ("captures {site}/none", 2),
    ],
)
def test_the_exit_status_is_the_answer(shop: Path, line: str, status: int) -> None:
    assert main(line.format(site=shop).split()) == status


def test_errors_are_one_safe_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\n\x1b[31m.pcap"
    path.write_bytes(b"no capture at all, whatever its name says about it")
    assert main(["ingest", str(tmp_path / "w"), str(path)]) == 2
    out, err = capsys.readouterr()
    assert not out and len(err.splitlines()) == 1 and "\x1b" not in err
    assert err.startswith("workbench: ")


def test_stopping_is_130(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for stop in (KeyboardInterrupt(), Cancelled("stopped")):

        def stopped(*_: object, stop: BaseException = stop, **__: object) -> Session:
            raise stop

        monkeypatch.setattr(Session, "open", stopped)
        assert main(["captures", str(shop)]) == 130
        assert "as it was" in capsys.readouterr().err


def test_an_uncompiled_kernel_is_one_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.capture.kernel_compiled", lambda: False)
    folder = site(tmp_path / "site")
    (tmp_path / "more.pcap").write_bytes((folder / "shop.pcap").read_bytes()[:-1])
    assert main(["ingest", str(folder), str(tmp_path / "more.pcap"), "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert err.count("not compiled") == 1 and len(json.loads(out)) == 1
    assert "cut short" in err or "cut" in err


def test_packets_are_saved(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, many = tmp_path / "one.pcapng", tmp_path / "many.pcapng"
    assert main(["dissect", str(shop), "1", "--save", str(one)]) == 0
    out, err = capsys.readouterr()
    assert not out and err.startswith("saved ") and " of 1 flow (" in err
    assert main(["dissect", str(shop), "1", "--save", str(one)]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["dissect", str(shop), "1", "--save", str(one), "--replace"]) == 0
    where = ["--where", "service:tcp/5432"]
    monkeypatch.setattr("workbench.cli.commands.see.MOST_SAVED", 1)
    capsys.readouterr()
    assert main(["dissect", str(shop), *where, "--save", str(many)]) == 0
    assert "only the first 1 are saved" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("dissect {site}", "name one flow by its id"),
        ("dissect {site} 1 2", "name one flow by its id"),
        ("dissect {site} --save x", "say which flows to save"),
        ("dissect {site} 1 --where tcp --save x", "say which flows to save"),
        ("dissect {site} --where service:udp/9 --save x", "no flow matches"),
    ],
)
def test_which_packets_are_meant(
    shop: Path, capsys: pytest.CaptureFixture[str], line: str, problem: str
) -> None:
    assert main(line.format(site=shop).split()) == 2
    assert problem in capsys.readouterr().err


def test_without_tshark_our_own_decode_is_shown(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["dissect", str(shop), "1", "--format", "json"]) == 0
    out, err = capsys.readouterr()
    assert "tshark is not installed: install the package" in err and "our own decode" in err
    [first, *_] = json.loads(out)
    assert [layer["name"] for layer in first["layers"]][:2] == ["Ethernet", "IPv4"]
