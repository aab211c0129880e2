"""The first page: the answer, what stands against it, and lines to sign on."""

from collections.abc import Iterator

from workbench.model.exposure import OUTSIDE, Scenario
from workbench.model.report import Report
from workbench.model.text import percent, plural
from workbench.model.verdict import Class
from workbench.report.document import (
    Block,
    Figure,
    Figures,
    Mark,
    Point,
    Points,
    Section,
    Signatures,
    Text,
    Tone,
)
from workbench.report.reach import exposure_bars, pointless
from workbench.report.recording import cares, seen_in_words
from workbench.report.values import names

OK = Mark("✓", "fine", Tone.GOOD)
STOP = Mark("✗", "against", Tone.BAD)
LOOK = Mark("!", "look", Tone.CARE)
OPEN = Mark("–", "not done", Tone.PLAIN)


def summary(report: Report) -> Section:
    """One page."""
    points = tuple(_points(report))
    blocks: tuple[Block, ...] = (
        Text(_headline(points)),
        Figures(tuple(_figures(report))),
        Points(points),
        exposure_bars(report),
        Signatures(("Production", "Network", "Security")),
    )
    return Section("summary", "Summary", blocks)


def _headline(points: tuple[Point, ...]) -> str:
    against = sum(point.mark is STOP for point in points)
    look = sum(point.mark is LOOK for point in points)
    undone = sum(point.mark is OPEN for point in points)
    if against:
        verb = "stands" if against == 1 else "stand"
        answer = f"{plural(against, 'point')} {verb} against enforcing this policy as it is"
    else:
        answer = "Nothing found here stands against enforcing this policy"
    rest = [plural(look, "point") + " to look at"] if look else []
    rest += [f"{undone} not done"] if undone else []
    return f"{answer}{'; ' if rest else ''}{', '.join(rest)}."


def _figures(report: Report) -> Iterator[Figure]:
    cover = report.coverage
    covered = percent(cover.conversations, cover.in_scope) if cover.in_scope else "–"
    detail = f"{cover.conversations:,} of {plural(cover.in_scope, 'conversation')} in scope"
    yield Figure(covered, "allowed by a rule", detail if cover.in_scope else "nothing in scope")
    blocked = report.totals.by_class[Class.WOULD_BLOCK]
    working = "conversations that work today"
    if report.traced:
        working += f", {report.traced:,} of them traces of an intruder"
    yield Figure(f"{blocked:,}", "would be blocked", working)
    first, last = report.exposure.scenarios[0], report.exposure.scenarios[-1]
    yield Figure(f"{first.score:.1f} → {last.score:.1f}", "exposure", "no policy → this policy")
    sure = report.findings_by.get("high", 0)
    yield Figure(f"{sure:,}", "sure findings", f"of {plural(report.findings.total, 'finding')}")


def _points(report: Report) -> Iterator[Point]:
    yield _recorded(report)
    yield from _production(report)
    yield _guardrails(report)
    yield _rules(report)
    yield _exposure(report)
    yield _crown(report)
    yield _findings(report)
    yield _vulnerabilities(report)
    yield _export(report)


def _recorded(report: Report) -> Point:
    found = cares(report)
    if not report.quality.captures:
        return Point(STOP, "Nothing was recorded: no figure here means anything", "recording")
    text = f"Looked at: {seen_in_words(report)}"
    if not found:
        return Point(OK, f"{text}; unseen is not unused", "recording")
    return Point(LOOK, f"{text}; {plural(found, 'remark')} on what is missing", "recording")


def _production(report: Report) -> Iterator[Point]:
    if not report.policy.protect:
        yield Point(STOP, "No segment is protected: the policy blocks nothing", "policy")
        return
    blocked = report.totals.by_class[Class.WOULD_BLOCK]
    if blocked:
        services = plural(report.losses.total, "service")
        text = f"{plural(blocked, 'conversation')} with {services} that work today would be blocked"
        yield _blocked(report, text)
    else:
        yield Point(OK, "Nothing that worked in the recording would be blocked", "effect")
    doubtful = report.totals.by_class[Class.UNCERTAIN]
    if doubtful:
        text = f"{plural(doubtful, 'conversation')} cannot be judged from the recording"
        yield Point(LOOK, text, "uncertain")


def _blocked(report: Report, text: str) -> Point:
    """Nobody minds that an intruder is blocked: then it is only to be looked at."""
    blocked, traced = report.totals.by_class[Class.WOULD_BLOCK], report.traced
    if traced == blocked:
        return Point(LOOK, f"{text}; all of them are traces of an intruder", "would-block")
    first = next(iter(report.losses), None)
    if traced:
        text += f"; {traced:,} of them are traces of an intruder"
    if first:
        text += f". To look at first: {first.service} on {first.server}"
    return Point(STOP, text, "would-block")


