"""Who is outside: one answer for findings and for exposure."""

from workbench.model.net import EVERYWHERE, AddressSet
from workbench.model.site import Inventory
from workbench.model.verdict import NOT_POLICY

PRIVATE = AddressSet.of_cidrs(
    [
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598
        "fc00::/7",  # RFC 4193
    ]
)
ZONES = frozenset({"internet", "outside", "external"})
"""Values of the label `zone`, own or of a network around, that put anything outside."""


def is_internet(addresses: AddressSet) -> bool:
    """Wider than any site's own public addresses: more than a /8 (IPv4) or a /28 (IPv6)."""
    public = addresses - PRIVATE
    return public.family(4).size > 1 << 24 or public.family(6).size > 1 << 100


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
