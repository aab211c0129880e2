"""The sample policies load, and say what their first lines promise."""

from datetime import date
from pathlib import Path

import pytest

from workbench.model.net import ANY_PROTOCOL, AddressSet, parse_address, parse_service
from workbench.model.policy import Assertion, ResolvedPolicy
from workbench.model.site import Host, Inventory, labels_of
from workbench.model.traffic import Conversation
from workbench.model.verdict import Verdict
from workbench.policy import decide, dump_policy, lint, load_policy, resolve

FOLDER = Path(__file__).resolve().parents[2] / "policies"
SAMPLES = sorted(FOLDER.glob("*.yaml"))
ON = date(2026, 6, 15)


def site(name: str) -> tuple[Inventory, ResolvedPolicy]:
    """The sample on a site with one host for every combination of labels it selects."""
    policy = load_policy((FOLDER / f"{name}.yaml").read_text())
    wanted = dict.fromkeys(
        tuple((key, value) for key, value in zip(keys, values, strict=True))
        for segment in policy.segments
        if (keys := [key for key, _ in segment.match])
        for values in product_of([values for _, values in segment.match])
    )
    hosts = tuple(
        Host(f"h{at}", (parse_address(f"10.0.{at}.1"),), labels_of(labels))
        for at, labels in enumerate(wanted)
    )
    inventory = Inventory(hosts)
    return inventory, resolve(policy, inventory, (), ON)


def product_of(choices: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    if not choices:
        return [()]
    return [(value, *rest) for value in choices[0] for rest in product_of(choices[1:])]


def verdict(policy: ResolvedPolicy, client: str, server: str, service: str) -> Verdict:
    """The verdict between one host of each segment."""
    wanted = parse_service(service)
    ends = [policy.segment(name).ranges[0].first for name in (client, server)]
    return decide(policy, Conversation(*ends, wanted.protocol, wanted.first)).verdict


def test_all_five_are_here() -> None:
    assert [path.stem for path in SAMPLES] == [
        "active-directory-tiers",
        "kubernetes-shop",
        "plant-floor",
        "ransomware-guardrails",
        "three-tier",
    ]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_valid_and_give_no_cause_for_warnings(path: Path) -> None:
    policy = load_policy(path.read_text(), path.name)
    assert policy.name == path.stem
    assert load_policy(dump_policy(policy)) == policy
    assert policy.guardrails and policy.protect
    _, resolved = site(path.stem)
    assert lint(policy, resolved) == ()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_keep_their_own_guardrails(path: Path) -> None:
    """No rule overlaps a *never*; every *always* is allowed by one rule."""
    _, policy = site(path.stem)
    for guardrail in policy.guardrails:
        box = guardrail.box
        if guardrail.assertion is Assertion.NEVER:
            for rule in policy.rules:
                overlap = (rule.clients & box.clients) and (rule.servers & box.servers)
                services = [
                    (one, two)
                    for one in rule.services
                    for two in box.services
                    if ANY_PROTOCOL in (one.protocol, two.protocol) or one.protocol == two.protocol
                    if max(one.first, two.first) <= min(one.last, two.last)
                ]
                assert not (overlap and services), f"{rule.id} breaks {box.id}"
        else:
            left = box.servers
            for rule in policy.rules:
                covers = all(
                    any(
                        r.covers(s.protocol, s.first) and r.covers(s.protocol, s.last)
                        for r in rule.services
                    )
                    for s in box.services
                )
                if covers and not box.clients - rule.clients:
                    left = left - rule.servers
            assert left == AddressSet(), f"nothing keeps {box.id}"


@pytest.mark.parametrize(
    ("name", "client", "server", "service", "expected"),
    [
        ("three-tier", "web", "app", "tcp/8080", Verdict.ALLOWED),
        ("three-tier", "web", "db", "tcp/5432", Verdict.BLOCKED),
        ("three-tier", "app", "db", "tcp/5432", Verdict.ALLOWED),
        ("three-tier", "app", "db", "tcp/22", Verdict.BLOCKED),
        ("three-tier", "db", "app", "tcp/8080", Verdict.BLOCKED),
        ("three-tier", "monitoring", "backup", "tcp/22", Verdict.OUT_OF_SCOPE),
        ("active-directory-tiers", "workstations", "domain-controllers", "tcp/88", Verdict.ALLOWED),
        ("active-directory-tiers", "workstations", "workstations", "tcp/445", Verdict.BLOCKED),
        ("active-directory-tiers", "paw-t1", "domain-controllers", "tcp/3389", Verdict.BLOCKED),
        ("active-directory-tiers", "paw-t0", "domain-controllers", "tcp/3389", Verdict.ALLOWED),
        ("plant-floor", "hmi-cell-1", "plc-cell-1", "tcp/502", Verdict.ALLOWED),
        ("plant-floor", "hmi-cell-1", "plc-cell-2", "tcp/502", Verdict.BLOCKED),
        ("plant-floor", "office", "plc", "tcp/502", Verdict.BLOCKED),
        ("kubernetes-shop", "checkout", "payment", "tcp/50051", Verdict.ALLOWED),
        ("kubernetes-shop", "frontend", "payment", "tcp/50051", Verdict.BLOCKED),
        ("ransomware-guardrails", "workstations", "workstations", "tcp/445", Verdict.BLOCKED),
        ("ransomware-guardrails", "admins", "workstations", "tcp/3389", Verdict.ALLOWED),
        ("ransomware-guardrails", "workstations", "backup", "tcp/445", Verdict.BLOCKED),
    ],
)
def test_samples_mean_what_they_promise(
    name: str, client: str, server: str, service: str, expected: Verdict
) -> None:
    _, policy = site(name)
    assert verdict(policy, client, server, service) is expected
