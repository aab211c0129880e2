"""Who is who: hosts, their labels, and the inventory the user keeps."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from workbench.model.net import AddressSet, format_address

LABEL_KEY = re.compile(r"[a-z][a-z0-9._/-]{0,62}")
"""Label keys: `role`, `zone`, `app.kubernetes.io/name`."""

NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that the API server keeps on every namespace (Kubernetes 1.21 and later)."""
VOLATILE = re.compile(
    r"(.*/)?(pod-template-(hash|generation)|controller-(revision-hash|uid)|pod-(name|index)"
    r"|job-(name|completion-index))"
)
"""Keys of pod labels that change with every roll-out or differ in every replica: a policy that
selects by them opens, silently, with the next deployment."""

Labels = tuple[tuple[str, str], ...]
"""Sorted key, value pairs."""


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """The canonical form of a label mapping."""
    return tuple(sorted(dict(pairs).items()))


@dataclass(frozen=True, slots=True)
class Pod:
    """What Kubernetes knows of a host: the facts a NetworkPolicy can select on."""

    namespace: str
    name: str = ""
    labels: Labels = ()
    """Kubernetes labels (not workbench labels)."""
    namespace_labels: Labels = ()
    ports: tuple[tuple[str, int, int], ...] = ()
    """Named container ports: name, protocol number, port."""


@dataclass(frozen=True, slots=True)
class Host:
    """One listed machine: a name, its addresses, its labels."""

    name: str
    addresses: tuple[int, ...]
    labels: Labels = ()
    pod: Pod | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """A subnet whose hosts share labels, unless a host says otherwise for the same key."""

    name: str
    addresses: AddressSet
    labels: Labels = ()


@dataclass(frozen=True)
class Inventory:
    """`inventory.yaml` as a value. The smallest network around an address labels it first."""

    hosts: tuple[Host, ...] = ()
    networks: tuple[Network, ...] = ()
    seen_names: Mapping[int, str] = field(default_factory=dict, compare=False)
    """Address → what a capture calls it. A claim, not the user's word: shown as `~name` where there
    is no other, and never used to tell hosts apart."""

    @cached_property
    def by_address(self) -> dict[int, Host]:
        return {address: host for host in self.hosts for address in host.addresses}

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all listed hosts."""
        return frozenset(host.name for host in self.hosts)

    @cached_property
    def narrowing(self) -> tuple[Network, ...]:
        """Networks as their labels are laid over each other: the widest first."""
        return tuple(sorted(self.networks, key=lambda network: -network.addresses.size))

    @cached_property
    def _areas(self) -> tuple[list[int], list[dict[str, str]]]:
        """Where the networks around an address change, and what they say from there on."""
        pieces = [piece for network in self.networks for piece in network.addresses.ranges]
        starts = sorted({0, *(piece.first for piece in pieces), *(one.last + 1 for one in pieces)})
        labels: list[dict[str, str]] = [{} for _ in starts]
        for network in self.narrowing:
            for piece in network.addresses.ranges:
                first, end = bisect_left(starts, piece.first), bisect_left(starts, piece.last + 1)
                for area in labels[first:end]:
                    area.update(network.labels)
        return starts, labels

    def name(self, address: int) -> str:
        """The host's name; else the one that a capture claims, as `~name`; else its address."""
        if host := self.by_address.get(address):
            return host.name
        seen = self.seen_names.get(address)
        return f"~{seen}" if seen else format_address(address)

    def title(self, address: int) -> str:
        """`db-1 (10.0.2.5)`, or the address alone for a host without a name."""
        name, text = self.name(address), format_address(address)
        return text if name == text else f"{name} ({text})"

    def machine(self, address: int) -> tuple[int, ...]:
        """All addresses of the host that has this one, ascending."""
        host = self.by_address.get(address)
        return tuple(sorted(host.addresses)) if host else (address,)

    def area(self, address: int) -> int:
        """A number that only addresses share which have the same networks around them."""
        return bisect_right(self._areas[0], address) - 1

    def labels(self, address: int) -> dict[str, str]:
        """Network labels, narrower networks last, overlaid with the host's own."""
        found = self._areas[1][self.area(address)]
        host = self.by_address.get(address)
        return found | dict(host.labels) if host else dict(found)

    def pod(self, address: int) -> Pod | None:
        host = self.by_address.get(address)
        return host.pod if host else None


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One host as the Hosts screen and `workbench hosts` show it."""

    address: int
    name: str
    labels: Labels
    segments: tuple[str, ...]
    """Names of the policy's segments it belongs to, policy order."""
    conversations: int = 0
    """As client and as server together."""
    as_client: int = 0
    as_server: int = 0
    bytes: int = 0
    """Both directions, as either end."""
    services: tuple[str, ...] = field(default=())
    """Services it answered on, most conversations first; at most eight."""
    first_us: int | None = None
    """None for a host that is listed but was never seen."""
    last_us: int | None = None
