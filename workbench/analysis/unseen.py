"""What a recording could not have seen. Unseen is not unused.

A capture point sees what crosses it: a mirror of an uplink shows nothing between two hosts of one
switch, a capture on a host shows that host. Whoever takes the silence for proof blocks what works.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.grouping import subnet_of
from workbench.analysis.hosts import members
from workbench.analysis.outside import PRIVATE
from workbench.analysis.recordings import care, fact
from workbench.model.net import format_address, is_v4
from workbench.model.quality import HostSides, NetworkPair, NetworkView, Remark, View
from workbench.model.site import Inventory
from workbench.model.text import percent, plural
from workbench.model.traffic import ConversationTable

ENOUGH_HOSTS = 3
"""Hosts from which a network's silence says something."""
LISTED = 100
"""Pairs of networks that are named."""
_NAMED = 3
"""Things that a sentence names before it counts."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class _Scene:
    """Conversations between hosts, without broadcast and multicast."""

    client: Numbers
    server: Numbers
    real: NDArray[np.bool_]
    """Hosts that were seen sending, by host number."""
    net: Numbers
    """Network of each host, -1 for none."""
    names: tuple[str, ...]
    guessed: int
    """Networks from this number on are guesses."""

    @property
    def pairs(self) -> tuple[Numbers, Numbers]:
        """Pairs of sending hosts that were seen talking, each once."""
        both = self.real[self.client] & self.real[self.server] & (self.client != self.server)
        low = np.minimum(self.client[both], self.server[both])
        high = np.maximum(self.client[both], self.server[both])
        keys = np.unique(low << 32 | high)
        return keys >> 32, keys & 0xFFFF_FFFF


def view(table: ConversationTable, sides: HostSides, inventory: Inventory) -> View:
    """Networks as the recording shows them, and sentences about what it cannot show.

    Networks are the inventory's, the narrowest one around a host; for private addresses outside
    them a /24 or /64 is guessed.
    """
    scene = _scene(table, sides, inventory)
    low, high = scene.pairs
    networks = _networks(scene, low, high)
    apart, apart_total = _apart(scene, networks)
    hosts, pairs = int(scene.real.sum()), len(low)
    seen = View(hosts, pairs, networks, apart, apart_total)
    centre = _centre(scene)
    found = [*_pairs(seen)]
    if centre is not None:
        found.insert(0, _one_host(inventory.title(table.hosts.addresses[centre])))
    else:
        found += [*_by_network(networks), *_never_together(seen)]
    found += _one_sided(table, sides, inventory)
    return View(hosts, pairs, networks, apart, apart_total, tuple(found))


def _scene(table: ConversationTable, sides: HostSides, inventory: Inventory) -> _Scene:
    client, server = (table[name].astype(np.int64) for name in ("client", "server"))
    no_host = sides.many | (sides.flooded & ~sides.sent)  # a group, or a subnet's broadcast address
    kept = ~(no_host[client] | no_host[server])
    hosts = table.hosts
    net = np.full(len(hosts), -1, np.int64)
    listed = inventory.narrowing
    for number, network in enumerate(listed):
        net[members(network.addresses, hosts)] = number
    names = [network.name for network in listed]
    free = np.flatnonzero((net < 0) & members(PRIVATE, hosts))
    prefixes: dict[int, int] = {}
    for at in free.tolist():
        first = subnet_of(hosts.addresses[at])
        net[at] = prefixes.setdefault(first, len(listed) + len(prefixes))
    names += [f"{format_address(one)}/{24 if is_v4(one) else 64}" for one in prefixes]
    real = np.zeros(len(hosts), np.bool_)
    real[: len(sides.sent)] = sides.sent & ~sides.many
    return _Scene(client[kept], server[kept], real, net, tuple(names), len(listed))


def _networks(scene: _Scene, low: Numbers, high: Numbers) -> tuple[NetworkView, ...]:
    def counts(nets: Numbers) -> Numbers:
        return np.bincount(nets[nets >= 0], minlength=len(scene.names))

    one, other = scene.net[scene.client], scene.net[scene.server]
    same = one == other
    hosts = counts(scene.net[scene.real])
    inside = counts(one[same])
    across = counts(one[~same]) + counts(other[~same])
    low_net, high_net = scene.net[low], scene.net[high]
    pairs = counts(low_net[low_net == high_net])
    found = [
        NetworkView(
            name,
            at >= scene.guessed,
            int(hosts[at]),
            int(inside[at]),
            int(across[at]),
            int(pairs[at]),
        )
        for at, name in enumerate(scene.names)
        if hosts[at]
    ]
    return tuple(sorted(found, key=lambda network: (-network.hosts, network.name)))


def _apart(scene: _Scene, networks: Sequence[NetworkView]) -> tuple[tuple[NetworkPair, ...], int]:
    """Networks that both talk across their edges, yet never with each other."""
    number = {name: at for at, name in enumerate(scene.names)}
    talking = [one for one in networks if one.hosts >= ENOUGH_HOSTS and one.across]
    rank = np.full(len(scene.names) + 1, -1, np.int64)
    rank[[number[one.name] for one in talking]] = np.arange(len(talking))
    together = np.eye(len(talking), dtype=np.bool_)
    one, other = rank[scene.net[scene.client]], rank[scene.net[scene.server]]
    both = (one >= 0) & (other >= 0)
    together[one[both], other[both]] = True
    first, second = np.nonzero(np.triu(~(together | together.T)))
    sizes = np.array([network.hosts for network in talking], np.int64)
    weights = sizes[first] * sizes[second]
    order = np.argsort(-weights, kind="stable")[:LISTED]
    pairs = tuple(
        NetworkPair(talking[first[at]].name, talking[second[at]].name, int(weights[at]))
        for at in order.tolist()
    )
    return pairs, len(first)


def _centre(scene: _Scene) -> int | None:
    """The host that has a part in all conversations, where there is one."""
    if scene.real.sum() <= ENOUGH_HOSTS or not len(scene.client):
        return None
    apart = scene.client != scene.server
    parts = np.bincount(scene.client[apart]) if apart.any() else np.zeros(1, np.int64)
    parts = np.pad(parts, (0, max(0, len(scene.net) - len(parts))))
    parts += np.bincount(scene.server[apart], minlength=len(parts))
    most = int(parts.argmax())
    return most if parts[most] >= 0.99 * apart.sum() else None


def _one_host(name: str) -> Remark:
    return care(
        "one-host",
        f"every conversation has {name} at one end: this was recorded at that host, and what the "
        "others say to each other is not in it",
    )


def _pairs(seen: View) -> Iterator[Remark]:
    if seen.hosts >= 2:
        verb = "was" if seen.pairs_seen == 1 else "were"
        yield fact(
            "pairs",
            f"{seen.pairs_seen:,} of {plural(seen.pairs, 'possible pair')} of the {seen.hosts:,} "
            f"hosts ({percent(seen.pairs_seen, seen.pairs)}) {verb} seen talking; of the others "
            "nothing is known",
        )


def _by_network(networks: Sequence[NetworkView]) -> Iterator[Remark]:
    for one in networks:
        if one.hosts < ENOUGH_HOSTS or (one.inside and one.across):
            continue
        guess = " (a guess)" if one.guessed else ""
        if one.across:
            yield care(
                "inside-unseen",
                f"traffic inside {one.name}{guess} does not cross this capture point: its "
                f"{one.hosts:,} hosts have {plural(one.across, 'conversation')} with others and "
                f"none among themselves; of their {plural(one.pairs, 'pair')} nothing is known",
            )
        elif one.inside:
            yield care(
                "edge-unseen",
                f"only traffic inside {one.name}{guess} was seen "
                f"({plural(one.inside, 'conversation')}): what enters or leaves it takes "
                "another way",
            )


def _never_together(seen: View) -> Iterator[Remark]:
    if seen.apart:
        named = "; ".join(
            f"{pair.one} and {pair.other} ({plural(pair.pairs, 'pair')} of hosts)"
            for pair in seen.apart[:_NAMED]
        )
        rest = seen.apart_total - _NAMED
        more = f"; and {rest:,} more" if rest > 0 else ""
        yield care(
            "never-together",
            f"{plural(seen.apart_total, 'pair')} of networks both talk, and were never seen "
            f"talking with each other: {named}{more}: unused, or on another path",
        )


def _one_sided(
    table: ConversationTable, sides: HostSides, inventory: Inventory
) -> Iterator[Remark]:
    host = ~sides.many & ~(sides.flooded & ~sides.sent)
    kinds = (
        ("flooded-only", host & sides.flooded & sides.sent,
         "known by broadcasts and multicasts only: what they say to one host is not here"),
        ("never-sent", host & sides.received & ~sides.sent & ~sides.flooded,
         "only ever sent to: dead, silent, behind a firewall, or answering on another path"),
        ("never-addressed", host & sides.sent & ~sides.received & ~sides.flooded,
         "only ever sending: beacons, errors, or their answers take another path"),
    )  # fmt: skip
    for kind, mask, meaning in kinds:
        found = np.flatnonzero(mask)
        if len(found):
            names = [inventory.title(table.hosts.addresses[at]) for at in found[:_NAMED].tolist()]
            more = ", …" if len(found) > _NAMED else ""
            verb = "host is" if len(found) == 1 else "hosts are"
            yield fact(kind, f"{len(found):,} {verb} {meaning} ({', '.join(names)}{more})")
