"""Which segment a host goes by when traffic is turned into rules."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.grouping import subnet_of
from workbench.analysis.hosts import members
from workbench.analysis.outside import is_internet, outside_of
from workbench.model.net import AddressSet, format_address, is_v4
from workbench.model.policy import ANY, ResolvedPolicy, Segment, slug, unused
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory

NAMING_LABELS = ("app", "role", "env")
"""Labels that name a new segment, where a host has any of them; otherwise all its labels do."""
INTERNET = "internet-hosts"
HOSTS = "hosts"
NOWHERE = -1


@dataclass(frozen=True)
class Homes:
    """One segment for every host that needs one."""

    names: tuple[str, ...]
    """The policy's segments, then new ones."""
    of_host: NDArray[np.int64]
    """Index into `names`, or NOWHERE."""
    sizes: NDArray[np.int64]
    """Hosts of the table in each segment, whether it is their home or not."""
    addresses: tuple[AddressSet, ...]
    """What each segment holds."""
    new: tuple[Segment, ...]
    """Segments for hosts that are in none, listing exactly those addresses; those outside apart."""
    ours: tuple[Segment, ...]
    """The new ones that are not outside."""


def homes(simulation: Simulation, inventory: Inventory, needed: NDArray[np.int64]) -> Homes:
    """The narrowest segment of each host, and new segments for the `needed` hosts without one.

    Narrowest: fewest hosts of the table, then fewest addresses, then policy order.
    """
    hosts, segments = simulation.table.hosts, simulation.policy.segments
    inside = [members(addresses, hosts) for _, addresses in segments]
    sizes = [int(mask.sum()) for mask in inside]
    of_host = np.full(len(hosts), NOWHERE, dtype=np.int64)
    for at in sorted(
        range(len(segments)), key=lambda at: (sizes[at], segments[at][1].size, at), reverse=True
    ):
        of_host[inside[at]] = at
    names = [name for name, _ in segments]
    held = [addresses for _, addresses in segments]
    outside = outside_of(inventory)
    groups: dict[tuple[str, bool], list[int]] = {}
    for host in needed[of_host[needed] == NOWHERE].tolist():
        address = hosts.addresses[host]
        away = address in outside
        groups.setdefault((_name_for(address, inventory, away), away), []).append(host)
    new, ours = [], []
    for (wish, away), alone in sorted(groups.items()):
        name = unused(wish, {*names, ANY})
        of_host[alone] = len(names)
        names.append(name)
        sizes.append(len(alone))
        held.append(AddressSet.of_addresses(hosts.addresses[host] for host in alone))
        new.append(Segment(name, cidrs=held[-1].cidrs()))
        ours += [] if away else new[-1:]
    counted = np.array(sizes, dtype=np.int64)
    return Homes(tuple(names), of_host, counted, tuple(held), tuple(new), tuple(ours))


def _name_for(address: int, inventory: Inventory, away: bool) -> str:
    labels = inventory.labels(address)
    values = [labels[key] for key in NAMING_LABELS if key in labels]
    if values or labels:
        return slug("-".join(values or labels.values()), HOSTS)
    if away:
        return INTERNET
    first = format_address(subnet_of(address))
    return slug(f"{HOSTS}-{first.rpartition('.')[0] if is_v4(address) else first}", HOSTS)


def is_ours(name: str, policy: ResolvedPolicy) -> bool:
    """A segment that is worth protecting: it has addresses, and is not the internet."""
    addresses = policy.segment(name)
    return bool(addresses) and not is_internet(addresses)
