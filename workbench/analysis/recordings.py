"""What was lost on the way into one capture, and what that means for whoever builds on it."""

from collections.abc import Iterator
from math import log

from workbench.model.facts import moment
from workbench.model.quality import FlowShares, Part, Remark, Weight
from workbench.model.recording import Ending, Gap
from workbench.model.text import duration, percent, plural
from workbench.model.traffic import CaptureReport

ENOUGH = 20
"""Flows from which a share says something."""
_SECOND = 1_000_000

Found = Iterator[Remark]


def capture_remarks(
    report: CaptureReport, shares: FlowShares, newer: int | None = None
) -> tuple[Remark, ...]:
    """Sentences about one capture, what wants care first.

    newer: the capture that its file gave way to.
    """
    found = (
        *_file(report, newer),
        *_packets(report),
        *_time(report),
        *flow_remarks(shares),
        *_extras(report),
    )
    return tuple(sorted(found, key=lambda remark: remark.weight is not Weight.CARE))


def care(kind: str, text: str) -> Remark:
    """Something that may mislead."""
    return Remark(kind, Weight.CARE, text)


def fact(kind: str, text: str) -> Remark:
    """Something worth knowing."""
    return Remark(kind, Weight.FACT, text)


def _file(report: CaptureReport, newer: int | None) -> Found:
    if newer is not None:
        yield care(
            "replaced",
            f"its file was replaced by another recording, capture {newer}: flows stay, but their "
            "packets can no longer be shown; load the old file from where it is now, if it is kept",
        )
    for problem in report.problems:
        yield care("problem", problem)
    if report.ending is Ending.CUT and not report.problems:
        yield care("cut-short", "the file is cut short: what came later is not in it")
    if report.ending is Ending.GROWING:
        yield care("growing", "the file was still growing: what came later is not loaded")
    if not report.packets:
        yield care("empty", "no packets: nothing passed, or the capture filter let nothing through")
    if report.drops:
        share = percent(report.drops, report.packets + report.drops)
        yield care(
            "drops",
            f"the recorder lost {plural(report.drops, 'packet')} ({share} of what passed): flows "
            "may be missing, and others look one-way or mid-stream that were not",
        )


def _packets(report: CaptureReport) -> Found:
    left_out = report.packets - report.decoded
    if left_out * 10 >= report.packets > 0:
        kinds = ", ".join(
            f"{reason} {percent(count, report.packets)}" for reason, count in report.skipped.items()
        )
        weight = Weight.CARE if left_out * 2 > report.packets else Weight.FACT
        share = percent(left_out, report.packets)
        yield Remark("skipped", weight, f"{share} of the packets are in no flow: {kinds}")
    if report.truncated_packets:
        share = percent(report.truncated_packets, report.packets)
        limit = f" at {report.snaplen} bytes" if report.snaplen else ""
        kept = percent(report.recording.captured_bytes, report.wire_bytes)
        held = f"; {kept} of the bytes are here" if report.recording.captured_bytes else ""
        yield fact(
            "truncated",
            f"{plural(report.truncated_packets, 'packet')} ({share}) cut short{limit}{held}: "
            "headers are enough for flows, contents cannot be dissected",
        )
    yield from copies(report.recording.copies, report.recording.compared, report.decoded)


def copies(found: int, compared: int, packets: int) -> Found:
    """Copies among the packets that were compared."""
    if not found:
        return
    sample = "" if compared >= packets else f", by a sample of {compared:,}"
    heavy = found * 100 >= compared
    so = "; packets and bytes are counted up to twice" if heavy else ""
    yield Remark(
        "copies",
        Weight.CARE if heavy else Weight.FACT,
        f"{percent(found, compared)} of the packets are likely copies of one just before{sample}: "
        f"a mirror port that sees them come and go, or an interface and its bridge{so}",
    )


