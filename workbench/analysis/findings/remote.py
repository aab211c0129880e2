"""Work on other machines by SMB and RPC, by what was called, opened and written.

Operations and what they mean: [MS-SCMR], [MS-TSCH], [MS-WMI], [MS-DCOM], [MS-SRVS], [MS-WKST],
[MS-SAMR]; techniques are ATT&CK's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workbench.analysis.findings.scene import SECOND
from workbench.analysis.findings.talk import Line, Talk, Words, administrative, by_host, by_pair
from workbench.analysis.findings.talk import told as listed
from workbench.model.finding import Finding, Level, Stage
from workbench.model.spoken import Act
from workbench.model.text import plural

_SEQUENCE = 600
"""Seconds from a file on an admin share to the service made of it."""
_PROGRAMS = (
    ".exe", ".dll", ".sys", ".ps1", ".bat", ".cmd", ".vbs", ".js", ".hta", ".msi", ".scr", ".com",
)  # fmt: skip
_CROWD = 3
"""Clients that do the same on one server: that is how it is run."""


@dataclass(frozen=True)
class _Deed:
    """What some calls amount to."""

    kind: str
    technique: str
    title: str
    calls: frozenset[str]
    level: Level
    unseen: str


def _deed(
    kind: str, technique: str, title: str, calls: str, level: Level, unseen: str = ""
) -> _Deed:
    return _Deed(kind, technique, title, frozenset(calls.split()), level, unseen)


_DEEDS = (
    _deed(
        "remote-service", "T1569.002", "Makes or starts a service on",
        "svcctl.CreateService svcctl.StartService svcctl.ChangeServiceConfig", Level.MEDIUM,
        "what the service runs",
    ),
    _deed(
        "remote-task", "T1053.005", "Makes a scheduled task on",
        "ITaskSchedulerService.RegisterTask ITaskSchedulerService.Run atsvc.JobAdd", Level.MEDIUM,
        "what the task runs",
    ),
    _deed(
        "wmi", "T1047", "Runs WMI methods on",
        "IWbemServices.ExecMethod IWbemServices.PutInstance", Level.MEDIUM,
        "which method: starting a process and reading a setting look alike",
    ),
    _deed(
        "dcom-call", "T1021.003", "Drives programs by DCOM on", "IDispatch.Invoke", Level.MEDIUM,
        "which object",
    ),
    _deed(
        "remote-registry", "T1112", "Writes the registry of",
        "winreg.SetValue winreg.CreateKey", Level.LOW, "which keys",
    ),
    _deed(
        "coercion", "T1187", "Makes log in elsewhere:",
        "efsrpc.OpenFileRaw efsrpc.EncryptFile efsrpc.DecryptFile", Level.MEDIUM, "to whom",
    ),
)  # fmt: skip
_LISTINGS = (
    _deed(
        "session-listing", "T1049", "Lists who is logged in on",
        "srvsvc.NetSessEnum wkssvc.NetWkstaUserEnum", Level.MEDIUM,
    ),
    _deed("share-listing", "T1135", "Lists the shares of", "srvsvc.NetShareEnum", Level.LOW),
    _deed(
        "account-listing", "T1087.002", "Lists accounts and groups of",
        "samr.EnumerateUsers samr.EnumerateGroups samr.EnumerateAliases "
        "samr.QueryDisplayInformation samr.GetMembersInGroup samr.GetMembersInAlias", Level.LOW,
    ),
    _deed("service-listing", "T1007", "Lists the services of", "svcctl.EnumServicesStatus",
          Level.LOW),
)  # fmt: skip


def remote_work(talk: Talk, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Services, tasks, WMI, DCOM, admin shares, files written."""
    calls = talk.of(Act.CALL)
    files = [one for one in talk.of(Act.FILE) if talk.new(one)]
    for deed in _DEEDS:
        for lines in by_pair(one for one in calls if one.said.what in deed.calls and talk.new(one)):
            yield _did(talk, deed, lines, files, scouts)
    yield from _shares(talk, scouts)
    yield from _files(talk, files, scouts)


