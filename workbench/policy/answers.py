"""Edits that answer a finding: a guardrail, a narrowing, a quarantine. New policy for old."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from workbench.model.errors import PolicyError
from workbench.model.net import (
    AddressSet,
    ServiceRange,
    is_v4,
    merge_services,
    parse_service,
    service_text,
)
from workbench.model.policy import (
    ANY,
    BOTH_SIDES,
    Assertion,
    Guardrail,
    Policy,
    Protection,
    ResolvedPolicy,
    ResolvedRule,
    Rule,
    Segment,
    Side,
    slug,
    unused,
)
from workbench.model.response import Covered, Without
from workbench.model.verdict import NOT_POLICY
from workbench.policy.carving import EVERY_CIDR, HOST, Carving, texts
from workbench.policy.edit import (
    fresh_id,
    put_protection,
    replace_parts,
    segment_uses,
    service_uses,
)

Called = Callable[[int], str]
"""Address → what its host is called."""
_SITE_V4, _SITE_V6 = 2**24, 2**120
"""A segment with more addresses (10.0.0.0/8, fd00::/8) is the world, not a place to protect."""


# ── guardrail ──────────────────────────────────────────────────────────────────────────────


def put_never(
    policy: Policy,
    resolved: ResolvedPolicy,
    covered: Sequence[Covered],
    name: str,
    reason: str,
    called: Called,
    *,
    wide: bool = False,
) -> Policy:
    """A *never* guardrail for each part of what was covered; raises PolicyError.

    wide: between the segments of both ends, where they have one, not the hosts themselves.
    """
    carving, made = Carving(policy, resolved), policy
    for piece in covered:
        sides: list[tuple[str, ...]] = []
        for addresses, word in ((piece.clients, "clients"), (piece.servers, "servers")):
            if wide:
                sides.append(_homes(carving, resolved, addresses, called))
            else:
                wish = _wish(addresses, called, f"{name}-{word}")
                sides.append((carving.listing(AddressSet.of_addresses(addresses), wish),))
        clients, servers = sides
        services = tuple(map(str, merge_services(_ranges(piece))))
        box = (Assertion.NEVER, clients, servers, services)
        if any((g.assertion, g.clients, g.servers, g.services) == box for g in made.guardrails):
            continue
        entry = Guardrail(fresh_id(made, name), Assertion.NEVER, clients, servers, services, reason)
        made = replace(made, guardrails=(*made.guardrails, entry))
    return replace_parts(carving.into(made))


def _ranges(piece: Covered) -> Iterator[ServiceRange]:
    return (parse_service(service_text(*one)) for one in piece.services)


def _homes(
    carving: Carving, resolved: ResolvedPolicy, addresses: Iterable[int], called: Called
) -> tuple[str, ...]:
    names = []
    for address in addresses:
        name = resolved.home(address)
        names.append(name or carving.listing(AddressSet.of_addresses([address]), called(address)))
    return tuple(dict.fromkeys(names))


def _wish(addresses: Sequence[int], called: Called, many: str) -> str:
    """What a segment of these would be called: the host's name, if it is one host."""
    names = set(map(called, addresses))
    return slug(names.pop() if len(names) == 1 else many, HOST)


# ── narrowing ──────────────────────────────────────────────────────────────────────────────


def protect_ends(
    policy: Policy,
    resolved: ResolvedPolicy,
    covered: Iterable[Covered],
    site: AddressSet,
    called: Called,
) -> Policy:
    """One end protected wherever neither is: the server's segment, or else the client's.

    A host of the site (`site`: addresses that are ours) in no segment gets one of its own. Raises
    PolicyError when neither end is ours.
    """
    carving, wanted = Carving(policy, resolved), dict[str, set[Side]]()
    for piece in covered:
        for client in piece.clients:
            for server in piece.servers:
                if client in resolved.protected_egress or server in resolved.protected_ingress:
                    continue
                if client in NOT_POLICY or server in NOT_POLICY or is_v4(client) != is_v4(server):
                    continue
                name, side = _open_end(carving, resolved, piece, (client, server), site, called)
                wanted.setdefault(name, set()).add(side)
    made = carving.into(policy)
    had = {one.segment: one.directions for one in policy.protect}
    for name, sides in wanted.items():
        made = put_protection(made, Protection(name, had.get(name, frozenset()) | sides))
    return made


