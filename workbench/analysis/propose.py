"""The rule that would allow what the user points at."""

import numpy as np

from workbench.analysis.evidence import Draft, Rows, services_of
from workbench.analysis.homes import homes
from workbench.analysis.suggest import propose_rules
from workbench.model.errors import InputError
from workbench.model.policy import Policy
from workbench.model.simulation import Simulation, Suggestion
from workbench.model.site import Inventory


def propose(simulation: Simulation, policy: Policy, inventory: Inventory, rows: Rows) -> Suggestion:
    """One rule, segment → segment, that allows the conversations `rows` (indexes).

    Hosts without a segment get one that lists exactly them, in `Suggestion.policy`. Everything
    chosen is in the rule, whatever its outcome; the caution says what is doubtful. Raises
    InputError when nothing is chosen.
    """
    if not len(rows):
        raise InputError("no conversation is selected: there is nothing to allow")
    table = simulation.table
    clients, servers = np.unique(table["client"][rows]), np.unique(table["server"][rows])
    found = homes(simulation, inventory, np.union1d(clients, servers))
    draft = Draft(
        tuple(np.unique(found.of_host[clients]).tolist()),
        tuple(np.unique(found.of_host[servers]).tolist()),
        services_of(simulation, rows),
        np.asarray(rows, dtype=np.int64),
    )
    return propose_rules(simulation, policy, found, [draft])
