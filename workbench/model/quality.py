"""How good a recording is: what was kept and lost, and what it could not have seen.

Shares and sentences with figures, never a score: what a loss means depends on the question.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from workbench.model.recording import Gap
from workbench.model.traffic import CaptureReport
from workbench.model.vantage import Vantage


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the flows, and the packets in them."""

    flows: int = 0
    packets: int = 0

    def __add__(self, other: "Part") -> "Part":
        return Part(self.flows + other.flows, self.packets + other.packets)


@dataclass(frozen=True, slots=True)
class FlowShares:
    """What kinds of flows a capture holds. Flows are counted in the capture they were seen in."""

    total: Part = Part()
    one_way: Part = Part()
    mid_stream: Part = Part()
    unanswered: Part = Part()
    unknown_direction: Part = Part()
    """Nothing but who spoke first tells the client from the server."""
    tcp: Part = Part()
    half_tcp: Part = Part()
    """TCP flows with more than an opening, of which one direction was recorded."""

    def __add__(self, other: "FlowShares") -> "FlowShares":
        return FlowShares(
            self.total + other.total,
            self.one_way + other.one_way,
            self.mid_stream + other.mid_stream,
            self.unanswered + other.unanswered,
            self.unknown_direction + other.unknown_direction,
            self.tcp + other.tcp,
            self.half_tcp + other.half_tcp,
        )


@dataclass(frozen=True)
class HostSides:
    """What was seen of every host: one bool a host, by host number."""

    sent: NDArray[np.bool_]
    """A packet from it."""
    received: NDArray[np.bool_]
    """A packet to it."""
    flooded: NDArray[np.bool_]
    """Nothing but broadcast and multicast."""
    many: NDArray[np.bool_]
    """It is no host but a multicast or broadcast address."""


class Weight(StrEnum):
    """How a remark is to be taken."""

    FACT = "fact"
    """Worth knowing."""
    CARE = "care"
    """What is built on this recording may be wrong or incomplete because of it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding about a recording, as a sentence with its figures."""

    kind: str
    """A slug: `cut-short`, `copies`, `inside-unseen` …"""
    weight: Weight
    text: str


@dataclass(frozen=True, slots=True)
class CaptureQuality:
    """One capture, judged."""

    report: CaptureReport
    shares: FlowShares
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class NetworkView:
    """One network as the recording shows it."""

    name: str
    """From the inventory, or the prefix that was guessed."""
    guessed: bool
    hosts: int
    """Hosts in it that were seen sending."""
    inside: int
    """Conversations between two of them."""
    across: int
    """Conversations of one of them with a host elsewhere."""
    pairs_seen: int
    """Pairs of them that were seen talking, out of hosts × (hosts - 1) / 2."""

    @property
    def pairs(self) -> int:
        return self.hosts * (self.hosts - 1) // 2


@dataclass(frozen=True, slots=True)
class NetworkPair:
    """Two networks that both talk, and were never seen talking with each other."""

    one: str
    other: str
    pairs: int
    """Pairs of hosts that this is silent about."""


@dataclass(frozen=True, slots=True)
class View:
    """What was, and what could not have been, in front of the recorder."""

    hosts: int = 0
    """Hosts seen sending."""
    pairs_seen: int = 0
    """Pairs of them seen talking."""
    networks: tuple[NetworkView, ...] = ()
    """Largest first."""
    apart: tuple[NetworkPair, ...] = ()
    """The largest such pairs, largest first; `apart_total` counts all."""
    apart_total: int = 0
    remarks: tuple[Remark, ...] = ()

    @property
    def pairs(self) -> int:
        return self.hosts * (self.hosts - 1) // 2


@dataclass(frozen=True, slots=True)
class Coverage:
    """The time that captures cover."""

    first_us: int | None = None
    last_us: int | None = None
    covered_us: int = 0
    """Time that at least one capture covers."""
    uncovered: tuple[Gap, ...] = ()
    """A second or more between the first and the last packet that no capture covers, longest
    first; at most twenty."""
    overlapping: int = 0
    """Captures that share time with another one."""
    overlap_us: int = 0
    """Time that more than one capture covers."""

    @property
    def span_us(self) -> int:
        if self.first_us is None or self.last_us is None:
            return 0
        return self.last_us - self.first_us


@dataclass(frozen=True, slots=True)
class DatasetQuality:
    """All captures of a workspace together."""

    captures: int
    cut: int
    """Captures that are not complete."""
    packets: int
    decoded: int
    skipped: Mapping[str, int]
    """Reason → records, most frequent first."""
    truncated_packets: int
    wire_bytes: int
    captured_bytes: int
    drops: int | None
    """As far as captures say; None where none of them does."""
    compared: int
    copies: int
    shares: FlowShares
    time: Coverage
    view: View
    """Unseen is not unused."""
    remarks: tuple[Remark, ...]
    """What was lost, over all captures."""
    vantages: tuple[Vantage, ...] = ()
    """Pairs of captures that recorded some of the same traffic."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Every capture and the dataset, judged."""

    captures: tuple[CaptureQuality, ...]
    dataset: DatasetQuality