def _open_end(
    carving: Carving,
    resolved: ResolvedPolicy,
    piece: Covered,
    ends: tuple[int, int],
    site: AddressSet,
    called: Called,
) -> tuple[str, Side]:
    client, server = ends
    for address, side in ((server, Side.INGRESS), (client, Side.EGRESS)):
        name = resolved.home(address)
        inside = resolved.segment(name) if name else AddressSet()
        if inside and inside.family(4).size <= _SITE_V4 and inside.family(6).size <= _SITE_V6:
            return name, side
        if address in site:
            every = (*piece.clients, *piece.servers)
            same = [one for one in every if called(one) == called(address)]
            return carving.listing(AddressSet.of_addresses(same), called(address)), side
    raise PolicyError("neither end is a host of this site: no segment of it can be protected")


@dataclass(frozen=True, slots=True)
class _Part:
    """What is left of a rule."""

    clients: tuple[str, ...]
    servers: tuple[str, ...]
    services: tuple[str, ...]


def narrow(
    policy: Policy,
    resolved: ResolvedPolicy,
    covered: Sequence[Covered],
    without: Without,
    called: Called,
) -> Policy:
    """Every rule in force that allows something of what is covered loses that.

    `Without.EXACT` changes no verdict but those of what is covered. A rule of which nothing is left
    is removed; one that falls into several keeps its id for the first.
    """
    carving = Carving(policy, resolved)
    in_force = {rule.id: rule for rule in resolved.rules}
    ids, rules = policy, list[Rule]()
    for rule in policy.rules:
        parts = [_Part(rule.clients, rule.servers, rule.services)]
        box = in_force.get(rule.id)
        for piece in (one for one in covered if box and _meets(box, one)):
            parts = [
                left for part in parts for left in _carve(carving, part, piece, without, called)
            ]
        for number, part in enumerate(parts):
            name = fresh_id(ids, rule.id) if number else rule.id
            rules.append(
                Rule(name, part.clients, part.servers, part.services, rule.reason, rule.expires)
            )
            ids = replace(ids, rules=(*ids.rules, rules[-1]))
    made = replace(carving.into(policy), rules=tuple(rules))
    return replace_parts(_tidy(made, policy))


def _meets(box: ResolvedRule, piece: Covered) -> bool:
    return (
        any(client in box.clients for client in piece.clients)
        and any(server in box.servers for server in piece.servers)
        and any(one.covers(*service) for one in box.services for service in piece.services)
    )


def _tidy(made: Policy, before: Policy) -> Policy:
    """Without what was made on the way and nothing uses."""
    segments = tuple(
        one for one in made.segments if one in before.segments or segment_uses(made, one.name)
    )
    groups = tuple(
        one for one in made.services if one in before.services or service_uses(made, one.name)
    )
    return replace(made, segments=segments, services=groups)


def _carve(
    carving: Carving, part: _Part, piece: Covered, without: Without, called: Called
) -> Iterator[_Part]:
    """What is left of a part without a piece."""
    clients = AddressSet.of_addresses(piece.clients) & carving.addresses(part.clients)
    servers = AddressSet.of_addresses(piece.servers) & carving.addresses(part.servers)
    ranges = [one for name in part.services for one in carving.ranges(name)]
    services = [one for one in piece.services if any(range_.covers(*one) for range_ in ranges)]
    if not clients or not servers or not services:
        yield part
        return
    from_, to = (_wish(side, called, "some") for side in (piece.clients, piece.servers))
    if without is Without.SERVICE:
        left = carving.services_without(part.services, services)
        yield from _parts(part.clients, part.servers, left)
        return
    if without is Without.SERVER:
        yield from _parts(part.clients, carving.without(part.servers, servers, to), part.services)
        return
    yield from _parts(carving.without(part.clients, clients, from_), part.servers, part.services)
    if without is Without.EXACT:
        only = (carving.listing(clients, from_),)
        yield from _parts(only, carving.without(part.servers, servers, to), part.services)
        left = carving.services_without(part.services, services)
        if left:
            yield from _parts(only, (carving.listing(servers, to),), left)


