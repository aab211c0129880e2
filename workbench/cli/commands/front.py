"""The commands that open a front end."""

import sys

from workbench.cli.commands.opening import Options
from workbench.model.errors import InputError


def demo(options: Options) -> int:
    """The demo site: the interface on a terminal, the headless walk elsewhere."""
    from workbench.cli.demo import run_demo

    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return run_demo(options.keep, headless=options.headless or not terminal)


def open(options: Options) -> int:  # noqa: A001 - named as the command is
    """The terminal interface."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("`workbench open` needs a terminal; the other commands do not")
    from workbench.tui import run

    return run(options.workspace, tuple(options.captures))
