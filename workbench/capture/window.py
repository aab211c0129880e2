"""A window that moves over a capture's inflated bytes, and what the capture says of itself."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from workbench.capture.ahead import Feed
from workbench.capture.inflate import Damaged
from workbench.capture.rawfile import Tick


@dataclass
class Contents:
    """What a capture file says and lacks, as far as it has been read."""

    problems: list[str] = field(default_factory=list)
    """One line each."""
    link_types: dict[int, None] = field(default_factory=dict)
    """LINKTYPE numbers, each once, in the order they came."""
    interfaces: int = 0
    """Described so far, in all sections."""
    snaplen: int = 0
    """The largest that an interface declares; 0 for unlimited or unknown."""
    names: dict[int, str] = field(default_factory=dict)
    """128-bit address → the first name the file gives it, safe to show."""
    blocks: Counter[str] = field(default_factory=Counter)
    """pcapng: blocks that were read outside the kernel, by their usual abbreviations."""
    troubles: Counter[str] = field(default_factory=Counter)
    """Things that are wrong with many packets, counted (see the reader's wording)."""
    drops: int | None = None
    """Packets that the sections read so far say they lost; None when they say nothing."""
    cut_short: str = ""
    """The line among the problems that says the file ends inside a record; it may still grow."""

    def describe(self, link: int, snaplen: int) -> None:
        """One more interface."""
        self.link_types[link] = None
        self.interfaces += 1
        self.snaplen = max(self.snaplen, snaplen)

    def cut(self, what: str, start: int, have: int, whole: int | str) -> None:
        """The file ends inside a record."""
        self.cut_short = f"cut short: the {what} at byte {start} has {have} of {whole} bytes"
        self.problems.append(self.cut_short)


class Window:
    """The bytes at hand: read on at one end, dropped at the other."""

    def __init__(
        self,
        feed: Feed,
        base: int,
        problems: list[str],
        tick: Tick = None,
    ) -> None:
        """tick: called before every read and while it lasts."""
        self.buffer = memoryview(bytearray())
        self.base = base
        """Where they begin in the inflated file."""
        self.ended = False
        """There is nothing more to read."""
        self._feed = feed
        self._problems = problems
        self._tick = tick

    def __len__(self) -> int:
        return len(self.buffer)

    def fill(self, wanted: int) -> bool:
        """Read until `wanted` bytes are at hand; False when the file ends before."""
        while len(self.buffer) < wanted and not self.ended:
            have = len(self.buffer)
            try:
                self.buffer = self._feed.more(self.buffer, self._tick)
                self.ended = len(self.buffer) == have
            except Damaged as damage:
                self._end(f"{damage} at byte {self.base + have} of the content")
            except OSError as error:
                self._end(f"read error at byte {self.base + have}: {error.strerror or error}")
        return len(self.buffer) >= wanted

    def _end(self, problem: str) -> None:
        self._problems.append(problem)
        self.ended = True

    def drop(self, count: int) -> None:
        """Forget the first `count` bytes at hand."""
        self.buffer = self.buffer[count:]
        self.base += count

    def skip(self, count: int) -> bool:
        """Move over `count` bytes, however many; False when the file ends before."""
        while count > len(self.buffer):
            count -= len(self.buffer)
            self.drop(len(self.buffer))
            if not self.fill(1):
                return False
        self.drop(count)
        return True

    def number(self, at: int, size: int, big: bool, signed: bool = False) -> int:
        """An integer of `size` bytes at hand."""
        order: Literal["big", "little"] = "big" if big else "little"
        return int.from_bytes(self.buffer[at : at + size], order, signed=signed)
