"""Which machines there are, who is outside, and which machines an address set holds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import bitset
from workbench.analysis.grouping import by_host
from workbench.analysis.hosts import members
from workbench.analysis.outside import outside_of
from workbench.model.net import SCTP, TCP, AddressSet, is_v4
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable, HostTable, Outcome
from workbench.model.verdict import NOT_POLICY

NOBODY = -1
REMEMBERED = 5_000
"""Address sets whose machines are kept, so that an edit of one rule looks up little."""


@dataclass(frozen=True)
class Machines:
    """The machines of a site, numbered; the number after the last stands for everybody outside."""

    hosts: HostTable
    names: tuple[str, ...]
    of_host: NDArray[np.int64]
    """Machine by host index; NOBODY for what is outside, silent, or no matter for a policy."""
    outside: AddressSet
    """All addresses outside, seen or not."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def outside_bit(self) -> int:
        return 1 << len(self.names)

    @property
    def everybody(self) -> int:
        """All machines, without the outside."""
        return (1 << len(self.names)) - 1

    @cached_property
    def _families(self) -> tuple[tuple[NDArray[np.bool_], AddressSet], ...]:
        """For IPv4 and IPv6: the hosts that are machines, and the outside."""
        v4 = np.array([is_v4(address) for address in self.hosts.addresses], dtype=np.bool_)
        valid = (self.of_host != NOBODY) & ~members(NOT_POLICY, self.hosts)
        return (
            (valid & v4, self.outside.family(4)),
            (valid & ~v4, self.outside.family(6)),
        )

    @cached_property
    def _known(self) -> dict[AddressSet, tuple[int, int]]:
        return {}

    def bits(self, addresses: AddressSet) -> tuple[int, int]:
        """Machines with an IPv4 and with an IPv6 address in the set; the outside counts as one."""
        found = self._known.get(addresses)
        if found is None:
            v4, v6 = self.pack(members(addresses, self.hosts))
            for_v4, for_v6 = (
                self.outside_bit if outside & addresses else 0 for _, outside in self._families
            )
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[addresses] = (v4 | for_v4, v6 | for_v6)
        return found

    def within(self, addresses: AddressSet) -> int:
        """Machines with any address in the set, without the outside."""
        v4, v6 = self.bits(addresses)
        return (v4 | v6) & self.everybody

    def pack(self, chosen: NDArray[np.bool_]) -> tuple[int, int]:
        """Machines that own any of the hosts chosen, by host index; by address family."""
        found = []
        for valid, _ in self._families:
            mask = np.zeros(len(self.names), dtype=np.bool_)
            mask[self.of_host[chosen & valid]] = True
            found.append(bitset(mask))
        return found[0], found[1]

    def name(self, number: int) -> str:
        """The name of a machine, or `outside`."""
        return self.names[number] if number < len(self.names) else "outside"


def machines_of(table: ConversationTable, inventory: Inventory) -> Machines:
    """Everything listed, and everything that was heard to speak.

    Addresses that only others spoke to are left out: most of them are a scan's, and nobody's.
    """
    hosts = table.hosts
    outside = outside_of(inventory)
    grouping = by_host(hosts, inventory)
    real = _spoke(table) | np.array([one in inventory.by_address for one in hosts.addresses], bool)
    real &= ~members(NOT_POLICY, hosts) & ~members(outside, hosts)
    groups = grouping.groups  # one a host
    kept = np.unique(groups[real])
    numbers = np.full(len(grouping.names), NOBODY, dtype=np.int64)
    numbers[kept] = np.arange(len(kept))
    of_host = np.where(real, numbers[groups], NOBODY)
    return Machines(hosts, tuple(grouping.names[at] for at in kept), of_host, outside)


def _spoke(table: ConversationTable) -> NDArray[np.bool_]:
    """Hosts that sent something: clients, and servers that answered or were in mid-stream."""
    outcome, server = table["outcome"], table["server"]
    streams = np.isin(table["protocol"], [TCP, SCTP])
    answered = np.isin(outcome, [Outcome.ESTABLISHED, Outcome.MID_STREAM])
    answered |= (outcome == Outcome.ONE_WAY) & streams
    spoke = np.zeros(len(table.hosts), dtype=np.bool_)
    spoke[table["client"]] = True
    spoke[server[answered]] = True
    return spoke
