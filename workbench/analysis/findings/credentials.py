"""Guessed passwords and poisoned names, as far as flows show them.

A failed login looks like a short session in which little is said. Many of them on one server are
guessing, a few on each of many servers spraying; what a server answered is not in a flow.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.findings.bursts import burst_finding, outstanding, peak
from workbench.analysis.findings.logins import family
from workbench.analysis.findings.scene import SECOND, Rows, Scene, distinct, grouped, pick
from workbench.analysis.findings.talk import Words
from workbench.model.finding import Columns, Finding, Level, Stage
from workbench.model.net import UDP
from workbench.model.risky import ADMINISTRATION, risky_by_id
from workbench.model.text import duration, percent, plural

_ROUTINE_HOURS = 3
"""Hours with the same between two hosts that make it their routine."""
_UNSEEN = "whether logins failed, and for which accounts"
_CHATTY = ("winrm", "smb")
"""Services that open short sessions by nature."""


def credentials(scene: Scene, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Guessing, spraying, bursts of tickets, poisoned names."""
    table = scene.now.logins
    kind = family(table)
    mask = (table["brief"] > 0) & (kind >= 0) & scene.within(table)
    brief = {**scene.select(table, mask), "family": kind[mask]}
    yield from _guessing(scene, brief)
    yield from _spraying(scene, brief, scouts)
    yield from _tickets(scene)
    yield from _poisoning(scene)


# ── guessing ───────────────────────────────────────────────────────────────────────────────


def _guessing(scene: Scene, brief: Columns) -> Iterator[Finding]:
    limits = scene.limits
    for rows in _with_enough(brief, limits.guess_attempts):
        attempts, first, last = peak(brief, rows, "brief", limits.guess_window)
        if attempts >= limits.guess_attempts:
            yield _guess(scene, brief, rows, (attempts, first, last))


def _with_enough(brief: Columns, least: int) -> Iterator[Rows]:
    """Rows of each client, server and family with at least so many short sessions in all."""
    for rows in grouped(brief["host"], brief["target"], brief["family"]):
        if int(brief["brief"][rows].sum()) >= least:
            yield rows


