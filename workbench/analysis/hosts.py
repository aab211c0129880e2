"""Hosts as arrays: who is in an address set, who cannot be told apart, what each one did."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.numbers import numbers, pair
from workbench.model.net import AddressSet, service_text
from workbench.model.policy import ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.site import HostFacts, Inventory, labels_of
from workbench.model.traffic import ConversationTable, HostTable

TOP_SERVICES = 8


def members(addresses: AddressSet, hosts: HostTable) -> NDArray[np.bool_]:
    """Which hosts are in the set: one bool by host index."""
    found = np.zeros(len(hosts), dtype=np.bool_)
    ascending, order = hosts.by_address
    index = hosts.index
    for piece in addresses.ranges:
        if piece.first == piece.last:
            at = index.get(piece.first)
            if at is not None:
                found[at] = True
        else:
            first, last = bisect_left(ascending, piece.first), bisect_right(ascending, piece.last)
            found[order[first:last]] = True
    return found


class HostClasses:
    """Hosts with equal membership in every given address set form one class."""

    def __init__(self, hosts: HostTable, sets: Iterable[AddressSet]) -> None:
        self._ascending, order = hosts.by_address
        self.of_host = numbered(np.array([members(addresses, hosts) for addresses in sets]))
        """Class by host index."""
        along = self.of_host[order]
        starts = np.flatnonzero(np.diff(along, prepend=-1))
        self._run_at = {at: run for run, at in enumerate([*starts.tolist(), len(hosts)])}
        self._runs = along[starts]
        """Class of each run of alike hosts, in the order of addresses."""
        self._sample = np.zeros(int(self.of_host.max(initial=-1)) + 1, dtype=np.int64)
        self._sample[self._runs] = np.arange(len(starts))

    def __len__(self) -> int:
        return len(self._sample)

    def within(self, addresses: AddressSet) -> NDArray[np.bool_] | None:
        """Which classes lie in the set, one bool each; None when it cuts a class in two."""
        spans: list[tuple[int, int]] = []  # of places in the order of addresses, gaps closed
        for piece in addresses.ranges:
            first = bisect_left(self._ascending, piece.first)
            last = bisect_right(self._ascending, piece.last, first)
            if first < last:
                if spans and spans[-1][1] == first:
                    first = spans.pop()[0]
                spans.append((first, last))
        runs = np.zeros(len(self._runs), dtype=np.bool_)
        for first, last in spans:
            if first not in self._run_at or last not in self._run_at:
                return None
            runs[self._run_at[first] : self._run_at[last]] = True
        classes = runs[self._sample]
        return classes if np.array_equal(classes[self._runs], runs) else None


def numbered(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Equal columns of a (sets, hosts) table get equal numbers, counted from 0."""
    if not masks.size:
        return np.zeros(masks.shape[1], dtype=np.int64)
    packed = np.ascontiguousarray(np.packbits(masks, axis=0).T)
    numbers: dict[bytes, int] = {}
    columns = packed.view(f"V{packed.shape[1]}").ravel().tolist()
    return np.array([numbers.setdefault(bits, len(numbers)) for bits in columns], dtype=np.int64)


def segments_by_host(policy: ResolvedPolicy, hosts: HostTable) -> list[tuple[str, ...]]:
    """Names of the segments of each host, policy order."""
    found: list[list[str]] = [[] for _ in range(len(hosts))]
    for name, addresses in policy.segments:
        for host in np.flatnonzero(members(addresses, hosts)).tolist():
            found[host].append(name)
    return [tuple(names) for names in found]


def host_facts(simulation: Simulation, inventory: Inventory) -> tuple[HostFacts, ...]:
    """Every host of the table, table order: names, labels, segments, and what it did."""
    table = simulation.table
    size = len(table.hosts)
    client, server = table["client"], table["server"]
    as_client = np.bincount(client, minlength=size)
    as_server = np.bincount(server, minlength=size)
    ends = np.concatenate([client, server])
    octets = np.zeros(size, dtype=np.int64)
    first = np.full(size, np.iinfo(np.int64).max)
    last = np.full(size, np.iinfo(np.int64).min)
    # A host that talks to itself is one end only: its bytes count once.
    np.add.at(octets, client, table["bytes"])
    apart = client != server
    np.add.at(octets, server[apart], table["bytes"][apart])
    np.minimum.at(first, ends, np.tile(table["first_us"], 2))
    np.maximum.at(last, ends, np.tile(table["last_us"], 2))
    services = _top_services(table)
    segments = segments_by_host(simulation.policy, table.hosts)
    return tuple(
        HostFacts(
            address,
            inventory.name(address),
            labels_of(inventory.labels(address)),
            segments[at],
            conversations=int(as_client[at] + as_server[at]),
            as_client=int(as_client[at]),
            as_server=int(as_server[at]),
            bytes=int(octets[at]),
            services=services.get(at, ()),
            first_us=int(first[at]) if as_client[at] or as_server[at] else None,
            last_us=int(last[at]) if as_client[at] or as_server[at] else None,
        )
        for at, address in enumerate(table.hosts.addresses)
    )


def _top_services(table: ConversationTable) -> dict[int, tuple[str, ...]]:
    """Host index → the services it answered on, most conversations first, then by number."""
    service = numbers(table["protocol"], table["port"])
    key, count = np.unique((table["server"].astype(np.int64) << 24) | service, return_counts=True)
    order = np.lexsort((key, -count, key >> 24))
    found: dict[int, list[str]] = {}
    for host, number in zip((key >> 24)[order].tolist(), key[order].tolist(), strict=True):
        names = found.setdefault(host, [])
        if len(names) < TOP_SERVICES:
            names.append(service_text(*pair(number & 0xFF_FFFF)))
    return {host: tuple(names) for host, names in found.items()}
