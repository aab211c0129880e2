"""Expected against found: every row of a batch, and the differences in words."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.model.policy import ResolvedPolicy
from workbench.model.rendered import Check, Mismatch
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable
from workbench.model.verdict import Decision, Verdict
from workbench.verify.batch import Batch, equal_addresses

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
    """decide() for every row, asked once for each class of conversations the policy cannot tell
    apart. The opening packet is what an enforcer sees, so the direction counts as known."""
    if not len(batch):
        return np.zeros(0, np.uint8)
    classes = equal_addresses(batch, policy)
    keys = np.column_stack(
        [classes[batch.client], classes[batch.server], batch.protocol, batch.port]
    )
    _, rows, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    verdicts = [decide(policy, batch.at(row)).verdict for row in rows.tolist()]
    return np.array(verdicts, np.uint8)[inverse.reshape(-1)]


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
    case: Case, observed: Batch, probes: Batch, found: Callable[[Batch], Found]
) -> tuple[tuple[Mismatch, ...], tuple[Check, ...]]:
    """Judge both batches; a check says so when more differs than is listed."""
    listed: list[Mismatch] = []
    total = 0
    for label, batch, probe in (("observed", observed, False), ("probes", probes, True)):
        case.step(f"judging {label}", 0, len(batch))
        wanted = expected(batch, case.policy, case.decide)
        some, count = mismatches(batch, wanted, found(batch), probe=probe)
        listed, total = listed + some, total + count
        case.step(f"judging {label}", len(batch), len(batch))
    if total <= LISTED:
        return tuple(listed), ()
    detail = f"{total} conversations and probes differ; {LISTED} are listed"
    return tuple(listed[:LISTED]), (Check("differences", "failed", detail),)
