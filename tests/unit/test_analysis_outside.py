"""Who is outside: for exposure and for findings alike."""

import pytest

from workbench.analysis.findings import Scene
from workbench.analysis.outside import outside_of
from workbench.model.finding import Thresholds, Traces
from workbench.model.net import AddressSet, parse_address
from workbench.model.site import Host, Inventory, Network, labels_of
from workbench.model.traffic import HostTable


def network(name: str, *cidrs: str, **labels: str) -> Network:
    return Network(name, AddressSet.of_cidrs(cidrs), labels_of(labels))


def listed(name: str, address: str, **labels: str) -> Host:
    return Host(name, (parse_address(address),), labels_of(labels))


SITE = Inventory(
    (
        listed("vpn-1", "198.51.100.7"),
        listed("saas-1", "203.0.113.10", zone="internet"),
        listed("partner-1", "10.99.0.1", zone="external"),
        listed("edge-1", "192.0.2.200", zone="dmz"),
        listed("cdn-1", "192.0.2.201"),
        listed("pc-1", "10.77.0.1"),
    ),
    (
        network("world", "0.0.0.0/0", "::/0", zone="internet"),
        network("offices", "11.0.0.0/16", zone="office"),
        network("cdn", "192.0.2.0/24", role="cdn"),
        network("floor", "10.77.0.0/24", role="pc"),
        network("guests", "10.66.0.0/16", zone="outside"),
    ),
)
BARE = Inventory(
    (), (network("world", "0.0.0.0/0", "::/0"), network("dmz", "192.0.2.0/24", "2001:db8::/48"))
)


@pytest.mark.parametrize(
    ("inventory", "address", "outside"),
    [
        (Inventory(), "8.8.8.8", True),
        (Inventory(), "2600::1", True),
        (Inventory(), "10.0.0.1", False),
        (Inventory(), "100.64.0.1", False),
        (Inventory(), "fe80::1", False),  # next door, whoever it is
        (SITE, "8.8.8.8", True),
        (SITE, "10.0.0.1", False),  # all of the world, says the network: of what is public
        (SITE, "10.77.0.1", False),
        (SITE, "10.77.0.2", False),
        (SITE, "10.66.0.1", True),
        (SITE, "11.0.0.1", False),
        (SITE, "198.51.100.7", True),  # listed, but with the zone of the world around it
        (SITE, "192.0.2.1", True),  # labels of its own, and that zone, too
        (SITE, "192.0.2.200", False),
        (SITE, "192.0.2.201", True),
        (SITE, "10.99.0.1", True),
        (BARE, "8.8.8.8", True),  # a network as wide as the internet lists nobody
        (BARE, "192.0.2.1", False),
        (BARE, "2001:db8::1", False),
    ],
)
def test_who_is_outside(inventory: Inventory, address: str, outside: bool) -> None:
    number = parse_address(address)
    assert (number in outside_of(inventory)) == outside
    nothing = Traces({}, {}, {}, {})
    scene = Scene(HostTable((number,)), inventory, nothing, None, (), Thresholds())
    assert scene.inside.tolist() == [not outside]
