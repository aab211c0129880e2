"""Options of `segment` and `allow`. Imports nothing heavy."""

import argparse

from workbench.cli.words import names

SEGMENTS = "SEGMENT[,SEGMENT]"


def segment(parser: argparse.ArgumentParser) -> None:
    """Which hosts are in it, and whether it is protected."""
    parser.add_argument("name", metavar="NAME", help="a new one, or one to define anew")
    parser.add_argument(
        "--match",
        action="append",
        default=[],
        metavar="KEY=VALUE[,VALUE]",
        help="hosts with one of these values of a label (repeat: all keys must fit)",
    )
    parser.add_argument(
        "--cidr", action="append", default=[], metavar="CIDR", help="hosts in it (repeat)"
    )
    parser.add_argument(
        "--except",
        dest="excepts",
        action="append",
        default=[],
        metavar="CIDR",
        help="but not those in it (repeat)",
    )
    parser.add_argument(
        "--protect",
        choices=("both", "ingress", "egress"),
        help="judge what comes in, what goes out, or both; as it was unless told",
    )


def allow(parser: argparse.ArgumentParser) -> None:
    """One rule."""
    parser.add_argument("--id", required=True, help="the rule's id, such as web-to-db")
    parser.add_argument(
        "--from",
        type=names,
        dest="clients",
        required=True,
        metavar=SEGMENTS,
        help="the clients; or any",
    )
    parser.add_argument(
        "--to",
        type=names,
        dest="servers",
        required=True,
        metavar=SEGMENTS,
        help="the servers; or any",
    )
    parser.add_argument(
        "--services",
        type=names,
        required=True,
        metavar="SERVICE[,SERVICE]",
        help="tcp/443, udp/2222-2230, icmp/echo-request, a name of the policy …; or any",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; for whoever reads it")
    parser.add_argument("--expires", metavar="YYYY-MM-DD", help="last day it allows anything")
