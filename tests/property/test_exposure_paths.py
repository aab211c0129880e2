"""Paths, choke points and cuts against walks over decide() and against networkx."""

from collections.abc import Collection
from dataclasses import replace
from itertools import combinations, islice, pairwise

import networkx as nx
from exposure_oracle import moves_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import INSIDE, TODAY, inventories, policies
from test_exposure_any_policy import picture, sites

from workbench.analysis.exposure.bits import positions
from workbench.analysis.exposure.chokes import Chokes
from workbench.analysis.exposure.machines import NOBODY, Machines, machines_of
from workbench.analysis.exposure.openings import UNNAMED
from workbench.analysis.exposure.paths import Ways
from workbench.model.exposure import ChokeKind, Gate, GateKind
from workbench.model.net import AddressSet, parse_cidr
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.site import Host, Inventory
from workbench.model.traffic import ConversationTable, HostTable
from workbench.policy import resolve


def graph_of(edges: Collection[tuple[int, int]], machines: Machines) -> "nx.DiGraph[int]":
    graph: nx.DiGraph[int] = nx.DiGraph(list(edges))
    graph.add_nodes_from(range(len(machines) + 1))
    return graph


def close(policy: ResolvedPolicy, machines: Machines, gates: tuple[Gate, ...]) -> ResolvedPolicy:
    """The policy without these gates: rules removed, segments and hosts without one protected."""
    ingress, segments = policy.protected_ingress, dict(policy.segments)
    for gate in gates:
        if gate.kind is GateKind.UNPROTECTED:
            ingress |= segments.get(gate.name) or homeless(policy, machines, gate.name)
    gone = {gate.name for gate in gates if gate.kind is GateKind.RULE}
    rules = tuple(rule for rule in policy.rules if rule.id not in gone)
    return replace(policy, protected_ingress=ingress, rules=rules)


def homeless(policy: ResolvedPolicy, machines: Machines, name: str) -> AddressSet:
    """Addresses in no segment, of machines whose lowest address is in the subnet of the name."""
    assert name.startswith(UNNAMED)
    [subnet] = parse_cidr(name.removeprefix(UNNAMED).strip())
    own: dict[int, list[int]] = {}
    for host, machine in enumerate(machines.of_host.tolist()):
        own.setdefault(machine, []).append(machines.hosts.addresses[host])
    return AddressSet.of_addresses(
        address
        for machine, addresses in own.items()
        if machine != NOBODY and subnet.first <= min(addresses) <= subnet.last
        for address in addresses
        if not any(address in inside for _, inside in policy.segments)
    )


@st.composite
def questions(
    draw: st.DrawFn,
) -> tuple[ResolvedPolicy, Machines, int, int]:
    """A site, a foothold (a machine or the outside) and another machine."""
    policy, inventory, machines = draw(sites().filter(lambda site: len(site[2]) > 1))
    start = draw(st.integers(0, len(machines)))
    goal = draw(st.integers(0, len(machines) - 1).filter(lambda one: one != start))
    return resolve(policy, inventory, INSIDE, TODAY), machines, start, goal


@settings(max_examples=40)
@given(questions())
def test_paths_are_shortest_and_real(
    question: tuple[ResolvedPolicy, Machines, int, int],
) -> None:
    policy, machines, start, goal = question
    graph = graph_of(moves_of(policy, machines), machines)
    found = Ways(picture(policy, machines), 1 << start, 1 << goal).paths(4)
    if not nx.has_path(graph, start, goal):
        assert not found
        return
    lengths = [len(path.hops) for path in found]
    assert lengths == sorted(lengths)
    assert lengths[0] == nx.shortest_path_length(graph, start, goal)
    simple = [len(one) - 1 for one in islice(nx.shortest_simple_paths(graph, start, goal), 200)]
    assert len(found) <= len(simple)
    numbers = {name: at for at, name in enumerate((*machines.names, "outside"))}
    for path in found:
        nodes = [numbers[path.hops[0].client], *(numbers[hop.server] for hop in path.hops)]
        assert (nodes[0], nodes[-1]) == (start, goal)
        assert len(set(nodes)) == len(nodes)
        assert all(graph.has_edge(one, other) for one, other in pairwise(nodes))
        assert all(hop.services and hop.gates for hop in path.hops)


@settings(max_examples=40)
@given(questions())
def test_without_its_gates_a_hop_is_gone(
    question: tuple[ResolvedPolicy, Machines, int, int],
) -> None:
    policy, machines, start, goal = question
    numbers = {name: at for at, name in enumerate((*machines.names, "outside"))}
    for path in Ways(picture(policy, machines), 1 << start, 1 << goal).paths(1):
        for hop in path.hops:
            rules = {gate.name for gate in hop.gates if gate.kind is GateKind.RULE}
            if rules:
                left = tuple(rule for rule in policy.rules if rule.id not in rules)
                edges = moves_of(replace(policy, rules=left), machines)
                assert (numbers[hop.client], numbers[hop.server]) not in edges


