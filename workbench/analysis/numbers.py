"""Services as numbers, protocol << 16 | port: they sort, are searched, and make sets."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.model.net import ANY_PROTOCOL, ServiceRange


def span(service: ServiceRange) -> tuple[int, int]:
    """First and last number of a range."""
    if service.protocol == ANY_PROTOCOL:
        return 0, (1 << 24) - 1
    return service.protocol << 16 | service.first, service.protocol << 16 | service.last


def numbers(protocol: NDArray[Any], port: NDArray[Any]) -> NDArray[np.int64]:
    """Of columns of a table, row by row."""
    found = protocol.astype(np.int64)
    found <<= 16
    found |= port
    return found


def within(
    protocol: NDArray[Any], port: NDArray[Any], services: Iterable[ServiceRange]
) -> NDArray[np.bool_]:
    """Which rows are of any of the services, which may overlap: as `ServiceRange.covers`."""
    found = np.zeros(len(port), dtype=np.bool_)
    for piece in services:
        inside = (port >= piece.first) & (port <= piece.last)
        if piece.protocol != ANY_PROTOCOL:
            inside &= protocol == piece.protocol
        found |= inside
    return found


def pair(number: int) -> tuple[int, int]:
    """Protocol and port again."""
    return number >> 16, number & 0xFFFF
