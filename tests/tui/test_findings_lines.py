"""What findings look like as lines: the time axis, the triage, the strip of a replay."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.model.finding import Evidence, Finding, Level, Stage, Suppression
from workbench.model.net import parse_address
from workbench.model.response import Fate, Hop, Replayed, Step
from workbench.tui.found.answers import COLUMNS, costs
from workbench.tui.found.replayed import Replays, strip
from workbench.tui.found.rows import Triage, day_of, headline
from workbench.tui.found.timeline import Axis, other_end, story_rows

MINUTE = 60_000_000
DAY = 1440 * MINUTE
PC, SERVER, OTHER = (parse_address(f"10.0.0.{last}") for last in (1, 2, 3))


def finding(
    at: int = 0, sure: Level = Level.HIGH, bad: Level = Level.HIGH, **wishes: object
) -> Finding:
    one = Finding(
        kind="first-login",
        stage=Stage.MOVEMENT,
        technique="T1021.002",
        title="First use",
        host=PC,
        peers=(SERVER,),
        first_us=at * MINUTE,
        last_us=at * MINUTE,
        confidence=sure,
        impact=bad,
        why="because",
        subject=str(at),
    )
    return replace(one, **wishes)


def test_an_axis_puts_moments_into_cells() -> None:
    axis = Axis(0, 100 * MINUTE, 20)
    assert axis.bar(0, 0) == "●"
    assert axis.bar(10 * MINUTE, 50 * MINUTE) == "  ●━━━━━━━●"
    assert axis.bar(99 * MINUTE, 500 * MINUTE) == " " * 19 + "●", "nothing is off the edge"
    assert axis.at(-MINUTE) == 0


def test_what_was_not_recorded_is_seen() -> None:
    axis = Axis(0, 100 * MINUTE, 10)
    assert axis.recorded([(0, 30 * MINUTE), (80 * MINUTE, 200 * MINUTE)]) == "────░░░░──"
    assert axis.recorded([]) == "░" * 10
    assert axis.recorded([(200 * MINUTE, 300 * MINUTE)]) == "░" * 10


@pytest.mark.parametrize("minutes", [1, 7, 90, 600, 1440, 10_000, 500_000, 50_000_000])
@pytest.mark.parametrize("width", [10, 18, 60])
def test_ticks_can_be_read_and_fit(minutes: int, width: int) -> None:
    axis = Axis.around([(5 * DAY + 3 * MINUTE, 5 * DAY + (3 + minutes) * MINUTE)], width)
    ticks = axis.ticks()
    assert len(ticks) == width
    assert all(len(label.strip()) == 5 for label in ticks.split("│")[1:]), ticks


def test_an_axis_of_a_moment_is_a_minute_long() -> None:
    axis = Axis.around([(DAY, DAY)], 10)
    assert axis.last_us - axis.first_us == MINUTE
    assert Axis.around([], 10).at(0) == 0


def test_a_story_tells_its_pauses() -> None:
    told = [finding(0), finding(1), finding(60, host=OTHER, peers=(PC,)), finding(61)]
    axis = Axis.around([(one.first_us, one.last_us) for one in told], 20)
    rows = list(story_rows(told, (PC,), axis, [(0, 61 * MINUTE)], str))
    assert [row.key for row in rows] == ["recorded", 0, 1, "pause 2", 2, 3]
    assert rows[3].cells[5] == ("59 min later", "dim")
    assert [row.cells[2] for row in rows if isinstance(row.key, int)] == [
        ("→", "accent"), ("→", "accent"), ("←", "blocked"), ("→", "accent"),
    ]  # fmt: skip


def test_the_other_end_is_named_or_counted() -> None:
    assert other_end(finding(), (PC,), str) == str(SERVER)
    assert other_end(finding(peers=(SERVER, OTHER)), (PC,), str) == "2 hosts"
    assert other_end(finding(), (SERVER,), str) == str(PC)


def test_triage_orders_by_confidence_times_impact_and_hides_nothing_silently() -> None:
    worst = finding(9)
    scan = finding(5, bad=Level.MEDIUM)
    doubt = finding(1, sure=Level.LOW)
    aside = finding(0, suppression=Suppression("00000000", "known"))
    found = [doubt, aside, scan, worst]
    look = Triage()
    assert look.sorted(found, "worst", False, str) == [worst, scan, doubt, aside]
    assert replace(look, suppressed_last=False).sorted(found, "worst", False, str)[0] is aside
    assert look.sorted(found, "time", True, str) == [worst, scan, doubt, aside]
    sure = replace(look, least=Level.MEDIUM).sorted(found, "worst", False, str)
    assert doubt not in sure and aside in sure
    told = "".join(text for text, _ in headline(sure, 4, replace(look, least=Level.MEDIUM), ""))
    assert "3 findings of 4" in told and "– 1 suppressed" in told and "medium and above" in told


def test_one_day_stands_above_the_times() -> None:
    assert day_of([finding(1), finding(2)]) == "01-01"
    assert day_of([finding(1), finding(3000)]) == ""


def test_a_strip_shows_what_gets_through() -> None:
    def hop(number: int, minute: int, fate: Fate) -> Hop:
        return Hop(number, PC, SERVER, minute * MINUTE, fate, "")

    axis = Axis(0, 100 * MINUTE, 10)
    fates = (Fate.OPEN, Fate.BLOCKED, Fate.NOT_REACHED)
    hops = tuple(hop(at + 1, at * 40, fate) for at, fate in enumerate(fates))
    told = strip(axis, Replayed("draft", (), hops))
    assert "".join(text for text, _ in told) == "1───✗───·─"
    assert [tone for text, tone in told if text != "─"] == ["blocked", "allowed", "dim"]


def test_steps_that_end_alike_are_one_row() -> None:
    def step(number: int, server: int, fate: Fate) -> Step:
        piece = Evidence(PC, server, 6, 445)
        return Step(number, number, piece, Stage.RECONNAISSANCE, "T1046", "scan", ("f",),
                    None, fate, (), "")  # fmt: skip

    draft = (step(1, 2, Fate.OPEN), step(2, 3, Fate.BLOCKED), step(3, 4, Fate.OPEN))
    bare = tuple(replace(one, fate=Fate.OPEN) for one in draft)
    replays = Replays((Replayed("none", bare, ()), Replayed("draft", draft, ())))
    assert replays.alike() == ((0, 2), (1,))


@pytest.mark.parametrize(
    ("rows", "doubtful", "broken", "told"),
    [
        (0, 0, 0, ("nothing", "allowed")),
        (1, 0, 0, ("✗ 1 conversation", "blocked")),
        (0, 3, 0, ("? 3 uncertain", "uncertain")),
        (0, 0, 2, ("! 2 guardrails", "warn")),
        (4, 1, 0, ("✗ 4  ? 1", "blocked")),
        (0, 1, 2, ("? 1  ! 2", "uncertain")),
        (1234, 345, 12, ("✗ 1,234  ? 345  ! 12", "blocked")),
    ],
)
def test_what_an_answer_costs_fits_its_column(
    rows: int, doubtful: int, broken: int, told: tuple[str, str]
) -> None:
    cost = SimpleNamespace(rows=range(rows), doubtful=range(doubtful))
    answered: Any = SimpleNamespace(cost=cost, broken=range(broken))
    assert costs(answered) == told
    assert len(told[0]) <= COLUMNS[-1].width + 1
