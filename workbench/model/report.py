"""A workspace as those who sign the policy off are to see it: facts, gathered at one moment.

All texts are as the session has them: whoever writes them into a document makes them safe there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

from workbench.model.exposure import (
    AttackPath,
    Choke,
    Scenario,
    ScenarioExposure,
    ServiceTraffic,
    TargetExposure,
)
from workbench.model.finding import Finding
from workbench.model.matrix import Matrix
from workbench.model.policy import Policy, Rule
from workbench.model.quality import Quality
from workbench.model.rendered import Verification
from workbench.model.response import Hop, Step
from workbench.model.verdict import Class, Coverage, RuleUse, Totals
from workbench.model.vulnerability import Exposed, RiskTotal

T = TypeVar("T")


class ReportFormat(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "markdown"
    CSV = "csv"
    """A folder with one file a table."""


@dataclass(frozen=True, slots=True)
class Some(Generic[T]):
    """The first of many: what is not listed is counted."""

    items: tuple[T, ...] = ()
    total: int = 0

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    @property
    def more(self) -> int:
        """How many are not listed."""
        return self.total - len(self.items)


@dataclass(frozen=True, slots=True)
class Digest:
    """One document that the report rests on."""

    name: str
    sha256: str
    """Hexadecimal; empty where there is no such file."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation, by name."""

    client: str
    server: str
    service: str
    flows: int
    bytes: int
    first_us: int
    last_us: int
    outcome: str
    direction: str
    klass: Class


@dataclass(frozen=True, slots=True)
class Loss:
    """A service of one server that would be blocked for somebody who uses it today."""

    server: str
    service: str
    clients: Some[str]
    flows: int
    bytes: int
    first_us: int
    last_us: int
    traced: int
    """Clients whose use of it is evidence of a finding, see Report.traced."""


@dataclass(frozen=True, slots=True)
class RuleFacts:
    """A rule, and what the recorded traffic says of it."""

    rule: Rule
    use: RuleUse
    first_us: int | None
    """When it first allowed something; None if never."""
    clients: int
    """Distinct addresses that used it."""
    servers: int
    flags: tuple[str, ...]
    """unused, expired, broad, expires soon."""


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment and its machines."""

    name: str
    protected: str
    """both, ingress, egress, or empty."""
    hosts: int
    """Addresses, seen or listed."""
    definition: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A guardrail that does not hold."""

    id: str
    witness: str
    because: str


@dataclass(frozen=True, slots=True)
class FindingFacts:
    """A finding by name, and what the policy makes of its evidence."""

    finding: Finding
    host: str
    peers: Some[str]
    blocked: int
    """Conversations of its evidence that the policy blocks."""
    judged: int
    """All conversations of its evidence."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """One conversation of the intrusion, by name."""

    step: Step
    client: str
    server: str
    service: str


@dataclass(frozen=True, slots=True)
class HopFacts:
    """One hop of the intrusion, by name."""

    hop: Hop
    client: str
    server: str


@dataclass(frozen=True, slots=True)
class ReplayFacts:
    """The findings of high confidence, replayed under the policy in order of time."""

    text: str
    """`stopped at hop 1 of 3`."""
    stopped: bool
    hops: Some[HopFacts]
    steps: Some[StepFacts]
    """Those that do more than look around."""
    looked: int
    """Steps of reconnaissance."""
    looked_stopped: int
    """How many of them do not get through."""


@dataclass(frozen=True, slots=True)
class Way:
    """The shortest way from a foothold to the crown jewels under one scenario."""

    foothold: str
    scenario: Scenario
    path: AttackPath | None
    """None when there is none."""


@dataclass(frozen=True, slots=True)
class ExposureFacts:
    """How far an intruder gets."""

    scenarios: tuple[ScenarioExposure, ...]
    """The loosest first, the draft last."""
    segments: Mapping[Scenario, tuple[TargetExposure, ...]]
    traffic: tuple[ServiceTraffic, ...]
    crown: Some[str]
    """Machines marked as crown jewels."""
    ways: tuple[Way, ...]
    chokes: Some[Choke]
    """Under the draft."""


@dataclass(frozen=True, slots=True)
class VulnerabilityFacts:
    """What scanners found."""

    exposed: Some[tuple[str, Exposed]]
    """Host name and vulnerability, the greatest risk under the draft first."""
    hosts: Some[RiskTotal]
    sources: tuple[tuple[str, str, int], ...]
    """Source, scanner, how many."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """One exported folder, read back and judged against the policy of this report."""

    folder: str
    files: tuple[Digest, ...]
    only: tuple[str, ...]
    """Segments that the export was restricted to."""
    edited: tuple[str, ...]
    """Files that are not what the workbench wrote."""
    verification: Verification | None
    trouble: str = ""
    """Why it could not be judged; empty when it was."""

    @property
    def proven(self) -> bool:
        return self.verification is not None and self.verification.proven


@dataclass(frozen=True)
class Report:
    """Everything that a report says."""

    workspace: str
    """The folder's name."""
    version: str
    """Of the workbench and what it rests on, in words."""
    made_us: int
    """When the report was made: the only thing in it that changes by itself."""
    on: date
    """The day that expiry is judged by."""
    unsaved: bool
    """The policy is a draft that differs from policy.yaml."""
    documents: tuple[Digest, ...]
    quality: Quality
    hosts: int
    """Machines seen."""
    policy: Policy
    matrix: Matrix
    """By segment."""
    segments: tuple[SegmentFacts, ...]
    rules: tuple[RuleFacts, ...]
    broken: tuple[Broken, ...]
    warnings: tuple[str, ...]
    totals: Totals
    coverage: Coverage
    losses: Some[Loss]
    """Worst first; those that are nothing but traces of an intruder last."""
    traced: int
    """Conversations that would be blocked and are evidence of a finding of medium or high
    confidence that nobody suppressed."""
    uncertain: Some[Talk]
    findings: Some[FindingFacts]
    """In order of time, the most certain and the worst kept where not all are."""
    findings_by: Mapping[str, int]
    """Confidence, or `suppressed` → findings."""
    replayed: ReplayFacts
    compared: tuple[str, ...]
    """What findings were compared with, as words of the command line; empty for nothing."""
    exposure: ExposureFacts
    vulnerabilities: VulnerabilityFacts
    certificates: tuple[Certificate, ...]
