"""The days of the hosts of a site, and what is known of them before a day. Hours are of UTC."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.analysis.findings.scene import Scene, pick
from workbench.model.finding import Traces

HOUR_US = 3_600_000_000
MEASURES = ("sent", "received", "flows", "peers")


@dataclass(frozen=True, slots=True)
class Day:
    """One machine on one day; sets of hours are bits."""

    number: int
    seen: int
    hours: int
    busy: int
    most: tuple[tuple[int, int], ...]
    """By measure: the largest figure of an hour, and minus that hour."""

    def __or__(self, other: "Day") -> "Day":
        """Of another address of the same machine."""
        return Day(
            self.number,
            self.seen | other.seen,
            self.hours | other.hours,
            self.busy | other.busy,
            tuple(map(max, self.most, other.most)),
        )

    def figure(self, measure: int) -> int:
        return self.most[measure][0]

    def begin_us(self, measure: int) -> int:
        return -self.most[measure][1] * HOUR_US


Diary = Mapping[int, Mapping[int, Day]]
"""Machine → day → what it did."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the site before a day."""

    days: tuple[int, ...]
    """Recorded ones."""
    hours: int
    """Hours (bits) in which somebody was seen on enough of them."""
    same: frozenset[int]
    """Those of the same day of the week."""
    quiet: bool
    """On these, half of the clients that have days off were off."""


class Usual:
    """The days of all machines of the site, and which of them tell what is usual."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.now = _diary(scene, scene.now)
        self.then = None if scene.before is None else _diary(scene, scene.before)
        self._known: dict[int, Known] = {}
        self._recorded: dict[int, int] = {}
        """Day of the past → hours in which anybody was seen."""
        for days in (self.now if self.then is None else self.then).values():
            for one in days.values():
                self._recorded[one.number] = self._recorded.get(one.number, 0) | one.seen

    def past(self, host: int, day: int) -> list[Day]:
        """Days of a host that a day is compared with, by date."""
        days = self.now.get(host, {}) if self.then is None else self.then.get(host, {})
        return [days[one] for one in sorted(days) if self.then is not None or one < day]

    def enough(self, day: int) -> bool:
        return len(self.known(day).days) >= self.scene.limits.usual_days

    def known(self, day: int) -> "Known":
        if day not in self._known:
            self._known[day] = self._know(day)
        return self._known[day]

    def _know(self, day: int) -> "Known":
        days = [one for one in self._recorded if self.then is not None or one < day]
        masks = [self._recorded[one] for one in days]
        least = self.scene.limits.usual_days
        well = [hour for hour in range(24) if sum(one >> hour & 1 for one in masks) >= least]
        same = frozenset(one for one in days if (one - day) % 7 == 0)
        hosts = self.now if self.then is None else self.then
        worked = [{one.number for one in self.past(host, day) if one.hours} for host in hosts]
        people = [some for some in worked if some and len(some) < len(days)]
        quiet = 2 * sum(not some & same for some in people) >= len(people)
        return Known(tuple(days), sum(1 << hour for hour in well), same, quiet)


def _diary(scene: Scene, traces: Traces) -> Diary:
    table = pick(traces.days, scene.inside[traces.days["host"]] & ~scene.many[traces.days["host"]])
    figures = [table[name].tolist() for name in MEASURES]
    when = [(-table[f"{name}_hour"]).tolist() for name in MEASURES]
    most = [tuple(zip(*pair, strict=True)) for pair in zip(figures, when, strict=True)]
    plain = [table[name].tolist() for name in ("day", "seen", "hours", "busy")]
    found: dict[int, dict[int, Day]] = {}
    hosts = scene.machine[table["host"]].tolist()
    for host, (day, seen, hours, busy), peaks in zip(
        hosts, zip(*plain, strict=True), zip(*most, strict=True), strict=True
    ):
        one = Day(day, seen, hours, busy, peaks)
        mine = found.setdefault(host, {})
        mine[one.number] = mine[one.number] | one if one.number in mine else one
    return found
