"""What all detectors share: who is who, what is inside, how long was recorded, and evidence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import members
from workbench.analysis.numbers import numbers, within
from workbench.analysis.outside import outside_of
from workbench.model.finding import MOST_EVIDENCE, Columns, Evidence, Thresholds, Traces
from workbench.model.net import PORT_PROTOCOLS, V4_BASE, AddressSet, ServiceRange, is_v4
from workbench.model.site import Inventory
from workbench.model.spoken import Spoken
from workbench.model.text import and_more
from workbench.model.traffic import HostTable

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

MANY = AddressSet.of_cidrs(
    ["224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/32", "ff00::/8", "::/128"]
)
"""Multicast, broadcast, and nobody."""
SECOND = 1_000_000


@dataclass(frozen=True)
class Scene:
    """One window of traffic, and perhaps an earlier one to compare it with.

    A machine with several addresses is one host here: the first of its addresses that was seen.
    """

    hosts: HostTable
    inventory: Inventory
    now: Traces
    before: Traces | None
    covered: tuple[tuple[int, int], ...]
    """Recorded stretches of the window, µs: disjoint, ascending."""
    limits: Thresholds
    spoken: tuple[Spoken, ...] = ()
    """What payload says, by time; empty where nobody listened."""
    spoken_before: tuple[Spoken, ...] = ()
    unheard: tuple[str, ...] = ()
    """Captures whose payload could not be read, and why."""

    @cached_property
    def machine(self) -> NDArray[np.int32]:
        """By host index: the machine it belongs to, by the inventory."""
        found = np.arange(len(self.hosts), dtype=np.int32)
        index = self.hosts.index
        for host in self.inventory.hosts:
            places = [index[one] for one in host.addresses if one in index]
            if places:
                found[places] = places[0]
        return found

    @cached_property
    def many(self) -> Mask:
        """By host index: no single machine (multicast, broadcast; also a.b.c.255)."""
        return np.array(
            [one in MANY or (is_v4(one) and one & 255 == 255) for one in self.hosts.addresses],
            dtype=np.bool_,
        )

    @cached_property
    def inside(self) -> Mask:
        """By host index: not outside, see `outside_of`."""
        return ~members(outside_of(self.inventory), self.hosts)

    @cached_property
    def expected(self) -> Mask:
        """By host index: a role whose hosts talk to many by trade."""
        roles = set(self.limits.expected_roles)
        return np.array(
            [self.inventory.labels(one).get("role") in roles for one in self.hosts.addresses],
            dtype=np.bool_,
        )

    @cached_property
    def _area(self) -> NDArray[np.int64]:
        """By host index: a number for its /24 or /64."""
        keys = [one >> 8 if is_v4(one) else V4_BASE + (one >> 64) for one in self.hosts.addresses]
        numbers = {key: at for at, key in enumerate(dict.fromkeys(keys))}
        return np.array([numbers[key] for key in keys], dtype=np.int64)

    def within(self, table: Columns) -> Mask:
        """Rows whose server is one machine of this site: inside, or next door to the client."""
        client, server = table["client"], table["server"]
        near = self.inside[server] | (self._area[client] == self._area[server])
        itself = self.machine[client] == self.machine[server]
        return np.asarray(near & ~self.many[server] & ~itself)

    def near(self, one: int, other: int) -> bool:
        """Whether two hosts are in one /24 (IPv6: /64)."""
        return bool(self._area[one] == self._area[other])

    def select(self, table: Columns, rows: Rows | Mask | slice) -> Columns:
        """Some rows of a table, with the machines of their ends as `host` and `target`."""
        some = pick(table, rows)
        return {
            **some,
            "host": self.machine[some["client"]],
            "target": self.machine[some["server"]],
        }

    def working(self, traces: Traces) -> Columns:
        """Conversations on ports in which both ends said something, with one machine."""
        table = traces.contacts
        ports = np.isin(table["protocol"], tuple(PORT_PROTOCOLS))
        return self.select(table, (table["used"] > 0) & ports & ~self.many[table["server"]])

    # ── time ───────────────────────────────────────────────────────────────────────────────

    @property
    def recorded_us(self) -> int:
        return sum(end - begin for begin, end in self.covered)

    def quiet_us(self, moment: int) -> int:
        """Recorded time before a moment."""
        return sum(min(end, moment) - begin for begin, end in self.covered if begin < moment)

    # ── words ──────────────────────────────────────────────────────────────────────────────

    def address(self, host: int) -> int:
        return self.hosts.addresses[host]

    def name(self, host: int) -> str:
        return self.inventory.name(self.hosts.addresses[host])

    def names(self, hosts: Iterable[int], most: int = 3) -> str:
        """`a, b, c and 5 more`, by address."""
        told = sorted({int(one) for one in hosts}, key=self.address)
        return and_more(list(map(self.name, told)), most)

    def addresses(self, hosts: Iterable[int]) -> tuple[int, ...]:
        """Each once, ascending."""
        return tuple(sorted({self.hosts.addresses[int(one)] for one in hosts}))

    def evidence(self, table: Columns, rows: Rows) -> tuple[Evidence, ...]:
        """The conversations of some rows, each once, by address; at most MOST_EVIDENCE."""
        columns = [table[name][rows].tolist() for name in ("client", "server", "protocol", "port")]
        found = {
            Evidence(self.address(client), self.address(server), protocol, port)
            for client, server, protocol, port in zip(*columns, strict=True)
        }
        return tuple(sorted(found)[:MOST_EVIDENCE])


def groups(*keys: NDArray[Any]) -> tuple[Rows, Rows]:
    """Rows in the order of their keys, and where each group of equal keys begins."""
    order = np.lexsort(keys[::-1])
    if not len(order):
        return order, np.empty(0, np.int64)
    fresh = np.zeros(len(order), dtype=np.bool_)
    fresh[0] = True
    for key in keys:
        fresh[1:] |= key[order][1:] != key[order][:-1]
    return order, np.flatnonzero(fresh)


def grouped(*keys: NDArray[Any]) -> list[Rows]:
    """Rows of equal keys, in the order of the keys."""
    order, starts = groups(*keys)
    return np.split(order, starts[1:]) if len(order) else []


def among(table: Columns, other: Columns, names: Sequence[str]) -> Mask:
    """Rows whose values of these columns occur together in the other table too."""
    order, starts = groups(*(np.concatenate((table[name], other[name])) for name in names))
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    size = len(table[names[0]])
    return np.asarray(np.isin(number[:size], number[size:]))


def distinct(group: NDArray[Any], *values: NDArray[Any]) -> tuple[NDArray[Any], Rows]:
    """Groups, and the number of distinct values in each."""
    order, starts = groups(group, *values)
    return np.unique(group[order][starts], return_counts=True)


def service_at(table: Columns, end: str = "target") -> Rows:
    """By row: one number for the host in the column `end`, the protocol and the port."""
    service = numbers(table["protocol"], table["port"])
    return np.asarray(table[end].astype(np.int64) << 24 | service)


def kind_of(table: Columns, kinds: Sequence[Iterable[ServiceRange]]) -> Rows:
    """By row: which of these disjoint kinds of services it is, -1 for none."""
    found = np.full(len(table["port"]), -1, dtype=np.int64)
    for number, services in enumerate(kinds):
        found[within(table["protocol"], table["port"], services)] = number
    return found


def pick(table: Columns, rows: Rows | Mask | slice) -> Columns:
    """Some rows of a table."""
    return {name: column[rows] for name, column in table.items()}


def busiest(times: NDArray[np.int64], window_s: int) -> tuple[int, int]:
    """The stretch of `window_s` with most of the ascending times: first, and behind the last."""
    ends = np.searchsorted(times, times + window_s * SECOND, side="right")
    counts = ends - np.arange(len(times))
    at = int(counts.argmax())
    return at, int(ends[at])
