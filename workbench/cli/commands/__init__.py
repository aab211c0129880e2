"""What each command does: open the session, ask it, print. One function a command."""

from workbench.cli.commands.draft import allow, revoke, suggest
from workbench.cli.commands.export import export, verify
from workbench.cli.commands.front import demo, open  # noqa: A004 - named as the command is
from workbench.cli.commands.judge import check, diff, explain, simulate
from workbench.cli.commands.load import captures, ingest
from workbench.cli.commands.name import import_hosts, label, name, segment
from workbench.cli.commands.see import conversations, dissect, flows, hosts, matrix

__all__ = [
    "allow",
    "captures",
    "check",
    "conversations",
    "demo",
    "diff",
    "dissect",
    "explain",
    "export",
    "flows",
    "hosts",
    "import_hosts",
    "ingest",
    "label",
    "matrix",
    "name",
    "open",
    "revoke",
    "segment",
    "simulate",
    "suggest",
    "verify",
]
