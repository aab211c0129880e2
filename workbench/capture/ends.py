"""Flows by their ends as they were seen: A spoke first, B is the other one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.model.traffic import PAIRS, FlowColumns, Mark, TcpFlag

Rows = NDArray[np.uint64]
"""(n, FLOW_WORDS), see layout."""
Bools = NDArray[np.bool_]
Unsigned = TypeVar("Unsigned", bound=np.unsignedinteger[Any])

_JUDGED = ("client_hi", "client_lo", "client_port", "packets_to_server", "flags_to_server")
_WHOLE = ("first_us", "last_us", "vlan", "first_offset", "last_offset", "tunnel")


@dataclass(frozen=True)
class Ends:
    """Flows by their ends: A spoke first, B is the other one."""

    protocol: NDArray[np.uint8]
    marks: NDArray[np.uint16]
    """See Mark; without SERVER_FIRST."""
    pairs: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]
    """By the client's column of PAIRS: A's values (for counts: those that A sent) and B's."""
    whole: Mapping[str, NDArray[Any]]
    """What belongs to neither end."""

    @classmethod
    def of_rows(cls, rows: Rows) -> Self:
        """Rows of the flow table, (n, FLOW_WORDS)."""
        who, marks = rows[:, layout.FLOW_WHO], np.ascontiguousarray(rows[:, layout.FLOW_MARKS])
        tokens, path = rows[:, layout.FLOW_TOKENS], rows[:, layout.FLOW_PATH]
        flags = marks.astype(np.uint16).view(np.uint8).reshape(-1, 2)
        pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {
            "client_hi": (rows[:, layout.FLOW_A_HI], rows[:, layout.FLOW_B_HI]),
            "client_lo": (rows[:, layout.FLOW_A_LO], rows[:, layout.FLOW_B_LO]),
            "client_port": (_bits(who, 16, np.uint16), _bits(who, 0, np.uint16)),
            "packets_to_server": (rows[:, layout.FLOW_PACKETS_A], rows[:, layout.FLOW_PACKETS_B]),
            "bytes_to_server": (rows[:, layout.FLOW_BYTES_A], rows[:, layout.FLOW_BYTES_B]),
            "flags_to_server": (flags[:, 0], flags[:, 1]),
            "client_token": (_bits(tokens, 32, np.uint32), _bits(tokens, 0, np.uint32)),
            "client_ttl": (_bits(path, 0, np.uint8), _bits(path, 8, np.uint8)),
        }
        whole = {
            "first_us": rows[:, layout.FLOW_FIRST],
            "last_us": rows[:, layout.FLOW_LAST],
            "vlan": marks >> np.uint64(layout.VLAN_SHIFT) & np.uint64(0xFFF),
            "first_offset": rows[:, layout.FLOW_FIRST_OFFSET],
            "last_offset": rows[:, layout.FLOW_LAST_OFFSET],
            "tunnel": path >> np.uint64(16),
        }
        return cls(
            _bits(who, 32, np.uint8), _bits(marks, layout.EVIDENCE_SHIFT, np.uint16), pairs, whole
        )

    @classmethod
    def of_columns(cls, columns: FlowColumns) -> Self:
        """Finished flows, turned back."""
        marks = columns["marks"]
        turned = (marks & np.uint16(Mark.SERVER_FIRST)) != 0
        pairs = {
            client: (
                np.where(turned, columns[server], columns[client]),
                np.where(turned, columns[client], columns[server]),
            )
            for client, server in PAIRS.items()
        }
        marks = marks & ~np.uint16(Mark.SERVER_FIRST)
        return cls(columns["protocol"], marks, pairs, {name: columns[name] for name in _WHOLE})

    def at(self, rows: NDArray[np.intp]) -> Self:
        """Some of the flows, with only what they are judged by."""
        pairs = {name: (a[rows], b[rows]) for name, (a, b) in self.pairs.items() if name in _JUDGED}
        return type(self)(self.protocol[rows], self.marks[rows], pairs, {})

    @property
    def ports(self) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        return self.pairs["client_port"]

    @property
    def sent(self) -> tuple[Bools, Bools]:
        """Whether A, and B, sent anything."""
        a, b = self.pairs["packets_to_server"]
        return a > 0, b > 0

    def marked(self, mark: Mark, by_b: Bools | bool = False) -> Bools:
        """Where end A (or B) carries a mark."""
        a = (self.marks & np.uint16(mark)) != 0
        b = (self.marks & np.uint16(mark << 1)) != 0
        return np.asarray(np.where(by_b, b, a))

    def flagged(self, flag: TcpFlag, by_b: Bools) -> Bools:
        """Where end A (or B) ever sent a TCP flag."""
        a, b = self.pairs["flags_to_server"]
        return np.asarray((np.where(by_b, b, a) & np.uint8(flag)) != 0)


def _bits(words: NDArray[np.uint64], shift: int, kind: type[Unsigned]) -> NDArray[Unsigned]:
    return (words >> np.uint64(shift)).astype(kind)
