"""How far an intruder gets: who reaches whom on risky services, and by which steps.

A *machine* is a listed host with all its addresses, or a seen address that nobody listed. Everybody
outside counts as one foothold; it is never a target, and no path goes through it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from workbench.model.risky import RISKY

OUTSIDE = "outside"
"""Everybody who is not of this site."""


class Scenario(StrEnum):
    """What decides who reaches whom."""

    NONE = "none"
    """No policy: everybody reaches everybody."""
    OBSERVED = "observed"
    """Only what the recorded traffic did, and that worked."""
    SAVED = "saved"
    """The policy on disk."""
    DRAFT = "draft"


class GateKind(StrEnum):
    """Why somebody may reach somebody."""

    RULE = "rule"
    """A rule allows it."""
    UNPROTECTED = "unprotected"
    """Neither end is protected: nothing would stop it."""
    SEEN = "seen"
    """It was recorded and worked."""


@dataclass(frozen=True, slots=True, order=True)
class Gate:
    """One thing that lets traffic through, and that an engineer can close."""

    kind: GateKind
    name: str = ""
    """The rule's id; the segment to protect; the service and server that were seen."""

    @property
    def reason(self) -> str:
        """Why it is open, in words."""
        if self.kind is GateKind.RULE:
            return f"rule {self.name}"
        seen = self.kind is GateKind.SEEN
        verb = "are" if self.name.startswith("hosts ") else "is"  # those of no segment are several
        return f"{self.name} was seen" if seen else f"{self.name} {verb} not protected"

    @property
    def text(self) -> str:
        """What closing it means, in words."""
        if self.kind is GateKind.RULE:
            return f"remove rule {self.name}"
        if self.kind is GateKind.SEEN:
            return f"close {self.name}"
        return f"protect {self.name}"


@dataclass(frozen=True, slots=True)
class ServiceExposure:
    """One risky service under one scenario, over all machines."""

    service: str
    """Id of the risky service, see model.risky."""
    technique: str
    moves: bool
    ransomware: bool
    pairs: int
    """Client machine → server machine, `outside` counted as one client."""
    share: float
    """Of all pairs, 0 to 1."""
    servers: int
    """Machines that anybody reaches on it."""
    outside: int
    """Machines that are reached on it from outside."""
    light: str
    """green: at most 1 % of all pairs; amber: at most 10 %; red: more, or a service to move by that
    is open to the outside. See docs/exposure.md."""


@dataclass(frozen=True, slots=True)
class ServiceTraffic:
    """What was recorded of one risky service, and what the draft makes of it. Conversations."""

    service: str
    conversations: int
    in_scope: int
    """Of those that worked: excluded, uncertain and failed ones are left out."""
    allowed: int
    would_block: int

    @property
    def coverage(self) -> float:
        """0 to 1; 1 when nothing is in scope."""
        return self.allowed / self.in_scope if self.in_scope else 1.0


@dataclass(frozen=True, slots=True)
class Crossing:
    """From one segment to another under one scenario; pairs of a machine with itself left out."""

    client_segment: str
    server_segment: str
    direct: int
    """Pairs of machines one hop apart."""
    pairs: int
    """Pairs of machines any number of hops apart."""
    all_pairs: int

    @property
    def share(self) -> float:
        """Of all pairs, how many are one hop apart; 0 to 1."""
        return self.direct / self.all_pairs if self.all_pairs else 0.0


