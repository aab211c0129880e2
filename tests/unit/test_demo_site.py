"""The demo site: capture, inventory, policy and truth agree, and the day can be played again."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DEMO
from workbench.capture import read_capture
from workbench.export import render
from workbench.inventory import load_inventory
from workbench.model.filters import parse_time
from workbench.model.net import ICMP, ICMPV6, TCP, format_address, parse_address
from workbench.model.site import Inventory
from workbench.model.traffic import CaptureReport, Conversation, Direction, FlowColumns, Outcome
from workbench.model.verdict import Class, Verdict, class_of
from workbench.policy import decide, load_policy, resolve, restrict

Key = tuple[str, str, int, int]
"""Client, server, protocol, port; a link-local client is only `link-local`."""
ON = date(2026, 9, 16)
ND_AND_MLD = range(130, 144)
LIMIT = 6_000_000


@dataclass(frozen=True)
class Seen:
    """One flow of the capture."""

    key: Key
    client_port: int
    outcome: Outcome
    direction: Direction
    bytes: int
    first_us: int


def _text(address: int) -> str:
    text = format_address(address)
    return "link-local" if text.startswith("fe80:") else text


@dataclass
class Recording:
    """The flows of one capture file."""

    path: Path

    def __post_init__(self) -> None:
        self.flows: list[Seen] = []
        self.report: CaptureReport = read_capture(self.path, on_flows=self._take)

    def _take(self, columns: FlowColumns) -> None:
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        for row in (dict(zip(columns, values, strict=True)) for values in rows):
            client, server = (
                row[f"{end}_hi"] << 64 | row[f"{end}_lo"] for end in ("client", "server")
            )
            key = _text(client), _text(server), row["protocol"], row["server_port"]
            size = row["bytes_to_server"] + row["bytes_to_client"]
            outcome, direction = Outcome(row["outcome"]), Direction(row["direction"])
            self.flows.append(
                Seen(key, row["client_port"], outcome, direction, size, row["first_us"])
            )

    @cached_property
    def conversations(self) -> dict[Key, list[Seen]]:
        """Without neighbour discovery and multicast listener reports, which nobody plans."""
        found: dict[Key, list[Seen]] = defaultdict(list)
        for flow in self.flows:
            if flow.key[2] != ICMPV6 or flow.key[3] not in ND_AND_MLD:
                found[flow.key].append(flow)
        return found


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording(DEMO / "office.pcapng")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DEMO / "truth.json").read_text())
    return found


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return load_inventory((DEMO / "inventory.yaml").read_text(), "inventory.yaml")


def _policy() -> Any:
    return load_policy((DEMO / "policy.yaml").read_text(), "policy.yaml")


def _key(planned: dict[str, Any]) -> Key:
    return planned["client"], planned["server"], planned["protocol"], planned["port"]


# --- the capture and its ground truth


def test_every_planned_conversation_is_there_and_nothing_else(
    recording: Recording, truth: dict[str, Any]
) -> None:
    planned = {_key(item): item["outcome"] for item in truth["conversations"]}
    errors = {(item["client"], item["server"], ICMP, 3): "one-way" for item in truth["icmp_errors"]}
    seen = {
        key: min(f.outcome for f in flows).text for key, flows in recording.conversations.items()
    }
    assert seen == planned | errors


def test_every_planned_flow_is_counted_once(recording: Recording, truth: dict[str, Any]) -> None:
    multicast = {_key(item) for item in truth["conversations"] if item["service"] == "multicast"}
    planned = {_key(item): item["flows"] for item in truth["conversations"]}
    seen = {key: len(flows) for key, flows in recording.conversations.items()}
    for key in planned.keys() - multicast:  # the same ports every day: one flow
        assert seen[key] == planned[key], key


def test_directions_rest_on_evidence(recording: Recording, truth: dict[str, Any]) -> None:
    outcomes = {_key(item): item["outcome"] for item in truth["conversations"]}
    for key, flows in recording.conversations.items():
        if key[2] == TCP:
            strongest = max(flow.direction for flow in flows)
            mid_stream = outcomes[key] == "mid-stream"
            assert strongest is (Direction.WELL_KNOWN if mid_stream else Direction.SYN), key


def test_the_file_is_whole_in_order_and_of_that_day(
    recording: Recording, truth: dict[str, Any]
) -> None:
    report = recording.report
    assert report.problems == () and report.truncated_packets == 0
    assert set(report.skipped) == {"ARP"}
    assert report.interfaces == len(truth["networks"])
    assert report.first_us is not None and report.last_us is not None
    begins, ends = parse_time(truth["begins"]), parse_time(truth["ends"])
    assert begins <= report.first_us < report.last_us < ends
    assert report.last_us - report.first_us > 8.5 * 3600 * 1_000_000


def test_volumes_differ_by_orders_of_magnitude(recording: Recording) -> None:
    sizes = sorted(sum(flow.bytes for flow in flows) for flows in recording.conversations.values())
    assert sizes[-1] > 100 * sizes[len(sizes) // 2] > 0


def test_both_families_and_many_outcomes(recording: Recording) -> None:
    v6 = sum(":" in key[0] for key in recording.conversations)
    assert 0.1 < v6 / len(recording.conversations) < 0.5
    assert {flow.outcome for flow in recording.flows} == set(Outcome)


def test_the_intrusion_happens_when_the_truth_says(
    recording: Recording, truth: dict[str, Any]
) -> None:
    starts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for flow in recording.flows:
        starts[flow.key[:2]].append(flow.first_us)
    silent = {step["server"] for step in truth["intrusion"] if "nobody" in step["what"]}
    for step in truth["intrusion"]:
        at = parse_time(step["at"])
        moments = starts[step["client"], step["server"]]
        near = [moment for moment in moments if 0 <= moment - at <= 10_000_000]
        assert bool(near) is (step["server"] not in silent), step


def test_size() -> None:
    files = [path for path in DEMO.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in files) <= LIMIT


def test_tshark_understands_every_packet(recording: Recording) -> None:
    """Names come from DNS answers; nothing is malformed; no packet was recorded twice."""
    program = shutil.which("tshark") or pytest.skip("tshark is not installed")
    command = [program, "-n", "-r", str(recording.path), "-T", "fields", "-E", "occurrence=f"]
    for field in ("_ws.malformed", "dns.a", "ip.ttl", "_ws.col.Protocol"):
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert len(rows) == recording.report.packets
    assert not [row for row in rows if row[0]]
    assert {"10.3.0.11", "10.2.0.20"} <= {row[1] for row in rows}
    assert {row[2] for row in rows} <= {"", "1", "64", "255"}  # 63 would be seen a second time
    protocols = Counter(row[3] for row in rows)
    expected = {"DNS", "KRB5", "LDAP", "SMB2", "DCERPC", "PGSQL", "RESP", "Modbus/TCP", "OpcUa"}
    assert expected | {"SSHv2", "TLSv1.3", "SNMP", "NTP", "Syslog", "DHCP", "MDNS"} <= set(
        protocols
    )


def test_the_story_tells_the_truth(truth: dict[str, Any]) -> None:
    story = (DEMO / "README.md").read_text()
    steps = truth["intrusion"]
    hostile = sum(item["part_of"] == ["intrusion"] for item in truth["conversations"])
    assert f"({hostile} of {len(truth['conversations'])})" in story
    assert not [
        step
        for step in steps
        if not re.search(rf"\b{step['at'][11:16]}\b", story)
        and not step["what"].startswith(("scan", "beacon"))
    ]
    names = {host["name"] for host in truth["hosts"] if not host["name"].startswith("pc-")}
    assert not [name for name in names if f"`{name}`" not in story]


# --- inventory and policy


def test_inventory_lists_the_site(inventory: Inventory, truth: dict[str, Any]) -> None:
    listed = {host.name: [format_address(a) for a in host.addresses] for host in inventory.hosts}
    planned = {host["name"]: host["addresses"] for host in truth["hosts"]}
    assert set(planned) - set(listed) == {"vps-66"}  # nobody knows the intruder's machine
    assert listed == {name: planned[name] for name in listed}


def test_two_hosts_wait_for_labels(inventory: Inventory) -> None:
    assert [host.name for host in inventory.hosts if not host.labels] == ["printer-1", "web-2"]


@pytest.fixture(scope="module")
def judged(
    recording: Recording, inventory: Inventory
) -> dict[Key, tuple[Verdict, Class, tuple[str, ...]]]:
    """Every conversation's verdict, class and rules under the draft."""
    conversations = {
        key: flows for key, flows in recording.conversations.items() if key[0] != "link-local"
    }
    addresses = {parse_address(end) for key in conversations for end in key[:2]}
    policy = resolve(_policy(), inventory, addresses, ON)
    found = {}
    for key, flows in conversations.items():
        numbers = parse_address(key[0]), parse_address(key[1]), *key[2:]
        ports = [flow.client_port for flow in flows]
        outcome = min(flow.outcome for flow in flows)
        direction = max(flow.direction for flow in flows)
        item = Conversation(*numbers, min(ports), max(ports), outcome=outcome, direction=direction)
        decision = decide(policy, item)
        excluded = any(box.matches(*numbers) for box in policy.exclusions)
        klass = Class.EXCLUDED if excluded else class_of(decision.verdict, outcome)
        found[key] = decision.verdict, klass, decision.rules
    return found


