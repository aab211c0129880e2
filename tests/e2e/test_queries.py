"""Loading and looking, from the command line."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import CAPTURE, ROOT, Run

FLOW_KEYS = {
    "client", "server", "protocol", "client_port", "server_port", "packets_to_server",
    "packets_to_client", "bytes_to_server", "bytes_to_client", "first_seen", "last_seen",
    "outcome", "direction", "capture",
}  # fmt: skip


def test_captures_say_what_they_held(workbench: Run, loaded: Path) -> None:
    [capture] = workbench("captures", loaded, "--format", "json").json
    assert capture["path"] == str(CAPTURE)
    assert capture["packets"] == capture["decoded"] + sum(capture["skipped"].values())
    assert capture["flows"] > 500


def test_flows_have_the_promised_keys(workbench: Run, loaded: Path) -> None:
    flows = workbench("flows", loaded, "--format", "json").json
    [capture] = workbench("captures", loaded, "--format", "json").json
    assert len(flows) == capture["flows"]
    assert all(flow.keys() >= FLOW_KEYS for flow in flows)
    starts = [flow["first_seen"] for flow in flows]
    assert starts == sorted(starts) and starts[0].endswith("Z")
    pings = [flow for flow in flows if flow["protocol"] in ("icmp", "icmpv6")]
    assert pings and all(flow["server_port"] is None for flow in pings)
    assert {flow["outcome"] for flow in flows} >= {"established", "refused", "unanswered"}


def test_filters_agree_with_plain_python(workbench: Run, loaded: Path) -> None:
    flows = workbench("flows", loaded, "--format", "json").json
    for where, keep in [
        ("service:tcp/445", lambda f: (f["protocol"], f["server_port"]) == ("tcp", 445)),
        ("outcome:refused", lambda f: f["outcome"] == "refused"),
        ("-outcome:established", lambda f: f["outcome"] != "established"),
        ("client:10.1.0.0/16 service:tcp", lambda f: f["client"].startswith("10.1.")
         and f["protocol"] == "tcp"),
        ("port:53", lambda f: 53 in (f["client_port"], f["server_port"])),
        ("direction:syn", lambda f: f["direction"] == "syn"),
    ]:  # fmt: skip
        found = workbench("flows", loaded, "--where", where, "--format", "json").json
        expected = [flow for flow in flows if keep(flow)]
        assert expected and found == expected, where


@pytest.mark.parametrize("command", ["flows", "conversations", "hosts", "matrix", "captures"])
def test_three_formats_say_the_same(workbench: Run, loaded: Path, command: str) -> None:
    records = workbench(command, loaded, "--format", "json").json
    rows = list(csv.DictReader(io.StringIO(workbench(command, loaded, "--format", "csv").out)))
    assert len(rows) == len(records) > 0
    assert rows[0].keys() == records[0].keys()
    table = workbench(command, loaded)
    assert table.status == 0 and len(table.out.splitlines()) > 1


def test_limits_are_announced(workbench: Run, loaded: Path) -> None:
    done = workbench("flows", loaded, "--limit", 5)
    assert len(done.out.splitlines()) == 6
    assert "more; --limit 0 shows all" in done.err


def test_the_matrix_adds_up(workbench: Run, loaded: Path) -> None:
    conversations = workbench("conversations", loaded, "--format", "json").json
    for by in ("host", "subnet"):
        cells = workbench("matrix", loaded, "--by", by, "--format", "json").json
        assert sum(cell["conversations"] for cell in cells) == len(conversations)
        assert sum(cell["flows"] for cell in cells) == sum(one["flows"] for one in conversations)
    wrong = workbench("matrix", loaded, "--by", "colour")
    assert wrong.status == 2 and "colour" in wrong.error


def test_no_query_makes_a_workspace_of_a_folder(workbench: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("not a capture")
    for command in ("captures", "flows", "simulate", "findings"):
        done = workbench(command, tmp_path)
        assert done.status == 2 and "nothing of a workspace in this folder" in done.error
        assert len(done.error.splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["letter.txt"]


def test_a_flow_is_dissected(workbench: Run, loaded: Path) -> None:
    flow = workbench("flows", loaded, "--where", "service:udp/53", "--format", "json").json[0]
    packets = workbench("dissect", loaded, flow["id"], "--format", "json").json
    assert len(packets) == flow["packets_to_server"] + flow["packets_to_client"]
    assert packets[0]["layers"][-1]["name"] == "dns"
    every = workbench("dissect", loaded, flow["id"], "--limit", "0", "--format", "json").json
    assert every == packets


def test_the_same_file_twice_is_refused(workbench: Run, site: Path, tmp_path: Path) -> None:
    before = workbench("flows", site, "--format", "json").json
    again = workbench("ingest", site, CAPTURE)
    assert again.status == 2 and "already in the workspace" in again.error
    copy = tmp_path / "renamed.pcapng"
    copy.write_bytes(CAPTURE.read_bytes())
    assert workbench("ingest", site, copy).status == 2
    assert workbench("flows", site, "--format", "json").json == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("captures", "no-such-folder"), "no such workspace"),
        (("ingest", "{tmp}/w", "no-such.pcap"), "no-such.pcap"),
        (("ingest", "{tmp}/w", "README.md"), "README.md"),
        (("ingest", "README.md", "{capture}"), "README.md"),
        (("flows", "{site}", "--where", "outcome:fine"), "not one of"),
        (("flows", "{site}", "--where", "client:nobody-knows"), "nobody-knows"),
        (("flows", "{site}", "--sort", "colour"), "colour"),
        (("explain", "{site}", "nobody", "10.0.0.1", "tcp/1"), "nobody"),
        (("explain", "{site}", "10.0.0.2", "10.0.0.1", "tcp/99999"), "tcp/99999"),
        (("explain", "{site}", "10.0.0.2", "10.0.0.1", "tcp"), "several ports"),
        (("dissect", "{site}", "999999999"), "999999999"),
        (("export", "{site}", "--target", "carrier-pigeon", "--out", "{tmp}/x"), "nftables"),
        (("verify", "{site}", "{tmp}"), "workbench-export.json"),
        (("simulate", "{site}", "--policy", "README.md"), "README.md"),
        (("simulate", "{site}", "--changed"), "--policy"),
        (("label", "{site}", "nobody", "--set", "a=b"), "nobody"),
        (("label", "{site}", "10.1.0.1", "--set", "nonsense"), "KEY=VALUE"),
        (("revoke", "{site}", "no-such-rule"), "no-such-rule"),
        (("import", "{site}", "LICENSE", "--as", "kubectl"), "LICENSE"),
        (("open", "{site}"), "terminal"),
    ],
)
def test_bad_input_gets_one_clear_line(
    workbench: Run, loaded: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    places = {"site": loaded, "tmp": tmp_path, "capture": CAPTURE}
    done = workbench(*(text.format(**places) for text in arguments))
    assert done.status == 2
    assert words in done.error
    assert not done.out


def test_a_broken_policy_says_file_line_and_path(workbench: Run, site: Path) -> None:
    policy = site / "policy.yaml"
    policy.write_text(policy.read_text() + "\nnonsense: 1\n")
    done = workbench("simulate", site)
    assert done.status == 2
    assert f"{policy}:{len(policy.read_text().splitlines())}" in done.error
    assert "nonsense" in done.error


def test_a_reader_that_goes_away_is_no_error(loaded: Path) -> None:
    command = [sys.executable, "-m", "workbench", "flows", str(loaded), "--format", "json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as done:
        assert done.stdout is not None and done.stderr is not None
        done.stdout.read(10)
        done.stdout.close()
        assert done.stderr.read() == b""
        assert done.wait(timeout=60) == 0


def has_open(process: int, file: Path) -> bool:
    """Python itself has begun by then, and so has the load."""
    try:
        return any(one.readlink() == file for one in Path(f"/proc/{process}/fd").iterdir())
    except OSError:  # one that was just closed, or the process has ended
        return False


def test_ctrl_c_leaves_the_workspace_as_it_was(workbench: Run, site: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.pcapng"
    big.write_bytes(CAPTURE.read_bytes() * 60)  # sections follow each other in a pcapng file
    before = workbench("captures", site, "--format", "json").json
    command = [sys.executable, "-m", "workbench", "ingest", str(site), str(big)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as work:
        while work.poll() is None and not has_open(work.pid, big):
            time.sleep(0.005)
        work.send_signal(signal.SIGINT)
        _, told = work.communicate(timeout=60)
    assert work.returncode in (130, 0)
    after = workbench("captures", site, "--format", "json").json
    if work.returncode == 130:
        assert after == before and b"the same command goes on" in told
    else:  # the machine was quicker than the key
        assert len(after) == 2


def test_every_capture_in_one_workspace(workbench: Run, shared_data: Path, tmp_path: Path) -> None:
    """Folders in, one dataset out: no traceback whatever the files hold."""
    folders = [shared_data / name for name in ("arkime", "zeek", "ics", "lateral", "pcapng-suite")]
    done = workbench("ingest", tmp_path / "all", *folders, "--format", "json")
    assert done.status == 0
    assert len(done.json) > 100
    flows = workbench("flows", tmp_path / "all", "--limit", 0, "--format", "json").json
    recorded = sum(report["flows"] for report in done.json)
    assert recorded * 0.9 < len(flows) < recorded, "files of the same traffic count once"
    assert json.dumps(flows).isascii()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_verdicts_are_readable_without_utf8(workbench: Run, loaded: Path, encoding: str) -> None:
    plain = {**os.environ, "PYTHONIOENCODING": encoding}
    grid = workbench("matrix", loaded, env=plain, encoding=encoding).out
    assert "x" in grid and "+" in grid and "client \\ server" in grid
    assert workbench("simulate", loaded, env=plain, encoding=encoding).status == 0


def redirected(loaded: Path, *words: str, to: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", words[0], str(loaded), *words[1:]]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {to}', "sh", *command],
        capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
    )  # fmt: skip


@pytest.mark.parametrize("words", [("hosts",), ("simulate", "--format", "json"), ("exposure",)])
def test_streams_that_are_closed_or_full(loaded: Path, words: tuple[str, ...]) -> None:
    for to in (">&-", "2>&-", "<&-", ">&- 2>&- <&-"):
        done = redirected(loaded, *words, to=to)
        assert done.returncode == 0 and "Traceback" not in done.stderr, (to, done.stderr)
    if Path("/dev/full").exists():
        done = redirected(loaded, *words, to=">/dev/full")
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last == "workbench: the output cannot be written: No space left on device"
        assert "Traceback" not in done.stderr and "Exception" not in done.stderr
        assert redirected(loaded, *words, to=">/dev/full 2>/dev/full").returncode == 2
