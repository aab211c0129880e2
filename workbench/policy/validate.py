"""The rules of the format, on the value: one validator for files, edits and the TUI."""

from collections.abc import Collection, Iterable, Iterator, Sequence

from workbench.documents import (
    Problem,
    cidr_problem,
    label_key_problem,
    label_problem,
    suggestion,
    unique,
    unprintable,
)
from workbench.model.errors import PolicyError
from workbench.model.net import PROTOCOLS, parse_service
from workbench.model.policy import (
    ANY,
    SLUG,
    Exclusion,
    Guardrail,
    Policy,
    Rule,
    Segment,
    ServiceGroup,
)

MAX_TEXT = 500
"""Characters in a reason."""
RESERVED_SERVICES = frozenset({ANY, "ip", *PROTOCOLS})
"""Words that mean something as a service literal."""


def validate(policy: Policy) -> None:
    """Raises PolicyError with `where` for the first rule of the format that is broken."""
    for problem in problems(policy):
        raise PolicyError(problem.text, where=problem.where)


def problems(policy: Policy) -> Iterator[Problem]:
    """Everything that is wrong, in document order."""
    yield from _slug("name", policy.name)
    yield from _protections(policy)
    yield from unique("segments", (segment.name for segment in policy.segments))
    for segment in policy.segments:
        yield from _segment(segment)
    yield from unique("services", (group.name for group in policy.services))
    for group in policy.services:
        yield from _group(group)
    yield from _entries(policy)


def _slug(where: str, text: str, reserved: Iterable[str] = ()) -> Iterator[Problem]:
    if not SLUG.fullmatch(text):
        yield Problem(
            where,
            f"{text[:80]!r} is not a name: a letter a-z, then letters, digits or -, at most 63",
        )
    elif text in reserved:
        yield Problem(where, f"{text!r} is reserved")


def _protections(policy: Policy) -> Iterator[Problem]:
    known = {segment.name: segment for segment in policy.segments}
    yield from unique("protect", (item.segment for item in policy.protect))
    for item in policy.protect:
        where = f"protect.{item.segment}"
        if item.segment not in known:
            yield Problem(where, f"unknown segment{suggestion(item.segment, known)}")
        if not item.directions:
            yield Problem(f"{where}.directions", "needs ingress, egress or both")


def _segment(segment: Segment) -> Iterator[Problem]:
    where = f"segments.{segment.name}"
    yield from _slug(where, segment.name, (ANY,))
    if not segment.match and not segment.cidrs:
        yield Problem(where, "needs `match` or `cidrs`")
    yield from unique(f"{where}.match", (key for key, _ in segment.match))
    for key, values in segment.match:
        yield from _match(f"{where}.match.{key}", key, values)
    for field, cidrs in (("cidrs", segment.cidrs), ("except", segment.excepts)):
        for at, cidr in enumerate(cidrs):
            if problem := cidr_problem(cidr):
                yield Problem(f"{where}.{field}[{at}]", problem)


def _match(where: str, key: str, values: Sequence[str]) -> Iterator[Problem]:
    if problem := label_key_problem(key):
        yield Problem(where, problem)
    if not values:
        yield Problem(where, "needs at least one value")
    for value in values:
        if problem := label_problem(value):
            yield Problem(where, problem)


def _group(group: ServiceGroup) -> Iterator[Problem]:
    where = f"services.{group.name}"
    yield from _slug(where, group.name, RESERVED_SERVICES)
    if not group.services:
        yield Problem(where, "needs at least one service")
    for at, service in enumerate(group.services):
        try:
            parse_service(service)
        except ValueError as error:
            yield Problem(f"{where}[{at}]", str(error))


def _entries(policy: Policy) -> Iterator[Problem]:
    """Rules, guardrails and exclusions: the same box of clients, servers and services."""
    segments = {segment.name: segment for segment in policy.segments}
    groups = {group.name: group for group in policy.services}
    seen: dict[str, str] = {}
    sections: list[tuple[str, Sequence[Rule | Guardrail | Exclusion]]] = [
        ("rules", policy.rules),
        ("guardrails", policy.guardrails),
        ("exclusions", policy.exclusions),
    ]
    for section, entries in sections:
        for at, entry in enumerate(entries):
            where = f"{section}[{at}]"
            yield from _slug(f"{where}.id", entry.id)
            if entry.id in seen:
                yield Problem(f"{where}.id", f"{entry.id!r} is already the id of {seen[entry.id]}")
            seen.setdefault(entry.id, where)
            box = f"{where}.{entry.assertion}" if isinstance(entry, Guardrail) else where
            yield from _places(f"{box}.from", entry.clients, segments)
            yield from _places(f"{box}.to", entry.servers, segments)
            yield from _services(f"{box}.services", entry.services, groups)
            yield from _reason(f"{where}.reason", entry)


def _places(where: str, names: Sequence[str], known: Collection[str]) -> Iterator[Problem]:
    if not names:
        yield Problem(where, "needs at least one segment, or any")
    yield from _twice(where, names)
    for at, name in enumerate(names):
        if name != ANY and name not in known:
            yield Problem(f"{where}[{at}]", f"unknown segment{suggestion(name, [*known, ANY])}")


def _services(where: str, names: Sequence[str], groups: Collection[str]) -> Iterator[Problem]:
    if not names:
        yield Problem(where, "needs at least one service, or any")
    yield from _twice(where, names)
    for at, name in enumerate(names):
        if name in groups:
            continue
        try:
            parse_service(name)
        except ValueError as error:
            known = [*groups, *RESERVED_SERVICES]
            text = str(error) if "/" in name else f"unknown service{suggestion(name, known)}"
            yield Problem(f"{where}[{at}]", text)


def _twice(where: str, names: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name in seen:
            yield Problem(f"{where}[{at}]", f"{name!r} is written twice")
        seen.add(name)


def _reason(where: str, entry: Rule | Guardrail | Exclusion) -> Iterator[Problem]:
    if isinstance(entry, Exclusion) and not entry.reason.strip():
        yield Problem(where, "an exclusion needs a reason")
    if len(entry.reason) > MAX_TEXT:
        yield Problem(where, f"longer than {MAX_TEXT} characters")
    if problem := unprintable(entry.reason):
        yield Problem(where, problem)
