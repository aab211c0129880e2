"""What recorded traffic says about a policy: simulate, compare, suggest, explain."""

from workbench.analysis.changes import changes
from workbench.analysis.complete import complete
from workbench.analysis.grouping import NONE, Grouping, by_host, by_label, by_segment, by_subnet
from workbench.analysis.hosts import host_facts
from workbench.analysis.matrix import matrix
from workbench.analysis.select import select
from workbench.analysis.simulate import Simulator
from workbench.analysis.words import HostWords

__all__ = [
    "NONE",
    "Grouping",
    "HostWords",
    "Simulator",
    "by_host",
    "by_label",
    "by_segment",
    "by_subnet",
    "changes",
    "complete",
    "host_facts",
    "matrix",
    "select",
]
