"""The policy itself: what it protects, its rules with reasons and evidence, its limits."""

from workbench.model.policy import in_force
from workbench.model.report import Report, RuleFacts
from workbench.report.document import (
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

_ENDS = (
    Column("from", "from", Kind.NAMES),
    Column("to", "to", Kind.NAMES),
    Column("services", "services", Kind.NAMES),
)
_RULES = (
    Column("id", "rule"),
    *_ENDS,
    Column("hits", "seen", Kind.COUNT),
    Column("sole_hits", "only by it", Kind.COUNT),
    Column("flags", "flags", Kind.MARK),
    Column("reason", "reason", under=True),
    Column("expires", "expires", Kind.DAY, under=True),
    Column("clients", "clients", Kind.COUNT, under=True),
    Column("servers", "servers", Kind.COUNT, under=True),
    Column("first_seen", "first (UTC)", Kind.TIME, under=True),
    Column("last_seen", "last (UTC)", Kind.TIME, under=True),
)
_SEGMENTS = (
    Column("name", "segment"),
    Column("protected", "protected", Kind.MARK),
    Column("hosts", "hosts", Kind.COUNT),
    Column("definition", "hosts with, or in"),
)
_SERVICES = (Column("name", "service"), Column("services", "ports", Kind.NAMES))
_GUARDRAILS = (
    Column("id", "guardrail"),
    Column("assertion", "must"),
    *_ENDS,
    Column("state", "state", Kind.MARK),
    Column("reason", "reason", under=True),
    Column("witness", "broken by", under=True),
)
_EXCLUSIONS = (
    Column("id", "exclusion"),
    *_ENDS,
    Column("expires", "expires", Kind.DAY),
    Column("state", "state", Kind.MARK),
    Column("reason", "reason", under=True),
)
HOLDS = Mark("✓", "holds", Tone.GOOD)
BROKEN = Mark("!", "broken", Tone.BAD)
IN_FORCE = Mark("✓", "in force", Tone.GOOD)
OVER = Mark("!", "over", Tone.CARE)
MOST_WARNINGS = 60


def drafted(report: Report) -> Section:
    """The policy, entry by entry: nothing in it is left out."""
    return Section(
        "policy",
        "The policy",
        (
            Text(
                "An allow-list: what no rule allows is blocked, where the client's outgoing or the "
                "server's incoming traffic is protected. A rule is one-way, from clients to "
                "servers; answers come with it. Order does not matter."
            ),
        ),
        (
            Section("protection", "Segments and protection", (_segments(report),)),
            Section("rules", "Rules, with reason and evidence", _rules(report)),
            Section("guardrails", "Guardrails", _guardrails(report)),
            Section("exclusions", "Exclusions", (_exclusions(report),)),
            Section("services", "Named services", (_services(report),)),
            Section("warnings", "What a careful reader would ask", _warnings(report)),
        ),
    )


def _segments(report: Report) -> Table:
    rows = [
        (one.name, _shield(one.protected), one.hosts, one.definition) for one in report.segments
    ]
    return Table("segments", "Segments", _SEGMENTS, rows, empty="the policy has no segments")


def _shield(protected: str) -> Mark:
    return Mark("✓", protected, Tone.GOOD) if protected else Mark("–", "no")


def _rules(report: Report) -> tuple[Block, ...]:
    return (
        Text(
            "Seen: conversations of the recording that the rule allows. Only by it: those that no "
            "other rule allows, so what breaks without it. Broad: any client, server or service. "
            "Unused: nothing in the recording needed it, which does not say that nothing ever will."
        ),
        Table(
            "rules-list",
            "Rules",
            _RULES,
            [_rule(one) for one in report.rules],
            empty="the policy has no rules: everything in scope is blocked",
        ),
        Commands(
            (command(report, "simulate", "--format", "json"), command(report, "check")),
        ),
    )


def _rule(one: RuleFacts) -> tuple[Cell, ...]:
    rule, use = one.rule, one.use
    return (
        rule.id,
        rule.clients,
        rule.servers,
        rule.services,
        use.hits,
        use.sole_hits,
        Mark("!", ", ".join(one.flags), Tone.CARE) if one.flags else None,
        rule.reason or "none given",
        rule.expires,
        one.clients or None,
        one.servers or None,
        one.first_us,
        use.last_us,
    )


def _guardrails(report: Report) -> tuple[Block, ...]:
    broken = {one.id: one for one in report.broken}
    rows = []
    for one in report.policy.guardrails:
        found = broken.get(one.id)
        witness = f"{found.witness}: {found.because}" if found else None
        state = BROKEN if found else HOLDS
        ends = (one.clients, one.servers, one.services)
        rows.append((one.id, one.assertion.value, *ends, state, one.reason or None, witness))
    table = Table(
        "guardrails-list",
        "Guardrails",
        _GUARDRAILS,
        rows,
        empty="there are none: nothing is forbidden, or required, for good",
    )
    lead = "They hold or break by the rules alone, for traffic that was never seen too."
    return Text(lead), table, Commands((command(report, "check"),))


def _exclusions(report: Report) -> Table:
    rows = [
        (
            one.id,
            one.clients,
            one.servers,
            one.services,
            one.expires,
            IN_FORCE if in_force(one, report.on) else OVER,
            one.reason or "none given",
        )
        for one in report.policy.exclusions
    ]
    return Table(
        "exclusions-list",
        "Traffic that is neither learnt from nor judged",
        _EXCLUSIONS,
        rows,
        empty="there are none: all recorded traffic counts",
    )


def _services(report: Report) -> Table:
    rows = [(one.name, one.services) for one in report.policy.services]
    return Table("services-list", "Services", _SERVICES, rows)


def _warnings(report: Report) -> tuple[Block, ...]:
    rows = [(text,) for text in report.warnings]
    return (
        Table(
            "warnings-list", "Warnings", (Column("warning", "warning"),), rows, page=MOST_WARNINGS
        ),
        Commands((command(report, "check"),)),
    )
