"""What payload says, beside the flows: facts by machine, and findings made of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.analysis.findings.scene import SECOND, Scene
from workbench.model.finding import MOST_EVIDENCE, Evidence, Finding, Level, Stage
from workbench.model.net import TCP
from workbench.model.spoken import Act, Said, Spoken
from workbench.model.text import and_more

_HOUR = 3600 * SECOND
_ROUTINE_HOURS = 4
_DOMAIN_PORTS = (88, 389)
_CONTROLLER_ROLES = {"dc", "ad", "domain-controller", "directory"}


@dataclass(frozen=True, slots=True)
class Line:
    """One fact between two machines."""

    fact: Spoken
    host: int
    """Machine of the client, by host index."""
    target: int

    @property
    def said(self) -> Said:
        return self.fact.said


@dataclass(frozen=True)
class Words:
    """What a finding made of lines says."""

    kind: str
    stage: Stage
    technique: str
    title: str
    why: str
    impact: Level = Level.HIGH
    unseen: str = ""
    subject: str = ""
    matter: tuple[str, str, str] | None = None
    """Kind, technique and subject that flows alone give to the same."""


class Talk:
    """The facts of a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.all = tuple(self._lines(scene.spoken))
        """By time; between machines of which the server is of this site."""
        self.earlier = tuple(self._lines(scene.spoken_before))
        """The same of the earlier window; empty without one."""
        self._before = {(one.said.act, one.said.what, one.host, one.target) for one in self.earlier}

    def _lines(self, facts: Iterable[Spoken]) -> Iterator[Line]:
        scene = self.scene
        index = scene.hosts.index
        for fact in facts:
            client, server = index.get(fact.client), index.get(fact.server)
            if client is None or server is None or scene.many[server]:
                continue
            host, target = int(scene.machine[client]), int(scene.machine[server])
            if host != target and (scene.inside[server] or scene.near(client, server)):
                yield Line(fact, host, target)

    def of(self, *acts: Act) -> tuple[Line, ...]:
        return tuple(one for one in self.all if one.said.act in acts)

    def new(self, line: Line) -> bool:
        """Whether the earlier window lacks the same; true without one."""
        key = line.said.act, line.said.what, line.host, line.target
        return key not in self._before

    def routine(self, lines: Sequence[Line]) -> bool:
        """It comes back in several hours, over half of the recording."""
        hours = {one.fact.first_us // _HOUR for one in lines}
        span = lines[-1].fact.last_us - lines[0].fact.first_us
        return len(hours) >= _ROUTINE_HOURS and 2 * span >= self.scene.recorded_us

    @cached_property
    def controllers(self) -> frozenset[int]:
        """Machines that answer as domain controllers do, or are said to be some."""
        scene, table = self.scene, self.scene.now.contacts
        every = [table, *([scene.before.contacts] if scene.before else [])]
        found: set[int] = set()
        for contacts in every:
            answers = (contacts["used"] > 0) & np.isin(contacts["port"], _DOMAIN_PORTS)
            found |= set(scene.machine[contacts["server"][answers]].tolist())
        shares = self.of(Act.SHARE)
        found |= {one.target for one in shares if one.said.what in ("SYSVOL", "NETLOGON")}
        named = [scene.inventory.labels(one).get("role") for one in scene.hosts.addresses]
        found |= {int(scene.machine[at]) for at, role in enumerate(named)
                  if role in _CONTROLLER_ROLES}  # fmt: skip
        return frozenset(found)

    @cached_property
    def _conversations(self) -> frozenset[Evidence]:
        scene, table = self.scene, self.scene.now.contacts
        index = scene.hosts.index
        mine = [index[one] for fact in scene.spoken for one in (fact.client, fact.server)
                if one in index]  # fmt: skip
        rows = np.flatnonzero(np.isin(table["client"], mine) & np.isin(table["server"], mine))
        columns = [table[name][rows].tolist() for name in ("client", "server", "protocol", "port")]
        return frozenset(
            Evidence(scene.address(client), scene.address(server), protocol, port)
            for client, server, protocol, port in zip(*columns, strict=True)
        )

    def _evidence(self, fact: Spoken) -> Evidence:
        """The conversation of a fact; an answer to a name question may run the other way."""
        ends = fact.client, fact.server
        there, back = (Evidence(*pair, fact.protocol, fact.port) for pair in (ends, ends[::-1]))
        return back if there not in self._conversations and back in self._conversations else there

    def finding(self, lines: Sequence[Line], confidence: Level, words: Words, *,
                host: int | None = None) -> Finding:  # fmt: skip
        """Made of lines of one client, or of one `host` that answers."""
        scene = self.scene
        who = lines[0].host if host is None else host
        others = {end for one in lines for end in (one.host, one.target) if end != who}
        evidence = sorted({self._evidence(one.fact) for one in lines})
        return Finding(
            kind=words.kind,
            stage=words.stage,
            technique=words.technique,
            title=words.title,
            host=scene.address(who),
            peers=scene.addresses(others),
            first_us=min(one.fact.first_us for one in lines),
            last_us=max(one.fact.last_us for one in lines),
            confidence=confidence,
            impact=words.impact,
            why=words.why,
            unseen=words.unseen,
            evidence=tuple(evidence[:MOST_EVIDENCE]),
            subject=words.subject,
            matter=words.matter,
        )


def by_host(lines: Iterable[Line]) -> Iterator[tuple[int, list[Line]]]:
    """Lines of each client, in the order of their first."""
    found: dict[int, list[Line]] = {}
    for one in lines:
        found.setdefault(one.host, []).append(one)
    yield from found.items()


def by_pair(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """Lines of each client and server."""
    found: dict[tuple[int, int], list[Line]] = {}
    for one in lines:
        found.setdefault((one.host, one.target), []).append(one)
    yield from found.values()


def densest(lines: Sequence[Line], window_s: int) -> list[Line]:
    """The stretch of a window with most facts counted; lines by time."""
    best: list[Line] = []
    most = begin = total = 0
    for at, one in enumerate(lines):
        total += one.fact.count
        while one.fact.first_us - lines[begin].fact.first_us > window_s * SECOND:
            total -= lines[begin].fact.count
            begin += 1
        if total > most:
            most, best = total, list(lines[begin : at + 1])
    return best


def told(texts: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 5 more`, each once."""
    return and_more(sorted({one for one in texts if one}), most)


def administrative(share: str) -> bool:
    """ADMIN$, or the root of a drive."""
    return share == "ADMIN$" or (len(share) == 2 and share[0].isalpha() and share[1] == "$")


SMB_PORTS = (445, 139)


def service_of(port: int, protocol: int) -> str:
    """The family of first logins that a conversation belongs to."""
    if protocol != TCP:
        return ""
    return "smb" if port in SMB_PORTS else "dcom" if port == 135 or port >= 1024 else ""
