"""What is usual for a host: how much it moves in an hour, and at which hours it is at work.

Against the earlier window; without one, against the days before, once there are enough of them.
All hours are of UTC.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_
from statistics import median

import numpy as np

from workbench.analysis.findings.diary import HOUR_US, MEASURES, Day, Usual
from workbench.analysis.findings.logins import SIGN_IN, family
from workbench.analysis.findings.scene import Rows, Scene, pick
from workbench.model.finding import Columns, Evidence, Finding, Level, Stage
from workbench.model.net import ICMP, ICMPV6, TCP
from workbench.model.risky import ADMINISTRATION
from workbench.model.text import plural, short_bytes

_WORDS = ("sent", "received", "of its flows", "servers used")
_SENT, _RECEIVED, _FLOWS, _PEERS = range(4)
_LEAST_HOURS = 6
"""Hours in which a host was seen, to say anything of it."""
_LEAST_DAYS = 3
"""Days of it that make a habit."""
_WEEKS = 2
"""Recorded days of one day of the week that tell it from others."""
_CROWD = 3
"""Hosts at work in the same odd hour: that is the site's."""
_DOWNLOADS = 2
"""What people fetch varies more than what they send: so many times the thresholds."""
_MOST = 0.8
"""The largest conversations that make up so much of the hour are its evidence."""
_WEB = (80, 443)


def unusual(scene: Scene) -> Iterator[Finding]:
    """Volumes and hours that are unlike a host's own past."""
    usual = Usual(scene)
    yield from _volumes(usual)
    yield from _odd_hours(usual)


# ── volume ─────────────────────────────────────────────────────────────────────────────────


def _volumes(usual: Usual) -> Iterator[Finding]:
    found = [
        one
        for host in sorted(usual.now, key=usual.scene.address)
        if (one := _volume(usual, host)) is not None
    ]
    senders = {piece for one in found if one.subject == "sent" for piece in one.evidence}
    # What one host of the site sent, another received.
    yield from (
        one for one in found if one.subject != "received" or not senders & set(one.evidence)
    )


def _volume(usual: Usual, host: int) -> Finding | None:
    """The first day with an hour far above the busiest hours of the days before."""
    limits = usual.scene.limits
    size = limits.volume_mb * 1_000_000
    least = (size, _DOWNLOADS * size, limits.volume_flows, limits.volume_peers)
    factors = [limits.volume_factor * (_DOWNLOADS if one == _RECEIVED else 1) for one in range(4)]
    for number in sorted(usual.now[host]):
        day = usual.now[host][number]
        if all(day.figure(one) < least[one] for one in range(4)):
            continue
        past = usual.past(host, number)
        hours = sum(one.seen.bit_count() for one in past)
        if hours < _LEAST_HOURS or (usual.then is None and not usual.enough(number)):
            continue
        above = [
            one
            for one in range(4)
            if day.figure(one) >= least[one]
            and _far(day.figure(one), [each.figure(one) for each in past], factors[one])
        ]
        if above:
            return _much(usual, host, day, past, above)
    return None


def _far(value: int, past: Sequence[int], factor: float) -> bool:
    """Far above the median and its spread (MAD), and above anything before."""
    usual = median(past)
    spread = median(abs(one - usual) for one in past)
    return value > factor * (usual + spread) and value > 2 * max(past)


