"""Captures of the same traffic from different places: found, and their clocks compared.

Addresses are taken as they are: a network that translates them (NAT) between two places hides that
they saw the same flow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from workbench.model.vantage import Vantage
from workbench.store.database import Connection

_AGREE = 2_000_000
"""Microseconds by which two clocks may differ where nothing surer than UDP is shared."""
_ENOUGH = 3
"""Flows that must be shared then."""

# Rows of one 5-tuple in two captures that may be copies: an equal sequence number, or about the
# same time. Each is compared with few others, however often the same ports are used.
_MET = """
    CREATE OR REPLACE TEMP TABLE met AS
    WITH handles AS (
        SELECT id, capture, a, b, protocol, 1 AS kind, token_a::BIGINT AS handle
        FROM near WHERE protocol = 6 AND token_a <> 0
        UNION ALL
        SELECT id, capture, a, b, protocol, 2, token_b FROM near WHERE protocol = 6 AND token_b <> 0
        UNION ALL
        SELECT id, capture, a, b, protocol, 3, first_us // $agree FROM near
        WHERE (protocol <> 6 OR token_a = 0 OR token_b = 0) AND (token_a <> 0 OR token_b <> 0)
    ), few AS (
        FROM handles QUALIFY row_number() OVER (
            PARTITION BY capture, a, b, protocol, kind, handle ORDER BY id
        ) = 1
    ), neighbours AS (
        SELECT * FROM few
        UNION ALL SELECT * REPLACE (handle + 1 AS handle) FROM few WHERE kind = 3
        UNION ALL SELECT * REPLACE (handle - 1 AS handle) FROM few WHERE kind = 3
    )
    SELECT DISTINCT one.id AS one, two.id AS two
    FROM few AS one JOIN neighbours AS two USING (a, b, protocol, kind, handle)
    WHERE one.capture < two.capture
        AND (one.capture IN (FROM fresh) OR two.capture IN (FROM fresh))
"""
# What makes them copies of the same flow.
#
# Sure: in both, an end sent a SYN with the same sequence number, and more after it. (A SYN that is
# repeated just when files rotate is not followed by more in the first of them.) Likely, and counted
# only where nothing is sure: at the same time by clocks that agree, inside the time of both
# captures, the same SYN, the same checksums and counts, or the two halves of an asymmetric path.
_MATCHES = """
    CREATE OR REPLACE TEMP TABLE matches AS
    SELECT one.capture AS reference, two.capture AS capture,
        two.first_us - one.first_us AS delta,
        one.token_a = two.token_a AND one.token_a <> 0 AS same_a,
        one.token_b = two.token_b AND one.token_b <> 0 AS same_b,
        one.protocol = 6 AND (
            (same_a AND one.marks & two.marks & 16 <> 0)
            OR (same_b AND one.marks & two.marks & 32 <> 0)
        ) AS sure,
        greatest(
            CASE WHEN one.ttl_a > 0 AND two.ttl_a > 0 THEN abs(one.ttl_a::INTEGER - two.ttl_a) END,
            CASE WHEN one.ttl_b > 0 AND two.ttl_b > 0 THEN abs(one.ttl_b::INTEGER - two.ttl_b) END
        ) AS hops
    FROM met
    JOIN near AS one ON one.id = met.one
    JOIN near AS two ON two.id = met.two
    JOIN captures AS here ON here.id = one.capture
    JOIN captures AS there ON there.id = two.capture
    WHERE (one.token_a = two.token_a OR one.token_a = 0 OR two.token_a = 0)
        AND (one.token_b = two.token_b OR one.token_b = 0 OR two.token_b = 0)
        AND (sure OR (
            abs(delta) <= $agree AND one.first_us >= there.first_us AND two.first_us <= here.last_us
            AND two.first_us >= here.first_us AND one.first_us <= there.last_us
            AND CASE
                WHEN one.protocol <> 6 THEN one.token_a = two.token_a AND one.token_b = two.token_b
                    AND one.packets_a = two.packets_a AND one.packets_b = two.packets_b
                WHEN same_a OR same_b THEN TRUE
                ELSE one.packets_a + two.packets_b = 0 OR one.packets_b + two.packets_a = 0 END
        ))
"""
_FORGET = """
    DELETE FROM vantages
    WHERE capture IN (FROM fresh) OR reference IN (FROM fresh)
