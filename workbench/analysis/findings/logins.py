"""First logins: a remote administration service used between two hosts that did not use it before.

Servers that everybody uses on a service, and the file shares and RPC of domain controllers, are
left out: one more client there is no news.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.findings.scene import Mask, Rows, Scene, distinct, grouped, kind_of, pick
from workbench.model.finding import Columns, Evidence
from workbench.model.net import ICMP, ICMPV6, TCP
from workbench.model.risky import ADMINISTRATION, RiskyService, risky_by_id

POPULAR = 3
"""Clients of a server on one service: another one is no news."""
SIGN_IN = ("smb", "dcom")
"""What every member of a domain uses of its controllers."""
_DOMAIN_PORTS = (53, 88, 389)
_DYNAMIC = 49_152
"""Where Windows puts RPC services (RFC 6335 section 6)."""


@dataclass(frozen=True)
class Login:
    """The first use of one service between two machines."""

    client: int
    """Machine, by host index."""
    server: int
    service: RiskyService
    first_us: int
    last_us: int
    flows: int
    most_to_server: int
    """Bytes of the largest flow."""
    ports: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    new_us: int
    """Recorded time before it, without it."""
    alike: bool
    """Both ends look like workstations."""
    outside: bool
    """The client is no machine of this site."""
    expected: bool
    """The client's role is to do this."""
    occasions: int
    """Different hours with use."""
    routine: bool
    """It comes back over half of the recording."""
    tries: int
    """Short sessions before the first longer one; 0 where none was longer."""

    @property
    def ends(self) -> tuple[int, int]:
        return self.client, self.server


def logins(scene: Scene) -> tuple[Login, ...]:
    """First logins in order of time."""
    table = _used(scene, scene.now.logins)
    news = ~np.isin(
        _pairs(table), _pairs(_used(scene, scene.before.logins)) if scene.before else ()
    )
    table = pick(table, news & ~_crowded(scene, table) & ~_signs_in(scene, table))
    stations, serving = _workstations(scene)
    follow = _dynamic(scene)
    found = []
    for rows in grouped(table["host"], table["target"], table["family"]):
        login = _login(scene, pick(table, rows), stations, serving, follow)
        if scene.before is not None or not login.routine:
            found.append(login)
    return tuple(sorted(found, key=lambda one: (one.first_us, *map(scene.address, one.ends))))


def family(table: Columns) -> Rows:
    """By row: index into ADMINISTRATION, -1 for none of them."""
    return kind_of(table, [risky_by_id(slug).services for slug in ADMINISTRATION])


def _used(scene: Scene, table: Columns) -> Columns:
    """Rows on these services in which both ends said something, with a column `family`."""
    kind = family(table)
    mask = (table["used"] > 0) & (kind >= 0) & scene.within(table)
    return {**scene.select(table, mask), "family": kind[mask]}


def _pairs(table: Columns) -> NDArray[np.int64]:
    """One number a client, server and family."""
    ends = table["host"].astype(np.int64) << 32 | table["target"].astype(np.int64) << 4
    return np.asarray(ends | table["family"])


def _crowded(scene: Scene, table: Columns) -> Mask:
    """Rows whose server has many clients on the service, in the earlier window if there is one."""
    seen = _used(scene, scene.before.logins) if scene.before else table
    service = seen["target"].astype(np.int64) << 4 | seen["family"]
    services, clients = distinct(service, seen["host"])
    mine = table["target"].astype(np.int64) << 4 | table["family"]
    return np.asarray(np.isin(mine, services[clients >= POPULAR]))


def _signs_in(scene: Scene, table: Columns) -> Mask:
    """Rows on file shares and RPC of a host that answers Kerberos, LDAP or DNS."""
    every = [scene.now.contacts, *([scene.before.contacts] if scene.before else [])]
    domain = np.zeros(len(scene.hosts), dtype=np.bool_)
    for contacts in every:
        answers = (contacts["used"] > 0) & np.isin(contacts["port"], _DOMAIN_PORTS)
        domain[scene.machine[contacts["server"][answers & (contacts["protocol"] != ICMP)]]] = True
    kinds = [ADMINISTRATION.index(slug) for slug in SIGN_IN]
    return np.asarray(domain[table["target"]] & np.isin(table["family"], kinds))


def _workstations(scene: Scene) -> tuple[Mask, Mask]:
    """By host: who uses the services of others, and whose own are used by two or more.

    Administration is left out of the latter: an intruder's logins make no server of a PC.
    """
    table = scene.now.contacts
    plain = ~np.isin(table["protocol"], (ICMP, ICMPV6))
    table = scene.select(table, (table["used"] > 0) & scene.within(table) & plain)
    uses = np.zeros(len(scene.hosts), dtype=np.bool_)
    uses[table["host"]] = True
    table = pick(table, family(table) < 0)
    servers, clients = distinct(table["target"], table["host"])
    serves = np.zeros(len(scene.hosts), dtype=np.bool_)
    serves[servers[clients > 1]] = True
    return uses, serves


def _dynamic(scene: Scene) -> dict[tuple[int, int], Rows]:
    """Client and server → contacts on dynamic ports: where RPC goes after the endpoint mapper."""
    table = scene.now.contacts
    rows = np.flatnonzero(
        (table["protocol"] == TCP) & (table["port"] >= _DYNAMIC) & (table["used"] > 0)
    )
    chosen = scene.select(table, rows)
    return {
        (int(chosen["host"][some[0]]), int(chosen["target"][some[0]])): rows[some]
        for some in grouped(chosen["host"], chosen["target"])
    }


def _login(
    scene: Scene,
    table: Columns,
    uses: Mask,
    serves: Mask,
    follow: dict[tuple[int, int], Rows],
) -> Login:
    client, server = int(table["host"][0]), int(table["target"][0])
    service = risky_by_id(ADMINISTRATION[int(table["family"][0])])
    first, last = int(table["first_us"].min()), int(table["last_us"].max())
    evidence = scene.evidence(table, np.arange(len(table["host"])))
    if service.id == "dcom":
        rows = follow.get((client, server), np.empty(0, np.int64))
        evidence = tuple(sorted({*evidence, *scene.evidence(scene.now.contacts, rows)}))
    hours = len(np.unique(table["minute"] // 60))
    known = uses[server] or scene.near(client, server)
    outside = not scene.inside[client] and not scene.near(client, server)
    return Login(
        client=client,
        server=server,
        service=service,
        first_us=first,
        last_us=last,
        flows=int(table["used"].sum()),
        most_to_server=int(table["most_to_server"].max()),
        ports=tuple(sorted({one.port for one in evidence})),
        evidence=evidence,
        new_us=scene.quiet_us(first),
        alike=bool(known and not serves[client] and not serves[server] and not outside),
        outside=bool(outside),
        expected=bool(scene.expected[client]),
        occasions=hours,
        routine=hours >= 4 and 2 * (last - first) >= scene.recorded_us,
        tries=_tries(table),
    )


def _tries(table: Columns) -> int:
    longer = table["used"] > table["brief"]
    if not longer.any():
        return 0
    return int(table["brief"][table["minute"] < table["minute"][longer].min()].sum())
