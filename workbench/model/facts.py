"""A recording's figures in words: what the Captures screen and `workbench captures` both show."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.model.net import format_address
from workbench.model.packets import printable
from workbench.model.quality import CaptureQuality, DatasetQuality, FlowShares, Part
from workbench.model.recording import Tunnel
from workbench.model.text import duration, percent, plural, short_bytes
from workbench.model.traffic import CaptureReport, format_time

BARS = "▁▂▃▅▆▇█"
NO_BAR = "·"
_GAPS = 3
_TUNNELS = 8
"""Lines of waits and of tunnels."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: a word, figures, and how much of the whole that is where a bar helps."""

    name: str
    text: str
    share: float | None = None


def sparkline(values: Sequence[int], width: int) -> str:
    """Heights over time in at most `width` characters, `·` for nothing at all."""
    if not values or width < 1:
        return ""
    if len(values) > width:
        step = -(-len(values) // width)
        values = [sum(values[at : at + step]) for at in range(0, len(values), step)]
    wide = max(1, width // len(values))
    top = max(values) or 1
    return "".join(
        (BARS[min(len(BARS) - 1, value * len(BARS) // top)] if value else NO_BAR) * wide
        for value in values
    )


def activity_of_all(reports: Sequence[CaptureReport], steps: int) -> tuple[int, ...]:
    """Packets of all captures in equal stretches of time, from the first packet to the last."""
    spans = [
        (report.first_us, report.last_us, report.recording)
        for report in reports
        if report.first_us is not None and report.last_us is not None
    ]
    if not spans:
        return ()
    begin, end = min(first for first, _, _ in spans), max(last for _, last, _ in spans)
    counts, whole = [0] * steps, end - begin + 1
    for first, _, recording in spans:
        for at, packets in enumerate(recording.activity):
            middle = first - begin + at * recording.bucket_us + recording.bucket_us // 2
            counts[max(0, min(steps - 1, middle * steps // whole))] += packets
    return tuple(counts)


def bar(share: float, width: int) -> str:
    """`████▌·····`: never empty for something, never full for less than all."""
    halves = round(share * width * 2)
    if 0 < share < 1:
        halves = max(1, min(halves, width * 2 - 1))
    full, half = divmod(halves, 2)
    return "█" * full + "▌" * half + NO_BAR * (width - full - half)


def strip(first_us: int, last_us: int, begin_us: int, end_us: int, width: int) -> str:
    """Where one span lies in a longer one: `··━━━·····`."""
    whole = max(1, end_us - begin_us)
    left = min(width - 1, (first_us - begin_us) * width // whole)
    right = max(left + 1, min(width, -(-(last_us - begin_us) * width // whole)))
    return NO_BAR * left + "━" * (right - left) + NO_BAR * (width - right)


def moment(microseconds: int | None) -> str:
    """`2026-03-31 14:02:09` (UTC)."""
    return "never" if microseconds is None else format_time(microseconds)[:19].replace("T", " ")


def period(first_us: int, last_us: int) -> str:
    """`2026-03-31 14:02:09 – 14:09:10 UTC, 7 min 1 s`; the second day only where it is another."""
    first, last = moment(first_us), moment(last_us)
    last = last[11:] if first[:10] == last[:10] else last
    return f"{first} – {last} UTC, {duration(max(0, last_us - first_us))}"


def tunnel_text(tunnel: Tunnel) -> str:
    """`VXLAN 10.0.0.1 - 10.0.0.2 key 42`."""
    ends = " - ".join(map(format_address, tunnel.ends))
    key = "" if tunnel.key is None else f" key {tunnel.key}"
    return f"{tunnel.kind} {ends}{key}"


def capture_facts(one: CaptureQuality) -> Iterator[Fact]:
    """One capture, from the file to its flows."""
    report, recording = one.report, one.report.recording
    links = ", ".join(report.link_types) or "no link type"
    where = plural(report.interfaces, "interface")
    yield Fact("path", printable(report.path))
    yield Fact("file", f"{report.format}, {short_bytes(report.size)}, {report.ending}")
    yield Fact("links", printable(f"{links}; {where}"))
    if report.first_us is not None and report.last_us is not None:
        yield Fact("time", period(report.first_us, report.last_us))
    yield from _packets(report)
    yield Fact("lost", _lost(report.drops, report.packets))
    yield from _copies(recording.copies, recording.compared, report.decoded)
    for at, gap in enumerate(recording.gaps[:_GAPS]):
        text = f"{duration(gap.length_us)} from {moment(gap.start_us)}"
        yield Fact("" if at else "silences", text)
    if recording.steps_back:
        size = duration(recording.step_back_us)
        yield Fact("clock", f"{plural(recording.steps_back, 'step')} back, the largest {size}")
    yield from share_facts(one.shares)
    for at, tunnel in enumerate(report.tunnels[:_TUNNELS]):
        yield Fact(
            "" if at else "tunnels", f"{tunnel_text(tunnel)}: {plural(tunnel.packets, 'packet')}"
        )
    if len(report.tunnels) > _TUNNELS:
        yield Fact("", f"… and {len(report.tunnels) - _TUNNELS:,} more")
    if report.names:
        yield Fact("names", f"{report.names:,} in the file")


def _packets(report: CaptureReport) -> Iterator[Fact]:
    kept = report.decoded / report.packets if report.packets else 1.0
    flows = percent(report.decoded, report.packets)
    yield Fact("packets", f"{report.packets:,}; in flows {report.decoded:,} ({flows})", kept)
    yield from skipped_facts(report.skipped, report.packets)
    if report.truncated_packets:
        share = report.truncated_packets / report.packets if report.packets else 0.0
        limit = f", snap length {report.snaplen:,}" if report.snaplen else ""
        text = f"{report.truncated_packets:,} ({percent(share, 1)}){limit}"
        yield Fact("cut short", text, share)
    captured = report.recording.captured_bytes
    held = f", {short_bytes(captured)} captured" if captured else ""
    yield Fact("bytes", f"{short_bytes(report.wire_bytes)} on the wire{held}")


def skipped_facts(skipped: Mapping[str, int], packets: int) -> Iterator[Fact]:
    """Records that are in no flow, by reason."""
    for at, (reason, count) in enumerate(skipped.items()):
        text = f"{printable(reason)} {count:,} ({percent(count, packets)})"
        yield Fact("" if at else "skipped", text, count / packets if packets else 0.0)


def _lost(drops: int | None, packets: int) -> str:
    if drops is None:
        return "not said by the file"
    return f"{drops:,} by the recorder ({percent(drops, packets + drops)})"


def _copies(copies: int, compared: int, packets: int) -> Iterator[Fact]:
    if compared:
        sample = "" if compared >= packets else f" of a sample of {compared:,}"
        text = f"likely {copies:,}{sample} ({percent(copies, compared)})"
        yield Fact("copies", text, copies / compared)


def share_facts(shares: FlowShares) -> Iterator[Fact]:
    """Flows by kind."""
    total = shares.total
    yield Fact("flows", f"{total.flows:,} with {plural(total.packets, 'packet')}")
    kinds = (
        ("one-way", shares.one_way),
        ("mid-stream", shares.mid_stream),
        ("unanswered", shares.unanswered),
        ("no direction", shares.unknown_direction),
    )
    for name, part in kinds:
        if total.flows:
            yield Fact(name, _part(part, total), part.flows / total.flows)
    if shares.half_tcp.flows:
        half, tcp = shares.half_tcp.flows, shares.tcp.flows
        yield Fact("half TCP", f"{half:,} of {tcp:,} TCP flows ({percent(half, tcp)})", half / tcp)


def _part(part: Part, total: Part) -> str:
    flows, packets = percent(part.flows, total.flows), percent(part.packets, total.packets)
    return f"{part.flows:,} ({flows}; {packets} of packets)"


def dataset_facts(dataset: DatasetQuality) -> Iterator[Fact]:
    """All captures together."""
    time = dataset.time
    cut = f", {dataset.cut:,} of them not complete" if dataset.cut else ""
    yield Fact("captures", f"{dataset.captures:,}{cut}")
    if time.first_us is not None:
        yield Fact("time", period(time.first_us, time.last_us or time.first_us))
        covered = percent(time.covered_us, time.span_us) if time.span_us else "100 %"
        text = f"{duration(time.covered_us)} of {duration(time.span_us)} ({covered})"
        yield Fact("covered", text, time.covered_us / time.span_us if time.span_us else 1.0)
    for at, gap in enumerate(time.uncovered[:3]):
        text = f"{duration(gap.length_us)} from {moment(gap.start_us)}"
        yield Fact("" if at else "not covered", text)
    if time.overlapping:
        yield Fact("overlap", f"{time.overlapping:,} captures, {duration(time.overlap_us)}")
    kept = dataset.decoded / dataset.packets if dataset.packets else 1.0
    share = percent(dataset.decoded, dataset.packets)
    yield Fact("packets", f"{dataset.packets:,}; in flows {dataset.decoded:,} ({share})", kept)
    yield from skipped_facts(dict(list(dataset.skipped.items())[:8]), dataset.packets)
    lost = "not said by any file" if dataset.drops is None else f"{dataset.drops:,}, as files say"
    yield Fact("lost", lost)
    yield from _copies(dataset.copies, dataset.compared, dataset.decoded)
    yield from share_facts(dataset.shares)