def _guardrails(report: Report) -> Point:
    total = len(report.policy.guardrails)
    if not total:
        return Point(OPEN, "There are no guardrails: nothing is forbidden for good", "guardrails")
    if report.broken:
        broken = names([one.id for one in report.broken], 3)
        text = f"Broken guardrails, {len(report.broken)} of {total}: {broken}"
        return Point(STOP, text, "guardrails")
    verb = "holds" if total == 1 else "hold"
    return Point(OK, f"{plural(total, 'guardrail')} {verb} whatever is recorded", "guardrails")


def _rules(report: Report) -> Point:
    flagged: dict[str, int] = {}
    for one in report.rules:
        for flag in one.flags:
            word = "about to expire" if flag.startswith("expires in") else flag
            flagged[word] = flagged.get(word, 0) + 1
    bare = sum(not one.rule.reason for one in report.rules)
    if bare:
        flagged["without a reason"] = bare
    if not report.rules:
        return Point(OPEN, "There are no rules: nothing is allowed to what is protected", "rules")
    total = plural(len(report.rules), "rule")
    if not flagged:
        return Point(OK, f"{total}, each used, narrow and with a reason", "rules")
    told = ", ".join(f"{number:,} {word}" for word, number in flagged.items())
    return Point(LOOK, f"{total}: {told}", "rules")


def _exposure(report: Report) -> Point:
    first, last = report.exposure.scenarios[0], report.exposure.scenarios[-1]
    most = f"{last.widest_machines:,} of {plural(max(0, last.machines - 1), 'machine')}"
    outside = plural(last.outside_direct, "machine")
    text = (
        f"Exposure {first.score:.1f} → {last.score:.1f}; the worst foothold inside still reaches "
        f"{most}; {outside} open to the outside on services to move by"
    )
    choke = next(iter(report.exposure.chokes), None)
    if choke:
        text += f". First to do: {choke.text}, which cuts {percent(choke.share, 1)} of what is open"
    fine = last.score < first.score and not last.outside_direct
    return Point(OK if fine else LOOK, text, "exposure")


def _crown(report: Report) -> Point:
    exposure = report.exposure
    if not exposure.crown.total:
        return Point(OPEN, "No crown jewels are marked (label crown=yes)", "paths")
    open_ways = [
        one.foothold for one in exposure.ways if one.path and one.scenario is Scenario.DRAFT
    ]
    number = f"{exposure.crown.total:,}"
    if not open_ways:
        return Point(OK, f"No way to the crown jewels ({number}) from {pointless(report)}", "paths")
    mark = STOP if OUTSIDE in open_ways else LOOK
    return Point(
        mark, f"Crown jewels ({number}) can be reached from {names(open_ways, 4)}", "paths"
    )


def _findings(report: Report) -> Point:
    by = report.findings_by
    told = ", ".join(
        f"{by[level]:,} {'of ' * (level != 'suppressed')}{level}"
        f"{' confidence' * (level != 'suppressed')}"
        for level in ("high", "medium", "low", "suppressed")
        if by.get(level)
    )
    if not report.findings.total:
        return Point(OK, "No trace of an intruder in the recording", "findings")
    seen = any(by.get(level) for level in ("high", "medium", "low"))
    mark = LOOK if seen else OK
    text = f"Traces of an intruder: {told}"
    if report.replayed.steps.total + report.replayed.looked:
        mark = LOOK if report.replayed.stopped else STOP
        text += f". The sure ones, replayed under this policy: {report.replayed.text}"
    return Point(mark, text, "findings")


def _vulnerabilities(report: Report) -> Point:
    found = report.vulnerabilities
    if not found.sources:
        return Point(OPEN, "No scanner results were imported", "vulnerabilities")
    before, after = (
        sum(getattr(one, f"risk_{when}") for one in found.hosts) for when in ("before", "after")
    )
    text = (
        f"{plural(found.exposed.total, 'vulnerability')} on "
        f"{plural(found.hosts.total, 'host')}: risk {before:,.1f} → {after:,.1f}"
    )
    return Point(LOOK if found.exposed.total else OK, text, "vulnerabilities")


def _export(report: Report) -> Point:
    found = report.certificates
    if not found:
        return Point(OPEN, "Nothing was exported, so nothing was verified", "certificate")
    bad = [one.folder for one in found if not one.proven]
    if bad:
        return Point(STOP, f"Exports that do not say what the policy says: {names(bad)}",
                     "certificate")  # fmt: skip
    unasked = sum(
        check.state == "not checked"
        for one in found
        if one.verification
        for check in one.verification.checks
    )
    text = f"Exported and proven equal: {names([one.folder for one in found])}"
    if any(one.edited for one in found):
        return Point(LOOK, f"{text}; files were edited since", "certificate")
    if unasked:
        return Point(LOOK, f"{text}; {plural(unasked, 'further check')} not made", "certificate")
    return Point(OK, text, "certificate")
