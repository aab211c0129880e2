"""Reports of vulnerability scanners: read as a stream, and given to the hosts they mean."""

from workbench.inventory.scanners.collecting import collect, merge
from workbench.inventory.scanners.document import (
    MAX_KEPT,
    dump_vulnerabilities,
    load_vulnerabilities,
)
from workbench.inventory.scanners.owners import Owners
from workbench.inventory.scanners.report import Report, read_report

__all__ = [
    "MAX_KEPT",
    "Owners",
    "Report",
    "collect",
    "dump_vulnerabilities",
    "load_vulnerabilities",
    "merge",
    "read_report",
]
