"""Which rows between the same two ends are one flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from numpy.typing import NDArray

from workbench.model.traffic import LINGER
from workbench.store.vantages import OVERLAP, Place, follows

_COLUMNS = (
    "id", "pair", "capture", "first_us", "last_us", "sends_a", "sends_b", "token_a", "token_b",
    "ends", "opens", "answered",
)  # fmt: skip
_REMEMBERED = 1024
"""Sequence numbers of the same two ends."""


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

    def add(self, row: Self) -> None:
        """What another row says of the flow."""
        self.place = row.place
        self.token_a = self.token_a or row.token_a
        self.token_b = self.token_b or row.token_b
        self.sends_a |= row.sends_a
        self.sends_b |= row.sends_b
        self.ends |= row.ends
        self.answered |= row.answered
        self.last_us = max(self.last_us, row.last_us)


class Line:
    """Goes through rows in order of ends and time, and remembers the flow that goes on.

    These are the rules of the engine's flow table, for rows instead of packets. A row of TCP is a
    flow of its own when an end opens (or answers) with another sequence number than before, or,
    where its opening was not captured, although it has been sending or the flow has ended; when it
    opens what was answered and ended, or comes long after the close. Any other row is one when it
    comes long after. What another place saw at the same time may lack anything: only its sequence
    numbers tell it from the flow. By them it is found even where the same ports are another flow
    already, for clocks agree only roughly.
    """

    def __init__(self, places: Mapping[int, Place]) -> None:
        self._places = places
        self._pair = -1
        self._flows: list[_Flow] = []  # of these ends: several where captures are of other networks
        self._opened: dict[tuple[int, int, int], _Flow] = {}
        """Flows of these ends by family, end and its initial sequence number: the latest ones."""

    def flows(self, rows: Mapping[str, NDArray[Any]]) -> list[int]:
        """For each row the id of the first row of its flow."""
        columns = [rows[name].tolist() for name in _COLUMNS]
        numbers = []
        for (
            number, pair, capture, first, last, sends_a, sends_b, token_a, token_b, ends, opens,
            answered,
        ) in zip(*columns, strict=True):  # fmt: skip
            if pair != self._pair:
                self._pair, self._flows, self._opened = pair, [], {}
            place = self._places[capture]
            flow = self._of(place)
            copy = (
                flow is not None
                and place.family == flow.place.family
                and place.point != flow.place.point
                and first <= flow.last_us + OVERLAP
            )
            row = _Flow(number, place, token_a, token_b, sends_a, sends_b, ends, answered, last)
            if flow is not None and _goes_on(flow, first, token_a, token_b, opens, copy=copy):
                flow.add(row)
            elif (seen := self._seen(row)) is not None:
                flow = seen
                flow.add(row)
            else:
                if flow is not None:
                    self._flows.remove(flow)
                flow = row
                self._flows.append(flow)
            self._remember(flow)
            numbers.append(flow.number)
        return numbers

    def _seen(self, row: _Flow) -> _Flow | None:
        """The flow that another place saw open like this one."""
        for end, token, other in ((0, row.token_a, row.token_b), (1, row.token_b, row.token_a)):
            flow = self._opened.get((row.place.family, end, token))
            if flow is not None and flow.place.point != row.place.point:
                known = flow.token_a if end else flow.token_b
                if not (known and other and known != other):
                    return flow
        return None

    def _remember(self, flow: _Flow) -> None:
        for end, token in enumerate((flow.token_a, flow.token_b)):
            if token:
                self._opened[flow.place.family, end, token] = flow
        while len(self._opened) > _REMEMBERED:
            del self._opened[next(iter(self._opened))]

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
