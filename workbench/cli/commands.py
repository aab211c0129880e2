"""What each command does: open the session, ask it, print. One function a command."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

from workbench.cli import output, records
from workbench.cli.meter import Meter
from workbench.cli.output import Record, emit, emit_object, say
from workbench.model.errors import InputError
from workbench.model.filters import NO_FILTER, Filter
from workbench.model.policy import BOTH_SIDES, Protection, Rule, Segment, Side
from workbench.model.verdict import Class, Verdict
from workbench.session import Session

Options = argparse.Namespace


def _open(options: Options, *, create: bool = False) -> Session:
    folder: Path = options.workspace
    if not create and not folder.is_dir():
        raise InputError(
            f"{folder}: no such workspace; `workbench ingest {folder} CAPTURE` makes one"
        )
    return Session.open(folder)


def _chosen(session: Session, options: Options) -> Filter:
    return session.parse(options.where) if options.where else NO_FILTER


# ── front ends ─────────────────────────────────────────────────────────────────────────────


def demo(options: Options) -> int:
    """The demo site: the interface on a terminal, the headless walk elsewhere."""
    from workbench.cli.demo import run_demo

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return run_demo(options.keep, headless=options.headless or not terminal)


def open(options: Options) -> int:  # noqa: A001 - named as the command is
    """The terminal interface."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("`workbench open` needs a terminal; the other commands do not")
    from workbench.tui import run

    return run(options.workspace, tuple(options.captures))


# ── load ───────────────────────────────────────────────────────────────────────────────────


def ingest(options: Options) -> int:
    """Load captures; print what each held and lacked."""
    with _open(options, create=True) as session, Meter(quiet=options.quiet) as meter:
        if not session.kernel_compiled:
            say("warning: the packet kernel is not compiled; loading will be some 100 times slower")
        reports, known = session.ingest(options.paths, meter.tell, meter.cancelled)
        meter.clear()
        for path in known:
            say(f"{path}: already in the workspace, left out")
        for report in reports:
            for problem in report.problems:
                say(f"{report.path}: {problem}")
        _print_captures([records.capture_record(report) for report in reports], options.format)
    return 0


def captures(options: Options) -> int:
    """What is loaded."""
    with _open(options) as session:
        found = [records.capture_record(report) for report in session.captures()]
    _print_captures(found, options.format)
    return 0


def _print_captures(found: Sequence[Record], form: str) -> None:
    shown = (
        "id", "path", "format", "packets", "decoded", "flows",
        "first_seen", "last_seen", "skipped", "truncated_packets", "problems",
    )  # fmt: skip
    emit(found, form, columns=shown)


# ── see ────────────────────────────────────────────────────────────────────────────────────


def hosts(options: Options) -> int:
    """Hosts seen or listed."""
    shown = ("name", "address", "labels", "segments", "as_client", "as_server", "bytes", "services")
    with _open(options) as session:
        found = session.hosts(_chosen(session, options))
        emit(map(records.host_record, found), options.format, columns=shown, limit=options.limit)
    return 0


def flows(options: Options) -> int:
    """Flows, in the order asked for."""
    shown = (
        "id", "first_seen", "client", "client_port", "server", "service", "outcome", "direction",
        "packets_to_server", "packets_to_client", "bytes_to_server", "bytes_to_client",
    )  # fmt: skip
    with _open(options) as session:
        paths = {report.id: report.path for report in session.captures()}
        chosen = _chosen(session, options)
        view = session.flow_view(chosen, options.sort, options.descending)
        try:
            found = (records.flow_record(one, paths[one.capture]) for one in output.pages(view))
            emit(found, options.format, columns=shown, limit=options.limit)
        finally:
            view.close()
    return 0


CONVERSATION_COLUMNS = (
    "verdict", "class", "client_name", "server_name", "service", "flows", "bytes", "outcome",
    "direction", "first_seen", "last_seen", "rules",
)  # fmt: skip


def conversations(options: Options) -> int:
    """Conversations with their verdicts."""
    with _open(options) as session:
        rows = session.conversation_rows(_chosen(session, options), options.sort)
        found = (records.conversation_record(session, session.simulation, int(row)) for row in rows)
        emit(found, options.format, columns=CONVERSATION_COLUMNS, limit=options.limit)
    return 0


def matrix(options: Options) -> int:
    """Who talks to whom: a grid for people, cells for machines."""
    from workbench.cli.grid import matrix_grid

    with _open(options) as session:
        found = session.matrix(options.by, _chosen(session, options))
    if options.format == "table":
        output.print_grid(*matrix_grid(found, options.limit))
    else:
        emit(records.matrix_records(found), options.format, limit=options.limit)
    return 0


