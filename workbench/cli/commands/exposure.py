"""How far an intruder gets: the site, one target, one foothold, paths, choke points."""

from collections.abc import Iterable, Iterator, Sequence

from workbench.cli import exposed, heads
from workbench.cli.commands.opening import Options, open_session
from workbench.cli.meter import Meter
from workbench.cli.output import emit, emit_object, first
from workbench.cli.records import Record
from workbench.cli.table import say
from workbench.model.errors import InputError
from workbench.model.exposure import Scenario
from workbench.model.text import percent, plural
from workbench.session import Session

SHORTEST = 5
"""Paths that are shown of each scenario unless told."""


def exposure(options: Options) -> int:
    """The view that the options ask for."""
    if options.by and (options.foothold or options.target or options.chokes):
        raise InputError("--by shows everything: it goes with none of --from, --to, --chokes")
    between = options.foothold and options.target and not options.chokes
    if options.paths is not None and not between:
        raise InputError("--paths: only with --from and --to, and without --chokes")
    if options.draft and options.policy not in (None, Scenario.DRAFT):
        raise InputError("--draft: only with --policy draft, or without --policy")
    with open_session(options) as session, Meter() as meter:
        if options.draft:
            session.read_draft(options.draft)
        if options.chokes:
            _chokes(session, options, meter)
        elif options.by:
            _by(session, options)
        elif between:
            _paths(session, options, meter)
        elif options.target:
            _reach(session, options)
        elif options.foothold:
            _blast(session, options)
        else:
            _whole(session, options, meter)
    return 0


def _scenarios(session: Session, options: Options) -> tuple[Scenario, ...]:
    return (Scenario(options.policy),) if options.policy else session.exposure.scenarios


def _emit(records: Iterable[Record], options: Options, head: Sequence[str], shown: str) -> None:
    """Flat for people and spreadsheets, whole for programs."""
    found = records if options.format == "json" else exposed.flat(records)
    emit(found, options.format, head, columns=shown.split(), limit=options.limit)


def _whole(session: Session, options: Options, meter: Meter) -> None:
    """Before and after."""
    exposure = session.exposure
    found = [exposure.whole(one, meter.cancelled) for one in _scenarios(session, options)]
    meter.clear()
    if options.format == "json":
        found = first(found, options.limit)
        services = [
            exposed.service_record(one.scenario, service)
            for one in found
            for service in one.services
        ]
        emit_object({"scenarios": list(map(exposed.whole_record, found)), "services": services})
        return
    shown = (
        "scenario score machines direct_pairs pairs outside_direct outside_machines "
        "median_machines widest widest_machines doors"
    )
    _emit(map(exposed.whole_record, found), options, heads.SCENARIO, shown)
    if options.format == "table":
        for one in found:
            red = [service.service for service in one.services if service.light == "red"]
            say(f"{one.scenario}: {plural(len(red), 'risky service')} at red{_some(red)}")


def _some(names: list[str]) -> str:
    most = 6
    listed = ", ".join(names[:most]) + (" …" if len(names) > most else "")
    return f" ({listed})" if names else ""


SIDE_BY_SIDE = {
    "host": (heads.TARGET, "name", "footholds movers blast"),
    "segment": (heads.TARGET, "name", "footholds movers blast"),
    "pair": (heads.CROSSING, "client_segment server_segment", "direct pairs"),
    "service": (heads.SERVICE, "service", "light pairs servers"),
}
"""View → what a record holds, what names a row, and the figures that a table compares."""


def _by(session: Session, options: Options) -> None:
    """Every host, segment, pair of segments or risky service."""
    rows = {one: list(_figures(session, options.by, one)) for one in _scenarios(session, options)}
    head, name, figures = SIDE_BY_SIDE[options.by]
    if options.format == "table":
        found = exposed.beside(rows, name, figures)
        if options.by == "service":
            seen = map(exposed.traffic_record, session.exposure.traffic())
            found = ({**row, **traffic} for row, traffic in zip(found, seen, strict=True))
        emit(found, "table", head, limit=options.limit)
    else:
        every = (record for records in rows.values() for record in records)
        emit(every, options.format, head, limit=options.limit)


def _figures(session: Session, by: str, scenario: Scenario) -> Iterator[Record]:
    exposure = session.exposure
    if by == "service":
        traffic = map(exposed.traffic_record, exposure.traffic())
        for service, seen in zip(exposure.whole(scenario).services, traffic, strict=True):
            yield {**exposed.service_record(scenario, service), **seen}
    elif by == "pair":
        for crossing in exposure.crossings(scenario):
            yield exposed.crossing_record(scenario, crossing)
    else:
        targets = exposure.hosts if by == "host" else exposure.by_segment
        for target in targets(scenario):
            yield exposed.target_record(scenario, target)


def _reach(session: Session, options: Options) -> None:
    """Who reaches one target."""
    found = [session.exposure.reach(options.target, one) for one in _scenarios(session, options)]
    for one in found:
        figures = one.figures
        if options.format == "table":
            say(
                f"{one.scenario}: {one.target} is reached by {plural(figures.clients, 'host')} on "
                f"risky services, {figures.movers:,} to move; an intruder gets there from "
                f"{figures.footholds:,}{_from_outside(figures.outside_hops)}"
            )
    records = (record for one in found for record in exposed.reach_records(one))
    shown = "scenario service technique clients outside because segments"
    _emit(records, options, heads.REACH, shown)


def _from_outside(hops: int | None) -> str:
    return "" if hops is None else f", and from outside in {plural(hops, 'hop')}"


def _blast(session: Session, options: Options) -> None:
    """What one foothold gets to."""
    found = [session.exposure.blast(options.foothold, one) for one in _scenarios(session, options)]
    for one in found:
        if options.format == "table":
            hosts = f"{one.machines:,} of {plural(one.all_machines, 'host')}"
            say(f"{one.scenario}: {hosts} ({percent(one.share, 1)})")
    records = (record for one in found for record in exposed.blast_records(one))
    _emit(records, options, heads.RING, "scenario hops machines hosts segments")


def _paths(session: Session, options: Options, meter: Meter) -> None:
    """Attack paths, and the fewest things to close."""
    exposure, ends = session.exposure, (options.foothold, options.target)
    most = SHORTEST if options.paths is None else options.paths
    scenarios = _scenarios(session, options)
    paths = [
        exposed.path_record(path)
        for one in scenarios
        for path in exposure.paths(*ends, one, most, meter.cancelled)
    ]
    cuts = [exposure.cut(*ends, one) for one in scenarios]
    meter.clear()
    if options.format == "json":
        paths = first(paths, options.limit)
        emit_object({"paths": paths, "cuts": list(map(exposed.cut_record, cuts))})
        return
    _emit(iter(paths), options, heads.PATH, "scenario hops text because")
    if options.format == "table":
        for cut in cuts:
            ways = ", ".join(gate.text for gate in cut.gates) or "nothing: there is no path"
            say(f"{cut.scenario}, to cut {plural(cut.pairs, 'pair')}: {ways}")


def _chokes(session: Session, options: Options, meter: Meter) -> None:
    """What cuts most, under the draft unless told."""
    scenario = Scenario(options.policy or Scenario.DRAFT)

    def found() -> Iterator[Record]:
        for choke in session.exposure.chokes(
            scenario, options.foothold, options.target, meter.tell, meter.cancelled
        ):
            yield exposed.choke_record(scenario, choke)

    records = list(found())
    meter.clear()
    _emit(records, options, heads.CHOKE, "cut share text kind")
