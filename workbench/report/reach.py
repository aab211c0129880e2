"""Exposure: how far an intruder gets, before and after."""

from collections.abc import Iterator

from workbench.model.exposure import AttackPath, Choke, Scenario, ScenarioExposure
from workbench.model.report import Report, Way
from workbench.model.risky import risky_by_id
from workbench.report.document import (
    Bar,
    Bars,
    Block,
    Cell,
    Chain,
    Column,
    Commands,
    Kind,
    Mark,
    Section,
    Step,
    Table,
    Text,
    Tone,
)
from workbench.report.values import SCENARIOS, names
from workbench.report.where import command
from workbench.report.words import light_mark

_WHOLE = (
    Column("scenario", "scenario", Kind.SCENARIO),
    Column("score", "score", Kind.SCORE),
    Column("direct_pairs", "pairs in 1 hop", Kind.COUNT),
    Column("pairs", "pairs in the end", Kind.COUNT),
    Column("all_pairs", "all pairs", Kind.COUNT),
    Column("outside_direct", "open to outside", Kind.COUNT),
    Column("outside_machines", "from outside in the end", Kind.COUNT),
    Column("widest_machines", "worst foothold reaches", Kind.COUNT),
    Column("median_machines", "half reach at most", Kind.COUNT),
    Column("doors", "doors", Kind.COUNT),
    Column("widest", "worst foothold"),
)
_CHOKES = (
    Column("text", "what to close"),
    Column("cut", "pairs cut", Kind.COUNT),
    Column("share", "of all that are connected", Kind.SHARE),
)
_WAYS = (
    Column("foothold", "intruder at"),
    Column("scenario", "scenario", Kind.SCENARIO),
    Column("hops", "hops", Kind.COUNT),
    Column("path", "shortest way"),
)


def exposure_bars(report: Report) -> Bars:
    """The score of every scenario."""
    bars = tuple(
        Bar(SCENARIOS[one.scenario], one.score, f"{one.score:.1f}")
        for one in report.exposure.scenarios
    )
    return Bars("Exposure: how far an intruder gets, 0 nowhere, 100 everywhere at once", bars, 100)


def pointless(report: Report) -> str:
    """From where ways were sought, in words."""
    return names(dict.fromkeys(one.foothold for one in report.exposure.ways), 4)


def reach(report: Report) -> Section:
    """Scores, segments, ways to the crown jewels, choke points, risky services."""
    exposure = report.exposure
    blocks: tuple[Block, ...] = (
        Text(
            "A hop is a service that lets whoever may log in run commands on the server: SMB, RDP, "
            "SSH, WinRM and the like. The score is the mean over all pairs of foothold and machine "
            "of 1/hops, in per cent: 100 when everybody reaches everybody directly."
        ),
        exposure_bars(report),
        Table(
            "scenarios",
            "The site under each scenario",
            _WHOLE,
            [_whole(one) for one in exposure.scenarios],
        ),
        Commands((command(report, "exposure"),)),
    )
    parts = (
        Section("paths", "Ways to the crown jewels", (*_ways(report),)),
        Section("chokes", "Choke points", (*_chokes(report),)),
        Section("exposed-segments", "Segment by segment", (*_segments(report),)),
        Section("risky-services", "Risky services", (*_services(report),)),
    )
    return Section("exposure", "How far an intruder gets", blocks, parts)


def _whole(one: ScenarioExposure) -> tuple[Cell, ...]:
    return (
        one.scenario.value,
        round(one.score, 2),
        one.direct_pairs,
        one.pairs,
        one.all_pairs,
        one.outside_direct,
        one.outside_machines,
        one.widest_machines,
        one.median_machines,
        one.doors,
        one.widest,
    )


# ── ways ───────────────────────────────────────────────────────────────────────────────────────


