"""Session: the one object a front end holds.

Names are imported when first used: `workbench ingest` needs neither policies nor analysis, and what
it does not import it does not wait for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.analysis import BrokenGuardrail
    from workbench.capture import kernel_compiled
    from workbench.session.folder import is_workspace, workspace_folder
    from workbench.session.following import follow_folder
    from workbench.session.imports import read_hosts
    from workbench.session.ingest import ingest_folder
    from workbench.session.reportfile import write_report
    from workbench.session.reporting import Wish
    from workbench.session.session import Session
    from workbench.session.summary import Summary

__all__ = [
    "BrokenGuardrail",
    "Session",
    "Summary",
    "Wish",
    "follow_folder",
    "ingest_folder",
    "is_workspace",
    "kernel_compiled",
    "read_hosts",
    "workspace_folder",
    "write_report",
]

_HOMES = {
    "BrokenGuardrail": "workbench.analysis",
    "Session": "workbench.session.session",
    "Summary": "workbench.session.summary",
    "Wish": "workbench.session.reporting",
    "follow_folder": "workbench.session.following",
    "ingest_folder": "workbench.session.ingest",
    "is_workspace": "workbench.session.folder",
    "kernel_compiled": "workbench.capture",
    "read_hosts": "workbench.session.imports",
    "workspace_folder": "workbench.session.folder",
    "write_report": "workbench.session.reportfile",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
