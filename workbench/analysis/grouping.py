"""Hosts in groups, for the rows and columns of a matrix."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import members
from workbench.model.net import format_address, is_v4
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import HostTable

NONE = "(none)"
"""The group of hosts that are in no other; always the last one."""


@dataclass(frozen=True)
class Grouping:
    """Named groups; a host may be in several, and is in at least one."""

    names: tuple[str, ...]
    hosts: NDArray[np.int64]
    """Host index of each membership, ascending."""
    groups: NDArray[np.int64]
    """Index into `names` of each membership."""

    @classmethod
    def of(cls, names: Iterable[str], pairs: Iterable[tuple[int, int]], hosts: int) -> "Grouping":
        """From (host, group) pairs; hosts without a group go to NONE."""
        found = set(pairs)
        listed = tuple(names)
        alone = set(range(hosts)) - {host for host, _ in found}
        if alone:
            found |= {(host, len(listed)) for host in alone}
            listed += (NONE,)
        members_of = np.array(sorted(found), dtype=np.int64).reshape(-1, 2)
        return cls(listed, members_of[:, 0].copy(), members_of[:, 1].copy())

    @cached_property
    def kinds(self) -> "Kinds":
        """Hosts by the exact set of groups they are in."""
        sizes = np.bincount(self.hosts)
        if (sizes == 1).all():
            every = np.arange(len(self.names) + 1)
            return Kinds(self.groups, every[:-1], every, plain=True)
        numbers: dict[tuple[int, ...], int] = {}
        of_host = [
            numbers.setdefault(tuple(groups.tolist()), len(numbers))
            for groups in np.split(self.groups, np.cumsum(sizes)[:-1])
        ]
        starts = np.cumsum([0, *map(len, numbers)])
        flat = [group for groups in numbers for group in groups]
        return Kinds(np.array(of_host), np.array(flat), starts)


@dataclass(frozen=True)
class Kinds:
    """Which groups each kind of host is in."""

    of_host: NDArray[np.int64]
    """Kind by host index."""
    groups: NDArray[np.int64]
    """Groups, kind by kind."""
    starts: NDArray[np.int64]
    """Where each kind starts in `groups`, and the end."""

    plain: bool = False
    """Every host is in one group, and the kinds are the groups."""

    def __len__(self) -> int:
        return len(self.starts) - 1


def by_host(hosts: HostTable, inventory: Inventory) -> Grouping:
    """One group a host, in address order, under its name.

    Where one name has several addresses, each is `name (address)`: rows must be told apart.
    """
    ascending, order = hosts.by_address
    names = [inventory.name(address) for address in ascending]
    uses = Counter(names)
    shown = tuple(
        name if uses[name] == 1 else f"{name} ({format_address(address)})"
        for name, address in zip(names, ascending, strict=True)
    )
    return Grouping.of(shown, ((host, at) for at, host in enumerate(order.tolist())), len(hosts))


def by_segment(hosts: HostTable, policy: ResolvedPolicy) -> Grouping:
    """The policy's segments, policy order."""
    pairs = (
        (host, at)
        for at, (_, addresses) in enumerate(policy.segments)
        for host in np.flatnonzero(members(addresses, hosts)).tolist()
    )
    return Grouping.of((name for name, _ in policy.segments), pairs, len(hosts))


def by_label(hosts: HostTable, inventory: Inventory, key: str) -> Grouping:
    """One group a value of the label `key`, in the order of the alphabet."""
    return _by_text([inventory.labels(address).get(key) for address in hosts.addresses])


def by_subnet(hosts: HostTable) -> Grouping:
    """One group an IPv4 /24 or IPv6 /64, in address order."""
    networks = [subnet_of(address) for address in hosts.addresses]
    numbers = {first: at for at, first in enumerate(sorted(set(networks)))}
    names = [f"{format_address(first)}/{24 if is_v4(first) else 64}" for first in numbers]
    pairs = ((host, numbers[first]) for host, first in enumerate(networks))
    return Grouping.of(names, pairs, len(hosts))


def subnet_of(address: int) -> int:
    """First address of the /24 (IPv4) or /64 (IPv6) around it."""
    return address & ~0xFF if is_v4(address) else address & ~(2**64 - 1)


def _by_text(values: list[str | None]) -> Grouping:
    names = sorted({value for value in values if value is not None})
    numbers = {name: at for at, name in enumerate(names)}
    pairs = ((host, numbers[value]) for host, value in enumerate(values) if value is not None)
    return Grouping.of(names, pairs, len(values))
