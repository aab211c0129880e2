"""What a finding covers, an intrusion replayed under a policy, and what an edit would cost."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench.model.errors import Cancelled, InputError
from workbench.model.finding import Evidence, Finding, Stage
from workbench.model.net import service_text
from workbench.model.policy import ResolvedPolicy
from workbench.model.response import Cost, Covered, Fate, Hop, Replayed, Step
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable, Outcome, Stop
from workbench.model.verdict import Class, Decision, Verdict, not_policy

MOST_PARTS = 40
"""So many guardrails, or pieces of a rule, can still be read."""
Decide = Callable[[ResolvedPolicy, Conversation], Decision]


# ── what a finding covers ──────────────────────────────────────────────────────────────────


def covered(
    finding: Finding, among: Sequence[Finding], table: ConversationTable, inventory: Inventory
) -> tuple[tuple[Covered, ...], int]:
    """The finding's conversations, machine by machine, and how many were left out.

    Left out is what no policy judges, and what the same machines did on the same service before
    any finding (`among`) speaks of it: that is how they work. Raises InputError when nothing is
    left, or when it takes more than MOST_PARTS parts to say.
    """
    begun = _begun((finding, *among), inventory)
    usual = _first_seen(finding, table, inventory)
    wanted: dict[tuple[tuple[int, ...], tuple[int, ...]], set[tuple[int, int]]] = defaultdict(set)
    left_out = 0
    for one in finding.evidence:
        key = _key(one, inventory)
        if not_policy(one.client, one.server, one.protocol, one.port) or (
            key in usual and usual[key] < begun[key]
        ):
            left_out += 1
        else:
            wanted[key[0], key[1]].add(key[2])
    if not wanted:
        raise InputError(
            f"finding {finding.id}: no policy judges its traffic (link-local, multicast …), or it "
            "went on before the finding"
        )
    return _parts(wanted), left_out


Key = tuple[tuple[int, ...], tuple[int, ...], tuple[int, int]]
"""Client machine, server machine, service."""


def _key(one: Evidence, inventory: Inventory) -> Key:
    ends = inventory.machine(one.client), inventory.machine(one.server)
    return *ends, (one.protocol, one.port)


def _begun(found: Iterable[Finding], inventory: Inventory) -> dict[Key, int]:
    """When the first finding that speaks of it began."""
    begun: dict[Key, int] = {}
    for finding in found:
        for one in finding.evidence:
            key = _key(one, inventory)
            begun[key] = min(finding.first_us, begun.get(key, finding.first_us))
    return begun


def _first_seen(finding: Finding, table: ConversationTable, inventory: Inventory) -> dict[Key, int]:
    """When the finding's clients first used anything."""
    clients = {a for one in finding.evidence for a in inventory.machine(one.client)}
    seen: dict[Key, int] = {}
    first_us = table["first_us"]
    for one, row in rows_of(table, clients).items():
        key, first = _key(one, inventory), int(first_us[row])
        seen[key] = min(first, seen.get(key, first))
    return seen


def rows_of(table: ConversationTable, clients: Iterable[int]) -> dict[Evidence, int]:
    """Every conversation of some clients (addresses), and its row."""
    hosts = table.hosts
    numbers = [hosts.index[one] for one in clients if one in hosts.index]
    rows = np.flatnonzero(np.isin(table["client"], numbers))
    columns = (table[name][rows].tolist() for name in ("client", "server", "protocol", "port"))
    return {
        Evidence(hosts.addresses[client], hosts.addresses[server], protocol, port): row
        for row, client, server, protocol, port in zip(rows.tolist(), *columns, strict=True)
    }


def rows_within(parts: Iterable[Covered], table: ConversationTable) -> NDArray[np.int64]:
    """The rows that the parts cover."""
    found: set[int] = set()
    for part in parts:
        servers, services = frozenset(part.servers), frozenset(part.services)
        found |= {
            row
            for one, row in rows_of(table, part.clients).items()
            if one.server in servers and (one.protocol, one.port) in services
        }
    return np.array(sorted(found), np.int64)


