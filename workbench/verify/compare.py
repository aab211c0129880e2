"""Expected against found: every row of a batch, and the differences in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ANY_PROTOCOL
from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Check, Mismatch
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable
from workbench.model.verdict import NOT_POLICY, Decision, Verdict
from workbench.verify.batch import Batch, grouped

Decide = Callable[[ResolvedPolicy, Conversation], Decision]
LISTED = 1000
"""Mismatches kept for one verification; the rest are counted."""


@dataclass(frozen=True)
class Case:
    """What a verification is about."""

    policy: ResolvedPolicy
    table: ConversationTable
    inventory: Inventory
    decide: Decide
    kernel: bool
    """Ask the kernel, too, where it can be asked."""
    step: Callable[[str, int, int], None]
    """Reports progress (label, done, total); raises Cancelled."""

    def tick(self) -> None:
        """Before judging: nothing to count yet."""
        self.step("looking for what can be told apart", 0, 0)


@dataclass(frozen=True)
class Found:
    """What the files do with each conversation of a batch."""

    codes: NDArray[np.int64]
    """By row, an index into `names`."""
    names: tuple[str, ...]
    """Code → what the files do, in words."""
    accepts: frozenset[int]
    """Codes that satisfy a policy that lets the conversation pass."""
    drops: frozenset[int]
    """Codes that satisfy a policy that blocks it."""


def expected(batch: Batch, policy: ResolvedPolicy, decide: Decide) -> NDArray[np.uint8]:
    """decide() for every row, asked once for each class of rows that no set tells apart.

    A verdict depends on the service, and on the ends only through the sets of the rules for that
    service and of the protection: so each service is asked with its own rules, one row of each
    class. The opening packet is what an enforcer sees, so the direction counts as known.
    """
    verdicts = np.zeros(len(batch), np.uint8)
    members = lru_cache(maxsize=None)(batch.members)
    scopes = [
        members(found) for found in (policy.protected_ingress, policy.protected_egress, NOT_POLICY)
    ]
    sides = [(members(rule.clients), members(rule.servers)) for rule in policy.rules]
    for rows, numbers in _services(batch, policy):
        clients, servers = batch.client[rows], batch.server[rows]
        masks = [mask[end] for mask in scopes for end in (clients, servers)]
        masks += [
            mask[end]
            for at in numbers
            for mask, end in zip(sides[at], (clients, servers), strict=True)
        ]
        classes = grouped(masks, len(rows))
        _, firsts = np.unique(classes, return_index=True)
        part = replace(policy, rules=tuple(policy.rules[at] for at in numbers))
        answers = [decide(part, batch.at(rows[first])).verdict for first in firsts.tolist()]
        verdicts[rows] = np.array(answers, np.uint8)[classes]
    return verdicts


def _services(
    batch: Batch, policy: ResolvedPolicy
) -> Iterator[tuple[NDArray[np.int64], list[int]]]:
    """The rows of each service, and the numbers of the rules that speak of it."""
    services, inverse = np.unique(batch.protocol << 16 | batch.port, return_inverse=True)
    rules: list[list[int]] = [[] for _ in services]
    for number, rule in enumerate(policy.rules):
        speaks = np.zeros(len(services), np.bool_)
        for piece in rule.services:
            ours = (services >> 16 == piece.protocol) | (piece.protocol == ANY_PROTOCOL)
            ports = services & 0xFFFF
            speaks |= ours & (ports >= piece.first) & (ports <= piece.last)
        for at in np.flatnonzero(speaks).tolist():
            rules[at].append(number)
    order = np.argsort(inverse.reshape(-1), kind="stable")
    ends = np.cumsum(np.bincount(inverse.reshape(-1), minlength=len(services)))
    for at, rows in enumerate(np.split(order, ends[:-1]) if len(services) else []):
        yield rows, rules[at]


def differing(wanted: NDArray[np.uint8], found: Found) -> NDArray[np.int64]:
    """Rows where the files and the policy disagree, ascending."""
    right = np.where(
        wanted == Verdict.BLOCKED,
        np.isin(found.codes, list(found.drops)),
        np.isin(found.codes, list(found.accepts)),
    )
    return np.flatnonzero(~right)


def mismatches(
    batch: Batch, wanted: NDArray[np.uint8], found: Found, *, probe: bool
) -> tuple[list[Mismatch], int]:
    """The first LISTED differences in words, and how many there are."""
    rows = differing(wanted, found)
    listed = [
        Mismatch(
            conversation=str(batch.at(row)),
            expected=Verdict(int(wanted[row])).text,
            found=found.names[found.codes[row]],
            probe=probe,
        )
        for row in rows[:LISTED].tolist()
    ]
    return listed, len(rows)


def compare(
    case: Case, observed: Batch, probes: Sequence[Batch], found: Callable[[Batch], Found]
) -> tuple[tuple[Mismatch, ...], tuple[Check, ...]]:
    """Judge all batches; a check says so when more differs than is listed."""
    listed: list[Mismatch] = []
    total = 0
    for label, probe, batches in (("observed", False, (observed,)), ("probes", True, probes)):
        size, done = sum(map(len, batches)), 0
        for batch in (part for whole in batches for part in whole.pieces()):
            case.step(f"judging {label}", done, size)
            wanted = expected(batch, case.policy, case.decide)
            some, count = mismatches(batch, wanted, found(batch), probe=probe)
            listed, total, done = (listed + some)[:LISTED], total + count, done + len(batch)
        case.step(f"judging {label}", size, size)
    if total <= LISTED:
        return tuple(listed), ()
    detail = f"{total:,} conversations and probes differ; {LISTED} are listed"
    return tuple(listed), (Check("differences", "failed", detail),)
