"""Edits: an old inventory in, a new valid inventory out. Each raises InventoryError."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain, count

from workbench.inventory.validate import validate
from workbench.model.net import format_address
from workbench.model.site import Host, Inventory, labels_of


def set_labels(
    inventory: Inventory, addresses: Collection[int], labels: Mapping[str, str | None]
) -> Inventory:
    """Set labels on the hosts of these addresses; None takes the host's own label away.

    An address that is not listed becomes a host named by its address; such a host that has lost
    its last label is listed no more. Labels that come from a network stay.
    """
    unlisted = dict.fromkeys(one for one in addresses if one not in inventory.by_address)
    chosen = {inventory.by_address[one].name for one in addresses if one not in unlisted}
    hosts = [*inventory.hosts, *(Host(format_address(one), (one,)) for one in unlisted)]
    chosen.update(host.name for host in hosts[len(inventory.hosts) :])
    edited = (_labelled(host, labels) if host.name in chosen else host for host in hosts)
    return _checked(
        inventory,
        (host for host in edited if host.name not in chosen or not _says_nothing(host)),
    )


def rename_host(inventory: Inventory, address: int, name: str) -> Inventory:
    """Name the host of this address, listing it where it was not."""
    host = inventory.by_address.get(address)
    if host is None:
        return _checked(inventory, (*inventory.hosts, Host(name, (address,))))
    renamed = replace(host, name=name)
    return _checked(inventory, (renamed if one is host else one for one in inventory.hosts))


def merge(inventory: Inventory, hosts: Iterable[Host]) -> Inventory:
    """Take in hosts from elsewhere: what they say wins, what they do not say stays.

    A host is the same when its name is, or else when it holds one of the addresses. Pods come and
    go: a pod replaces whatever was at its addresses, and its own earlier self.
    """
    merging = _Merging(inventory.hosts)
    for host in hosts:
        merging.take(host)
    return _checked(inventory, (host for host in merging.hosts if host.addresses))


class _Merging:
    """The list of hosts while others come in; who has lost every address waits for a new one."""

    def __init__(self, hosts: Iterable[Host]) -> None:
        self.hosts = list(hosts)
        self._by_name: dict[str, int] = {}
        self._by_address: dict[int, int] = {}
        self._taken: set[int] = set()
        """Slots that a newcomer has: nobody else who comes in is the same host."""
        for slot, host in enumerate(self.hosts):
            self._enter(slot, host)

    def take(self, new: Host) -> None:
        """Put `new` into the slot of its earlier self, or into a slot of its own."""
        slot = self._slot_of(new)
        if slot is None:
            slot = len(self.hosts)
            self.hosts.append(Host(new.name, (), (), new.pod))
        self._taken.add(slot)
        old = self.hosts[slot]
        host = _combined(old, new)
        host = replace(host, name=self._free_name(host, slot))
        for address in host.addresses:
            self._withdraw(address, slot)
        if self._by_name.get(old.name) == slot:
            del self._by_name[old.name]
        for address in old.addresses:
            del self._by_address[address]
        self._enter(slot, host)

    def _slot_of(self, new: Host) -> int | None:
        """By name, or else by address; a pod takes over a machine only with all its addresses."""
        named = self._by_name.get(new.name)
        if named is not None and named not in self._taken and _may_be_same(self.hosts[named], new):
            return named
        for address in new.addresses:
            slot = self._by_address.get(address)
            if slot is None or slot in self._taken:
                continue
            old = self.hosts[slot]
            if not new.pod or old.pod or set(old.addresses) <= set(new.addresses):
                return slot
        return None

    def _free_name(self, host: Host, slot: int) -> str:
        """The host's name; with its namespace or a number behind it where another has it."""
        names = [host.name]
        if host.pod:
            names.append(f"{host.pod.name}.{host.pod.namespace}")
        numbered = (f"{host.name}-{number}" for number in count(2))
        free = (name for name in chain(names, numbered) if self._by_name.get(name, slot) == slot)
        return next(free)

    def _withdraw(self, address: int, slot: int) -> None:
        """The address now belongs to `slot` alone."""
        other = self._by_address.get(address, slot)
        if other == slot:
            return
        host = self.hosts[other]
        left = tuple(one for one in host.addresses if one != address)
        unnamed = left and host.name == format_address(address)
        name = format_address(left[0]) if unnamed else host.name
        del self._by_name[host.name], self._by_address[address]
        self._enter(other, replace(host, addresses=left, name=name))

    def _enter(self, slot: int, host: Host) -> None:
        self.hosts[slot] = host
        self._by_name[host.name] = slot
        self._by_address.update(dict.fromkeys(host.addresses, slot))


def _may_be_same(old: Host, new: Host) -> bool:
    """Pods are the same only by namespace and name; a pod is never a machine of that name."""
    if (old.pod is None) != (new.pod is None):
        return False
    if old.pod and new.pod:
        return (old.pod.namespace, old.pod.name) == (new.pod.namespace, new.pod.name)
    return True


def _combined(old: Host, new: Host) -> Host:
    if new.pod and old.pod and not _may_be_same(old, new):
        return new
    labels = labels_of(dict(old.labels) | dict(new.labels))
    if new.pod:
        return replace(new, labels=labels)
    unnamed = new.name == format_address(new.addresses[0])
    addresses = tuple(dict.fromkeys((*old.addresses, *new.addresses)))
    return Host(old.name if unnamed else new.name, addresses, labels, old.pod)


def _labelled(host: Host, labels: Mapping[str, str | None]) -> Host:
    merged = {**dict(host.labels), **labels}
    return replace(
        host, labels=labels_of({key: value for key, value in merged.items() if value is not None})
    )


def _says_nothing(host: Host) -> bool:
    """Only an address: no name of its own, no labels, no pod."""
    unnamed = len(host.addresses) == 1 and host.name == format_address(host.addresses[0])
    return unnamed and not host.labels and host.pod is None


def _checked(inventory: Inventory, hosts: Iterable[Host]) -> Inventory:
    edited = replace(inventory, hosts=tuple(hosts))
    validate(edited)
    return edited