def _much(
    usual: Usual, host: int, day: Day, past: Sequence[Day], above: Sequence[int]
) -> Finding | None:
    scene, measure = usual.scene, above[0]
    begin = day.begin_us(measure)
    if measure == _PEERS:
        table, rows = _servers(scene, host, begin, begin + HOUR_US)
    else:
        table, rows = _largest(scene, host, measure, begin, day.figure(measure))
    if not len(rows):
        return None
    sure = usual.enough(day.number) and len(past) >= _LEAST_DAYS and not scene.expected[host]
    server = int(table["server"][rows[0]])
    outside = measure == _SENT and not scene.inside[server] and not scene.many[server]
    port = int(table["port"][rows[0]])
    technique = ("T1041" if port in _WEB else "T1048") if outside else "T1071"
    figures = [_figure(one, day.figure(one)) for one in above]
    usually = _figure(measure, round(median(one.figure(measure) for one in past)))
    short = "" if sure or scene.expected[host] else ": too little to be sure of what is usual"
    others = np.where(table["host"][rows] == host, table["target"][rows], table["host"][rows])
    return Finding(
        kind="unusual-volume",
        stage=Stage.DEPARTURE,
        technique=technique,
        title=f"{figures[0]} within an hour, far more than usual",
        host=scene.address(host),
        peers=scene.addresses(others),
        first_us=begin,
        last_us=begin + HOUR_US - 1,
        confidence=Level.MEDIUM if sure and measure != _RECEIVED else Level.LOW,
        impact=Level.HIGH if outside else Level.MEDIUM if measure != _RECEIVED else Level.LOW,
        why=f"{' and '.join(figures)} in one hour, mostly with {scene.names(others[:1])}; the "
        f"busiest hour of a day has {usually} (median of {plural(len(past), 'day')}{short})",
        unseen="why: a copy, an update and a theft look alike",
        evidence=scene.evidence(table, rows),
        subject=MEASURES[measure],
    )


def _figure(measure: int, value: int) -> str:
    told = short_bytes(value) if measure < _FLOWS else f"{value:,}"
    return f"{told} {_WORDS[measure]}"


def _largest(
    scene: Scene, host: int, measure: int, begin: int, figure: int
) -> tuple[Columns, Rows]:
    """Conversations of a host that make up most of the figure of an hour, largest first.

    What a conversation of many hours has in this one is unknown: at most what is left over by
    those that fall into it altogether.
    """
    table = _about_then(scene, host, begin, begin + HOUR_US, as_client=measure == _FLOWS)
    ways = (table["bytes_to_server"], table["bytes_to_client"])
    there, back = ways if measure == _SENT else ways[::-1]
    size = table["used"] if measure == _FLOWS else np.where(table["host"] == host, there, back)
    inside = (table["first_us"] >= begin) & (table["last_us"] < begin + HOUR_US)
    known = int(size[inside].astype(np.float64).sum())
    size = np.where(inside, size, np.minimum(size, max(figure - known, 0)))
    order = _by_address(scene, table, -size)
    if len(order):
        grown = np.cumsum(size[order].astype(np.float64))
        order = order[: int(np.searchsorted(grown, _MOST * grown[-1])) + 1]
    return table, order


def _servers(scene: Scene, host: int, begin: int, end: int) -> tuple[Columns, Rows]:
    """Conversations that begin or end in a time, by address; where none does, all about then."""
    table = _about_then(scene, host, begin, end, as_client=True)
    sure = [(table[name] >= begin) & (table[name] < end) for name in ("first_us", "last_us")]
    if (sure[0] | sure[1]).any():
        table = pick(table, sure[0] | sure[1])
    return table, _by_address(scene, table)


def _about_then(scene: Scene, host: int, begin: int, end: int, *, as_client: bool) -> Columns:
    """Conversations of a host that may have flows in a time."""
    contacts = scene.now.contacts
    time = (contacts["first_us"] < end) & (contacts["last_us"] >= begin)
    mine = scene.machine[contacts["client"]] == host
    if as_client:
        mine &= (contacts["used"] > 0) & ~np.isin(contacts["protocol"], (ICMP, ICMPV6))
    else:
        mine |= scene.machine[contacts["server"]] == host
    return scene.select(contacts, time & mine)


def _by_address(scene: Scene, table: Columns, *first: Rows) -> Rows:
    """Host numbers depend on the order of loads: equal rows go by address."""
    ends = scene.hosts.rank[table["server"]], scene.hosts.rank[table["client"]]
    return np.lexsort((table["port"], table["protocol"], *ends, *first))


# ── hours ──────────────────────────────────────────────────────────────────────────────────


def _odd_hours(usual: Usual) -> Iterator[Finding]:
    odd = {host: days for host in usual.now if (days := _odd(usual, host))}
    crowds: dict[tuple[int, int], int] = {}
    for days in odd.values():
        for moment in _moments(days):
            crowds[moment] = crowds.get(moment, 0) + 1
    for host in sorted(odd, key=usual.scene.address):
        number = min(odd[host])
        crowd = any(crowds[one] >= _CROWD for one in _moments({number: odd[host][number]}))
        yield _at_work(usual, host, odd[host], crowd)


