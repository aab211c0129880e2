"""Findings of flows and findings of payload that tell of the same become one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from workbench.analysis.findings.scene import Scene
from workbench.analysis.findings.talk import service_of
from workbench.model.finding import Finding, Level, Stage
from workbench.model.spoken import Act
from workbench.model.text import and_more

_REPLACED = {
    "tool-transfer": ("file-written",),
    "guessing": ("refused-logins", "refused-spray"),
    "spraying": ("refused-logins", "refused-spray"),
    "ticket-burst": ("kerberoasting", "as-rep-roasting", "refused-logins", "refused-spray"),
    "name-answers": ("name-poisoning",),
    "new-to-controller": ("controller-command",),
}
"""What flows show → what payload shows of the same, for the same host and a common peer."""


def sharpened(
    scene: Scene, rough: Iterable[Finding], sharp: Sequence[Finding]
) -> tuple[Finding, ...]:
    """The sharp ones take the place of the rough, and their confidence where it was higher."""
    better = {one.id: one for one in sharp}
    alone = {one.id: one.confidence for one in sharp}
    kept = []
    sealed = any(one.said.act is Act.SEALED for one in scene.spoken)
    for one in rough:
        same = [other for other in better.values() if _same(one, other)]
        for other in same:
            better[other.id] = replace(
                other,
                confidence=max(one.confidence, other.confidence),
                why=f"{other.why}; {one.why}" if one.kind == "first-login" else other.why,
                evidence=tuple(sorted({*one.evidence, *other.evidence})),
                first_us=min(one.first_us, other.first_us),
                last_us=max(one.last_us, other.last_us),
                # Who put aside what was less sure did not put this aside.
                also=other.also + (one.known_by if alone[other.id] <= one.confidence else ()),
            )
        if not same:
            kept.append(_unseen(scene, _let_in(scene, one), sealed))
    return (*kept, *better.values())


def _same(rough: Finding, sharp: Finding) -> bool:
    if rough.id == sharp.id:
        return True
    if rough.host != sharp.host or not set(rough.peers) & set(sharp.peers):
        return False
    if rough.kind == "first-login":
        mine, theirs = _families(rough), _families(sharp)
        return (
            sharp.stage is Stage.MOVEMENT and bool(mine & theirs) and sharp.kind != "file-written"
        )
    return sharp.kind in _REPLACED.get(rough.kind, ()) and _ports(rough, sharp)


def _ports(rough: Finding, sharp: Finding) -> bool:
    """Guesses at one service are not those at another."""
    ports = [{piece.port for piece in one.evidence} for one in (rough, sharp)]
    return rough.kind not in ("guessing", "spraying", "tool-transfer") or bool(ports[0] & ports[1])


def _families(finding: Finding) -> set[str]:
    return {service_of(one.port, one.protocol) for one in finding.evidence} - {""}


def _let_in(scene: Scene, one: Finding) -> Finding:
    """Short SMB sessions that were all let in are no guesses."""
    if one.kind != "guessing" or "smb" not in _families(one):
        return one
    said = {
        fact.said.act
        for fact in scene.spoken
        if fact.client == one.host and fact.server in one.peers
    }
    if Act.LOGIN not in said or Act.REFUSED in said:
        return one
    return replace(one, confidence=Level.LOW, why=f"{one.why}; none was seen to be refused")


def _unseen(scene: Scene, one: Finding, sealed: bool) -> Finding:
    """Say why payload says no more."""
    if not one.unseen:
        return one
    if scene.unheard:
        return replace(one, unseen=f"{one.unseen}; not read: {and_more(scene.unheard, 1)}")
    if sealed and "smb" in _families(one):
        return replace(one, unseen=f"{one.unseen}; SMB is encrypted here")
    return one