@dataclass(frozen=True, slots=True)
class ScenarioExposure:
    """The whole site under one scenario."""

    scenario: Scenario
    score: float
    """0 to 100: the mean over all pairs of 1 / hops, in per cent. See docs/exposure.md."""
    machines: int
    all_pairs: int
    """Footholds (machines and outside) × other machines."""
    direct_pairs: int
    """Pairs one hop apart."""
    pairs: int
    """Pairs any number of hops apart."""
    pairs_by_hops: tuple[int, ...]
    """Pairs exactly 1, 2, … hops apart."""
    widest: str
    """The inside foothold from which most machines are reached; empty when there is none."""
    widest_machines: int
    median_machines: int
    """Half of all machines reach at most so many others."""
    outside_direct: int
    """Machines that are reached from outside in one hop."""
    outside_machines: int
    """Machines that are reached from outside in any number of hops."""
    doors: int
    """Client machine, server machine, risky service: all that are open, to move by or not."""
    services: tuple[ServiceExposure, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetExposure:
    """One machine or segment under one scenario, in figures. Counts leave its own machines out."""

    name: str
    machines: int
    """1 for a machine."""
    clients: int
    """Machines that reach it directly on any risky service."""
    movers: int
    """Machines that reach it directly on a service to move by."""
    footholds: int
    """Machines from which an intruder gets here, in any number of hops."""
    outside_hops: int | None
    """Hops from outside; None when there is no way."""
    blast: int
    """Machines that an intruder here gets to, in any number of hops."""
    services: tuple[str, ...] = ()
    """Risky services that somebody reaches here."""


@dataclass(frozen=True, slots=True)
class ServiceReach:
    """Who reaches one target on one risky service."""

    service: str
    technique: str
    moves: bool
    hosts: tuple[str, ...]
    """Machines, by name."""
    segments: tuple[tuple[str, int], ...]
    """Segments with machines among them, and how many; policy order."""
    outside: bool
    gates: tuple[Gate, ...]
    """What lets them through."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Who reaches one target directly, service by service."""

    scenario: Scenario
    target: str
    figures: TargetExposure
    services: tuple[ServiceReach, ...]


@dataclass(frozen=True, slots=True)
class Ring:
    """What is exactly `hops` away from a foothold."""

    hops: int
    hosts: tuple[str, ...]
    segments: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Blast:
    """The blast radius of a foothold."""

    scenario: Scenario
    foothold: str
    machines: int
    """Reached in any number of hops."""
    all_machines: int
    """All that are not the foothold."""
    rings: tuple[Ring, ...]

    @property
    def share(self) -> float:
        return self.machines / self.all_machines if self.all_machines else 0.0


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of an attack path."""

    client: str
    server: str
    alike: int
    """Other machines that would serve as `server` just as well."""
    services: tuple[str, ...]
    """Risky services to move by that are open."""
    gates: tuple[Gate, ...]
    """What lets it through: all of them must be closed."""

    @property
    def server_text(self) -> str:
        """The server in words, and how many would do instead."""
        return f"{self.server} or {self.alike} alike" if self.alike else self.server

    @property
    def service_text(self) -> str:
        """The services in words; `any` for all of them."""
        every = sum(risky.moves for risky in RISKY)
        return "any" if len(self.services) == every else ", ".join(self.services)


@dataclass(frozen=True, slots=True)
class AttackPath:
    """From a foothold to a target, machine by machine."""

    scenario: Scenario
    hops: tuple[Hop, ...]

    @property
    def text(self) -> str:
        """`pc-07 → app-2 or 3 alike (any) → db-1 (ssh)`; any: every service to move by."""
        steps = (f"{hop.server_text} ({hop.service_text})" for hop in self.hops)
        return " → ".join((self.hops[0].client, *steps))


class ChokeKind(StrEnum):
    """What a choke point is."""

    GATE = "gate"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Choke:
    """One thing whose closing cuts pairs of foothold and target off from each other."""

    kind: ChokeKind
    name: str
    text: str
    """What to do, in words: `remove rule X`, `protect Y`, `isolate Z`."""
    cut: int
    """Pairs that are connected with it and not without it."""
    share: float
    """Of the pairs that are connected now, 0 to 1."""
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """The fewest gates whose closing leaves no path from foothold to target."""

    scenario: Scenario
    foothold: str
    target: str
    gates: tuple[Gate, ...] = field(default=())
    pairs: int = 0
    """Pairs that it cuts."""
