"""Who counts as a machine, who is outside, what was seen to work; by hand."""

import pytest
from strategies import table_of

from workbench.analysis.exposure import Chokes, Picture, Ways, allowed, machines_of, seen
from workbench.analysis.exposure.bits import bitset, lowest, positions, union
from workbench.analysis.exposure.machines import NOBODY
from workbench.model.errors import Cancelled
from workbench.model.exposure import Gate, GateKind, Scenario
from workbench.model.net import TCP, UDP, AddressSet, parse_address, parse_service
from workbench.model.policy import ResolvedPolicy, ResolvedRule
from workbench.model.site import Host, Inventory, Network, labels_of
from workbench.model.traffic import Conversation, ConversationTable, HostTable, Outcome


def talk(
    client: str, server: str, port: int, outcome: Outcome, protocol: int = TCP
) -> Conversation:
    ends = parse_address(client), parse_address(server)
    return Conversation(*ends, protocol, port, flows=1, outcome=outcome)


def listed(name: str, *addresses: str, **labels: str) -> Host:
    return Host(name, tuple(map(parse_address, addresses)), labels_of(labels))


def table_for(inventory: Inventory) -> ConversationTable:
    return ConversationTable.empty(HostTable(tuple(inventory.by_address)))


def one(address: str) -> AddressSet:
    return AddressSet.of_cidrs([address])


def test_bitsets_there_and_back() -> None:
    bits = union([1 << 3, 1 << 200, 1 << 3])
    assert positions(bits).tolist() == [3, 200]
    assert lowest(bits) == 3
    assert positions(0).tolist() == []
    import numpy as np

    mask = np.zeros(201, dtype=np.bool_)
    mask[[3, 200]] = True
    assert bitset(mask) == bits


def test_a_scanned_address_is_no_machine_until_it_speaks() -> None:
    table = table_of(
        [
            talk("10.0.0.1", "10.0.0.2", 445, Outcome.ESTABLISHED),
            talk("10.0.0.1", "10.0.0.3", 445, Outcome.UNANSWERED),
            talk("10.0.0.1", "10.0.0.4", 445, Outcome.REFUSED),
            talk("10.0.0.1", "10.0.0.5", 514, Outcome.ONE_WAY, UDP),
            talk("10.0.0.1", "10.0.0.6", 22, Outcome.ONE_WAY),
            talk("10.0.0.1", "224.0.0.251", 5353, Outcome.ONE_WAY, UDP),
        ]
    )
    assert machines_of(table, Inventory()).names == ("10.0.0.1", "10.0.0.2", "10.0.0.6")
    known = Inventory((listed("log-1", "10.0.0.5"),))
    assert machines_of(table, known).names == ("10.0.0.1", "10.0.0.2", "log-1", "10.0.0.6")


def test_a_listed_host_is_one_machine_with_all_its_addresses() -> None:
    inventory = Inventory((listed("db-1", "10.0.0.9", "fd00::9", "fe80::9"),))
    machines = machines_of(table_for(inventory), inventory)
    assert machines.names == ("db-1",)
    assert machines.bits(one("10.0.0.9")) == (1, 0)
    assert machines.bits(one("fd00::/64")) == (0, 1)
    assert machines.within(one("fe80::9")) == 0  # link-local is no matter for a policy


def test_outside_is_public_unless_listed_and_what_the_zone_says() -> None:
    inventory = Inventory(
        (
            listed("vpn-1", "198.51.100.7"),
            listed("saas-1", "203.0.113.10", zone="internet"),
            listed("partner-1", "10.99.0.1", zone="external"),
        ),
        (Network("dmz", one("192.0.2.0/24"), labels_of({"zone": "dmz"})),),
    )
    table = table_of(
        [
            talk("192.0.2.5", "198.51.100.7", 22, Outcome.ESTABLISHED),
            talk("8.8.8.8", "198.51.100.7", 22, Outcome.ESTABLISHED),
            talk("203.0.113.10", "192.0.2.5", 22, Outcome.ESTABLISHED),
            talk("10.99.0.1", "198.51.100.7", 445, Outcome.ESTABLISHED),
        ]
    )
    machines = machines_of(table, inventory)
    assert machines.names == ("192.0.2.5", "vpn-1")
    outside = machines.outside_bit
    for box in seen(table, machines):
        if box.gate.name == "ssh on 192.0.2.5" or box.gate.name == "smb on vpn-1":
            assert box.clients == outside
        else:
            assert (box.gate.name, box.clients) == ("ssh on vpn-1", outside | 1)
    assert {host for host in machines.of_host.tolist() if host != NOBODY} == {0, 1}


