"""The intruder: somebody has a foothold on pc-07, and at 16:05 begins to move.

Ordinary connections only. He looks around, drops a file on an application server over SMB, runs it
over WinRM, goes on to the database over SSH, and takes the orders home.
"""

from collections.abc import Iterator

from recorder import habits as do
from recorder.calls import Call, Step, clock
from recorder.hosts import HOSTS, NETS, SCANNED, SERVICES, TCP, Host, dropping, listening

FOOTHOLD = "pc-07"
HOME = "vps-66"
QUICK = 0.25
"""Seconds that a scan waits: a single SYN."""


def attempt(client: str, host: Host, service: str) -> Call:
    """Open and close one connection; the outcome follows from what the host runs."""
    port = SERVICES[service][1]
    if (TCP, port) in listening(host):
        outcome = "established"
    else:
        outcome = "unanswered" if port in dropping(host) else "refused"
    return Call(client, host.name, service, outcome=outcome, patience=QUICK)


def sweep(start: float, network: str, *, what: str) -> Iterator[Step]:
    """Ping, then every port of SCANNED, host after host."""
    targets = [host for host in HOSTS.values() if host.net == network and host.name != FOOTHOLD]
    for at, host in enumerate(targets):
        calls = tuple(attempt(FOOTHOLD, host, service) for service in SCANNED)
        seconds = start + 4.0 * at
        yield Step(seconds, (do.ping(FOOTHOLD, host.name),), intrusion=f"{what}: ping {host.name}")
        yield Step(seconds + 1, calls, together=True, intrusion=f"{what}: ports of {host.name}")


def nobody(start: float) -> Iterator[Step]:
    """Addresses of the office without a host: only ARP is seen."""
    for at in range(21, 33):
        address = f"{NETS['office'].v4}.{at}"
        call = Call(FOOTHOLD, address, "smb", outcome="unanswered", patience=QUICK)
        yield Step(start + at, (call,), intrusion=f"scan: nobody at {address}")


def beacon(at: float) -> Step:
    calls = (
        do.lookup(FOOTHOLD, "cdn-sync.example"),
        do.https(FOOTHOLD, HOME, "cdn-sync.example", 210, 180),
    )
    return Step(at, calls, intrusion=f"beacon: {FOOTHOLD} asks home for orders")


def intrusion() -> Iterator[Step]:
    for turn in range(18):
        yield beacon(clock("15:30") + 300 * turn + turn * 37 % 11)
    yield from sweep(clock("16:05:20"), "office", what="scan")
    yield from nobody(clock("16:06:30"))
    for minute, network in ((9, "core"), (11, "prod"), (13, "test"), (14, "admin"), (15, "plant")):
        yield from sweep(clock(f"16:{minute:02}:40"), network, what="scan")

    yield from _moves("app-2")


def _moves(target: str) -> Iterator[Step]:
    """From the foothold to `target`, on to the database, and home with the orders."""

    def step(text: str, what: str, call: Call) -> Step:
        return Step(clock(text), (call,), intrusion=f"{call.service.upper()} {call.port}: {what}")

    here = FOOTHOLD
    yield step("16:21:05", "reads a share of pc-03", do.share(here, "pc-03", read=9_000))
    yield step("16:24:10", f"writes a tool to {target}", do.share(here, target, written=130_000))
    for text, command in (
        ("16:26:00", "whoami"), ("16:27:30", "tool.exe -list"), ("16:33:00", "tool.exe -go"),
    ):  # fmt: skip
        yield step(text, f"runs {command} on {target}", do.winrm(here, target, command))
    for text in ("16:35:10", "16:35:40"):
        yield step(text, f"{target} fails to log in to db-1", do.ssh(target, "db-1", (90, 60)))
    pull = do.ssh(target, "db-1", (110, 80), (200, 140_000), (200, 140_000))
    yield step("16:38:00", f"{target} pulls the orders from db-1", pull)
    fetch = do.share(here, target, read=280_000)
    yield step("16:44:20", f"fetches the orders from {target}", fetch)
    send = do.upload(here, HOME, "cdn-sync.example", 280_000)
    yield step("16:49:00", f"sends the orders to {HOME}", send)
