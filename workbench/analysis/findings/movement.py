"""Movement: what first logins mean, one by one, fanned out, and one after the other.

What makes one weigh: that much was recorded before without it, that both ends look like
workstations, that the client has been scanning, or that somebody logged in to the client first.
What makes it weigh less: a role that administers by trade, use that comes back all day.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from workbench.analysis.findings.logins import Login
from workbench.analysis.findings.scene import SECOND, Scene, busiest
from workbench.model.finding import Finding, Level, Stage
from workbench.model.net import TCP, service_text
from workbench.model.risky import risky_by_id
from workbench.model.text import duration, plural, short_bytes

_UNSEEN = {
    "smb": "which shares, files and pipes were used (admin share, service control, scheduled task)",
    "dcom": "which interface was called (WMI is T1047, service control T1569.002, scheduled tasks "
    "T1053.005)",
    "winrm": "which commands ran",
}
_AT_ONCE = 30
"""Seconds: several servers within it are a program's work."""

# ── findings ───────────────────────────────────────────────────────────────────────────────


def movement(
    scene: Scene, found: tuple[Login, ...], scouts: Mapping[int, int]
) -> dict[Login, tuple[Finding, ...]]:
    """Each first login's findings. `scouts`: machine → when it was seen to scout the network."""
    told: dict[Login, tuple[Finding, ...]] = {}
    to: dict[int, list[tuple[Login, int]]] = {}
    for login in found:  # in order of time: who was logged in to before is known by now
        arrived = _arrived(scene, login, to.get(login.client, []))
        weight = _weight(scene, login, scouts, arrived)
        to.setdefault(login.server, []).append((login, weight))
        told[login] = tuple(
            _findings(scene, login, weight, _reasons(scene, login, scouts, arrived))
        )
    return told


def _weight(scene: Scene, login: Login, scouts: Mapping[int, int], arrived: int) -> int:
    """0 to 3 and more: LOW up to 1, MEDIUM 2, HIGH from 3."""
    if login.expected or login.routine:
        return 0
    weight = int(_recorded_long(scene, login)) + 2 * login.alike + login.outside
    scout = scouts.get(login.client, login.first_us) < login.first_us
    # Never sure by itself: administrators make first logins every day, and hop by jump hosts.
    weight = min(2, weight + (arrived >= 2))
    return weight + 2 * (scout or arrived >= 3)


def _recorded_long(scene: Scene, login: Login) -> bool:
    """Whether a first use can be told from one that was there before the recording."""
    return scene.before is not None or login.new_us >= scene.limits.quiet_before * SECOND


def _arrived(scene: Scene, login: Login, before: Iterable[tuple[Login, int]]) -> int:
    """The weight of the most suspicious login to the client shortly before."""
    window = scene.limits.chain_window * SECOND
    recent = (weight for one, weight in before if login.first_us - one.first_us <= window)
    return max(recent, default=0)


def level(weight: int) -> Level:
    """The confidence that a weight stands for."""
    return Level.HIGH if weight >= 3 else Level.MEDIUM if weight == 2 else Level.LOW


def _findings(scene: Scene, login: Login, weight: int, reasons: Iterable[str]) -> Iterator[Finding]:
    service = login.service
    ports = ", ".join(service_text(TCP, port) for port in login.ports)
    why = (
        f"{scene.name(login.client)} used {ports} of {scene.name(login.server)} for the first "
        f"time, in {plural(login.flows, 'session')}; {', '.join(reasons)}"
    )
    first = Finding(
        kind="first-login",
        stage=Stage.MOVEMENT,
        technique=service.technique,
        title=f"First use of {service.name} on {scene.name(login.server)}",
        host=scene.address(login.client),
        peers=(scene.address(login.server),),
        first_us=login.first_us,
        last_us=login.last_us,
        confidence=level(weight),
        impact=Level.HIGH,
        why=why,
        unseen=_UNSEEN.get(service.id, "who logged in, and whether it was let in"),
        evidence=login.evidence,
        subject=f"{service.id} {scene.address(login.server):x}",
    )
    yield first
    if _transfer(scene, login):
        yield _tool_transfer(scene, login, first)


def _reasons(scene: Scene, login: Login, scouts: Mapping[int, int], arrived: int) -> Iterator[str]:
    if scene.before is not None:
        yield "never in the baseline"
    else:
        yield f"{duration(login.new_us)} were recorded before without it"
        if login.new_us < scene.limits.quiet_before * SECOND:
            yield "too little to say that it is new"
    if login.alike:
        yield "both look like workstations"
    if login.outside:
        yield "the client is outside"
    if scouts.get(login.client, login.first_us) < login.first_us:
        yield "the client had scanned the network before"
    if login.tries:
        yield f"{plural(login.tries, 'short session')} before one that stayed, as failed logins are"
    if arrived >= 2:
        yield "somebody had logged in to the client in the same way before"
    if login.expected:
        yield "the client's role is to administer others"
    if login.routine:
        yield f"and it comes back in {login.occasions} different hours"


def _transfer(scene: Scene, login: Login) -> bool:
    return (
        login.service.id in ("smb", "winrm", "ssh")
        and login.most_to_server >= scene.limits.transfer_bytes
    )