def _moments(days: Mapping[int, int]) -> Iterable[tuple[int, int]]:
    return ((day, hour) for day, hours in days.items() for hour in range(24) if hours >> hour & 1)


def _odd(usual: Usual, host: int) -> dict[int, int]:
    """Day → hours (bits) at work in which the host never was before, though it was recorded."""
    found = {}
    for number, day in usual.now[host].items():
        if not day.busy or not usual.enough(number):
            continue
        past = [one for one in usual.past(host, number) if one.hours]
        if len(past) < max(_LEAST_DAYS, usual.scene.limits.usual_days // 2):
            continue
        odd = day.busy & ~_about(_hours(past)) & usual.known(number).hours
        if _rests(usual, past, number):
            odd = day.busy
        if odd:
            found[number] = odd
    return found


def _hours(days: Iterable[Day]) -> int:
    return reduce(or_, (one.hours for one in days), 0)


def _rests(usual: Usual, past: Sequence[Day], number: int) -> bool:
    """A day of the week on which the host never works, nor half of those who have days off.

    Or which it left out so often that no leave explains it.
    """
    same = usual.known(number).same
    if len(same) < _WEEKS or same & {one.number for one in past}:
        return False
    return len(same) >= 2 * _WEEKS or usual.known(number).quiet


def _about(hours: int) -> int:
    """And two hours before and after: clocks change, people come early and stay late."""
    twice = hours | hours << 24
    around = twice | twice << 1 | twice << 2 | twice >> 1 | twice >> 2
    return (around | around >> 24) & (1 << 24) - 1


def _at_work(usual: Usual, host: int, odd: Mapping[int, int], crowd: bool) -> Finding:
    scene = usual.scene
    number = min(odd)
    first = (odd[number] & -odd[number]).bit_length() - 1
    last = first
    while odd[number] >> last + 1 & 1:
        last += 1
    begin, end = ((number * 24 + hour) * HOUR_US for hour in (first, last + 1))
    table, rows = _servers(scene, host, begin, end)
    admin, evidence, servers = _administered(scene, host, begin, end)
    past = [one for one in usual.past(host, number) if one.hours]
    more = len(odd) - 1
    weekday = ("Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday")
    name = weekday[number % 7]
    hours = f"{first:02}:00 to {(last + 1) % 24:02}:00 UTC on a {name}"
    day_off = _about(_hours(past)) >> first & 1
    never = "on that day of the week" if day_off else "about that time"
    why = f"a client from {hours}, and never {never} in {plural(len(past), 'day')} before"
    why += f"; {', '.join(admin)} among what it used" if admin else ""
    why += f"; so on {plural(more, 'more day')}" if more else ""
    why += "; others were at work then too" if crowd else ""
    sure = admin and not crowd and not scene.expected[host]
    return Finding(
        kind="unusual-hour",
        stage=Stage.DEPARTURE,
        technique="T1021" if admin else "T1078",
        title=f"At work {f'on a {name}' if day_off else f'at {first:02}:00 UTC'}, as it never was",
        host=scene.address(host),
        peers=scene.addresses(servers or table["target"][rows]),
        first_us=begin,
        last_us=end - 1,
        confidence=Level.MEDIUM if sure else Level.LOW,
        impact=Level.MEDIUM if admin else Level.LOW,
        why=why,
        unseen="who was at work: people stay late, and programs are told to run at night",
        evidence=evidence or scene.evidence(table, rows),
    )


def _administered(
    scene: Scene, host: int, begin: int, end: int
) -> tuple[list[str], tuple[Evidence, ...], list[int]]:
    """Services by which people work on others that a host used in a time, with their servers."""
    table = scene.now.logins
    kind = family(table)
    routine = [ADMINISTRATION.index(one) for one in SIGN_IN]
    rows = np.flatnonzero(
        (table["used"] > 0) & (kind >= 0) & ~np.isin(kind, routine)
        & (table["first_us"] >= begin) & (table["first_us"] < end)
        & (scene.machine[table["client"]] == host) & (table["protocol"] == TCP)
    )  # fmt: skip
    names = sorted({ADMINISTRATION[one] for one in kind[rows].tolist()})
    servers = scene.machine[table["server"][rows]].tolist()
    return names, scene.evidence(table, rows), servers
