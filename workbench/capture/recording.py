"""What the tally kernel counted, as the model says it."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.tally import BUCKETS, GAPS, Tally
from workbench.model.recording import Gap, Recording, Tunnel
from workbench.model.text import plural
from workbench.model.traffic import CaptureReport

_KINDS = {name: kind for kind, name in layout.TUNNELS.items()}


def recording(tally: Tally) -> Recording:
    """The finished tally of one capture."""
    gaps = tuple(
        Gap(start, start + length)
        for start, length in (
            (tally.gaps[at, 0], tally.gaps[at, 1]) for at in range(len(tally.gaps))
        )
        if length
    )
    buckets = list(tally.buckets)
    while buckets and not buckets[-1]:
        buckets.pop()
    return Recording(
        captured_bytes=tally.captured_bytes,
        gaps=gaps,
        steps_back=tally.steps_back,
        step_back_us=tally.step_back,
        step_back_at_us=tally.step_back_at if tally.steps_back else None,
        compared=tally.compared,
        copies=tally.copies,
        activity=tuple(buckets),
        bucket_us=tally.width,
    )


def tally_problems(tally: Tally) -> list[str]:
    """What is wrong with the records themselves, one line each."""
    if tally.longer:
        return [f"{plural(tally.longer, 'packet')} with fewer bytes on the wire than were captured"]
    return []


def tunnels(rows: NDArray[np.uint64]) -> tuple[Tunnel, ...]:
    """The decoders' list (n, layout.TUNNEL_WORDS), in its order."""
    return tuple(map(_tunnel, rows.tolist()))


def _tunnel(row: list[int]) -> Tunnel:
    a_hi, a_lo, b_hi, b_lo, key, from_a, from_b = row[: layout.TUN_PACKETS_B + 1]
    kind, key = key >> 32, key & 0xFFFF_FFFF
    ends = a_hi << 64 | a_lo, b_hi << 64 | b_lo
    return Tunnel(layout.TUNNELS[kind], ends, key or None, from_a + from_b)


def tunnel_rows(before: Sequence[Tunnel]) -> NDArray[np.uint64]:
    """The other way round; which end sent the packets is forgotten."""
    rows = np.zeros((len(before), layout.TUNNEL_WORDS), np.uint64)
    for row, tunnel in zip(rows, before, strict=True):
        (a_hi, a_lo), (b_hi, b_lo) = (divmod(end, 1 << 64) for end in tunnel.ends)
        key = _KINDS[tunnel.kind] << 32 | (tunnel.key or 0)
        row[: layout.TUN_PACKETS_B] = a_hi, a_lo, b_hi, b_lo, key, tunnel.packets
    return rows


def read_on(before: CaptureReport, part: CaptureReport) -> CaptureReport:
    """One report for a capture that was read in two goes.

    `part` is of the later one, which already counted on in what the file says of itself (links,
    interfaces, losses, problems) and in the list of tunnels.
    """
    skipped = dict(before.skipped)
    for reason, count in part.skipped.items():
        skipped[reason] = skipped.get(reason, 0) + count
    times = (before.first_us, part.first_us), (before.last_us, part.last_us)
    first, last = ([time for time in two if time is not None] for two in times)
    return replace(
        part,
        id=before.id,
        packets=before.packets + part.packets,
        decoded=before.decoded + part.decoded,
        skipped=dict(sorted(skipped.items(), key=lambda item: (-item[1], item[0]))),
        truncated_packets=before.truncated_packets + part.truncated_packets,
        first_us=min(first, default=None),
        last_us=max(last, default=None),
        wire_bytes=before.wire_bytes + part.wire_bytes,
        flows=before.flows + part.flows,
        recording=_both(before, part),
        names=max(before.names, part.names),
    )


def _both(before: CaptureReport, part: CaptureReport) -> Recording:
    one, two = before.recording, part.recording
    sums = {
        name: getattr(one, name) + getattr(two, name)
        for name in ("captured_bytes", "steps_back", "compared", "copies")
    }
    if before.last_us is None or before.first_us is None or part.first_us is None:
        some = one if part.first_us is None else two  # the other one has no times to add
        return replace(some, **sums)
    gaps = [*one.gaps, *two.gaps]
    back = before.last_us - part.first_us
    if back <= 0:
        gaps.append(Gap(before.last_us, part.first_us))
    begin = min(before.first_us, part.first_us)
    width = max(one.bucket_us, two.bucket_us, 1)
    activity: dict[int, int] = {}
    for start, recording in ((before.first_us, one), (part.first_us, two)):
        for at, packets in enumerate(recording.activity):
            when = start - begin + at * recording.bucket_us
            activity[when // width] = activity.get(when // width, 0) + packets
    while activity and max(activity) >= BUCKETS:
        width *= 2
        halves: dict[int, int] = {}
        for at, packets in activity.items():
            halves[at // 2] = halves.get(at // 2, 0) + packets
        activity = halves
    step = max((one.step_back_us, one.step_back_at_us), (two.step_back_us, two.step_back_at_us))
    return Recording(
        **sums,
        gaps=tuple(heapq.nlargest(GAPS, gaps, key=lambda gap: gap.length_us)),
        step_back_us=step[0],
        step_back_at_us=step[1],
        activity=tuple(activity.get(at, 0) for at in range(max(activity, default=-1) + 1)),
        bucket_us=width,
    )
