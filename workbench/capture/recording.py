"""What the tally kernel counted, as the model says it."""

from workbench.capture.tally import Tally
from workbench.model.recording import Gap, Recording


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
        return [f"{tally.longer} packets claim fewer bytes on the wire than were captured"]
    return []
