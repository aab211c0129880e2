"""What each command does: open the session, ask it, print. One function a command.

A command imports what it needs when it runs: loading captures must not wait for the analysis.
"""

from argparse import Namespace
from importlib import import_module

JOBS = {
    "draft": ("allow", "revoke", "suggest"),
    "export": ("export", "verify"),
    "exposure": ("exposure",),
    "front": ("demo", "open"),
    "hunt": ("findings",),
    "judge": ("check", "diff", "explain", "simulate"),
    "load": ("ingest",),
    "name": ("import_hosts", "label", "name", "segment"),
    "recordings": ("captures",),
    "report": ("report",),
    "respond": ("replay", "respond"),
    "see": ("conversations", "dissect", "flows", "hosts", "matrix"),
    "vulnerabilities": ("vulnerabilities",),
}
"""Module → its commands."""


def run(options: Namespace) -> int:
    """The command that was asked for; returns its exit status."""
    [job] = [job for job, commands in JOBS.items() if options.run in commands]
    status: int = getattr(import_module(f"{__name__}.{job}"), options.run)(options)
    return status
