"""What recorded traffic says about a policy: simulate, compare, suggest, explain."""

from workbench.analysis.changes import changes
from workbench.analysis.hosts import host_facts
from workbench.analysis.simulate import Simulator

__all__ = ["Simulator", "changes", "host_facts"]
