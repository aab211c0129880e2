"""Risk, advice and totals, with reach made up."""

import pytest

from workbench.analysis.vulnerabilities import WHOLE_HOST, assess, totals
from workbench.model.exposure import Scenario
from workbench.model.net import TCP
from workbench.model.vulnerability import (
    Advice,
    PortReach,
    Reaching,
    Severity,
    Vulnerability,
    severity_of,
)

NOBODY = PortReach(0, False)


def found(
    address: int = 1,
    port: int | None = 445,
    score: float = 8.0,
    name: str = "smb",
    fix: str = "",
    seen: int | None = None,
    source: str = "s",
) -> Vulnerability:
    protocol = None if port is None else TCP
    word = severity_of(score)
    return Vulnerability(
        address, protocol, port, name, name, score, word, "nessus", source, (), fix, seen
    )


def reach(before: PortReach, after: PortReach, users: PortReach = NOBODY) -> Reaching:
    answers = {Scenario.NONE: before, Scenario.DRAFT: after, Scenario.OBSERVED: users}
    return lambda scenario, *_: answers[scenario]


@pytest.mark.parametrize(
    ("hosts", "outside", "others", "share"),
    [
        (0, False, 10, 0.0),
        (10, False, 10, 0.5),
        (0, True, 10, 0.5),
        (10, True, 10, 1.0),
        (5, False, 10, 0.25),
        (0, True, 0, 0.5),
        (0, False, 0, 0.0),
    ],
)
def test_half_of_the_reach_is_the_site_and_half_the_outside(
    hosts: int, outside: bool, others: int, share: float
) -> None:
    assert PortReach(hosts, outside).share(others) == share


def test_risk_is_score_times_reach() -> None:
    [one] = assess([found(score=8.0)], reach(PortReach(10, True), PortReach(5, False)), 10)
    assert (one.risk_before, one.risk_after) == (8.0, 2.0)
    assert (one.before, one.after) == (PortReach(10, True), PortReach(5, False))


@pytest.mark.parametrize(
    ("after", "users", "fix", "advice"),
    [
        (NOBODY, PortReach(3, False), "x", Advice.CUT_OFF),
        (PortReach(4, False), PortReach(3, False), "x", Advice.SEGMENT),
        (PortReach(3, True), PortReach(3, False), "x", Advice.SEGMENT),
        (PortReach(3, True), PortReach(3, True), "x", Advice.PATCH),
        (PortReach(3, False), PortReach(3, False), "x", Advice.PATCH),
        (PortReach(2, False), PortReach(3, False), "", Advice.WATCH),
    ],
)
def test_advice(after: PortReach, users: PortReach, fix: str, advice: Advice) -> None:
    [one] = assess([found(fix=fix)], reach(PortReach(9, True), after, users), 10)
    assert one.advice is advice


def test_information_is_not_to_be_mended() -> None:
    [one] = assess([found(score=0.0)], reach(PortReach(9, True), PortReach(9, True)), 10)
    assert (one.advice, one.risk_after, one.vulnerability.severity) == ("", 0.0, Severity.INFO)
    assert totals([one], lambda _: ["x"]) == ()


def test_the_greatest_risk_comes_first() -> None:
    reached = {1: PortReach(1, False), 2: PortReach(9, False), 3: NOBODY, 4: NOBODY}

    def by_host(scenario: Scenario, address: int, *_: int | None) -> PortReach:
        return reached[address] if scenario is Scenario.DRAFT else PortReach(9, True)

    several = [found(3, score=5.0), found(1, score=9.9), found(4, score=9.0), found(2, score=5.0)]
    order = [one.vulnerability.address for one in assess(several, by_host, 10)]
    assert order == [2, 1, 4, 3]  # and what is cut off, by what it was


def test_two_reports_of_one_thing_count_once_the_latest() -> None:
    reports = [
        found(score=9.0, seen=2, source="june"),
        found(score=7.0, seen=3, source="july"),
        found(score=8.0, source="undated"),
        found(port=22, source="june"),
        found(port=None, source="june"),
    ]
    exposed = assess(reports, reach(NOBODY, NOBODY), 10)
    assert len(exposed) == 3
    [smb] = [one for one in exposed if one.vulnerability.port == 445]
    assert smb.vulnerability.source == "july"


def test_totals_add_up_and_keep_the_worst() -> None:
    exposed = assess(
        [found(1, score=8.0), found(1, 22, 4.0), found(2, None, 10.0)],
        reach(PortReach(10, True), PortReach(5, False)),
        10,
    )
    hosts = totals(exposed, lambda one: [str(one.address)])
    assert [(one.name, one.findings, one.worst) for one in hosts] == [("1", 2, 8.0), ("2", 1, 10.0)]
    assert [(one.risk_before, one.risk_after) for one in hosts] == [(12.0, 3.0), (10.0, 2.5)]
    assert hosts[0].advice == ((Advice.SEGMENT, 2),)
    assert (hosts[0].reach_before, hosts[0].outside_before) == (10, True)
    assert (hosts[0].reach_after, hosts[0].outside_after) == (5, False)
    services = totals(exposed, lambda one: [one.service or WHOLE_HOST])
    assert {one.name for one in services} == {"tcp/445", "tcp/22", WHOLE_HOST}
    twice = totals(exposed, lambda _: ["a", "b"])
    assert [one.findings for one in twice] == [3, 3]
