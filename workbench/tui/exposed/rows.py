"""The row under the cursor, whatever the page: its details, its gates, its recorded traffic."""

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from workbench.model.exposure import Choke, Gate
from workbench.model.packets import printable
from workbench.model.vulnerability import Exposed, RiskTotal
from workbench.session.guarding import RiskyRow
from workbench.tui.exposed.chokes import choke_parts
from workbench.tui.exposed.paths import Step, closable, closing_parts, step_parts
from workbench.tui.exposed.reach import host_parts
from workbench.tui.exposed.services import service_parts
from workbench.tui.exposed.sheet import Parts
from workbench.tui.exposed.weak import total_parts, weak_parts

if TYPE_CHECKING:
    from workbench.session import Session


def detail_parts(session: "Session", key: Hashable) -> Parts:
    """The panel."""
    if isinstance(key, Step):
        return step_parts(session, key)
    if isinstance(key, Choke):
        return choke_parts(key)
    if isinstance(key, RiskyRow):
        return service_parts(session, key)
    if isinstance(key, Exposed):
        return weak_parts(session, key)
    if isinstance(key, RiskTotal):
        return total_parts(key)
    if isinstance(key, Gate):
        return [("the fewest things that leave no way\n\n", "dim"), *closing_parts((key,))]
    return host_parts(session, str(key))


def gates_of(key: Hashable) -> tuple[Gate, ...]:
    """What lets it through, what an edit can close first."""
    if isinstance(key, Gate):
        return (key,)
    if isinstance(key, Choke):
        return (key.gate,) if key.gate else ()
    if isinstance(key, Step):
        return tuple(sorted(key.hop.gates, key=lambda gate: not closable(gate)))
    return ()


def title_of(key: Hashable) -> str:
    """What its conversations are called."""
    if isinstance(key, Step):
        return f"{printable(key.hop.client)} → {printable(key.hop.server)}"
    if isinstance(key, RiskyRow):
        return key.service.name
    if isinstance(key, Exposed):
        return printable(key.vulnerability.title, 60)
    return "exposure"


def rows_of(session: "Session", key: Hashable) -> Callable[[], NDArray[np.int64]]:
    """Its recorded conversations; looked up when called, in a worker."""
    if isinstance(key, Step):
        return lambda: session.exposure.evidence(key.hop)
    if isinstance(key, Exposed):
        return lambda: session.vulnerabilities.evidence(key.vulnerability)
    if isinstance(key, RiskyRow):
        return lambda: session.risky_rows(key.service.id)
    return lambda: np.zeros(0, np.int64)
