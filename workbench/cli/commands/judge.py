"""What the policy says about the recorded traffic."""

import numpy as np
from numpy.typing import NDArray

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, chosen, in_words, open_session
from workbench.cli.commands.see import CONVERSATION_COLUMNS
from workbench.cli.output import emit, emit_object, first
from workbench.cli.table import Record, say, say_few, show
from workbench.model.errors import InputError
from workbench.model.text import percent, plural
from workbench.model.verdict import Class, Coverage, Verdict
from workbench.session import Session

IN_JSON = "; --format json tells all"


def simulate(options: Options) -> int:
    """Every conversation's verdict and class, totals, coverage and rule hits."""
    if options.changed and not options.policy:
        raise InputError("--changed compares with the saved policy: it needs --policy FILE")
    with open_session(options) as session:
        if options.policy:
            session.read_draft(options.policy)
        wanted = session.select(chosen(session, options))
        changed = session.changes().rows if options.changed else slice(None)
        rows = np.arange(len(wanted))[changed]
        _print_simulation(session, options, rows[wanted[rows]])
    return 0


def _print_simulation(session: Session, options: Options, rows: NDArray[np.int64]) -> None:
    simulation = session.simulation
    if options.format == "table":  # what production would feel comes first
        order = np.array([Class.WOULD_BLOCK, Class.UNCERTAIN, Class.REJECTED, Class.MISDROPPED,
                          Class.PERMITTED, Class.EXCLUDED, Class.OUT_OF_SCOPE])  # fmt: skip
        rank = np.zeros(len(Class) + 1, dtype=np.int64)
        rank[order] = np.arange(len(order))
        rows = rows[np.lexsort((-simulation.table["bytes"][rows], rank[simulation.classes[rows]]))]
    if options.format == "json":
        head = records.simulation_head(simulation)
        some = first(rows.tolist(), options.limit)
        told = [records.conversation_record(session, simulation, row) for row in some]
        emit_object({**head, "conversations": told})
        return
    found = (records.conversation_record(session, simulation, int(row)) for row in rows)
    if options.format == "table":
        counts = simulation.totals.by_class
        say("  ".join(f"{klass.text} {counts[klass]:,}" for klass in Class))
        say(_coverage_line(simulation.coverage))
        idle = (one for one in simulation.rules if one.state != "active")
        say_few(((f"rules: {one.state}", f"rule {one.id}: {one.state}") for one in idle), IN_JSON)
    emit(
        found,
        options.format,
        heads.CONVERSATION,
        columns=CONVERSATION_COLUMNS,
        limit=options.limit,
        total=len(rows),
    )


def _coverage_line(cover: Coverage) -> str:
    if not cover.in_scope:
        return "nothing is in scope: no protected segment has traffic of its own"
    return (
        f"coverage {percent(cover.share, 1)} of conversations ({cover.conversations:,} of "
        f"{cover.in_scope:,} in scope), {percent(cover.bytes_share, 1)} of bytes"
    )


def explain(options: Options) -> int:
    """The deciding rule, or the missing one. Exit 1 when it would be blocked or nobody can tell."""
    with open_session(options) as session:
        found = session.explain(options.client, options.server, options.service)
    record = records.explanation_record(found)
    if options.format == "json":
        emit_object(record)
    elif options.format == "csv":
        emit([record], "csv", heads.EXPLANATION)
    else:
        _print_explanation(record)
    return 0 if found.decision.verdict in (Verdict.ALLOWED, Verdict.OUT_OF_SCOPE) else 1


def _print_explanation(record: Record) -> None:
    for name, value in record.items():
        if name != "near_misses":
            print(f"{name.replace('_', ' '):16} {show(value) or '–'}")
    for miss in record["near_misses"]:
        print(f"{'nearly':16} {miss['rule']}, but for {show(miss['lacks'])}")


def check(options: Options) -> int:
    """Broken guardrails (exit 1) and warnings."""
    with open_session(options) as session:
        broken = session.check()
        warnings = [(one.kind, f"warning: {one.text}") for one in session.warnings()]
        if options.format == "table":
            say_few(warnings, IN_JSON)
        else:
            for _, line in warnings:
                say(line)
        holding = "every guardrail holds" if session.policy.guardrails else "there is no guardrail"
    if broken or options.format != "table":
        told = map(records.guardrail_record, broken)
        emit(told, options.format, heads.GUARDRAIL, limit=0)
    say(f"{plural(len(broken), 'guardrail')} broken" if broken else holding)
    return 1 if broken else 0


def diff(options: Options) -> int:
    """Conversations another policy judges differently. Exit 1 when there are any."""
    with open_session(options) as session:
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
        emit(found, options.format, heads.CHANGE, columns=shown, limit=0)
    say(in_words(changes))
    return 1 if len(changes) else 0
