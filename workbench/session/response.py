"""Answers to a finding as drafts, each with what it would do; and the intrusion replayed."""

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench import analysis
from workbench import policy as rules
from workbench.analysis import BrokenGuardrail
from workbench.analysis import response as responses
from workbench.analysis.outside import outside_of
from workbench.documents import read_if_there
from workbench.model.errors import Cancelled, InputError
from workbench.model.finding import Evidence, Finding, Level, Stage
from workbench.model.net import EVERYWHERE, AddressSet, format_address
from workbench.model.policy import ANY, Policy
from workbench.model.response import Answer, Cost, Covered, Edit, Replayed, Without
from workbench.model.simulation import Suggestion
from workbench.model.text import plural
from workbench.model.traffic import Stop
from workbench.model.verdict import Verdict
from workbench.policy import answers

if TYPE_CHECKING:
    from workbench.session.session import Session

_PAGE = 5000


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
    """Guardrails that the edit breaks."""
    unmet: tuple[BrokenGuardrail, ...]
    """Those that it adds, and which do not hold yet: nothing breaks by them."""
    draft: Policy
    """What was edited."""

    @property
    def changed(self) -> bool:
        """Whether there is anything to take."""
        return self.edit.policy != self.draft


class Response:
    """What a session does about findings: `session.response`. Safe to call from worker threads.

    Nothing changes before `take`, which makes an answer the draft in one step of undo. `among`:
    all findings of the look that the finding is from, the last look unless given; what went on
    before any of them speaks of it is known to be how the hosts work, and is left alone.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session

    # ── answers ────────────────────────────────────────────────────────────────────────────

    def guardrail(
        self,
        finding: Finding,
        *,
        wide: bool = False,
        among: Sequence[Finding] | None = None,
        cancelled: Stop = None,
    ) -> Answered:
        """Assert that it never happens again; wide: for the segments of both ends. InputError."""
        draft = self._session.policy
        among = self._session.findings.latest if among is None else among
        parts, left_out = self._covered(finding, among)

        def guarded(policy: Policy) -> Policy:
            return answers.put_never(
                policy,
                self._session.resolve(policy),
                parts,
                f"finding-{finding.id}",
                f"{finding.technique} {finding.title}"[:400],
                self._called,
                wide=wide,
            )

        label, edited = f"guardrail about finding {finding.id} added", guarded(draft)
        answered = self._answered(
            Answer.GUARDRAIL, finding, among, edited, label, left_out, cancelled
        )
        if answered.changed:
            return answered
        return replace(answered, unmet=self._session.check(guarded(replace(draft, guardrails=()))))

    def narrow(
        self,
        finding: Finding,
        without: Without = Without.EXACT,
        *,
        keep: bool = False,
        among: Sequence[Finding] | None = None,
        cancelled: Stop = None,
    ) -> Answered:
        """Take it out of the rules that let it through; where neither end is protected, one is,
        and what no rule allows there is blocked. Raises InputError.

        keep: rules for what worked there before the intrusion are added first.
        """
        draft, session = self._session.policy, self._session
        among = session.findings.latest if among is None else among
        parts, left_out = self._covered(finding, among)
        site = EVERYWHERE - outside_of(session.inventory)
        edited = answers.protect_ends(draft, session.resolve(draft), parts, site, self._called)
        if keep and edited != draft:
            edited = self._kept(draft, edited, (finding, *self.intrusion(among)))
        edited = answers.narrow(edited, session.resolve(edited), parts, without, self._called)
        label = f"rules narrowed by finding {finding.id}"
        return self._answered(Answer.NARROW, finding, among, edited, label, left_out, cancelled)

    def _kept(self, draft: Policy, edited: Policy, found: Sequence[Finding]) -> Policy:
        """With rules for what the edit blocks, and which worked before any of the findings."""
        before, after = self._session.try_policy(draft), self._session.try_policy(edited)
        rows = (before.verdicts != Verdict.BLOCKED) & (after.verdicts == Verdict.BLOCKED)
        rows &= after.table["first_us"] < min(one.first_us for one in found)
        return self._learn(edited, rows, False).policy

    def quarantine(
        self,
        finding: Finding,
        admins: Sequence[str] = (),
        services: Sequence[str] = (ANY,),
        *,
        host: int | None = None,
        among: Sequence[Finding] | None = None,
        cancelled: Stop = None,
    ) -> Answered:
        """Allow the finding's host (or another one, by address) nothing but access from `admins`:
        segments, hosts, addresses or networks. Raises InputError where a policy cannot say that."""
        among = self._session.findings.latest if among is None else among
        address = finding.host if host is None else host
        machine = AddressSet.of_addresses(self._session.inventory.machine(address))
        edited = answers.quarantine(
            self._session.policy,
            self._session.resolve,
            self._called(address),
            machine,
            self._admins(admins),
            tuple(services),
        )
        label = f"{self._session.inventory.name(address)} quarantined"
        return self._answered(Answer.QUARANTINE, finding, among, edited, label, 0, cancelled)

    def take(self, answered: Answered) -> None:
        """Make it the draft. Raises InputError when the draft is another one by now."""
        if self._session.policy is not answered.draft:
            raise InputError("the draft was edited since: ask again")
        self._session.draft.put_policy(answered.edit.policy, answered.edit.label)

    def diff(self, answered: Answered) -> str:
        """The edit as a unified diff of policy.yaml; empty when nothing changes."""
        file = self._session.workspace / "policy.yaml"
        written = read_if_there(file) or rules.dump_policy(Policy())
        before, after = (
            rules.update_text(written, one).splitlines(keepends=True)
            for one in (answered.draft, answered.edit.policy)
        )
        return "".join(difflib.unified_diff(before, after, "policy.yaml", "policy.yaml"))

    # ── replay ─────────────────────────────────────────────────────────────────────────────

    def intrusion(self, found: Sequence[Finding]) -> tuple[Finding, ...]:
        """What is replayed unless told: high confidence, not suppressed."""
        return tuple(
            one for one in found if one.confidence is Level.HIGH and one.suppression is None
        )

    def policy(self, name: str, *, before_us: int | None = None) -> Policy:
        """`none`, `saved`, `draft`, or `baseline`: what began before a moment, and nothing else.

        Raises InputError.
        """
        if name == "none":
            return Policy()
        if name == "saved":
            return self._session.draft.saved.policy
        if name == "draft":
            return self._session.policy
        if name != "baseline" or before_us is None:
            raise InputError(f"no policy {name!r}: none, saved, draft, or baseline with a time")
        bare = replace(self._session.policy, rules=(), protect=())
        return self.learn(bare, before_us, protect=True).policy

    def learn(self, draft: Policy, before_us: int, *, protect: bool | None = None) -> Suggestion:
        """Rules for what began before a moment and works: `suggest` from a baseline."""
        return self._learn(draft, self._session.table["first_us"] < before_us, protect)

    def _learn(self, draft: Policy, rows: NDArray[np.bool_], protect: bool | None) -> Suggestion:
        table = responses.only(self._session.table, rows)
        simulation = analysis.Simulator(table).simulate(self._session.resolve(draft))
        return analysis.suggest(simulation, draft, self._session.inventory, protect=protect)

    def replay(
        self, found: Sequence[Finding], policy: Policy, name: str, *, cancelled: Stop = None
    ) -> Replayed:
        """The findings' conversations in order of time under a policy. Raises Cancelled."""
        return self._replay(self._moments(found, cancelled), policy, name, cancelled)

    def _replay(
        self, moments: Sequence[responses.Moment], policy: Policy, name: str, cancelled: Stop
    ) -> Replayed:
        return responses.replay(
            moments,
            self._session.table,
            self._session.resolve(policy),
            self._session.inventory,
            name,
            decide=rules.decide,
            cancelled=cancelled,
        )

    def _moments(self, found: Sequence[Finding], cancelled: Stop) -> tuple[responses.Moment, ...]:
        """One for each conversation and stage."""
        table = self._session.table
        rows = responses.rows_of(table, {e.client for one in found for e in one.evidence})
        times: dict[tuple[Evidence, Stage], int] = {}
        told: dict[tuple[Evidence, Stage], list[Finding]] = defaultdict(list)
        for finding in sorted(found, key=lambda one: (one.first_us, one.id)):
            _check(cancelled)
            late = []
            for one in finding.evidence:
                row = rows.get(one)
                first = finding.first_us if row is None else int(table["first_us"][row])
                key = one, finding.stage
                told[key].append(finding)
                if first < finding.first_us:
                    late.append(one)
                else:
                    times[key] = min(first, times.get(key, first))
            for one, first in self._later(finding, late, cancelled).items():
                times[one, finding.stage] = min(first, times.get((one, finding.stage), first))
        return tuple(
            responses.Moment(times[key], key[0], tuple(findings), rows.get(key[0]))
            for key, findings in told.items()
        )

    def _later(
        self, finding: Finding, late: Sequence[Evidence], cancelled: Stop
    ) -> dict[Evidence, int]:
        """When conversations that are older than the finding have their first flow in its time."""
        times = dict.fromkeys(late, finding.first_us)
        left = set(late)
        if not left:
            return times
        with self._session.findings.flows_of(replace(finding, evidence=tuple(late))) as view:
            for start in range(0, view.total, _PAGE):
                _check(cancelled)
                for flow in view.page(start, _PAGE):
                    key = Evidence(flow.client, flow.server, flow.protocol, flow.server_port)
                    if key in left:
                        times[key] = flow.first_us
                        left.discard(key)
                if not left:
                    break
        return times

    # ── how ────────────────────────────────────────────────────────────────────────────────

    def _covered(
        self, finding: Finding, among: Sequence[Finding]
    ) -> tuple[tuple[Covered, ...], int]:
        session = self._session
        return responses.covered(finding, among, session.table, session.inventory)

    def _called(self, address: int) -> str:
        """The user's name for it; names that captures claim tell nobody apart."""
        host = self._session.inventory.by_address.get(address)
        return host.name if host else format_address(address)

    def _admins(self, admins: Sequence[str]) -> tuple[tuple[str, ...], AddressSet]:
        known = {segment.name for segment in self._session.policy.segments}
        segments, listed = [], AddressSet()
        for text in admins:
            if text == ANY:
                raise InputError("name who may administer it; `any` is everybody")
            if text in known:
                segments.append(text)
                continue
            try:
                listed |= AddressSet.of_cidrs([text])
            except ValueError:
                try:
                    listed |= AddressSet.of_addresses(self._session.addresses(text))
                except InputError as error:
                    raise InputError(
                        f"{text!r} is neither a segment, a host, an address nor a network"
                    ) from error
        return tuple(dict.fromkeys(segments)), listed

    def _answered(
        self,
        answer: Answer,
        finding: Finding,
        among: Sequence[Finding],
        edited: Policy,
        label: str,
        left_out: int,
        cancelled: Stop,
    ) -> Answered:
        session = self._session
        draft = session.policy
        _check(cancelled)
        own = [self._own(one, among) for one in {finding, *self.intrusion(among)}]
        moments = self._moments([finding], cancelled)
        before, after = (
            self._replay(moments, one, name, cancelled)
            for one, name in ((draft, "draft"), (edited, "edited"))
        )
        old, new = session.simulation, session.try_policy(edited)
        _check(cancelled)
        broken, unmet = self._broken(draft, edited)
        return Answered(
            edit=Edit(answer, edited, label, tuple(_notes(edited == draft, left_out))),
            before=before,
            after=after,
            cost=responses.cost(old, new, np.unique(np.concatenate(own))),
            broken=broken,
            unmet=unmet,
            draft=draft,
        )

    def _own(self, finding: Finding, among: Sequence[Finding]) -> NDArray[np.int64]:
        try:
            parts, _ = self._covered(finding, among)
        except InputError:
            return np.array([], np.int64)
        return responses.rows_within(parts, self._session.table)

    def _broken(
        self, draft: Policy, edited: Policy
    ) -> tuple[tuple[BrokenGuardrail, ...], tuple[BrokenGuardrail, ...]]:
        """Guardrails as they were meant before the edit: one that only speaks of fewer hosts now
        counts as broken where the old one would be. Apart from them, new ones."""
        was, now = self._session.resolve(draft), self._session.resolve(edited)
        known = {one.box.id for one in was.guardrails}
        fresh = tuple(one for one in now.guardrails if one.box.id not in known)
        meant = replace(now, guardrails=(*was.guardrails, *fresh))
        broken = analysis.newly_broken(was, meant)
        return (
            tuple(one for one in broken if one.id in known),
            tuple(one for one in broken if one.id not in known),
        )


def _notes(same: bool, left_out: int) -> Iterator[str]:
    if same:
        yield "the draft says so already: there is nothing to change"
    if left_out:
        yield (
            f"{plural(left_out, 'conversation')} left alone: judged by no policy, or going on "
            "before any finding speaks of them"
        )


def _check(cancelled: Stop) -> None:
    if cancelled and cancelled():
        raise Cancelled("stopped")
