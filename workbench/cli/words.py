"""Single words of the command line: what they mean, and how wrong ones are told."""

import argparse
from pathlib import Path
from typing import Any, NoReturn

from workbench.model.packets import brief, printable

FLOW_ORDER = (
    "id", "first_seen", "last_seen", "client", "server", "protocol", "client_port", "server_port",
    "packets", "packets_to_server", "packets_to_client", "bytes", "bytes_to_server",
    "bytes_to_client", "outcome", "direction", "vlan", "capture",
)  # fmt: skip
CONVERSATION_ORDER = (
    "client", "server", "protocol", "server_port", "flows", "packets", "bytes", "first_seen",
    "last_seen", "outcome", "direction", "class",
)  # fmt: skip
"""What conversations can be sorted by, and FLOW_ORDER flows, in the words they are printed with."""


MAY_BE_EMPTY = ("where", "reason")
"""Options of which no words mean none. Of others they come from an unset variable of a script."""
NAMELESS = "an empty text names nothing"


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
        told = values if isinstance(values, list) else [values]
        if "" in told and self.dest not in MAY_BE_EMPTY:
            raise argparse.ArgumentError(self, NAMELESS)
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


def listed(text: str) -> tuple[str, ...]:
    """`web, db` and `web,db,` are web and db."""
    return tuple(one for part in text.split(",") if (one := part.strip()))


def names(text: str) -> tuple[str, ...]:
    """A list that is not empty."""
    found = listed(text)
    if not found:
        raise argparse.ArgumentTypeError(NAMELESS)
    return found


def count(text: str) -> int:
    """A number that a store can hold."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up")
    return int(text)


def sort_by(parser: argparse.ArgumentParser, columns: tuple[str, ...], usual: str) -> None:
    """`--sort`, with its columns in the help text."""
    parser.add_argument(
        "--sort",
        default=usual,
        metavar="COLUMN",
        help=f"{usual} unless told; one of {', '.join(columns)}",
    )