def _ways(report: Report) -> Iterator[Block]:
    exposure = report.exposure
    if not exposure.crown.total:
        label = command(report, "label", "HOST", "--set", "crown=yes")
        yield Text("No crown jewels are marked, so no ways to them are told. To mark one:")
        yield Commands((label,))
        yield Table("ways", "Shortest ways", _WAYS, [], empty="no crown jewels are marked")
        return
    yield Text(f"Crown jewels: {names(exposure.crown, 12)}.")
    for one in exposure.ways:
        if one.path and one.scenario is Scenario.DRAFT:
            yield _chain(one.foothold, one.path)
    yield Table("ways", "Shortest ways", _WAYS, [_way(one) for one in exposure.ways])
    places = dict.fromkeys(one.foothold for one in exposure.ways)
    yield Commands(
        tuple(
            command(report, "exposure", "--from", one, "--to", "crown") for one in list(places)[:2]
        )
    )


def _chain(foothold: str, path: AttackPath) -> Chain:
    steps = tuple(
        Step(hop.service_text, " and ".join(gate.reason for gate in hop.gates), hop.server_text)
        for hop in path.hops
    )
    return Chain(f"From {foothold}, under this policy", path.hops[0].client, steps)


def _way(one: Way) -> tuple[Cell, ...]:
    if one.path is None:
        return one.foothold, one.scenario.value, None, Mark("✓", "no way", Tone.GOOD)
    return one.foothold, one.scenario.value, len(one.path.hops), one.path.text


# ── choke points ───────────────────────────────────────────────────────────────────────────────


def _chokes(report: Report) -> Iterator[Block]:
    yield Text(
        "What cuts most pairs of foothold and machine when it alone is closed. Protecting a "
        "segment is counted without the rules that it will need."
    )
    rows = [_choke(one) for one in report.exposure.chokes]
    yield Table("choke-points", "Choke points", _CHOKES, rows, report.exposure.chokes.more)
    yield Commands((command(report, "exposure", "--chokes"),))


def _choke(one: Choke) -> tuple[Cell, ...]:
    return one.text, one.cut, round(one.share, 4)


# ── segments and services ──────────────────────────────────────────────────────────────────────


def _segments(report: Report) -> Iterator[Block]:
    found = report.exposure.segments
    shown = [one for one in found if one is not Scenario.OBSERVED]
    columns = [Column("name", "segment"), Column("machines", "machines", Kind.COUNT)]
    for one in shown:
        word = SCENARIOS[one]
        columns.append(Column(f"footholds_{one}", f"reached from, {word}", Kind.COUNT))
        columns.append(Column(f"blast_{one}", f"reaches, {word}", Kind.COUNT))
    rows = [
        (
            targets[0].name,
            targets[0].machines,
            *(figure for one in targets for figure in (one.footholds, one.blast)),
        )
        for targets in zip(*(found[one] for one in shown), strict=True)
    ]
    yield Text(
        "Reached from: machines from which an intruder gets into the segment. Reaches: machines "
        "that an intruder in the segment gets to. In any number of hops."
    )
    yield Table("segment-exposure", "Segments", tuple(columns), rows)
    yield Commands((command(report, "exposure", "--by", "segment"),))


def _services(report: Report) -> Iterator[Block]:
    found = report.exposure
    before, after = found.scenarios[0], found.scenarios[-1]
    columns = (
        Column("service", "service"),
        Column("technique", "ATT&CK", Kind.CODE),
        Column("light_before", "no policy", Kind.MARK),
        Column("light", "this policy", Kind.MARK),
        Column("pairs_before", "pairs, no policy", Kind.COUNT),
        Column("pairs", "pairs, this policy", Kind.COUNT),
        Column("outside", "open to outside", Kind.COUNT),
        Column("conversations", "recorded", Kind.COUNT),
        Column("would_block", "would block", Kind.COUNT),
    )
    rows = [
        (
            risky_by_id(now.service).name,
            now.technique,
            light_mark(was.light),
            light_mark(now.light),
            was.pairs,
            now.pairs,
            now.outside,
            seen.conversations,
            seen.would_block,
        )
        for was, now, seen in zip(before.services, after.services, found.traffic, strict=True)
    ]
    yield Text(
        "Green: at most 1 % of all pairs may use the service. Amber: at most 10 %. Red: more, or a "
        "service to move by that is open to the outside."
    )
    yield Table("services-exposure", "Services that intruders use", columns, rows)
    yield Commands((command(report, "exposure", "--by", "service"),))
