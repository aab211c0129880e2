"""Who can open one port of one host, exactly as `decide()` means it, and who did."""

from collections.abc import Mapping
from functools import cache, reduce
from operator import or_

import numpy as np

from workbench.analysis.exposure.machines import NOBODY, Machines
from workbench.analysis.hosts import members
from workbench.model.exposure import Scenario
from workbench.model.net import EVERYWHERE, is_v4
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.traffic import ConversationTable, Outcome
from workbench.model.verdict import NOT_POLICY_PORTS
from workbench.model.vulnerability import PortReach, Reaching

WORKED = (Outcome.ESTABLISHED, Outcome.MID_STREAM, Outcome.ONE_WAY)


def reaching(
    machines: Machines, table: ConversationTable, policies: Mapping[Scenario, ResolvedPolicy]
) -> Reaching:
    """Answers for no policy, for what was observed, and for these policies.

    A machine is reached where any of its addresses is, from an address of the same family.
    """
    rooms = _addresses(machines)
    seen = _Seen(machines, table)
    gates = {Scenario.NONE: _Gate(machines, ResolvedPolicy("none"))}
    gates |= {name: _Gate(machines, policy) for name, policy in policies.items()}

    @cache
    def reach(
        scenario: Scenario, address: int, protocol: int | None, port: int | None
    ) -> PortReach:
        at = machines.hosts.index.get(address)
        own = NOBODY if at is None else int(machines.of_host[at])
        if scenario is Scenario.OBSERVED:
            return seen.clients(own, protocol, port)
        gate = gates[scenario]
        found = reduce(
            or_, (gate.clients(one, protocol, port) for one in rooms.get(own, [address]))
        )
        inside = found & machines.everybody & ~(0 if own == NOBODY else 1 << own)
        return PortReach(inside.bit_count(), bool(found & machines.outside_bit))

    return reach


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

    def _rules_for(self, address: int) -> list[ResolvedRule]:
        return [rule for rule in self._policy.rules if address in rule.servers]

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
        rows = worked[real][order]
        self._protocol, self._port = table["protocol"][rows], table["port"][rows]
        self._outside = len(machines)

    def clients(self, machine: int, protocol: int | None, port: int | None) -> PortReach:
        """Distinct machines that used one port of it, or any."""
        if machine == NOBODY:
            return PortReach(0, False)
        first, last = np.searchsorted(self._server, [machine, machine + 1])
        found = self._client[first:last]
        if protocol is not None and port is not None:
            fits = (self._protocol[first:last] == protocol) & (self._port[first:last] == port)
            found = found[fits]
        clients = np.unique(found)
        outside = bool(len(clients)) and int(clients[-1]) == self._outside
        return PortReach(len(clients) - outside, outside)
