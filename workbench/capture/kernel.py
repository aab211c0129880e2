"""The kernels in their order: link, decoding, fragments. And whether they are compiled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.capture import (
    deal,
    decode,
    evidence,
    fragments,
    framing,
    layout,
    link,
    plain,
    radio,
    table,
    tally,
    tunnel,
    underlay,
    wifi,
    wrapper,
)
from workbench.capture.decoding import PacketDecoder
from workbench.capture.links import ethertype_name, unknown_link
from workbench.capture.reader import Block


def kernel_compiled() -> bool:
    """False where the kernel runs as plain Python: the same results, a hundredth of the speed."""
    parts = (
        *(framing, plain, wrapper, link, wifi, decode, evidence, radio, tunnel, underlay),
        *(fragments, deal, table, tally),
    )
    return not any(str(part.__file__).endswith(".py") for part in parts)


def skipped(decoders: Sequence[PacketDecoder], lost_fragments: int) -> dict[str, int]:
    """Reason in words → records that became part of no flow, most frequent first."""
    codes = np.sum([one.skips for one in decoders], axis=0)
    codes[layout.LOST_FRAGMENT] += np.uint64(lost_fragments)
    codes[layout.UNKNOWN_LINK] = 0
    counts: dict[str, int] = {}
    for code in map(int, np.flatnonzero(codes)):
        name = layout.REASONS.get(code) or ethertype_name(code)
        counts[name] = counts.get(name, 0) + int(codes[code])
    links = np.sum([one.unknown_links for one in decoders], axis=0)
    for kind in map(int, np.flatnonzero(links)):
        counts[unknown_link(kind)] = int(links[kind])
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class Kernel:
    """Decodes the blocks of one capture file in their order."""

    def __init__(self) -> None:
        self._decoder = PacketDecoder()
        self._fragments = fragments.Fragments()
        self._packets = np.empty((0, layout.PACKET_WORDS), np.uint64)
        self._count = 0

    def packets(self, block: Block) -> NDArray[np.uint64]:
        """The packets of a block, (n, PACKET_WORDS); valid until the next block."""
        self._count = block.count
        if len(self._packets) < 2 * block.count:
            self._packets = np.empty((2 * block.count, layout.PACKET_WORDS), np.uint64)
        out = self._packets.data
        made = self._decoder.decode(block.buffer, block.records, block.count, out)
        self._fragments.join(out, made)
        return self._packets[:made]

    def records(self) -> NDArray[np.int64]:
        """For each of the last block's packets the number of its record."""
        rows = np.ones(self._count, np.int64)
        rows[self._decoder.general] = 2
        return np.repeat(np.arange(self._count), rows)
