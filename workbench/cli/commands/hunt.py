"""What looks like an intruder at work."""

from typing import TYPE_CHECKING

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, moment, open_findings
from workbench.cli.meter import Meter
from workbench.cli.output import emit, pages
from workbench.cli.table import say
from workbench.model.days import last_day
from workbench.model.errors import InputError
from workbench.model.finding import Finding, Level, named
from workbench.model.text import plural

if TYPE_CHECKING:
    from workbench.session import Session

COLUMNS = (
    "id", "first_seen", "technique", "confidence", "impact", "host_name", "title", "why",
    "suppressed", "peer_names", "last_seen", "stage", "unseen",
)  # fmt: skip
FLOW_COLUMNS = (
    "id", "first_seen", "client_name", "server_name", "service", "outcome", "bytes_to_server",
    "bytes_to_client", "client_port",
)  # fmt: skip


def findings(options: Options) -> int:
    """Find, in order of time; or suppress one, or show its flows."""
    _check(options)
    with open_findings(options) as session, Meter() as meter:
        found = session.findings.find(
            baseline=moment(options.baseline),
            against=options.against,
            progress=meter.tell,
            cancelled=meter.cancelled,
        )
        if options.lift:
            return _lift(session, options.lift, found)
        if options.suppress:
            return _suppress(session, options, found)
        if options.evidence:
            return _evidence(session, options, found)
        chosen = _chosen(session, options, found)
        told = (records.finding_record(session, one) for one in chosen)
        why_none = _why_none(session, options, len(found))
        emit(
            told,
            options.format,
            heads.FINDING,
            columns=COLUMNS,
            total=len(chosen),
            nothing=why_none,
        )
    return 0


def _check(options: Options) -> None:
    """Options that would be passed over are mistakes."""
    if (options.reason or options.until) and not options.suppress:
        raise InputError("--reason and --until: only with --suppress")
    one = options.evidence or options.suppress or options.lift
    if one and (options.technique or options.host or options.min_confidence):
        raise InputError(
            "--technique, --host and --min-confidence choose among findings: "
            "not with --evidence, --suppress or --lift, which name one"
        )


def _why_none(session: "Session", options: Options, found: int) -> str:
    """What to do where a table would be empty."""
    if not session.captures():
        return f"no traffic yet: `workbench ingest {options.workspace} CAPTURE` loads some"
    if found:
        return f"none of {plural(found, 'finding')} is like that: ask for less"
    return (
        "nothing that looks like an intruder; "
        "--baseline TIME or --against CAPTURE compares with what is normal"
    )


def _lift(session: "Session", name: str, found: tuple[Finding, ...]) -> int:
    finding = named(found, name)
    session.findings.lift(finding.id if finding else name)
    say(f"finding {name} is no longer suppressed")
    return 0


def _suppress(session: "Session", options: Options, found: tuple[Finding, ...]) -> int:
    until = last_day(options.until, session.findings.today)
    finding = named(found, options.suppress)
    name = finding.id if finding else options.suppress
    session.findings.suppress(name, options.reason, until)
    what = "it is still shown, as such" if finding else "but there is no such finding now"
    say(f"finding {name} is suppressed; {what}")
    return 0


def _evidence(session: "Session", options: Options, found: tuple[Finding, ...]) -> int:
    finding = named(found, options.evidence)
    if finding is None:
        raise InputError(f"no finding {options.evidence!r}; `workbench findings` lists them")
    with session.findings.flows_of(finding) as view:
        flows = (records.flow_record(session, one) for one in pages(view))
        emit(flows, options.format, heads.FLOW, columns=FLOW_COLUMNS, total=view.total)
    return 0


def _chosen(
    session: "Session", options: Options, found: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    least = Level[(options.min_confidence or "low").upper()]
    chosen = tuple(one for one in found if one.confidence >= least)
    if options.technique:
        wanted = options.technique.upper()
        chosen = tuple(
            one
            for one in chosen
            if one.technique == wanted or one.technique.startswith(f"{wanted}.")
        )
    if options.host:
        story = {
            one
            for address in session.addresses(options.host)
            for one in session.findings.story(address, chosen)
        }
        chosen = tuple(one for one in chosen if one in story)
    return chosen
