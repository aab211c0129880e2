"""Vulnerabilities that scanners found: patch, or segment?"""

from typing import TYPE_CHECKING

from workbench.model.exposure import Scenario
from workbench.model.packets import printable
from workbench.model.text import plural
from workbench.model.traffic import Progress
from workbench.model.vulnerability import Advice, Exposed, PortReach, RiskTotal, Severity
from workbench.session.vulnerabilities import GROUPINGS
from workbench.tui.exposed.sheet import WORDS, Look, Part, Parts, Sheet, before, some
from workbench.tui.widgets.compared import bar
from workbench.tui.widgets.pagedtable import Column, Row

if TYPE_CHECKING:
    from workbench.session import Session

_BAR = 5
_TONES = {
    Advice.SEGMENT: "accent",
    Advice.PATCH: "blocked",
    Advice.WATCH: "uncertain",
    Advice.CUT_OFF: "allowed",
    Advice.NOTHING: "dim",
}
_GLYPHS = {
    Advice.SEGMENT: "▶",
    Advice.PATCH: "✗",
    Advice.WATCH: "?",
    Advice.CUT_OFF: "✓",
    Advice.NOTHING: "–",
}
TOTALS = ("finding", *GROUPINGS)
"""One by one, or added up: what `b` goes through."""
NOTHING_IMPORTED = (
    "No scanner results yet. `workbench vulnerabilities WORKSPACE --import FILE` reads Nessus, "
    "OpenVAS, Nmap, Trivy and Grype; then this list says what to patch and what to segment."
)


def weak_sheet(session: "Session", look: Look) -> Sheet:
    """The greatest risk under the draft first."""
    was = before(session.exposure)
    if look.total != TOTALS[0] and session.vulnerabilities.found():
        return _totals_sheet(session, look, was)
    columns = (
        Column("advice", 9, "0"),
        Column("severity", 8, "1", spare=3),
        Column("host", 12, "2", flex=1, middle=True),
        Column("service", 9, "3", spare=2),
        Column("what", 16, "4", flex=3),
        Column(WORDS[was], 10, "5", spare=1),
        Column("draft", 10, "6"),
    )
    look.tell(Progress("vulnerabilities", 0, 1))
    if not session.vulnerabilities.found():
        return Sheet(columns, (), NOTHING_IMPORTED)
    found = session.vulnerabilities.exposed(was)
    name = session.inventory.name
    listed = [one for one in found if one.vulnerability.severity > Severity.INFO]
    listed = [one for one in listed if look.shows(name(one.vulnerability.address))]
    names = [printable(name(one.vulnerability.address)) for one in listed]
    rows = [_row(one, name) for one, name in zip(listed, names, strict=True)]
    figures = [
        (one.advice.value, one.vulnerability.severity, name, one.vulnerability.service,
         one.vulnerability.title, one.risk_before, one.risk_after)
        for one, name in zip(listed, names, strict=True)
    ]  # fmt: skip
    old, new = (sum(risks) for risks in zip(*((o.risk_before, o.risk_after) for o in listed),
                                            strict=True)) if listed else (0.0, 0.0)  # fmt: skip
    remarks = sum(one.vulnerability.severity is Severity.INFO for one in found)
    head: list[Part] = [
        (f" risk {WORDS[was]} ", "dim"),
        (f"{old:.1f}", "strong"),
        ("  draft ", "dim"),
        (f"{new:.1f}", "allowed" if new < old else "strong"),
        (f"   {plural(remarks, 'remark')} without risk left out" if remarks else "", "dim"),
    ]
    return Sheet(columns, rows, "Only information, nothing to mend.", [head], figures)


