"""Rules as boxes over host classes: equal boxes are judged once, whatever they are called."""

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.hosts import HostClasses
from workbench.model.net import AddressSet, ServiceRange
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.traffic import HostTable
from workbench.model.verdict import NOT_POLICY

_REMEMBERED = 100_000

Box = tuple[int, int, tuple[ServiceRange, ...]]
"""Number of the client set, number of the server set, services."""
Opened = tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[ServiceRange, ...]]
"""Client classes, server classes, services."""


class SetCutsClass(Exception):
    """An address set separates hosts that the present classes hold together."""


class Sets:
    """Numbers for address sets, and the host classes inside each."""

    def __init__(self, classes: HostClasses) -> None:
        self.classes = classes
        self._inside: list[NDArray[np.bool_]] = []
        self._numbers: dict[AddressSet, int] = {}
        self._by_id: dict[int, tuple[AddressSet, int]] = {}

    @classmethod
    def of(cls, hosts: HostTable, policy: ResolvedPolicy) -> "Sets":
        """Classes that no set of the policy cuts.

        Segments come first: rules are mostly unions of segments, which add no cut.
        """
        basis = {
            NOT_POLICY,
            policy.protected_ingress,
            policy.protected_egress,
            *(addresses for _, addresses in policy.segments),
        }
        found = cls(HostClasses(hosts, basis))
        boxes = (*policy.rules, *policy.exclusions)
        sides = {id(side): side for rule in boxes for side in (rule.clients, rule.servers)}
        cutting = [side for side in sides.values() if not found.fits(side)]
        return cls(HostClasses(hosts, [*basis, *cutting])) if cutting else found

    def fits(self, addresses: AddressSet) -> bool:
        """False when the set separates hosts that the classes hold together."""
        try:
            self.number(addresses)
        except SetCutsClass:
            return False
        return True

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
