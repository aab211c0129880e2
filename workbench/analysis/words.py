"""What the words of a filter line stand for on this site: hosts, segments, labels, services."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import members
from workbench.analysis.numbers import numbers, pair
from workbench.model.net import AddressSet, ServiceRange, parse_cidr, parse_service, service_text
from workbench.model.policy import ANY, Policy, ResolvedPolicy
from workbench.model.site import Inventory
from workbench.model.text import did_you_mean
from workbench.model.traffic import ConversationTable


class UnknownWord(ValueError):
    """A word of the filter line means nothing here; the text says what may be meant."""


@dataclass(frozen=True)
class HostWords:
    """Looks words up for one table, inventory and policy."""

    table: ConversationTable
    inventory: Inventory
    policy: ResolvedPolicy
    services: Mapping[str, tuple[ServiceRange, ...]]
    """Service groups of the policy."""

    @classmethod
    def of(
        cls,
        table: ConversationTable,
        inventory: Inventory,
        policy: Policy,
        resolved: ResolvedPolicy,
    ) -> "HostWords":
        groups = {group.name: group.ranges for group in policy.services}
        return cls(table, inventory, resolved, groups)

    @cached_property
    def names(self) -> list[str]:
        """Name of every host of the table, by host index."""
        return [self.inventory.name(address) for address in self.table.hosts.addresses]

    @cached_property
    def labels(self) -> list[dict[str, str]]:
        return [self.inventory.labels(address) for address in self.table.hosts.addresses]

    @cached_property
    def seen_services(self) -> tuple[str, ...]:
        """Services of the table, the one with most conversations first."""
        found = numbers(self.table["protocol"], self.table["port"])
        services, counts = np.unique(found, return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return tuple(service_text(*pair(number)) for number in services[order].tolist())

    def hosts(self, word: str) -> NDArray[np.bool_]:
        """Hosts that an address, CIDR, segment, `key=value` or name (with `*`) stands for.

        Raises UnknownWord for a name that is no host's and no segment's.
        """
        if word == ANY:
            return np.ones(len(self.table.hosts), dtype=np.bool_)
        if "=" in word:
            key, _, value = word.partition("=")
            return np.array(
                [fnmatchcase(own.get(key, ""), value) and key in own for own in self.labels],
                dtype=np.bool_,
            )
        if _looks_like_address(word):
            try:
                return members(AddressSet.of(parse_cidr(word)), self.table.hosts)
            except ValueError as error:
                raise UnknownWord(str(error)) from error
        if word in dict(self.policy.segments):
            return members(self.policy.segment(word), self.table.hosts)
        return self._named(word)

    def _named(self, word: str) -> NDArray[np.bool_]:
        pattern = word.casefold()
        found = np.array([fnmatchcase(name.casefold(), pattern) for name in self.names], np.bool_)
        if not found.any() and "*" not in word and not self._listed(pattern):
            raise UnknownWord(f"no host or segment is called {word!r}{self._hint(word)}")
        return found

    def _listed(self, pattern: str) -> bool:
        return any(host.name.casefold() == pattern for host in self.inventory.hosts)

    def _hint(self, word: str) -> str:
        names = [*dict(self.policy.segments), *self.names]
        return did_you_mean(word, names)

    def ranges(self, word: str) -> tuple[ServiceRange, ...]:
        """A service group or a literal. Raises UnknownWord."""
        if word in self.services:
            return self.services[word]
        try:
            return (parse_service(word),)
        except ValueError as error:
            hint = did_you_mean(word, [*self.services, *self.seen_services])
            raise UnknownWord(f"{error}{hint}") from error


def _looks_like_address(word: str) -> bool:
    head = word.partition("/")[0]
    return ":" in head or (head.count(".") == 3 and head.replace(".", "").isdigit())