def _tool_transfer(scene: Scene, login: Login, first: Finding) -> Finding:
    sent = short_bytes(login.most_to_server)
    return Finding(
        kind="tool-transfer",
        stage=Stage.MOVEMENT,
        technique="T1570",
        title=f"{sent} sent to {scene.name(login.server)} over {login.service.name}",
        host=first.host,
        peers=first.peers,
        first_us=login.first_us,
        last_us=login.last_us,
        confidence=min(first.confidence, Level.MEDIUM) if login.new_us == 0 else first.confidence,
        impact=Level.HIGH,
        why=f"the largest session carried {sent} to a host whose {login.service.name} it had not "
        "used before",
        unseen="what was sent: names and contents of files",
        evidence=login.evidence,
        subject=first.subject,
    )


# ── several at once ────────────────────────────────────────────────────────────────────────


def fan_outs(scene: Scene, found: Iterable[Login], scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Clients that begin to administer many hosts within minutes, or over the recording."""
    limits = scene.limits
    per: dict[tuple[int, str], list[Login]] = {}
    for login in found:
        per.setdefault((login.client, login.service.id), []).append(login)
    for (client, slug), mine in sorted(per.items()):
        if len(mine) < limits.administers:
            continue
        times = np.array([one.first_us for one in mine])
        begin, end = busiest(times, limits.fanout_window)
        at_once, behind = busiest(times, _AT_ONCE)
        most, program = end - begin, behind - at_once >= limits.administers
        burst = most >= limits.fanout_servers or program
        long = any(_recorded_long(scene, one) for one in mine)
        confidence = Level.MEDIUM if (burst and long) or program else Level.LOW
        if burst and scouts.get(client, int(times[-1])) < times[-1]:
            confidence = Level.HIGH
        if scene.expected[client]:
            confidence = Level.LOW
        service = risky_by_id(slug)
        servers = [one.server for one in mine]
        yield Finding(
            kind="fan-out",
            stage=Stage.MOVEMENT,
            technique=service.technique,
            title=f"{service.name} used on {plural(len(mine), 'host')} for the first time",
            host=scene.address(client),
            peers=scene.addresses(servers),
            first_us=int(times[0]),
            last_us=max(one.last_us for one in mine),
            confidence=confidence,
            impact=Level.HIGH,
            why=f"{scene.names(servers)}: {most:,} of them within "
            f"{duration(limits.fanout_window * SECOND)}"
            + ("; the client's role is to administer others" if scene.expected[client] else ""),
            unseen="who logged in, and whether it was let in",
            evidence=tuple(sorted({piece for one in mine for piece in one.evidence})),
            subject=slug,
        )


def chains(scene: Scene, weighed: Mapping[Login, tuple[Finding, ...]]) -> Iterator[Finding]:
    """Logins that hop A → B → C in time order, each the latest that can have led to the next."""
    hops = [one for one in weighed if not one.expected and not one.routine]
    came_from: dict[Login, Login | None] = {}
    to: dict[int, list[Login]] = {}
    for hop in hops:
        earlier = [
            one
            for one in to.get(hop.client, ())
            if one.client != hop.server
            and 0 < hop.first_us - one.first_us <= scene.limits.chain_window * SECOND
        ]
        came_from[hop] = earlier[-1] if earlier else None
        to.setdefault(hop.server, []).append(hop)
    inner = {one for one in came_from.values() if one is not None}
    seen: set[tuple[int, ...]] = set()
    for hop in hops:
        path = _path(hop, came_from)
        places = (path[0].client, *(one.server for one in path))
        if hop in inner or len(path) < 2 or len(set(places)) < len(places) or places in seen:
            continue
        seen.add(places)
        yield _chain(scene, path, places, [weighed[one][0].confidence for one in path])


def _path(hop: Login, came_from: Mapping[Login, Login | None]) -> list[Login]:
    path = [hop]
    while (previous := came_from[path[0]]) is not None and len(path) < 16:
        path.insert(0, previous)
    return path


def _chain(
    scene: Scene, path: list[Login], places: tuple[int, ...], levels: list[Level]
) -> Finding:
    route = " → ".join(map(scene.name, places))
    services = ", then ".join(one.service.name for one in path)
    confidence = max(levels) if max(levels) is Level.HIGH else Level.MEDIUM
    if not any(_recorded_long(scene, one) for one in path):
        confidence = Level.LOW
    return Finding(
        kind="login-chain",
        stage=Stage.MOVEMENT,
        technique="T1021",
        title=f"Logins in a chain: {route}",
        host=scene.address(places[0]),
        peers=scene.addresses(places[1:]),
        first_us=path[0].first_us,
        last_us=path[-1].last_us,
        confidence=confidence,
        impact=Level.HIGH,
        why=f"{services}, each for the first time and in this order within "
        f"{duration(path[-1].first_us - path[0].first_us)}",
        unseen="whether one and the same person or program did all of it",
        evidence=tuple(sorted({piece for one in path for piece in one.evidence})),
        subject=" ".join(f"{scene.address(one):x}" for one in places[1:]),
    )
