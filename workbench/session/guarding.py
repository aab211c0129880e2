"""Risky services: what the draft leaves open, and guardrails and edits that close it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from workbench import analysis
from workbench.analysis.exposure import NOBODY, Between, bitset, services_bits, union
from workbench.analysis.numbers import within
from workbench.model.errors import InputError
from workbench.model.exposure import Gate, GateKind, Scenario, ServiceExposure, ServiceTraffic
from workbench.model.matrix import Matrix
from workbench.model.net import merge_services
from workbench.model.policy import ANY, Assertion, Guardrail, Policy, Protection, unused
from workbench.model.risky import RISKY, RiskyService, risky_by_id, risky_in
from workbench.model.text import plural
from workbench.model.traffic import Stop
from workbench.model.verdict import Class
from workbench.session import names
from workbench.session.exposure import Exposing
from workbench.session.replay import Scene


@dataclass(frozen=True, slots=True)
class RiskyRow:
    """One risky service: before, under the draft, in the recorded traffic, and its guardrails."""

    service: RiskyService
    before: ServiceExposure
    now: ServiceExposure
    traffic: ServiceTraffic
    guardrails: tuple[str, ...]
    """Ids of the draft's *never* guardrails about it."""
    broken: tuple[analysis.BrokenGuardrail, ...]
    """Those of them that do not hold."""


@dataclass(frozen=True, slots=True)
class Ready:
    """Guardrails that keep a service to where the draft lets it work, as recorded."""

    service: RiskyService
    clients: tuple[str, ...]
    """Segments of the clients whose recorded use the draft allows."""
    servers: tuple[str, ...]
    """Segments of the servers of such use."""
    guardrails: tuple[Guardrail, ...]
    broken: tuple[analysis.BrokenGuardrail, ...]
    """Those of them that the draft does not keep yet."""


@dataclass(frozen=True, slots=True)
class Users:
    """Who may use a risky service on whom, and what lets them."""

    clients: tuple[tuple[str, int], ...]
    """Segments with machines among them, and how many; policy order."""
    outside: bool
    servers: tuple[tuple[str, int], ...]
    gates: tuple[Gate, ...]
    """The widest first."""


