"""Departures: what a host does now and did not before; what beats; who is new to a controller."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.findings.logins import family
from workbench.analysis.findings.scene import (
    SECOND,
    Mask,
    Scene,
    distinct,
    grouped,
    pick,
    service_at,
)
from workbench.analysis.numbers import within
from workbench.model.finding import Columns, Finding, Level, Stage, Traces
from workbench.model.net import TCP, ServiceRange, service_text
from workbench.model.risky import risky_by_id
from workbench.model.text import and_more, duration, plural, short_bytes

_CROWD = 3
"""Clients that beat to one service, or servers that one client beats to: that is how it works."""
_OPC_UA = ServiceRange(TCP, 4840, 4840)
_FEW = 6
"""Peers of a host that talks to few."""


def departures(scene: Scene, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Against the earlier window, where there is one; beacons and new clients of controllers."""
    if scene.before is not None:
        yield from _new_peers(scene, scene.before)
        yield from _new_services(scene, scene.before)
        yield from _vanished(scene, scene.before)
    yield from _beacons(scene, scouts)
    yield from _controllers(scene, scouts)


# ── before and now ─────────────────────────────────────────────────────────────────────────


def _inside(scene: Scene, traces: Traces) -> Columns:
    """What worked between machines of this site."""
    table = scene.working(traces)
    return pick(table, scene.within(table))


def _seen(scene: Scene, traces: Traces) -> NDArray[np.int32]:
    ends = (traces.contacts["client"], traces.contacts["server"])
    return np.unique(scene.machine[np.concatenate(ends)])


def _new_peers(scene: Scene, before: Traces) -> Iterator[Finding]:
    """Clients known from before, and the servers they use for the first time."""
    then, now = _inside(scene, before), _inside(scene, scene.now)
    pair = now["host"].astype(np.int64) << 32 | now["target"]
    old = then["host"].astype(np.int64) << 32 | then["target"]
    known = _seen(scene, before)
    fresh = np.flatnonzero(~np.isin(pair, old) & np.isin(now["host"], known))
    had = dict(zip(*(one.tolist() for one in distinct(then["host"], then["target"])), strict=True))
    for some in grouped(now["host"][fresh]):
        rows = fresh[some]
        host = int(now["host"][rows[0]])
        servers = np.unique(now["target"][rows])
        few = had.get(host, 0) < _FEW and len(servers) >= 3 and not scene.expected[host]
        admin = bool((family({name: now[name][rows] for name in ("protocol", "port")}) >= 0).any())
        yield Finding(
            kind="new-peer",
            stage=Stage.DEPARTURE,
            technique="T1021" if admin else "T1071",
            title=f"Uses {plural(len(servers), 'host')} that it did not use before",
            host=scene.address(host),
            peers=scene.addresses(servers),
            first_us=int(now["used_first_us"][rows].min()),
            last_us=int(now["used_last_us"][rows].max()),
            confidence=Level.MEDIUM if few else Level.LOW,
            impact=Level.MEDIUM if admin else Level.LOW,
            why=f"{scene.names(servers)}, against {plural(had.get(host, 0), 'host')} in the "
            "baseline",
            unseen="why: a new job and a new intruder look alike",
            evidence=scene.evidence(now, rows),
        )


def _new_services(scene: Scene, before: Traces) -> Iterator[Finding]:
    """Servers known from before that answer on a service for the first time."""
    then, now = _inside(scene, before), _inside(scene, scene.now)
    fresh = np.flatnonzero(
        ~np.isin(service_at(now), service_at(then)) & np.isin(now["target"], _seen(scene, before))
    )
    for some in grouped(now["target"][fresh]):
        rows = fresh[some]
        host = int(now["target"][rows[0]])
        pairs = zip(now["protocol"][rows].tolist(), now["port"][rows].tolist(), strict=True)
        told = [service_text(*one) for one in sorted(set(pairs))]
        yield Finding(
            kind="new-service",
            stage=Stage.DEPARTURE,
            technique="T1071",
            title=f"Answers on {plural(len(told), 'service')} for the first time",
            host=scene.address(host),
            peers=scene.addresses(now["host"][rows]),
            first_us=int(now["used_first_us"][rows].min()),
            last_us=int(now["used_last_us"][rows].max()),
            confidence=Level.LOW,
            impact=Level.MEDIUM,
            why=f"{and_more(told, 3)}: nobody used that of it in the baseline",
            unseen="the program behind it",
            evidence=scene.evidence(now, rows),
        )


