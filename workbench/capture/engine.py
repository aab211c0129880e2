"""Every core on one capture, with the same flows whatever their number.

Blocks are framed in file order by whichever thread is free, and decoded side by side. A dealer
hands the packets of a block out to the parts of the flow table, by hash; one thread at a time
counts the packets of all blocks into a part, in file order. So only finished rows are merged.

The work goes in rounds of a fixed number of records. Between two rounds no thread works, and where
the flows have become twice as many as were left the last time, those that are over are handed on;
only where more than `capacity` are left, the longest silent go as well, so memory is bounded
whatever the capture holds. What a round hands on depends on the records alone.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from threading import Condition, Thread

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.deal import Dealer
from workbench.capture.decoding import PacketDecoder, TunnelList
from workbench.capture.ends import Bools, Rows
from workbench.capture.fragments import Fragments
from workbench.capture.kernel import skipped
from workbench.capture.memory import on_a_page
from workbench.capture.reader import ROOM, Block
from workbench.capture.recording import tunnel_rows, tunnels
from workbench.capture.table import FlowTable
from workbench.model.net import TCP
from workbench.model.recording import Tunnel
from workbench.model.traffic import LINGER, FlowColumns

MAX_FLOWS = 1 << 20
"""Flows that may go on into the next round (128 bytes each)."""
ROUND = 1 << 20
"""Records in a round."""
MAX_THREADS = 16
FEW = 1 << 17
"""Flows (16 MiB) below which nobody looks for those that are over."""
_SLICE = 1 << 15
"""Rows handed on at a time: 4 MiB, which stay in the processor's cache while they become columns,
and are enough for threads to work side by side."""


class _Job(Enum):
    """What a thread may do beside counting."""

    DECODE = auto()
    """Frame the next block and decode it."""
    READ = auto()
    """Another one is framing: read on meanwhile."""


@dataclass(slots=True)
class _Dealt:
    """A block on its way: decoded, then counted by every part."""

    block: Block | None
    """None on the shelf."""
    packets: NDArray[np.uint64]
    """Flat rows, layout.PACKET_WORDS each."""
    hashes: NDArray[np.uint64]
    order: NDArray[np.uint32]
    """(parts, room): the packets of each part."""
    sizes: NDArray[np.int64]
    dealt: bool = False
    waiting: int = 0
    """Parts that have not counted it yet."""


class Engine:
    """The threads, kernels and flow table of one capture file."""

    def __init__(
        self,
        before_block: Callable[[], None],
        ahead: Callable[[], bool],
        in_order: Callable[[Block], None],
        finish: Callable[[Rows], FlowColumns],
        on_flows: Callable[[FlowColumns], None],
        *,
        threads: int | None = None,
        capacity: int = MAX_FLOWS,
        before: Sequence[Tunnel] = (),
        fragments: Fragments | None = None,
    ) -> None:
        """before_block: called by any thread, and may raise. ahead: called by a thread that would
        wait otherwise; reads on ahead of the blocks, False where there is nothing to do. in_order:
        called with each block once it is decoded, in file order, by any thread. finish: rows of
        flows to columns, in any thread. on_flows: called with them, in order of their first
        packets, by the thread that calls `run`. before: tunnels that an earlier reading of the
        file has met. fragments: of the files before."""
        self._before_block = before_block
        self._ahead = ahead
        self._in_order = in_order
        self._finish = finish
        self._on_flows = on_flows
        self._capacity = capacity
        self._threads = threads or min(len(os.sched_getaffinity(0)), MAX_THREADS)
        seed = int.from_bytes(os.urandom(8))
        parts = self._threads
        room = 2 * (capacity + ROUND + ROOM) // (parts + 1)  # more than a share; a part may grow
        self._tables = [FlowTable(room) for _ in range(parts)]
        self._dealer = Dealer(parts, seed)
        self._fragments = fragments or Fragments()
        self._fragments.carry_on()
        self._tunnels = TunnelList(tunnel_rows(before))
        self._decoders = [PacketDecoder() for _ in range(parts)]
        self.crowded = False
        """Flows that were not over have been handed on."""
        self.rounds = 0
        self._stayed = 0  # flows that were left the last time
        self._blocks: Iterator[Block] = iter(())
        self._turn = Condition()
        self._ways: dict[int, _Dealt] = {}  # by number of the block
        self._shelf: list[_Dealt] = []
        self._next = [0] * parts  # the block that each part counts next
        self._taken = [False] * parts  # somebody is counting
        self._framed = self._joined = 0
        self._left = 0  # records that this round still takes
        self._framing = self._ended = self._closed = False
        self._failure: BaseException | None = None

    @property
    def decoded(self) -> int:
        """Records so far that became part of a flow."""
        return sum(one.decoded for one in self._decoders) - int(self._fragments.lost)

    def skipped(self) -> dict[str, int]:
        """Reason in words → records that became part of no flow, most frequent first."""
        return skipped(self._decoders, int(self._fragments.lost))

    def tunnels(self) -> tuple[Tunnel, ...]:
        """Those met so far, in earlier readings too; flows carry their numbers, from 1."""
        return tunnels(self._tunnels.rows(self._decoders))

    def run(self, blocks: Iterator[Block]) -> None:
        """Take in all blocks. Raises what reading them or a callback raises."""
        self._blocks = blocks
        helpers = [
            Thread(target=self._work, args=(me,), name=f"decode-{me}", daemon=True)
            for me in range(1, self._threads)
        ]
        for thread in helpers:
            thread.start()
        try:
            while not self._ended:
                with self._turn:
                    self._left = ROUND
                    self._turn.notify_all()
                self._work(0)
                if self._failure is not None:
                    raise self._failure
                self._hand_on(last=self._ended)
                self.rounds += 1
        finally:
            with self._turn:
                self._closed = True
                self._turn.notify_all()
            for thread in helpers:
                thread.join()

    # ── what the threads do ────────────────────────────────────────────────────────────────

    def _work(self, me: int) -> None:
        """Count and decode as long as there is something to do; thread 0: until the round ends."""
        spare = True  # it may be worth while to read ahead
        try:
            while (job := self._job(me, spare)) is not None:
                if job is _Job.READ:
                    spare = self._ahead()
                    continue
                if job is _Job.DECODE:
                    self._decode(me)
                else:
                    self._count(job)
                spare = True
        except BaseException as error:  # raised again by `run`
            with self._turn:
                self._failure = self._failure or error
                self._turn.notify_all()

    def _job(self, me: int, spare: bool) -> "int | _Job | None":
        """The part that is to be counted, or what else there is to do; None at the end."""
        parts = range(self._threads)
        with self._turn:
            while True:
                if self._closed or self._failure is not None:
                    return None
                if self._claim(me):  # it may still be in this processor's cache
                    return me
                if self._left > 0 and not self._framing and len(self._ways) < self._threads + 2:
                    self._framing = True
                    return _Job.DECODE
                if (part := next(filter(self._claim, parts), None)) is not None:
                    return part
                if me == 0 and self._left <= 0 and not self._framing and not self._ways:
                    return None
                if spare and self._framing:
                    return _Job.READ
                self._turn.wait()

    def _claim(self, part: int) -> bool:
        """Take a part whose next block is dealt, unless somebody has it."""
        way = self._ways.get(self._next[part])
        if way is None or not way.dealt or self._taken[part]:
            return False
        self._taken[part] = True
        return True

    def _count(self, part: int) -> None:
        way = self._ways[self._next[part]]
        size = int(way.sizes[part])
        order = way.order[part].data
        table, at = self._tables[part], 0
        while (at := table.add(way.packets.data, way.hashes.data, order, at, size)) < size:
            table.grow()  # a part may get more than its share: the same ports, used again and again
        with self._turn:
            self._taken[part] = False
            way.waiting -= 1
            if not way.waiting:
                way.block = None
                del self._ways[self._next[part]]
                self._shelf.append(way)
            self._next[part] += 1
            self._turn.notify_all()

    def _decode(self, me: int) -> None:
        self._before_block()
        block = next(self._blocks, None)
        with self._turn:
            self._framing = False
            if block is None:
                self._left, self._ended = 0, True
                self._turn.notify_all()
                return
            self._left -= block.count
            number, self._framed = self._framed, self._framed + 1
            way = self._ways[number] = self._way(block)
            self._turn.notify_all()
        decoder = self._decoders[me]
        rows = way.packets.reshape(-1, layout.PACKET_WORDS)
        made = decoder.decode(block.buffer, block.records, block.count, rows.data)
        with self._turn:
            while self._joined < number and self._failure is None:
                self._turn.wait()
            if self._failure is not None:  # nothing may come out of its turn
                return
        self._tunnels.renumber(decoder, rows[:made])
        if decoder.pieces:
            self._fragments.join(rows.data, made)
        self._in_order(block)
        with self._turn:
            self._joined += 1
            self._turn.notify_all()
        self._dealer.deal(way.packets.data, made, way.hashes.data, way.order.data, way.sizes.data)
        with self._turn:
            way.dealt = True
            self._turn.notify_all()

    def _way(self, block: Block) -> _Dealt:
        """Arrays with room for a block, used before where there are some."""
        room = 2 * block.count
        while self._shelf:
            way = self._shelf.pop()
            if len(way.hashes) >= room:
                way.block, way.dealt = block, False
                way.waiting = self._threads
                return way
        room = max(room, 2 * ROOM)
        return _Dealt(
            block,
            on_a_page(room * layout.PACKET_WORDS, np.uint64),
            on_a_page(room, np.uint64),
            on_a_page((self._threads, room), np.uint32),
            np.empty(self._threads, np.int64),
            waiting=self._threads,
        )

    # ── between rounds ─────────────────────────────────────────────────────────────────────

    def _hand_on(self, last: bool) -> None:
        held: list[Rows] = [table.flows[: table.used] for table in self._tables]
        if last:
            self._emit(held, [np.arange(len(rows)) for rows in held])
            return
        if sum(map(len, held)) <= min(max(FEW, 2 * self._stayed), self._capacity):
            return
        keep = self._staying(held)
        self._emit(held, [np.flatnonzero(~one) for one in keep])
        for table, one in zip(self._tables, keep, strict=True):
            if not one.all():
                order = np.flatnonzero(one).astype(np.uint64)
                table.keep(order.data, len(order))
        self._stayed = sum(table.used for table in self._tables)

    def _staying(self, held: list[Rows]) -> list[Bools]:
        """Flows that are not over, as many of them as may stay."""
        lasts = np.concatenate([rows[:, layout.FLOW_LAST] for rows in held])
        now = _now(lasts)
        keep = [~_over(rows, now) for rows in held]
        kept = lasts[np.concatenate(keep)]
        if len(kept) <= self._capacity:
            return keep
        self.crowded = True
        oldest = np.partition(kept, -self._capacity // 2)[-self._capacity // 2]
        return [
            one & (rows[:, layout.FLOW_LAST] > oldest) for rows, one in zip(held, keep, strict=True)
        ]

    def _emit(self, held: list[Rows], leaving: list[NDArray[np.int64]]) -> None:
        """Hand on rows of all parts, in order of the first packet, a slice at a time."""
        parts = np.repeat(np.arange(len(held)), [len(rows) for rows in leaving])
        rows = np.concatenate(leaving)

        def column(word: int) -> NDArray[np.uint64]:
            return np.concatenate([held[p][at, word] for p, at in enumerate(leaving)])

        first = column(layout.FLOW_FIRST_OFFSET)
        order = np.argsort(first, kind="stable")
        if (first[order[1:]] == first[order[:-1]]).any():  # several packets of one record
            order = np.lexsort((*map(column, range(layout.FLOW_WHO + 1)), first))

        def finished(begin: int) -> FlowColumns:
            some = order[begin : begin + _SLICE]
            out = np.empty((len(some), layout.FLOW_WORDS), np.uint64)
            for part, whole in enumerate(held):
                mine = parts[some] == part
                out[mine] = whole[rows[some[mine]]]
            return self._finish(out)

        with ThreadPoolExecutor(self._threads, "finish") as pool:
            going: deque[Future[FlowColumns]] = deque()
            for begin in range(0, len(order), _SLICE):
                going.append(pool.submit(finished, begin))
                if len(going) > self._threads:
                    self._on_flows(going.popleft().result())
            for one in going:
                self._on_flows(one.result())


def _now(lasts: NDArray[np.uint64]) -> np.uint64:
    """The time before which nine tenths of the flows were last seen.

    A clock that is wrong for a few packets does not end everything else.
    """
    tenth = len(lasts) * 9 // 10
    return np.uint64(np.partition(lasts, tenth)[tenth])


def _over(rows: Rows, now: np.uint64) -> Bools:
    """Flows that nothing more can be added to, as the table itself would decide it."""
    late = rows[:, layout.FLOW_LAST] + np.uint64(LINGER) < now
    tcp = rows[:, layout.FLOW_WHO] >> np.uint64(32) == TCP
    marks = rows[:, layout.FLOW_MARKS]
    closed = (marks & np.uint64(layout.CLOSED)) == layout.CLOSED
    reset = (marks & np.uint64(layout.RESET)) != 0
    left = (marks & np.uint64(layout.LEFT)) != 0
    return np.asarray(left | late & (~tcp | closed | reset))
