"""What scanners found, and who can reach it."""

from typing import TYPE_CHECKING

from workbench.cli import heads
from workbench.cli.commands.opening import Options, open_session
from workbench.cli.meter import Meter
from workbench.cli.output import NOTHING, emit, shown_time
from workbench.cli.table import Record, say
from workbench.model.errors import InputError
from workbench.model.exposure import Scenario
from workbench.model.net import format_address
from workbench.model.text import plural
from workbench.model.vulnerability import Exposed, ImportReport, RiskTotal, Severity

if TYPE_CHECKING:
    from workbench.session import Session

SHOWN = (
    "risk_after", "risk_before", "advice", "severity", "host", "service", "title", "reach_after",
    "outside_after", "reach_before", "users", "score", "fix", "address", "id", "source",
)  # fmt: skip
TOTALS = (
    "name", "risk_after", "risk_before", "findings", "worst", "reach_after", "outside_after",
    "reach_before", "advice",
)  # fmt: skip
UNKNOWN_SHOWN = 10


def vulnerabilities(options: Options) -> int:
    """Reports taken in or forgotten, and then what is to be patched or segmented first."""
    least, before = Severity[options.least.upper()], Scenario(options.before)
    if not options.reports and (options.hosts or options.replace):
        raise InputError("--host and --replace say how reports are taken in: name one (--import)")
    with open_session(options) as session:
        if options.draft:
            session.read_draft(options.draft)
        if options.forget is not None:
            count = session.vulnerabilities.forget(options.forget)
            say(f"{options.forget}: {plural(count, 'finding')} forgotten")
        if options.reports:
            _import(session, options, least)
        kept = session.vulnerabilities
        nothing = (
            NOTHING if kept.found() else "no scanner results here yet; --import FILE brings some"
        )
        if options.by:
            totals = list(map(_total_record, kept.totals(options.by, before, least)))
            emit(
                totals,
                options.format,
                heads.RISK,
                columns=TOTALS,
                limit=options.limit,
                nothing=nothing,
            )
        else:
            found = [one for one in kept.exposed(before) if one.vulnerability.severity >= least]
            told = (_exposed_record(session, one) for one in found)
            emit(
                told,
                options.format,
                heads.VULNERABILITY,
                columns=SHOWN,
                limit=options.limit,
                total=len(found),
                nothing=nothing,
            )
    return 0


def _import(session: "Session", options: Options, least: Severity) -> None:
    with Meter() as meter:
        reports = session.vulnerabilities.import_reports(
            options.reports,
            hosts=options.hosts,
            least=least,
            replace=options.replace,
            progress=meter.tell,
            cancelled=meter.cancelled,
        )
    for report in reports:
        _say_report(report)


def _say_report(report: ImportReport) -> None:
    findings, hosts = plural(report.findings, "finding"), plural(report.hosts, "host")
    say(f"{report.path}: {report.scanner}, {findings} on {hosts}")
    for why, count in report.left_out:
        say(f"{report.path}: {count:,} left out: {why}")
    for name, count in report.unknown[:UNKNOWN_SHOWN]:
        say(f"  {name}: {count:,}")
    if len(report.unknown) > UNKNOWN_SHOWN:
        say(f"  … {plural(len(report.unknown) - UNKNOWN_SHOWN, 'more name')}")


def _exposed_record(session: "Session", one: Exposed) -> Record:
    """One vulnerability with its risk."""
    told = one.vulnerability
    return {
        "risk_before": round(one.risk_before, 2),
        "risk_after": round(one.risk_after, 2),
        "advice": one.advice.value,
        "host": session.inventory.name(told.address),
        "address": format_address(told.address),
        "service": told.service or None,
        "severity": told.severity.text,
        "score": told.score,
        "title": told.title,
        "id": told.id,
        "cves": list(told.cves),
        "fix": told.fix,
        "reach_before": one.before.hosts,
        "outside_before": one.before.outside,
        "reach_after": one.after.hosts,
        "outside_after": one.after.outside,
        "users": one.users.hosts,
        "outside_users": one.users.outside,
        "scanner": told.scanner,
        "source": told.source,
        "seen": shown_time(told.seen_us),
    }


def _total_record(total: RiskTotal) -> Record:
    """The risks of a host, segment or service together."""
    return {
        "name": total.name,
        "risk_before": round(total.risk_before, 2),
        "risk_after": round(total.risk_after, 2),
        "findings": total.findings,
        "worst": total.worst,
        "reach_before": total.reach_before,
        "outside_before": total.outside_before,
        "reach_after": total.reach_after,
        "outside_after": total.outside_after,
        "advice": {advice.value: count for advice, count in total.advice},
    }
