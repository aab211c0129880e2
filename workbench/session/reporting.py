"""Gathering what a report says: every figure is the one that the other commands print."""

import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import __version__
from workbench.analysis.hosts import members
from workbench.documents import digest, read_text
from workbench.model.errors import Cancelled, InputError
from workbench.model.filters import Filter, Term
from workbench.model.finding import Finding
from workbench.model.policy import Rule, Segment
from workbench.model.report import (
    Broken,
    Digest,
    Report,
    RuleFacts,
    SegmentFacts,
    Some,
    Talk,
    VulnerabilityFacts,
)
from workbench.model.simulation import rule_flags
from workbench.model.traffic import Progress, Stop, Tell, format_time
from workbench.model.verdict import Class, RuleUse
from workbench.model.vulnerability import Severity
from workbench.session.blocked import Blocked
from workbench.session.certificates import certificates
from workbench.session.folder import FINDINGS, INVENTORY, POLICY, SCANS
from workbench.session.ways import exposure_facts

if TYPE_CHECKING:
    from workbench.session.session import Session


@dataclass(frozen=True)
class Wish:
    """What a report is to hold."""

    most: int | None = 100
    """Rows of a table; None for all."""
    baseline: int | None = None
    """As for findings: flows before this moment (µs) are normal."""
    against: str = ""
    """As for findings: the flows of these captures are normal."""
    exports: tuple[Path, ...] = ()
    """Exported folders beside those inside the workspace."""
    kernel: bool = True
    """Load exported rulesets into a kernel of their own."""
    made_us: int = field(default_factory=lambda: time.time_ns() // 1000)


class Steps:
    """Tells how far the gathering is, and stops it when the user wants it to."""

    COUNT = 8

    def __init__(self, progress: Tell, cancelled: Stop) -> None:
        self.progress = progress
        self.cancelled = cancelled
        self._done = 0

    def __call__(self, label: str) -> None:
        """The next step begins. Raises Cancelled."""
        self.check()
        if self.progress:
            self.progress(Progress(f"report: {label}", self._done, self.COUNT))
        self._done += 1

    def check(self) -> None:
        """Raises Cancelled when the user stopped it."""
        if self.cancelled and self.cancelled():
            raise Cancelled("stopped; no report was written")


def gather(session: "Session", wish: Wish, progress: Tell = None, cancelled: Stop = None) -> Report:
    """The present draft and everything known of it. Raises Cancelled, InputError."""
    step, moment = Steps(progress, cancelled), _moment(session)
    step("the recorded traffic")
    simulation = session.simulation
    quality, matrix = session.quality(), session.matrix("segment")
    step("the policy")
    rules, segments = _rules(session, step), _segments(session)
    step("findings")
    found = session.findings.find(
        baseline=wish.baseline, against=wish.against, progress=progress, cancelled=cancelled
    )
    step("what would be blocked")
    blocked = Blocked(session, found)
    replayed = blocked.replayed(wish.most, cancelled)
    step("exposure")
    exposed = exposure_facts(session, wish.most, step.progress, step.cancelled)
    step("vulnerabilities")
    scanned = _vulnerabilities(session, wish.most)
    step("exports")
    proofs = certificates(session, wish.exports, wish.kernel, step.progress, step.cancelled)
    step("writing")
    report = Report(
        **_about(session, wish),
        quality=quality,
        hosts=session.summary().hosts,
        policy=session.policy,
        matrix=matrix,
        segments=segments,
        rules=rules,
        broken=tuple(Broken(one.id, one.witness, one.because) for one in session.check()),
        warnings=tuple(one.text for one in session.warnings()),
        totals=simulation.totals,
        coverage=simulation.coverage,
        losses=blocked.losses(wish.most),
        traced=blocked.traced,
        uncertain=_uncertain(session, wish.most),
        findings=blocked.findings(wish.most),
        findings_by=_levels(found),
        replayed=replayed,
        exposure=exposed,
        vulnerabilities=scanned,
        certificates=proofs,
    )
    if any(one is not other for one, other in zip(_moment(session), moment, strict=True)):
        raise InputError("the draft or the traffic changed meanwhile: ask for the report again")
    return report


def _about(session: "Session", wish: Wish) -> dict[str, Any]:
    """What the report is of, in fields of Report."""
    return {
        "workspace": session.name,
        "version": _version(),
        "made_us": wish.made_us,
        "on": session.resolved.on,
        "unsaved": session.draft.changed,
        "documents": _documents(session),
        "compared": _compared(wish),
    }


def _moment(session: "Session") -> tuple[object, ...]:
    """Other objects after an edit or a load."""
    return session.draft.present, session.captures()


def _version() -> str:
    return f"Segmentation Workbench {__version__}, Python {platform.python_version()}"


# ── documents ──────────────────────────────────────────────────────────────────────────────────


def _documents(session: "Session") -> tuple[Digest, ...]:
    """Of the texts on disk; of a draft that is not saved, as it would be written afresh."""
    names = (POLICY, INVENTORY, FINDINGS, SCANS)
    found = [_digest(session.workspace / name, name) for name in names]
    if session.draft.changed:
        text = session.draft.policy_text()
        found.append(Digest("the unsaved draft", digest(text), "the policy of this report"))
    return tuple(found)


def _digest(path: Path, name: str) -> Digest:
    if not path.exists():
        return Digest(name, "", "there is none")
    return Digest(name, digest(read_text(path)))


# ── policy ─────────────────────────────────────────────────────────────────────────────────────


def _rules(session: "Session", step: Steps) -> tuple[RuleFacts, ...]:
    uses = {use.id: use for use in session.simulation.rules}
    return tuple(_rule(session, rule, uses[rule.id], step) for rule in session.policy.rules)


def _rule(session: "Session", rule: Rule, use: RuleUse, step: Steps) -> RuleFacts:
    step.check()
    table, flags = session.table, tuple(rule_flags(rule, use, session.resolved.on))
    if not use.hits:
        return RuleFacts(rule, use, None, 0, 0, flags)
    allowed = session.select(Filter((Term("rule", (rule.id,)),)))
    rows = np.flatnonzero(allowed & (session.simulation.classes != Class.EXCLUDED))
    clients, servers = (len(np.unique(table[end][rows])) for end in ("client", "server"))
    first = int(table["first_us"][rows].min())
    return RuleFacts(rule, use, first, clients, servers, flags)


def _segments(session: "Session") -> tuple[SegmentFacts, ...]:
    sides = {one.segment: one.directions for one in session.policy.protect}
    found = []
    for segment in session.policy.segments:
        inside = members(session.resolved.segment(segment.name), session.table.hosts)
        directions = sides.get(segment.name, frozenset())
        protected = "both" if len(directions) == 2 else "".join(side.value for side in directions)
        count = int(np.count_nonzero(inside))
        found.append(SegmentFacts(segment.name, protected, count, _definition(segment)))
    return tuple(found)


def _definition(segment: Segment) -> str:
    labels = (f"{key}={' or '.join(values)}" for key, values in segment.match)
    parts = [" and ".join(labels), ", ".join(segment.cidrs)]
    text = "; in ".join(part for part in parts if part)
    return f"{text} except {', '.join(segment.excepts)}" if segment.excepts else text


# ── what it would do ───────────────────────────────────────────────────────────────────────────


def _uncertain(session: "Session", most: int | None) -> Some[Talk]:
    table, classes = session.table, session.simulation.classes
    rows = np.flatnonzero(classes == Class.UNCERTAIN)
    rows = rows[np.lexsort((rows, -table["bytes"][rows], -table["flows"][rows]))]
    return Some(tuple(_talk(session, int(row)) for row in rows[:most]), len(rows))


def _talk(session: "Session", row: int) -> Talk:
    seen = session.table.at(row)
    return Talk(
        client=session.name_of(seen.client),
        server=session.name_of(seen.server),
        service=seen.service,
        flows=seen.flows,
        bytes=seen.bytes,
        first_us=seen.first_us,
        last_us=seen.last_us,
        outcome=seen.outcome.text,
        direction=seen.direction.text,
        klass=Class(int(session.simulation.classes[row])),
    )


def _levels(found: tuple[Finding, ...]) -> dict[str, int]:
    return dict(Counter("suppressed" if one.suppression else one.confidence.text for one in found))


def _compared(wish: Wish) -> tuple[str, ...]:
    if wish.baseline is not None:
        return "--baseline", format_time(wish.baseline)
    return ("--against", wish.against) if wish.against else ()


# ── vulnerabilities ────────────────────────────────────────────────────────────────────────────


def _vulnerabilities(session: "Session", most: int | None) -> VulnerabilityFacts:
    kept = session.vulnerabilities
    if not kept.found():
        return VulnerabilityFacts(Some(), Some(), ())
    exposed = [one for one in kept.exposed() if one.vulnerability.severity >= Severity.LOW]
    name = session.inventory.name
    listed = tuple((name(one.vulnerability.address), one) for one in exposed[:most])
    hosts = kept.totals("host")
    return VulnerabilityFacts(
        Some(listed, len(exposed)), Some(hosts[:most], len(hosts)), kept.sources()
    )
