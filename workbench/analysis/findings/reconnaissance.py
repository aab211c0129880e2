"""Scans and sweeps: clients whose first contacts fail.

Sequential hypothesis testing (threshold random walk: Jung, Paxson, Berger, Balakrishnan, IEEE S&P
2004) on every client's first contact with each address and port, whatever the time between them: a
failed one is four times as likely from a scanner (0.8 against 0.2), a good one four times less. The
walk starts anew where it would fall below zero, so that a host turning scanner is seen, and speaks
at four more failures than successes (256 to 1). Walks are made over all contacts of a client, over
those on one port, and over those with one server: what looks good among the rest still shows there.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.findings.scene import (
    SECOND,
    Mask,
    Rows,
    Scene,
    among,
    busiest,
    distinct,
    grouped,
    pick,
)
from workbench.analysis.numbers import numbers
from workbench.model.finding import Columns, Contact, Finding, Level, Stage
from workbench.model.net import ICMP, ICMPV6, TCP, UDP, service_text
from workbench.model.text import duration, percent, plural

ALARM = 4
"""Failures more than successes: (0.8 / 0.2) ** 4 = 256 to 1."""
_NO_PAYLOAD = "what the probes said, and so the tool behind them"


def reconnaissance(scene: Scene) -> Iterator[Finding]:
    """Port scans and ping sweeps."""
    scanners = list(_scans(scene))
    yield from scanners
    yield from _sweeps(scene, {one.host for one in scanners if one.confidence is Level.HIGH})


# ── ports ──────────────────────────────────────────────────────────────────────────────────


def _fresh(scene: Scene, table: Columns) -> Columns:
    """What was not tried in the earlier window: the rest is nobody's first contact."""
    if scene.before is None:
        return table
    earlier = scene.select(scene.before.contacts, slice(None))
    return pick(table, ~among(table, earlier, ("host", "target", "protocol", "port")))


def _scans(scene: Scene) -> Iterator[Finding]:
    contacts = scene.now.contacts
    known = contacts["first"] != Contact.UNKNOWN
    ports = np.isin(contacts["protocol"], (TCP, UDP))
    table = _fresh(scene, scene.select(contacts, scene.within(contacts) & ports & known))
    failed = _failures(table)
    client, server = table["host"], table["target"]
    service = numbers(table["protocol"], table["port"])
    alarmed = np.zeros(len(failed), dtype=np.bool_)
    for key in (np.zeros_like(service), service, server.astype(np.int64)):
        alarmed |= walk(table["first_us"], failed, client, key)
    hits = np.flatnonzero(alarmed)
    for mine in grouped(client[hits]):
        found = _scan(scene, table, hits[mine], failed)
        if found is not None:
            yield found


def _failures(table: Columns) -> Mask:
    """Refused, unanswered; or opened, never used by then, and not come back to again and again."""
    empty = (table["first"] == Contact.EMPTY) & (table["flows"] - table["used"] <= 2)
    return np.asarray((table["first"] == Contact.FAILED) | empty)


def walk(
    times: NDArray[np.int64], failed: Mask, client: NDArray[np.int32], key: NDArray[np.int64]
) -> Mask:
    """Failures that belong to a walk which reached the alarm, client by client and key by key."""
    order = np.lexsort((failed, times, key, client))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(client[order]) != 0) | (np.diff(key[order]) != 0)
    number = np.cumsum(new) - 1
    # Every walk begins far below the one before, so that one running minimum serves them all.
    floor = -number * (2 * len(order) + 2)
    steps = np.where(failed[order], 1, -1)
    total = np.cumsum(steps)
    before = (total - steps)[np.flatnonzero(new)] if len(order) else total
    place = total - before[number] + floor
    lowest = np.minimum(np.minimum.accumulate(place), floor)
    height = place - lowest
    # A rise begins where the walk leaves zero; all failures of one that reaches the alarm count.
    rise = np.cumsum(new | (height == 0))
    highest = np.zeros(int(rise.max(initial=0)) + 1, dtype=np.int64)
    np.maximum.at(highest, rise, height)
    found = np.zeros(len(order), dtype=np.bool_)
    found[order] = failed[order] & (highest[rise] >= ALARM)
    return found


