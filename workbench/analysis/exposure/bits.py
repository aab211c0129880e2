"""Sets of machines as Python integers: bit i is machine i; unions and counts cost nanoseconds."""

from collections.abc import Iterable
from functools import reduce
from operator import or_

import numpy as np
from numpy.typing import NDArray


def bitset(mask: NDArray[np.bool_]) -> int:
    """One bool a machine as an integer."""
    return int.from_bytes(np.packbits(mask, bitorder="little").tobytes(), "little")


def positions(bits: int) -> NDArray[np.int64]:
    """Numbers of the machines in the set, ascending."""
    raw = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
    return np.flatnonzero(np.unpackbits(raw, bitorder="little"))


def union(sets: Iterable[int]) -> int:
    """Everything that is in any of the sets."""
    return reduce(or_, sets, 0)


def lowest(bits: int) -> int:
    """The smallest number in a set that is not empty."""
    return (bits & -bits).bit_length() - 1