def _parts(
    wanted: Mapping[tuple[tuple[int, ...], tuple[int, ...]], set[tuple[int, int]]],
) -> tuple[Covered, ...]:
    """Exactly these, in few boxes: servers with the same services together, or services with the
    same servers, whichever takes fewer."""
    by_services: dict[tuple[tuple[int, ...], frozenset[tuple[int, int]]], set[int]]
    by_services = defaultdict(set)
    servers_of: dict[tuple[tuple[int, ...], tuple[int, int]], set[int]] = defaultdict(set)
    for (client, server), services in wanted.items():
        by_services[client, frozenset(services)] |= set(server)
        for service in services:
            servers_of[client, service] |= set(server)
    by_servers: dict[tuple[tuple[int, ...], frozenset[int]], set[tuple[int, int]]]
    by_servers = defaultdict(set)
    for (client, service), servers in servers_of.items():
        by_servers[client, frozenset(servers)].add(service)
    first = [Covered(c, tuple(sorted(s)), tuple(sorted(v))) for (c, v), s in by_services.items()]
    second = [Covered(c, tuple(sorted(s)), tuple(sorted(v))) for (c, s), v in by_servers.items()]
    parts = min((first, second), key=len)
    if len(parts) > MOST_PARTS:
        raise InputError(
            f"it takes {len(parts)} parts to say what the finding covers, more than anybody reads; "
            "quarantine the host instead"
        )
    return tuple(parts)


# ── replay ─────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Moment:
    """A conversation of one or more findings of a stage, and when it began in their time."""

    time_us: int
    conversation: Evidence
    findings: tuple[Finding, ...]
    row: int | None
    """Of the table; None for one that is not there any more."""

    @property
    def stage(self) -> Stage:
        return self.findings[0].stage


def replay(
    moments: Iterable[Moment],
    table: ConversationTable,
    policy: ResolvedPolicy,
    inventory: Inventory,
    name: str,
    *,
    decide: Decide,
    cancelled: Stop = None,
) -> Replayed:
    """Judge an intrusion step by step.

    A machine is *reached* when the intrusion starts there (it acts before anything in the replay
    moved to it), or when a step of movement to it got through from a machine that was reached.
    Steps from other machines are not reached: under this policy nobody would have been there to
    take them. Raises Cancelled.
    """
    steps: list[Step] = []
    numbers: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    moved_to: set[tuple[int, ...]] = set()
    reached: set[tuple[int, ...]] = set()
    for moment in sorted(moments, key=lambda one: (one.time_us, one.conversation, one.stage)):
        if cancelled and cancelled():
            raise Cancelled("stopped")
        one = moment.conversation
        client, server = inventory.machine(one.client), inventory.machine(one.server)
        conversation = _conversation(table, moment)
        if client not in moved_to:
            reached.add(client)
        fate, rules, because = _judged(policy, conversation, decide)
        if client not in reached:
            fate, rules = Fate.NOT_REACHED, ()
            because = f"nobody got to {inventory.name(one.client)}"
        hop = None
        if moment.stage is Stage.MOVEMENT and client != server and _worked(conversation):
            hop = numbers.setdefault((client, server), len(numbers) + 1)
            moved_to.add(server)
            if fate.through:
                reached.add(server)
        first = moment.findings[0]
        ids = tuple(dict.fromkeys(finding.id for finding in moment.findings))
        steps.append(
            Step(
                len(steps) + 1, moment.time_us, one, moment.stage, first.technique, first.title,
                ids, hop, fate, rules, because,
            )
        )  # fmt: skip
    return Replayed(name, tuple(steps), _hops(steps))


def _conversation(table: ConversationTable, moment: Moment) -> Conversation:
    """As it was seen; else as if it were sure."""
    one = moment.conversation
    if moment.row is None:
        return Conversation(one.client, one.server, one.protocol, one.port)
    return table.at(moment.row)


