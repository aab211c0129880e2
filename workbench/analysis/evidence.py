"""What speaks for a proposed rule, and what an engineer should look at twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.guardrails import forbidding
from workbench.analysis.homes import Homes
from workbench.analysis.numbers import numbers, pair
from workbench.model.net import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    AddressSet,
    ServiceRange,
    merge_services,
    service_text,
)
from workbench.model.risky import ADMINISTRATION, risky_by_id
from workbench.model.simulation import Evidence, Simulation
from workbench.model.text import plural
from workbench.model.traffic import Direction, Outcome
from workbench.model.verdict import Class

Rows = NDArray[np.int64]
Services = tuple[tuple[int, int], ...]
"""Distinct (protocol, port), ascending."""
SERVICE_NAMES = {
    (ICMP, 8): "ping",
    (ICMPV6, 128): "ping",
    (TCP, 21): "ftp",
    (TCP, 22): "ssh",
    (TCP, 23): "telnet",
    (TCP, 25): "smtp",
    (TCP, 53): "dns",
    (UDP, 53): "dns",
    (TCP, 80): "http",
    (TCP, 88): "kerberos",
    (UDP, 88): "kerberos",
    (UDP, 123): "ntp",
    (TCP, 135): "rpc",
    (TCP, 139): "netbios",
    (UDP, 161): "snmp",
    (TCP, 389): "ldap",
    (UDP, 389): "ldap",
    (TCP, 443): "https",
    (UDP, 443): "quic",
    (TCP, 445): "smb",
    (TCP, 502): "modbus",
    (UDP, 514): "syslog",
    (TCP, 636): "ldaps",
    (TCP, 1433): "mssql",
    (TCP, 3306): "mysql",
    (TCP, 3389): "rdp",
    (TCP, 4840): "opcua",
    (TCP, 5432): "postgres",
    (TCP, 5900): "vnc",
    (TCP, 5985): "winrm",
    (TCP, 5986): "winrm",
    (TCP, 6379): "redis",
}
"""IANA service names, shortened, for ids and cautions."""
LATERAL = merge_services(piece for one in ADMINISTRATION for piece in risky_by_id(one).services)
"""Remote administration: what an intruder moves over (ATT&CK T1021)."""
DYNAMIC_PORTS = 10
"""More single high ports than this in one rule look like a dynamic range."""
WIDE = 4
"""Fewer than one host in WIDE of a segment seen: the rule is wider than its evidence."""


@dataclass(frozen=True)
class Draft:
    """A rule to be: homes of its clients and servers, its services, and the rows it is for."""

    clients: tuple[int, ...]
    servers: tuple[int, ...]
    services: Services
    rows: Rows


def service_name(protocol: int, port: int) -> str:
    """`https`, or `tcp-8080`."""
    return SERVICE_NAMES.get((protocol, port)) or service_text(protocol, port).replace("/", "-")


def services_of(simulation: Simulation, rows: Rows) -> Services:
    """Of all the rows."""
    table = simulation.table
    found = np.unique(numbers(table["protocol"][rows], table["port"][rows]))
    return tuple(map(pair, found.tolist()))


def evidence_of(simulation: Simulation, rows: Rows) -> Evidence:
    """What the rows say together; there is at least one."""
    table = simulation.table
    directions = np.bincount(table["direction"][rows], minlength=len(Direction) + 1)
    outcomes = np.bincount(table["outcome"][rows], minlength=len(Outcome) + 1)
    return Evidence(
        conversations=len(rows),
        flows=int(table["flows"][rows].sum()),
        bytes=int(table["bytes"][rows].sum()),
        clients=len(np.unique(table["client"][rows])),
        servers=len(np.unique(table["server"][rows])),
        first_us=int(table["first_us"][rows].min()),
        last_us=int(table["last_us"][rows].max()),
        direction={kind.text: int(directions[kind]) for kind in Direction if directions[kind]},
        outcomes={kind.text: int(outcomes[kind]) for kind in Outcome if outcomes[kind]},
    )


def caution_of(
    simulation: Simulation, draft: Draft, found: Evidence, homes: Homes, breaks: Sequence[str]
) -> str:
    """Why to look twice, `; ` between reasons; breaks: guardrails that the rule would break."""
    lateral = sorted(
        {service_name(*at) for at in draft.services if any(one.covers(*at) for one in LATERAL)}
    )
    guessed = found.direction.get("degree", 0)
    unknown = found.direction.get("first", 0)
    partly = sum(found.outcomes.get(kind.text, 0) for kind in (Outcome.MID_STREAM, Outcome.ONE_WAY))
    failed = sum(found.outcomes.get(kind.text, 0) for kind in (Outcome.REFUSED, Outcome.UNANSWERED))
    idle = int((simulation.classes[draft.rows] == Class.OUT_OF_SCOPE).sum())
    high = sum(port > 1023 for _, port in draft.services)
    reasons = [
        "seen only once" if found.flows == 1 else "",
        "one client only" if found.clients == 1 and found.flows > 1 else "",
        f"{', '.join(lateral)}: remote administration, a road for lateral movement"
        if lateral
        else "",
        f"direction of {unknown} unknown: may be the wrong way round" if unknown else "",
        f"direction of {guessed} guessed from the number of clients" if guessed else "",
        f"{partly} seen only in part (mid-stream or one-way)" if partly else "",
        f"{failed} refused or never answered" if failed else "",
        f"{idle} out of scope: needs no rule" if idle else "",
        f"{high} high ports: perhaps a dynamic range" if high > DYNAMIC_PORTS else "",
        _width("clients", found.clients, draft.clients, homes),
        _width("servers", found.servers, draft.servers, homes),
        f"breaks guardrail {', '.join(breaks)}" if breaks else "",
    ]
    return "; ".join(reason for reason in reasons if reason)


def _width(role: str, seen: int, side: Sequence[int], homes: Homes) -> str:
    hosts = int(homes.sizes[list(side)].sum())
    if seen * WIDE > hosts:
        return ""
    names = ", ".join(homes.names[at] for at in side)
    return f"{seen:,} of {plural(hosts, 'host')} of {names} seen as {role}"


def broken_by(simulation: Simulation, draft: Draft, homes: Homes) -> tuple[str, ...]:
    """Ids of the guardrails that the rule would break."""
    clients, servers = (
        AddressSet.union(homes.addresses[at] for at in side)
        for side in (draft.clients, draft.servers)
    )
    ranges = [ServiceRange(protocol, port, port) for protocol, port in draft.services]
    return forbidding(simulation.policy, clients, servers, ranges)
