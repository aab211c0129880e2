"""What the keys of the Exposure screen do to the session; in workers, but for `form_of`."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from workbench.model.errors import InputError
from workbench.model.exposure import Gate, GateKind, Scenario
from workbench.model.filters import Filter
from workbench.session.exposure import CROWN, YES

if TYPE_CHECKING:
    from workbench.session import Session
    from workbench.tui.desk import Told
    from workbench.tui.screens.form import Form

Scores = tuple[tuple[Scenario, float], ...]


def target_of(session: "Session") -> str:
    """The crown jewels, where there are any."""
    return CROWN if session.exposure.crowns() else ""


def scores_of(session: "Session", stopped: Callable[[], bool]) -> Scores:
    """The one number of every scenario."""
    exposure = session.exposure
    if not len(exposure.machines):
        return ()
    return tuple((one, exposure.score(one, stopped)) for one in exposure.scenarios)


def guard_it(session: "Session", service: str) -> "Told":
    """Add the ready guardrails, and say whether they hold."""
    ready = session.guard(service)
    label, changes = session.last_change()
    state = "✓ kept by the draft"
    if ready.broken:
        state = f"! not kept yet, {ready.broken[0].because}"
    return f"{label}: {state}", changes


def hosts_of(session: "Session", chosen: Filter) -> frozenset[str]:
    """Machines that the filter line lets through, by name."""
    name = session.inventory.name
    return frozenset(name(host.address) for host in session.hosts(chosen))


def crown_it(session: "Session", machine: str) -> None:
    """Make a machine a crown jewel, or no longer one: a label, as on the Hosts screen."""
    exposure = session.exposure
    value = None if machine in exposure.crowns() else YES
    if not (addresses := exposure.addresses(machine)):
        raise InputError(f"{machine} is no machine: b lists hosts")
    session.draft.label_hosts(addresses, {CROWN: value})


def form_of(session: "Session", gates: tuple[Gate, ...]) -> "Form | None":
    """Where a gate is made: its rule, or the segment that nobody protects."""
    from workbench.tui.screens.ruleform import RuleForm
    from workbench.tui.screens.segmentform import SegmentForm

    rules = {rule.id: rule for rule in session.policy.rules}
    segments = {segment.name: segment for segment in session.policy.segments}
    for gate in gates:
        if gate.kind is GateKind.RULE and gate.name in rules:
            return RuleForm(rules[gate.name], gate.name)
        if gate.kind is GateKind.UNPROTECTED and gate.name in segments:
            return SegmentForm(segments[gate.name], gate.name)
    return None
