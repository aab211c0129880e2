"""New roles: a client that serves, a workstation that administers, a server that goes out."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.findings.logins import SIGN_IN, Login, family
from workbench.analysis.findings.scene import Mask, Scene, distinct, grouped, pick, service_at
from workbench.model.finding import Columns, Finding, Level, Stage
from workbench.model.net import service_text
from workbench.model.risky import ADMINISTRATION
from workbench.model.text import duration, plural

_DYNAMIC = 32_768
"""Ports from which clients go out: nobody's service."""
_FEW = 2
"""So many outside servers are no habit."""


def roles(scene: Scene, fresh: Sequence[Login], told: Iterable[Finding]) -> Iterator[Finding]:
    """Against the earlier window only. `fresh`: first logins; `told`: fan-outs among others."""
    if scene.before is None:
        return
    then, now = scene.working(scene.before), scene.working(scene.now)
    times = (then["used_first_us"], then["used_last_us"])
    recorded = int(times[1].max()) - int(times[0].min()) if len(times[0]) else 0
    view = _View(scene, then, now, recorded)
    wide = {one.host for one in told if one.kind == "fan-out" and one.confidence > Level.LOW}
    yield from _serves(view)
    yield from (one for one in _administers(view, fresh) if one.host not in wide)
    yield from _goes_out(view)


_LARGER = {
    "new-peer": "new-role",
    "new-service": "new-role",
    "fan-out": "new-role",
    "unusual-volume": "upload",
}
"""What another finding of the same host, or of its peer, may tell as a part."""


def merged(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without findings all of whose evidence belongs to a larger one that is as sure."""
    every = tuple(found)
    larger = [one for one in every if one.kind in _LARGER.values()]
    return tuple(one for one in every if not any(_part(one, other) for other in larger))


def _part(one: Finding, other: Finding) -> bool:
    return (
        _LARGER.get(one.kind) == other.kind
        and one.confidence <= other.confidence
        and set(one.evidence) <= set(other.evidence)
    )


class _View:
    """Both windows, and how far the earlier one reaches."""

    def __init__(self, scene: Scene, then: Columns, now: Columns, recorded: int) -> None:
        self.scene, self.then, self.now = scene, then, now
        self.inside_then = pick(then, scene.within(then))
        self.inside_now = pick(now, scene.within(now))
        self.known = np.union1d(then["host"], then["target"])
        self.recorded = recorded

    def finding(self, table: Columns, rows: NDArray[np.int64], host: int, **words: str) -> Finding:
        """`words`: technique, title, why, subject, unseen; peers are the other ends."""
        scene = self.scene
        others = np.where(table["host"][rows] == host, table["target"][rows], table["host"][rows])
        long = 2 * self.recorded >= scene.recorded_us
        sure = long and not scene.expected[host]
        why = f"{words['why']} in the {duration(self.recorded)} of the baseline"
        return Finding(
            kind="new-role",
            stage=Stage.DEPARTURE,
            technique=words["technique"],
            title=words["title"],
            host=scene.address(host),
            peers=scene.addresses(others),
            first_us=int(table["used_first_us"][rows].min()),
            last_us=int(table["used_last_us"][rows].max()),
            confidence=Level.MEDIUM if sure else Level.LOW,
            impact=Level.HIGH if words["subject"] == "administers" else Level.MEDIUM,
            why=why + ("" if long else ", which is short"),
            unseen=words["unseen"],
            evidence=scene.evidence(table, rows),
            subject=words["subject"],
        )


def _serves(view: _View) -> Iterator[Finding]:
    """A host that was a client only, and answers several clients on one service."""
    scene, now = view.scene, view.inside_now
    fresh = ~np.isin(now["target"], view.then["target"]) & np.isin(now["target"], view.then["host"])
    rows = np.flatnonzero(fresh & (now["port"] < _DYNAMIC))
    key = service_at(now)
    keys, clients = distinct(key[rows], now["host"][rows])
    rows = rows[np.isin(key[rows], keys[clients >= scene.limits.role_peers])]
    for some in grouped(now["target"][rows]):
        mine = rows[some]
        host = int(now["target"][mine[0]])
        pairs = {(int(now["protocol"][row]), int(now["port"][row])) for row in mine}
        names = [service_text(*pair) for pair in sorted(pairs)]
        count = len(np.unique(now["host"][mine]))
        yield view.finding(
            now, mine, host,
            technique="T1071",
            title=f"A client that begins to serve {plural(count, 'host')}",
            why=f"it answers {plural(count, 'client')} on {', '.join(names[:3])}, and was a client "
            "only",
            unseen="the program behind it",
            subject="serves",
        )  # fmt: skip


def _administers(view: _View, fresh: Sequence[Login]) -> Iterator[Finding]:
    """A host that administered nobody, and logs in to several servers."""
    scene, then, now = view.scene, view.inside_then, view.inside_now
    old = set(then["host"][_by_people(then)].tolist())
    found: dict[int, list[Login]] = {}
    for one in fresh:
        people = one.alike or one.service.id not in SIGN_IN
        if people and not one.outside and one.client in view.known and one.client not in old:
            found.setdefault(one.client, []).append(one)
    for host, logins in sorted(found.items(), key=lambda pair: scene.address(pair[0])):
        targets = {one.server for one in logins}
        if len(targets) < scene.limits.role_peers:
            continue
        mine = np.flatnonzero(
            (now["host"] == host) & np.isin(now["target"], sorted(targets)) & (family(now) >= 0)
        )
        names = sorted({one.service.id for one in logins})
        yield view.finding(
            now, mine, host,
            technique="T1021",
            title=f"Begins to administer {plural(len(targets), 'host')}",
            why=f"{', '.join(names)} to {scene.names(targets)}, and it had administered nobody",
            unseen="whether its user has a new job",
            subject="administers",
        )  # fmt: skip


def _by_people(table: Columns) -> Mask:
    """Rows on services by which people work on others; programs sign in all day."""
    programs = [ADMINISTRATION.index(one) for one in SIGN_IN]
    kind = family(table)
    return np.asarray((kind >= 0) & ~np.isin(kind, programs))


def _goes_out(view: _View) -> Iterator[Finding]:
    """A server that went out to few or nobody, and does to many."""
    scene, now, then = view.scene, view.now, view.then
    outside_then, outside_now = _outside(scene, then), _outside(scene, now)
    hosts, clients = distinct(view.inside_then["target"], view.inside_then["host"])
    servers = hosts[clients >= scene.limits.role_peers]
    habit, habits = distinct(then["host"][outside_then], then["target"][outside_then])
    rows = np.flatnonzero(
        outside_now
        & np.isin(now["host"], servers)
        & ~np.isin(now["host"], habit[habits >= _FEW])
        & ~np.isin(_pair(now), _pair(then))
    )
    for some in grouped(now["host"][rows]):
        mine = rows[some]
        host = int(now["host"][mine[0]])
        targets = np.unique(now["target"][mine])
        if len(targets) < scene.limits.role_peers:
            continue
        yield view.finding(
            now, mine, host,
            technique="T1071",
            title=f"A server that goes out to {plural(len(targets), 'outside host')}",
            why=f"{scene.names(targets)}; others come to it, and it went out to fewer than {_FEW}",
            unseen="what was said: updates and implants look alike",
            subject="goes out",
        )  # fmt: skip


def _outside(scene: Scene, table: Columns) -> Mask:
    return np.asarray(scene.inside[table["client"]] & ~scene.inside[table["server"]])


def _pair(table: Columns) -> NDArray[np.int64]:
    return np.asarray(table["host"].astype(np.int64) << 32 | table["target"])
