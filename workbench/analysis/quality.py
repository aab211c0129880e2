"""All captures of a workspace, judged one by one and together."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from workbench.analysis.recordings import (
    capture_remarks,
    care,
    copies,
    fact,
    flow_remarks,
)
from workbench.analysis.unseen import view
from workbench.model.facts import moment
from workbench.model.quality import (
    CaptureQuality,
    Coverage,
    DatasetQuality,
    FlowShares,
    HostSides,
    Quality,
    Remark,
    View,
)
from workbench.model.recording import Ending, Gap
from workbench.model.site import Inventory
from workbench.model.text import duration, percent, plural
from workbench.model.traffic import CaptureReport, ConversationTable
from workbench.model.vantage import Vantage, replaced

UNCOVERED = 20
PLACES = 5
"""Pairs of captures with the same traffic that are told in full."""
_SECOND = 1_000_000
_WEEK = 7 * 86_400 * _SECOND


def quality(
    reports: Sequence[CaptureReport],
    shares: Mapping[int, FlowShares],
    together: FlowShares,
    table: ConversationTable,
    sides: HostSides,
    inventory: Inventory,
    vantages: Sequence[Vantage] = (),
) -> Quality:
    """`shares` by capture number, as each saw them; `together`: pieces and copies counted once.

    `sides` are those of the seen hosts of `table`.
    """
    nothing, newer = FlowShares(), replaced(reports)
    captures = tuple(
        CaptureQuality(report, held, capture_remarks(report, held, newer.get(report.id or 0)))
        for report in reports
        for held in (shares.get(report.id or 0, nothing),)
    )
    dataset = _dataset(captures, together, view(table, sides, inventory), vantages)
    return Quality(captures, dataset)


def _dataset(
    captures: Sequence[CaptureQuality],
    shares: FlowShares,
    seen: View,
    vantages: Sequence[Vantage],
) -> DatasetQuality:
    reports = [one.report for one in captures]
    skipped: Counter[str] = Counter()
    for report in reports:
        skipped.update(report.skipped)
    lost = [report.drops for report in reports if report.drops is not None]
    time = coverage(reports)
    return DatasetQuality(
        captures=len(reports),
        cut=sum(report.ending is not Ending.COMPLETE for report in reports),
        packets=sum(report.packets for report in reports),
        decoded=sum(report.decoded for report in reports),
        skipped=dict(skipped.most_common()),
        truncated_packets=sum(report.truncated_packets for report in reports),
        wire_bytes=sum(report.wire_bytes for report in reports),
        captured_bytes=sum(report.recording.captured_bytes for report in reports),
        drops=sum(lost) if lost else None,
        compared=sum(report.recording.compared for report in reports),
        copies=sum(report.recording.copies for report in reports),
        shares=shares,
        time=time,
        view=seen,
        remarks=(*_remarks(reports, shares, time), *_places(reports, vantages)) if reports else (),
        vantages=tuple(vantages),
    )


def coverage(reports: Sequence[CaptureReport]) -> Coverage:
    """The time that captures cover, from the first to the last packet of each."""
    spans = sorted(
        (report.first_us, report.last_us)
        for report in reports
        if report.first_us is not None and report.last_us is not None
    )
    if not spans:
        return Coverage()
    begin, end = spans[0][0], max(last for _, last in spans)
    reached, uncovered, twice, doubled = begin, [], 0, begin
    for first, last in spans:
        if first > reached:
            uncovered.append(Gap(reached, first))
        if reached > max(first, doubled):  # shared with a capture before, and not counted yet
            twice += min(last, reached) - min(max(first, doubled), last)
            doubled = max(doubled, min(last, reached))
        reached = max(reached, last)
    silent = sum(gap.length_us for gap in uncovered)
    longest = sorted(uncovered, key=lambda gap: (-gap.length_us, gap.start_us))
    return Coverage(
        first_us=begin,
        last_us=end,
        covered_us=end - begin - silent,
        uncovered=tuple(gap for gap in longest if gap.length_us >= _SECOND)[:UNCOVERED],
        overlapping=_overlapping(spans),
        overlap_us=twice,
    )


def _overlapping(spans: Sequence[tuple[int, int]]) -> int:
    """How many spans share time with another one; `spans` ascend."""
    shared = [False] * len(spans)
    reached, holder = spans[0][1], 0
    for at, (first, last) in enumerate(spans[1:], 1):
        if first < reached:
            shared[at] = shared[holder] = True
        if last > reached:
            reached, holder = last, at
    return sum(shared)


def _remarks(
    reports: Sequence[CaptureReport], shares: FlowShares, time: Coverage
) -> Iterator[Remark]:
    packets = sum(report.packets for report in reports)
    decoded = sum(report.decoded for report in reports)
    if cut := sum(report.ending is not Ending.COMPLETE for report in reports):
        yield care(
            "cut-short", f"{cut:,} of {plural(len(reports), 'capture')} did not end properly"
        )
    if lost := sum(report.drops or 0 for report in reports):
        yield care(
            "drops",
            f"recorders lost {plural(lost, 'packet')} ({percent(lost, packets + lost)})",
        )
    compared = sum(report.recording.compared for report in reports)
    yield from copies(sum(one.recording.copies for one in reports), compared, decoded)
    yield from _time(time)
    yield from flow_remarks(shares)
    if silent := sum(report.drops is None for report in reports if report.packets):
        some = f"{silent:,} of {len(reports):,} captures {'does' if silent == 1 else 'do'} not say"
        which = some if silent < len(reports) else "no capture says"
        yield fact("drops-unknown", f"{which} whether the recorder lost packets")


def _time(time: Coverage) -> Iterator[Remark]:
    if time.first_us is None:
        return
    since = f"{duration(time.covered_us)} from {moment(time.first_us)} on"
    short = "; what happens once a week or a month may be missing" if time.span_us < _WEEK else ""
    yield fact("time", f"recorded: {since}{short}")
    if time.uncovered:
        longest = time.uncovered[0]
        others = len(time.uncovered) - 1
        more = f", and {others} more" if others else ""
        yield care(
            "uncovered",
            f"nothing was recorded for {duration(longest.length_us)} from "
            f"{moment(longest.start_us)}{more}: {percent(time.covered_us, time.span_us)} of the "
            "time is covered",
        )
    if time.overlapping:
        yield fact(
            "overlap",
            f"{plural(time.overlapping, 'capture')} share {duration(time.overlap_us)} with others: "
            "several capture points, or the same packets twice",
        )


def _places(reports: Sequence[CaptureReport], vantages: Sequence[Vantage]) -> Iterator[Remark]:
    """Captures that recorded the same traffic, and how their clocks differ."""
    names = {report.id: Path(report.path).name for report in reports}
    for pair in sorted(vantages, key=lambda pair: -pair.shared)[:PLACES]:
        later, earlier = names.get(pair.capture, "?"), names.get(pair.reference, "?")
        way = "ahead" if pair.offset_us >= 0 else "behind"
        sure = "" if pair.certain else ", by few flows"
        hops = f", {plural(pair.hops, 'router')} between them" if pair.hops else ""
        yield fact(
            "same-traffic",
            f"{later} and {earlier} recorded some of the same traffic: "
            f"{plural(pair.shared, 'flow')} in both, counted once; the clock of {later} is "
            f"{duration(abs(pair.offset_us))} {way} "
            f"(give or take {duration(pair.spread_us)}{sure}){hops}",
        )
    if len(vantages) > PLACES:
        yield fact("same-traffic", f"{len(vantages) - PLACES:,} more pairs of captures share flows")
