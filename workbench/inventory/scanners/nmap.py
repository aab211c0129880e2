"""Nmap XML (`-oX`): open ports, and what scripts said about them; see nmap.dtd."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from workbench.inventory.scanners import values
from workbench.inventory.scanners.hardened import Record, Shape
from workbench.model.errors import ScanError
from workbench.model.net import TCP
from workbench.model.vulnerability import Found, Severity, Target, severity_of

SHAPE = Shape(records={"host"})
_RISK = re.compile(r"Risk factor:\s*(low|medium|high|critical)", re.IGNORECASE)
_STATE = re.compile(r"State:\s*(?:LIKELY )?VULNERABLE")
_NOT = re.compile(r"NOT VULNERABLE")
MAX_OUTPUT = 20_000
"""Characters of a script's output that are looked at."""


def read(root: Element, records: Iterator[Record], file: str) -> Iterator[Found]:
    """An open service is information; scripts add what they found vulnerable. Raises ScanError."""
    began = values.moment(root.get("start"))
    for line, host in records:
        status = host.find("status")
        if status is not None and status.get("state") not in ("up", None):
            continue
        seen = values.moment(host.get("endtime")) or began
        yield from _host(host, _target(host), seen, file, line)


def _target(host: Element) -> Target:
    addresses = [values.address(one.get("addr")) for one in host.iterfind("address")]
    names = [values.line(one.get("name")) for one in host.iterfind("hostnames/hostname")]
    known = [one for one in addresses if one is not None]
    return Target(known[0] if known else None, tuple(dict.fromkeys(filter(None, names))))


def _host(host: Element, target: Target, seen: int | None, file: str, line: int) -> Iterator[Found]:
    opened: set[tuple[int | None, int]] = set()
    for port in host.iterfind("ports/port"):
        state = port.find("state")
        if state is None or state.get("state") != "open":
            continue  # `open|filtered` is what nmap says of silence
        try:
            protocol, number = values.place(port.get("protocol"), port.get("portid"))
        except ValueError as error:
            raise ScanError(str(error), file=file, line=line, where="port.portid") from error
        if number is None:
            continue  # an IP protocol scan: no port that could be reached
        opened.add((protocol, number))
        yield _service(port, target, protocol, number, seen)
        for script in port.iterfind("script"):
            yield from _scripted(script, target, protocol, number, seen)
    for script in host.iterfind("hostscript/script"):
        smb = script.get("id", "").startswith("smb") and (TCP, 445) in opened
        protocol, number = (TCP, 445) if smb else (None, None)
        yield from _scripted(script, target, protocol, number, seen)


def _service(
    port: Element, target: Target, protocol: int | None, number: int, seen: int | None
) -> Found:
    service = port.find("service")
    told = () if service is None else map(service.get, ("name", "product", "version", "extrainfo"))
    title = values.line(" ".join(word for word in told if word)) or "unknown service"
    open_port = ("open service", f"open: {title}", 0.0, Severity.INFO)
    return Found(target, protocol, number, *open_port, seen_us=seen)


def _scripted(
    script: Element,
    target: Target,
    protocol: int | None,
    number: int | None,
    seen: int | None,
) -> Iterator[Found]:
    """Of `vulners` one finding a CVE; of others one, where they say VULNERABLE."""
    name = values.line(script.get("id"), values.MAX_ID) or "script"
    output = script.get("output", "")[:MAX_OUTPUT]
    rows = [_row(table) for table in script.iter("table")]
    known = [row for row in rows if values.cves([row.get("id", "")]) and "cvss" in row]
    for row in known:
        score = values.score(row["cvss"]) or 0.0
        ids = values.cves([row["id"]])
        title = f"{name}: {ids[0]}"
        found = (ids[0], title, score, severity_of(score), ids)
        yield Found(target, protocol, number, *found, seen_us=seen)
    if known or _NOT.search(output) or not _STATE.search(output):
        return
    risk = _RISK.search(output)
    word = Severity[risk[1].upper()] if risk else Severity.HIGH
    lines = [one.strip() for one in output.split("\n")]
    after = lines.index("VULNERABLE:") + 1 if "VULNERABLE:" in lines else 0
    title = values.line(f"{name}: {lines[after]}" if after < len(lines) else name)
    found = (name, title, word.typical, word, values.cves([output]))
    yield Found(target, protocol, number, *found, seen_us=seen)


def _row(table: Element) -> dict[str, str]:
    return {one.get("key", ""): one.text or "" for one in table.iterfind("elem")}
