"""First logins: a remote administration service used between two hosts that did not use it before.

What makes one weigh: that much was recorded before without it, that both ends look like
workstations, that the client has been scanning, or that somebody logged in to the client first.
What makes it weigh less: a role that administers by trade, use that comes back all day.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from workbench.analysis.findings.scene import (
    SECOND,
    Mask,
    Rows,
    Scene,
    distinct,
    grouped,
    many,
    pick,
)
from workbench.model.finding import Columns, Evidence, Finding, Level, Stage
from workbench.model.net import ICMP, TCP, service_text
from workbench.model.risky import RiskyService, risky_by_id, risky_service
from workbench.model.text import duration, short_bytes

FAMILIES = ("smb", "rdp", "dcom", "winrm", "ssh", "vnc", "remote-support", "legacy")
"""Risky services by which people (and intruders) work on other machines."""
POPULAR = 3
"""Clients of a server on one service: another one is no news."""
_UNSEEN = {
    "smb": "which shares, files and pipes were used (admin share, service control, scheduled task)",
    "dcom": "which interface was called (WMI is T1047, service control T1569.002, scheduled tasks "
    "T1053.005)",
    "winrm": "which commands ran",
}


@dataclass(frozen=True)
class Login:
    """The first use of one service between two machines."""

    client: int
    """Machine, by host index."""
    server: int
    service: RiskyService
    first_us: int
    last_us: int
    flows: int
    most_to_server: int
    """Bytes of the largest flow."""
    bytes_to_client: int
    occasions: int
    """Hours with use."""
    ports: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    new_us: int
    """Recorded time before it, without it."""
    alike: bool
    """Both ends look like workstations."""
    expected: bool
    """The client's role is to do this."""
    routine: bool
    """It comes back over half of the recording."""


def logins(scene: Scene) -> tuple[Login, ...]:
    """First logins in order of time; servers that everybody uses are left out."""
    table = _used(scene, scene.now.logins)
    known = _known(scene)
    clients = _clients_of(scene)
    stations = _workstations(scene)
    found = []
    keys = (scene.client(table), scene.server(table), family(table))
    for rows in grouped(*keys):
        login = _login(scene, table, rows, stations)
        key = (login.client, login.server, login.service.id)
        crowd = clients.get((login.server, login.service.id), 0)
        usual = login.routine and scene.before is None
        if key not in known and crowd < POPULAR and not usual:
            found.append(login)
    return tuple(sorted(found, key=lambda one: (one.first_us, one.client, one.server)))


def family(table: Columns) -> Rows:
    """By row: index into FAMILIES, -1 for none of them."""
    pairs = table["protocol"].astype(np.int64) << 16 | table["port"]
    kinds, place = np.unique(pairs, return_inverse=True)
    named = [risky_service(int(one) >> 16, int(one) & 0xFFFF) for one in kinds]
    numbers = [FAMILIES.index(one.id) if one and one.id in FAMILIES else -1 for one in named]
    return np.asarray(np.array(numbers, dtype=np.int64)[place])


def _used(scene: Scene, table: Columns) -> Columns:
    return pick(table, (table["used"] > 0) & (family(table) >= 0) & scene.within(table))


def _known(scene: Scene) -> set[tuple[int, int, str]]:
    """What was used in the earlier window."""
    if scene.before is None:
        return set()
    table = _used(scene, scene.before.logins)
    columns = (scene.client(table).tolist(), scene.server(table).tolist(), family(table).tolist())
    return {(a, b, FAMILIES[kind]) for a, b, kind in zip(*columns, strict=True)}


def _clients_of(scene: Scene) -> dict[tuple[int, str], int]:
    """Server and service → its clients; of the earlier window where there is one."""
    traces = scene.before or scene.now
    table = _used(scene, traces.logins)
    columns = (scene.server(table).tolist(), family(table).tolist(), scene.client(table).tolist())
    seen: dict[tuple[int, str], set[int]] = {}
    for server, kind, client in zip(*columns, strict=True):
        seen.setdefault((server, FAMILIES[kind]), set()).add(client)
    return {key: len(clients) for key, clients in seen.items()}


def _workstations(scene: Scene) -> Mask:
    """By host: it uses the services of others, and no two use its own, administration left out."""
    table = scene.now.contacts
    table = pick(table, (table["used"] > 0) & scene.within(table) & (table["protocol"] != ICMP))
    uses = np.zeros(len(scene.hosts), dtype=np.bool_)
    uses[scene.client(table)] = True
    table = pick(table, family(table) < 0)
    servers, clients = distinct(scene.server(table), scene.client(table))
    uses[servers[clients > 1]] = False
    return uses