def test_the_draft_covers_most_of_what_is_legitimate(judged: Any, truth: dict[str, Any]) -> None:
    normal = {_key(item) for item in truth["conversations"] if "normal" in item["part_of"]}
    classes = Counter(judged[key][1] for key in judged.keys() & normal)
    covered = classes[Class.PERMITTED] + classes[Class.MISDROPPED]
    share = covered / (covered + classes[Class.WOULD_BLOCK] + classes[Class.REJECTED])
    assert 0.8 <= share <= 0.9
    assert classes[Class.WOULD_BLOCK] and classes[Class.MISDROPPED] and classes[Class.EXCLUDED]


def test_the_draft_stops_the_intruder_at_the_servers(judged: Any) -> None:
    moves = [
        ("10.1.0.17", "10.3.0.22", TCP, 445),
        ("10.1.0.17", "10.3.0.22", TCP, 5985),
        ("10.3.0.22", "10.3.0.31", TCP, 22),
    ]
    assert [judged[move][:2] for move in moves] == [(Verdict.BLOCKED, Class.WOULD_BLOCK)] * 3


def test_one_rule_is_unused_and_web_2_is_found(judged: Any) -> None:
    used = {rule for _, _, rules in judged.values() for rule in rules}
    assert [rule.id for rule in _policy().rules if rule.id not in used] == ["vendor-remote"]
    assert judged["10.3.0.12", "10.3.0.21", TCP, 8080][1] is Class.WOULD_BLOCK
    assert judged["10.4.0.21", "10.3.0.31", TCP, 5432][1] is Class.WOULD_BLOCK


