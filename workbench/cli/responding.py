"""Options of `respond` and `replay`. Imports nothing heavy."""

import argparse

from workbench.cli.words import names

ANSWERS = ("guardrail", "narrow", "quarantine")


def respond(parser: argparse.ArgumentParser) -> None:
    """What to do about one finding."""
    parser.add_argument("finding", metavar="FINDING", help="its id, as `findings` shows it")
    wanted = parser.add_mutually_exclusive_group(required=True)
    helps = (
        "assert that it never happens again",
        "take it out of the rules that let it through; protect an end where neither is",
        "allow the host nothing but what --admin names",
    )
    for name, text in zip(ANSWERS, helps, strict=True):
        wanted.add_argument(f"--{name}", dest="answer", action="store_const", const=name, help=text)
    parser.add_argument(
        "--wide", action="store_true", help="with --guardrail: between the segments of the ends"
    )
    parser.add_argument(
        "--without",
        choices=("exact", "client", "server", "service"),
        default="exact",
        help="with --narrow: what the rules lose; exact (unless told): this traffic alone",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="with --narrow: where it protects an end, allow what worked before the intrusion",
    )
    parser.add_argument(
        "--admin",
        dest="admins",
        action="append",
        default=[],
        metavar="SEGMENT|ADDRESS",
        help="with --quarantine: may still get there (repeat)",
    )
    parser.add_argument(
        "--services",
        type=names,
        metavar="SERVICE[,SERVICE]",
        help="with --quarantine: on these; any unless told",
    )
    parser.add_argument(
        "--host", default="", metavar="HOST", help="with --quarantine: this one instead"
    )
    parser.add_argument("--save", action="store_true", help="make the edit, and save the draft")
    _look(parser)


def replay(parser: argparse.ArgumentParser) -> None:
    """Which intrusion, under which policy."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--findings",
        type=names,
        default=(),
        metavar="ID[,ID]",
        help="these; all of high confidence unless told",
    )
    which.add_argument("--host", default="", metavar="HOST", help="the story of one host")
    parser.add_argument(
        "--policy",
        choices=("none", "saved", "draft", "baseline"),
        default="draft",
        help="baseline: what the traffic before the intrusion asks for, and nothing else",
    )
    parser.add_argument(
        "--before", default="", metavar="TIME", help="with --policy baseline: it ends here"
    )
    parser.add_argument(
        "--every", action="store_true", help="a row for each step, also where many are alike"
    )
    _look(parser)


def _look(parser: argparse.ArgumentParser) -> None:
    """As `findings` takes it: which findings there are hangs on it."""
    earlier = parser.add_mutually_exclusive_group()
    earlier.add_argument(
        "--baseline", default="", metavar="TIME", help="findings as with this baseline"
    )
    earlier.add_argument(
        "--against", default="", metavar="CAPTURE", help="findings as against these captures"
    )
