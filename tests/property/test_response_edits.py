"""Answers to a finding change exactly what they say, on any policy: decide() before and after."""

from collections.abc import Iterator

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import INSIDE, SERVICES, TODAY, UNIVERSE, inventories, policies

from workbench.analysis import check
from workbench.analysis.outside import PRIVATE
from workbench.model.errors import PolicyError
from workbench.model.net import ICMP, TCP, UDP, AddressSet, format_address, is_v4, parse_service
from workbench.model.policy import Policy, ResolvedPolicy
from workbench.model.response import Covered, Without
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation
from workbench.model.verdict import Verdict, not_policy
from workbench.policy import answers, decide, dump_policy, load_policy, resolve, validate

KINDS = ((TCP, 22), (TCP, 445), (TCP, 40000), (UDP, 53), (UDP, 67), (ICMP, 8), (47, 0))
"""Services that are tried out."""
Key = tuple[int, int, int, int]


def resolved(policy: Policy, inventory: Inventory) -> ResolvedPolicy:
    return resolve(policy, inventory, INSIDE, TODAY)


def everything() -> Iterator[Key]:
    """Every conversation of the universe; none has ends of two families."""
    for client in UNIVERSE:
        for server in UNIVERSE:
            if is_v4(client) == is_v4(server):
                for protocol, port in KINDS:
                    yield client, server, protocol, port


EVERYTHING = tuple(everything())
OURS = frozenset(one for one in INSIDE if one in PRIVATE)


def verdicts(policy: ResolvedPolicy, some: list[Key]) -> dict[Key, Verdict]:
    return {key: decide(policy, Conversation(*key)).verdict for key in some}


def called(address: int) -> str:
    return format_address(address)


@st.composite
def machines(draw: st.DrawFn, most: int = 2) -> tuple[int, ...]:
    """One or two addresses."""
    return tuple(
        sorted(draw(st.lists(st.sampled_from(INSIDE), unique=True, min_size=1, max_size=most)))
    )


@st.composite
def parts(draw: st.DrawFn) -> tuple[Covered, ...]:
    """What a finding may cover."""
    return tuple(
        Covered(
            draw(machines()),
            draw(machines(4)),
            tuple(
                draw(
                    st.lists(st.sampled_from(KINDS), unique=True, min_size=1, max_size=3).map(
                        sorted
                    )
                )
            ),
        )
        for _ in range(draw(st.integers(1, 3)))
    )


def covers(covered: tuple[Covered, ...], key: Key) -> bool:
    client, server, *service = key
    return any(
        client in one.clients and server in one.servers and tuple(service) in one.services
        for one in covered
    )


def looked_at(draw: st.DataObject, covered: tuple[Covered, ...], around: set[int]) -> list[Key]:
    """Everything that is covered, everything of some hosts, and some more."""
    some = set(draw.draw(st.lists(st.sampled_from(EVERYTHING), max_size=80)))
    return [
        key
        for key in EVERYTHING
        if key in some or covers(covered, key) or (key[0] in around and key[1] in around)
    ]


@given(policies(), inventories(), parts(), st.data())
@settings(max_examples=80, deadline=None)
def test_an_exact_narrowing_takes_out_what_is_covered_and_nothing_else(
    policy: Policy, inventory: Inventory, covered: tuple[Covered, ...], data: st.DataObject
) -> None:
    before = resolved(policy, inventory)
    edited = answers.narrow(policy, before, covered, Without.EXACT, called)
    assert load_policy(dump_policy(edited)) == edited
    assert {one for one in policy.rules if one.id in before.expired} <= {*edited.rules}
    ends = {one for part in covered for one in (*part.clients, *part.servers)}
    keys = looked_at(data, covered, ends)
    was, now = verdicts(before, keys), verdicts(resolved(edited, inventory), keys)
    for key in keys:
        taken = covers(covered, key) and was[key] is Verdict.ALLOWED
        assert now[key] is (Verdict.BLOCKED if taken else was[key]), key


