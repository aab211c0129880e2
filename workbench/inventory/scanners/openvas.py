"""OpenVAS and Greenbone report XML: report / report / results / result.

The elements are those of the Greenbone Management Protocol (get_reports, 9.0 to 22.x).
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from workbench.inventory.scanners import values
from workbench.inventory.scanners.hardened import Record, Shape
from workbench.model.errors import ScanError
from workbench.model.vulnerability import Found, Severity, Target

SHAPE = Shape(records={"result"})
_NO_FINDING = {"-1.0": "false positive", "-2.0": "debug", "-3.0": "error"}
"""Severities that stand for something else."""


def read(_root: Element, records: Iterator[Record], file: str) -> Iterator[Found]:
    """Findings in file order, without false positives and errors. Raises ScanError."""
    for line, result in records:
        if values.line(result.findtext("severity"), 10) not in _NO_FINDING:
            yield _finding(result, file, line)


def _finding(result: Element, file: str, line: int) -> Found:
    host, nvt = result.find("host"), result.find("nvt")
    oid = "" if nvt is None else values.line(nvt.get("oid"), values.MAX_ID)
    if host is None or nvt is None or not oid:
        raise ScanError("needs <host> and <nvt oid>", file=file, line=line, where="result")
    number, _, protocol = values.line(result.findtext("port"), 60).rpartition("/")
    number = number.rpartition(" ")[2].strip("(")  # older reports: `https (443/tcp)`
    try:
        place = values.place(protocol.rstrip(")"), number if number.isdigit() else "0")
    except ValueError as error:
        raise ScanError(str(error), file=file, line=line, where="result.port") from error
    score, severity = values.rated(None, _score(result, nvt))
    ids = [one.get("id", "") for one in nvt.iterfind("refs/ref") if one.get("type") == "cve"]
    return Found(
        _target(host),
        *place,
        id=oid,
        title=values.line(nvt.findtext("name") or result.findtext("name")),
        score=score,
        severity=severity,
        cves=values.cves((*ids, nvt.findtext("cve"))),
        fix=_fix(nvt),
        seen_us=values.moment(result.findtext("creation_time")),
    )


def _target(host: Element) -> Target:
    own = values.line(host.text)
    names = ("" if values.address(own) is not None else own, values.line(host.findtext("hostname")))
    return Target(values.address(own), tuple(dict.fromkeys(name for name in names if name)))


def _score(result: Element, nvt: Element) -> float:
    """The result's own, which overrides have changed already; else the test's."""
    scores = (result.findtext("severity"), nvt.findtext("cvss_base"))
    found = next((one for text in scores if (one := values.score(text)) is not None), None)
    words = {"low": Severity.LOW, "medium": Severity.MEDIUM, "high": Severity.HIGH}
    threat = words.get(values.line(result.findtext("threat"), 20).lower(), Severity.INFO)
    return threat.typical if found is None else found


def _fix(nvt: Element) -> str:
    """The vendor's; `WillNotFix` and `NoneAvailable` are none."""
    solution = nvt.find("solution")
    kind = "" if solution is None else solution.get("type", "")
    if solution is None or kind in ("WillNotFix", "NoneAvailable"):
        return ""
    return values.line(solution.text, values.MAX_FIX)
