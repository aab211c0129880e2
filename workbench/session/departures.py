"""What is new against a baseline, and what is not there any more: conversations, not findings."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.model.errors import InputError
from workbench.model.traffic import format_time

if TYPE_CHECKING:
    from workbench.session.session import Session

NEW, GONE = "new only", "vanished"


def departed(session: "Session", moment: int | None, against: str, which: str) -> NDArray[np.bool_]:
    """Rows of the table that are NEW, or GONE, against a baseline.

    The baseline are flows that begin before `moment` (µs), or those of captures named as in the
    filter line. New: no flow of the conversation is in it; gone: all of them are. Raises
    InputError without a baseline, FilterError for an unknown capture.
    """
    if moment is None and not against:
        raise InputError("new against what? A moment or captures are needed")
    inside = f"capture:{against}" if moment is None else f"before:{format_time(moment)}"
    found = session.select(session.parse(inside if which == NEW else f"-{inside}"))
    return ~found
