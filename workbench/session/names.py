"""From the words of a filter line or a matrix axis to hosts and table rows."""

import numpy as np
from numpy.typing import NDArray

from workbench import analysis
from workbench.model.errors import InputError
from workbench.model.filters import FLOW_FIELDS, TIME_FIELDS, Filter
from workbench.model.net import ServiceRange, is_v4, parse_address, parse_service
from workbench.model.policy import Policy
from workbench.model.simulation import Simulation
from workbench.model.site import Inventory
from workbench.model.text import did_you_mean
from workbench.model.traffic import Conversation, ConversationTable, HostTable
from workbench.session.replay import Scene

_BY_FLOW = frozenset({*FLOW_FIELDS, *TIME_FIELDS, "outcome", "direction"})


def split(chosen: Filter) -> tuple[Filter, Filter]:
    """Terms that are decided conversation by conversation, and those decided flow by flow."""
    fine = tuple(term for term in chosen.terms if term.field in _BY_FLOW)
    return Filter(tuple(term for term in chosen.terms if term not in fine)), Filter(fine)


def groupings(inventory: Inventory, policy: Policy) -> tuple[str, ...]:
    """What `grouping` takes, the one to begin with first: segments, where there are any."""
    keys = {key for host in inventory.hosts for key, _ in host.labels}
    keys |= {key for network in inventory.networks for key, _ in network.labels}
    places = ("segment", "host", "subnet") if policy.segments else ("host", "subnet", "segment")
    return (*places, *sorted(keys))


def grouping(by: str, scene: Scene) -> analysis.Grouping:
    """`host`, `segment`, `subnet` or a label key. Raises InputError for anything else."""
    hosts, inventory = scene.table.hosts, scene.inventory
    if by == "host":
        return analysis.by_host(hosts, inventory)
    if by == "segment":
        return analysis.by_segment(hosts, scene.resolved)
    if by == "subnet":
        return analysis.by_subnet(hosts)
    if by not in (known := groupings(inventory, scene.draft.policy)):
        raise InputError(f"cannot group by {by!r}; choose one of {', '.join(known)}")
    return analysis.by_label(hosts, inventory, by)


def _in_group(grouping: analysis.Grouping, group: str, hosts: HostTable) -> NDArray[np.bool_]:
    if group not in grouping.names:
        raise InputError(f"no group {group!r} here")
    inside = np.zeros(len(hosts), dtype=np.bool_)
    inside[grouping.hosts[grouping.groups == grouping.names.index(group)]] = True
    return inside


def members(grouping: analysis.Grouping, group: str, hosts: HostTable) -> tuple[int, ...]:
    """Addresses in one group."""
    inside = np.flatnonzero(_in_group(grouping, group, hosts))
    return tuple(hosts.addresses[index] for index in inside)


def cell_mask(
    grouping: analysis.Grouping, row: str, column: str, table: ConversationTable
) -> NDArray[np.bool_]:
    """Conversations from one group to another."""
    clients = _in_group(grouping, row, table.hosts)
    servers = _in_group(grouping, column, table.hosts)
    inside: NDArray[np.bool_] = clients[table["client"]] & servers[table["server"]]
    return inside


def fitting_hosts(
    chosen: Filter, mask: NDArray[np.bool_], words: analysis.HostWords
) -> NDArray[np.bool_]:
    """Which hosts a host list shows, by host index.

    `host:` terms are about the host itself, seen or not; all other terms are about its
    conversations, of which `mask` are the matching ones.
    """
    table = words.table
    inside = np.ones(len(table.hosts), dtype=np.bool_)
    if any(term.field != "host" for term in chosen.terms):
        inside[:] = False
        inside[table["client"][mask]] = True
        inside[table["server"][mask]] = True
    for term in chosen.terms:
        if term.field == "host":
            named = np.logical_or.reduce([words.hosts(value) for value in term.values])
            inside &= ~named if term.negated else named
    return inside


def ordered(
    rows: NDArray[np.int64], simulation: Simulation, sort: str, descending: bool
) -> NDArray[np.int64]:
    """Table rows by a column of the table (ends by address) or `class`. Raises InputError."""
    columns = {**simulation.table.columns, "class": simulation.classes}
    if sort not in columns:
        raise InputError(
            f"cannot sort conversations by {sort!r}; choose one of {', '.join(columns)}"
        )
    keys = columns[sort][rows]
    if sort in ("client", "server"):
        keys = simulation.table.hosts.rank[keys]
    order = np.argsort(keys, kind="stable")
    return rows[order[::-1]] if descending else rows[order]


def conversation(
    inventory: Inventory, policy: Policy, client: str, server: str, service: str
) -> Conversation:
    """`explain CLIENT SERVER SERVICE` as a conversation; ends are addresses or host names.

    Raises InputError for unknown names, services of more than one port, and mixed families.
    """
    one = _service(policy, service)
    clients, servers = addresses(inventory, client), addresses(inventory, server)
    pairs = [(a, b) for a in clients for b in servers if is_v4(a) == is_v4(b)]
    if not pairs:
        raise InputError(f"{client} and {server} share no address family")
    return Conversation(*pairs[0], one.protocol, one.first)


def addresses(inventory: Inventory, text: str) -> tuple[int, ...]:
    """An address, or the addresses of a named host, in whatever case. Raises InputError."""
    try:
        return (parse_address(text),)
    except ValueError:
        pass
    folded = text.casefold()
    found = [host for host in inventory.hosts if host.name.casefold() == folded]
    exact = [host for host in found if host.name == text]
    if len(exact or found) != 1:
        hint = did_you_mean(text, (host.name for host in inventory.hosts))
        raise InputError(f"{text!r} is neither an address nor a host of the inventory{hint}")
    return (exact or found)[0].addresses


def _service(policy: Policy, text: str) -> ServiceRange:
    ranges = {group.name: group.ranges for group in policy.services}.get(text)
    if ranges is None:
        try:
            ranges = (parse_service(text),)
        except ValueError as error:
            raise InputError(f"service: {error}") from error
    portless = text.startswith("ip/")
    if len(ranges) != 1 or (ranges[0].first != ranges[0].last and not portless):
        raise InputError(f"service {text!r} covers several ports; name one, such as tcp/445")
    return ranges[0]
