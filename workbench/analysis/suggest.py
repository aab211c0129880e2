"""Rules that the traffic asks for: segment → segment per service, each with its evidence.

Only what worked is learnt. Refused and unanswered connections may be a scan, a conversation whose
direction is unknown would become a rule for a client's passing port, and what a guardrail forbids
is not for a rule to allow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from workbench.analysis.cells import HAS_PORTS
from workbench.analysis.evidence import (
    LATERAL,
    WIDE,
    Draft,
    Rows,
    Services,
    broken_by,
    caution_of,
    evidence_of,
    service_name,
    services_of,
)
from workbench.analysis.homes import Homes, homes, is_ours
from workbench.analysis.numbers import numbers, within
from workbench.analysis.select import in_box
from workbench.analysis.simulate import Simulator
from workbench.model.net import EVERYWHERE, AddressSet, ServiceRange, merge_services
from workbench.model.policy import (
    Assertion,
    Policy,
    Protection,
    ResolvedPolicy,
    Rule,
    Segment,
    slug,
    unused,
)
from workbench.model.simulation import Proposal, Simulation, Suggestion
from workbench.model.site import Inventory
from workbench.model.traffic import Direction
from workbench.model.verdict import Class, Verdict


def suggest(
    simulation: Simulation, policy: Policy, inventory: Inventory, *, protect: bool | None = None
) -> Suggestion:
    """The policy, plus rules for what worked and it would block.

    `simulation` must be of this policy. With `protect`, every segment that is not the internet is
    protected first, so that there is something to cover; by default just where the policy protects
    nothing. Hosts without a segment get one that lists exactly them.
    """
    if protect is None:
        protect = not policy.protect
    if protect:
        simulation = _with_all_protected(simulation, policy, inventory)
    rows = learnable(simulation)
    found = homes(simulation, inventory, _ends(simulation, rows))
    suggestion = propose_rules(simulation, policy, found, _drafts(simulation, rows, found))
    if not protect:
        return suggestion
    ours = [*_unprotected(simulation.policy, policy), *found.ours]
    protections = (*policy.protect, *(Protection(segment.name) for segment in ours))
    return replace(suggestion, policy=replace(suggestion.policy, protect=protections))


def _unprotected(resolved: ResolvedPolicy, policy: Policy) -> list[Segment]:
    """Segments of ours that the policy leaves open."""
    done = {protection.segment for protection in policy.protect}
    return [
        segment
        for segment in policy.segments
        if segment.name not in done and is_ours(segment.name, resolved)
    ]


def learnable(simulation: Simulation) -> Rows:
    """Rows that would be blocked, worked as far as one can tell, have a known direction, and are
    not forbidden by a *never* guardrail."""
    table, classes = simulation.table, simulation.classes
    direction = table["direction"]
    in_part = (classes == Class.UNCERTAIN) & (direction >= Direction.WELL_KNOWN)
    known = (direction != Direction.FIRST) | ~HAS_PORTS[table["protocol"]]
    blocked = simulation.verdicts == Verdict.BLOCKED
    wanted = blocked & known & ((classes == Class.WOULD_BLOCK) | in_part)
    for guardrail in simulation.policy.guardrails:
        if guardrail.assertion is Assertion.NEVER:
            wanted &= ~in_box(simulation, guardrail.box)
    return np.flatnonzero(wanted)


def _ends(simulation: Simulation, rows: Rows) -> Rows:
    table = simulation.table
    return np.unique(np.concatenate([table["client"][rows], table["server"][rows]]))


def _with_all_protected(simulation: Simulation, policy: Policy, inventory: Inventory) -> Simulation:
    """The same traffic with every segment of ours protected, those to be proposed included."""
    simulator, resolved = Simulator(simulation.table), simulation.policy
    everything = replace(resolved, protected_ingress=EVERYWHERE, protected_egress=EVERYWHERE)
    rows = learnable(simulator.simulate(everything))
    found = homes(simulation, inventory, _ends(simulation, rows))
    ours = [resolved.segment(segment.name) for segment in _unprotected(resolved, policy)]
    ours += [AddressSet.of_cidrs(segment.cidrs) for segment in found.ours]
    added = AddressSet.union(ours)
    return simulator.simulate(
        replace(
            resolved,
            protected_ingress=resolved.protected_ingress | added,
            protected_egress=resolved.protected_egress | added,
        )
    )


def _drafts(simulation: Simulation, rows: Rows, found: Homes) -> list[Draft]:
    """One draft for each server home, set of services and pile; suspicious piles last, then most
    conversations first."""
    table, size = simulation.table, max(1, len(found.names))
    clients = found.of_host[table["client"][rows]]
    pair = clients * size + found.of_host[table["server"][rows]]
    keys, key_of = np.unique(pair << 2 | _piles(simulation, rows, pair, found), return_inverse=True)
    order = np.argsort(key_of, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(key_of, minlength=len(keys)))[:-1])
    merged: dict[tuple[int, int, Services], list[tuple[int, Rows]]] = {}
    for key, part in zip(keys.tolist(), parts, strict=False):
        client, server = divmod(key >> 2, size)
        alike = (key & 3, server, services_of(simulation, part))
        merged.setdefault(alike, []).append((client, part))
    ranked = sorted(
        merged.items(), key=lambda item: (item[0][0], -sum(len(part) for _, part in item[1]))
    )
    return [
        Draft(
            tuple(client for client, _ in group),
            (server,),
            services,
            np.sort(np.concatenate([part for _, part in group])),
        )
        for (_, server, services), group in ranked
    ]


def _piles(simulation: Simulation, rows: Rows, pair: Rows, found: Homes) -> Rows:
    """0 to 3 by row: +2 for remote administration, +1 where one client of many uses the service.

    An intruder's steps end up in rules of their own, which can be dropped whole.
    """
    table = simulation.table
    service = numbers(table["protocol"][rows], table["port"][rows])
    _, use = np.unique(pair << 24 | service, return_inverse=True)
    clients = np.unique(use * len(table.hosts) + table["client"][rows]) // max(1, len(table.hosts))
    crowd = found.sizes[found.of_host[table["client"][rows]]] >= WIDE
    lone = (np.bincount(clients, minlength=len(rows)).take(use) == 1) & crowd
    piles: Rows = within(table["protocol"][rows], table["port"][rows], LATERAL) * 2 + lone
    return piles


def propose_rules(
    simulation: Simulation, policy: Policy, found: Homes, drafts: Iterable[Draft]
) -> Suggestion:
    """The policy with new segments and one rule a draft."""
    taken = set(policy.ids)
    proposals = []
    for draft in drafts:
        clients = tuple(found.names[at] for at in draft.clients)
        servers = tuple(found.names[at] for at in draft.servers)
        name = unused(_rule_id(clients, servers, draft.services), taken)
        taken.add(name)
        texts = _texts(draft.services, policy)
        rule = Rule(name, clients, servers, texts, reason="seen in traffic")
        evidence = evidence_of(simulation, draft.rows)
        breaks = broken_by(simulation, draft, found)
        caution = caution_of(simulation, draft, evidence, found, breaks)
        proposals.append(Proposal(rule, evidence, caution, breaks))
    extended = replace(
        policy,
        segments=(*policy.segments, *found.new),
        rules=(*policy.rules, *(proposal.rule for proposal in proposals)),
    )
    return Suggestion(extended, tuple(proposals), policy)


def _texts(services: Services, policy: Policy) -> tuple[str, ...]:
    """Services as the user would write them: names of the policy's groups where they fit whole."""
    ranges = merge_services(ServiceRange(protocol, port, port) for protocol, port in services)
    texts = list(map(str, ranges))
    for group in policy.services:
        if set(group.services) <= set(texts):
            kept = [text for text in texts if text not in group.services]
            texts = [group.name, *kept]
    return tuple(texts)


def _rule_id(clients: Sequence[str], servers: Sequence[str], services: Services) -> str:
    """`office-to-web-https`; what does not fit in words is counted."""

    def some(names: Sequence[str], noun: str) -> str:
        return "-and-".join(names) if len(names) <= 2 else f"{len(names)}-{noun}"

    names = list(dict.fromkeys(service_name(*service) for service in services))
    ends = f"{some(clients, 'segments')}-to-{some(servers, 'segments')}"
    text = f"{ends}-{some(names, 'services')}"
    if len(text) > 63:
        text = f"{ends}-{len(names)}-services"
    return slug(text, "from")
