"""All detectors in the order in which an intruder works; each knows what the ones before found."""

from collections.abc import Iterable, Iterator, Mapping

from workbench.analysis.findings.controllers import commands
from workbench.analysis.findings.credentials import credentials
from workbench.analysis.findings.departures import departures, exfiltration
from workbench.analysis.findings.discovery import discovery
from workbench.analysis.findings.logins import Login, logins
from workbench.analysis.findings.movement import chains, fan_outs, movement
from workbench.analysis.findings.reconnaissance import reconnaissance
from workbench.analysis.findings.remote import listings, remote_work
from workbench.analysis.findings.roles import merged, roles
from workbench.analysis.findings.scene import Scene
from workbench.analysis.findings.secrets import secrets
from workbench.analysis.findings.sharpen import sharpened
from workbench.analysis.findings.talk import Talk
from workbench.analysis.findings.usual import unusual
from workbench.model.errors import Cancelled
from workbench.model.finding import Finding, Level
from workbench.model.net import TCP, UDP
from workbench.model.risky import ADMINISTRATION, risky_by_id
from workbench.model.traffic import Stop

SERVICES: tuple[tuple[int, int], ...] = (
    *(
        (piece.protocol, port)
        for slug in (*ADMINISTRATION, "kerberos", "directory")
        for piece in risky_by_id(slug).services
        for port in range(piece.first, piece.last + 1)
    ),
    *((UDP, port) for port in (53, 137, 5355)),
    (TCP, 53),
)
"""Protocol and port: what `Traces.logins` must hold."""


def detect(scene: Scene, cancelled: Stop = None) -> tuple[Finding, ...]:
    """Every finding, in order of time. Raises Cancelled, asked between the stages."""

    def stage(found: Iterable[Finding]) -> tuple[Finding, ...]:
        if cancelled is not None and cancelled():
            raise Cancelled("stopped looking for findings")
        return tuple(found)

    scouting = (*stage(reconnaissance(scene)), *stage(discovery(scene)))
    scouts = _suspects(scene, scouting)
    guesses = stage(credentials(scene, scouts))
    fresh = logins(scene)
    moves = stage(_moves(scene, fresh, scouts))
    suspects = _suspects(scene, (*scouting, *guesses, *moves))
    odd = merged((
        *moves, *stage(departures(scene, scouts)), *stage(exfiltration(scene, suspects)),
        *stage(roles(scene, fresh, moves)), *stage(unusual(scene)),
    ))  # fmt: skip
    talk = Talk(scene)
    sharp = stage((
        *listings(talk, scouts), *secrets(talk), *remote_work(talk, scouts),
        *commands(talk, scouts),
    ))  # fmt: skip
    return ordered(sharpened(scene, (*scouting, *guesses, *odd), sharp))


def _moves(scene: Scene, found: tuple[Login, ...], scouts: Mapping[int, int]) -> Iterator[Finding]:
    weighed = movement(scene, found, scouts)
    wide = tuple(fan_outs(scene, found, scouts))
    told = {(one.host, one.technique) for one in wide}
    single = (one for several in weighed.values() for one in several)
    # Where the fan-out tells it all, single logins that say no more are left to it.
    kept = (
        one for one in single if one.confidence > Level.LOW or (one.host, one.technique) not in told
    )
    yield from kept
    yield from wide
    yield from chains(scene, weighed)


def ordered(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """By time; equal ones by what they are, so that the order is always the same."""
    return tuple(sorted(found, key=lambda one: (one.first_us, one.stage, one.id)))


def _suspects(scene: Scene, found: Iterable[Finding]) -> dict[int, int]:
    """Machine → when it first did something that we are sure of."""
    suspects: dict[int, int] = {}
    for one in found:
        if one.confidence is Level.HIGH:
            host = int(scene.machine[scene.hosts.index[one.host]])
            suspects[host] = min(one.first_us, suspects.get(host, one.first_us))
    return suspects
