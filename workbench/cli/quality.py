"""Captures and what they lack: as records, and as pages for people."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from textwrap import fill
from typing import Any

from workbench.cli.output import shown_time
from workbench.cli.reports import gap_record, report_record
from workbench.cli.table import Record, line_width, shortened
from workbench.model.facts import Fact, bar, capture_facts, dataset_facts, sparkline
from workbench.model.packets import printable
from workbench.model.quality import (
    CaptureQuality,
    DatasetQuality,
    FlowShares,
    Part,
    Quality,
    Remark,
    View,
    Weight,
)
from workbench.model.text import duration, noun, percent, plural

_LABEL = 13
_BAR = 20


def quality_record(one: CaptureQuality) -> Record:
    """One capture, judged."""
    cares = [remark.kind for remark in one.remarks if remark.weight is Weight.CARE]
    return {
        **report_record(one.report),
        "flow_shares": _shares(one.shares),
        "care": cares,
        "remarks": list(map(_remark, one.remarks)),
    }


def dataset_record(dataset: DatasetQuality) -> Record:
    """All captures together, and what they could not have seen."""
    time = dataset.time
    return {
        "captures": dataset.captures,
        "not_complete": dataset.cut,
        "packets": dataset.packets,
        "decoded": dataset.decoded,
        "skipped": dict(dataset.skipped),
        "truncated_packets": dataset.truncated_packets,
        "wire_bytes": dataset.wire_bytes,
        "captured_bytes": dataset.captured_bytes,
        "drops": dataset.drops,
        "compared_packets": dataset.compared,
        "likely_copies": dataset.copies,
        "first_seen": shown_time(time.first_us),
        "last_seen": shown_time(time.last_us),
        "covered_us": time.covered_us,
        "uncovered": [gap_record(gap) for gap in time.uncovered],
        "overlapping_captures": time.overlapping,
        "overlap_us": time.overlap_us,
        "flow_shares": _shares(dataset.shares),
        "same_traffic": [asdict(pair) for pair in dataset.vantages],
        "remarks": list(map(_remark, dataset.remarks)),
        "unseen": _view(dataset.view),
    }


def _view(view: View) -> Record:
    return {
        "hosts": view.hosts,
        "host_pairs": view.pairs,
        "host_pairs_seen": view.pairs_seen,
        "networks": [{**asdict(one), "pairs": one.pairs} for one in view.networks],
        "networks_never_together": [asdict(pair) for pair in view.apart],
        "networks_never_together_total": view.apart_total,
        "remarks": list(map(_remark, view.remarks)),
    }


def _shares(shares: FlowShares) -> dict[str, Any]:
    found: dict[str, Part] = {
        name: getattr(shares, name) for name in FlowShares.__dataclass_fields__
    }
    return {name: asdict(part) for name, part in found.items()}


def _remark(remark: Remark) -> Record:
    return {"kind": remark.kind, "weight": str(remark.weight), "text": printable(remark.text)}


def remark_records(quality: Quality) -> Iterator[Record]:
    """Every remark of every capture, then those on all of them."""
    for one in quality.captures:
        for remark in one.remarks:
            yield {"capture": one.report.path, **_remark(remark)}
    for remark in (*quality.dataset.remarks, *quality.dataset.view.remarks):
        yield {"capture": "", **_remark(remark)}


def print_capture(one: CaptureQuality) -> None:
    """The whole report of one capture."""
    report = one.report
    print(f"capture {report.id}: {printable(report.path.rpartition('/')[2])}")
    _print_facts(capture_facts(one))
    if report.first_us is not None and report.recording.activity:
        width = max(16, (line_width() or 100) - _LABEL - 2)
        step = duration(report.recording.bucket_us)
        print(f"  {'activity':{_LABEL}}{sparkline(report.recording.activity, width)}")
        print(f"  {'':{_LABEL}}packets over time, each step {step}")
    _print_remarks(one.remarks)


def print_dataset(quality: Quality) -> None:
    """All captures together: what was lost, and what could not be seen."""
    dataset = quality.dataset
    print("\nall captures")
    _print_facts(dataset_facts(dataset))
    _print_remarks(dataset.remarks)
    view = dataset.view
    print("\nunseen is not unused")
    for one in view.networks[:12]:
        seen = percent(one.pairs_seen, one.pairs)
        guess = " (guess)" if one.guessed else ""
        print(
            f"  {shortened(printable(one.name), 28) + guess:36}"
            f" {one.hosts:>6,} {noun(one.hosts, 'host'):5}"
            f"  {one.inside:>7,} inside {one.across:>7,} across its edge"
            f"  {seen:>7} of pairs seen"
        )
    if len(view.networks) > 12:
        print(f"  … and {plural(len(view.networks) - 12, 'more network')}")
    _print_remarks(view.remarks)


def _print_facts(facts: Iterable[Fact]) -> None:
    for fact in facts:
        drawn = "" if fact.share is None else f"{bar(fact.share, _BAR)}  "
        print(f"  {fact.name:{_LABEL}}{drawn}{fact.text}")


def _print_remarks(remarks: Sequence[Remark]) -> None:
    """Folded to the terminal, every word of them."""
    for remark in remarks:
        sign = "!" if remark.weight is Weight.CARE else "-"
        text = printable(remark.text, 2000)
        print(
            fill(
                text, line_width() or 10_000, initial_indent=f"  {sign} ", subsequent_indent="    "
            )
        )
