"""Enumeration: clients that read far more of a directory, of shares or of names than the others."""

from collections.abc import Iterator

import numpy as np

from workbench.analysis.findings.bursts import Burst, burst_finding, outstanding
from workbench.analysis.findings.scene import Scene, distinct
from workbench.analysis.findings.talk import Words
from workbench.model.finding import Finding, Level, Stage
from workbench.model.net import TCP, UDP
from workbench.model.text import duration, plural, short_bytes

_DIRECTORY = (389, 636, 3268, 3269, 9389)
_TRANSFER = 20_000
"""Bytes of an answer by DNS over TCP that no single name needs (RFC 5936)."""


def discovery(scene: Scene) -> Iterator[Finding]:
    """Directory, share and name enumeration."""
    yield from _directory(scene)
    yield from _names(scene)
    yield from _zones(scene)
    yield from _shares(scene)


def _confidence(scene: Scene, one: Burst) -> Level:
    sure = one.usual is not None and not scene.expected[one.host]
    return Level.MEDIUM if sure else Level.LOW


def _directory(scene: Scene) -> Iterator[Finding]:
    logins, limits = scene.now.logins, scene.limits
    ldap = (logins["protocol"] == TCP) & np.isin(logins["port"], _DIRECTORY)
    window, least = limits.guess_window, limits.burst_bytes
    for one in outstanding(scene, ldap, "bytes_to_client", window, least):
        size = short_bytes(one.size)
        words = Words(
            "directory-burst",
            Stage.RECONNAISSANCE,
            "T1087.002",
            f"Reads {size} of the directory at once",
            f"LDAP answered {size} within {duration(one.last_us - one.first_us)}; "
            + one.compared(short_bytes(round(one.usual or 0))),
            Level.MEDIUM,
            "what was asked for: accounts, groups and machines look alike",
        )
        yield burst_finding(scene, one, _confidence(scene, one), words)


def _names(scene: Scene) -> Iterator[Finding]:
    logins = scene.now.logins
    dns = (logins["protocol"] == UDP) & (logins["port"] == 53)
    for one in outstanding(scene, dns, "flows", 60, scene.limits.dns_per_minute):
        words = Words(
            "name-burst",
            Stage.RECONNAISSANCE,
            "T1018",
            f"Asks {one.size:,} names in a minute",
            f"{one.size:,} DNS questions from ports of their own within "
            f"{duration(one.last_us - one.first_us)}; " + one.compared(f"{one.usual or 0:.0f}"),
            Level.LOW,
            "the names: a PTR sweep of the network and a busy mail server look alike",
        )
        yield burst_finding(scene, one, Level.LOW, words)


def _zones(scene: Scene) -> Iterator[Finding]:
    table = scene.now.contacts
    dns = np.isin(table["protocol"], (TCP, UDP)) & (table["port"] == 53) & (table["used"] > 0)
    servers = np.unique(scene.machine[table["server"][dns]])
    large = dns & (table["protocol"] == TCP) & (table["bytes_to_client"] >= _TRANSFER)
    for row in np.flatnonzero(large & scene.within(table)):
        host, target = (
            int(scene.machine[table["client"][row]]),
            int(scene.machine[table["server"][row]]),
        )
        if host in servers:
            continue
        size = short_bytes(int(table["bytes_to_client"][row]))
        yield Finding(
            kind="zone-transfer",
            stage=Stage.RECONNAISSANCE,
            technique="T1018",
            title=f"DNS zone transfer from {scene.name(target)}?",
            host=scene.address(host),
            peers=(scene.address(target),),
            first_us=int(table["first_us"][row]),
            last_us=int(table["last_us"][row]),
            confidence=Level.LOW,
            impact=Level.MEDIUM,
            why=f"DNS over TCP answered {size} to a host that is no DNS server itself",
            unseen="the question: many long answers over one connection look the same",
            evidence=scene.evidence(table, np.array([row])),
            subject=f"{scene.address(target):x}",
        )


def _shares(scene: Scene) -> Iterator[Finding]:
    """Clients that open the shares of many hosts within minutes, and others do not."""
    logins, limits = scene.now.logins, scene.limits
    smb = (logins["protocol"] == TCP) & np.isin(logins["port"], (139, 445)) & (logins["used"] > 0)
    table = scene.select(logins, smb & scene.within(logins))
    window = table["minute"] // (limits.fanout_window // 60 or 1)
    key = table["host"].astype(np.int64) << 32 | (window & 0xFFFF_FFFF)
    keys, counts = distinct(key, table["target"])
    usual = float(np.median(counts)) if len(counts) else 0.0
    best: dict[int, tuple[int, int]] = {}
    for one, count in zip(keys.tolist(), counts.tolist(), strict=True):
        host = one >> 32
        best[host] = max(best.get(host, (0, 0)), (count, one))
    for host, (count, one) in sorted(best.items()):
        if count < max(limits.spray_servers, 3 * usual):
            continue
        rows = np.flatnonzero(key == one)
        first, last = int(table["first_us"][rows].min()), int(table["last_us"][rows].max())
        yield Finding(
            kind="share-sweep",
            stage=Stage.RECONNAISSANCE,
            technique="T1135",
            title=f"Opens the shares of {plural(count, 'host')}",
            host=scene.address(host),
            peers=scene.addresses(table["target"][rows]),
            first_us=first,
            last_us=last,
            confidence=Level.LOW if scene.expected[host] else Level.MEDIUM,
            impact=Level.MEDIUM,
            why=f"SMB sessions with {plural(count, 'host')} within {duration(last - first)}; "
            f"{usual:.0f} is usual here",
            unseen="which shares were listed or opened",
            evidence=scene.evidence(table, rows),
        )
