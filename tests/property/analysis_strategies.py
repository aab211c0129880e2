"""Policies and traffic that meet: few addresses, few ports, everything protected, much overlap.

The general strategies reach every corner of the format; most of what they draw is out of scope.
These reach the corners of judging.
"""

from hypothesis import strategies as st
from strategies import TODAY, policies, table_of, tables

from workbench.model.net import TCP, UDP, parse_address
from workbench.model.policy import (
    Assertion,
    Exclusion,
    Guardrail,
    Policy,
    Protection,
    ResolvedPolicy,
    Rule,
    Segment,
)
from workbench.model.site import Inventory
from workbench.model.traffic import Conversation, ConversationTable, Direction, Outcome
from workbench.policy import resolve

ADDRESSES = tuple(
    map(
        parse_address,
        ("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "fd00::1", "8.8.8.8", "224.0.0.1"),
    )
)
PLACES = ("10.0.0.1", "10.0.0.2/31", "10.0.0.0/24", "10.0.1.0/24", "fd00::/64", "10.0.0.3")
NAMES = ("a", "b", "c", "d")
SERVICES = ("tcp/80", "tcp/80-443", "tcp/443-40000", "tcp/40000-40001", "udp", "udp/60-70", "any")
PORTS = (22, 80, 443, 40000, 40001)


def _some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(tuple)


@st.composite
def close_policies(draw: st.DrawFn) -> Policy:
    """Segments overlap, nearly all of them are protected, rules are many."""
    ends = {"clients": _some((*NAMES, "any")), "servers": _some((*NAMES, "any"))}
    boxes = st.fixed_dictionaries({**ends, "services": _some(SERVICES)})
    sides = st.sampled_from(["both", "both", "both", "none"])
    return Policy(
        protect=tuple(Protection(name) for name in NAMES if draw(sides) == "both"),
        segments=tuple(Segment(name, cidrs=draw(_some(PLACES))) for name in NAMES),
        rules=tuple(
            Rule(f"rule-{at}", **box) for at, box in enumerate(draw(st.lists(boxes, max_size=6)))
        ),
        guardrails=tuple(
            Guardrail(f"guard-{at}", draw(st.sampled_from(list(Assertion))), **box)
            for at, box in enumerate(draw(st.lists(boxes, max_size=2)))
        ),
        exclusions=tuple(
            Exclusion(f"skip-{at}", **box, reason="noise")
            for at, box in enumerate(draw(st.lists(boxes, max_size=draw(st.integers(0, 1)))))
        ),
    )


def resolved_on_sight(policy: Policy) -> ResolvedPolicy:
    return resolve(policy, Inventory(), ADDRESSES, TODAY)


@st.composite
def close_conversations(draw: st.DrawFn) -> Conversation:
    low, high = sorted(draw(st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS))))
    first = draw(st.integers(0, 100))
    return Conversation(
        draw(st.sampled_from(ADDRESSES)),
        draw(st.sampled_from(ADDRESSES)),
        draw(st.sampled_from([TCP, TCP, TCP, UDP])),
        draw(st.sampled_from([*PORTS, 67])),
        client_port_low=low,
        client_port_high=draw(st.sampled_from([low, high])),
        flows=draw(st.integers(1, 3)),
        packets=draw(st.integers(1, 9)),
        bytes=draw(st.integers(1, 9000)),
        first_us=first,
        last_us=first + draw(st.integers(0, 100)),
        outcome=draw(st.sampled_from([Outcome.ESTABLISHED, Outcome.ESTABLISHED, *Outcome])),
        direction=draw(st.sampled_from([Direction.FIRST, Direction.SYN, *Direction])),
    )


def any_policies() -> st.SearchStrategy[Policy]:
    return close_policies() | policies()


def any_tables() -> st.SearchStrategy[ConversationTable]:
    """Mostly of conversations that close policies are about."""
    near = st.lists(close_conversations(), min_size=6, max_size=30).map(table_of)
    return near | near | tables()


def any_resolved() -> st.SearchStrategy[ResolvedPolicy]:
    return any_policies().map(resolved_on_sight)
