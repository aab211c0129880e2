"""Commands to controllers by hosts that did not give any before: Modbus, S7, CIP."""

from collections.abc import Iterator, Mapping

from workbench.analysis.findings.scene import SECOND
from workbench.analysis.findings.talk import Line, Talk, Words, by_pair
from workbench.analysis.findings.talk import told as listed
from workbench.model.finding import Finding, Level, Stage
from workbench.model.net import service_text
from workbench.model.spoken import Act
from workbench.model.text import duration, plural

_MODES = ("S7 stop", "S7 control", "CIP stop", "CIP start", "CIP reset")
_LEAST = 300
"""Seconds of a controller's traffic without it, for a first command to mean anything."""


def commands(talk: Talk, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """By client, controller and kind of command: values, mode of operation, program."""
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
        for mine in by_pair(one for one in lines if talk.new(one)):
            moment = begun[mine[0].host, mine[0].target, kind]
            weights = [_weight(talk, one, moment, first) for one in mine]
            if any(weights):
                fresh = [one for one, weight in zip(mine, weights, strict=True) if weight]
                yield _finding(talk, kind, fresh, Level(max(weights)), first, scouts)


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
    scene, host, target = talk.scene, lines[0].host, lines[0].target
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
        quiet = max(scene.quiet_us(moment) - scene.quiet_us(first[target]), 0)
        since = f"not in {duration(quiet)} of its traffic before"
    verb = {"T0858": "Changes the mode of", "T0843": "Downloads to"}.get(kind, "Writes to")
    fact, address = lines[0].fact, f"{scene.address(target):x}"
    spoken = ("new-to-controller", "T0855", f"{service_text(fact.protocol, fact.port)} {address}")
    words = Words(
        "controller-command",
        Stage.DEPARTURE,
        kind,
        f"{verb} {scene.name(target)}",
        f"{scene.name(host)} sent {plural(count, 'command')} ({names}) to {scene.name(target)}, "
        f"{since}",
        unseen="whether the values were meant",
        matter=spoken if kind == "T0855" else ("controller-command", kind, address),
    )
    return talk.finding(lines, level, words)