def silences(report: CaptureReport) -> tuple[Gap, ...]:
    """The gaps that stand out: a second, a hundredth of the capture, and far beyond chance.

    Were packets to come at random, the longest of n waits would be about ln n times the mean.
    """
    if report.first_us is None or report.last_us is None or report.packets < 2:
        return ()
    span = report.last_us - report.first_us
    by_chance = 3 * log(report.packets) * span / report.packets
    least = max(_SECOND, span / 100, by_chance)
    return tuple(gap for gap in report.recording.gaps if gap.length_us >= least)


def _time(report: CaptureReport) -> Found:
    if gaps := silences(report):
        longest = gaps[0]
        others = f", and {len(gaps) - 1} shorter" if len(gaps) > 1 else ""
        yield fact(
            "silence",
            f"nothing for {duration(longest.length_us)} from {moment(longest.start_us)}{others}: a "
            "quiet time, or a recorder that was stopped",
        )
    steps, size = report.recording.steps_back, report.recording.step_back_us
    if not steps:
        return
    at = report.recording.step_back_at_us
    where = f" at {moment(at)}" if at is not None else ""
    if size >= _SECOND:
        yield care(
            "clock",
            f"the time goes back {'once' if steps == 1 else f'{steps:,} times, at most'} by "
            f"{duration(size)}{where}: the clock was set, or captures were joined; first and last "
            "times cannot be trusted",
        )
    else:
        yield fact(
            "out-of-order",
            f"{plural(steps, 'packet')} ({percent(steps, report.packets)}) out of order, by up to "
            f"{duration(size)}: several interfaces or queues in one file",
        )


def flow_remarks(shares: FlowShares) -> Found:
    """Sentences about the kinds of flows, of a capture or of all of them."""
    total = shares.total.flows
    if not total:
        return
    half, tcp = shares.half_tcp.flows, shares.tcp.flows
    if tcp >= ENOUGH and half * 10 >= tcp:
        why = (
            "the mirror port sends one direction only"
            if half * 10 >= tcp * 9
            else "the other one took another path, or its packets were lost"
        )
        yield care(
            "half-tcp",
            f"of {percent(half, tcp)} of the TCP flows only one direction was recorded: {why}",
        )
    yield from _share(
        "mid-stream", shares.mid_stream, shares.total,
        "had begun before the capture: which end is the client is told by ports, not seen",
    )  # fmt: skip
    yield from _share(
        "unanswered", shares.unanswered, shares.total,
        "never got an answer: a scan, a firewall, a dead server, or answers on another path",
    )  # fmt: skip
    yield from _share(
        "one-way", shares.one_way, shares.total,
        "went one way only: broadcasts and the like, or half of a conversation",
    )  # fmt: skip
    unknown = shares.unknown_direction
    if unknown.flows:
        weight = Weight.CARE if unknown.flows * 20 >= total and total >= ENOUGH else Weight.FACT
        yield Remark(
            "direction",
            weight,
            f"{_of(unknown, shares.total)}: nothing but who spoke first tells the client from the "
            "server",
        )


def _share(kind: str, part: Part, total: Part, meaning: str) -> Found:
    if part.flows * 100 >= total.flows:
        yield fact(kind, f"{_of(part, total)} {meaning}")


def _of(part: Part, total: Part) -> str:
    flows = percent(part.flows, total.flows)
    return (
        f"{plural(part.flows, 'flow')} ({flows}; {percent(part.packets, total.packets)} of packets)"
    )


def _extras(report: CaptureReport) -> Found:
    if report.drops == 0:
        yield fact("no-drops", "the recorder says that it lost nothing")
    if report.drops is None and report.packets:
        yield fact("drops-unknown", "the file does not say whether the recorder lost packets")
    if report.tunnels:
        packets = sum(tunnel.packets for tunnel in report.tunnels)
        kinds = ", ".join(sorted({tunnel.kind for tunnel in report.tunnels}))
        held = plural(len(report.tunnels), "tunnel")
        yield fact(
            "tunnels",
            f"{plural(packets, 'packet')} came inside {held} ({kinds}) and count to the flows "
            "there",
        )
    if report.names:
        yield fact("names", f"the file brings {plural(report.names, 'host name')}")
