"""Which rows between the same two ends are one flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from workbench.model.traffic import LINGER
from workbench.store.vantages import OVERLAP, Place, follows

_COLUMNS = (
    "id", "pair", "capture", "first_us", "last_us", "sends_a", "sends_b", "token_a", "token_b",
    "ends", "opens", "answered",
)  # fmt: skip


@dataclass(slots=True)
class _Flow:
    """What has been seen of a flow so far."""

    number: int
    """The id of its first row."""
    place: Place
    """Of the capture of its latest row."""
    token_a: int
    """Initial sequence number of TCP, 0 if it was not seen."""
    token_b: int
    sends_a: bool
    sends_b: bool
    ends: int
    """How it was ended: 1 FIN of a, 2 FIN of b, 4 RST; 7 for all but TCP: nothing keeps them."""
    answered: bool
    last_us: int


class Line:
    """Goes through rows in order of ends and time, and remembers the flow that goes on.

    These are the rules of the engine's flow table, for rows instead of packets. A row of TCP is a
    flow of its own when an end opens (or answers) with another sequence number than before, or,
    where its opening was not captured, although it has been sending or the flow has ended; when it
    opens what was answered and ended, or comes long after the close. Any other row is one when it
    comes long after. What another place saw at the same time may lack anything: only its sequence
    numbers tell it from the flow.
    """

    def __init__(self, places: Mapping[int, Place]) -> None:
        self._places = places
        self._pair = -1
        self._flows: list[_Flow] = []  # of these ends: several where captures are of other networks

    def flows(self, rows: Mapping[str, NDArray[Any]]) -> list[int]:
        """For each row the id of the first row of its flow."""
        columns = [rows[name].tolist() for name in _COLUMNS]
        numbers = []
        for (
            number, pair, capture, first, last, sends_a, sends_b, token_a, token_b, ends, opens,
            answered,
        ) in zip(*columns, strict=True):  # fmt: skip
            if pair != self._pair:
                self._pair, self._flows = pair, []
            place = self._places[capture]
            flow = self._of(place)
            copy = (
                flow is not None
                and place.family == flow.place.family
                and place.point != flow.place.point
                and first <= flow.last_us + OVERLAP
            )
            if flow is not None and _goes_on(flow, first, token_a, token_b, opens, copy=copy):
                flow.place = place
                flow.token_a = flow.token_a or token_a
                flow.token_b = flow.token_b or token_b
                flow.sends_a |= sends_a
                flow.sends_b |= sends_b
                flow.ends |= ends
                flow.answered |= answered
                flow.last_us = max(flow.last_us, last)
            else:
                if flow is not None:
                    self._flows.remove(flow)
                flow = _Flow(
                    number, place, token_a, token_b, sends_a, sends_b, ends, answered, last
                )
                self._flows.append(flow)
            numbers.append(flow.number)
        return numbers

    def _of(self, place: Place) -> _Flow | None:
        """The flow that a row from there can belong to, the latest one.

        Captures that overlap in time and share nothing are of different networks that use the same
        addresses.
        """
        for flow in reversed(self._flows):
            known = flow.place
            if known.family == place.family or follows(
                (known.low, known.high), (place.low, place.high)
            ):
                return flow
        return None


def _goes_on(
    flow: _Flow, first_us: int, token_a: int, token_b: int, opens: bool, *, copy: bool
) -> bool:
    """Whether a row that begins then and opens with these sequence numbers is part of it."""
    same = copy
    for token, known, sends in (
        (token_a, flow.token_a, flow.sends_a),
        (token_b, flow.token_b, flow.sends_b),
    ):
        if token and known and token != known:
            return False
        if token and not known and not copy and (sends or flow.ends):
            return False
        same |= token > 0 and token == known
    if opens and flow.ends and flow.answered and not same:
        return False
    return flow.ends < 3 or first_us - flow.last_us <= LINGER
