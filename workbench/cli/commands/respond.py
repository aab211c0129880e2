"""Answers to a finding, tried out before they are made; and an intrusion replayed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, moment, open_findings, save
from workbench.cli.commands.see import CONVERSATION_COLUMNS
from workbench.cli.meter import Meter
from workbench.cli.output import NOTHING, emit, emit_object
from workbench.cli.records import Record
from workbench.cli.replayed import STEP_COLUMNS, folded, replayed_record, step_records
from workbench.cli.table import print_table, say
from workbench.model.errors import InputError
from workbench.model.finding import Finding, named
from workbench.model.packets import printable
from workbench.model.policy import ANY
from workbench.model.response import Answer, Replayed, Without
from workbench.model.text import plural

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.session.response import Answered


def respond(options: Options) -> int:
    """The edit as a diff, and its effect; nothing is changed without --save.

    Exit 1: it would not have stopped the finding, or a guardrail is broken.
    """
    _check(options)
    with open_findings(options) as session, Meter() as meter:
        found = _found(session, options, meter)
        finding = _known([options.finding], found)[0]
        answered = _answered(session, options, finding, found, meter)
        meter.clear()
        diff = session.response.diff(answered)
        if options.format == "json":
            emit_object(_answer_record(session, finding, answered, diff))
        elif options.format == "csv":
            emit(_lost(session, answered), "csv", heads.LOST)
        else:
            _print_answer(session, answered, diff)
        if options.save and answered.changed:
            session.response.take(answered)
            save(session)
        elif answered.changed:
            say("nothing is saved; --save makes the edit")
    kept = answered.edit.answer is Answer.GUARDRAIL or answered.after.stopped
    return 0 if kept and not (answered.broken or answered.unmet) else 1


def _check(options: Options) -> None:
    """Options that would be passed over are mistakes."""
    for given, answer, name in (
        (options.wide, Answer.GUARDRAIL, "--wide"),
        (options.without != "exact", Answer.NARROW, "--without"),
        (options.keep, Answer.NARROW, "--keep"),
        (options.admins or options.services, Answer.QUARANTINE, "--admin and --services"),
        (options.host, Answer.QUARANTINE, "--host"),
    ):
        if given and options.answer != answer:
            raise InputError(f"{name}: only with --{answer}")


def _found(session: "Session", options: Options, meter: Meter) -> tuple[Finding, ...]:
    if options.draft:
        session.read_draft(options.draft)
    return session.findings.find(
        baseline=moment(options.baseline),
        against=options.against,
        progress=meter.tell,
        cancelled=meter.cancelled,
    )


def _known(ids: Sequence[str], found: Sequence[Finding]) -> tuple[Finding, ...]:
    known = []
    for wanted in ids:
        finding = named(found, wanted)
        if finding is None:
            raise InputError(f"no finding {wanted!r}; `workbench findings` lists them")
        known.append(finding)
    return tuple(dict.fromkeys(known))


def _answered(
    session: "Session",
    options: Options,
    finding: Finding,
    found: Sequence[Finding],
    meter: Meter,
) -> "Answered":
    response, stop = session.response, meter.cancelled
    if options.answer == Answer.GUARDRAIL:
        return response.guardrail(finding, wide=options.wide, among=found, cancelled=stop)
    if options.answer == Answer.NARROW:
        without = Without(options.without)
        return response.narrow(finding, without, keep=options.keep, among=found, cancelled=stop)
    host = session.addresses(options.host)[0] if options.host else None
    services = options.services or (ANY,)
    return response.quarantine(
        finding, options.admins, services, host=host, among=found, cancelled=stop
    )


def _print_answer(session: "Session", answered: "Answered", diff: str) -> None:
    for line in diff.splitlines():
        print(printable(line, 4000))
    cost = answered.cost
    for note in answered.edit.notes:
        say(note)
    say(f"now: {answered.before.text}; then: {answered.after.text}")
    if cost.blocked:
        say(cost.text)
    for one in answered.broken:
        say(f"guardrail {one.id} is broken: {one.witness} ({one.because})")
    for one in answered.unmet:
        say(f"guardrail {one.id} does not hold yet: {one.witness} ({one.because})")
    if not cost.rows and not cost.doubtful:
        say("nothing else that was recorded would break")
        return
    doubt = f"; cannot tell for {len(cost.doubtful):,} more" if cost.doubtful else ""
    say(
        f"would break {plural(len(cost.rows), 'other conversation')} "
        f"({plural(cost.flows, 'flow')}, {plural(len(cost.hosts), 'host')}){doubt}"
    )
    shown = ("effect", *CONVERSATION_COLUMNS)
    emit(_lost(session, answered), "table", heads.LOST, columns=shown)


def _lost(session: "Session", answered: "Answered") -> list[Record]:
    """What else would break; and that of which nobody can tell whether it works."""
    simulation = session.try_policy(answered.edit.policy)
    told = [(row, "breaks") for row in answered.cost.rows]
    told += [(row, "cannot tell") for row in answered.cost.doubtful]
    return [
        {"effect": effect, **records.conversation_record(session, simulation, row)}
        for row, effect in told
    ]


def _answer_record(session: "Session", finding: Finding, answered: "Answered", diff: str) -> Record:
    lost = _lost(session, answered)
    return {
        "finding": finding.id,
        "answer": answered.edit.answer.value,
        "label": answered.edit.label,
        "changed": answered.changed,
        "notes": list(answered.edit.notes),
        "diff": diff,
        "before": replayed_record(session, answered.before),
        "after": replayed_record(session, answered.after),
        "newly_blocked": {
            "conversations": answered.cost.blocked,
            "of_the_intrusion": answered.cost.intrusion,
            "failed": answered.cost.failed,
        },
        "breaks": [one for one in lost if one["effect"] == "breaks"],
        "cannot_tell": [one for one in lost if one["effect"] != "breaks"],
        "broken": list(map(records.guardrail_record, (*answered.broken, *answered.unmet))),
    }


# ── replay ─────────────────────────────────────────────────────────────────────────────────


def replay(options: Options) -> int:
    """Each step and what becomes of it. Exit 1 when the intrusion is not stopped."""
    with open_findings(options) as session, Meter() as meter:
        found = _found(session, options, meter)
        chosen = _chosen(session, options, found)
        if not chosen:
            raise InputError("no finding of high confidence; --findings or --host names others")
        before = moment(options.before)
        if before is not None:
            session.findings.check_baseline(before)
        else:
            before = min(one.first_us for one in chosen)
        policy = session.response.policy(options.policy, before_us=before)
        name = str(options.draft) if options.draft and options.policy == "draft" else options.policy
        replayed = session.response.replay(chosen, policy, name, cancelled=meter.cancelled)
        meter.clear()
        if options.format == "json":
            emit_object(replayed_record(session, replayed))
        elif options.format == "csv" or options.every:
            steps = step_records(session, replayed)
            emit(steps, options.format, heads.STEP, columns=STEP_COLUMNS, limit=0)
        else:
            _print_folded(session, replayed)
        if options.format == "table":
            _say_hops(session, replayed)
    return 0 if replayed.stopped else 1


def _chosen(session: "Session", options: Options, found: Sequence[Finding]) -> tuple[Finding, ...]:
    if options.before and options.policy != "baseline":
        raise InputError("--before: only with --policy baseline")
    if options.draft and options.policy != "draft":
        raise InputError("--draft: only with --policy draft")
    if options.findings:
        return _known(options.findings, found)
    if not options.host:
        return session.response.intrusion(found)
    story = [
        one
        for host in session.addresses(options.host)
        for one in session.findings.story(host, found)
    ]
    return tuple(dict.fromkeys(story))


def _print_folded(session: "Session", replayed: Replayed) -> None:
    rows = folded(session, replayed)
    print_table(rows, (), NOTHING)
    if len(rows) < len(replayed.steps):
        say(f"{len(replayed.steps):,} steps, those alike in one line; --every shows each")


def _say_hops(session: "Session", replayed: Replayed) -> None:
    name = session.inventory.name
    for hop in replayed.hops:
        say(f"hop {hop.number}: {name(hop.client)} → {name(hop.server)} {hop.fate} ({hop.because})")
    say(f"{replayed.policy}: {replayed.text}")
