"""NetworkPolicy as values, defaults filled in."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.model.net import AddressSet


@dataclass(frozen=True, slots=True)
class Requirement:
    """One demand of a label selector: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """NotIn also holds where the key is missing (apimachinery, labels.Requirement)."""
        if self.operator == "In":
            return self.key in labels and labels[self.key] in self.values
        if self.operator == "NotIn":
            return self.key not in labels or labels[self.key] not in self.values
        return (self.key in labels) == (self.operator == "Exists")


LabelSelector = tuple[Requirement, ...]
"""All must hold; the empty selector takes everything."""


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Do all requirements hold?"""
    return all(requirement.holds(labels) for requirement in selector)


@dataclass(frozen=True, slots=True)
class Peer:
    """An item of `from` or `to`: selectors (ANDed), or a block of addresses."""

    pods: LabelSelector | None = None
    namespaces: LabelSelector | None = None
    """None with `pods`: the policy's own namespace."""
    block: AddressSet | None = None
    """`cidr` without `except`."""


@dataclass(frozen=True, slots=True)
class Port:
    """An item of `ports`: a protocol and a closed interval, or the name of a container port."""

    protocol: int
    first: int = 0
    last: int = 65535
    name: str = ""


@dataclass(frozen=True, slots=True)
class Allow:
    """An item of `ingress` or `egress`."""

    peers: tuple[Peer, ...] | None
    """None: everybody, outside included."""
    ports: tuple[Port, ...] | None
    """None: every port of every protocol."""


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """One object. A direction that is None is not isolated by it."""

    namespace: str
    name: str
    pods: LabelSelector
    ingress: tuple[Allow, ...] | None
    egress: tuple[Allow, ...] | None
