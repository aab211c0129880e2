"""The whole loop from the command line: name, draft, simulate, export, prove."""

import json
from pathlib import Path

import pytest
import yaml
from commandline import ROOT, Done, Run


def simulated(workbench: Run, site: Path, *options: str) -> dict:
    return workbench("simulate", site, "--format", "json", *options).json


def test_the_simulation_is_one_honest_object(workbench: Run, loaded: Path) -> None:
    found = simulated(workbench, loaded)
    rows = found["conversations"]
    classes = found["totals"]["classes"]
    assert sum(classes.values()) == len(rows) == found["totals"]["conversations"]
    for name, count in classes.items():
        assert sum(row["class"] == name for row in rows) == count
    assert sum(row["flows"] for row in rows) == found["totals"]["flows"]
    allowed = [row for row in rows if row["verdict"] == "allowed"]
    assert allowed and all(row["rules"] for row in allowed)
    assert not any(row["rules"] for row in rows if row["verdict"] == "blocked")
    hits = {rule["id"]: rule["hits"] for rule in found["rules"]}
    for rule, count in hits.items():
        assert sum(rule in row["rules"] for row in allowed) == count
    assert 0 < found["coverage"]["share"] < 1
    assert {"client", "server", "protocol", "server_port", "flows", "bytes"} <= rows[0].keys()


def test_explain_exits_by_the_answer(workbench: Run, loaded: Path) -> None:
    rows = simulated(workbench, loaded)["conversations"]
    for verdict, status in (("allowed", 0), ("blocked", 1), ("out-of-scope", 0)):
        row = next(r for r in rows if r["verdict"] == verdict and r["protocol"] in ("tcp", "udp"))
        done = workbench("explain", loaded, row["client"], row["server"], row["service"])
        assert done.status == status
        told = workbench(
            "explain", loaded, row["client"], row["server"], row["service"], "--format", "json"
        ).json
        assert told["verdict"] == verdict and told["rules"] == row["rules"]
        assert told["observed_flows"] == row["flows"]


def test_hypothetical_traffic_is_explained_too(workbench: Run, loaded: Path) -> None:
    rows = simulated(workbench, loaded)["conversations"]
    row = next(r for r in rows if r["verdict"] == "allowed" and r["protocol"] == "tcp")
    told = workbench(
        "explain", loaded, row["client"], row["server"], "tcp/4", "--format", "json"
    ).json
    assert told["observed_flows"] == 0 and told["verdict"] == "blocked"
    assert told["near_misses"][0]["lacks"] == ["services"]


def test_label_segment_suggest_accept(workbench: Run, site: Path) -> None:
    hosts = workbench("hosts", site, "--format", "json").json
    nameless = [host for host in hosts if host["address"] == host["name"]][:2]
    host = (nameless or hosts)[0]
    assert workbench("label", site, host["address"], "--set", "role=found-host").status == 0
    assert workbench("name", site, host["address"], "found-1").status == 0
    done = workbench("segment", site, "found", "--match", "role=found-host", "--protect", "both")
    assert done.status == 0
    [again] = workbench("hosts", site, "--where", "found-1", "--format", "json").json
    assert again["address"] == host["address"]
    assert again["labels"]["role"] == "found-host" and "found" in again["segments"]

    before = simulated(workbench, site)
    printed = workbench("suggest", site)
    document = yaml.safe_load(printed.out)
    assert document["workbench"] == 1 and document["rules"]
    draft = site / "suggested.yaml"
    draft.write_text(printed.out)
    trial = simulated(workbench, site, "--policy", str(draft))
    assert trial["totals"]["classes"]["would-block"] < before["totals"]["classes"]["would-block"]
    diff = workbench("diff", site, draft, "--format", "json")
    assert diff.status == 1 and all(row["before"] != row["after"] for row in diff.json)

    assert workbench("suggest", site, "--accept").status == 0
    assert simulated(workbench, site)["totals"] == trial["totals"]
    assert workbench("diff", site, draft).status == 0
    assert (site / "policy.yaml~").exists()


