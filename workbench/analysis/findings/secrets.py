"""Credentials taken, cracked, guessed or relayed, by what Kerberos, RPC, SMB and names say.

Sources: [MS-DRSR] 4.1.10 (DCSync), RFC 4120 and RFC 4757 (tickets, RC4), [MS-NLMP] (relaying),
RFC 4795 and RFC 1002 (names).
"""

from collections.abc import Iterator

from workbench.analysis.findings.talk import Line, Talk, Words, by_host, by_pair, densest
from workbench.analysis.findings.talk import told as listed
from workbench.model.finding import Finding, Level, Stage
from workbench.model.spoken import RC4, STATUS, Act
from workbench.model.text import duration, plural

_REPLICATION = "e3514235-4b06-11d1-ab04-00c04fc2dcd2/"
"""Service name by which controllers ask one another for tickets ([MS-DRSR] 2.2.3.2)."""
_CROWD = 3
_ROASTS, _SURE_ROASTS = 3, 5
_NAMES = 4
_ROUTINE_HOURS = 3
_HOUR = 3_600_000_000


def secrets(talk: Talk) -> Iterator[Finding]:
    """DCSync, roasting, refused logins, accounts elsewhere, relaying, poisoned names."""
    yield from _dcsync(talk)
    yield from _kerberoasting(talk)
    yield from _as_rep(talk)
    yield from _refused(talk)
    yield from _elsewhere(talk)
    yield from _relayed(talk)
    yield from _poisoned(talk)


def _dcsync(talk: Talk) -> Iterator[Finding]:
    wanted = [one for one in talk.of(Act.CALL) if one.said.what == "drsuapi.DRSGetNCChanges"]
    peers = {one.host for one in talk.of(Act.TICKET)
             if one.said.what.lower().startswith(_REPLICATION) and "$" in one.said.who}  # fmt: skip
    for lines in by_pair(one for one in wanted if talk.new(one)):
        scene, host, target = talk.scene, lines[0].host, lines[0].target
        if host in talk.controllers:
            continue
        level = Level.MEDIUM if host in peers or talk.routine(lines) else Level.HIGH
        words = Words(
            "dcsync",
            Stage.CREDENTIALS,
            "T1003.006",
            f"Replicates the directory of {scene.name(target)} (DCSync)",
            f"{scene.name(host)} called DRSGetNCChanges, and nothing shows that it is a domain "
            "controller: so the passwords of a domain are read",
            unseen="which accounts were asked for; a directory synchroniser does the same",
            subject=f"{scene.address(target):x}",
        )
        yield talk.finding(lines, level, words)


# ── tickets ────────────────────────────────────────────────────────────────────────────────


def _kerberoasting(talk: Talk) -> Iterator[Finding]:
    tickets = [one for one in talk.of(Act.TICKET) if _crackable(one)]
    weak = [one for one in tickets if one.said.code in RC4]
    modern = len(weak) < len(tickets)
    for host, lines in by_host(one for one in weak if talk.new(one)):
        burst = densest(lines, talk.scene.limits.guess_window)
        names = {one.said.what for one in burst}
        count = len(names)
        if not modern and count < _SURE_ROASTS:
            continue
        level = Level(1 + (count >= _ROASTS) + (count >= _SURE_ROASTS))
        level = level if modern else min(level, Level.MEDIUM)
        span = duration(burst[-1].fact.last_us - burst[0].fact.first_us)
        others = "others are of AES here" if modern else "as are all others here"
        words = Words(
            "kerberoasting",
            Stage.CREDENTIALS,
            "T1558.003",
            f"Tickets to crack for {plural(count, 'service')} (Kerberoasting)",
            f"{talk.scene.name(host)} got RC4 tickets for {listed(names)} within {span}; {others}"
            + _as_whom(burst),
            unseen="whether the passwords behind them were cracked: that crosses no network",
        )
        expected = talk.scene.expected[host]
        yield talk.finding(burst, Level.LOW if expected else level, words)


def _crackable(line: Line) -> bool:
    """Of a service that may run under a password of people: not the KDC, not a machine's own."""
    name = line.said.what.lower()
    return not name.startswith("krbtgt") and not name.partition("@")[0].endswith("$")


def _as_whom(lines: list[Line]) -> str:
    who = listed(one.said.who for one in lines)
    return f", as {who}" if who else ""


