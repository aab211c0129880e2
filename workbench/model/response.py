"""Answers to a finding: an edit of the draft with what it would do, and the intrusion replayed."""

from dataclasses import dataclass
from enum import StrEnum

from workbench.model.finding import Evidence, Stage
from workbench.model.policy import Policy
from workbench.model.text import plural


class Answer(StrEnum):
    """What can be done about a finding."""

    GUARDRAIL = "guardrail"
    """Assert that it never happens again."""
    NARROW = "narrow"
    """Take it out of the rules that let it through; protect an end where none is protected."""
    QUARANTINE = "quarantine"
    """Allow the host nothing but named access."""


class Without(StrEnum):
    """What a rule loses when it is narrowed."""

    EXACT = "exact"
    """The finding's conversations, and nothing else."""
    CLIENT = "client"
    """The finding's clients."""
    SERVER = "server"
    """The finding's servers."""
    SERVICE = "service"
    """The finding's services."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What a finding covers, or a part of it: every client to every server on every service."""

    clients: tuple[int, ...]
    """Addresses of one machine."""
    servers: tuple[int, ...]
    services: tuple[tuple[int, int], ...]
    """Protocol, and port or message type."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A draft edit that is not made yet."""

    answer: Answer
    policy: Policy
    """The draft after it; the draft itself where there is nothing to change."""
    label: str
    """What it does, in words, for the history."""
    notes: tuple[str, ...] = ()
    """What it consists of, and what was left alone, a line each."""


class Fate(StrEnum):
    """What becomes of a step of the intrusion under a policy."""

    ALLOWED = "allowed"
    """A rule lets it through."""
    OPEN = "out-of-scope"
    """Nothing judges it: it gets through."""
    UNCERTAIN = "uncertain"
    """Which end is the client is unknown, and the two readings differ; counts as through."""
    BLOCKED = "blocked"
    NOT_REACHED = "not-reached"
    """It starts from a machine that, under this policy, the intruder never got to."""

    @property
    def through(self) -> bool:
        return self not in (Fate.BLOCKED, Fate.NOT_REACHED)


@dataclass(frozen=True, slots=True)
class Step:
    """One conversation of the intrusion, at the time of its first flow in a finding's time."""

    number: int
    """From 1, in order of time."""
    time_us: int
    conversation: Evidence
    stage: Stage
    technique: str
    title: str
    findings: tuple[str, ...]
    """Ids of the findings that it is evidence of."""
    hop: int | None
    """Which hop of the movement it is part of, from 1; None for what only looks or talks."""
    fate: Fate
    rules: tuple[str, ...]
    """The rules that let it through."""
    because: str
    """`rule app-to-db`, or what is missing: `no rule from office to prod-app on tcp/445`."""


@dataclass(frozen=True, slots=True)
class Hop:
    """From one machine to another, by one or more steps."""

    number: int
    client: int
    """Address of its first step's client."""
    server: int
    first_us: int
    fate: Fate
    """That of its first step that gets through; else of its first step."""
    because: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """An intrusion under one policy."""

    policy: str
    """`none`, `saved`, `draft`, `baseline`, or a file's name."""
    steps: tuple[Step, ...]
    """In order of time."""
    hops: tuple[Hop, ...]
    """In order of time."""

    def count(self, fate: Fate) -> int:
        """Steps with this fate."""
        return sum(step.fate is fate for step in self.steps)

    @property
    def passed(self) -> int:
        """Hops that get through."""
        return sum(hop.fate.through for hop in self.hops)

    @property
    def stopped(self) -> bool:
        """Whether it comes to nothing in the end: its last hop, or without hops every step, is
        stopped."""
        if self.hops:
            return not self.hops[-1].fate.through
        return bool(self.steps) and not any(step.fate.through for step in self.steps)

    @property
    def stopped_at(self) -> int | None:
        """The hop from which on none gets through; 1: it never leaves where it began. None when it
        is not stopped, or has no hops."""
        if not self.hops or not self.stopped:
            return None
        return max((hop.number for hop in self.hops if hop.fate.through), default=0) + 1

    @property
    def text(self) -> str:
        """`stopped at hop 1 of 3 (pc-07 …)` without the names: for a line."""
        if not self.steps:
            return "nothing to replay"
        if self.stopped_at:
            return f"stopped at hop {self.stopped_at} of {len(self.hops)}"
        if self.stopped:
            return f"stopped: none of {plural(len(self.steps), 'step')} gets through"
        through = self.passed if self.hops else sum(step.fate.through for step in self.steps)
        whole = plural(len(self.hops), "hop") if self.hops else plural(len(self.steps), "step")
        return f"not stopped: {through:,} of {whole} {'gets' if through == 1 else 'get'} through"


@dataclass(frozen=True, slots=True)
class Cost:
    """What else an edit would stop: recorded conversations that are not the finding's."""

    rows: tuple[int, ...]
    """Of the session's table, largest first: they work today, and the edit blocks them."""
    doubtful: tuple[int, ...]
    """Those blocked of which the recording cannot tell whether they work (one-way, mid-stream), and
    those whose verdict becomes uncertain."""
    flows: int
    """Of `rows`."""
    bytes: int
    hosts: tuple[int, ...]
    """Addresses of the ends of `rows`, ascending."""
    blocked: int = 0
    """All conversations that the edit blocks and the draft did not."""
    intrusion: int = 0
    """Of them: the finding's own, and those of the intrusion."""
    failed: int = 0
    """Of the rest: refused or unanswered in the recording. They are nobody's loss."""

    @property
    def text(self) -> str:
        """`newly blocked 83: 81 of the intrusion itself, 1 failed anyway, 1 works today`."""
        unclear = self.blocked - self.intrusion - self.failed - len(self.rows)
        counts = (
            (self.intrusion, "of the intrusion itself"),
            (self.failed, "failed anyway"),
            (unclear, "cannot be told"),
            (len(self.rows), "works today" if len(self.rows) == 1 else "work today"),
        )
        told = ", ".join(f"{count:,} {what}" for count, what in counts if count)
        return f"newly blocked {self.blocked:,}" + (f": {told}" if told else "")
