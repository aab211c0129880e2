"""What the policy would do to the recorded traffic."""

from workbench.model.report import Loss, Report, Talk
from workbench.model.text import percent, plural
from workbench.report.document import (
    Bar,
    Bars,
    Cell,
    Column,
    Commands,
    Facts,
    Kind,
    Section,
    Table,
    Text,
)
from workbench.report.where import command
from workbench.report.words import CLASSES, class_mark

_LOSSES = (
    Column("server", "server"),
    Column("service", "service"),
    Column("clients", "clients", Kind.COUNT),
    Column("traced", "traces of an intruder", Kind.COUNT),
    Column("flows", "flows", Kind.COUNT),
    Column("bytes", "bytes", Kind.BYTES),
    Column("first_seen", "first (UTC)", Kind.TIME),
    Column("last_seen", "last (UTC)", Kind.TIME),
    Column("client_names", "who", Kind.NAMES, under=True),
)
_TALKS = (
    Column("client", "client"),
    Column("server", "server"),
    Column("service", "service"),
    Column("flows", "flows", Kind.COUNT),
    Column("bytes", "bytes", Kind.BYTES),
    Column("outcome", "outcome"),
    Column("direction", "direction by"),
    Column("last_seen", "last (UTC)", Kind.TIME),
)


def effect(report: Report) -> Section:
    """Coverage and classes, then what production would feel."""
    cover = report.coverage
    covered = (
        f"{cover.conversations:,} of {plural(cover.in_scope, 'conversation')} in scope "
        f"({percent(cover.conversations, cover.in_scope)}), "
        f"{percent(cover.bytes, cover.bytes_in_scope)} of their bytes"
        if cover.in_scope
        else "nothing that was recorded is in scope"
    )
    return Section(
        "effect",
        "What it would do",
        (
            Text("The policy replayed on the recorded traffic, conversation by conversation."),
            Facts((("coverage", covered),)),
            _classes(report),
            Commands((command(report, "simulate"),)),
        ),
        (
            Section("would-block", "What production would feel", (*_blocked(report),)),
            Section("uncertain", "What cannot be judged", (*_doubtful(report),)),
        ),
    )


def _classes(report: Report) -> Bars:
    total = report.totals.conversations
    bars = []
    for klass, (tone, meaning) in CLASSES.items():
        number = report.totals.by_class[klass]
        told = f"{number:,} ({percent(number, total)}): {meaning}"
        bars.append(Bar(class_mark(klass).text, number, told, tone))
    return Bars(f"{plural(total, 'conversation')} by class", tuple(bars), max(1, total))


def _blocked(report: Report) -> tuple[Text | Table | Commands, ...]:
    table = Table(
        "would-block-list",
        "Services that somebody uses today and would lose",
        _LOSSES,
        [_loss(one) for one in report.losses],
        report.losses.more,
        empty="none: nothing that worked in the recording would be blocked",
    )
    lead = (
        "Those that most clients would miss come first, then those used most often. Traces of an "
        "intruder: clients whose use of the service is evidence of a finding of medium or high "
        "confidence that nobody has suppressed; services with nothing but such clients come last."
    )
    return (
        Text(lead),
        table,
        Commands((command(report, "simulate", "--where", "class:would-block"),)),
    )


def _loss(one: Loss) -> tuple[Cell, ...]:
    return (
        one.server,
        one.service,
        one.clients.total,
        one.traced,
        one.flows,
        one.bytes,
        one.first_us,
        one.last_us,
        one.clients,
    )


def _doubtful(report: Report) -> tuple[Text | Table | Commands, ...]:
    table = Table(
        "uncertain-list",
        "Uncertain conversations",
        _TALKS,
        [_talk(one) for one in report.uncertain],
        report.uncertain.more,
    )
    lead = (
        "The recording holds only one direction of them or begins after them, or does not show who "
        "opened them while that decides. They count as neither allowed nor blocked."
    )
    return Text(lead), table, Commands((command(report, "simulate", "--where", "class:uncertain"),))


def _talk(one: Talk) -> tuple[Cell, ...]:
    return (
        one.client,
        one.server,
        one.service,
        one.flows,
        one.bytes,
        one.outcome,
        one.direction,
        one.last_us,
    )