def test_the_draft_can_be_exported(inventory: Inventory) -> None:
    policy = _policy()
    shop = [segment.name for segment in policy.segments if segment.name.startswith("shop-")]
    assert render("nftables", resolve(policy, inventory, (), ON), inventory).files
    pods = render("kubernetes", resolve(restrict(policy, shop), inventory, (), ON), inventory)
    assert all("namespace: shop" in text for text in pods.files.values())


# --- the script


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes `import recorder` work as it does for record.py."""
    monkeypatch.syspath_prepend(str(DEMO))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "recorder"]:
        del sys.modules[name]


def test_the_truth_is_what_the_script_plans() -> None:
    command = [sys.executable, "-B", str(DEMO / "record.py"), "--truth"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == (DEMO / "truth.json").read_text()


def test_messages_are_framed_wherever_they_are_cut(recorder: None) -> None:
    from recorder.hosts import TCP as STREAM  # type: ignore[import-not-found]
    from recorder.story import day  # type: ignore[import-not-found]
    from recorder.streams import streams  # type: ignore[import-not-found]

    wires = streams()
    messages = {
        (call.wire, message)
        for step in day()
        for call in step.calls
        if call.protocol == STREAM
        for message in call.messages
    }
    assert {wire for wire, _ in messages} == set(wires)
    for wire, message in messages:
        frame = wires[wire].frame
        assert frame(message) == len(message) == frame(message + message[:3])
        assert not any(
            frame(message[:cut]) for cut in (0, 1, 3, len(message) // 2, len(message) - 1)
        )
        assert len(wires[wire].answer(message)) == len(wires[wire].answer(message))


def test_story_time_keeps_order_and_only_stretches_pauses(recorder: None) -> None:
    from recorder.merge import StoryTime

    time = StoryTime()
    assert time.begin(1_000, 500_000) == 500_000
    assert time.begin(9_000, 900_000) == 900_000
    assert time.begin(19_000, 905_000) == 910_000  # the step before took longer than planned
    assert [time(real) for real in (1_000, 1_250, 8_999, 9_000, 18_999, 19_500)] == [
        500_000, 500_250, 507_999, 900_000, 909_999, 910_500,
    ]  # fmt: skip


def test_the_day_can_be_recorded_again(tmp_path: Path, truth: dict[str, Any]) -> None:
    """The first minutes, in namespaces made now: every conversation is one of the plan."""
    missing = [tool for tool in ("ip", "tcpdump", "unshare") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    command = [] if os.geteuid() == 0 else ["unshare", "-Un", "--map-current-user", "--keep-caps"]
    command += [sys.executable, "-B", str(DEMO / "record.py"), "--until", "8:06"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "trial.pcapng")], capture_output=True, text=True
    )
    if "no network namespace for us" in done.stderr:
        pytest.skip("this system allows no network namespaces")
    assert done.returncode == 0, done.stderr
    trial = Recording(tmp_path / "trial.pcapng")
    planned = {_key(item) for item in truth["conversations"]}
    assert trial.report.problems == ()
    assert len(trial.conversations) > 5
    assert set(trial.conversations) <= planned