def dissect(options: Options) -> int:
    """The packets of one flow."""
    shown = ("number", "time", "to_server", "length", "protocol", "info")
    with _open(options) as session:
        packets = session.dissect(session.flow(options.flow), limit=options.limit)
    emit(map(records.packet_record, packets), options.format, columns=shown, limit=0)
    return 0


# ── name ───────────────────────────────────────────────────────────────────────────────────


def _pairs(texts: list[str]) -> dict[str, str | None]:
    pairs: dict[str, str | None] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"{text!r}: expected KEY=VALUE")
        pairs[key] = value or None
    return pairs


def label(options: Options) -> int:
    """Labels on hosts, saved."""
    with _open(options) as session:
        addresses = [one for text in options.hosts for one in session.addresses(text)]
        session.draft.label_hosts(addresses, _pairs(options.labels))
        return _save(session)


def name(options: Options) -> int:
    """A host's name, saved."""
    with _open(options) as session:
        [address] = session.addresses(options.address)[:1]
        session.draft.rename_host(address, options.name)
        return _save(session)


def import_hosts(options: Options) -> int:
    """Hosts from elsewhere, merged and saved."""
    with _open(options, create=True) as session:
        session.import_hosts(options.file, options.kind)
        return _save(session)


def segment(options: Options) -> int:
    """A segment defined or redefined, saved."""
    match = tuple(
        (key, tuple((value or "").split(","))) for key, value in _pairs(options.match).items()
    )
    wanted = Segment(options.name, match, tuple(options.cidr), tuple(options.excepts))
    with _open(options) as session:
        known = {segment.name for segment in session.policy.segments}
        replaces = wanted.name if wanted.name in known else None
        session.draft.put_segment(wanted, replaces=replaces)
        if options.protect:
            sides = BOTH_SIDES if options.protect == "both" else frozenset({Side(options.protect)})
            session.draft.put_protection(Protection(wanted.name, sides))
        return _save(session)


def _save(session: Session) -> int:
    changed = session.draft.changed
    session.draft.save()
    say(f"saved: {session.draft.last_edit}" if changed else "nothing to change")
    return 0


# ── draft ──────────────────────────────────────────────────────────────────────────────────


def allow(options: Options) -> int:
    """A rule added, saved."""
    try:
        expires = date.fromisoformat(options.expires) if options.expires else None
    except ValueError as error:
        raise InputError(f"--expires {options.expires}: expected YYYY-MM-DD") from error
    parts = (tuple(text.split(",")) for text in (options.clients, options.servers))
    clients, servers = parts
    services = tuple(options.services.split(","))
    with _open(options) as session:
        rule = Rule(options.id, clients, servers, services, options.reason, expires)
        session.draft.put_rule(rule)
        _tell_change(session)
        return _save(session)


def revoke(options: Options) -> int:
    """Rules removed, saved."""
    with _open(options) as session:
        for rule_id in options.rules:
            session.draft.remove_rule(rule_id)
            _tell_change(session)
        return _save(session)


def _tell_change(session: Session) -> None:
    told, change = session.last_change()
    say(f"{told}: newly allowed {change.newly_allowed}, newly blocked {change.newly_blocked}")


def suggest(options: Options) -> int:
    """Proposed rules: a policy document, or their evidence; with --accept they are saved."""
    shown = (
        "id",
        "from",
        "to",
        "services",
        "conversations",
        "flows",
        "clients",
        "servers",
        "caution",
    )
    with _open(options) as session:
        suggestion = session.suggest()
        if options.format == "yaml":
            print(session.suggestion_yaml(suggestion), end="")
        else:
            found = map(records.proposal_record, suggestion.proposals)
            emit(found, options.format, columns=shown, limit=0)
        say(f"{len(suggestion.proposals)} rules proposed")
        if options.accept is not None:
            session.draft.accept(suggestion, options.accept or None)
            return _save(session)
    return 0


# ── judge ──────────────────────────────────────────────────────────────────────────────────


def simulate(options: Options) -> int:
    """Every conversation's verdict and class, totals, coverage and rule hits."""
    if options.changed and not options.policy:
        raise InputError("--changed compares with the saved policy: it needs --policy FILE")
    with _open(options) as session:
        if options.policy:
            session.read_draft(options.policy)
        chosen = session.select(_chosen(session, options))
        if options.changed:
            changed = session.changes().rows
            keep = chosen.copy()
            keep[:] = False
            keep[changed] = chosen[changed]
            chosen = keep
        _print_simulation(session, options, chosen.nonzero()[0])
    return 0


