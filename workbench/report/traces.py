"""Findings: traces of an intruder, and whether the policy stops what they show."""

from workbench.model.report import FindingFacts, Report
from workbench.model.response import Fate
from workbench.model.text import plural
from workbench.report.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Column,
    Commands,
    Kind,
    Mark,
    Section,
    Table,
    Text,
    Tone,
)
from workbench.report.where import command
from workbench.report.words import level_mark

_FINDINGS = (
    Column("first_seen", "first (UTC)", Kind.TIME),
    Column("title", "finding"),
    Column("technique", "ATT&CK", Kind.CODE),
    Column("host", "host"),
    Column("confidence", "confidence", Kind.MARK),
    Column("impact", "impact", Kind.MARK),
    Column("policy", "by this policy", Kind.MARK),
    Column("id", "id", Kind.CODE),
    Column("why", "why", under=True),
    Column("unseen", "not in the recording", under=True),
    Column("peers", "done to", Kind.NAMES, under=True),
    Column("last_seen", "last (UTC)", Kind.TIME, under=True),
)
_SUPPRESSED = (
    *_FINDINGS[:6],
    Column("id", "id", Kind.CODE),
    Column("reason", "suppressed because", under=True),
    Column("until", "until", Kind.DAY, under=True),
    Column("why", "why", under=True),
)
MOST_STEPS = 40
_HOPS = (
    Column("hop", "hop", Kind.COUNT),
    Column("first_seen", "first (UTC)", Kind.TIME),
    Column("client", "from"),
    Column("server", "to"),
    Column("fate", "by this policy", Kind.MARK),
    Column("because", "because"),
)
_STEPS = (
    Column("step", "step", Kind.COUNT),
    Column("time", "time (UTC)", Kind.TIME),
    Column("client", "from"),
    Column("server", "to"),
    Column("service", "service"),
    Column("title", "what"),
    Column("fate", "by this policy", Kind.MARK),
    Column("because", "because"),
)
_FATES = {
    Fate.ALLOWED: Mark("✗", "gets through", Tone.BAD),
    Fate.OPEN: Mark("✗", "out of scope", Tone.BAD),
    Fate.UNCERTAIN: Mark("?", "uncertain", Tone.CARE),
    Fate.BLOCKED: Mark("✓", "blocked", Tone.GOOD),
    Fate.NOT_REACHED: Mark("✓", "never gets there", Tone.GOOD),
}
_LEVELS = (("high", Tone.BAD), ("medium", Tone.CARE), ("low", Tone.PLAIN))


def traces(report: Report) -> Section:
    """Open findings in order of time, then the suppressed ones."""
    found = report.findings
    shown = [one for one in found if not one.finding.suppression]
    hushed = [one for one in found if one.finding.suppression]
    quiet = report.findings_by.get("suppressed", 0)
    blocks: tuple[Block, ...] = (
        Text(
            "What looks like an intruder at work, in order of time. Confidence: how sure the "
            "recording makes us. Impact: how bad it would be. A finding is a question to somebody "
            f"who knows the site, not a verdict.{_compared(report)}"
        ),
        _levels(report),
        Table(
            "findings-list",
            "Findings",
            _FINDINGS,
            [_finding(one) for one in shown],
            found.total - quiet - len(shown),
        ),
        Table(
            "suppressed",
            "Suppressed findings: known and explained, never hidden",
            _SUPPRESSED,
            [_suppressed(one) for one in hushed],
            quiet - len(hushed),
        ),
        Commands((command(report, "findings", *report.compared),)),
    )
    replayed = Section("replay", "Would this policy have stopped it?", _replayed(report))
    return Section("findings", "Traces of an intruder", blocks, (replayed,))


def _replayed(report: Report) -> tuple[Block, ...]:
    """The sure findings as one story."""
    found = report.replayed
    hops = [
        (one.hop.number, one.hop.first_us, one.client, one.server, _FATES[one.hop.fate],
         one.hop.because)
        for one in found.hops
    ]  # fmt: skip
    steps = [
        (one.step.number, one.step.time_us, one.client, one.server, one.service, one.step.title,
         _FATES[one.step.fate], one.step.because)
        for one in found.steps
    ]  # fmt: skip
    return (
        Text(
            "The conversations of the findings of high confidence, replayed in order of time: what "
            f"starts from a machine that the intruder never got to does not happen. In short: "
            f"{found.text}. Besides, {plural(found.looked, 'conversation')} only looked around; "
            f"{found.looked_stopped:,} of them would not have got through."
        ),
        Table("replay-hops", "From machine to machine", _HOPS, hops, found.hops.more),
        Table(
            "replay-steps",
            "Step by step, without looking around",
            _STEPS,
            steps,
            found.steps.more,
            page=MOST_STEPS,
        ),
        Commands((command(report, "replay", "--policy", "draft", *report.compared),)),
    )


def _compared(report: Report) -> str:
    if not report.compared:
        return " The recording was compared with itself: there is no earlier one to call normal."
    option, value = report.compared
    what = (
        "What began before" if option == "--baseline" else "What the captures hold that are called"
    )
    return f" {what} {value} was taken as normal."


def _levels(report: Report) -> Bars:
    by = report.findings_by
    bars = [
        Bar(f"{level} confidence", by.get(level, 0), f"{by.get(level, 0):,}", tone)
        for level, tone in _LEVELS
    ]
    bars.append(Bar("suppressed", by.get("suppressed", 0), f"{by.get('suppressed', 0):,}"))
    return Bars(
        plural(report.findings.total, "finding"), tuple(bars), max(1, report.findings.total)
    )


def _head(one: FindingFacts) -> tuple[Cell, ...]:
    """What an open and a suppressed finding are both told by."""
    found = one.finding
    levels = level_mark(found.confidence), level_mark(found.impact)
    return found.first_us, found.title, found.technique, one.host, *levels


def _finding(one: FindingFacts) -> tuple[Cell, ...]:
    found = one.finding
    return (
        *_head(one),
        _stopped(one),
        found.id,
        found.why,
        found.unseen or None,
        one.peers,
        found.last_us,
    )


def _stopped(one: FindingFacts) -> Mark:
    if not one.judged:
        return Mark("–", "no evidence to judge")
    if one.blocked == one.judged:
        return Mark("✓", "blocked", Tone.GOOD)
    if one.blocked:
        return Mark("!", f"{one.blocked:,} of {one.judged:,} blocked", Tone.CARE)
    return Mark("✗", "not blocked", Tone.BAD)


def _suppressed(one: FindingFacts) -> tuple[Cell, ...]:
    found, known = one.finding, one.finding.suppression
    return (
        *_head(one),
        found.id,
        known.reason if known else None,
        known.until if known else None,
        found.why,
    )
