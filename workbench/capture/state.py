"""Where a reader stands in a capture file, as a value that outlives it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class State:
    """Everything a reader needs to go on, and what the file has said so far.

    Offsets are of the inflated file.
    """

    format: str
    """As the reader names it: a file of another format is another file."""
    offset: int
    """Of the first record or block that was not taken in yet."""
    big: bool
    """Big-endian."""
    magic: int
    """pcap: what the file begins with."""
    header: int
    """pcap: bytes of a record header."""
    old: bool
    """pcap: captured and original length come in either order."""
    now: int
    """pcapng: time of the last packet that carries one, microseconds."""
    described: int
    """Interfaces that the current section describes."""
    table: tuple[tuple[int, ...], ...]
    """The first of them, as rows of layout.INTERFACE_WORDS."""
    reported: tuple[tuple[int, int], ...]
    """pcapng: interface → drops that the section's statistics report."""
    drops: int | None
    """Of the sections before."""
    link_types: tuple[int, ...]
    interfaces: int
    snaplen: int
    blocks: Mapping[str, int]
    troubles: Mapping[str, int]

    def dumps(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Self:
        """From what `dumps` gave. Raises ValueError for anything else."""
        try:
            values = json.loads(text)
            for name in ("table", "reported"):
                values[name] = tuple(tuple(map(int, row)) for row in values[name])
            values["link_types"] = tuple(map(int, values["link_types"]))
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise ValueError("not the state of a reader") from error