def _parts(
    clients: tuple[str, ...], servers: tuple[str, ...], services: tuple[str, ...]
) -> Iterator[_Part]:
    if clients and servers and services:
        yield _Part(clients, servers, services)


# ── quarantine ─────────────────────────────────────────────────────────────────────────────

EVERYBODY_ELSE = "all-but-quarantined"
"""The segment that stands in for `any` in rules once a host is quarantined."""


def quarantine(
    policy: Policy,
    resolve: Callable[[Policy], ResolvedPolicy],
    name: str,
    host: AddressSet,
    admins: tuple[tuple[str, ...], AddressSet],
    services: tuple[str, ...],
) -> Policy:
    """Nothing to and from `host`, but `services` from `admins` (segments, and addresses).

    The host gets a segment of its own, protected both ways, and is taken out of every other segment
    that a rule uses; `any` in rules becomes a segment without it. Verdicts between other hosts stay
    what they are. Raises PolicyError where a policy cannot say that.
    """
    if met := host & NOT_POLICY:
        raise PolicyError(f"no policy applies to {met.cidrs()[0]}: it cannot be quarantined")
    segments, listed = admins
    others = listed - host
    if listed and not others:
        raise PolicyError("the host cannot be its own administrator")
    mine = _own_segment(resolve(policy), name, host)
    made = _taken_out(policy, resolve(policy), mine, host, segments)
    made = put_protection(made, Protection(mine, BOTH_SIDES))
    carving = Carving(made, resolve(made))
    names = segments
    if others:
        names = tuple(dict.fromkeys((*names, carving.listing(others, f"{mine}-admins"))))
    made = carving.into(made)
    for one in segments:
        if not carving.addresses([one]):
            raise PolicyError(f"segment {one} has no host but the one to be quarantined")
    if names:
        rule = Rule(fresh_id(made, mine), names, (mine,), services, "quarantined")
        made = replace(made, rules=(*made.rules, rule))
    made = replace_parts(made)
    _prove(resolve(made), mine, host)
    return made


def _own_segment(resolved: ResolvedPolicy, name: str, host: AddressSet) -> str:
    """The name of the host's own segment: that of an earlier quarantine, or a new one."""
    wish = slug(f"quarantine-{name}", HOST)
    sets = dict(resolved.segments)
    return wish if sets.get(wish) == host else unused(wish, sets)


def _taken_out(
    policy: Policy, resolved: ResolvedPolicy, mine: str, host: AddressSet, admins: tuple[str, ...]
) -> Policy:
    """The host out of every rule: out of the segments they use, out of `any`, and out of rules
    about its own segment."""
    sets = dict(resolved.segments)
    used = {name for rule in policy.rules for name in (*rule.clients, *rule.servers)} | {*admins}
    segments = [
        replace(one, excepts=(*one.excepts, *texts(met)))
        if one.name in used - {mine} and (met := sets[one.name] & host)
        else one
        for one in policy.segments
    ]
    if mine not in sets:
        segments.append(Segment(mine, cidrs=texts(host)))
    everybody = unused(EVERYBODY_ELSE, {*sets, mine})
    if ANY in used:
        segments.append(Segment(everybody, cidrs=EVERY_CIDR, excepts=texts(host)))

    def kept(names: tuple[str, ...]) -> tuple[str, ...]:
        named = (everybody if name == ANY else name for name in names if name != mine)
        return tuple(dict.fromkeys(named))

    rules = (replace(one, clients=kept(one.clients), servers=kept(one.servers))
             for one in policy.rules)  # fmt: skip
    left = tuple(rule for rule in rules if rule.clients and rule.servers)
    return replace_parts(policy, segments=tuple(segments), rules=left)


def _prove(resolved: ResolvedPolicy, mine: str, host: AddressSet) -> None:
    """The quarantine says what it should, or nothing is changed."""
    sound = not (host - resolved.protected_ingress) and not (host - resolved.protected_egress)
    for rule in resolved.rules:
        about = rule.server_segments == (mine,)
        sound = sound and not rule.clients & host and (about or not rule.servers & host)
    if not sound:
        raise PolicyError("the quarantine cannot be said exactly in this policy")
