"""The commands that open a front end."""

import sys

from workbench.cli.commands.opening import Options
from workbench.model.errors import InputError


def _on_terminal() -> bool:
    """The interface reads keys from stdin and draws on stdout and stderr."""
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))


def demo(options: Options) -> int:
    """The demo site: the interface on a terminal, the headless walk elsewhere."""
    from workbench.cli.demo import run_demo

    return run_demo(options.keep, headless=options.headless or not _on_terminal())


def open(options: Options) -> int:  # noqa: A001 - named as the command is
    """The terminal interface."""
    if not _on_terminal():
        raise InputError("`workbench open` needs a terminal; the other commands do not")
    from workbench.tui import run

    return run(options.workspace, tuple(options.captures))
