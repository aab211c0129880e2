"""Vulnerabilities weighed by who can reach them: what to patch, what to segment, what first."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from workbench.model.exposure import Scenario
from workbench.model.vulnerability import (
    Advice,
    Exposed,
    PortReach,
    Reaching,
    RiskTotal,
    Severity,
    Vulnerability,
)

WHOLE_HOST = "(whole host)"
"""The service of findings that are about no port."""
NO_SEGMENT = "(no segment)"


def assess(
    found: Iterable[Vulnerability],
    reach: Reaching,
    others: int,
    before: Scenario = Scenario.NONE,
    after: Scenario = Scenario.DRAFT,
) -> tuple[Exposed, ...]:
    """Every vulnerability with who can reach it before and after, the greatest risk first.

    Risk is score × reach (PortReach.share of the `others`, the machines of the site but one). What
    several sources say of the same place counts once, as the latest of them has it.
    """
    latest: dict[tuple[object, ...], Vulnerability] = {}
    for one in found:
        key = (one.place, one.scanner, one.id)
        if key not in latest or (one.seen_us or 0) >= (latest[key].seen_us or 0):
            latest[key] = one
    exposed = (_exposed(one, reach, others, before, after) for one in latest.values())
    return tuple(sorted(exposed, key=_urgency))


def _exposed(
    one: Vulnerability, reach: Reaching, others: int, before: Scenario, after: Scenario
) -> Exposed:
    then, now, users = (reach(each, *one.place) for each in (before, after, Scenario.OBSERVED))
    return Exposed(
        one,
        before=then,
        after=now,
        users=users,
        risk_before=one.score * then.share(others),
        risk_after=one.score * now.share(others),
        advice=_advice(one, now, users),
    )


def _advice(one: Vulnerability, now: PortReach, users: PortReach) -> Advice:
    if one.severity is Severity.INFO:
        return Advice.NOTHING
    if not now.hosts and not now.outside:
        return Advice.CUT_OFF
    if now.hosts > users.hosts or now.outside > users.outside:
        return Advice.SEGMENT
    return Advice.PATCH if one.fix else Advice.WATCH


def _urgency(one: Exposed) -> tuple[object, ...]:
    told = one.vulnerability
    place = (told.address, told.protocol or 0, told.port or 0, told.scanner, told.id)
    return (-one.risk_after, -one.risk_before, -told.score, *place)


def totals(
    exposed: Iterable[Exposed], names: Callable[[Vulnerability], Iterable[str]]
) -> tuple[RiskTotal, ...]:
    """Risks added up by name (a vulnerability may have several), the greatest first."""
    groups: defaultdict[str, list[Exposed]] = defaultdict(list)
    for one in exposed:
        if one.vulnerability.severity is not Severity.INFO:
            for name in names(one.vulnerability):
                groups[name].append(one)
    found = (_total(name, members) for name, members in groups.items())
    return tuple(sorted(found, key=lambda one: (-one.risk_after, -one.risk_before, one.name)))


def _total(name: str, exposed: list[Exposed]) -> RiskTotal:
    advice = Counter(one.advice for one in exposed)
    return RiskTotal(
        name,
        findings=len(exposed),
        worst=max(one.vulnerability.score for one in exposed),
        reach_before=max(one.before.hosts for one in exposed),
        reach_after=max(one.after.hosts for one in exposed),
        outside_before=any(one.before.outside for one in exposed),
        outside_after=any(one.after.outside for one in exposed),
        risk_before=sum(one.risk_before for one in exposed),
        risk_after=sum(one.risk_after for one in exposed),
        advice=tuple(advice.most_common()),
    )