def _print_simulation(session: Session, options: Options, rows: Iterable[int]) -> None:
    simulation = session.simulation
    head = records.simulation_head(simulation)
    found = (records.conversation_record(session, simulation, int(row)) for row in rows)
    if options.format == "json":
        emit_object({**head, "conversations": list(found)})
        return
    if options.format == "table":
        counts = simulation.totals.by_class
        say("  ".join(f"{klass.text} {counts[klass]}" for klass in Class))
        cover = simulation.coverage
        say(
            f"coverage {cover.share:.1%} of conversations ({cover.conversations} of "
            f"{cover.in_scope} in scope), {cover.bytes_share:.1%} of bytes"
        )
        for use in simulation.rules:
            if use.state != "active":
                say(f"rule {use.id}: {use.state}")
    emit(found, options.format, columns=CONVERSATION_COLUMNS, limit=options.limit)


def explain(options: Options) -> int:
    """The deciding rule, or the missing one. Exit 1 when it would be blocked or nobody can tell."""
    with _open(options) as session:
        found = session.explain(options.client, options.server, options.service)
    record = records.explanation_record(found)
    if options.format == "json":
        emit_object(record)
    else:
        emit([record], options.format) if options.format == "csv" else _print_explanation(record)
    return 0 if found.decision.verdict in (Verdict.ALLOWED, Verdict.OUT_OF_SCOPE) else 1


def _print_explanation(record: Record) -> None:
    misses = [
        f"{miss['rule']} (lacks {', '.join(miss['lacks'])})" for miss in record["near_misses"]
    ]
    for name, value in (*record.items(), ("near_misses", misses)):
        if name != "near_misses" or value is misses:
            print(f"{name.replace('_', ' '):16} {output.show(value) or '–'}")


def check(options: Options) -> int:
    """Broken guardrails (exit 1) and warnings."""
    with _open(options) as session:
        broken = session.check()
        for warning in session.warnings():
            say(f"warning: {warning}")
    emit((records.guardrail_record(one) for one in broken), options.format, limit=0)
    say("every guardrail holds" if not broken else f"{len(broken)} guardrail(s) broken")
    return 1 if broken else 0


def diff(options: Options) -> int:
    """Conversations another policy judges differently. Exit 1 when there are any."""
    with _open(options) as session:
        session.read_draft(options.other)
        changes = session.changes()
        simulation = session.simulation
        found = (
            {
                "before": Class(int(changes.before[at])).text,
                "after": Class(int(changes.after[at])).text,
                **records.conversation_record(session, simulation, int(row)),
            }
            for at, row in enumerate(changes.rows)
        )
        shown = ("before", "after", "client_name", "server_name", "service", "flows", "rules")
        emit(found, options.format, columns=shown, limit=0)
    say(f"newly allowed {changes.newly_allowed}, newly blocked {changes.newly_blocked}")
    return 1 if len(changes) else 0


# ── export ─────────────────────────────────────────────────────────────────────────────────


def export(options: Options) -> int:
    """Write the files, read them back, and say whether they mean what was simulated."""
    only = tuple(part for part in options.only.split(",") if part)
    with _open(options) as session:
        rendered = session.exports.preview(options.target, only)
        for note in rendered.notes:
            say(f"note: {note}")
        for path in session.exports.write(options.target, options.out, only):
            print(path)
        certificate, edited = session.exports.verify(options.out)
    return _judged(records.verification_record(certificate, edited), narrate=True)


def verify(options: Options) -> int:
    """Exit 1 when the files and the policy differ anywhere."""
    with _open(options) as session:
        certificate, edited = session.exports.verify(options.folder, kernel=not options.no_kernel)
    record = records.verification_record(certificate, edited)
    if options.format == "json":
        emit_object(record)
    elif options.format == "csv":
        emit(record["mismatches"], "csv")
    return _judged(record, narrate=options.format != "json")


def _judged(record: Record, *, narrate: bool) -> int:
    if narrate:
        for name in record["edited"]:
            say(f"{name}: edited since it was exported")
        for mismatch in record["mismatches"][:20]:
            say(
                f"✗ {mismatch['conversation']}: the policy says {mismatch['expected']}, "
                f"the files say {mismatch['found']}"
            )
        for one in record["checks"]:
            say(f"{one['name']}: {one['state']}{' – ' + one['detail'] if one['detail'] else ''}")
        say(
            f"{record['target']}: {'proven' if record['proven'] else 'NOT proven'}: "
            f"{record['judged']} conversations and {record['probes']} probes judged, "
            f"{len(record['mismatches'])} mismatches"
        )
    return 0 if record["proven"] else 1