class Guarding(Exposing):
    """What a session does about risky services. All edits are edits of the draft."""

    def matrix_of(self, by: str, rows: NDArray[np.bool_]) -> Matrix:
        """Who talks to whom in some rows of the table. Raises InputError for an unknown axis."""
        scene = self._replay.scene()
        return analysis.matrix(scene.simulation, names.grouping(by, scene), rows)

    def openness(self, by: str, scenario: Scenario, cancelled: Stop = None) -> Between:
        """Which machine pairs are open to move by, between the groups of a matrix axis.

        Groups with hosts that are outside hold the outside. Raises InputError, Cancelled.
        """
        exposure = self.exposure
        machines, groups = exposure.machines, names.grouping(by, exposure.scene)
        number = machines.of_host[groups.hosts]
        known = number != NOBODY
        bits = dict.fromkeys(groups.names, 0)
        order = np.argsort(groups.groups, kind="stable")
        bounds = np.searchsorted(groups.groups[order], np.arange(len(groups.names) + 1)).tolist()
        addresses = machines.hosts.addresses
        for at, name in enumerate(groups.names):
            own = order[bounds[at] : bounds[at + 1]]
            if len(own) == 1 and known[own[0]]:  # a matrix of hosts has as many groups as hosts
                bits[name] = 1 << int(number[own[0]])
                continue
            inside = np.zeros(len(machines) + 1, np.bool_)
            inside[number[own[known[own]]]] = True
            strangers = groups.hosts[own[~known[own]]].tolist()
            inside[-1] = any(addresses[host] in machines.outside for host in strangers)
            bits[name] = bitset(inside)
        picture = exposure.picture(scenario)
        picture.prepare(cancelled)
        return Between(picture, bits)

    def risky(self, before: Scenario, cancelled: Stop = None) -> tuple[RiskyRow, ...]:
        """Every risky service, in the order of model.risky. Raises Cancelled."""
        exposure = self.exposure
        old, now = (exposure.whole(one, cancelled) for one in (before, Scenario.DRAFT))
        scene = exposure.scene
        guards = dict(_guards(scene))
        broken = analysis.check(scene.resolved)
        return tuple(
            RiskyRow(
                risky_by_id(was.service),
                was,
                found,
                seen,
                guards.get(was.service, ()),
                tuple(one for one in broken if one.id in guards.get(was.service, ())),
            )
            for was, found, seen in zip(old.services, now.services, exposure.traffic(), strict=True)
        )

    def service_users(self, service: str, scenario: Scenario = Scenario.DRAFT) -> Users:
        """Of a risky service, over the whole site."""
        picture = self.exposure.picture(scenario)
        wanted = services_bits([risky_by_id(service)])
        boxes = [one for one in picture.openings if one.services & wanted]
        widest = sorted(boxes, key=lambda one: -one.clients.bit_count() * one.servers.bit_count())
        clients = union(one.clients for one in boxes)
        return Users(
            picture.counted(clients),
            bool(clients & picture.machines.outside_bit),
            picture.counted(union(one.servers for one in boxes)),
            tuple(dict.fromkeys(one.gate for one in widest)),
        )

    def ready_guardrails(self, service: str) -> Ready:
        """Guardrails for a risky service that are not in the draft yet: two at most.

        Nobody may use it on a segment where the draft allows no recorded use; and where it does
        allow some, only segments that are its clients may. What is outside is never a server here:
        a guardrail is about the site. Raises InputError for an unknown service.
        """
        exposure = self.exposure
        scene = exposure.scene
        try:
            risky = risky_by_id(service)
        except KeyError as error:
            raise InputError(f"no risky service is called {service!r}") from error
        clients, servers = _users(scene, risky)
        everywhere = [name for name, inside in scene.resolved.segments if inside]
        outside = exposure.machines.outside
        inner = [name for name, one in scene.resolved.segments if one and not one & outside]
        others = tuple(name for name in everywhere if name not in clients)
        serving = tuple(name for name in inner if name in servers)
        elsewhere = tuple(name for name in inner if name not in servers)
        wishes = [
            *(
                [("never-elsewhere" if serving else "never", (ANY,), elsewhere)]
                if elsewhere
                else ()
            ),
            *([("only-from-its-clients", others, serving)] if others and serving else ()),
        ]
        found = tuple(_guardrails(scene.draft.policy, risky, wishes))
        return Ready(risky, clients, serving, found, self._not_kept(scene.draft.policy, found))

    def newly_broken(self, wanted: Policy | None = None) -> tuple[analysis.BrokenGuardrail, ...]:
        """Guardrails that a policy breaks and the draft does not; without one, those that the
        draft breaks and what is saved does not."""
        now = self._replay.scene().resolved
        if wanted is not None:
            return analysis.newly_broken(now, self._replay.resolve(wanted))
        if not now.guardrails:
            return ()
        return analysis.newly_broken(self._replay.scene(self.draft.saved).resolved, now)

    def _not_kept(
        self, policy: Policy, guardrails: tuple[Guardrail, ...]
    ) -> tuple[analysis.BrokenGuardrail, ...]:
        return analysis.check(self._replay.resolve(replace(policy, guardrails=guardrails)))

    def risky_rows(self, service: str) -> NDArray[np.int64]:
        """Table rows of what was recorded of a risky service."""
        return _rows(self._replay.scene(), risky_by_id(service))

    def guard(self, service: str) -> Ready:
        """Add the ready guardrails of a service to the draft, as one edit. Raises InputError."""
        ready = self.ready_guardrails(service)
        if not ready.guardrails:
            some = self.exposure.segments
            why = "it is guarded already" if some else "no segment has hosts: 4 names segments"
            raise InputError(f"{ready.service.name}: {why}")
        told = f"{plural(len(ready.guardrails), 'guardrail')} about {service} added"
        self.draft.put_guardrails(ready.guardrails, told)
        return ready

    def close_gate(self, gate: Gate) -> None:
        """Close it in the draft: remove the rule, or protect the segment. Raises InputError."""
        if gate.kind is GateKind.RULE:
            self.draft.remove_rule(gate.name)
        elif gate.kind is GateKind.SEEN:
            raise InputError(f"{gate.reason}: the draft decides whether it goes on; w shows it")
        elif gate.name not in {segment.name for segment in self.draft.policy.segments}:
            raise InputError(f"{gate.name}: put them in a segment first (4 Hosts, S)")
        else:
            self.draft.put_protection(Protection(gate.name))


def _guards(scene: Scene) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Risky service → the *never* guardrails about it; those about every service are about none."""
    found: dict[str, tuple[str, ...]] = {}
    for one in scene.resolved.guardrails:
        about = risky_in(one.box.services)
        if one.assertion is Assertion.NEVER and len(about) < len(RISKY):
            for risky in about:
                found[risky.id] = (*found.get(risky.id, ()), one.box.id)
    yield from found.items()


def _rows(scene: Scene, risky: RiskyService) -> NDArray[np.int64]:
    return np.flatnonzero(within(scene.table["protocol"], scene.table["port"], risky.services))


def _users(scene: Scene, risky: RiskyService) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Segments of clients and of servers of the recorded use that the draft allows."""
    table, rows = scene.table, _rows(scene, risky)
    rows = rows[scene.simulation.classes[rows] == Class.PERMITTED]

    def segments(side: str) -> tuple[str, ...]:
        hosts = np.unique(table[side][rows]).tolist()
        addresses = [table.hosts.addresses[at] for at in hosts]
        return tuple(
            name
            for name, inside in scene.resolved.segments
            if any(address in inside for address in addresses)
        )

    return segments("client"), segments("server")


def _guardrails(
    policy: Policy,
    risky: RiskyService,
    wishes: Iterable[tuple[str, tuple[str, ...], tuple[str, ...]]],
) -> Iterator[Guardrail]:
    """Those that the policy does not have, under ids that are free."""
    boxes = {(one.assertion, one.clients, one.servers, one.services) for one in policy.guardrails}
    for name, clients, servers in wishes:
        services = tuple(map(str, merge_services(risky.services)))
        if (Assertion.NEVER, clients, servers, services) in boxes:
            continue
        free = unused(f"{risky.id}-{name}", policy.ids)
        reason = f"{risky.name}: {risky.technique} {risky.technique_name}"
        yield Guardrail(free, Assertion.NEVER, clients, servers, services, reason)
