"""A policy replayed on recorded traffic, and what was learnt from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from workbench.model.policy import ANY, Policy, ResolvedPolicy, ResolvedRule, Rule
from workbench.model.traffic import ConversationTable, Direction
from workbench.model.verdict import Coverage, RuleUse, Totals


@dataclass(frozen=True)
class Simulation:
    """One verdict and one class for every row of the table."""

    table: ConversationTable
    policy: ResolvedPolicy
    verdicts: NDArray[Any]
    """uint8, Verdict, by row."""
    classes: NDArray[Any]
    """uint8, Class, by row."""
    totals: Totals
    coverage: Coverage
    rules: tuple[RuleUse, ...]
    """Policy order, expired rules included."""

    def rules_of(self, row: int) -> tuple[str, ...]:
        """Ids of the rules that match conversation `row`, policy order."""
        table = self.table
        service = int(table["protocol"][row]), int(table["port"][row])
        if service not in self._offered:
            self._offered[service] = tuple(
                rule
                for rule in self.policy.rules
                if any(piece.covers(*service) for piece in rule.services)
            )
        ends = (table["client"][row], table["server"][row])
        client, server = (table.hosts.addresses[end] for end in ends)
        return tuple(
            rule.id
            for rule in self._offered[service]
            if client in rule.clients and server in rule.servers
        )

    @cached_property
    def _offered(self) -> dict[tuple[int, int], tuple[ResolvedRule, ...]]:
        """Rules by the service they allow, filled as rows are asked for."""
        return {}


SOON = 60
"""Days before the last day of a rule that it is called out."""


def rule_flags(rule: Rule, use: RuleUse | None, on: date) -> list[str]:
    """`unused` or `expired`; `broad`: any client, server or service; `expires in 12 d`."""
    flags = [use.state] if use and use.state != "active" else []
    if ANY in (*rule.clients, *rule.servers, *rule.services):
        flags.append("broad")
    if rule.expires and "expired" not in flags and (left := (rule.expires - on).days) <= SOON:
        flags.append(f"expires in {left} d")
    return flags


@dataclass(frozen=True)
class Changes:
    """Rows whose class differs between two simulations of one table; arrays of one length."""

    rows: NDArray[Any]
    """int64, ascending."""
    before: NDArray[Any]
    """uint8, Class."""
    after: NDArray[Any]
    newly_allowed: int
    newly_blocked: int

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a rule is proposed."""

    conversations: int
    flows: int
    bytes: int
    clients: int
    """Distinct client hosts seen."""
    servers: int
    first_us: int
    last_us: int
    direction: Mapping[str, int]
    """Direction evidence in words → conversations."""
    outcomes: Mapping[str, int]
    """Outcome in words → conversations."""

    @property
    def weakest_direction(self) -> str:
        """In words; empty for none."""
        return next((kind.text for kind in Direction if self.direction.get(kind.text)), "")


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule the traffic asks for."""

    rule: Rule
    evidence: Evidence
    caution: str = ""
    """Why an engineer should look twice (seen once, wide, risky …); or empty."""
    breaks: tuple[str, ...] = ()
    """Ids of the *never* guardrails that the rule, being wider than what was seen, would break."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The draft extended by what the traffic asks for."""

    policy: Policy
    """The given policy plus the proposed rules, and segments for hosts that had none."""
    proposals: tuple[Proposal, ...]
    of: Policy
    """The given policy."""

    @property
    def harmless(self) -> tuple[str, ...]:
        """Ids of the rules that break no guardrail: all that may be taken without being named."""
        return tuple(one.rule.id for one in self.proposals if not one.breaks)
