"""Command lines that print the same figures."""

import shlex

from workbench.model.report import Report


def command(report: Report, name: str, *words: str) -> str:
    """`workbench simulate site --where …`, ready to paste beside the workspace."""
    return shlex.join(("workbench", name, report.workspace, *words))