def _scan(scene: Scene, table: Columns, rows: Rows, failed: Mask) -> Finding | None:
    limits = scene.limits
    rows = rows[np.lexsort((rows, table["first_us"][rows]))]
    host = int(table["host"][rows[0]])
    servers = table["target"][rows]
    pairs = zip(table["protocol"][rows].tolist(), table["port"][rows].tolist(), strict=True)
    services = sorted(set(pairs))
    if len(rows) < limits.scan_targets:
        return None
    first, last = int(table["first_us"][rows[0]]), int(table["first_us"][rows[-1]])
    share = _share(table, failed, host, (first, last))
    blind = not table["answered"][table["host"] == host].any()
    machines = len(set(servers.tolist()))
    _, ports = distinct(servers, numbers(table["protocol"][rows], table["port"][rows]))
    wide = max(machines, int(ports.max()))
    confidence = Level.MEDIUM if wide >= limits.scan_targets else Level.LOW
    if len(rows) >= limits.scan_sure and share >= limits.scan_share and not blind:
        confidence = Level.HIGH if confidence is Level.MEDIUM else Level.MEDIUM
    if scene.expected[host]:
        confidence = Level.LOW
    empty = int((table["first"][rows] == Contact.EMPTY).sum())
    span = duration(int(np.ptp(table["first_us"][rows])))
    why = (
        f"{plural(len(rows), 'first contact')} with {plural(machines, 'host')} on "
        f"{plural(len(services), 'port')} came to nothing ({empty:,} opened, but it said nothing), "
        f"{percent(share, 1)} of all it tried for the first time, within {span}"
    )
    why += "; it never got an answer: the recording may lack them" if blind else ""
    why += "; its role is to talk to many" if scene.expected[host] else ""
    return Finding(
        kind="port-scan",
        stage=Stage.RECONNAISSANCE,
        technique="T1046",
        title=_title(machines, services),
        host=scene.address(host),
        peers=scene.addresses(servers),
        first_us=first,
        last_us=last,
        confidence=confidence,
        impact=Level.MEDIUM,
        why=why,
        unseen=_NO_PAYLOAD,
        evidence=scene.evidence(table, rows),
    )


def _share(table: Columns, failed: Mask, host: int, span: tuple[int, int]) -> float:
    """Failures among the first contacts of a host in a time."""
    times = table["first_us"]
    tried = (table["host"] == host) & (times >= span[0]) & (times <= span[1])
    return float(failed[tried].mean())


def _title(machines: int, services: list[tuple[int, int]]) -> str:
    if machines == 1:
        return f"Port scan of one host: {plural(len(services), 'port')}"
    if len(services) <= 2:
        told = ", ".join(service_text(*one) for one in services)
        return f"Scan of {machines:,} hosts for {told}"
    return f"Port scan of {machines:,} hosts: {plural(len(services), 'port')}"


# ── pings ──────────────────────────────────────────────────────────────────────────────────


def _sweeps(scene: Scene, scanners: set[int]) -> Iterator[Finding]:
    """Hosts that ping many others once, in passing; who watches them comes back."""
    contacts, limits = scene.now.contacts, scene.limits
    echo = ((contacts["protocol"] == ICMP) & (contacts["port"] == 8)) | (
        (contacts["protocol"] == ICMPV6) & (contacts["port"] == 128)
    )
    passing = contacts["last_us"] - contacts["first_us"] <= 120 * SECOND
    table = _fresh(scene, scene.select(contacts, scene.within(contacts) & echo & passing))
    for mine in grouped(table["host"]):
        host = int(table["host"][mine[0]])
        chosen = mine[np.argsort(table["first_us"][mine], kind="stable")]
        begin, end = busiest(table["first_us"][chosen], limits.sweep_window)
        servers = table["target"][chosen[begin:end]]
        machines = len(set(servers.tolist()))
        if machines < limits.sweep_targets:
            continue
        failed = int((table["used"][chosen[begin:end]] == 0).sum())
        sure = scene.address(host) in scanners or failed * 2 >= len(servers) >= limits.scan_sure
        confidence = Level.HIGH if sure else Level.MEDIUM
        if scene.expected[host]:
            confidence = Level.LOW
        span = duration(int(np.ptp(table["first_us"][chosen[begin:end]])))
        yield Finding(
            kind="ping-sweep",
            stage=Stage.RECONNAISSANCE,
            technique="T1018",
            title=f"Ping sweep of {machines:,} hosts",
            host=scene.address(host),
            peers=scene.addresses(servers),
            first_us=int(table["first_us"][chosen[begin]]),
            last_us=int(table["last_us"][chosen[begin:end]].max()),
            confidence=confidence,
            impact=Level.LOW,
            why=f"{machines:,} hosts were pinged within {span} and not again; "
            f"{failed:,} did not answer",
            unseen="addresses asked for by ARP, which is in no flow",
            evidence=scene.evidence(table, chosen[begin:end]),
        )
