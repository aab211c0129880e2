"""The pods of an inventory, and address sets said in the words of a NetworkPolicy."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from workbench.export.selectors import Selector, selectors, stable_labels
from workbench.export.text import one_line
from workbench.model.net import EVERYWHERE, AddressSet, format_address
from workbench.model.policy import ResolvedPolicy
from workbench.model.site import NAMESPACE_NAME, Inventory
from workbench.model.text import and_more, plural


class Unsayable(Exception):
    """What a NetworkPolicy cannot say, in words."""


@dataclass(frozen=True, slots=True)
class KnownPod:
    """A pod with all its addresses."""

    namespace: str
    name: str
    addresses: tuple[int, ...]
    labels: frozenset[tuple[str, str]]
    """Only those worth selecting by."""

    def __str__(self) -> str:
        return one_line(f"{self.namespace}/{self.name}", 130)

    def whole_in(self, addresses: AddressSet) -> bool:
        return all(address in addresses for address in self.addresses)

    def within(self, addresses: AddressSet, what: str = "") -> bool:
        """Raises Unsayable when only some of its addresses are: a selector takes them all."""
        inside = [address in addresses for address in self.addresses]
        if any(inside) and not all(inside):
            outside = format_address(self.addresses[inside.index(False)])
            raise Unsayable(
                one_line(what) + f"{outside} of pod {self} is left out, its other address is not"
            )
        return all(inside)


@dataclass(frozen=True)
class Cluster:
    """Every known pod, sorted."""

    pods: tuple[KnownPod, ...]

    @cached_property
    def addresses(self) -> AddressSet:
        return AddressSet.of_addresses(a for pod in self.pods for a in pod.addresses)

    def select(self, wanted: Sequence[KnownPod]) -> dict[str, tuple[Selector, ...]]:
        """Namespace → selectors that pick exactly these pods there. Raises Unsayable."""
        chosen = set(wanted)
        found: dict[str, tuple[Selector, ...]] = {}
        for namespace in sorted({pod.namespace for pod in wanted}):
            local = [pod for pod in self.pods if pod.namespace == namespace]
            inside = [pod for pod in local if pod in chosen]
            outside = [pod for pod in local if pod not in chosen]
            picked = selectors([p.labels for p in inside], [p.labels for p in outside])
            if picked is None:
                raise Unsayable(
                    f"no label selector tells the pods {_listed(inside)} from {_listed(outside)}"
                )
            found[namespace] = picked
        return found

    def peers(self, addresses: AddressSet) -> list[dict[str, Any]] | None:
        """`from` or `to` for an address set: None for everybody (leave the key out).

        Pods are named by selectors. What is left is named by ipBlocks; where those cover pods too,
        the selectors name them as well, because clusters differ on whether an ipBlock means pods.
        Raises Unsayable.
        """
        if addresses == EVERYWHERE:
            return None
        inside = [pod for pod in self.pods if pod.within(addresses)]
        peers: list[dict[str, Any]] = [
            {
                "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}},
                "podSelector": selector.document(),
            }
            for namespace, picked in self.select(inside).items()
            for selector in picked
        ]
        return peers + [{"ipBlock": block} for block in self._blocks(addresses)]

    def _blocks(self, addresses: AddressSet) -> Iterable[dict[str, Any]]:
        for version in (4, 6) if addresses - self.addresses else ():
            part = addresses.family(version)
            plain = [c for c in part.cidrs() if AddressSet.of_cidrs([c]) - self.addresses]
            around, holes = _with_holes(part, version)
            if plain and 1 + len(holes) < len(plain):
                yield {"cidr": around} | ({"except": list(holes)} if holes else {})
            else:
                yield from ({"cidr": cidr} for cidr in plain)


def _with_holes(part: AddressSet, version: int) -> tuple[str, tuple[str, ...]]:
    """The smallest network around the addresses of one family, and what is too much in it."""
    if not part:
        return "", ()
    last = format_address(part.ranges[-1].last)
    first = format_address(part.ranges[0].first)
    network = ipaddress.ip_network(first)
    while ipaddress.ip_address(last) not in network:
        network = network.supernet()
    whole = AddressSet.of_cidrs([str(network)]).family(version)
    return str(network), (whole - part).cidrs()


def read_cluster(inventory: Inventory) -> Cluster:
    """The pods of the inventory. Raises Unsayable when two hosts have one address."""
    pods: list[KnownPod] = []
    for host in inventory.hosts:
        for address in host.addresses:
            if (owner := inventory.by_address[address]) is not host:
                raise Unsayable(
                    f"{one_line(host.name)} and {one_line(owner.name)} are both listed with"
                    f" {format_address(address)}"
                )
        if pod := host.pod:
            name, labels = pod.name or host.name, stable_labels(pod.labels)
            pods.append(KnownPod(pod.namespace, name, host.addresses, labels))
    return Cluster(tuple(sorted(pods, key=lambda pod: (pod.namespace, pod.name, pod.addresses))))


def _listed(pods: Sequence[KnownPod]) -> str:
    return and_more(list(map(str, pods)), 5)


def require_pods_only(policy: ResolvedPolicy, cluster: Cluster, inventory: Inventory) -> None:
    """Raises Unsayable when something protected is no pod, naming what could be exported."""
    protected = policy.protected_ingress | policy.protected_egress
    stray = protected - cluster.addresses
    if not stray:
        return
    whole = [(name, found) for name, found in policy.segments if found and not found - protected]
    outside = [
        f"segment {name} ({_count(found & stray, inventory)})"
        for name, found in whole
        if found & stray
    ]
    inside = [name for name, found in whole if not found & stray]
    what = ", ".join(outside) or _count(stray, inventory)
    advice = f"export with --only {','.join(inside)}" if inside else "no segment has pods alone"
    raise Unsayable(f"protected but not in the cluster: {what}; {advice}")


def _count(addresses: AddressSet, inventory: Inventory) -> str:
    """`6 hosts`: listed ones by name, unlisted addresses each as one."""
    listed = [a for a in inventory.by_address if a in addresses]
    hosts = {inventory.by_address[address].name for address in listed}
    count = len(hosts) + addresses.size - len(listed)
    return plural(count, "host")