def test_allow_and_revoke(workbench: Run, site: Path) -> None:
    before = simulated(workbench, site)["totals"]
    segments = list(yaml.safe_load((site / "policy.yaml").read_text())["segments"])[:2]
    done = workbench(
        "allow", site, "--id", "new-rule", "--from", segments[0], "--to", segments[1],
        "--services", "tcp/9,udp/9", "--reason", "it's \"a test\": # really",
        "--expires", "2099-01-01",
    )  # fmt: skip
    assert done.status == 0, done.err
    rules = simulated(workbench, site)["rules"]
    assert any(rule["id"] == "new-rule" and rule["hits"] == 0 for rule in rules)
    assert workbench("allow", site, "--id", "new-rule", "--from", "any", "--to", "any",
                     "--services", "any").status == 2  # fmt: skip
    assert workbench("revoke", site, "new-rule").status == 0
    assert simulated(workbench, site)["totals"] == before


@pytest.fixture(params=["nftables", "kubernetes"])
def exported(request: pytest.FixtureRequest, workbench: Run, loaded: Path, tmp_path: Path) -> Path:
    target = request.param
    out = tmp_path / target
    options = []
    first = workbench("export", loaded, "--target", target, "--out", out)
    if first.status == 2:  # the demo policy protects more than a cluster
        assert target == "kubernetes" and "--only" in first.error and not out.exists()
        only = first.error.split("--only ")[1].split()[0].rstrip(".;,")
        options = ["--only", only]
        first = workbench("export", loaded, "--target", target, "--out", out, *options)
    assert first.status == 0, first.err
    return out


def test_an_export_is_proven_and_a_planted_mistake_is_found(
    workbench: Run, loaded: Path, exported: Path
) -> None:
    proof = workbench("verify", loaded, exported, "--format", "json")
    assert proof.status == 0
    assert proof.json["mismatches"] == [] and proof.json["judged"] > 10 < proof.json["probes"]
    assert not any(check["state"] == "failed" for check in proof.json["checks"])
    [path] = [path for path in exported.iterdir() if path.suffix in (".nft", ".yaml")]
    whole = path.read_text()
    for before, after in (("443", "444"), ("8080", "8081"), ("5432", "5433"), ("6379", "6380")):
        if before in whole:
            path.write_text(whole.replace(before, after))
            found = workbench("verify", loaded, exported, "--format", "json")
            assert found.status == 1, f"{before} → {after} went unnoticed"
            assert found.json["mismatches"] and found.json["edited"] == [path.name]
            break
    else:
        raise AssertionError("nothing to plant a mistake in")


def test_the_demo_walks_the_loop_without_a_terminal(workbench: Run) -> None:
    done: Done = workbench("demo", stdin=-3)
    assert done.status == 0, done.out + done.err
    for step in ("Load", "See", "Name", "Simulate", "Draft", "nftables", "kubernetes"):
        assert step in done.out
    assert done.out.count("✓ proven") == 2
    placeless = [line for line in done.out.splitlines() if "in no segment:" in line]
    assert {line.split()[3] for line in placeless} == {"router-1", "printer-1", "web-2"}
    assert "printer-1  serves tcp/631" in done.out  # of its addresses the one that it prints on


def test_guardrails(workbench: Run, site: Path) -> None:
    good = workbench("check", site)
    assert good.status in (0, 1)
    policy = yaml.safe_load((site / "policy.yaml").read_text())
    rule = policy["rules"][0]
    policy.setdefault("guardrails", []).append(
        {"id": "planted", "never": {key: list(rule[key]) for key in ("from", "to", "services")}}
    )
    (site / "policy.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))
    broken = workbench("check", site, "--format", "json")
    assert broken.status == 1
    assert "planted" in {one["id"] for one in broken.json}


def test_imports(workbench: Run, tmp_path: Path) -> None:
    folder = tmp_path / "fresh"
    hosts = tmp_path / "hosts.csv"
    hosts.write_text("name,address,role\ndb-9,10.99.0.9,db\n")
    assert workbench("import", folder, hosts).status == 0
    [host] = workbench("hosts", folder, "--format", "json").json
    assert (host["name"], host["labels"]["role"], host["first_seen"]) == ("db-9", "db", None)


def test_sample_policies_load(workbench: Run, site: Path) -> None:
    samples = sorted((ROOT / "policies").glob("*.yaml"))
    assert len(samples) >= 5
    for sample in samples:
        assert workbench("diff", site, sample, "--format", "json").status in (0, 1), sample


def test_json_is_ascii(workbench: Run, loaded: Path) -> None:
    out = workbench("simulate", loaded, "--format", "json").out
    assert out.isascii() and json.loads(out)
