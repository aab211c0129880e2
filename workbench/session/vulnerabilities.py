"""What scanners found: imported into the workspace, and weighed by who can reach it."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.documents.files import MAX_BYTES
from workbench.inventory.scanners import (
    MAX_KEPT,
    Owners,
    Report,
    collect,
    dump_vulnerabilities,
    load_vulnerabilities,
    merge,
    read_report,
)
from workbench.model.errors import Cancelled, InputError
from workbench.model.exposure import Scenario
from workbench.model.packets import printable
from workbench.model.policy import ResolvedPolicy
from workbench.model.simulation import Simulation
from workbench.model.traffic import Progress, Stop, Tell
from workbench.model.vulnerability import (
    Exposed,
    ImportReport,
    RiskTotal,
    Severity,
    Vulnerability,
)
from workbench.session.folder import SCANS
from workbench.session.site import Drafted
from workbench.session.workspace import Document

if TYPE_CHECKING:
    from workbench.analysis.reaching import Ports

GROUPINGS = ("host", "segment", "service")
"""What risks can be added up by."""


class Site(Drafted, Protocol):
    """What weighing vulnerabilities needs to know of the session."""

    @property
    def saved_simulation(self) -> Simulation: ...
    def addresses(self, text: str) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class _Scene:
    """What was worked out for one draft, and what it was worked out from."""

    question: tuple[object, ...]
    draft: ResolvedPolicy
    ports: "Ports"
    others: int
    """Machines of the site but one."""
    exposed: dict[Scenario, tuple[Exposed, ...]]
    """By the scenario compared with."""


class Vulnerabilities:
    """Scanner results of a workspace. Safe to call from worker threads."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._path = folder / SCANS
        self._lock = threading.RLock()
        self._document: Document | None = None
        self._found: tuple[Vulnerability, ...] = ()
        self._known: _Scene | None = None

    def found(self) -> tuple[Vulnerability, ...]:
        """Everything imported, in the order of the file. Raises ScanError."""
        with self._lock:
            if self._document is None:
                document = Document.read(self._path)
                if document.text is not None:
                    self._found = load_vulnerabilities(document.text, str(self._path))
                self._document = document
            return self._found

    def sources(self) -> tuple[tuple[str, str, int], ...]:
        """Source, scanner and how many vulnerabilities, by name."""
        counts: dict[tuple[str, str], int] = {}
        for one in self.found():
            counts[one.source, one.scanner] = counts.get((one.source, one.scanner), 0) + 1
        return tuple((*key, count) for key, count in sorted(counts.items()))

    def import_reports(
        self,
        paths: Sequence[Path],
        *,
        hosts: Iterable[str] = (),
        least: Severity = Severity.INFO,
        replace: bool = False,
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> tuple[ImportReport, ...]:
        """Scanner reports into the workspace: all of them, or none and an error.

        A report takes the place of what a file of its name brought before; with `replace`, of
        everything its scanner brought. `hosts` own the findings in images and folders.
        Raises ScanError, InputError for an unknown host, FileChanged, Cancelled.
        """
        sources = [_source(path) for path in paths]
        if twice := [name for name, count in Counter(sources).items() if count > 1]:
            raise InputError(
                f"two reports are called {twice[0]!r}: import them one by one, renamed"
            )
        given = [self._site.addresses(text)[0] for text in hosts]
        owners = Owners(self._site.inventory, given)
        with self._lock:
            read = [_read(path, owners, least, progress, cancelled) for path in paths]
            told = tuple(report for _, report in read)
            gone = {report.scanner for report in told} if replace else set()
            fresh = [one for found, _ in read for one in found]
            self._write(merge(self.found(), fresh, sources, gone))
        return told

    def forget(self, source: str) -> int:
        """Take away what one source brought; how many that were. Raises InputError."""
        with self._lock:
            before = self.found()
            kept = merge(before, (), [source])
            if len(kept) == len(before):
                known = ", ".join(dict.fromkeys(one[0] for one in self.sources())) or "none"
                raise InputError(f"nothing was imported from {source!r}; sources: {known}")
            self._write(kept)
            return len(before) - len(kept)

    def _write(self, found: tuple[Vulnerability, ...]) -> None:
        text = dump_vulnerabilities(found)
        if len(found) > MAX_KEPT or len(text.encode()) > MAX_BYTES:  # could not be read again
            size = f"{MAX_KEPT:,} vulnerabilities or {MAX_BYTES // 1_000_000} MB"
            raise InputError(f"more than {size} together; leave some out with --least low")
        if self._document is not None:
            self._document.write(text)
        self._found = load_vulnerabilities(text, str(self._path))  # in the order of the file

    def exposed(self, before: Scenario = Scenario.NONE) -> tuple[Exposed, ...]:
        """Every vulnerability with who can reach it before and under the draft, worst first."""
        return self._exposed(self._scene(), before)

    def _exposed(self, scene: _Scene, before: Scenario) -> tuple[Exposed, ...]:
        from workbench.analysis.vulnerabilities import assess

        with self._lock:
            if before not in scene.exposed:
                reach = scene.ports.reach
                scene.exposed[before] = assess(self.found(), reach, scene.others, before)
            return scene.exposed[before]

    def totals(
        self, by: str, before: Scenario = Scenario.NONE, least: Severity = Severity.LOW
    ) -> tuple[RiskTotal, ...]:
        """Risks added up by host, segment or service, the greatest first. Raises InputError."""
        from workbench.analysis import vulnerabilities as weighing

        if by not in GROUPINGS:
            raise InputError(f"cannot group by {by!r}; choose one of {', '.join(GROUPINGS)}")
        scene, inventory = self._scene(), self._site.inventory

        def names(one: Vulnerability) -> Iterable[str]:
            if by == "host":
                return (inventory.name(one.address),)
            if by == "service":
                return (one.service or weighing.WHOLE_HOST,)
            return scene.draft.segments_of(one.address) or (weighing.NO_SEGMENT,)

        counted = (
            one for one in self._exposed(scene, before) if one.vulnerability.severity >= least
        )
        return weighing.totals(counted, names)

    def who(self, one: Vulnerability, scenario: Scenario = Scenario.DRAFT) -> tuple[str, ...]:
        """Machines that can reach it, by name, `outside` last; for `observed` those that did."""
        return self._scene().ports.names(scenario, *one.place)

    def evidence(self, one: Vulnerability) -> NDArray[np.int64]:
        """Table rows of the conversations with this place that worked: what must not be cut."""
        return self._scene().ports.rows(*one.place)

    def _scene(self) -> _Scene:
        """Worked out once for the same findings, traffic and draft."""
        from workbench.analysis.exposure.machines import machines_of
        from workbench.analysis.reaching import Ports

        with self._lock:
            site, found = self._site, self.found()
            table, inventory, policy = site.table, site.inventory, site.policy
            saved = site.saved_simulation.policy
            question = (found, table, inventory, policy, saved)
            if self._known and all(map(_same, self._known.question, question)):
                return self._known
            draft, machines = site.resolve(policy), machines_of(table, inventory)
            policies = {Scenario.DRAFT: draft, Scenario.SAVED: saved}
            ports = Ports(machines, table, policies)
            self._known = _Scene(question, draft, ports, len(machines) - 1, {})
            return self._known


def _same(one: object, other: object) -> bool:
    return one is other


def _source(path: Path) -> str:
    return printable(" ".join(path.name.split()), 255) or "report"


def _read(
    path: Path, owners: Owners, least: Severity, progress: Tell, cancelled: Stop
) -> tuple[tuple[Vulnerability, ...], ImportReport]:
    found: list[tuple[tuple[Vulnerability, ...], ImportReport]] = []
    began = time.monotonic()

    def take(report: Report) -> None:
        found.append(collect(report, owners, str(path), _source(path), least))

    def tick(done: int) -> None:
        if cancelled and cancelled():
            raise Cancelled(f"{path}: stopped; nothing was imported")
        if progress:
            total = path.stat().st_size
            progress(Progress(path.name, done, total, elapsed=time.monotonic() - began))

    read_report(path, take, tick)
    return found[0]
