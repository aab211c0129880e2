"""vulnerabilities.json: what was imported, a line each and sorted, to be read and diffed."""

import json
from collections.abc import Iterable
from typing import Any

from workbench.inventory.scanners import values
from workbench.model.errors import ScanError
from workbench.model.net import PORT_PROTOCOLS, format_address, parse_address, parse_service
from workbench.model.traffic import format_time
from workbench.model.vulnerability import Severity, Vulnerability

VERSION = 1
MAX_KEPT = 200_000
"""Vulnerabilities of a workspace."""
_WORDS = {word.text: word for word in Severity}


def dump_vulnerabilities(found: Iterable[Vulnerability]) -> str:
    """The canonical text: `load_vulnerabilities` reads back the same, sorted by place and id."""
    lines = sorted((_order(one), json.dumps(_data(one), ensure_ascii=False)) for one in found)
    body = ",\n".join(f"  {line}" for _, line in lines)
    head = f'{{"workbench": {VERSION}, "vulnerabilities": ['
    return f"{head}\n{body}\n]}}\n" if body else f"{head}]}}\n"


def _order(one: Vulnerability) -> tuple[Any, ...]:
    return one.address, one.protocol or 0, one.port or 0, one.scanner, one.id, one.source


def _data(one: Vulnerability) -> dict[str, Any]:
    data = {
        "host": format_address(one.address),
        "service": one.service,
        "severity": one.severity.text,
        "score": one.score,
        "scanner": one.scanner,
        "id": one.id,
        "title": one.title,
        "cves": list(one.cves),
        "fix": one.fix,
        "seen": "" if one.seen_us is None else format_time(one.seen_us),
        "source": one.source,
    }
    return {key: value for key, value in data.items() if value not in ("", [])}


def load_vulnerabilities(
    text: str, file: str = "vulnerabilities.json"
) -> tuple[Vulnerability, ...]:
    """Read the document. Raises ScanError with file and place for the first thing that is wrong."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScanError(f"not JSON: {error.msg}", file=file, line=error.lineno) from error
    except (RecursionError, ValueError) as error:
        raise ScanError("not JSON that can be read", file=file) from error
    if not isinstance(document, dict) or document.get("workbench") != VERSION:
        raise ScanError(f'needs `"workbench": {VERSION}`', file=file)
    entries = document.get("vulnerabilities")
    if not isinstance(entries, list):
        raise ScanError("expected a list", file=file, where="vulnerabilities")
    if len(entries) > MAX_KEPT:
        raise ScanError(f"more than {MAX_KEPT:,} vulnerabilities", file=file)
    found = []
    for at, entry in enumerate(entries):
        try:
            found.append(_vulnerability(entry))
        except _Wrong as wrong:
            where = f"vulnerabilities[{at}]" + (f".{wrong.field}" if wrong.field else "")
            raise ScanError(wrong.problem, file=file, where=where) from wrong
    return tuple(found)


class _Wrong(Exception):
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.field = field
        self.problem = problem


def _text(entry: dict[str, Any], field: str, limit: int, *, needed: bool = False) -> str:
    text = entry.get(field, "")
    if not isinstance(text, str) or (needed and not text):
        raise _Wrong(field, "expected text")
    if values.line(text, limit) != text:
        raise _Wrong(field, f"expected one printable line of at most {limit} characters")
    return text


def _vulnerability(entry: Any) -> Vulnerability:
    if not isinstance(entry, dict):
        raise _Wrong("", "expected an object")
    protocol, port = _place(_text(entry, "service", 40))
    score = values.score(entry.get("score"))
    if score is None:
        raise _Wrong("score", "expected a number from 0 to 10")
    word = entry.get("severity")
    if not isinstance(word, str) or word not in _WORDS:
        raise _Wrong("severity", f"expected one of {', '.join(_WORDS)}")
    cves = entry.get("cves", [])
    if not isinstance(cves, list) or list(values.cves(cves)) != cves:
        raise _Wrong("cves", "expected CVE ids, sorted, each once")
    seen = _text(entry, "seen", 40)
    if seen and values.moment(seen) is None:
        raise _Wrong("seen", "expected a time such as 2026-03-31T14:02:09Z")
    return Vulnerability(
        address=_address(entry),
        protocol=protocol,
        port=port,
        id=_text(entry, "id", values.MAX_ID + 2, needed=True),
        title=_text(entry, "title", values.MAX_TITLE),
        score=score,
        severity=_WORDS[word],
        scanner=_text(entry, "scanner", 20, needed=True),
        source=_text(entry, "source", 255, needed=True),
        cves=tuple(cves),
        fix=_text(entry, "fix", values.MAX_FIX),
        seen_us=values.moment(seen) if seen else None,
    )


def _address(entry: dict[str, Any]) -> int:
    text = _text(entry, "host", 60, needed=True)
    try:
        return parse_address(text)
    except ValueError:
        raise _Wrong("host", f"{text!r} is not an IPv4 or IPv6 address") from None


def _place(service: str) -> tuple[int | None, int | None]:
    if not service:
        return None, None
    try:
        found = parse_service(service)
    except ValueError as error:
        raise _Wrong("service", str(error)) from None
    if found.protocol not in PORT_PROTOCOLS or found.first != found.last or not found.first:
        raise _Wrong("service", f"{service!r}: expected one port, such as tcp/445")
    return found.protocol, found.first
