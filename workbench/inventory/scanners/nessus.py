"""Nessus, `.nessus` version 2: Report / ReportHost / HostProperties, ReportItem.

The format is described in Tenable's "Nessus v2 File Format".
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from workbench.inventory.scanners import values
from workbench.inventory.scanners.hardened import Record, Shape
from workbench.model.errors import ScanError
from workbench.model.vulnerability import Found, Severity, Target

SHAPE = Shape(heads={"ReportHost"}, records={"HostProperties", "ReportItem"})
_SCORES = ("cvss4_base_score", "cvss3_base_score", "cvss_base_score")
"""The newest first."""
_NAMES = ("host-fqdn", "host-rdns", "netbios-name", "hostname")


def read(_root: Element, records: Iterator[Record], file: str) -> Iterator[Found]:
    """Findings in file order. Raises ScanError."""
    target: Target | None = None
    seen: int | None = None
    for line, element in records:
        if element.tag == "ReportHost":
            target, seen = _target(element.get("name", ""), {}), None
        elif target is None:
            raise ScanError(f"<{element.tag}> outside of a <ReportHost>", file=file, line=line)
        elif element.tag == "HostProperties":
            tags = {one.get("name", ""): one.text or "" for one in element.iter("tag")}
            target, seen = (
                _target(target.names[0] if target.names else "", tags, target),
                _seen(tags),
            )
        else:
            yield _finding(element, target, seen, file, line)


def _target(name: str, tags: dict[str, str], before: Target | None = None) -> Target:
    """`host-ip` says it best; the report's own name may be an address or a name."""
    own = values.address(name)
    known = own if before is None else before.address
    names = [name if own is None else "", *(tags.get(key, "") for key in _NAMES)]
    told = tuple(dict.fromkeys(values.line(one) for one in names if one.strip()))
    return Target(values.address(tags.get("host-ip")) or known, told)


def _seen(tags: dict[str, str]) -> int | None:
    """Newer files say it in seconds; older ones as `Thu Mar 31 14:02:09 2022`, zone unknown."""
    for key in ("HOST_END_timestamp", "HOST_START_timestamp"):
        if (found := values.moment(tags.get(key))) is not None:
            return found
    try:
        told = datetime.strptime(tags.get("HOST_END", "").strip()[:40], "%a %b %d %H:%M:%S %Y")
        return values.moment(int(told.replace(tzinfo=UTC).timestamp()))
    except (ValueError, OverflowError):
        return None


def _finding(item: Element, target: Target, seen: int | None, file: str, line: int) -> Found:
    try:
        protocol, port = values.place(item.get("protocol"), item.get("port"))
    except ValueError as error:
        raise ScanError(str(error), file=file, line=line, where="ReportItem.port") from error
    word = item.get("severity", "").strip()
    if word not in ("0", "1", "2", "3", "4"):
        problem = f"{values.line(word, 40)!r} is not a severity from 0 to 4"
        raise ScanError(problem, file=file, line=line, where="ReportItem.severity")
    plugin = values.line(item.get("pluginID"), values.MAX_ID)
    if not plugin:
        raise ScanError("needs pluginID", file=file, line=line, where="ReportItem")
    number = values.first_score(item.findtext(key) for key in _SCORES)
    score, severity = values.rated(Severity(int(word)), number)
    solution = values.line(item.findtext("solution"), values.MAX_FIX)
    return Found(
        target,
        protocol,
        port,
        id=plugin,
        title=values.line(item.get("pluginName")),
        score=score,
        severity=severity,
        cves=values.cves(one.text for one in item.iterfind("cve")),
        fix="" if solution.lower() == "n/a" else solution,
        seen_us=seen,
    )
