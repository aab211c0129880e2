"""A-MSDUs, in which 802.11 sends several frames at once: each frame becomes a record of its own.

So whatever follows may go on to expect one packet of a record. The frames keep the time and offset
of their record.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from workbench.capture import layout
from workbench.capture.reader import ROOM, Block
from workbench.capture.wifi import WifiDecoder
from workbench.capture.wrapper import Wrappers


def unfolded(block: Block) -> Iterator[Block]:
    """The block, or where there may be A-MSDUs others of at most ROOM records in its place."""
    wrappers = Wrappers()
    if not (block.wireless and wrappers.wireless(block.buffer, block.records, block.count)):
        yield block
        return
    opened = np.array(block.records).data
    wrappers.open(block.buffer, opened, block.count)
    wifi = WifiDecoder()
    while True:
        records = np.zeros((ROOM, layout.RECORD_WORDS), np.uint64).data
        count = wifi.unfold(block.buffer, block.records, block.count, opened, records)
        if not count:
            return
        yield replace(block, records=records, count=count, wireless=False)
