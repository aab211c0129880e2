"""An nftables ruleset for a gateway: `inet zt`, forward chain, one file, loaded in one transaction.

Shape: the base chain accepts the baseline and what is out of scope, everything else goes to
`zt_scope`, where a verdict map finds the chain of rules that answer for the packet's service.
What no rule accepts meets an explicit drop: a base chain's policy is not in force in every instant
of a reload, a rule is (nf_tables commits a new chain's drop policy last).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.export.dispatch import Dispatch, Rules, dispatch
from workbench.export.text import one_line, wrapped
from workbench.model.errors import UnsupportedPolicy
from workbench.model.net import (
    ANY_PROTOCOL,
    ANY_SERVICE,
    EVERYWHERE,
    ICMP,
    ICMPV6,
    PORT_PROTOCOLS,
    PROTOCOL_NAMES,
    UDP,
    AddressRange,
    AddressSet,
    ServiceRange,
    format_address,
    service_text,
)
from workbench.model.policy import SLUG, ResolvedPolicy, ResolvedRule
from workbench.model.rendered import Rendered
from workbench.model.site import Inventory
from workbench.model.text import plural
from workbench.model.verdict import NOT_POLICY, NOT_POLICY_PORTS

FILE = "zt-gateway.nft"
TARGET = "nftables"
FAMILIES = {4: ("ip", "ipv4"), 6: ("ip6", "ipv6")}
"""Version → payload keyword, nfproto name."""
WHOLE = {version: EVERYWHERE.family(version) for version in FAMILIES}
BEHIND_EXTENSIONS = frozenset({0, 43, 44, 51, 60})
"""IPv6 headers that `meta l4proto` looks behind (ipv6_find_hdr): the kernel never reports them."""
MAPS = {
    "zt_service": "inet_proto . inet_service : verdict; flags interval",
    "zt_icmp": "icmp_type : verdict; flags interval",
    "zt_icmpv6": "icmpv6_type : verdict; flags interval",
    "zt_protocol": "inet_proto : verdict",
}
"""Always declared and flushed, so that no element of an older policy keeps a chain alive."""
NOTES = (
    "Only forwarded traffic is judged, not the gateway's own (input, output), not bridged traffic.",
    "Baseline, always accepted: link-local, multicast, broadcast and loopback addresses; DHCP;"
    " ICMP and ICMPv6 errors, router discovery, ND and MLD; IGMP.",
    "Both directions of a connection must pass this gateway: replies alone count as invalid and, in"
    " scope, are dropped.",
    "Loading sets the counters back to zero; save nft -j list ruleset first if they matter.",
    "Established connections keep flowing when a policy is tightened; cut them with conntrack -D.",
    "IPv6 packets that carry IPv4-mapped addresses (::ffff:0:0/96) are dropped.",
    "Another table's drop still wins over an accept here.",
)


def render(policy: ResolvedPolicy, inventory: Inventory) -> Rendered:
    """One ruleset that says exactly what `decide` says of every first packet it forwards.

    Raises UnsupportedPolicy.
    """
    if problems := tuple(_problems(policy)):
        raise UnsupportedPolicy(TARGET, problems)
    sets = _address_sets(policy)
    plan = dispatch(policy.rules)
    chains = {_chain_name(pieces[0]): (rules, pieces) for rules, pieces in plan.chains}
    lines = [
        *_header(policy),
        *_declarations(sets, chains),
        "",
        "table inet zt {",
        *_set_blocks(sets, inventory),
        *_map_blocks(chains),
        *_chain_blocks(policy, sets, plan, chains),
        "}",
    ]
    return Rendered(TARGET, {FILE: "\n".join(lines) + "\n"}, NOTES)


def _problems(policy: ResolvedPolicy) -> Iterator[str]:
    for rule in policy.rules:
        if not SLUG.fullmatch(rule.id):
            yield f"rule {one_line(rule.id)!r}: its id is no slug and cannot be quoted"
        both_v6 = rule.clients.family(6) and rule.servers.family(6)
        for service in rule.services:
            if service.protocol == ANY_PROTOCOL and service != ANY_SERVICE:
                yield f"rule {rule.id}: a range of ports in every protocol"
            if service.protocol in BEHIND_EXTENSIONS and both_v6:
                yield (
                    f"rule {rule.id}: {service} over IPv6 is an extension header, which"
                    " nftables looks behind; name IPv4 segments only"
                )


@dataclass(frozen=True)
class _Sets:
    """Named address sets. The baseline and the protected sets are not shared with rules."""

    names: Mapping[AddressSet, str]
    """Set of a rule → its name, without family. Sets of whole families need none."""
    parts: Mapping[tuple[str, int], AddressSet]
    """(name, version) → addresses; neither empty nor a whole family."""

    def match(self, name: str, addresses: AddressSet, field: str, version: int) -> str | None:
        """The expression that matches; empty for a whole family; None when there is none."""
        if (name, version) in self.parts:
            return f"{FAMILIES[version][0]} {field} @{name}_{version}"
        return "" if addresses.family(version) else None


def _partial(addresses: AddressSet) -> dict[int, AddressSet]:
    """Version → addresses, for families that are neither empty nor whole."""
    parts = {version: addresses.family(version) for version in FAMILIES}
    return {version: part for version, part in parts.items() if part and part != WHOLE[version]}


BASELINE, EGRESS, INGRESS = "zt_baseline", "zt_protected_egress", "zt_protected_ingress"


def _address_sets(policy: ResolvedPolicy) -> _Sets:
    names: dict[AddressSet, str] = {}
    fixed = {
        BASELINE: NOT_POLICY,
        EGRESS: policy.protected_egress,
        INGRESS: policy.protected_ingress,
    }
    known = {addresses: name for name, addresses in reversed(policy.segments)}
    for rule in policy.rules:
        for addresses, segments in (
            (rule.clients, rule.client_segments),
            (rule.servers, rule.server_segments),
        ):
            if addresses not in names and _partial(addresses):
                one = known.get(addresses)
                name = _set_name((one,) if one else segments)
                names[addresses] = _unused(name, {*fixed, *names.values()})
    every = [*((name, addresses) for addresses, name in names.items()), *fixed.items()]
    parts = {
        (name, version): part
        for name, addresses in sorted(every, key=lambda item: item[0])
        for version, part in _partial(addresses).items()
    }
    return _Sets(names, parts)


def _set_name(segments: Sequence[str]) -> str:
    """`zt_office_vpn`; long unions are cut, nft names end at 255 bytes."""
    plain = [name for name in segments if SLUG.fullmatch(name)]
    if len(plain) != len(segments) or not plain:
        return "zt_set"
    return "zt_" + "_".join(plain[:3]) + (f"_and_{len(plain) - 3}_more" if plain[3:] else "")


def _unused(name: str, taken: Iterable[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_no{number}"
    return free


def _header(policy: ResolvedPolicy) -> Iterator[str]:
    count = plural(len(policy.rules), "rule")
    yield f"# {FILE}: policy {one_line(policy.name)!r} for a gateway (nftables)"
    yield f"# resolved for {policy.on.isoformat()}, {count} in force"
    if policy.expired:
        yield from wrapped("expired and left out: ", policy.expired, "# ")
    yield "#"
    yield f"# check      nft -c -f {FILE}"
    yield "# back up    nft -s list ruleset > before.nft"
    yield f"# load       nft -f {FILE}      one transaction; the same again for every newer file"
    yield "# roll back  nft delete table inet zt"
    yield "# tidy       chains and sets only an older policy used stay behind, empty or unused;"
    yield f"#            to drop them too: (echo 'delete table inet zt'; cat {FILE}) | nft -f -"
    yield "#"
    for note in NOTES:
        yield from wrapped("", note.split(" "), "# ", " ")
    yield ""


def _declarations(sets: _Sets, chains: Iterable[str]) -> Iterator[str]:
    """Make sure everything exists, then empty it: in place, without deleting the base chain."""
    yield "add table inet zt"
    yield "add chain inet zt zt_forward { type filter hook forward priority filter; policy drop; }"
    for chain in ("zt_scope", "zt_any", *chains):
        yield f"add chain inet zt {chain}"
    for name, version in sets.parts:
        kind = FAMILIES[version][1]
        yield f"add set inet zt {name}_{version} {{ type {kind}_addr; flags interval; }}"
    for name, kind in MAPS.items():
        yield f"add map inet zt {name} {{ type {kind}; }}"
    yield "flush table inet zt"
    for name, version in sets.parts:
        yield f"flush set inet zt {name}_{version}"
    for name in MAPS:
        yield f"flush map inet zt {name}"


def _set_blocks(sets: _Sets, inventory: Inventory) -> Iterator[str]:
    for (name, version), addresses in sets.parts.items():
        yield f"\tset {name}_{version} {{"
        yield f"\t\ttype {FAMILIES[version][1]}_addr; flags interval"
        yield "\t\telements = {"
        for piece in addresses.ranges:
            yield f"\t\t\t{_element(piece)}," + _who(piece, inventory)
        yield "\t\t}"
        yield "\t}"


def _who(piece: AddressRange, inventory: Inventory) -> str:
    """The names of a few listed hosts, as a comment."""
    if piece.size > 8:
        return ""
    hosts = map(inventory.by_address.get, range(piece.first, piece.last + 1))
    names = dict.fromkeys(one_line(host.name) for host in hosts if host)
    return f"  # {', '.join(names)}" if names else ""


def _element(piece: AddressRange) -> str:
    cidrs = AddressSet((piece,)).cidrs()
    if len(cidrs) == 1:
        return cidrs[0].removesuffix("/32" if "." in cidrs[0] else "/128")
    return f"{format_address(piece.first)}-{format_address(piece.last)}"


def _map_blocks(chains: Mapping[str, tuple[Rules, Sequence[ServiceRange]]]) -> Iterator[str]:
    elements: dict[str, list[str]] = {name: [] for name in MAPS}
    for piece, chain in sorted((p, chain) for chain, (_, ps) in chains.items() for p in ps):
        name, key = _key(piece)
        elements[name].append(f"{key} : goto {chain}")
    for name, kind in MAPS.items():
        yield f"\tmap {name} {{"
        yield f"\t\ttype {kind}"
        if elements[name]:
            yield "\t\telements = {"
            yield from (f"\t\t\t{element}," for element in elements[name])
            yield "\t\t}"
        yield "\t}"


def _key(piece: ServiceRange) -> tuple[str, str]:
    """Which map a piece belongs to, and its key there."""
    span = str(piece.first) if piece.first == piece.last else f"{piece.first}-{piece.last}"
    if piece.protocol in PORT_PROTOCOLS:
        return "zt_service", f"{PROTOCOL_NAMES[piece.protocol]} . {span}"
    if piece.protocol in (ICMP, ICMPV6):
        single = service_text(piece.protocol, piece.first).partition("/")[2]
        name = f"zt_{PROTOCOL_NAMES[piece.protocol]}"
        return name, single if piece.first == piece.last else span
    return "zt_protocol", str(piece.protocol)


def _chain_name(piece: ServiceRange) -> str:
    """`zt_tcp_443`, `zt_udp_2222_2230`, `zt_icmp_echo-request`, `zt_ip_47`."""
    words = str(piece).replace("/", "_")
    return "zt_" + (words if piece.first == piece.last else words.replace("-", "_"))


def _chain_blocks(
    policy: ResolvedPolicy,
    sets: _Sets,
    plan: Dispatch,
    chains: Mapping[str, tuple[Rules, Sequence[ServiceRange]]],
) -> Iterator[str]:
    said = [list(_statements(rule, sets)) for rule in policy.rules]
    for name, (rules, pieces) in chains.items():
        yield from wrapped("", map(str, pieces), "\t# ", ", ")
        body = [line for rule in rules for line in said[rule]]
        yield from _chain(name, [*body, "goto zt_any"])
    yield "\t# rules for every service; what is left is in scope and not allowed"
    body = [line for rule in plan.any_service for line in said[rule]]
    yield from _chain("zt_any", [*body, 'counter drop comment "zt: not allowed"'])
    yield "\t# one end is protected in this direction: the service finds its rules"
    yield from _chain("zt_scope", SCOPE)
    yield from _chain("zt_forward", _forward(policy, sets))


def _chain(name: str, body: Iterable[str]) -> Iterator[str]:
    yield f"\tchain {name} {{"
    yield from (f"\t\t{line}" for line in body)
    yield "\t}"


def _statements(rule: ResolvedRule, sets: _Sets) -> Iterator[str]:
    """One statement a family; none for a family in which either end has no address."""
    end = f'counter accept comment "{rule.id}"'
    if rule.clients == EVERYWHERE == rule.servers:
        yield end
        return
    for version in FAMILIES:
        client = sets.match(sets.names.get(rule.clients, ""), rule.clients, "saddr", version)
        server = sets.match(sets.names.get(rule.servers, ""), rule.servers, "daddr", version)
        if client is not None and server is not None:
            family = f"meta nfproto {FAMILIES[version][1]}"
            match = " ".join(filter(None, (client, server))) or family
            yield f"{match} {end}"


SCOPE = (
    "meta l4proto icmp icmp type vmap @zt_icmp",
    "meta l4proto icmpv6 icmpv6 type vmap @zt_icmpv6",
    # conntrack calls requests it does not know invalid; ICMP is judged by its type alone
    "meta l4proto { icmp, icmpv6 } goto zt_any",
    'ct state invalid counter drop comment "zt: invalid"',
    "meta l4proto { tcp, udp, sctp } meta l4proto . th dport vmap @zt_service",
    "meta l4proto vmap @zt_protocol",
    "goto zt_any",
)


def _forward(policy: ResolvedPolicy, sets: _Sets) -> Iterator[str]:
    yield "type filter hook forward priority filter; policy drop;"
    yield "ct state established accept"
    yield "ct state related meta l4proto { icmp, icmpv6 } accept"
    baseline = 'counter accept comment "zt: baseline"'
    for version in FAMILIES:
        for field in ("saddr", "daddr"):
            yield f"{sets.match(BASELINE, NOT_POLICY, field, version)} {baseline}"
    yield f"udp dport {_numbers(NOT_POLICY_PORTS[UDP])} {baseline}"
    for protocol in (ICMP, ICMPV6):
        name = PROTOCOL_NAMES[protocol]
        types = _numbers(NOT_POLICY_PORTS[protocol])
        yield f"meta l4proto {name} {name} type {types} {baseline}"
    yield f"meta l4proto igmp {baseline}"
    for field in ("saddr", "daddr"):
        yield f'ip6 {field} ::ffff:0:0/96 counter drop comment "zt: mapped"'
    for name, protected, field in (
        (EGRESS, policy.protected_egress, "saddr"),
        (INGRESS, policy.protected_ingress, "daddr"),
    ):
        for version in FAMILIES:
            match = sets.match(name, protected, field, version)
            if match is not None:
                yield f"{match or f'meta nfproto {FAMILIES[version][1]}'} goto zt_scope"
    yield 'counter accept comment "zt: out of scope"'


def _numbers(values: Iterable[int]) -> str:
    return "{ " + ", ".join(map(str, sorted(values))) + " }"