def _login(scene: Scene, table: Columns, rows: Rows, stations: Mask) -> Login:
    row = rows[0]
    client, server = int(scene.client(table)[row]), int(scene.server(table)[row])
    service = risky_by_id(FAMILIES[int(family(pick(table, rows[:1]))[0])])
    first, last = int(table["first_us"][rows].min()), int(table["last_us"][rows].max())
    hours = len(np.unique(table["minute"][rows] // 60))
    return Login(
        client=client,
        server=server,
        service=service,
        first_us=first,
        last_us=last,
        flows=int(table["used"][rows].sum()),
        most_to_server=int(table["most_to_server"][rows].max()),
        bytes_to_client=int(table["bytes_to_client"][rows].sum()),
        occasions=hours,
        ports=tuple(sorted(set(table["port"][rows].tolist()))),
        evidence=scene.evidence(table, rows),
        new_us=scene.quiet_us(first),
        alike=bool(stations[client] and stations[server]),
        expected=bool(scene.expected[client]),
        routine=hours >= 4 and 2 * (last - first) >= scene.recorded_us,
    )


# ── findings ───────────────────────────────────────────────────────────────────────────────


def movement(
    scene: Scene, found: tuple[Login, ...], scouts: Mapping[int, int]
) -> dict[Login, tuple[Finding, ...]]:
    """Each first login's findings. `scouts`: machine → when it was seen to scout the network."""
    weights: dict[Login, int] = {}
    for login in found:  # in order of time: who was logged in to before is known by now
        weights[login] = _weight(scene, login, scouts, weights)
    return {
        login: tuple(
            _findings(scene, login, weight, tuple(_reasons(scene, login, scouts, weights)))
        )
        for login, weight in weights.items()
    }


def _weight(
    scene: Scene, login: Login, scouts: Mapping[int, int], before: Mapping[Login, int]
) -> int:
    """0 to 3 and more: LOW up to 1, MEDIUM 2, HIGH from 3."""
    if login.expected or login.routine:
        return 0
    weight = min(2, int(_recorded_long(scene, login)) + 2 * login.alike)
    if scouts.get(login.client, login.first_us) < login.first_us:
        weight += 2
    arrived = _arrived(scene, login, before)
    return weight + (2 if arrived >= 3 else arrived // 2)


def _recorded_long(scene: Scene, login: Login) -> bool:
    """Whether a first use can be told from one that was there before the recording."""
    return scene.before is not None or login.new_us >= scene.limits.quiet_before * SECOND


def _arrived(scene: Scene, login: Login, before: Mapping[Login, int]) -> int:
    """The weight of the most suspicious login to the client shortly before."""
    return max(
        (
            weight
            for one, weight in before.items()
            if one.server == login.client
            and 0 <= login.first_us - one.first_us <= scene.limits.chain_window * SECOND
        ),
        default=0,
    )


def level(weight: int) -> Level:
    """The confidence that a weight stands for."""
    return Level.HIGH if weight >= 3 else Level.MEDIUM if weight == 2 else Level.LOW


def _findings(scene: Scene, login: Login, weight: int, reasons: Iterable[str]) -> Iterator[Finding]:
    service = login.service
    ports = ", ".join(service_text(TCP, port) for port in login.ports)
    why = (
        f"{scene.name(login.client)} used {ports} of {scene.name(login.server)} for the first "
        f"time, in {many(login.flows, 'session')}; {', '.join(reasons)}"
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


def _reasons(
    scene: Scene, login: Login, scouts: Mapping[int, int], weights: Mapping[Login, int]
) -> Iterator[str]:
    if scene.before is not None:
        yield "never in the baseline"
    else:
        yield f"{duration(login.new_us)} were recorded before without it"
        if login.new_us < scene.limits.quiet_before * SECOND:
            yield "too little to say that it is new"
    if login.alike:
        yield "both look like workstations"
    if scouts.get(login.client, login.first_us) < login.first_us:
        yield "the client had scanned the network before"
    if _arrived(scene, login, weights) >= 2:
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
        ends = np.searchsorted(times, times + limits.fanout_window * SECOND, side="right")
        most = int((ends - np.arange(len(times))).max())
        burst = most >= limits.fanout_servers
        long = any(_recorded_long(scene, one) for one in mine)
        confidence = Level.MEDIUM if burst and long else Level.LOW
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
            title=f"{service.name} used on {many(len(mine), 'host')} for the first time",
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
    for hop in hops:
        earlier = [
            one
            for one in came_from
            if one.server == hop.client
            and one.client != hop.server
            and 0 < hop.first_us - one.first_us <= scene.limits.chain_window * SECOND
        ]
        came_from[hop] = max(earlier, key=lambda one: one.first_us, default=None)
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
