"""The filter line that every screen and command shares.

    client:10.1.0.0/16 server:db service:tcp/445 outcome:refused -verdict:blocked

Terms are ANDed; commas inside a value are ORed; a leading `-` negates a term. A bare word means
`host:word`. The grammar is here; what a host word means is resolved by the session.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches

from workbench.model.errors import FilterError
from workbench.model.net import parse_service
from workbench.model.traffic import Direction, Outcome
from workbench.model.verdict import Class, Verdict

HOST_FIELDS = ("client", "server", "host")
"""Values: an address, a CIDR, a host name (with `*`), a segment name, or `key=value`."""
FLOW_FIELDS = ("capture", "vlan", "port")
"""Decided flow by flow: a conversation matches when one of its flows may."""
NUMBER_FIELDS = ("bytes", "flows", "packets")
"""Compared with a number and an optional k, M or G: `bytes:>10M`, `flows:<=3`."""
TIME_FIELDS = ("after", "before")
"""RFC 3339 or `YYYY-MM-DD[ HH:MM]`, UTC: flows last seen at or after, first seen before."""
FIELDS: Mapping[str, str] = {
    "client": "who opens: address, CIDR, name, segment or key=value",
    "server": "who answers: address, CIDR, name, segment or key=value",
    "host": "either end",
    "service": "tcp/445, udp/53, icmp/echo-request, any, or a service name of the policy",
    "port": "a client or server port number, flow by flow",
    "outcome": ", ".join(outcome.text for outcome in Outcome),
    "direction": "the evidence: " + ", ".join(item.text for item in Direction),
    "verdict": ", ".join(verdict.text for verdict in Verdict),
    "class": ", ".join(klass.text for klass in Class),
    "rule": "the id of a rule that allows it",
    "bytes": "size of the conversation, such as >10M",
    "flows": "number of flows, such as >100",
    "packets": "number of packets",
    "capture": "capture number or file name",
    "vlan": "VLAN id",
    "after": "last seen at or after: 2026-03-31 or 2026-03-31T14:02Z",
    "before": "first seen before",
}
CHOICES: Mapping[str, tuple[str, ...]] = {
    "outcome": tuple(item.text for item in Outcome),
    "direction": tuple(item.text for item in Direction),
    "verdict": tuple(item.text for item in Verdict),
    "class": tuple(item.text for item in Class),
}
_TERM = re.compile(r"\S+")
_WORD = re.compile(r"[A-Za-z][A-Za-z_-]*")
_IPV6 = re.compile(r"[0-9a-f]*:[0-9a-f]*:[0-9a-f.:/,]*", re.IGNORECASE)
"""`fade::1` begins like a field."""
_COMPARISON = re.compile(r"(>=|<=|>|<|=)?(\d{1,15})([kKmMgG]?)")
_PORT = re.compile(r"\d{1,5}", re.ASCII)
_SCALE = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


@dataclass(frozen=True, slots=True)
class Term:
    """One `field:value,value` of the line."""

    field: str
    values: tuple[str, ...]
    negated: bool = False
    position: int = 0
    """0-based offset of the term in the line, for error messages."""

    def __str__(self) -> str:
        return f"{'-' if self.negated else ''}{self.field}:{','.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter line; the empty filter matches everything."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        return " ".join(map(str, self.terms))

    def __bool__(self) -> bool:
        return bool(self.terms)


NO_FILTER = Filter()


def parse_filter(text: str) -> Filter:
    """Read a filter line. Raises FilterError that points at the offending term."""
    return Filter(tuple(_term(word.group(), word.start(), text) for word in _TERM.finditer(text)))


def _term(word: str, position: int, text: str) -> Term:
    def wrong(problem: str) -> FilterError:
        return FilterError(problem, text=text, position=position)

    negated = word.startswith("-")
    body = word[1:] if negated else word
    field, colon, rest = body.partition(":")
    if not colon or field not in FIELDS:
        if colon and _WORD.fullmatch(field) and not _IPV6.fullmatch(body):
            raise wrong(_unknown(field, rest))
        field, rest = "host", body
    values = tuple(part for part in rest.split(",") if part)
    if not values:
        raise wrong(f"{field}: needs a value ({FIELDS[field]})")
    for value in values:
        if problem := _problem(field, value):
            raise wrong(problem)
    return Term(field, values, negated, position)


def _unknown(field: str, value: str) -> str:
    """What may have been meant, a field or a label, and all there is."""
    meant = get_close_matches(field.lower(), FIELDS, n=1)
    meant += [f"host:{field}={value} (a label)"] if value else []
    hint = f"; did you mean {' or '.join(meant)}?" if meant else "."
    return f"unknown field {field!r}{hint} Fields are {', '.join(FIELDS)}"


def _problem(field: str, value: str) -> str:
    if field in CHOICES and value not in CHOICES[field]:
        return f"{field}:{value} is not one of {', '.join(CHOICES[field])}"
    if field in NUMBER_FIELDS and not _COMPARISON.fullmatch(value):
        return f"{field}:{value} is not a comparison such as >10M"
    if field == "service" and "/" in value:
        try:
            parse_service(value)
        except ValueError as error:
            return str(error)
    if field in ("port", "vlan") and not (_PORT.fullmatch(value) and int(value) <= 65535):
        return f"{field}:{value} is not a number from 0 to 65535"
    if field in TIME_FIELDS:
        try:
            parse_time(value)
        except ValueError:
            return f"{field}:{value} is not a time such as 2026-03-31T14:02Z"
    return ""


def parse_time(text: str) -> int:
    """Microseconds since the epoch; no zone means UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def comparison(value: str) -> tuple[str, int]:
    """`>10M` → (`>`, 10000000). A bare number means equality. Raises ValueError."""
    found = _COMPARISON.fullmatch(value)
    if not found:
        raise ValueError(value)
    return found[1] or "=", int(found[2]) * _SCALE[found[3].lower()]