def _vanished(scene: Scene, before: Traces) -> Iterator[Finding]:
    """Services with several clients before that answer nobody now, in at least half the time."""
    then, now = _inside(scene, before), _inside(scene, scene.now)
    times = (then["used_first_us"], then["used_last_us"])
    if not len(times[0]) or 2 * scene.recorded_us < int(times[1].max()) - int(times[0].min()):
        return
    answered, clients = distinct(service_at(then), then["host"])
    gone = answered[(clients >= 2) & ~np.isin(answered, service_at(now))]
    then = pick(then, np.isin(service_at(then), gone))
    for rows in grouped(service_at(then)):
        host = int(then["target"][rows[0]])
        service = service_text(int(then["protocol"][rows[0]]), int(then["port"][rows[0]]))
        yield Finding(
            kind="vanished",
            stage=Stage.DEPARTURE,
            technique="T1489",
            title=f"Nobody uses {service} of it any more",
            host=scene.address(host),
            peers=scene.addresses(then["host"][rows]),
            first_us=int(then["used_first_us"][rows].min()),
            last_us=int(then["used_last_us"][rows].max()),
            confidence=Level.LOW,
            impact=Level.LOW,
            why=f"{scene.names(np.unique(then['host'][rows]))} used it in the baseline; since then "
            f"{duration(scene.recorded_us)} were recorded",
            unseen="whether it stopped, moved, or was not needed",
            evidence=scene.evidence(then, rows),
            subject=service,
        )


# ── rhythm ─────────────────────────────────────────────────────────────────────────────────


