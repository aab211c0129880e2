"""The day at Kestrel Pumps, Tuesday 2026-09-15, 08:00 to 17:00 UTC; the same on every run."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from recorder import habits as do
from recorder.calls import Call, Step, clock
from recorder.hosts import GHOST, HOSTS
from recorder.intruder import intrusion

MIDNIGHT_US = 1_789_430_400_000_000
"""2026-09-15T00:00:00Z, microseconds since the epoch."""
PCS = tuple(name for name in HOSTS if name.startswith("pc-"))
DUAL = frozenset(PCS[4:])
"""PCs that prefer IPv6."""
SERVERS = (
    "dc-1", "file-1", "backup-1", "log-1", "web-1", "web-2", "app-1", "app-2", "db-1",
    "test-web", "test-app", "test-db",
)  # fmt: skip
LOGGING = (
    "dc-1",
    "file-1",
    "backup-1",
    "mon-1",
    "web-1",
    "web-2",
    "app-1",
    "app-2",
    "db-1",
    "jump-1",
)
OVER_V6 = frozenset({"log-1", "web-2", "app-2", "db-1"})
"""Servers that monitoring reaches over IPv6, and that log over it."""

BEFORE = (do.poll("plc-2", 0),)
"""Made before the recording begins: the panel has held this connection for weeks."""


def day() -> list[Step]:
    """Every step, in order of time."""
    random = Random(20260915)
    steps = [
        *_morning(random),
        *_office(random),
        *_customers(random),
        *_monitoring(random),
        *_logs(random),
        *_plant(random),
        *_administrators(),
        *_test_site(),
        *_backups(),
        *_odd_ends(),
        *intrusion(),
    ]
    late = (replace(step, at=step.at + random.random()) for step in steps)  # nobody is punctual
    return sorted(late, key=lambda step: step.at)


def _family(pc: str) -> int:
    return 6 if pc in DUAL else 4


def _morning(random: Random) -> Iterator[Step]:
    for pc in PCS:
        at = clock("8:00") + random.uniform(60, 3000)
        yield Step(at, do.log_on(pc, _family(pc), at))


def _office(random: Random) -> Iterator[Step]:
    """Portal, files, cloud, printing: a few times per PC, from nine to five."""
    at_work = clock("9:00"), clock("16:55")
    for number, pc in enumerate(PCS):
        family = _family(pc)
        for turn in range(4):
            web, app = f"web-{1 + (number + turn) % 2}", f"app-{1 + (number + turn // 2) % 2}"
            rows = random.choice((5, 12, 25, 60))
            yield Step(random.uniform(*at_work), do.portal(pc, web, app, rows, family))
            size = int(random.lognormvariate(8.6, 1.0))
            calls = (
                do.lookup(pc, "file-1.kestrel.example"),
                do.share(pc, "file-1", size, size // 4, family),
            )
            yield Step(random.uniform(*at_work), calls)
        for _ in range(2):
            received = int(random.lognormvariate(8.5, 0.8))
            calls = (
                do.lookup(pc, "mail.saas.example"),
                do.https(pc, "saas-1", "mail.saas.example", 500, received),
            )
            yield Step(random.uniform(*at_work), calls)
        if number % 2:
            yield Step(
                random.uniform(*at_work), (do.print_job(pc, random.randrange(3_000, 30_000)),)
            )
    for turn in range(6):
        at = clock("8:20") + 5_400 * turn
        calls = (
            do.lookup("dc-1", "mail.saas.example", "upstream-1"),
            do.ntp("dc-1", "upstream-1", at),
        )
        yield Step(at, calls)


def _customers(random: Random) -> Iterator[Step]:
    for number in range(40):
        yield Step(random.uniform(clock("8:05"), clock("16:58")), do.shop(number))
    for number in range(16):
        family = 6 if number % 3 == 0 else 4
        web, app = f"web-{1 + number % 2}", f"app-{1 + number // 2 % 2}"
        calls = (
            do.https("customer-1", web, "portal.kestrel.example", 400, 4_000, family),
            *do.tiers(web, app, "db-1", 8, 6 if app == "app-2" else 4),
        )
        yield Step(random.uniform(clock("8:05"), clock("16:58")), calls)


def _monitoring(random: Random) -> Iterator[Step]:
    """Every 90 minutes: ping, scrape, SNMP; the ghost and two closed ports included."""
    for turn in range(6):
        start = clock("8:10") + 5_400 * turn
        for number, name in enumerate(SERVERS):
            family = 6 if name in OVER_V6 else 4
            calls = do.ping("mon-1", name, family), do.scrape("mon-1", name, family)
            yield Step(start + 20 * number + random.uniform(0, 5), calls)
        number = 10 * turn
        devices = (
            do.snmp("mon-1", "printer-1", number), do.snmp("mon-1", "plc-1", number + 1),
            do.snmp("mon-1", "plc-2", number + 2, "refused"),
            do.scrape("mon-1", "redis-1", service="redis-metrics"),
        )  # fmt: skip
        yield Step(start + 300, devices)
        if turn % 2 == 0:  # each of these waits for seconds
            gone = Call("mon-1", GHOST, "prometheus", outcome="refused", patience=6)
            yield Step(start + 320, (do.ping("mon-1", GHOST, outcome="refused"), gone))
            deaf = Call("mon-1", "historian-1", "prometheus", outcome="unanswered")
            yield Step(start + 340, (do.ping("mon-1", "historian-1"), deaf))


def _logs(random: Random) -> Iterator[Step]:
    for name in LOGGING:
        family = 6 if name in OVER_V6 else 4
        for turn in range(9):
            text = f"systemd[1]: Started Session {random.randrange(100, 999)}."
            at = clock("8:03") + 3_600 * turn + random.uniform(0, 3_000)
            yield Step(
                at, tuple(do.syslog(name, at, text, family) for _ in range(random.randrange(1, 5)))
            )
        if name != "dc-1":
            at = clock("8:02") + random.uniform(0, 300)
            yield Step(at, (do.ntp(name, "dc-1", at, family),))


def _plant(random: Random) -> Iterator[Step]:
    for number in range(54):
        at = clock("8:00:30") + 600 * number
        yield Step(at, (do.poll("plc-1", number), do.poll("plc-2", number)))
        if number % 3 == 0:
            yield Step(at + 100, (do.collect("plc-1", number), do.collect("plc-2", number, 6)))
        if number % 9 == 0:
            yield Step(at + 200, (do.trends("hmi-1", number), do.ntp("plc-1", "historian-1", at)))
    yield Step(
        clock("8:15"),
        (do.ntp("historian-1", "dc-1", 29_700), do.ntp("plc-2", "historian-1", 29_700)),
    )
    for text in ("10:40", "14:20"):
        yield Step(clock(text), (do.setpoints(int(random.uniform(1, 90))),))
    for text in ("9:15", "13:05", "15:50"):
        yield Step(clock(text), (do.https("pc-09", "historian-1", "historian-1", 300, 7_000),))


def _administrators() -> Iterator[Step]:
    talk = ((60, 900), (48, 2_400), (52, 300))
    for text, target in (
        ("9:20", "web-1"),
        ("10:05", "db-1"),
        ("13:40", "web-2"),
        ("15:10", "mon-1"),
    ):
        family = 6 if target in OVER_V6 else 4
        calls = do.ssh("admin-1", "jump-1", *talk), do.ssh("jump-1", target, *talk, family=family)
        yield Step(clock(text), calls)
    for text, target in (("9:45", "app-1"), ("11:30", "app-2"), ("14:45", "app-1")):
        calls = (
            do.rdp("admin-2", "jump-1", 3),
            do.winrm("jump-1", target, "Get-Service", "Get-EventLog"),
        )
        yield Step(clock(text), calls)
    yield Step(clock("11:05"), (do.rdp("admin-2", "jump-1", 4), do.rdp("jump-1", "dc-1", 4)))
    yield Step(clock("14:05"), (do.rdp("admin-2", "jump-1", 3), do.rdp("jump-1", "eng-1", 6)))
    yield Step(clock("10:25"), (do.rdp("admin-2", "pc-05", 5),))
    for text in ("8:50", "12:10", "16:15"):
        yield Step(
            clock(text), (do.http("admin-1", "mon-1", "/api/boards?limit=40", service="grafana"),)
        )
    for name in ("admin-1", "admin-2"):
        yield Step(
            clock("8:40"), (do.lookup(name, "jump-1.kestrel.example"), do.ping(name, "jump-1", 6))
        )


def _test_site() -> Iterator[Step]:
    """A developer tries the next release; the test application still knows the real database."""
    for text in ("9:35", "11:50", "13:20", "15:25"):
        web = do.https(
            "pc-04", "test-web", "test.kestrel.example", 300, 3_000, service="test-https"
        )
        yield Step(clock(text), (web, *do.tiers("test-web", "test-app", "test-db", 10)))
    for text in ("11:52", "15:27"):
        yield Step(clock(text), (do.sql("test-app", "db-1", 40),))
    yield Step(clock("10:50"), (do.ssh("pc-04", "test-app", (60, 1_500), (60, 500)),))


def _backups() -> Iterator[Step]:
    sizes = (("dc-1", 90_000), ("web-1", 20_000), ("app-1", 45_000), ("app-2", 45_000))
    for at, (name, size) in enumerate((*sizes, ("file-1", 360_000), ("db-1", 560_000))):
        yield Step(clock("12:30") + 240 * at, do.backup(name, size))


def _odd_ends() -> Iterator[Step]:
    """Attempts that fail, as on every real site."""
    refused = "refused"
    for text in ("8:30", "12:00", "15:30"):
        yield Step(clock(text), (Call("web-1", "app-1", "old-app", outcome=refused),))
    yield Step(clock("9:55"), (Call("pc-06", "file-1", "http", outcome=refused),))
    yield Step(clock("13:50"), (Call("backup-1", "test-db", "backup-agent", 6, outcome=refused),))
    yield Step(clock("14:30"), (Call("pc-02", "pc-09", "smb", outcome="unanswered"),))
    yield Step(clock("15:05"), (Call("admin-1", "hmi-1", "rdp", outcome="unanswered"),))