def _worked(conversation: Conversation) -> bool:
    """Nobody moves by a connection that was refused."""
    return conversation.outcome not in (Outcome.REFUSED, Outcome.UNANSWERED)


_FATES = {
    Verdict.ALLOWED: Fate.ALLOWED,
    Verdict.BLOCKED: Fate.BLOCKED,
    Verdict.OUT_OF_SCOPE: Fate.OPEN,
    Verdict.UNCERTAIN: Fate.UNCERTAIN,
}


def _judged(
    policy: ResolvedPolicy, conversation: Conversation, decide: Decide
) -> tuple[Fate, tuple[str, ...], str]:
    decision = decide(policy, conversation)
    because = decision.reason
    if decision.verdict is Verdict.ALLOWED:
        because = f"rule {', '.join(decision.rules)}"
    elif decision.verdict is Verdict.BLOCKED:
        ends = [
            policy.home(one) or "a host in no segment"
            for one in (conversation.client, conversation.server)
        ]
        service = service_text(conversation.protocol, conversation.port)
        because = f"no rule from {ends[0]} to {ends[1]} on {service}"
    return _FATES[decision.verdict], decision.rules, because


def _hops(steps: Iterable[Step]) -> tuple[Hop, ...]:
    hops: dict[int, Hop] = {}
    for step in steps:
        if step.hop is None:
            continue
        known, one = hops.get(step.hop), step.conversation
        if known is None:
            hops[step.hop] = Hop(
                step.hop, one.client, one.server, step.time_us, step.fate, step.because
            )
        elif step.fate.through and not known.fate.through:
            hops[step.hop] = replace(known, fate=step.fate, because=step.because)
    return tuple(hops[number] for number in sorted(hops))


# ── what else breaks ───────────────────────────────────────────────────────────────────────


def cost(before: Simulation, after: Simulation, own: NDArray[np.int64]) -> Cost:
    """What the second policy stops that the first does not, without the finding's `own` rows.

    Both simulations are of one table. Excluded traffic is nobody's loss.
    """
    table = after.table
    others = np.ones(len(table), np.bool_)
    others[own] = False
    judged = after.classes != Class.EXCLUDED
    others &= judged
    blocked = (after.verdicts == Verdict.BLOCKED) & (before.verdicts != Verdict.BLOCKED) & judged
    lost = others & blocked
    unclear = others & (after.verdicts == Verdict.UNCERTAIN)
    unclear &= np.isin(before.verdicts, (Verdict.ALLOWED, Verdict.OUT_OF_SCOPE))
    works = table["outcome"] == Outcome.ESTABLISHED
    cannot_tell = np.isin(table["outcome"], (Outcome.ONE_WAY, Outcome.MID_STREAM))
    failed = np.isin(table["outcome"], (Outcome.REFUSED, Outcome.UNANSWERED))
    rows = _largest(table, lost & works)
    ends = np.unique(np.concatenate([table["client"][rows], table["server"][rows]]))
    return Cost(
        rows=tuple(rows.tolist()),
        doubtful=tuple(_largest(table, (lost & cannot_tell) | unclear).tolist()),
        flows=int(table["flows"][rows].sum()),
        bytes=int(table["bytes"][rows].sum()),
        hosts=tuple(sorted(table.hosts.addresses[at] for at in ends.tolist())),
        blocked=int(np.count_nonzero(blocked)),
        intrusion=int(np.count_nonzero(blocked & ~others)),
        failed=int(np.count_nonzero(lost & failed)),
    )


def _largest(table: ConversationTable, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows = np.flatnonzero(mask)
    return rows[np.argsort(-table["bytes"][rows], kind="stable")]


def only(table: ConversationTable, rows: NDArray[np.bool_]) -> ConversationTable:
    """Some of the conversations, whole; hosts stay what they are."""
    columns = {name: column[rows] for name, column in table.columns.items()}
    return ConversationTable(table.hosts, columns)
