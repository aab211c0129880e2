"""Conversations as columns over one sorted list of addresses: what every evaluator judges."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ICMP, ICMPV6, V4_BASE, V4_LAST, AddressSet
from workbench.model.traffic import Conversation, ConversationTable
from workbench.model.verdict import NOT_POLICY, not_policy

PIECE = 100_000
"""Rows judged at a time: progress is shown and a wish to stop is heard in between."""
_UNICAST = 0x2001 << 112
"""An address that is policy's business, to ask whether a service is."""


@dataclass(frozen=True)
class Batch:
    """Conversations by their first packet. The four arrays have one length."""

    addresses: tuple[int, ...]
    """Every address that occurs, ascending, each once."""
    client: NDArray[np.int64]
    """Rank of the client in `addresses`."""
    server: NDArray[np.int64]
    protocol: NDArray[np.int64]
    port: NDArray[np.int64]
    """Server port, or ICMP message type, or 0."""

    @classmethod
    def of_table(cls, table: ConversationTable) -> "Batch":
        """All rows of a table, in table order."""
        rank = table.hosts.rank
        return cls(
            table.hosts.by_address[0],
            rank[table["client"]],
            rank[table["server"]],
            table["protocol"].astype(np.int64),
            table["port"].astype(np.int64),
        )

    @classmethod
    def of(cls, conversations: Iterable[tuple[int, int, int, int]]) -> "Batch":
        """From (client, server, protocol, port) tuples, in their order."""
        rows = list(conversations)
        addresses = tuple(sorted({end for row in rows for end in row[:2]}))
        rank = {address: at for at, address in enumerate(addresses)}
        columns = np.array(
            [
                (rank[client], rank[server], protocol, port)
                for client, server, protocol, port in rows
            ],
            np.int64,
        ).reshape(-1, 4)
        return cls(addresses, *(columns[:, at].copy() for at in range(4)))

    @classmethod
    def joined(cls, batches: Sequence["Batch"]) -> "Batch":
        """One batch after the other."""
        return cls.of(batch.key(row) for batch in batches for row in range(len(batch)))

    def __len__(self) -> int:
        return len(self.client)

    def take(self, rows: NDArray[Any]) -> "Batch":
        """The chosen rows (a mask or indices) over the same addresses."""
        columns = (self.client, self.server, self.protocol, self.port)
        return Batch(self.addresses, *(column[rows] for column in columns))

    def pieces(self, size: int = PIECE) -> Iterator["Batch"]:
        """The rows in order, at most `size` at a time; at least one batch."""
        for start in range(0, max(1, len(self)), size):
            yield self.take(np.arange(start, min(start + size, len(self))))

    def key(self, row: int) -> tuple[int, int, int, int]:
        """Client, server, protocol, port of row `row`."""
        client, server = self.addresses[self.client[row]], self.addresses[self.server[row]]
        return client, server, int(self.protocol[row]), int(self.port[row])

    def at(self, row: int) -> Conversation:
        """Row `row` as a conversation whose opening was seen."""
        return Conversation(*self.key(row))

    def ranks(self, first: int, last: int) -> tuple[int, int]:
        """Half-open interval of ranks whose addresses lie in [first, last]."""
        return bisect_left(self.addresses, first), bisect_right(self.addresses, last)

    def members(self, addresses: AddressSet) -> NDArray[np.bool_]:
        """Membership by rank."""
        found = np.zeros(len(self.addresses), np.bool_)
        for piece in addresses.ranges:
            low, high = self.ranks(piece.first, piece.last)
            found[low:high] = True
        return found

    @cached_property
    def v4(self) -> NDArray[np.bool_]:
        """By rank: is the address IPv4?"""
        low, high = self.ranks(V4_BASE, V4_LAST)
        ranks = np.arange(len(self.addresses))
        return (ranks >= low) & (ranks < high)

    def judgeable(self) -> NDArray[np.bool_]:
        """By row: a packet of one family, of the right ICMP, that may be policy at all."""
        client_v4, server_v4 = self.v4[self.client], self.v4[self.server]
        fine: NDArray[np.bool_] = client_v4 == server_v4
        fine &= ~((self.protocol == ICMP) & ~client_v4)
        fine &= ~((self.protocol == ICMPV6) & client_v4)
        never = self.members(NOT_POLICY)
        fine &= ~(never[self.client] | never[self.server])
        services, inverse = _distinct(self.protocol << 16 | self.port)
        matters = [
            not not_policy(_UNICAST, _UNICAST, int(service) >> 16, int(service) & 0xFFFF)
            for service in services
        ]
        fine &= np.array(matters, np.bool_)[inverse]
        return fine


def _distinct(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    distinct, inverse = np.unique(values, return_inverse=True)
    return distinct, inverse.reshape(-1)


def grouped(masks: Sequence[NDArray[np.bool_]], size: int) -> NDArray[np.int64]:
    """A number by column for `size` columns: equal columns of the masks get equal numbers."""
    packed = np.packbits(np.array(masks, np.bool_).reshape(len(masks), size), axis=0).T
    if not packed.shape[1]:
        return np.zeros(size, np.int64)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").reshape(-1)
    _, numbers = np.unique(keys, return_inverse=True)
    return numbers.reshape(-1)
