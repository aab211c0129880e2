"""One rule: matches and statements, to the end of its line."""

from workbench.model.net import ICMP, ICMPV6, SCTP, TCP, UDP
from workbench.verify.nft.cursor import VERDICTS, Cursor
from workbench.verify.nft.lexer import CannotRead
from workbench.verify.nft.ruleset import TOPS, Element, Interval, Match, Rule, Selector, Verdict

SELECTORS = {
    ("ip", "saddr"): Selector("client", "ipv4_addr", family="ipv4"),
    ("ip", "daddr"): Selector("server", "ipv4_addr", family="ipv4"),
    ("ip", "protocol"): Selector("protocol", "inet_proto", family="ipv4"),
    ("ip6", "saddr"): Selector("client", "ipv6_addr", family="ipv6"),
    ("ip6", "daddr"): Selector("server", "ipv6_addr", family="ipv6"),
    ("tcp", "sport"): Selector("sport", "inet_service", protocol=TCP),
    ("tcp", "dport"): Selector("dport", "inet_service", protocol=TCP),
    ("udp", "sport"): Selector("sport", "inet_service", protocol=UDP),
    ("udp", "dport"): Selector("dport", "inet_service", protocol=UDP),
    ("sctp", "sport"): Selector("sport", "inet_service", protocol=SCTP),
    ("sctp", "dport"): Selector("dport", "inet_service", protocol=SCTP),
    ("th", "sport"): Selector("sport", "inet_service"),
    ("th", "dport"): Selector("dport", "inet_service"),
    ("meta", "l4proto"): Selector("protocol", "inet_proto"),
    ("meta", "nfproto"): Selector("family", "nf_proto"),
    ("icmp", "type"): Selector("icmp", "icmp_type", family="ipv4", protocol=ICMP),
    ("icmpv6", "type"): Selector("icmp", "icmpv6_type", family="ipv6", protocol=ICMPV6),
    ("ct", "state"): Selector("state", "ct_state"),
}
"""`ip6 nexthdr` is missing on purpose: it does not see behind extension headers."""


def selector(cursor: Cursor) -> Selector:
    """Two words that name a field. Raises CannotRead for one we do not know."""
    line, first = cursor.line, cursor.next("word")
    if first not in {words[0] for words in SELECTORS}:
        raise CannotRead(line, f"unknown match or statement {first!r}")
    words = (first, cursor.next("word"))
    if words not in SELECTORS:
        raise CannotRead(line, f"unknown match {' '.join(words)!r}")
    return SELECTORS[words]


def key(cursor: Cursor) -> tuple[Selector, ...]:
    """`ip saddr . ip daddr . meta l4proto . th dport`."""
    parts = [selector(cursor)]
    while cursor.takes("."):
        parts.append(selector(cursor))
    return tuple(parts)


