"""Answers to a finding as drafts, each with what it would do; and the intrusion replayed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.analysis import BrokenGuardrail
from workbench.model.finding import Finding
from workbench.model.policy import ANY, Policy
from workbench.model.response import Cost, Edit, Replayed, Without
from workbench.model.traffic import Stop

if TYPE_CHECKING:
    from workbench.session.session import Session


@dataclass(frozen=True)
class Answered:
    """An edit of the draft that is not made yet, and its effect."""

    edit: Edit
    before: Replayed
    """The finding's conversations under the draft as it is."""
    after: Replayed
    """The same under the edited draft: would it have stopped this, at which hop?"""
    cost: Cost
    """What else would break."""
    broken: tuple[BrokenGuardrail, ...]
    """Guardrails that hold now and would not."""


class Response:
    """What a session does about findings: `session.response`. Safe to call from worker threads.

    Nothing changes before `take`, which makes an answer the draft in one step of undo.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    def guardrail(
        self, finding: Finding, *, wide: bool = False, cancelled: Stop = None
    ) -> Answered:
        """Assert that it never happens again; wide: for the segments of both ends. InputError."""
        raise NotImplementedError

    def narrow(
        self, finding: Finding, without: Without = Without.EXACT, *, cancelled: Stop = None
    ) -> Answered:
        """Take it out of the rules that let it through. Raises InputError."""
        raise NotImplementedError

    def quarantine(
        self,
        finding: Finding,
        admins: Sequence[str] = (),
        services: Sequence[str] = (ANY,),
        *,
        host: int | None = None,
        cancelled: Stop = None,
    ) -> Answered:
        """Allow the finding's host (or another one, by address) nothing but access from `admins`:
        segments, hosts or addresses. Raises InputError where a policy cannot say that."""
        raise NotImplementedError

    def take(self, answered: Answered) -> None:
        """Make it the draft. Raises InputError when the draft is another one by now."""
        raise NotImplementedError

    def diff(self, answered: Answered) -> str:
        """The edit as a unified diff of policy.yaml; empty when nothing changes."""
        raise NotImplementedError

    def replay(
        self, found: Sequence[Finding], policy: Policy, name: str, *, cancelled: Stop = None
    ) -> Replayed:
        """The findings' conversations in order of time under a policy. Raises Cancelled."""
        raise NotImplementedError
