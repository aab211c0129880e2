"""Who is outside: one answer for findings and for exposure."""

from workbench.analysis.homes import PRIVATE, is_internet
from workbench.model.net import EVERYWHERE, AddressSet
from workbench.model.site import Inventory
from workbench.model.verdict import NOT_POLICY

ZONES = frozenset({"internet", "outside", "external"})
"""Values of the label `zone`, own or of a network around, that put anything outside."""


def outside_of(inventory: Inventory) -> AddressSet:
    """Public addresses that the inventory lists neither themselves nor by a network, and what has
    a zone outside.

    A network as wide as the internet lists nobody, and its zone is that of public addresses only.
    """
    ours, away = PRIVATE, AddressSet()
    for network in inventory.narrowing:
        zone, wide = dict(network.labels).get("zone"), is_internet(network.addresses)
        if zone in ZONES:
            away |= network.addresses - PRIVATE if wide else network.addresses
        elif zone:
            away -= network.addresses
        if zone or not wide:
            ours |= network.addresses
    zones = {one: dict(host.labels).get("zone") for one, host in inventory.by_address.items()}
    gone = AddressSet.of_addresses(one for one, zone in zones.items() if zone in ZONES)
    stay = (one for one, zone in zones.items() if zone or one not in away)
    here = AddressSet.of_addresses(stay) - gone
    return ((EVERYWHERE - ours | away) - here | gone) - NOT_POLICY
