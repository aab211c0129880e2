"""Rules as boxes over host classes: equal boxes are judged once, whatever they are called."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import HostClasses
from workbench.model.net import AddressSet, ServiceRange
from workbench.model.policy import ResolvedRule
from workbench.model.verdict import IGMP, NOT_POLICY_PORTS

_REMEMBERED = 100_000

NOT_POLICY_SERVICES = (
    ServiceRange(IGMP, 0, 65535),
    *(
        ServiceRange(protocol, port, port)
        for protocol, ports in NOT_POLICY_PORTS.items()
        for port in sorted(ports)
    ),
)
"""Services that are no matter for a policy."""

Box = tuple[int, int, tuple[ServiceRange, ...]]
"""Number of the client set, number of the server set, services."""
Opened = tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[ServiceRange, ...]]
"""Client classes, server classes, services."""


class SetCutsClass(Exception):
    """An address set separates hosts that the present classes hold together."""


@dataclass
class Sets:
    """Numbers for address sets, and the host classes inside each."""

    classes: HostClasses

    def __post_init__(self) -> None:
        self._inside: list[NDArray[np.bool_]] = []
        self._numbers: dict[AddressSet, int] = {}
        self._by_id: dict[int, tuple[AddressSet, int]] = {}

    def number(self, addresses: AddressSet) -> int:
        """Raises SetCutsClass. The same object is recognised without comparing its ranges."""
        known = self._by_id.get(id(addresses))
        if known:
            return known[1]
        number = self._numbers.get(addresses)
        if number is None:
            inside = self.classes.within(addresses)
            if inside is None:
                raise SetCutsClass
            number = self._numbers[addresses] = len(self._inside)
            self._inside.append(inside)
        if len(self._by_id) >= _REMEMBERED:
            self._by_id.clear()
        # The set is kept beside its number: an id is only good while its object lives.
        self._by_id[id(addresses)] = (addresses, number)
        return number

    def inside(self, addresses: AddressSet) -> NDArray[np.bool_]:
        """Which classes lie in the set, one bool each."""
        return self._inside[self.number(addresses)]

    def box(self, rule: ResolvedRule) -> Box:
        """Raises SetCutsClass."""
        return self.number(rule.clients), self.number(rule.servers), rule.services

    def open(self, box: Box) -> Opened:
        return self._inside[box[0]], self._inside[box[1]], box[2]
