"""What recorded traffic says about a policy: simulate, compare, suggest, explain."""

from workbench.analysis.changes import changes
from workbench.analysis.complete import complete
from workbench.analysis.explain import explain
from workbench.analysis.grouping import NONE, Grouping, by_host, by_label, by_segment, by_subnet
from workbench.analysis.guardrails import BrokenGuardrail, check, newly_broken
from workbench.analysis.hosts import host_facts
from workbench.analysis.matrix import matrix
from workbench.analysis.propose import propose
from workbench.analysis.select import select
from workbench.analysis.simulate import Simulator
from workbench.analysis.suggest import suggest
from workbench.analysis.words import HostWords

__all__ = [
    "NONE",
    "BrokenGuardrail",
    "Grouping",
    "HostWords",
    "Simulator",
    "by_host",
    "by_label",
    "by_segment",
    "by_subnet",
    "changes",
    "check",
    "complete",
    "explain",
    "host_facts",
    "matrix",
    "newly_broken",
    "propose",
    "select",
    "suggest",
]
