"""Hosts in groups, for the rows and columns of a matrix."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import members, numbered
from workbench.model.net import format_address, is_v4
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.traffic import HostTable

Numbers = NDArray[np.int64]
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
    def of(cls, names: Iterable[str], hosts: Numbers, groups: Numbers, size: int) -> "Grouping":
        """From memberships in any order; those of `size` hosts without one go to NONE."""
        listed = tuple(names)
        alone = np.flatnonzero(np.bincount(hosts, minlength=size) == 0)
        if len(alone):
            hosts = np.concatenate([hosts, alone])
            groups = np.concatenate([groups, np.full(len(alone), len(listed))])
            listed += (NONE,)
        order = np.lexsort((groups, hosts))
        return cls(listed, hosts[order], groups[order])

    @cached_property
    def kinds(self) -> "Kinds":
        """Hosts by the exact set of groups they are in."""
        size = int(self.hosts[-1]) + 1 if len(self.hosts) else 0
        if len(self.hosts) == size:
            every = np.arange(len(self.names) + 1)
            return Kinds(self.groups, every[:-1], every, plain=True)
        inside = np.zeros((len(self.names), size), dtype=np.bool_)
        inside[self.groups, self.hosts] = True
        of_host = numbered(inside)
        sample = np.zeros(int(of_host.max()) + 1, dtype=np.int64)
        sample[of_host] = np.arange(size)
        kinds, groups = np.nonzero(inside[:, sample].T)
        return Kinds(of_host, groups, np.searchsorted(kinds, np.arange(len(sample) + 1)))


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
    """One group a machine: a listed host with all its addresses, or an address of nobody's.

    In the order of their first addresses, under its name. An address that reads like somebody's
    name is told apart by brackets.
    """
    ascending, order = hosts.by_address
    numbers: dict[str, int] = {}
    groups = []
    for address in ascending:
        host = inventory.by_address.get(address)
        name = inventory.name(address)
        if not host and name in inventory.names:
            name = f"({name})"
        elif not host and name in numbers:  # captures call several so
            name = inventory.title(address)
        groups.append(numbers.setdefault(name, len(numbers)))
    return Grouping.of(numbers, order, _array(groups), len(hosts))


def by_segment(hosts: HostTable, policy: ResolvedPolicy) -> Grouping:
    """The policy's segments, policy order."""
    inside = np.zeros((len(policy.segments), len(hosts)), dtype=np.bool_)
    for at, (_, addresses) in enumerate(policy.segments):
        inside[at] = members(addresses, hosts)
    found, groups = np.nonzero(inside.T)
    return Grouping.of((name for name, _ in policy.segments), found, groups, len(hosts))


def by_label(hosts: HostTable, inventory: Inventory, key: str) -> Grouping:
    """One group a value of the label `key`, in the order of the alphabet."""
    values = [inventory.labels(address).get(key) for address in hosts.addresses]
    names = sorted({value for value in values if value is not None})
    numbers = {name: at for at, name in enumerate(names)}
    labelled = [at for at, value in enumerate(values) if value is not None]
    groups = [numbers[value] for value in values if value is not None]
    return Grouping.of(names, _array(labelled), _array(groups), len(hosts))


def by_subnet(hosts: HostTable) -> Grouping:
    """One group an IPv4 /24 or IPv6 /64, in address order."""
    networks = [subnet_of(address) for address in hosts.addresses]
    numbers = {first: at for at, first in enumerate(sorted(set(networks)))}
    names = [f"{format_address(first)}/{24 if is_v4(first) else 64}" for first in numbers]
    groups = _array([numbers[first] for first in networks])
    return Grouping.of(names, np.arange(len(hosts)), groups, len(hosts))


def subnet_of(address: int) -> int:
    """First address of the /24 (IPv4) or /64 (IPv6) around it."""
    return address & ~0xFF if is_v4(address) else address & ~(2**64 - 1)


def _array(numbers: list[int]) -> Numbers:
    return np.array(numbers, dtype=np.int64)
