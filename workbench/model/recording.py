"""What a capture file says about its own making: time, silence, copies, losses, tunnels."""

from dataclasses import dataclass
from enum import StrEnum


class Ending(StrEnum):
    """How the file ended."""

    COMPLETE = "complete"
    CUT = "cut short"
    """In the middle of a packet or block, or where nothing sensible followed."""
    GROWING = "still growing"
    """It was being written to while it was read."""
    PART = "read in part"
    """Reading it was stopped, and can go on."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A silence: from the packet before it to the packet behind it."""

    start_us: int
    end_us: int

    @property
    def length_us(self) -> int:
        return self.end_us - self.start_us


@dataclass(frozen=True, slots=True)
class Tunnel:
    """Packets that travelled inside others, and between whom."""

    kind: str
    """`VXLAN`, `GRE`, `ERSPAN II` …"""
    ends: tuple[int, int]
    """Outer addresses as numbers, see model.net; the one seen sending first comes first."""
    key: int | None = None
    """VNI, GRE key, TEID, ERSPAN session; None where there is none."""
    packets: int = 0


@dataclass(frozen=True, slots=True)
class Recording:
    """What one pass over a capture's records finds."""

    captured_bytes: int = 0
    """Sum of the captured lengths."""
    gaps: tuple[Gap, ...] = ()
    """The longest silences between two packets, longest first, however short; at most eight."""
    steps_back: int = 0
    """Packets with an earlier time than the packet before."""
    step_back_us: int = 0
    """The largest of these steps."""
    step_back_at_us: int | None = None
    """Time of the packet before it; None without steps."""
    compared: int = 0
    """Packets that were compared with those just before them."""
    copies: int = 0
    """Those of them that were there a few milliseconds before, but for what routers change."""
    activity: tuple[int, ...] = ()
    """Packets in equal stretches of time, from the first packet on."""
    bucket_us: int = 0
    """Length of these stretches."""


NO_RECORDING = Recording()
"""Of captures loaded before this was looked at."""
