"""Every command and its options. Imports nothing heavy: `--help` is instant."""

import argparse
from collections.abc import Sequence

from workbench import __version__
from workbench.cli import editing, responding
from workbench.cli.words import CONVERSATION_ORDER, FLOW_ORDER, Parser, count, names, path, sort_by

DESCRIPTION = """\
Zero-trust segmentation, offline: load packet captures, see who talks to whom, label hosts, draft an
allow-list, simulate it on the recorded traffic, export it, and prove the export.
"""
FILTER_HELP = "filter line, such as 'client:10.1.0.0/16 service:tcp/445 outcome:refused'"
FORMATS = ("table", "json", "csv")


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser: argparse.ArgumentParser = Parser(
        prog="workbench",
        description=DESCRIPTION,
        epilog="Exit status: 0 done or yes, 1 no, 2 bad input, 130 stopped.",
    )
    parser.add_argument("--version", action="version", version=f"workbench {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _front_ends(commands)
    _loading(commands)
    _queries(commands)
    _naming(commands)
    _drafting(commands)
    _judging(commands)
    _exposing(commands)
    _vulnerabilities(commands)
    _hunting(commands)
    _responding(commands)
    _exporting(commands)
    _reporting(commands)
    return parser


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse; `--where -outcome:refused` works although its value looks like an option."""
    words: list[str] = []
    for word in arguments:
        if words and words[-1] == "--where":
            words[-1] = f"--where={word}"
        else:
            words.append(word)
    return build_parser().parse_args(words)


_Commands = argparse._SubParsersAction  # argparse gives its type no public name


def _command(
    commands: "_Commands[argparse.ArgumentParser]", name: str, text: str, *, workspace: bool = True
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(run=name.replace("-", "_"))
    if workspace:
        parser.add_argument("workspace", type=path, metavar="WORKSPACE", help="workspace folder")
    return parser


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="table unless told",
    )


def _query(parser: argparse.ArgumentParser) -> None:
    _format(parser)
    parser.add_argument("--where", default="", metavar="FILTER", help=FILTER_HELP)
    parser.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help="at most N rows, 0 for all (a table shows 100 unless told, json and csv show all)",
    )


def _front_ends(commands: "_Commands[argparse.ArgumentParser]") -> None:
    demo = _command(commands, "demo", "the whole loop on the demo site", workspace=False)
    demo.add_argument(
        "--keep",
        type=path,
        metavar="FOLDER",
        help="keep the workspace here (else it is gone afterwards)",
    )
    demo.add_argument(
        "--headless",
        action="store_true",
        help="print every step instead of opening the interface (as without a terminal)",
    )
    opened = _command(commands, "open", "open the terminal interface on a workspace")
    opened.add_argument(
        "captures", nargs="*", type=path, metavar="CAPTURE", help="load these first"
    )


def _loading(commands: "_Commands[argparse.ArgumentParser]") -> None:
    ingest = _command(
        commands, "ingest", "load captures (files, folders, globs, - for stdin) into a workspace"
    )
    ingest.add_argument(
        "paths", nargs="+", type=path, metavar="PATH", help="a capture, a folder, 'a glob*' or -"
    )
    ingest.add_argument(
        "--follow", action="store_true", help="go on with what grows or comes, until Ctrl-C"
    )
    ingest.add_argument("--quiet", action="store_true", help="no progress on stderr")
    _format(ingest)
    listed = _command(commands, "captures", "list what is loaded, and what the recordings lack")
    listed.add_argument(
        "capture", nargs="?", metavar="CAPTURE", help="one in full: its id, file name or path"
    )
    listed.add_argument(
        "--dataset",
        action="store_true",
        help="json: an object that judges all of them together too; csv: every remark",
    )
    _format(listed)


def _queries(commands: "_Commands[argparse.ArgumentParser]") -> None:
    _query(_command(commands, "hosts", "list hosts with labels, segments and traffic"))
    flows = _command(commands, "flows", "list flows")
    _query(flows)
    sort_by(flows, FLOW_ORDER, "first_seen")
    flows.add_argument("--descending", action="store_true", help="the largest or last one first")
    conversations = _command(commands, "conversations", "list conversations with their verdicts")
    _query(conversations)
    sort_by(conversations, CONVERSATION_ORDER, "bytes")
    conversations.add_argument(
        "--ascending", action="store_true", help="the smallest or first one first"
    )
    matrix = _command(commands, "matrix", "who talks to whom")
    _query(matrix)
    matrix.add_argument(
        "--by",
        metavar="GROUP",
        help="segment (as unless told, where there are any), host, subnet or a label key",
    )
    dissect = _command(
        commands, "dissect", "the packets of one flow, dissected by tshark or else by ourselves"
    )
    dissect.add_argument(
        "flows", type=count, nargs="*", metavar="FLOW", help="the flow's id, from `flows`"
    )
    dissect.add_argument(
        "--limit", type=count, metavar="N", help="packets at most, 200 unless told, 0 for all"
    )
    dissect.add_argument(
        "--save",
        type=path,
        metavar="FILE",
        help="write all packets of the flows to a pcapng file instead",
    )
    dissect.add_argument(
        "--where", default="", metavar="FILTER", help="with --save: the flows that match"
    )
    dissect.add_argument("--replace", action="store_true", help="FILE may be there already")
    _format(dissect)


def _naming(commands: "_Commands[argparse.ArgumentParser]") -> None:
    label = _command(commands, "label", "set labels on hosts (key= takes a label away)")
    label.add_argument("hosts", nargs="+", metavar="HOST", help="an address or a host name")
    label.add_argument(
        "--set",
        dest="labels",
        action="append",
        required=True,
        metavar="KEY=VALUE",
        help="one label (repeat for several)",
    )
    name = _command(commands, "name", "name a host")
    name.add_argument("address", metavar="HOST", help="its address, or the name it has now")
    name.add_argument("name", metavar="NAME", help="the name it gets")
    imported = _command(
        commands, "import", "take in hosts from a CSV, a hosts file or kubectl JSON"
    )
    imported.set_defaults(run="import_hosts")
    imported.add_argument("file", type=path, metavar="FILE", help="the list of hosts")
    imported.add_argument(
        "--as",
        dest="kind",
        choices=("csv", "hosts", "kubectl"),
        help="what it is; its name tells unless told",
    )
    editing.segment(_command(commands, "segment", "define a segment by labels, addresses, or both"))


def _drafting(commands: "_Commands[argparse.ArgumentParser]") -> None:
    editing.allow(_command(commands, "allow", "add a rule to the policy"))
    revoke = _command(commands, "revoke", "remove rules from the policy")
    revoke.add_argument("rules", nargs="+", metavar="RULE", help="its id")
    suggest = _command(commands, "suggest", "propose rules for what works and no rule allows")
    suggest.add_argument(
        "--format", choices=("yaml", *FORMATS), default="yaml", help="yaml is a policy document"
    )
    suggest.add_argument(
        "--before", default="", metavar="TIME", help="learn only from what began before it (UTC)"
    )
    suggest.add_argument(
        "--accept",
        nargs="*",
        metavar="RULE",
        help="save these rules (none named: all that break no guardrail)",
    )


def _judging(commands: "_Commands[argparse.ArgumentParser]") -> None:
    simulate = _command(commands, "simulate", "judge the recorded traffic by the policy")
    _query(simulate)
    simulate.add_argument("--policy", type=path, metavar="FILE", help="judge by this draft instead")
    simulate.add_argument(
        "--changed", action="store_true", help="only what --policy judges differently"
    )
    explain = _command(commands, "explain", "why a conversation, seen or not, would be judged so")
    explain.add_argument("client", metavar="CLIENT", help="address or host name")
    explain.add_argument("server", metavar="SERVER", help="address or host name")
    explain.add_argument("service", metavar="PROTO/PORT", help="tcp/445, icmp/echo-request …")
    _format(explain)
    _format(_command(commands, "check", "check the guardrails and look for doubtful rules"))
    diff = _command(commands, "diff", "what another policy would change on the recorded traffic")
    diff.add_argument("other", type=path, metavar="POLICY", help="the other policy.yaml")
    _format(diff)


def _hunting(commands: "_Commands[argparse.ArgumentParser]") -> None:
    found = _command(commands, "findings", "what looks like an intruder at work")
    _format(found)
    found.add_argument("--technique", default="", metavar="ID", help="T1046; T1021 takes T1021.*")
    found.add_argument("--host", default="", metavar="HOST", help="the story of one host")
    levels = ("low", "medium", "high")
    found.add_argument("--min-confidence", choices=levels, help="low unless told")
    earlier = found.add_mutually_exclusive_group()
    earlier.add_argument(
        "--baseline",
        default="",
        metavar="TIME",
        help="what began before it (UTC) is normal",
    )
    earlier.add_argument(
        "--against", default="", metavar="CAPTURE", help="what these captures hold is normal"
    )
    one = found.add_mutually_exclusive_group()
    one.add_argument("--evidence", default="", metavar="ID", help="the flows of one finding")
    one.add_argument("--suppress", default="", metavar="ID", help="it is known; with --reason")
    one.add_argument("--lift", default="", metavar="ID", help="take a suppression back")
    found.add_argument("--reason", default="", metavar="TEXT", help="with --suppress")
    found.add_argument("--until", metavar="YYYY-MM-DD", help="last day it stays suppressed")


def _responding(commands: "_Commands[argparse.ArgumentParser]") -> None:
    respond = _command(commands, "respond", "answer a finding: an edit of the draft, tried out")
    replay = _command(commands, "replay", "an intrusion step by step under a policy: is it stopped")
    responding.respond(respond)
    responding.replay(replay)
    for parser in (respond, replay):
        parser.add_argument("--draft", type=path, metavar="FILE", help="this policy is the draft")
        _format(parser)


def _vulnerabilities(commands: "_Commands[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands, "vulnerabilities", "what scanners found, by who can reach it: patch or segment"
    )
    parser.add_argument(
        "--import",
        dest="reports",
        nargs="+",
        action="extend",
        default=[],
        type=path,
        metavar="FILE",
        help="take in reports of Nessus, OpenVAS, Nmap (XML), Trivy or Grype (JSON) first",
    )
    parser.add_argument(
        "--host",
        dest="hosts",
        action="append",
        default=[],
        metavar="HOST",
        help="with --import: has what is found in images and folders (repeat)",
    )
    parser.add_argument(
        "--replace", action="store_true", help="with --import: forget what the scanner said before"
    )
    parser.add_argument("--forget", metavar="SOURCE", help="forget what this file brought")
    parser.add_argument(
        "--least",
        choices=("info", "low", "medium", "high", "critical"),
        default="info",
        help="take in and list nothing less severe",
    )
    parser.add_argument(
        "--before",
        choices=("none", "saved"),
        default="none",
        help="compare the draft with no policy (as unless told) or with the saved one",
    )
    parser.add_argument(
        "--by",
        choices=("host", "segment", "service"),
        help="add the risks up, information left out",
    )
    parser.add_argument("--draft", type=path, metavar="FILE", help="this policy is the draft")
    parser.add_argument("--limit", type=count, metavar="N", help="at most N rows, 0 for all")
    _format(parser)


def _exposing(commands: "_Commands[argparse.ArgumentParser]") -> None:
    place = "a host, an address, a segment, KEY=VALUE or crown (crown=yes)"
    exposure = _command(commands, "exposure", "how far an intruder gets, with and without policy")
    exposure.add_argument(
        "--from", dest="foothold", metavar="PLACE", help=f"where the intruder is: {place}; outside"
    )
    exposure.add_argument("--to", dest="target", metavar="PLACE", help=f"what is sought: {place}")
    exposure.add_argument(
        "--policy", choices=("none", "observed", "saved", "draft"), help="under this one alone"
    )
    exposure.add_argument(
        "--by",
        choices=("host", "segment", "pair", "service"),
        help="figures for each host, segment, pair of segments or risky service",
    )
    exposure.add_argument(
        "--chokes", action="store_true", help="what to close, and how many pairs that cuts"
    )
    exposure.add_argument("--paths", type=count, metavar="N", help="paths at most, 5 unless told")
    exposure.add_argument("--draft", type=path, metavar="FILE", help="this policy is the draft")
    exposure.add_argument("--limit", type=count, metavar="N", help="at most N rows, 0 for all")
    _format(exposure)


def _exporting(commands: "_Commands[argparse.ArgumentParser]") -> None:
    export = _command(commands, "export", "write the policy for another machine, and prove it")
    export.add_argument("--target", required=True, metavar="TARGET", help="nftables or kubernetes")
    export.add_argument("--out", type=path, required=True, metavar="DIR", help="where to")
    export.add_argument(
        "--only",
        type=names,
        default=(),
        metavar="SEGMENT[,SEGMENT]",
        help="protect only these segments",
    )
    verify = _command(commands, "verify", "read an export back and compare it with the policy")
    verify.add_argument("folder", type=path, metavar="DIR", help="what `export` wrote")
    verify.add_argument("--no-kernel", action="store_true", help="skip loading it in a namespace")
    _format(verify)


def _reporting(commands: "_Commands[argparse.ArgumentParser]") -> None:
    report = _command(commands, "report", "everything for the people who sign the policy off")
    report.add_argument(
        "--out", type=path, required=True, metavar="FILE", help="with csv: a folder of tables"
    )
    report.add_argument(
        "--format", choices=("html", "markdown", "csv"), default="html", help="html unless told"
    )
    report.add_argument("--replace", action="store_true", help="FILE may be there already")
    report.add_argument("--policy", type=path, metavar="FILE", help="report on this draft instead")
    report.add_argument("--on", metavar="YYYY-MM-DD", help="judge expiry by this day (today, UTC)")
    earlier = report.add_mutually_exclusive_group()
    earlier.add_argument(
        "--baseline", default="", metavar="TIME", help="findings: what began before it is normal"
    )
    earlier.add_argument(
        "--against",
        default="",
        metavar="CAPTURE",
        help="findings: what these captures hold is normal",
    )
    report.add_argument(
        "--export",
        dest="exports",
        action="append",
        default=[],
        type=path,
        metavar="DIR",
        help="judge this exported folder too (repeat)",
    )
    report.add_argument("--no-kernel", action="store_true", help="load no ruleset in a namespace")
    report.add_argument(
        "--limit",
        type=count,
        metavar="N",
        help="at most N rows of a list, 0 for all (100 unless told, csv all)",
    )
