"""How far an intruder gets, under every policy that matters: figures, paths, choke points."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis import exposure
from workbench.model.errors import InputError
from workbench.model.exposure import (
    OUTSIDE,
    AttackPath,
    Blast,
    Choke,
    Crossing,
    Cut,
    Hop,
    Reach,
    Scenario,
    ScenarioExposure,
    ServiceTraffic,
    TargetExposure,
)
from workbench.model.policy import ResolvedPolicy
from workbench.model.risky import risky_service
from workbench.model.text import did_you_mean
from workbench.model.traffic import Stop, Tell
from workbench.session import names
from workbench.session.drafting import Drafting
from workbench.session.replay import Replay, Scene

CROWN = "crown"
"""Label key of the crown jewels, and the word that stands for them."""
YES = "yes"


class Exposing:
    """What a session knows of exposure."""

    draft: Drafting
    _replay: Replay

    @property
    def exposure(self) -> "Exposure":
        """Of the present draft: keep it for one job, ask again for the next."""
        known: Exposure | None = self.__dict__.get("_exposure")
        now, saved = self._replay.scene(), self._replay.scene(self.draft.saved)
        if known is None or known.scene is not now or known.saved is not saved:
            known = self.__dict__["_exposure"] = Exposure(now, saved, known)
        return known


@dataclass(frozen=True)
class _Drawn:
    """A picture, and what it is of."""

    policy: ResolvedPolicy | None
    picture: exposure.Picture


class Exposure:
    """One draft beside the policy on disk, what was observed, and no policy at all.

    Foothold and target are named in words: a host's name or address, a segment, a label
    `key=value`, `crown` for `crown=yes`; a foothold also `outside`. Unknown ones raise InputError.
    """

    def __init__(self, scene: Scene, saved: Scene, before: "Exposure | None" = None) -> None:
        """before: the same of another draft; what an edit of rules leaves true is taken over."""
        self.scene = scene
        self.saved = saved
        self._lock = threading.Lock()
        self._drawn: dict[Scenario, _Drawn] = {}
        self.machines: exposure.Machines
        kept = before is not None and before.scene.table is scene.table
        if before and kept and before.scene.inventory is scene.inventory:
            self.machines = before.machines
        else:
            self.machines = exposure.machines_of(scene.table, scene.inventory)
        self.segments = tuple(
            (name, self.machines.within(inside)) for name, inside in scene.resolved.segments
        )
        if before and before.machines is self.machines and before.segments == self.segments:
            self._drawn |= before._drawn

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Those that differ, the loosest first as a rule: saved only beside a changed draft."""
        if self.saved.resolved == self.scene.resolved:
            return (Scenario.NONE, Scenario.OBSERVED, Scenario.DRAFT)
        return tuple(Scenario)

    def _policy(self, scenario: Scenario) -> ResolvedPolicy | None:
        """None for what was observed, which no policy changes."""
        if scenario is Scenario.OBSERVED:
            return None
        if scenario is Scenario.NONE:
            return ResolvedPolicy("none", segments=self.scene.resolved.segments)
        return (self.saved if scenario is Scenario.SAVED else self.scene).resolved

    def picture(self, scenario: Scenario) -> exposure.Picture:
        """Drawn once for a policy; what is worked out for it stays with it."""
        policy = self._policy(scenario)
        with self._lock:
            known = self._drawn.get(scenario)
            if known is None or known.policy != policy:
                if policy is None:
                    boxes = exposure.seen(self.scene.table, self.machines)
                else:
                    boxes = exposure.allowed(policy, self.machines)
                fresh = exposure.Picture(scenario, self.machines, boxes, self.segments)
                known = self._drawn[scenario] = _Drawn(policy, fresh)
        return known.picture

    # ── figures ────────────────────────────────────────────────────────────────────────────

    def score(self, scenario: Scenario, cancelled: Stop = None) -> float:
        """The one number, 0 to 100."""
        picture = self.picture(scenario)
        picture.prepare(cancelled)
        return picture.score

    def whole(self, scenario: Scenario, cancelled: Stop = None) -> ScenarioExposure:
        """The whole site."""
        picture = self.picture(scenario)
        picture.prepare(cancelled)
        return picture.whole()

    def hosts(self, scenario: Scenario) -> tuple[TargetExposure, ...]:
        """Every machine, in the order of addresses."""
        return self.picture(scenario).targets()

    def by_segment(self, scenario: Scenario) -> tuple[TargetExposure, ...]:
        """Every segment that has machines, policy order."""
        picture = self.picture(scenario)
        return tuple(picture.target(name, bits) for name, bits in self.segments if bits)

    def crossings(self, scenario: Scenario) -> tuple[Crossing, ...]:
        """From every segment to every segment: what a matrix is coloured by."""
        picture = self.picture(scenario)
        picture.prepare()
        return picture.crossings()

    def traffic(self) -> tuple[ServiceTraffic, ...]:
        """What was recorded of every risky service, and what the draft makes of it."""
        return exposure.risky_traffic(self.scene.simulation)

    def reach(self, target: str, scenario: Scenario) -> Reach:
        """Who reaches a target directly, on which risky services, and what lets them."""
        return self.picture(scenario).reach(target, self.target(target))

    def blast(self, foothold: str, scenario: Scenario) -> Blast:
        """What an intruder at a foothold gets to, hop by hop."""
        return self.picture(scenario).blast(foothold, self.foothold(foothold))

    # ── paths ──────────────────────────────────────────────────────────────────────────────

    def paths(
        self,
        foothold: str,
        target: str,
        scenario: Scenario,
        count: int = 5,
        cancelled: Stop = None,
    ) -> tuple[AttackPath, ...]:
        """The shortest attack paths, shortest first."""
        goal = self.target(target)
        start = self.foothold(foothold) & ~goal
        return exposure.Ways(self.picture(scenario), start, goal).paths(count, cancelled)

    def evidence(self, hop: Hop) -> NDArray[np.int64]:
        """Rows of the table: what was recorded between the two, on services to move by."""
        table = self.scene.table
        client, server = self._hosts(hop.client), self._hosts(hop.server)
        rows = np.flatnonzero(client[table["client"]] & server[table["server"]])
        ports = zip(table["protocol"][rows].tolist(), table["port"][rows].tolist(), strict=True)
        risky = [risky_service(*port) for port in ports]
        return rows[np.array([bool(one and one.moves) for one in risky], dtype=np.bool_)]

    def _hosts(self, name: str) -> NDArray[np.bool_]:
        """By host index."""
        if name == OUTSIDE:
            outside = [one in self.machines.outside for one in self.scene.table.hosts.addresses]
            return np.array(outside, dtype=np.bool_)
        own: NDArray[np.bool_] = self.machines.of_host == self.machines.names.index(name)
        return own

    # ── choke points ───────────────────────────────────────────────────────────────────────

    def chokes(
        self,
        scenario: Scenario,
        foothold: str | None = None,
        target: str | None = None,
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> tuple[Choke, ...]:
        """What cuts most pairs when it is closed alone, most first; over all pairs unless told."""
        return self._chokes(scenario, foothold, target).ranked(progress, cancelled)

    def cut(self, foothold: str, target: str, scenario: Scenario) -> Cut:
        """The fewest things to close so that no path is left from foothold to target."""
        return self._chokes(scenario, foothold, target).cut(foothold, target)

    def _chokes(
        self, scenario: Scenario, foothold: str | None, target: str | None
    ) -> exposure.Chokes:
        machines = self.machines
        start = self.foothold(foothold) if foothold else machines.everybody | machines.outside_bit
        goal = self.target(target) if target else machines.everybody
        return exposure.Chokes(self.picture(scenario), start, goal)

    # ── names ──────────────────────────────────────────────────────────────────────────────

    def places(self) -> tuple[str, ...]:
        """Words for a target: segments, labels, machines; a foothold may also be `outside`."""
        inventory, hosts = self.scene.inventory, self.scene.table.hosts.addresses
        inside = np.flatnonzero(self.machines.of_host != exposure.NOBODY).tolist()
        named = (inventory.labels(hosts[at]) for at in inside)
        labels = {f"{key}={value}" for found in named for key, value in found.items()}
        crown = (CROWN,) if self._having(CROWN, YES) else ()
        segments = (name for name, bits in self.segments if bits)
        return (*crown, *segments, *sorted(labels), *self.machines.names)

    def crowns(self) -> tuple[str, ...]:
        """Crown jewels by name, in the order of addresses."""
        found = exposure.positions(self._having(CROWN, YES))
        return tuple(self.machines.names[at] for at in found.tolist())

    def addresses(self, machine: str) -> tuple[int, ...]:
        """Of a machine by its name; empty for an unknown one."""
        hosts = self.scene.table.hosts.addresses
        if machine not in self.machines.names:
            return ()
        return tuple(hosts[at] for at in np.flatnonzero(self._hosts(machine)).tolist())

    def homes(self) -> Mapping[str, str]:
        """Machine → the segments that it is in, separated by spaces; those in none are missing."""
        found: dict[str, str] = {}
        for name, bits in self.segments:
            for machine in exposure.positions(bits).tolist():
                host = self.machines.names[machine]
                found[host] = f"{found[host]} {name}" if host in found else name
        return found

    def foothold(self, text: str) -> int:
        """Machines by the user's words, as bits; `outside` is one more."""
        return self.machines.outside_bit if text == OUTSIDE else self._place(text, "a foothold")

    def target(self, text: str) -> int:
        """Machines by the user's words, as bits."""
        if text == OUTSIDE:
            raise InputError("outside is a foothold, never a target: nobody moves there")
        return self._place(text, "a target")

    def _place(self, text: str, what: str) -> int:
        if text == CROWN:
            return self._labelled(CROWN, YES)
        if "=" in text:
            key, _, value = text.partition("=")
            return self._labelled(key, value)
        if text in self.machines.names:
            return 1 << self.machines.names.index(text)
        bits = dict(self.segments).get(text)
        if bits is None:
            bits = self._address(text, what)
        if not bits:
            raise InputError(f"segment {text} has no machines")
        return bits

    def _having(self, key: str, value: str) -> int:
        inventory, hosts = self.scene.inventory, self.scene.table.hosts
        machines = {
            int(self.machines.of_host[at])
            for at, address in enumerate(hosts.addresses)
            if inventory.labels(address).get(key) == value
        }
        return exposure.union(1 << machine for machine in machines - {exposure.NOBODY})

    def _labelled(self, key: str, value: str) -> int:
        bits = self._having(key, value)
        if not bits:
            way = f"`workbench label WORKSPACE HOST --set {key}={value}` sets it"
            raise InputError(f"no machine has the label {key}={value}; {way}")
        return bits

    def _address(self, text: str, what: str) -> int:
        inventory, known = self.scene.inventory, (*self.machines.names, *dict(self.segments))
        try:
            address = names.addresses(inventory, text)[0]
        except InputError as error:
            wanted = f"name a host, an address, a segment or key=value{did_you_mean(text, known)}"
            raise InputError(f"{text!r} is not {what}: {wanted}") from error
        host = self.scene.table.hosts.index.get(address)
        machine = exposure.NOBODY if host is None else int(self.machines.of_host[host])
        if machine == exposure.NOBODY:
            where = "is outside" if address in self.machines.outside else "never spoke here"
            nobody = "" if address in inventory.by_address else " and nobody listed it"
            raise InputError(f"{text} {where}{nobody}")
        return 1 << machine