@given(
    policies(),
    inventories(),
    parts(),
    st.sampled_from([Without.CLIENT, Without.SERVER, Without.SERVICE]),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_a_wide_narrowing_stays_on_its_side(
    policy: Policy,
    inventory: Inventory,
    covered: tuple[Covered, ...],
    without: Without,
    data: st.DataObject,
) -> None:
    before = resolved(policy, inventory)
    edited = answers.narrow(policy, before, covered, without, called)
    ends = {one for part in covered for one in (*part.clients, *part.servers)}
    keys = looked_at(data, covered, ends)
    was, now = verdicts(before, keys), verdicts(resolved(edited, inventory), keys)
    for key in keys:
        client, server, *service = key
        sides = {
            Without.CLIENT: any(client in one.clients for one in covered),
            Without.SERVER: any(server in one.servers for one in covered),
            Without.SERVICE: any(tuple(service) in one.services for one in covered),
        }
        if covers(covered, key):
            assert now[key] is not Verdict.ALLOWED, key
        if now[key] is not was[key]:
            assert sides[without] and (was[key], now[key]) == (Verdict.ALLOWED, Verdict.BLOCKED)


@given(policies(), inventories(), parts())
@settings(max_examples=60, deadline=None)
def test_with_an_end_protected_nothing_that_is_covered_gets_through(
    policy: Policy, inventory: Inventory, covered: tuple[Covered, ...]
) -> None:
    try:
        before = resolved(policy, inventory)
        edited = answers.protect_ends(policy, before, covered, PRIVATE, called)
    except PolicyError as error:
        assert "neither end is a host of this site" in str(error)
        ends = [key[:2] for key in EVERYTHING if covers(covered, key)]
        assert any(not {*pair} & {*OURS} for pair in ends)
        return
    edited = answers.narrow(edited, resolved(edited, inventory), covered, Without.EXACT, called)
    keys = [key for key in EVERYTHING if covers(covered, key) and not not_policy(*key)]
    after = verdicts(resolved(edited, inventory), keys)
    assert set(after.values()) <= {Verdict.BLOCKED}


@given(policies(), inventories(), parts(), st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_guardrail_speaks_exactly_when_something_covered_gets_through(
    policy: Policy, inventory: Inventory, covered: tuple[Covered, ...], wide: bool
) -> None:
    before = resolved(policy, inventory)
    edited = answers.put_never(policy, before, covered, "finding", "why", called, wide=wide)
    after = resolved(edited, inventory)
    known = {one.id for one in policy.guardrails}
    same = [key for key in EVERYTHING if covers(covered, key) and not not_policy(*key)]
    was = verdicts(before, same)
    assert verdicts(after, same) == was
    through = any(verdict is not Verdict.BLOCKED for verdict in was.values())
    asked = {
        (one.clients, one.servers, one.services)
        for one in edited.guardrails if one.id not in known
    }  # fmt: skip
    assume(len(asked) == len({(p.clients, p.servers, p.services) for p in covered}))
    spoken = any(one.id not in known for one in check(after))
    assert spoken >= through if wide else spoken == through


@given(policies(), inventories(), machines(), st.data())
@settings(max_examples=120, deadline=None)
def test_a_quarantine_allows_exactly_the_named_access_and_touches_nobody_else(
    policy: Policy, inventory: Inventory, own: tuple[int, ...], data: st.DataObject
) -> None:
    before = resolved(policy, inventory)
    host = AddressSet.of_addresses(own)
    names = tuple(
        data.draw(
            st.lists(st.sampled_from([s.name for s in policy.segments]), unique=True, max_size=2)
        )
    )
    listed = AddressSet.of_addresses(data.draw(st.lists(st.sampled_from(INSIDE), max_size=2)))
    services = (data.draw(st.sampled_from(SERVICES)),)

    def again(one: Policy) -> ResolvedPolicy:
        return resolved(one, inventory)

    try:
        edited = answers.quarantine(policy, again, "pc-7", host, (names, listed), services)
    except PolicyError as error:
        nobody = any(not before.segment(name) - host for name in names)
        assert nobody or (listed and not listed - host), error
        return
    validate(edited)
    assert load_policy(dump_policy(edited)) == edited
    admins = AddressSet.of(r for name in names for r in before.segment(name).ranges) | listed
    keys = looked_at(data, (), {*own, *data.draw(machines(3))})
    keys = sorted({*keys, *(key for key in EVERYTHING if own[0] in key[:2])})
    was, now = verdicts(before, keys), verdicts(again(edited), keys)
    for key in keys:
        client, server, *service = key
        if client not in host and server not in host:
            assert now[key] is was[key], key
        elif not_policy(*key):
            assert now[key] is Verdict.OUT_OF_SCOPE
        else:
            named = server in host and client in admins - host
            named = named and parse_service(services[0]).covers(*service)
            assert now[key] is (Verdict.ALLOWED if named else Verdict.BLOCKED), key
    nobody = answers.quarantine(edited, again, "pc-7", host, ((), AddressSet()), services)
    assert len(nobody.segments) == len(edited.segments)
    for key, verdict in verdicts(again(nobody), keys).items():
        inside = key[0] in host or key[1] in host
        assert verdict is (Verdict.BLOCKED if inside and not not_policy(*key) else now[key]), key
