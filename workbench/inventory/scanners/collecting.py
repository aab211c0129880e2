"""Findings of a report given to hosts, and put together with what is known already."""

from collections import Counter
from collections.abc import Collection, Iterable

from workbench.inventory.scanners.document import MAX_KEPT
from workbench.inventory.scanners.owners import Owners
from workbench.inventory.scanners.report import Report
from workbench.model.errors import ScanError
from workbench.model.vulnerability import Found, ImportReport, Severity, Vulnerability

MAX_UNKNOWN = 100
"""Names of unknown machines that a report of an import lists."""
_Key = tuple[int, int | None, int | None, str]


def collect(
    report: Report, owners: Owners, path: str, source: str, least: Severity = Severity.INFO
) -> tuple[tuple[Vulnerability, ...], ImportReport]:
    """Findings of at least this severity as vulnerabilities; each (host, port, id) once, the worst.

    Raises ScanError, also for more than a workspace keeps.
    """
    kept: dict[_Key, Vulnerability] = {}
    unknown: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    for found in report.findings:
        if found.severity < least:
            left_out[f"less than {least.text}"] += 1
            continue
        addresses = owners.of(found.target)
        if not addresses:
            unknown[found.target.text] += 1
            left_out["of a host that the inventory does not know"] += 1
        for address in addresses:
            key = (address, found.protocol, found.port, found.id)
            if key not in kept or found.score > kept[key].score:
                kept[key] = _given(found, address, report.scanner, source)
        if len(kept) > MAX_KEPT:
            problem = f"more than {MAX_KEPT:,} findings; leave some out with --least low"
            raise ScanError(problem, file=path)
    told = ImportReport(
        path,
        report.scanner,
        findings=len(kept),
        hosts=len({key[0] for key in kept}),
        unknown=tuple(unknown.most_common(MAX_UNKNOWN)),
        left_out=tuple(left_out.items()),
    )
    return tuple(kept.values()), told


def _given(found: Found, address: int, scanner: str, source: str) -> Vulnerability:
    return Vulnerability(
        address,
        found.protocol,
        found.port,
        found.id,
        found.title,
        found.score,
        found.severity,
        scanner,
        source,
        found.cves,
        found.fix,
        found.seen_us,
    )


def merge(
    known: Iterable[Vulnerability],
    fresh: Iterable[Vulnerability],
    sources: Collection[str],
    scanners: Collection[str] = (),
) -> tuple[Vulnerability, ...]:
    """`fresh` instead of all that these sources and scanners brought before."""
    kept = (one for one in known if one.source not in sources and one.scanner not in scanners)
    return (*kept, *fresh)