"""
_PAIRS = """
    INSERT INTO vantages
    WITH middle AS (
        SELECT reference, capture, bool_or(sure) AS surely,
            coalesce(
                quantile_disc(delta, 0.5) FILTER (sure), quantile_disc(delta, 0.5)
            ) AS offset_us
        FROM matches GROUP BY ALL
    )
    SELECT reference, capture, count(*), offset_us,
        quantile_disc(abs(delta - offset_us), 0.5), quantile_disc(hops, 0.5)
    FROM matches JOIN middle USING (reference, capture)
    WHERE sure OR NOT surely
    GROUP BY reference, capture, offset_us, surely
    HAVING surely OR count(*) >= $enough
"""
_SELECT = """
    SELECT capture, reference, shared, offset_us, spread_us, hops
    FROM vantages ORDER BY capture, reference
"""


def find_vantages(cursor: Connection) -> None:
    """Compare the captures of the temporary table `fresh` with all, by the rows of `near`."""
    cursor.execute(_MET, {"agree": _AGREE})
    cursor.execute(_MATCHES, {"agree": _AGREE})
    cursor.execute(_FORGET)
    cursor.execute(_PAIRS, {"enough": _ENOUGH})
    cursor.execute("DROP TABLE met; DROP TABLE matches")


def read_vantages(cursor: Connection) -> tuple[Vantage, ...]:
    """Every pair of captures that share traffic."""
    return tuple(Vantage(*row) for row in cursor.execute(_SELECT).fetchall())


@dataclass(frozen=True)
class Place:
    """Where a capture belongs among the others."""

    capture: int
    family: int
    """Captures that share traffic, directly or by way of others: the smallest number of them."""
    point: int
    """Captures of a family that follow each other, from one place: the smallest number of them."""
    clock: int
    """Microseconds that its clock is ahead of the family's first capture's."""
    low: int
    high: int
    """First and last time in it, by the family's clock."""


Span = tuple[int, int, int]
"""Number of a capture, its first and its last time."""


def places(captures: Iterable[Span], pairs: Sequence[Vantage]) -> tuple[Place, ...]:
    """All captures in their families, each family by the clock of its first capture."""
    spans = {number: (first, last) for number, first, last in sorted(captures)}
    clocks: dict[int, tuple[int, int]] = {}  # capture → family, clock
    for root in spans:
        if root in clocks:
            continue
        clocks[root] = root, 0
        while steps := list(_steps(clocks, pairs, root)):
            _, capture, clock = max(steps)  # the pair that shares most is the best to measure by
            clocks[capture] = root, clock
    timed = {
        number: (first - clocks[number][1], last - clocks[number][1])
        for number, (first, last) in spans.items()
    }
    apart = {frozenset((pair.capture, pair.reference)) for pair in pairs}
    points: dict[int, list[list[int]]] = {}  # of each family
    for number in sorted(spans, key=timed.__getitem__):
        known = points.setdefault(clocks[number][0], [])
        for members in known:
            if all(
                frozenset((one, number)) not in apart and follows(timed[one], timed[number])
                for one in members
            ):
                members.append(number)
                break
        else:
            known.append([number])
    point_of = {
        one: min(members) for known in points.values() for members in known for one in members
    }
    return tuple(
        Place(number, clocks[number][0], point_of[number], clocks[number][1], *timed[number])
        for number in spans
    )


def _steps(
    clocks: dict[int, tuple[int, int]], pairs: Iterable[Vantage], root: int
) -> Iterable[tuple[int, int, int]]:
    """Pairs that lead out of a family: shared flows, the capture reached, its clock."""
    for pair in pairs:
        for known, other, offset in (
            (pair.reference, pair.capture, pair.offset_us),
            (pair.capture, pair.reference, -pair.offset_us),
        ):
            if known in clocks and clocks[known][0] == root and other not in clocks:
                yield pair.shared, other, clocks[known][1] + offset


OVERLAP = 1_000_000
"""Microseconds by which files of one ring may overlap: records are not always in order of time."""


def follows(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two stretches of time can be consecutive files of one capture."""
    overlap = min(one[1], other[1]) - max(one[0], other[0])
    return overlap <= min(OVERLAP, (one[1] - one[0]) // 2, (other[1] - other[0]) // 2)