def test_only_what_worked_and_is_risky_was_seen() -> None:
    table = table_of(
        [
            talk("10.0.0.1", "10.0.0.2", 445, Outcome.ESTABLISHED),
            talk("10.0.0.3", "10.0.0.2", 445, Outcome.REFUSED),
            talk("10.0.0.3", "10.0.0.2", 443, Outcome.ESTABLISHED),
            talk("10.0.0.2", "10.0.0.2", 22, Outcome.ESTABLISHED),
        ]
    )
    machines = machines_of(table, Inventory())
    [box] = seen(table, machines)
    assert machines.names == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert (box.clients, box.servers) == (1, 2)
    assert box.gate == Gate(GateKind.SEEN, "smb on 10.0.0.2")


def chain() -> Picture:
    """a → b on ssh → c on smb → d on a port that nobody moves by; everything is protected."""
    inventory = Inventory(tuple(listed(name, f"10.0.0.{at}") for at, name in enumerate("abcd", 1)))
    everything = one("10.0.0.0/24")
    rules = tuple(
        ResolvedRule(f"r{at}", one(f"10.0.0.{at}"), one(f"10.0.0.{at + 1}"), (parse_service(text),))
        for at, text in enumerate(("tcp/22", "tcp/445", "tcp/5432"), 1)
    )
    policy = ResolvedPolicy(
        "chain", protected_ingress=everything, protected_egress=everything, rules=rules
    )
    machines = machines_of(table_for(inventory), inventory)
    return Picture(Scenario.DRAFT, machines, allowed(policy, machines), ())


def test_a_chain_by_hand() -> None:
    whole = chain().whole()
    assert whole.pairs_by_hops == (2, 1)  # a → b, b → c; a → c
    assert whole.score == pytest.approx(100 * (1 + 1 + 1 / 2) / 16)
    assert (whole.widest, whole.widest_machines, whole.median_machines) == ("a", 2, 0)
    assert (whole.outside_direct, whole.doors) == (0, 3)
    by_name = {one.service: one for one in whole.services}
    assert (by_name["ssh"].pairs, by_name["ssh"].light) == (1, "amber")
    assert (by_name["database"].servers, by_name["rdp"].light) == (1, "green")


def test_the_path_names_the_rule_of_each_hop() -> None:
    picture = chain()
    [path] = Ways(picture, 1, 4).paths(5)
    assert path.text == "a → b (ssh) → c (smb)"
    assert [gate.reason for hop in path.hops for gate in hop.gates] == ["rule r1", "rule r2"]
    assert Ways(picture, 1, 8).paths(5) == ()


def test_chokes_of_the_chain() -> None:
    picture = chain()
    found = Chokes(picture, 1, 4).ranked()
    assert {(one.text, one.cut) for one in found} == {
        ("remove rule r1", 1),
        ("remove rule r2", 1),
        ("isolate b", 1),
    }
    everybody = picture.machines.everybody
    shares = Chokes(picture, everybody | picture.machines.outside_bit, everybody).ranked()
    assert [(one.name, one.cut) for one in shares] == [("r1", 2), ("r2", 2)]
    assert shares[0].share == pytest.approx(2 / 3)


def test_what_takes_long_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        chain().prepare(lambda: True)
    with pytest.raises(Cancelled):
        Chokes(chain(), 1, 4).ranked(cancelled=lambda: True)
    with pytest.raises(Cancelled):
        Ways(chain(), 1, 4).paths(1, lambda: True)


def test_a_site_without_machines_has_no_exposure() -> None:
    machines = machines_of(ConversationTable.empty(), Inventory())
    whole = Picture(Scenario.NONE, machines, allowed(ResolvedPolicy("none"), machines), ()).whole()
    assert (whole.score, whole.pairs, whole.widest) == (0.0, 0, "")
