"""What NetworkPolicies are able to tell apart: pods they select, peers and ports they name."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

from workbench.model.net import PORT_PROTOCOLS, AddressSet, ServiceRange
from workbench.verify.k8s.evaluate import Cluster, Place, takes
from workbench.verify.k8s.objects import NetworkPolicy, Peer, Port
from workbench.verify.kinds import Services, Sides, Telling


def telling(cluster: Cluster) -> Telling:
    """The services, and for each service the addresses, that some policy distinguishes."""
    seen = _Seen(cluster)
    own = {id(policy): seen.selected(policy) for policy in cluster.policies}
    allows = [
        (side, own[id(policy)], seen.services(allow.ports), seen.peers(policy, allow.peers))
        for policy in cluster.policies
        for side, items in ((0, policy.ingress), (1, policy.egress))
        for allow in items or ()
    ]
    pods = AddressSet.of_addresses(cluster.pods)
    shut_in = AddressSet.union(own[id(one)] for one in cluster.policies if one.egress is not None)
    shut_out = AddressSet.union(own[id(one)] for one in cluster.policies if one.ingress is not None)

    def sets(protocol: int, port: int) -> Sides:
        found = {pods, shut_in}, {pods, shut_out} | seen.named(protocol, port)
        for side, selected, services, peers in allows:
            if services is None or any(piece.covers(protocol, port) for piece in services):
                found[side].update(peers)
                found[1 - side].add(selected)
        return frozenset(found[0]), frozenset(found[1])

    services = {services for _, _, services, _ in allows if services is not None}
    return Telling(frozenset(services | seen.single_ports()), sets, PORT_PROTOCOLS)


class _Seen:
    """Pods with equal labels are looked at once."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        kinds: defaultdict[object, list[int]] = defaultdict(list)
        self._having: defaultdict[tuple[str, int, int], list[int]] = defaultdict(list)
        for address, host in cluster.pods.items():
            pod = host.pod
            assert pod is not None  # noqa: S101 - Cluster.of takes pods alone
            kinds[pod.namespace, pod.labels, pod.namespace_labels].append(address)
            for name, protocol, port in pod.ports:
                self._having[name, protocol, port].append(address)
        self._kinds = [(cluster.place(members[0]), members) for members in kinds.values()]
        self._pods = lru_cache(maxsize=None)(self._pods_of)
        self._names: set[tuple[str, int]] = set()

    def _where(self, holds: Callable[[Place], bool]) -> AddressSet:
        return AddressSet.of_addresses(
            address for place, members in self._kinds if holds(place) for address in members
        )

    def selected(self, policy: NetworkPolicy) -> AddressSet:
        """The pods that a policy is about."""
        return self._where(lambda place: takes(policy, place))

    def peers(self, policy: NetworkPolicy, peers: Iterable[Peer] | None) -> set[AddressSet]:
        """Two sets: what the ipBlocks hold, and whom the selectors pick."""
        if peers is None:
            return set()
        blocks, picked = [], []
        for peer in peers:
            if peer.block is None:
                picked.append(self._pods(policy.namespace, peer))
            else:
                blocks.append(peer.block)
        return {AddressSet.union(blocks), AddressSet.union(picked)}

    def _pods_of(self, namespace: str, peer: Peer) -> AddressSet:
        return self._where(lambda place: self._cluster.is_peer(namespace, peer, place))

    def services(self, ports: tuple[Port, ...] | None) -> Services | None:
        """None for every service; a name stands for all ports that pods give it."""
        if ports is None:
            return None
        found = set()
        for port in ports:
            if port.name:
                self._names.add((port.name, port.protocol))
                found |= {
                    ServiceRange(protocol, number, number)
                    for name, protocol, number in self._having
                    if (name, protocol) == (port.name, port.protocol)
                }
            else:
                found.add(ServiceRange(port.protocol, port.first, port.last))
        return tuple(sorted(found))

    def single_ports(self) -> set[Services]:
        """Ports that go by a name some policy uses."""
        return {
            (ServiceRange(protocol, number, number),)
            for name, protocol, number in self._having
            if (name, protocol) in self._names
        }

    def named(self, protocol: int, port: int) -> set[AddressSet]:
        """The pods that call this port by a name some policy uses."""
        return {
            AddressSet.of_addresses(self._having[name, protocol, port])
            for name, kind in self._names
            if kind == protocol and (name, protocol, port) in self._having
        }
