"""Which rows between the same two ends are one flow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from workbench.store.vantages import Place, follows

LINGER = 60_000_000
"""Microseconds of silence after which a flow without connections, or a TCP connection that has
ended, is over: as the engine has it within one file."""


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
    over: bool
    """TCP: ended by FIN or RST. Everything else has no connection that keeps it alive."""
    last_us: int


class Line:
    """Goes through rows in order of ends and time, and remembers the flow that goes on.

    These are the rules of the engine's flow table, for rows instead of packets. A row is a flow of
    its own when an end opens (or answers) with another sequence number than before, or opens
    although it has been sending already, or when the row comes long after the flow was over.
    """

    def __init__(self, places: Mapping[int, Place]) -> None:
        self._places = places
        self._ends = -1
        self._flows: list[_Flow] = []  # of these ends: several where captures are of other networks

    def flows(self, rows: Mapping[str, NDArray[Any]]) -> list[int]:
        """For each row the id of the first row of its flow."""
        names = ("id", "ends", "capture", "first_us", "last_us", "sends_a", "sends_b", "token_a")
        columns = [rows[name].tolist() for name in (*names, "token_b", "over")]
        numbers = []
        for number, ends, capture, first, last, sends_a, sends_b, token_a, token_b, over in zip(
            *columns, strict=True
        ):
            if ends != self._ends:
                self._ends, self._flows = ends, []
            place = self._places[capture]
            flow = self._of(place)
            if flow is not None and _goes_on(flow, first, token_a, token_b):
                flow.place = place
                flow.token_a = flow.token_a or token_a
                flow.token_b = flow.token_b or token_b
                flow.sends_a |= sends_a
                flow.sends_b |= sends_b
                flow.over |= over
                flow.last_us = max(flow.last_us, last)
            else:
                if flow is not None:
                    self._flows.remove(flow)
                flow = _Flow(number, place, token_a, token_b, sends_a, sends_b, over, last)
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


def _goes_on(flow: _Flow, first_us: int, token_a: int, token_b: int) -> bool:
    """Whether a row that begins then and opens with these sequence numbers is part of it."""
    same = False
    for token, known, sends in (
        (token_a, flow.token_a, flow.sends_a),
        (token_b, flow.token_b, flow.sends_b),
    ):
        if token and known:
            if token != known:
                return False
            same = True
        elif token and sends:
            return False
    if same or not flow.over:
        return True
    return not (token_a or token_b) and first_us - flow.last_us <= LINGER