def _beacons(scene: Scene, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """One client, one server, regular intervals; not what pollers and agents do."""
    table = scene.select(scene.now.rhythms, ~scene.many[scene.now.rhythms["server"]])
    crowd = np.zeros(len(table["host"]), dtype=np.bool_)
    for own, other in (("host", "target"), ("target", "host")):
        key = service_at(table, own)
        keys, counts = distinct(key, table[other])
        crowd |= np.isin(key, keys[counts >= _CROWD])
    rows = np.flatnonzero(~crowd & ~industrial(table) & ~scene.expected[table["client"]])
    for row in rows.tolist():
        yield _beacon(scene, table, row, scouts)


def _beacon(scene: Scene, table: Columns, row: int, scouts: Mapping[int, int]) -> Finding:
    host, target = int(table["host"][row]), int(table["target"][row])
    service = service_text(int(table["protocol"][row]), int(table["port"][row]))
    every, jitter = int(table["interval_us"][row]), int(table["jitter_us"][row])
    inside = bool(scene.inside[target])
    sure = host in scouts and not inside
    return Finding(
        kind="beacon",
        stage=Stage.DEPARTURE,
        technique="T1071",
        title=f"Regular contact with {scene.name(target)}, every {duration(every)}",
        host=scene.address(host),
        peers=(scene.address(target),),
        first_us=int(table["first_us"][row]),
        last_us=int(table["last_us"][row]),
        confidence=Level.MEDIUM if sure else Level.LOW,
        impact=Level.LOW if inside else Level.HIGH,
        why=f"{int(table['beats'][row]) + 1:,} contacts with {service}, every {duration(every)} "
        f"give or take {duration(jitter)}" + ("; the host had scanned the network" if sure else ""),
        unseen="what was said: updates, agents and implants beat alike",
        evidence=scene.evidence(table, np.array([row])),
        subject=f"{service} {scene.address(target):x}",
    )


def exfiltration(scene: Scene, suspects: Mapping[int, int]) -> Iterator[Finding]:
    """Hosts under suspicion that send much to an outside server which nobody else here uses."""
    contacts = scene.now.contacts
    outside = ~scene.inside[contacts["server"]] & ~scene.many[contacts["server"]]
    large = contacts["most_to_server"] >= scene.limits.transfer_bytes
    table = scene.select(contacts, outside & (contacts["used"] > 0))
    servers, clients = distinct(table["target"], table["host"])
    alone = servers[clients == 1]
    table = scene.select(contacts, outside & large & (contacts["used"] > 0))
    for row in range(len(table["host"])):
        host, target = int(table["host"][row]), int(table["target"][row])
        moment = int(table["large_us"][row])
        if suspects.get(host, moment) >= moment or target not in alone:
            continue
        size = short_bytes(int(table["most_to_server"][row]))
        yield Finding(
            kind="upload",
            stage=Stage.DEPARTURE,
            technique="T1041",
            title=f"{size} sent out to {scene.name(target)}",
            host=scene.address(host),
            peers=(scene.address(target),),
            first_us=moment,
            last_us=int(table["last_us"][row]),
            confidence=Level.MEDIUM,
            impact=Level.HIGH,
            why=f"one session carried {size} to an outside server that nobody else here uses, "
            "after the same host was seen at work in the network",
            unseen="what was sent",
            evidence=scene.evidence(table, np.array([row])),
            subject=f"{scene.address(target):x}",
        )


# ── controllers ────────────────────────────────────────────────────────────────────────────


def industrial(table: Columns) -> Mask:
    """Rows on ports of controllers."""
    services = (*risky_by_id("industrial").services, _OPC_UA)
    return within(table["protocol"], table["port"], services)


def _controllers(scene: Scene, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """A client that speaks to a controller for the first time, when others did all along."""
    now = _inside(scene, scene.now)
    rows = np.flatnonzero(industrial(now))
    old: set[tuple[int, int]] = set()
    if scene.before is not None:
        then = _inside(scene, scene.before)
        old = set(zip(then["host"].tolist(), then["target"].tolist(), strict=True))
    first: dict[int, int] = {}
    for row in rows.tolist():
        target = int(now["target"][row])
        first[target] = min(first.get(target, 1 << 62), int(now["used_first_us"][row]))
    for row in rows.tolist():
        host, target = int(now["host"][row]), int(now["target"][row])
        moment = int(now["used_first_us"][row])
        long = scene.before is not None or (
            scene.quiet_us(moment) - scene.quiet_us(first[target])
            >= scene.limits.quiet_before * SECOND
        )
        if long and (host, target) not in old:
            yield _controller(scene, now, row, scouts)


def _controller(scene: Scene, now: Columns, row: int, scouts: Mapping[int, int]) -> Finding:
    host, target = int(now["host"][row]), int(now["target"][row])
    moment = int(now["used_first_us"][row])
    service = service_text(int(now["protocol"][row]), int(now["port"][row]))
    confidence = Level.MEDIUM if scene.before is not None else Level.LOW
    if scouts.get(host, moment) < moment:
        confidence = Level.HIGH
    since = (
        "not in the baseline"
        if scene.before is not None
        else f"not in the {duration(scene.quiet_us(moment))} recorded before"
    )
    return Finding(
        kind="new-to-controller",
        stage=Stage.DEPARTURE,
        technique="T0855",
        title=f"Speaks {service} to the controller {scene.name(target)} for the first time",
        host=scene.address(host),
        peers=(scene.address(target),),
        first_us=moment,
        last_us=int(now["used_last_us"][row]),
        confidence=confidence,
        impact=Level.HIGH,
        why=f"{scene.name(host)} had {plural(int(now['used'][row]), 'session')} with it, {since}",
        unseen="whether it read or wrote",
        evidence=scene.evidence(now, np.array([row])),
        subject=f"{service} {scene.address(target):x}",
    )
