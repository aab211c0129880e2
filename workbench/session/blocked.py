"""What the policy blocks of the recorded traffic: what production would miss, and what not.

A conversation that would be blocked may be a loss, or the very thing that the policy is for: the
evidence of findings tells them apart as far as anything does.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.losses import losses
from workbench.analysis.response import rows_of
from workbench.model.finding import Finding, Level, Stage
from workbench.model.net import service_text
from workbench.model.report import (
    FindingFacts,
    HopFacts,
    Loss,
    ReplayFacts,
    Some,
    StepFacts,
)
from workbench.model.response import Step
from workbench.model.traffic import Stop
from workbench.model.verdict import Class, Verdict

if TYPE_CHECKING:
    from workbench.session.session import Session


class Blocked:
    """Losses and findings, each with what it has to do with the other."""

    def __init__(self, session: "Session", found: Sequence[Finding]) -> None:
        self._session = session
        self._found = found
        clients = {piece.client for one in found for piece in one.evidence}
        known = rows_of(session.table, clients)
        blocked = session.simulation.verdicts == Verdict.BLOCKED
        self._rows = {piece: row for piece, row in known.items() if blocked[row]}
        rows = [
            self._rows[piece]
            for one in found
            if one.confidence >= Level.MEDIUM and not one.suppression
            for piece in one.evidence
            if piece in self._rows
        ]
        self._traces = np.zeros(len(session.table), dtype=np.bool_)
        self._traces[rows] = True
        self._traces &= session.simulation.classes == Class.WOULD_BLOCK
        self.traced = int(np.count_nonzero(self._traces))
        """Conversations that would be blocked and are such evidence."""

    # ── losses ─────────────────────────────────────────────────────────────────────────────

    def losses(self, most: int | None) -> Some[Loss]:
        """Services that somebody uses today; last those that only an intruder seems to."""
        groups = sorted(
            losses(self._session.simulation), key=lambda rows: bool(self._traces[rows].all())
        )
        return Some(tuple(self._loss(rows, most) for rows in groups[:most]), len(groups))

    def _loss(self, rows: NDArray[np.int64], most: int | None) -> Loss:
        session, table = self._session, self._session.table
        seen = table.at(int(rows[0]))
        clients = [table.hosts.addresses[index] for index in table["client"][rows[:most]].tolist()]
        return Loss(
            session.name_of(seen.server),
            self._service(seen.protocol, seen.port),
            Some(tuple(map(session.inventory.name, clients)), len(rows)),
            int(table["flows"][rows].sum()),
            int(table["bytes"][rows].sum()),
            int(table["first_us"][rows].min()),
            int(table["last_us"][rows].max()),
            int(np.count_nonzero(self._traces[rows])),
        )

    def _service(self, protocol: int, port: int) -> str:
        """`modbus (tcp/502)`: by the policy's own word where it has one for just that."""
        text = service_text(protocol, port)
        for group in self._session.policy.services:
            if len(group.ranges) == 1 and group.ranges[0].covers(protocol, port):
                return f"{group.name} ({text})"
        return text

    # ── findings ───────────────────────────────────────────────────────────────────────────

    def findings(self, most: int | None) -> Some[FindingFacts]:
        """In order of time; where not all are wanted, the most certain and the worst."""
        ranked = sorted(
            self._found,
            key=lambda one: (bool(one.suppression), -one.confidence, -one.impact, one.first_us),
        )
        kept = {id(one) for one in ranked[:most]}
        shown = tuple(self._finding(one, most) for one in self._found if id(one) in kept)
        return Some(shown, len(self._found))

    def _finding(self, one: Finding, most: int | None) -> FindingFacts:
        session = self._session
        peers = tuple(map(session.inventory.name, one.peers[:most]))
        blocked = sum(piece in self._rows for piece in one.evidence)
        host = session.name_of(one.host)
        return FindingFacts(one, host, Some(peers, len(one.peers)), blocked, len(one.evidence))

    def replayed(self, most: int | None, cancelled: Stop) -> ReplayFacts:
        """The sure findings in order of time, under this policy. Raises Cancelled."""
        session, response = self._session, self._session.response
        sure = response.intrusion(self._found)
        found = response.replay(sure, session.policy, "draft", cancelled=cancelled)
        hops = tuple(
            HopFacts(one, session.name_of(one.client), session.name_of(one.server))
            for one in found.hops[:most]
        )
        looks = [one for one in found.steps if one.stage is Stage.RECONNAISSANCE]
        acts = [one for one in found.steps if one.stage is not Stage.RECONNAISSANCE]
        return ReplayFacts(
            text=found.text,
            stopped=found.stopped,
            hops=Some(hops, len(found.hops)),
            steps=Some(tuple(map(self._step, acts[:most])), len(acts)),
            looked=len(looks),
            looked_stopped=sum(not one.fate.through for one in looks),
        )

    def _step(self, one: Step) -> StepFacts:
        name, seen = self._session.name_of, one.conversation
        service = service_text(seen.protocol, seen.port)
        return StepFacts(one, name(seen.client), name(seen.server), service)
