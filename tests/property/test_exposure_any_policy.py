"""Exposure by bitsets equals exposure by decide(), machine by machine; the score is monotone."""

from dataclasses import replace

from exposure_oracle import edges_of, hops_from, moves_of
from hypothesis import given
from hypothesis import strategies as st
from strategies import INSIDE, TODAY, inventories, policies, tables

from workbench.analysis.exposure.bits import positions
from workbench.analysis.exposure.figures import Picture
from workbench.analysis.exposure.machines import Machines, machines_of
from workbench.analysis.exposure.openings import allowed, services_of
from workbench.model.exposure import Scenario
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.risky import risky_by_id
from workbench.model.site import Inventory
from workbench.model.traffic import ConversationTable, HostTable
from workbench.policy import resolve

SOME = tuple(map(risky_by_id, ("smb", "ssh", "rdp", "database")))
"""Services that the drawn policies and SERVICES of the strategies tell apart."""
LISTED = ConversationTable.empty(HostTable(INSIDE, len(INSIDE)))


def picture(policy: ResolvedPolicy, machines: Machines) -> Picture:
    segments = tuple((name, machines.within(inside)) for name, inside in policy.segments)
    return Picture(Scenario.DRAFT, machines, allowed(policy, machines), segments)


@st.composite
def sites(draw: st.DrawFn) -> tuple[Policy, Inventory, Machines]:
    """A policy, and the machines of an inventory; every address of the universe may be listed."""
    inventory = draw(inventories())
    hosts = HostTable(tuple(inventory.by_address), 0)
    return draw(policies()), inventory, machines_of(ConversationTable.empty(hosts), inventory)


@given(sites())
def test_who_reaches_whom_is_what_decide_says(site: tuple[Policy, Inventory, Machines]) -> None:
    policy, inventory, machines = site
    resolved = resolve(policy, inventory, INSIDE, TODAY)
    edges = edges_of(resolved, machines, SOME)
    found: dict[tuple[int, int], frozenset[str]] = {}
    for box in allowed(resolved, machines):
        names = frozenset(one.id for one in services_of(box.services)) & {one.id for one in SOME}
        for client in positions(box.clients).tolist():
            for server in positions(box.servers).tolist():
                if client != server and names:
                    found[client, server] = found.get((client, server), frozenset()) | names
    assert found == edges


@given(sites())
def test_hops_and_figures_are_those_of_a_walk(site: tuple[Policy, Inventory, Machines]) -> None:
    policy, inventory, machines = site
    resolved = resolve(policy, inventory, INSIDE, TODAY)
    edges = moves_of(resolved, machines)
    whole = picture(resolved, machines)
    walks = [hops_from(edges, start) for start in range(len(machines) + 1)]
    for start, hops in enumerate(walks):
        rings = whole.spread.rings(1 << start)
        walked = {at: far for far, ring in enumerate(rings, 1) for at in positions(ring).tolist()}
        assert walked == hops
    total = sum(1 / hops for walk in walks for hops in walk.values())
    assert abs(whole.score - (100 * total / len(machines) ** 2 if len(machines) else 0)) < 1e-9
    figures = whole.whole()
    assert figures.pairs == sum(map(len, walks))
    assert figures.direct_pairs == sum(hops == 1 for walk in walks for hops in walk.values())
    assert figures.outside_machines == len(walks[-1])
    assert figures.widest_machines == max(map(len, walks[:-1]), default=0)
    for crossing in whole.crossings():
        ends = (
            dict(whole.segments)[name]
            for name in (crossing.client_segment, crossing.server_segment)
        )
        clients, servers = (positions(bits).tolist() for bits in ends)
        far = [walks[client].get(server) for client in clients for server in servers]
        assert crossing.pairs == sum(one is not None for one in far)
        assert crossing.direct == far.count(1)
        assert crossing.all_pairs == sum(a != b for a in clients for b in servers)
    for name, bits in whole.segments:
        own = set(positions(bits).tolist())
        blast = {at for start in own for at in walks[start]} - own
        assert whole.blast(name, bits).machines == len(blast)
        target = whole.target(name, bits)
        assert target.blast == len(blast)
        others = [walks[start] for start in range(len(machines)) if start not in own]
        nearest = [min((walk.get(at, 999) for at in own), default=999) for walk in others]
        assert target.footholds == sum(hops < 999 for hops in nearest)
        assert target.movers == nearest.count(1)
        outside = min((walks[-1].get(at, 999) for at in own), default=999)
        assert target.outside_hops == (None if outside == 999 else outside)
    for at, target in enumerate(whole.targets()):
        assert target.footholds == sum(at in walk for walk in walks[:-1])
        assert target.outside_hops == walks[-1].get(at)
        assert target.blast == len(walks[at])
        assert target.movers == sum(walk.get(at) == 1 for walk in walks[:-1])


@given(sites(), st.data())
def test_fewer_rules_never_raise_the_score(
    site: tuple[Policy, Inventory, Machines], data: st.DataObject
) -> None:
    policy, inventory, machines = site
    kept = data.draw(
        st.lists(st.sampled_from(policy.rules), unique=True) if policy.rules else st.just([])
    )
    fewer = replace(policy, rules=tuple(rule for rule in policy.rules if rule in kept))
    protected = replace(policy, protect=policy.protect[: data.draw(st.integers(0, 9))])
    score = {
        name: picture(resolve(one, inventory, INSIDE, TODAY), machines).score
        for name, one in (("whole", policy), ("fewer", fewer), ("open", protected))
    }
    assert score["fewer"] <= score["whole"] <= score["open"] <= 100
    none = picture(ResolvedPolicy("none"), machines).score
    assert score["open"] <= none + 1e-9


@given(tables())
def test_only_what_spoke_is_a_machine(table: ConversationTable) -> None:
    machines = machines_of(table, Inventory())
    assert len(set(machines.names)) == len(machines)
    clients = {int(one) for one in table["client"]}
    for host, machine in enumerate(machines.of_host.tolist()):
        inside = table.hosts.addresses[host] not in machines.outside
        if host in clients and inside and table.hosts.addresses[host] in INSIDE:
            assert machine >= 0
