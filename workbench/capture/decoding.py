"""Blocks of records to rows of packets: the decoding kernels in their order.

Most packets are plain and done in one pass. The others go through the general kernels: link (and
wireless) headers, IP, then round by round what is inside of their tunnels. A packet counts to the
innermost flow that can be read; who carried it is kept as a number in the list of tunnels.
"""

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workbench.capture import layout
from workbench.capture.decode import Decoder
from workbench.capture.evidence import Evidence
from workbench.capture.link import LinkDecoder
from workbench.capture.plain import Plain
from workbench.capture.radio import Radio
from workbench.capture.tunnel import Tunnels
from workbench.capture.underlay import Underlay
from workbench.capture.wifi import WifiDecoder
from workbench.capture.wrapper import Wrappers

Words = NDArray[np.uint64]
MAX_TUNNELS = 8
"""Tunnels inside of one another that are looked into."""


class PacketDecoder:
    """Decodes blocks of one capture file, in any order. Holds no state that threads share."""

    def __init__(self) -> None:
        self._plain = Plain()
        self._wrappers = Wrappers()
        self._links, self._inner_links = LinkDecoder(), LinkDecoder()
        self._wifi, self._inner_wifi = WifiDecoder(), WifiDecoder()
        self._decoder = Decoder()
        self._evidence, self._radio, self._headers = Evidence(), Radio(), Tunnels()
        self.underlay = Underlay(int.from_bytes(os.urandom(8)))
        """The tunnels that this decoder has met; packets carry their numbers."""
        self.pieces = False
        """The last block has fragments, whose ports `Fragments.join` has to find."""
        self.general: Words = np.empty(0, np.uint64)
        """Numbers of the last block's records that have two rows."""
        self._layers, self._inner = (np.empty((0, layout.LAYER_WORDS), np.uint64) for _ in "ab")

    def decode(
        self, buffer: memoryview, records: memoryview, count: int, packets: memoryview
    ) -> int:
        """Fill in rows of `packets`, at most two a record, and IP of the records; returns how many.

        Rows with PACKETS 0 are no packets: blank, or what an ICMP error quotes.
        """
        if len(self._layers) < count:
            self._layers, self._inner = (
                np.empty((count, layout.LAYER_WORDS), np.uint64) for _ in "ab"
            )
        layers, inner = self._layers.data, self._inner.data
        made = self._plain.decode(buffer, records, count, packets, layers)
        left = self._plain.left
        self.general = self.general[:0]
        if left:
            self._wrappers.open(buffer, layers, left)
            self._wifi.open(buffer, layers, left)
            self._links.find(buffer, layers, left)
            found = np.asarray(layers)[:left]
            self.general = found[:, layout.LAY_RECORD].copy()
            np.asarray(records)[self.general, layout.REC_IP] = found[:, layout.REC_IP]
            self._decoder.decode(buffer, layers, left, packets, inner, 0)
        for depth in range(1, MAX_TUNNELS + 1):
            if not (left and self._decoder.noted):
                break
            layers, inner = inner, layers
            self._evidence.find(buffer, layers, self._decoder.noted)
            self._radio.find(buffer, layers, self._decoder.noted)
            left = self._headers.open(buffer, layers, self._decoder.noted, packets)
            self._inner_wifi.open(buffer, layers, left)
            self._inner_links.find(buffer, layers, left)
            self._decoder.decode(buffer, layers, left, packets, inner, depth)
            self.underlay.number(layers, left, packets)
        idents = np.asarray(packets)[:made, layout.PKT_IDENT]
        self.pieces = self._plain.left > 0 and bool(idents.any())  # a fragment is never plain
        return int(made)

    @property
    def decoded(self) -> int:
        """Records so far that became rows, whether or not the ports of a fragment are found."""
        return int(self._plain.decoded + self._decoder.decoded)

    @property
    def skips(self) -> Words:
        """Records left out so far, by number of the reason (layout.REASONS) or EtherType."""
        codes: Words = np.array(self._links.skips)
        for kernel in (self._wifi, self._decoder):
            codes[: len(kernel.skips)] += np.asarray(kernel.skips)
        return codes

    @property
    def unknown_links(self) -> Words:
        """Records left out so far, by unknown link type."""
        return np.array(self._links.links)


class TunnelList:
    """The tunnels of one capture file that several decoders read.

    `renumber` each decoder's packets in file order: then the list, and the numbers that packets
    carry, are the same whatever the number of decoders.
    """

    def __init__(self, before: Words | None = None) -> None:
        """before: rows (n, TUNNEL_WORDS) that an earlier reading of the file has numbered."""
        self._all = Underlay(int.from_bytes(os.urandom(8)))
        if before is not None and len(before):
            self._all.merge(before.data, 0, len(before), np.zeros(len(before) + 1, np.uint64).data)
            np.asarray(self._all.tunnels)[: len(before)] = before
        self._numbers: dict[int, Words] = {}  # by decoder: their numbers → ours
        self._taken: dict[int, int] = {}

    def renumber(self, decoder: PacketDecoder, packets: Words) -> None:
        """Give packets (n, PACKET_WORDS), the last of `decoder`, the numbers of this list."""
        used, key = decoder.underlay.used, id(decoder)
        if not used:
            return
        if key not in self._numbers:
            self._numbers[key] = np.zeros(layout.OTHER_TUNNELS + 1, np.uint64)
            self._numbers[key][layout.OTHER_TUNNELS] = layout.OTHER_TUNNELS
        numbers, taken = self._numbers[key], self._taken.get(key, 0)
        if used > taken:
            self._all.merge(decoder.underlay.tunnels, taken, used, numbers.data)
            self._taken[key] = used
        self._all.renumber(packets.data, len(packets), numbers.data)

    def rows(self, decoders: Sequence[PacketDecoder]) -> Words:
        """All tunnels, (n, TUNNEL_WORDS), with the packets that all decoders counted."""
        rows = np.array(self._all.tunnels)[: self._all.used]
        for decoder in decoders:
            used = decoder.underlay.used
            numbers = self._numbers.get(id(decoder))
            if numbers is None or not used:
                continue
            theirs = np.asarray(decoder.underlay.tunnels)[:used]
            ours = numbers[1 : used + 1].astype(np.int64) - 1
            known = ours < len(rows)
            theirs, ours = theirs[known], ours[known]
            turned = (theirs[:, :4] != rows[ours, :4]).any(axis=1)
            packets = theirs[:, layout.TUN_PACKETS_A : layout.TUN_PACKETS_B + 1].copy()
            packets[turned] = packets[turned, ::-1]
            rows[ours, layout.TUN_PACKETS_A : layout.TUN_PACKETS_B + 1] += packets
        return rows
