"""Any scanner's report: which it is, is told by what is in it, not by its name."""

import json
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element

from workbench.inventory.scanners import images, nessus, nmap, openvas
from workbench.inventory.scanners.hardened import BLOCK, Record, Shape, Tick, read_records
from workbench.model.errors import ScanError
from workbench.model.vulnerability import Found

MAX_JSON = 256_000_000
"""Bytes of a JSON report, which is held whole."""
MAX_FINDINGS = 2_000_000
"""Findings read of one report."""

_Reader = Callable[[Element, Iterator[Record], str], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class _Xml:
    scanner: str
    shape: Shape
    read: _Reader


_OPENVAS = _Xml("openvas", openvas.SHAPE, openvas.read)
_ROOTS = {
    "NessusClientData_v2": _Xml("nessus", nessus.SHAPE, nessus.read),
    "report": _OPENVAS,
    "get_reports_response": _OPENVAS,
    "nmaprun": _Xml("nmap", nmap.SHAPE, nmap.read),
}
_JSON = {
    "grype": (images.is_grype, images.read_grype),
    "trivy": (images.is_trivy, images.read_trivy),
}


@dataclass(frozen=True, slots=True)
class Report:
    """A report that is being read."""

    scanner: str
    findings: Iterator[Found]
    """In file order, to be gone through once. Raises ScanError."""


def read_report(path: Path, take: Callable[[Report], None], tick: Tick = lambda _: None) -> None:
    """Recognise a report and hand it over, to be read while the file is open.

    `tick` is told how many bytes were read, and may raise. Raises ScanError with file and place.
    """
    file = str(path)
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a FIFO would block, a device never ends
            raise ScanError("not a regular file", file=file)
        with path.open("rb") as stream:
            start = stream.peek(BLOCK)[:BLOCK].removeprefix(b"\xef\xbb\xbf").lstrip()
            if start.startswith((b"{", b"[")):
                take(_json(stream, path.stat().st_size, file))
            elif start.startswith((b"<", b"\xff\xfe", b"\xfe\xff")):
                with closing(read_records(stream, file, _shapes(), tick)) as records:
                    take(_xml(records, file))
            else:
                problem = "neither XML nor JSON" if start else "empty"
                raise ScanError(f"{problem}; {_KNOWN}", file=file)
    except OSError as error:
        raise ScanError(f"cannot read: {error.strerror}", file=file) from error


_KNOWN = "reports of Nessus, OpenVAS, Nmap (-oX), Trivy and Grype (JSON) are read"


def _shapes() -> dict[str, Shape]:
    return {root: known.shape for root, known in _ROOTS.items()}


def _xml(records: Iterator[Record], file: str) -> Report:
    _, root = next(records)
    known = _ROOTS[root.tag]
    return Report(known.scanner, _bounded(known.read(root, records, file), file))


def _json(stream: BinaryIO, size: int, file: str) -> Report:
    if size > MAX_JSON:
        raise ScanError(f"larger than {MAX_JSON // 1_000_000} MB of JSON", file=file)
    document = _parsed(stream.read(MAX_JSON), file)
    for scanner, (fits, read) in _JSON.items():
        if fits(document):
            return Report(scanner, _bounded(read(document, file), file))
    raise ScanError(f"JSON of an unknown kind; {_KNOWN}", file=file)


def _parsed(text: bytes, file: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ScanError(f"not JSON: {error.msg}", file=file, line=error.lineno) from error
    except RecursionError as error:
        raise ScanError("not JSON that can be read: nested too deep", file=file) from error
    except ValueError as error:  # not UTF-8, or a number of thousands of digits
        raise ScanError("not JSON: wrong encoding or a number too long", file=file) from error


def _bounded(findings: Iterator[Found], file: str) -> Iterator[Found]:
    for count, found in enumerate(findings):
        if count == MAX_FINDINGS:
            raise ScanError(f"more than {MAX_FINDINGS:,} findings", file=file)
        yield found