class _Builder:
    """Collects one rule; the order of matches does not matter, a verdict must come last."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.matches: list[Match] = []
        self.verdict: Verdict | None = None
        self.vmap: Match | None = None
        self.updates: list[str] = []
        self.rated = ""
        """A statement that may stop the rule short (limit, update)."""

    def rule(self, cursor: Cursor) -> Rule:
        if self.rated and self.decided:
            raise cursor.refuse(f"a verdict behind {self.rated!r} depends on more than the packet")
        return Rule(self.line, tuple(self.matches), self.verdict, self.vmap, tuple(self.updates))

    @property
    def decided(self) -> bool:
        return self.verdict is not None or self.vmap is not None


def rule(cursor: Cursor) -> Rule:
    """Read one rule. Raises CannotRead for anything not understood."""
    built = _Builder(cursor.line)
    while not cursor.ends():
        if built.decided and not cursor.sees("comment"):
            raise cursor.refuse("nothing but a comment may follow a verdict")
        if not _statement(cursor, built):
            _match(cursor, built)
    return built.rule(cursor)


def _statement(cursor: Cursor, built: _Builder) -> bool:
    """Take one statement, if there is one here."""
    if cursor.sees(*VERDICTS):
        built.verdict = cursor.verdict()
    elif cursor.takes("reject"):
        _reject(cursor)
        built.verdict = Verdict("drop")
    elif cursor.takes("comment"):
        cursor.next("string")
    elif cursor.sees("counter"):
        cursor.counter()
    elif cursor.takes("log"):
        _log(cursor)
    elif cursor.takes("limit"):
        _limit(cursor)
        built.rated = "limit"
    elif cursor.takes("update", "add"):
        built.updates.append(_update(cursor))
        built.rated = "update"
    else:
        return False
    return True


def _reject(cursor: Cursor) -> None:
    """`reject [with tcp reset | with icmpx admin-prohibited | …]`."""
    if cursor.takes("with"):
        cursor.next("word")
        cursor.takes("type")
        cursor.next("word", "number")


def _log(cursor: Cursor) -> None:
    while cursor.sees("prefix", "level", "group", "snaplen", "queue-threshold", "flags"):
        option = cursor.next("word")
        cursor.next("string" if option == "prefix" else "word" if option == "level" else "number")


def _limit(cursor: Cursor) -> None:
    """`limit rate [over] N[unit]/time [burst N packets]`."""
    cursor.expect("rate")
    cursor.takes("over")
    cursor.number()
    cursor.takes("/")
    cursor.next("word")
    if cursor.takes("burst"):
        cursor.number()
        cursor.next("word")


def _update(cursor: Cursor) -> str:
    """`update @set { key [counter] [timeout T] }`: a ledger, as long as no rule matches the set."""
    cursor.expect("@")
    name = cursor.next("word")
    cursor.expect("{")
    key(cursor)
    while cursor.sees("counter", "timeout"):
        if cursor.takes("timeout"):
            cursor.next("time")
        else:
            cursor.counter()
    cursor.expect("}")
    return name


def _match(cursor: Cursor, built: _Builder) -> None:
    selectors = key(cursor)
    types = tuple(part.datatype for part in selectors)
    if cursor.takes("vmap"):
        if cursor.takes("@"):
            built.vmap = Match(selectors, (), cursor.next("word"))
        else:
            built.vmap = Match(selectors, tuple(cursor.elements(types, is_map=True)))
        return
    negated = cursor.takes("!=", "ne")
    if not negated and cursor.sees("<", ">", "<=", ">="):
        built.matches.append(Match(selectors, (_comparison(cursor, types),)))
        return
    cursor.takes("==", "eq")
    if cursor.takes("@"):
        built.matches.append(Match(selectors, (), cursor.next("word"), negated))
    elif cursor.sees("{"):
        found = tuple(cursor.elements(types, is_map=False))
        built.matches.append(Match(selectors, found, negated=negated))
    else:
        built.matches.append(Match(selectors, _plain(cursor, types, negated), negated=negated))


def _comparison(cursor: Cursor, types: tuple[str, ...]) -> Element:
    sign = cursor.next("mark")
    if types != ("inet_service",):
        raise cursor.refuse(f"{sign!r} is only read for ports")
    bound, _ = cursor.interval("inet_service")
    span: dict[str, Interval] = {
        "<": (0, bound - 1),
        "<=": (0, bound),
        ">": (bound + 1, TOPS["inet_service"]),
        ">=": (bound, TOPS["inet_service"]),
    }
    return Element((span[sign],))


def _plain(cursor: Cursor, types: tuple[str, ...], negated: bool) -> tuple[Element, ...]:
    """A value without braces. Several ct states are bits: any of them matches.

    Negated, nft compares the whole bit field: `!= established,related` is never false for the one
    state that a packet has.
    """
    found = [Element(cursor.box(types))]
    if types == ("ct_state",):
        while cursor.takes(",", "|"):
            found.append(Element(cursor.box(types)))
        if negated and len(found) > 1:
            return ()
    return tuple(found)
