"""Single words of the command line: what they mean, and how wrong ones are told."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from workbench.model.packets import brief, printable


class Once(argparse.Action):
    """An option that holds one thing: of two, argparse would take the last and drop the other."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - as argparse calls it
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        given = vars(namespace).setdefault("given", set())
        if option_string and self.dest in given:
            raise argparse.ArgumentError(self, "given twice")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """Its own subcommands are of this class too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, Once)  # what an option is unless it says otherwise

    def error(self, message: str) -> NoReturn:
        """argparse repeats words as they came: a script may have passed on a name from a packet."""
        super().error(printable(brief(message), 2000))


def path(text: str) -> Path:
    """No text is no path: an unset variable of a script must not mean the folder we are in."""
    if not text:
        raise argparse.ArgumentTypeError("an empty path names nothing; write . for this folder")
    return Path(text)


def count(text: str) -> int:
    """A number that a store can hold."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)
