"""Who can open one port of one host, exactly as `decide()` means it, and who did."""

from collections.abc import Mapping
from functools import cache, reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray

from workbench.analysis.exposure.bits import positions
from workbench.analysis.exposure.machines import NOBODY, Machines
from workbench.analysis.exposure.openings import WORKED
from workbench.analysis.hosts import members
from workbench.model.exposure import Scenario
from workbench.model.net import EVERYWHERE, AddressSet, is_v4
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.traffic import ConversationTable
from workbench.model.verdict import NOT_POLICY_PORTS
from workbench.model.vulnerability import PortReach


class Ports:
    """Answers for no policy, for what was observed, and for some policies.

    A machine is reached where any of its addresses is, from an address of the same family.
    Protocol and port None stand for anything that could be opened.
    """

    def __init__(
        self,
        machines: Machines,
        table: ConversationTable,
        policies: Mapping[Scenario, ResolvedPolicy],
    ) -> None:
        self._machines = machines
        self._addresses = _addresses(machines)
        self._seen = _Seen(machines, table)
        self._gates = {Scenario.NONE: _Gate(machines, ResolvedPolicy("none"))}
        self._gates |= {name: _Gate(machines, policy) for name, policy in policies.items()}
        self._known: dict[tuple[Scenario, int, int | None, int | None], PortReach] = {}

    def reach(
        self, scenario: Scenario, address: int, protocol: int | None, port: int | None
    ) -> PortReach:
        """How many can; for `observed`, whose connections worked."""
        question = (scenario, address, protocol, port)
        found = self._known.get(question)
        if found is None:
            clients = self._clients(*question)
            inside = (clients & self._machines.everybody).bit_count()
            found = PortReach(inside, bool(clients & self._machines.outside_bit))
            self._known[question] = found
        return found

    def names(
        self, scenario: Scenario, address: int, protocol: int | None, port: int | None
    ) -> tuple[str, ...]:
        """Who they are; `outside` last."""
        clients = positions(self._clients(scenario, address, protocol, port))
        return tuple(map(self._machines.name, clients.tolist()))

    def rows(self, address: int, protocol: int | None, port: int | None) -> NDArray[np.int64]:
        """Table rows of the conversations that worked, from whoever else."""
        return self._seen.rows(self._own(address), protocol, port)

    def _own(self, address: int) -> int:
        at = self._machines.hosts.index.get(address)
        return NOBODY if at is None else int(self._machines.of_host[at])

    def _clients(
        self, scenario: Scenario, address: int, protocol: int | None, port: int | None
    ) -> int:
        """Machines as a bitset without its own, the outside among them."""
        own = self._own(address)
        if scenario is Scenario.OBSERVED:
            return self._seen.clients(own, protocol, port)
        gate, doors = self._gates[scenario], self._addresses.get(own, [address])
        found = reduce(or_, (gate.clients(one, protocol, port) for one in doors))
        return found & ~(0 if own == NOBODY else 1 << own)


def _addresses(machines: Machines) -> dict[int, list[int]]:
    """Addresses of each machine."""
    found: dict[int, list[int]] = {}
    for address, machine in zip(machines.hosts.addresses, machines.of_host.tolist(), strict=True):
        if machine != NOBODY:
            found.setdefault(machine, []).append(address)
    return found


class _Gate:
    """Whom a policy does not stop: by its rules, and where it protects neither end."""

    def __init__(self, machines: Machines, policy: ResolvedPolicy) -> None:
        self._machines = machines
        self._policy = policy
        self._unprotected = EVERYWHERE - policy.protected_egress
        self._rules = cache(self._rules_for)
        self._by_servers: dict[AddressSet, list[ResolvedRule]] = {}  # few segments, many rules
        for rule in policy.rules:
            self._by_servers.setdefault(rule.servers, []).append(rule)

    def _rules_for(self, address: int) -> list[ResolvedRule]:
        """Those that let somebody reach an address."""
        around = (rules for servers, rules in self._by_servers.items() if address in servers)
        return [rule for rules in around for rule in rules]

    def clients(self, address: int, protocol: int | None, port: int | None) -> int:
        """Machines as a bitset, the outside among them."""
        family = 0 if is_v4(address) else 1
        if protocol is not None and port in NOT_POLICY_PORTS.get(protocol, ()):
            return self._machines.bits(EVERYWHERE)[family]
        found = 0
        if address not in self._policy.protected_ingress:
            found = self._machines.bits(self._unprotected)[family]
        for rule in self._rules(address):
            if port is None or any(one.covers(protocol or 0, port) for one in rule.services):
                found |= self._machines.bits(rule.clients)[family]
        return found


class _Seen:
    """Whose connections worked in the recorded traffic."""

    def __init__(self, machines: Machines, table: ConversationTable) -> None:
        outside = members(machines.outside, table.hosts)
        number = np.where(outside, len(machines), machines.of_host)
        worked = np.flatnonzero(np.isin(table["outcome"], WORKED))
        server, client = number[table["server"][worked]], number[table["client"][worked]]
        real = (client != NOBODY) & (client != server) & (server != len(machines))
        order = np.argsort(server[real], kind="stable")
        self._server, self._client = server[real][order], client[real][order]
        self._rows = worked[real][order]
        self._protocol, self._port = table["protocol"][self._rows], table["port"][self._rows]

    def _places(self, machine: int, protocol: int | None, port: int | None) -> NDArray[np.int64]:
        """Where in the columns the conversations with a place are."""
        if machine == NOBODY:
            return np.empty(0, dtype=np.int64)
        first, last = np.searchsorted(self._server, [machine, machine + 1])
        found = np.arange(first, last, dtype=np.int64)
        if protocol is not None and port is not None:
            ours = (self._protocol[first:last] == protocol) & (self._port[first:last] == port)
            found = found[ours]
        return found

    def rows(self, machine: int, protocol: int | None, port: int | None) -> NDArray[np.int64]:
        """Rows of the table."""
        found: NDArray[np.int64] = self._rows[self._places(machine, protocol, port)]
        return found

    def clients(self, machine: int, protocol: int | None, port: int | None) -> int:
        """Machines as a bitset, the outside among them."""
        found = np.unique(self._client[self._places(machine, protocol, port)])
        return sum(1 << client for client in found.tolist())