def _totals_sheet(session: "Session", look: Look, was: Scenario) -> Sheet:
    """Risks added up by host, segment or service."""
    look.tell(Progress(f"risks by {look.total}", 0, 1))
    found = session.vulnerabilities.totals(look.total, was)
    most = max((max(one.risk_before, one.risk_after) for one in found), default=0.0) or 1.0

    def risk(value: float) -> str:
        return f"{value:>6.1f} {bar(value / most, _BAR + 2)}"

    columns = (
        Column(look.total, 12, "0", flex=1),
        Column("findings", 8, "1", right=True),
        Column("worst", 5, "2", right=True),
        Column(WORDS[was], 9 + _BAR, "3", spare=1),
        Column("draft", 9 + _BAR, "4"),
        Column("what to do", 12, flex=1),
    )
    rows = [
        Row(
            one,
            (
                printable(one.name),
                f"{one.findings:,}",
                f"{one.worst:.1f}",
                (risk(one.risk_before), "dim"),
                (risk(one.risk_after), "allowed" if one.risk_after < one.risk_before else ""),
                ", ".join(f"{advice.value} {count:,}" for advice, count in one.advice),
            ),
        )
        for one in found
    ]
    figures = [
        (one.name, one.findings, one.worst, one.risk_before, one.risk_after) for one in found
    ]
    head: list[Part] = [(f" risk added up by {look.total}; b adds up otherwise", "dim")]
    return Sheet(columns, rows, "Only information, nothing to mend.", [head], figures)


def total_parts(one: RiskTotal) -> Parts:
    """Before and after, who reaches the worst of it."""

    def reach(hosts: int, outside: bool) -> str:
        return plural(hosts, "host") + (" and outside" if outside else "")

    parts: list[Part] = [
        (f"{printable(one.name)}\n", "strong"),
        (f"{plural(one.findings, 'finding')}, worst {one.worst:.1f}\n\n", ""),
        ("risk    ", "dim"),
        (f"{one.risk_before:.1f} → {one.risk_after:.1f}\n", ""),
        ("reached by ", "dim"),
        (f"{reach(one.reach_before, one.outside_before)}\n", ""),
        ("     draft ", "dim"),
        (f"{reach(one.reach_after, one.outside_after)}\n\n", ""),
    ]
    for advice, count in one.advice:
        parts += [(f"{_GLYPHS[advice]} {advice.value or 'nothing'}", _TONES[advice]),
                  (f"  {plural(count, 'finding')}\n", "")]  # fmt: skip
    return parts


def _row(one: Exposed, host: str) -> Row:
    weak = one.vulnerability
    tone = _TONES[one.advice]
    better = one.risk_after < one.risk_before
    cells = (
        (f"{_GLYPHS[one.advice]} {one.advice.value}", tone),
        (weak.severity.text, "blocked" if weak.severity >= Severity.HIGH else ""),
        host,
        weak.service or ("host", "dim"),
        printable(weak.title),
        (_risk(one.risk_before), "dim"),
        (_risk(one.risk_after), "allowed" if better else ""),
    )
    return Row(one, cells)


def _risk(risk: float) -> str:
    return f"{risk:>4.1f} {bar(risk / 10, _BAR)}"


def weak_parts(session: "Session", one: Exposed) -> Parts:
    """All that is known, and who gets at it."""
    weak, was = one.vulnerability, before(session.exposure)
    parts: list[Part] = [
        (f"{printable(weak.title)}\n", "strong"),
        (f"{weak.severity.text} {weak.score:.1f}  {weak.scanner} {printable(weak.id)}\n", ""),
        (f"{printable(' '.join(weak.cves))}\n" if weak.cves else "", "dim"),
        (
            f"{printable(session.inventory.name(weak.address))} {weak.service or 'as a whole'}\n\n",
            "",
        ),
        (f"reached by, {WORDS[was]:<9} ", "dim"),
        (f"{_reach(one.before)}\n", ""),
        ("            draft     ", "dim"),
        (f"{_reach(one.after)}\n", ""),
        ("            used by   ", "dim"),
        (f"{_reach(one.users)}\n", ""),
        (f"  {some(session.vulnerabilities.who(one.vulnerability), 6)}\n\n", "dim"),
        (f"{_GLYPHS[one.advice]} {one.advice.value}", _TONES[one.advice]),
        (f"  risk {one.risk_before:.1f} → {one.risk_after:.1f}\n", ""),
    ]
    fix = f"fix: {printable(weak.fix)}\n" if weak.fix else "the scanner knows no fix\n"
    return [*parts, (fix, "dim")]


def _reach(reach: PortReach) -> str:
    return plural(reach.hosts, "host") + (" and outside" if reach.outside else "")