def listings(talk: Talk, scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Sessions, shares, accounts and services listed."""
    limits = talk.scene.limits
    calls = talk.of(Act.CALL)
    for deed in _LISTINGS:
        wanted = [one for one in calls if one.said.what in deed.calls and talk.new(one)]
        for host, lines in by_host(wanted):
            targets = {one.target for one in lines}
            wide = len(targets) >= limits.fanout_servers - 1
            level = Level(min(deed.level + wide, Level.MEDIUM))
            level = _weighed(talk, lines, level, scouts)
            names = listed(one.said.what.partition(".")[2] for one in lines)
            who = talk.scene.names(targets)
            words = Words(
                deed.kind,
                Stage.RECONNAISSANCE,
                deed.technique,
                f"{deed.title} {who if len(targets) < 3 else plural(len(targets), 'host')}",
                f"{talk.scene.name(host)} called {names} on {who}",
                Level.MEDIUM,
                "what was answered",
            )
            yield talk.finding(lines, level, words)


def _weighed(talk: Talk, lines: list[Line], level: Level, scouts: Mapping[int, int]) -> Level:
    """Less for who does it by trade or all day, and on what many work; more for a scout."""
    scene, first = talk.scene, lines[0]
    if scene.expected[first.host] or talk.routine(lines):
        return Level.LOW
    if scouts.get(first.host, first.fact.first_us) < first.fact.first_us:
        return Level.HIGH
    return level


def _crowded(talk: Talk, lines: list[Line]) -> bool:
    """Others do the same on that server."""
    said, target = {one.said.what for one in lines}, lines[0].target
    hosts = {one.host for one in talk.all if one.target == target and one.said.what in said}
    return len(hosts) >= _CROWD


def _did(
    talk: Talk, deed: _Deed, lines: list[Line], files: list[Line], scouts: Mapping[int, int]
) -> Finding:
    scene, host, target = talk.scene, lines[0].host, lines[0].target
    begin, end = lines[0].fact.first_us, lines[-1].fact.last_us
    before = [
        one
        for one in files
        if (one.host, one.target) == (host, target)
        and administrative(one.said.what.partition("\\")[0])
        and begin - _SEQUENCE * SECOND <= one.fact.first_us <= end
    ]
    level = Level.LOW if _crowded(talk, lines) else deed.level
    if before and deed.kind in ("remote-service", "remote-task") and level > Level.LOW:
        level = Level.HIGH
    names = listed(one.said.what for one in lines)
    why = f"{scene.name(host)} called {names} of {scene.name(target)}"
    if before:
        why += f", after writing {listed(one.said.what for one in before)} there, as PsExec does"
    words = Words(
        deed.kind,
        Stage.MOVEMENT,
        deed.technique,
        f"{deed.title} {scene.name(target)}",
        why,
        unseen=deed.unseen,
        subject=f"{scene.address(target):x}",
    )
    return talk.finding([*before, *lines], _weighed(talk, lines, level, scouts), words)


def _shares(talk: Talk, scouts: Mapping[int, int]) -> Iterator[Finding]:
    opened = [one for one in talk.of(Act.SHARE) if administrative(one.said.what) and talk.new(one)]
    for lines in by_pair(opened):
        scene, host, target = talk.scene, lines[0].host, lines[0].target
        allowed = [one for one in lines if not one.said.code]
        verb = "Opens" if allowed else "Tries to open"
        level = Level.MEDIUM if allowed and not _crowded(talk, lines) else Level.LOW
        names = listed(one.said.what for one in allowed or lines)
        as_whom = listed(one.said.who for one in lines)
        why = f"{scene.name(host)} opened {names} of {scene.name(target)}, which only "
        why += "administrators may" + (f", as {as_whom}" if as_whom else "")
        if not allowed:
            why = f"{scene.name(target)} denied {names} to {scene.name(host)}"
        words = Words(
            "admin-share",
            Stage.MOVEMENT,
            "T1021.002",
            f"{verb} {names} on {scene.name(target)}",
            why,
            subject=f"{scene.address(target):x}",
            matter=("first-login", "T1021.002", f"smb {scene.address(target):x}"),
        )
        yield talk.finding(lines, _weighed(talk, lines, level, scouts), words)


def _files(talk: Talk, files: list[Line], scouts: Mapping[int, int]) -> Iterator[Finding]:
    """Files put on admin shares; programs put on shares that few use."""
    wanted = [one for one in files if _is_tool(talk, one)]
    for lines in by_pair(wanted):
        scene, host, target = talk.scene, lines[0].host, lines[0].target
        hidden = any(administrative(one.said.what.partition("\\")[0]) for one in lines)
        names = listed(one.said.what for one in lines)
        words = Words(
            "file-written",
            Stage.MOVEMENT,
            "T1570",
            f"Writes {names} on {scene.name(target)}",
            f"{scene.name(host)} wrote {plural(len({one.said.what for one in lines}), 'file')} "
            f"over SMB: {names}",
            unseen="what is in it",
            subject=f"{scene.address(target):x}",
            matter=("tool-transfer", "T1570", f"smb {scene.address(target):x}"),
        )
        level = Level.MEDIUM if hidden else Level.LOW
        yield talk.finding(lines, _weighed(talk, lines, level, scouts), words)


def _is_tool(talk: Talk, line: Line) -> bool:
    share, _, path = line.said.what.partition("\\")
    if administrative(share):
        return True
    users = {one.host for one in talk.of(Act.SHARE)
             if one.target == line.target and one.said.what == share}  # fmt: skip
    return path.lower().endswith(_PROGRAMS) and len(users) < _CROWD
