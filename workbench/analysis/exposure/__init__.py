"""How far an intruder gets, under any policy: figures, blast radius, paths, choke points."""

from workbench.analysis.exposure.between import Between
from workbench.analysis.exposure.bits import bitset, positions, union
from workbench.analysis.exposure.chokes import Chokes
from workbench.analysis.exposure.figures import Picture
from workbench.analysis.exposure.machines import NOBODY, Machines, machines_of
from workbench.analysis.exposure.openings import allowed, seen, services_bits
from workbench.analysis.exposure.paths import Ways
from workbench.analysis.exposure.traffic import risky_traffic

__all__ = [
    "NOBODY",
    "Between",
    "Chokes",
    "Machines",
    "Picture",
    "Ways",
    "allowed",
    "bitset",
    "machines_of",
    "positions",
    "risky_traffic",
    "seen",
    "services_bits",
    "union",
]
