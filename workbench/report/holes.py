"""Vulnerabilities by who can reach them: patch or segment."""

from collections.abc import Iterator

from workbench.model.report import Report
from workbench.model.text import plural
from workbench.model.vulnerability import Exposed, PortReach, RiskTotal
from workbench.report.document import Block, Cell, Column, Commands, Kind, Section, Table, Text
from workbench.report.where import command

_EXPOSED = (
    Column("risk_after", "risk now", Kind.SCORE),
    Column("risk_before", "no policy", Kind.SCORE),
    Column("advice", "advice"),
    Column("host", "host"),
    Column("service", "service"),
    Column("severity", "severity"),
    Column("title", "vulnerability"),
    Column("reach_after", "reached by", Kind.COUNT),
    Column("outside_after", "outside"),
    Column("id", "scanner id", Kind.CODE),
    Column("fix", "what mends it", under=True),
)
_HOSTS = (
    Column("name", "host"),
    Column("risk_after", "risk, this policy", Kind.SCORE),
    Column("risk_before", "risk, no policy", Kind.SCORE),
    Column("findings", "vulnerabilities", Kind.COUNT),
    Column("worst", "worst score", Kind.SCORE),
    Column("reach_after", "reached by at most", Kind.COUNT),
)


def holes(report: Report) -> Section:
    """Ranked, or that nothing was imported."""
    return Section("vulnerabilities", "Patch or segment", (*_blocks(report),))


def _blocks(report: Report) -> Iterator[Block]:
    found = report.vulnerabilities
    if not found.sources:
        yield Text("No scanner results were imported: this report knows of no vulnerability.")
        yield Commands((command(report, "vulnerabilities", "--import", "FILE"),))
    else:
        yield Text(_sources(report))
    rows = [_exposed(host, one) for host, one in found.exposed]
    title = plural(found.exposed.total, "vulnerability") + ", greatest risk first"
    yield Table("vulnerabilities-list", title, _EXPOSED, rows, found.exposed.more)
    hosts = [_total(one) for one in found.hosts]
    yield Table("vulnerable-hosts", "Hosts", _HOSTS, hosts, found.hosts.more)
    if found.sources:
        listed = command(report, "vulnerabilities", "--least", "low")
        yield Commands((listed, command(report, "vulnerabilities", "--by", "host")))


def _sources(report: Report) -> str:
    told = ", ".join(
        f"{source} ({scanner}, {number:,})"
        for source, scanner, number in report.vulnerabilities.sources
    )
    return (
        f"From {told}. Risk is the scanner's score times the share of machines that can reach the "
        "place, half of it for the outside. Information without a weakness is left out."
    )


def _exposed(host: str, one: Exposed) -> tuple[Cell, ...]:
    told = one.vulnerability
    return (
        round(one.risk_after, 2),
        round(one.risk_before, 2),
        one.advice.value,
        host,
        told.service or "the host",
        told.severity.text,
        told.title,
        one.after.hosts,
        _outside(one.after),
        told.id,
        told.fix or None,
    )


def _outside(reach: PortReach) -> str:
    return "yes" if reach.outside else "no"


def _total(one: RiskTotal) -> tuple[Cell, ...]:
    return (
        one.name,
        round(one.risk_after, 2),
        round(one.risk_before, 2),
        one.findings,
        one.worst,
        one.reach_after,
    )
