"""The kernels in their order: link, decoding, fragments. And whether they are compiled."""

import numpy as np
from numpy.typing import NDArray

from workbench.capture import decode, fragments, framing, layout, link, table, tally
from workbench.capture.links import ethertype_name, unknown_link
from workbench.capture.reader import ROOM, Block


def kernel_compiled() -> bool:
    """False where the kernel runs as plain Python: the same results, a hundredth of the speed."""
    parts = (framing, link, decode, fragments, table, tally)
    return not any(str(part.__file__).endswith(".py") for part in parts)


class Kernel:
    """Decodes the blocks of one capture file, in order."""

    def __init__(self) -> None:
        self._links = link.LinkDecoder()
        self._decoder = decode.Decoder()
        self._fragments = fragments.Fragments()
        self._packets = np.empty((2 * ROOM, layout.PACKET_WORDS), np.uint64)

    def packets(self, block: Block) -> NDArray[np.uint64]:
        """The packets of a block, (n, PACKET_WORDS); valid until the next block."""
        out = self._packets.data
        self._links.find(block.buffer, block.records, block.count)
        made = self._decoder.decode(block.buffer, block.records, block.count, out)
        self._fragments.join(out, made)
        return self._packets[:made]

    @property
    def decoded(self) -> int:
        """Records so far that became part of a flow."""
        return int(self._decoder.decoded - self._fragments.lost)

    def skipped(self) -> dict[str, int]:
        """Reason in words → records that became part of no flow, most frequent first."""
        codes = np.array(self._links.skips)
        codes[: len(self._decoder.skips)] += np.asarray(self._decoder.skips)
        codes[layout.LOST_FRAGMENT] += np.uint64(self._fragments.lost)
        codes[layout.UNKNOWN_LINK] = 0
        counts: dict[str, int] = {}
        for code in map(int, np.flatnonzero(codes)):
            name = layout.REASONS.get(code) or ethertype_name(code)
            counts[name] = counts.get(name, 0) + int(codes[code])
        for kind in map(int, np.flatnonzero(self._links.links)):
            counts[unknown_link(kind)] = int(self._links.links[kind])
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