def _guess(scene: Scene, brief: Columns, rows: Rows, burst: tuple[int, int, int]) -> Finding:
    attempts, first, last = burst
    host, target = int(brief["host"][rows[0]]), int(brief["target"][rows[0]])
    slug = ADMINISTRATION[int(brief["family"][rows[0]])]
    service = risky_by_id(slug)
    inside = rows[(brief["first_us"][rows] >= first) & (brief["first_us"][rows] <= last)]
    share = int(brief["brief"][inside].sum()) / int(brief["used"][inside].sum())
    hours = len(np.unique(brief["minute"][rows] // 60))
    routine = hours >= _ROUTINE_HOURS
    confidence = Level.MEDIUM
    if attempts >= scene.limits.guess_sure and share >= 0.9 and service.id not in _CHATTY:
        confidence = Level.HIGH
    if routine or (service.id in _CHATTY and attempts < scene.limits.guess_sure):
        confidence = Level.LOW
    if scene.expected[host]:
        confidence = Level.LOW
    why = (
        f"{attempts:,} short sessions with {service.name} of {scene.name(target)} within "
        f"{duration(last - first)}, {percent(share, 1)} of all it had there then"
    )
    why += f"; it does so in {hours} different hours" if routine else ""
    return Finding(
        kind="guessing",
        stage=Stage.CREDENTIALS,
        technique="T1110",
        title=f"Password guessing on {scene.name(target)}? {attempts:,} short {slug} sessions",
        host=scene.address(host),
        peers=(scene.address(target),),
        first_us=first,
        last_us=last,
        confidence=confidence,
        impact=Level.HIGH,
        why=why,
        unseen=_UNSEEN,
        evidence=scene.evidence(brief, rows),
        subject=f"{service.id} {scene.address(target):x}",
    )


def _spraying(scene: Scene, brief: Columns, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Few short sessions, and nothing else, with each of many servers in a short time."""
    limits = scene.limits
    only = pick(brief, (brief["brief"] == brief["used"]) & (brief["brief"] <= 5))
    for rows in grouped(only["host"], only["family"]):
        if len(np.unique(only["target"][rows])) < limits.spray_servers:
            continue
        ties = only["port"][rows], scene.hosts.rank[only["server"][rows]]
        rows = rows[np.lexsort((*ties, only["first_us"][rows]))]
        inside = rows[_widest(only["first_us"][rows], only["target"][rows], limits.guess_window)]
        servers = np.unique(only["target"][inside])
        if len(servers) < limits.spray_servers:
            continue
        host = int(only["host"][rows[0]])
        slug = ADMINISTRATION[int(only["family"][rows[0]])]
        first, last = int(only["first_us"][inside].min()), int(only["last_us"][inside].max())
        _, wide = distinct(only["minute"][rows] // 60, only["target"][rows])
        routine = int((wide >= limits.spray_servers).sum()) >= _ROUTINE_HOURS
        confidence = Level.HIGH if scouts.get(host, last) < last else Level.MEDIUM
        if routine or scene.expected[host]:
            confidence = Level.LOW
        yield Finding(
            kind="spraying",
            stage=Stage.CREDENTIALS,
            technique="T1110.003",
            title=f"Password spraying? Short {slug} sessions with {plural(len(servers), 'host')}",
            host=scene.address(host),
            peers=scene.addresses(servers),
            first_us=first,
            last_us=last,
            confidence=confidence,
            impact=Level.HIGH,
            why=f"{int(only['brief'][inside].sum()):,} short sessions with "
            f"{risky_by_id(slug).name} of {plural(len(servers), 'host')} within "
            f"{duration(last - first)}, and no longer ones",
            unseen=_UNSEEN,
            evidence=scene.evidence(only, inside),
            subject=slug,
        )


def _widest(times: NDArray[np.int64], servers: NDArray[np.int32], window_s: int) -> slice:
    """The stretch of the window with most distinct servers; times ascend."""
    best, most, begin = slice(0, 0), 0, 0
    inside: dict[int, int] = {}
    for at, server in enumerate(servers.tolist()):
        inside[server] = inside.get(server, 0) + 1
        while times[at] - times[begin] > window_s * SECOND:
            gone = int(servers[begin])
            inside[gone] -= 1
            if not inside[gone]:
                del inside[gone]
            begin += 1
        if len(inside) > most:
            best, most = slice(begin, at + 1), len(inside)
    return best


def _tickets(scene: Scene) -> Iterator[Finding]:
    """Clients that ask for many more tickets than the others."""
    logins, limits = scene.now.logins, scene.limits
    kerberos = (logins["port"] == 88) & (logins["used"] > 0)
    for one in outstanding(scene, kerberos, "flows", limits.guess_window, limits.guess_attempts):
        sure = one.usual is not None and one.size >= limits.guess_sure
        words = Words(
            "ticket-burst",
            Stage.CREDENTIALS,
            "T1110",
            f"{one.size:,} Kerberos requests at once: guessing, or tickets to crack?",
            f"{one.size:,} connections to Kerberos within {duration(one.last_us - one.first_us)}; "
            + one.compared(f"{one.usual or 0:.0f}"),
            unseen="account names, encryption and errors: pre-authentication failures (T1110), "
            "Kerberoasting (T1558.003) and AS-REP roasting (T1558.004) look alike",
        )
        level = Level.MEDIUM if sure and not scene.expected[one.host] else Level.LOW
        yield burst_finding(scene, one, level, words)


# ── names ──────────────────────────────────────────────────────────────────────────────────


def _poisoning(scene: Scene) -> Iterator[Finding]:
    """Hosts that answer name questions which others had asked everybody.

    An answer is a flow of its own, from the responder's port 5355 (LLMNR, RFC 4795) or 137 (NBT-NS,
    RFC 1002) to who asked, without a question in it.
    """
    table = scene.now.contacts
    asked = (table["protocol"] == UDP) & scene.many[table["server"]]
    askers = {
        port: np.unique(scene.machine[table["client"][asked & (table["port"] == port)]])
        for port in (137, 5355)
    }
    answers: dict[int, dict[int, list[int]]] = {}
    llmnr = (table["port"] == 5355) & (table["bytes_to_server"] == 0) & table["answered"]
    nbt = (table["port"] == 137) & ~table["answered"] & (table["bytes_to_server"] >= 90)
    for mask, answerer, asker, port in (
        (llmnr, "server", "client", 5355),
        (nbt, "client", "server", 137),
    ):
        who = scene.machine[table[asker]]
        rows = np.flatnonzero(
            mask & (table["protocol"] == UDP) & scene.within(table) & np.isin(who, askers[port])
        )
        for row in rows.tolist():
            host = int(scene.machine[table[answerer][row]])
            answers.setdefault(host, {}).setdefault(int(who[row]), []).append(row)
    for host, told in sorted(answers.items()):
        if len(told) >= 2:
            yield _poisoner(scene, host, told)


def _poisoner(scene: Scene, host: int, told: Mapping[int, list[int]]) -> Finding:
    table = scene.now.contacts
    rows = np.array([row for some in told.values() for row in some], dtype=np.int64)
    came = [one for one in told if _went_on(scene, one, host)]
    both = len(np.unique(table["port"][rows])) > 1
    return Finding(
        kind="name-answers",
        stage=Stage.CREDENTIALS,
        technique="T1557.001",
        title=f"Answers name questions of {plural(len(told), 'host')}",
        host=scene.address(host),
        peers=scene.addresses(told),
        first_us=int(table["first_us"][rows].min()),
        last_us=int(table["last_us"][rows].max()),
        confidence=Level.MEDIUM if both and len(came) >= 2 else Level.LOW,
        impact=Level.HIGH,
        why=f"it answered LLMNR or NBT-NS questions that {scene.names(told)} had asked everybody; "
        f"{len(came)} of them then opened SMB or HTTP to it",
        unseen="which names were asked for: a server that is called by its own name looks the same",
        evidence=scene.evidence(table, rows),
    )


def _went_on(scene: Scene, asker: int, host: int) -> bool:
    table = scene.now.contacts
    opened = (scene.machine[table["client"]] == asker) & (scene.machine[table["server"]] == host)
    return bool((opened & np.isin(table["port"], (80, 139, 445)) & (table["used"] > 0)).any())
