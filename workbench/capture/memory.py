"""Arrays that begin where the processor likes them to."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

PAGE = 1 << 12
"""Bytes. Where memory begins 1 to 31 bytes further into its page than what is copied there, as
malloc's does, AMD processors copy out of the page cache at a fifth to half of the speed (measured:
3 to 8 GB/s, else 16). And no row of 64 bytes lies in two cache lines."""


def on_a_page(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array like np.empty, the first byte of which is the first of a page."""
    shape = (shape,) if isinstance(shape, int) else shape
    kind = np.dtype(dtype)
    size = prod(shape) * kind.itemsize
    room = np.empty(size + PAGE, np.uint8)
    skip = -room.ctypes.data % PAGE
    return room[skip : skip + size].view(kind).reshape(shape)