def _as_rep(talk: Talk) -> Iterator[Finding]:
    lines = [one for one in talk.of(Act.ROASTABLE) if talk.new(one)]
    for host, mine in by_host(lines):
        weak = [one for one in mine if one.said.code in RC4]
        usual = len({one.host for one in lines}) >= _CROWD
        chosen = weak or mine
        accounts = {one.said.who for one in chosen}
        if not weak and usual and len(accounts) < _CROWD:
            continue  # a realm that asks nobody for proof
        level = Level.LOW if not weak or usual else Level.MEDIUM
        level = Level.HIGH if weak and len(accounts) >= _CROWD else level
        words = Words(
            "as-rep-roasting",
            Stage.CREDENTIALS,
            "T1558.004",
            f"Kerberos answers without proof for {plural(len(accounts), 'account')}",
            f"{talk.scene.name(host)} got AS-REPs {'of RC4 ' if weak else ''}for "
            f"{listed(accounts) or 'an account'} without pre-authentication: their passwords can "
            "be guessed offline",
            unseen="whether they were",
        )
        yield talk.finding(chosen, level, words)


# ── refused ────────────────────────────────────────────────────────────────────────────────


def _refused(talk: Talk) -> Iterator[Finding]:
    for host, lines in by_host(talk.of(Act.REFUSED)):
        burst = densest(lines, talk.scene.limits.guess_window)
        accounts = {one.said.who.lower() for one in burst} - {""}
        targets = {one.target for one in burst}
        if len(accounts) >= talk.scene.limits.spray_servers or len(targets) >= 6:
            yield _guesses(talk, host, lines, burst, accounts)
            continue
        for mine in by_pair(lines):
            burst = densest(mine, talk.scene.limits.guess_window)
            if sum(one.fact.count for one in burst) >= talk.scene.limits.guess_attempts // 2:
                yield _guesses(talk, host, mine, burst, {one.said.who.lower() for one in burst})


