"""Commands to controllers by hosts that did not give any before: Modbus, S7, CIP."""

from collections.abc import Iterator, Mapping

from workbench.analysis.findings.scene import SECOND, many
from workbench.analysis.findings.talk import Line, Talk, Words, by_host
from workbench.analysis.findings.talk import told as listed
from workbench.model.finding import Finding, Level, Stage
from workbench.model.spoken import Act
from workbench.model.text import duration

_MODES = ("S7 stop", "S7 control", "CIP stop", "CIP start", "CIP reset")
_LEAST = 300
"""Seconds of a controller's traffic without it, for a first command to mean anything."""


def commands(talk: Talk, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """By client and kind of command: values, mode of operation, program."""
    first: dict[int, int] = {}  # controller → when it was heard of
    begun: dict[tuple[int, int, str], int] = {}
    for one in talk.of(Act.COMMAND, Act.QUERY):
        first.setdefault(one.target, one.fact.first_us)
    groups: dict[str, list[Line]] = {}
    for one in talk.of(Act.COMMAND):
        kind = technique(one.said.what)
        begun.setdefault((one.host, one.target, kind), one.fact.first_us)
        groups.setdefault(kind, []).append(one)
    for kind, lines in sorted(groups.items()):
        for host, mine in by_host(one for one in lines if talk.new(one)):
            fresh = [one for one in mine
                     if _weight(talk, one, begun[host, one.target, kind], first)]  # fmt: skip
            if fresh:
                level = max(_weight(talk, one, begun[host, one.target, kind], first)
                            for one in fresh)  # fmt: skip
                yield _finding(talk, kind, fresh, Level(level), first, scouts)


def technique(what: str) -> str:
    """ATT&CK for ICS."""
    if what in _MODES:
        return "T0858"
    return "T0843" if what.endswith("download") else "T0855"


def _weight(talk: Talk, line: Line, moment: int, first: Mapping[int, int]) -> int:
    """0 for what may have been there before the recording."""
    scene = talk.scene
    if scene.before is not None:
        known = any(
            one.server == line.fact.server and one.said.act in (Act.COMMAND, Act.QUERY)
            for one in scene.spoken_before
        )
        return Level.MEDIUM if known else Level.LOW
    quiet = scene.quiet_us(moment) - scene.quiet_us(first[line.target])
    if quiet >= scene.limits.quiet_before * SECOND:
        return Level.MEDIUM
    mode = technique(line.said.what) != "T0855"
    return Level.LOW if mode or quiet >= _LEAST * SECOND else 0


def _finding(
    talk: Talk,
    kind: str,
    lines: list[Line],
    level: Level,
    first: Mapping[int, int],
    scouts: Mapping[int, int],
) -> Finding:
    scene, host = talk.scene, lines[0].host
    targets = {one.target for one in lines}
    moment = lines[0].fact.first_us
    writers = {one.client for one in scene.spoken_before if one.said.act is Act.COMMAND}
    if scene.before is not None and level > Level.LOW and scene.address(host) not in writers:
        level = Level.HIGH
    if scouts.get(host, moment) < moment:
        level = Level.HIGH
    if scene.expected[host]:
        level = Level.LOW
    names = listed(one.said.what for one in lines)
    count = sum(one.fact.count for one in lines)
    since = "never in the baseline"
    if scene.before is None:
        quiet = max(scene.quiet_us(moment) - scene.quiet_us(first[lines[0].target]), 0)
        since = f"not in {duration(quiet)} of its traffic before"
    verb = {"T0858": "Changes the mode of", "T0843": "Downloads to"}.get(kind, "Writes to")
    who = scene.names(targets) if len(targets) < 3 else many(len(targets), "controller")
    words = Words(
        "controller-command",
        Stage.DEPARTURE,
        kind,
        f"{verb} {who}",
        f"{scene.name(host)} sent {many(count, 'command')} ({names}) to {scene.names(targets)}, "
        f"{since}",
        unseen="whether the values were meant",
    )
    return talk.finding(lines, level, words)
