"""What production would feel: services that somebody uses today and the policy blocks."""

import numpy as np
from numpy.typing import NDArray

from workbench.model.simulation import Simulation
from workbench.model.verdict import Class


def losses(simulation: Simulation) -> tuple[NDArray[np.int64], ...]:
    """Rows of the table that would be blocked, one array for each service of each server.

    The services that most clients would miss come first, then those with most flows and bytes; the
    clients of each likewise.
    """
    table = simulation.table
    rows = np.flatnonzero(simulation.classes == Class.WOULD_BLOCK)
    order = np.lexsort((rows, -table["bytes"][rows], -table["flows"][rows]))
    rows = rows[order]
    keys = np.stack([table[name][rows] for name in ("protocol", "port", "server")])
    _, group = np.unique(keys, axis=1, return_inverse=True)
    group = group.reshape(-1)
    clients = np.bincount(group)  # a conversation is one client of the service
    flows = np.bincount(group, table["flows"][rows])
    octets = np.bincount(group, table["bytes"][rows])
    ranked = np.lexsort((np.arange(len(clients)), -octets, -flows, -clients))
    place = np.empty_like(ranked)
    place[ranked] = np.arange(len(ranked))
    sorted_rows = rows[np.argsort(place[group], kind="stable")]
    return tuple(np.split(sorted_rows, np.cumsum(clients[ranked])[:-1])) if len(rows) else ()