@settings(max_examples=40)
@given(questions())
def test_a_cut_really_cuts_and_none_of_it_is_idle(
    question: tuple[ResolvedPolicy, Machines, int, int],
) -> None:
    policy, machines, start, goal = question
    whole = picture(policy, machines)
    cut = Chokes(whole, 1 << start, 1 << goal).cut("a", "b")
    graph = graph_of(moves_of(policy, machines), machines)
    assert bool(cut.gates) == nx.has_path(graph, start, goal)
    after = close(policy, machines, cut.gates)
    assert not nx.has_path(graph_of(moves_of(after, machines), machines), start, goal)
    assert cut.pairs == bool(cut.gates)
    for gate in cut.gates if all(one.kind is GateKind.RULE for one in cut.gates) else ():
        less = tuple(one for one in cut.gates if one != gate)
        left = moves_of(close(policy, machines, less), machines)
        assert nx.has_path(graph_of(left, machines), start, goal)


@st.composite
def questions_in_one_family(draw: st.DrawFn) -> tuple[ResolvedPolicy, Machines, int, int]:
    """The same between two machines of five that speak only IPv4."""
    policy, inventory = draw(policies()), draw(inventories())
    hosts = tuple(Host(f"h{at}", (one,)) for at, one in enumerate(INSIDE[10:15]))
    machines = machines_of(ConversationTable.empty(HostTable(INSIDE[10:15])), Inventory(hosts))
    start, goal = draw(st.permutations(range(5)).map(lambda order: order[:2]))
    return resolve(policy, inventory, INSIDE, TODAY), machines, start, goal


@settings(max_examples=40)
@given(questions_in_one_family())
def test_no_smaller_cut_exists(question: tuple[ResolvedPolicy, Machines, int, int]) -> None:
    """Of gates that are closed box by box, where no gate mixes address families."""
    policy, machines, start, goal = question
    chokes = Chokes(picture(policy, machines), 1 << start, 1 << goal)
    cut = chokes.cut("a", "b").gates
    assert not chokes._connected(cut)
    gates = {box.gate for box in chokes.picture.openings}
    for fewer in combinations(gates, max(0, len(cut) - 1)):
        assert not cut or chokes._connected(fewer)


@settings(max_examples=40)
@given(questions())
def test_chokes_cut_what_they_say(
    question: tuple[ResolvedPolicy, Machines, int, int],
) -> None:
    policy, machines, start, goal = question
    whole = picture(policy, machines)
    goals = whole.machines.everybody
    chokes = Chokes(whole, 1 << start, goals)
    before = graph_of(moves_of(policy, machines), machines)
    reached = nx.descendants(before, start) - {start}
    assert chokes.pairs == len(reached)
    for choke in chokes.ranked():
        if choke.gate is not None and choke.gate.kind is GateKind.RULE:
            after = close(policy, machines, (choke.gate,))
            left = nx.descendants(graph_of(moves_of(after, machines), machines), start)
            assert choke.cut == len(reached) - len(left - {start}) > 0
    one = Chokes(whole, 1 << start, 1 << goal)
    passed = {choke.name for choke in one.ranked() if choke.kind is ChokeKind.HOST}
    if goal in reached:
        dominator = nx.immediate_dominators(before, start)
        above, node = set(), dominator[goal]
        while node is not None and node != start:
            above.add(machines.name(node))
            node = dominator[node]
        assert passed == above


@settings(max_examples=40)
@given(sites())
def test_over_all_pairs_a_rules_share_is_what_goes_with_it(
    site: tuple[Policy, Inventory, Machines],
) -> None:
    policy, inventory, machines = site
    resolved = resolve(policy, inventory, INSIDE, TODAY)
    whole = picture(resolved, machines)
    everybody = whole.machines.everybody
    chokes = Chokes(whole, everybody | whole.machines.outside_bit, everybody)
    assert chokes.pairs == whole.whole().pairs
    for choke in chokes.ranked():
        assert choke.gate is not None
        after = picture(close(resolved, machines, (choke.gate,)), machines)
        left = after.whole().pairs
        if choke.gate.kind is GateKind.RULE:
            assert choke.cut == chokes.pairs - left > 0
        else:  # protecting a segment closes at least its own way in
            assert 0 < choke.cut <= chokes.pairs - left
        assert len(positions(everybody)) == len(machines)