def _guesses(
    talk: Talk, host: int, lines: list[Line], burst: list[Line], accounts: set[str]
) -> Finding:
    scene, limits = talk.scene, talk.scene.limits
    count = sum(one.fact.count for one in burst)
    targets = {one.target for one in burst}
    spray = len(accounts) >= limits.spray_servers or len(targets) >= limits.spray_servers
    after = [
        one
        for one in talk.of(Act.LOGIN)
        if one.host == host and one.target in targets
        and one.fact.last_us >= burst[-1].fact.first_us
        and (not one.said.who or one.said.who.lower() in accounts)
    ]  # fmt: skip
    level = Level.LOW if count < limits.guess_attempts and not spray else Level.MEDIUM
    if count >= limits.guess_sure // 2 or len(accounts) >= 2 * limits.spray_servers:
        level = Level.HIGH
    routine = len({one.fact.first_us // _HOUR for one in lines}) >= _ROUTINE_HOURS
    if (routine and len(accounts) < 3) or scene.expected[host]:
        level = Level.LOW  # a program with an old password
    errors = listed(STATUS.get(one.said.code, f"error {one.said.code}") for one in burst)
    span = duration(burst[-1].fact.last_us - burst[0].fact.first_us)
    why = f"{plural(count, 'login')} refused within {span} ({errors})"
    why += f", for {plural(len(accounts - {''}), 'account')}" if accounts - {""} else ""
    why += "; after them one was let in" if after else ""
    slug = listed(one.said.what for one in burst)
    rough = ("spraying", "T1110.003", "smb")
    if not spray:
        rough = ("guessing", "T1110", f"smb {scene.address(burst[0].target):x}")
    return talk.finding(
        burst,
        level,
        Words(
            "refused-spray" if spray else "refused-logins",
            Stage.CREDENTIALS,
            "T1110.003" if spray else "T1110.001",
            f"{'Password spraying' if spray else 'Password guessing'}: {count:,} {slug} logins "
            f"refused on {scene.names(targets)}",
            why,
            unseen="which passwords were tried",
            subject="" if spray else f"{scene.address(burst[0].target):x}",
            matter=rough if any(one.said.what == "SMB" for one in burst) else None,
        ),
    )


def _elsewhere(talk: Talk) -> Iterator[Finding]:
    """An account that had one host or two, and now logs in from another that others use."""
    scene = talk.scene
    usual: dict[str, list[Line]] = {}
    for one in talk.earlier:
        if one.said.act in (Act.RESPONSE, Act.LOGIN) and (account := _account(one)):
            usual.setdefault(account, []).append(one)
    users: dict[int, set[str]] = {}
    for account, lines in usual.items():
        for one in lines:
            users.setdefault(one.host, set()).add(account)
    for host, lines in by_host(talk.of(Act.RESPONSE, Act.LOGIN)):
        strange = [one for one in lines if _strange(usual.get(_account(one), []), host)]
        if not strange or scene.expected[host] or not scene.inside[host]:
            continue
        accounts = {_account(one) for one in strange}
        homes = {one.host for account in accounts for one in usual[account]}
        own = users.get(host, set())
        named = listed(one.said.what for one in strange if one.said.act is Act.RESPONSE)
        words = Words(
            "account-elsewhere",
            Stage.CREDENTIALS,
            "T1078",
            f"Logs in as {listed(accounts)}, whose host is another",
            f"{listed(accounts)} logged in from {scene.names(homes)} before, and now from "
            f"{scene.name(host)}"
            + (f", where {listed(own)} logged in" if own else "")
            + (f"; it calls itself {named}" if named else ""),
            impact=Level.MEDIUM,
            unseen="whether a person sits elsewhere today, or somebody has the password",
        )
        level = Level.MEDIUM if own and len(own) < _CROWD else Level.LOW
        yield talk.finding(strange, level, words)


def _strange(before: list[Line], host: int) -> bool:
    """Logins in several hours, all from at most two hosts, none of them this one."""
    homes = {one.host for one in before}
    hours = {one.fact.first_us // _HOUR for one in before}
    return len(hours) >= _ROUTINE_HOURS and len(homes) < _CROWD and host not in homes


def _account(line: Line) -> str:
    """A person's account without its domain; empty for machines and for nobody."""
    name = line.said.who.lower().rpartition("\\")[2].partition("@")[0]
    return "" if name.endswith("$") or name in ("", "anonymous", "guest") else name


# ── in the middle ──────────────────────────────────────────────────────────────────────────


def _relayed(talk: Talk) -> Iterator[Finding]:
    """The same challenge of eight random bytes, given out by a host that was given it."""
    seen: dict[str, list[Line]] = {}
    for one in talk.of(Act.CHALLENGE):
        seen.setdefault(one.said.what, []).append(one)
    between: dict[int, list[Line]] = {}
    for lines in seen.values():
        for middle in {one.target for one in lines} & {one.host for one in lines}:
            mine = [one for one in lines if middle in (one.host, one.target)]
            between.setdefault(middle, []).extend(mine)
    for middle, lines in sorted(between.items()):
        scene = talk.scene
        victims = {one.host for one in lines if one.target == middle}
        servers = {one.target for one in lines if one.host == middle}
        words = Words(
            "ntlm-relay",
            Stage.CREDENTIALS,
            "T1557.001",
            f"Relays NTLM logins to {scene.names(servers)}",
            f"{scene.name(middle)} gave {scene.names(victims)} the very challenge that "
            f"{scene.names(servers)} had given it",
            unseen="whether it was let in; a proxy that passes logins on does the same",
        )
        yield talk.finding(lines, Level.HIGH, words, host=middle)


def _poisoned(talk: Talk) -> Iterator[Finding]:
    scene = talk.scene
    asked = {
        (one.client, one.said.what)
        for one in scene.spoken
        if one.said.act is Act.ASKED
        and one.server in scene.hosts.index
        and scene.many[scene.hosts.index[one.server]]
    }
    answers: dict[int, list[Line]] = {}
    for one in talk.of(Act.ANSWERED):
        if (one.fact.client, one.said.what) in asked:
            answers.setdefault(one.target, []).append(one)
    for host, lines in sorted(answers.items()):
        names = {one.said.what.partition(".")[0] for one in lines}
        wpad = "wpad" in names
        if len(names) < 2 and not wpad:
            continue  # a host that is called by its name
        level = Level.HIGH if len(names) >= _NAMES else Level.MEDIUM
        words = Words(
            "name-poisoning",
            Stage.CREDENTIALS,
            "T1557.001",
            f"Answers for {plural(len(names), 'name')} that others asked everybody for",
            f"{scene.name(host)} answered {scene.names({one.host for one in lines})} that it is "
            f"{listed(names)}",
            unseen="whether they then logged in to it",
            matter=("name-answers", "T1557.001", ""),
        )
        yield talk.finding(lines, level, words, host=host)
