"""What NetworkPolicy objects do with connections: egress of the client AND ingress of the server.

A pod that no policy selects for a direction is open in it; policies and their rules only add up
(API reference, NetworkPolicySpec). An address that several pods claim is a node's (hostNetwork):
such pods are neither selected nor matched.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from workbench.model.site import NAMESPACE_NAME, Host, Pod
from workbench.verify.k8s.objects import Allow, NetworkPolicy, Peer, Port, selects


@dataclass(frozen=True)
class Place:
    """One end of a connection: an address, and the pod that has it."""

    address: int
    pod: Pod | None = None

    @cached_property
    def labels(self) -> dict[str, str]:
        return dict(self.pod.labels) if self.pod else {}

    @cached_property
    def namespace_labels(self) -> dict[str, str]:
        if self.pod is None:
            return {}
        return dict(self.pod.namespace_labels) | {NAMESPACE_NAME: self.pod.namespace}


@dataclass(frozen=True)
class Cluster:
    """Pods by address, and the policies over them."""

    pods: dict[int, Host]
    policies: Sequence[NetworkPolicy]
    blocks_match_pods: bool = True
    """Does an ipBlock match a pod's address? Network plugins differ."""
    _selected: dict[tuple[Pod, str], tuple[NetworkPolicy, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, hosts: Iterable[Host], policies: Sequence[NetworkPolicy]) -> "Cluster":
        """Every listed host that is a pod and has its addresses to itself."""
        pods = [host for host in hosts if host.pod]
        claims = Counter(address for host in pods for address in set(host.addresses))
        own = {address: host for host in pods for address in host.addresses if claims[address] == 1}
        return cls(own, policies)

    def place(self, address: int) -> Place:
        host = self.pods.get(address)
        return Place(address, host.pod if host else None)

    def allows(self, client: Place, server: Place, protocol: int, port: int) -> bool:
        """May the client open this port (TCP, UDP, SCTP) of the server?"""
        return self._permits("egress", client, server, server, protocol, port) and self._permits(
            "ingress", server, client, server, protocol, port
        )

    def _permits(
        self, side: str, own: Place, peer: Place, server: Place, protocol: int, port: int
    ) -> bool:
        if own.pod is None:
            return True
        policies = self._policies(own, own.pod, side)
        if not policies:
            return True
        return any(
            self._reaches(policy, allow, peer) and _covers(allow.ports, server, protocol, port)
            for policy in policies
            for allow in _rules(policy, side)
        )

    def _policies(self, own: Place, pod: Pod, side: str) -> tuple[NetworkPolicy, ...]:
        """The policies that isolate this pod in this direction."""
        if (pod, side) not in self._selected:
            self._selected[pod, side] = tuple(
                policy
                for policy in self.policies
                if (policy.ingress if side == "ingress" else policy.egress) is not None
                and takes(policy, own)
            )
        return self._selected[pod, side]

    def _reaches(self, policy: NetworkPolicy, allow: Allow, peer: Place) -> bool:
        if allow.peers is None:
            return True
        return any(self.is_peer(policy.namespace, item, peer) for item in allow.peers)

    def is_peer(self, namespace: str, item: Peer, peer: Place) -> bool:
        """Does an item of `from` or `to`, in a policy of this namespace, mean this end?"""
        if item.block is not None:
            return peer.address in item.block and (self.blocks_match_pods or peer.pod is None)
        if peer.pod is None:
            return False
        if item.namespaces is None:
            near = peer.pod.namespace == namespace
        else:
            near = selects(item.namespaces, peer.namespace_labels)
        return near and selects(item.pods or (), peer.labels)


def takes(policy: NetworkPolicy, own: Place) -> bool:
    """Is the policy about this pod?"""
    return (
        own.pod is not None
        and policy.namespace == own.pod.namespace
        and selects(policy.pods, own.labels)
    )


def _rules(policy: NetworkPolicy, side: str) -> Iterator[Allow]:
    yield from (policy.ingress if side == "ingress" else policy.egress) or ()


def _covers(ports: tuple[Port, ...] | None, server: Place, protocol: int, number: int) -> bool:
    """A port name is looked up on the server's pod, among ports of the same protocol."""
    if ports is None:
        return True
    named = server.pod.ports if server.pod else ()
    return any(
        (port.name, protocol, number) in named if port.name else port.first <= number <= port.last
        for port in ports
        if port.protocol == protocol
    )
