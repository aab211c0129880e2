"""Risky services: every port once, techniques well-formed, the sample guardrails agree."""

import re
from itertools import combinations
from pathlib import Path

from workbench.model.net import ANY_SERVICE, TCP, UDP, parse_service
from workbench.model.risky import MOVEMENT, RISKY, risky_by_id, risky_in, risky_service
from workbench.model.verdict import NOT_POLICY_PORTS
from workbench.policy import load_policy

ROOT = Path(__file__).resolve().parents[2]


def ports(services: object) -> set[tuple[int, int]]:
    return {
        (piece.protocol, port)
        for piece in services  # type: ignore[attr-defined]
        for port in range(piece.first, piece.last + 1)
    }


def test_no_port_is_two_services() -> None:
    for one, other in combinations(RISKY, 2):
        assert not ports(one.services) & ports(other.services), (one.id, other.id)


def test_every_entry_is_whole() -> None:
    assert len({risky.id for risky in RISKY}) == len(RISKY)
    for risky in RISKY:
        assert re.fullmatch(r"T[01]\d{3}(\.\d{3})?", risky.technique)
        assert risky.name and risky.technique_name and risky.text
        assert risky_by_id(risky.id) is risky


def test_what_a_policy_never_judges_is_not_listed() -> None:
    judged = {(protocol, port) for protocol, found in NOT_POLICY_PORTS.items() for port in found}
    assert not judged & {port for risky in RISKY for port in ports(risky.services)}


def test_a_port_is_found_by_its_service() -> None:
    smb = risky_service(TCP, 445)
    assert smb is not None and (smb.id, smb.technique, smb.moves) == ("smb", "T1021.002", True)
    assert risky_service(UDP, 445) is None
    assert not risky_by_id("database").moves


def test_movement_is_what_moves() -> None:
    assert ports(MOVEMENT) == {
        port for risky in RISKY if risky.moves for port in ports(risky.services)
    }


def test_ranges_meet_the_services_inside() -> None:
    assert [one.id for one in risky_in([parse_service("tcp/100-200")])] == [
        "smb",
        "dcom",
        "industrial",
    ]
    assert risky_in([ANY_SERVICE]) == RISKY
    assert risky_in([parse_service("ip/47")]) == ()


def test_the_sample_guardrails_name_the_same_ports() -> None:
    text = (ROOT / "policies" / "ransomware-guardrails.yaml").read_text()
    groups = {group.name: group for group in load_policy(text).services}
    for name in ("rdp", "ssh", "winrm", "dcom"):
        assert ports(groups[name].ranges) == ports(risky_by_id(name).services)
