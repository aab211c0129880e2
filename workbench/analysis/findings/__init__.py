"""Findings: what in the recorded traffic looks like an intruder at work."""

from workbench.analysis.findings.detect import SERVICES, detect
from workbench.analysis.findings.document import (
    dump_settings,
    lift,
    load_settings,
    set_threshold,
    suppress,
    update_settings,
)
from workbench.analysis.findings.scene import Scene

__all__ = [
    "SERVICES",
    "Scene",
    "detect",
    "dump_settings",
    "lift",
    "load_settings",
    "set_threshold",
    "suppress",
    "update_settings",
]
