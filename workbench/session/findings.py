"""Findings of a workspace: looked for, told as a story, drilled into, suppressed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from workbench.analysis import findings as detectors
from workbench.documents import digest, read_if_there, write_atomic
from workbench.model.errors import InputError, StoreBusy
from workbench.model.filters import TIME_FIELDS, Filter, Term, parse_time
from workbench.model.finding import Evidence, Finding, FindingSettings, Suppression, Traces, Window
from workbench.model.traffic import (
    CaptureReport,
    Progress,
    Stop,
    Tell,
    format_time,
)
from workbench.session.folder import FINDINGS
from workbench.session.listening import listened, unread
from workbench.session.site import Recorded
from workbench.store import FlowQuery, FlowView, Store

_SILENCE_US = 3_600_000_000
"""Without a single packet for so long, a capture was not recording."""


class Site(Recorded, Protocol):
    """What looking for findings needs to know of the session."""

    @property
    def workspace(self) -> Path: ...
    def captures(self) -> tuple[CaptureReport, ...]: ...
    def select(self, chosen: Filter) -> NDArray[np.bool_]: ...


class Findings:
    """The session's findings. Safe to call from worker threads."""

    def __init__(self, site: Site, store: Store, on: date) -> None:
        self._site = site
        self._store = store
        self._on = on
        self._lock = Lock()
        self._last: tuple[object, tuple[Finding, ...]] | None = None

    # ── look ───────────────────────────────────────────────────────────────────────────────

    def find(
        self,
        *,
        baseline: int | None = None,
        against: str = "",
        progress: Tell = None,
        cancelled: Stop = None,
    ) -> tuple[Finding, ...]:
        """Every finding, in order of time; suppressed ones carry their suppression.

        `baseline`: flows that begin before this moment (µs) are what is normal, the rest is looked
        at. `against`: the same for the flows of these captures (number, path or file name with
        `*`). Raises Cancelled, InputError, DocumentError for a broken findings.yaml.
        """
        settings = self.settings()
        now, before = self._windows(baseline, against)
        key = (now, before, settings.thresholds, self._site.inventory, self._site.captures())
        with self._lock:
            if self._last is None or self._last[0] != key:
                self._last = (key, self._detect(now, before, settings, progress, cancelled))
            found = self._last[1]
        return tuple(replace(one, suppression=settings.suppression(one, self._on)) for one in found)

    @property
    def latest(self) -> tuple[Finding, ...]:
        """What the last look found; empty before the first."""
        return self._last[1] if self._last else ()

    def check_against(self, captures: str) -> None:
        """Raises InputError where `find` would, for these captures as a baseline."""
        self._windows(None, captures)

    def story(self, address: int, found: Sequence[Finding]) -> tuple[Finding, ...]:
        """What a host did and what was done to it, in order of time; all addresses it has."""
        mine = set(self._site.inventory.machine(address))
        return tuple(one for one in found if one.host in mine or mine & set(one.peers))

    def fitting(self, found: Sequence[Finding], chosen: Filter) -> tuple[Finding, ...]:
        """Findings with a conversation among their evidence that the filter lets through.

        `after:` and `before:` are about the finding's own time. Raises FilterError.
        """
        times = tuple(term for term in chosen.terms if term.field in TIME_FIELDS)
        rest = Filter(tuple(term for term in chosen.terms if term not in times))
        kept = tuple(one for one in found if all(_in_time(one, term) for term in times))
        if not rest or not kept:
            return kept
        fits = self._conversations(kept, self._site.select(rest))
        return tuple(one for one in kept if any(piece in fits for piece in one.evidence))

    def rows_of(self, finding: Finding) -> NDArray[np.int64]:
        """The finding's conversations as rows of the session's table."""
        known = self._conversations((finding,), np.ones(len(self._site.table), np.bool_))
        return np.array([known[one] for one in finding.evidence if one in known], np.int64)

    def _conversations(
        self, found: Sequence[Finding], chosen: NDArray[np.bool_]
    ) -> dict[Evidence, int]:
        """The chosen rows of the table whose client is one of which some finding speaks."""
        table = self._site.table
        hosts = table.hosts
        clients = {piece.client for one in found for piece in one.evidence}
        numbers = [hosts.index[one] for one in clients if one in hosts.index]
        rows = np.flatnonzero(chosen & np.isin(table["client"], numbers))
        columns = (table[name][rows].tolist() for name in ("client", "server", "protocol", "port"))
        return {
            Evidence(hosts.addresses[client], hosts.addresses[server], protocol, port): row
            for row, client, server, protocol, port in zip(rows.tolist(), *columns, strict=True)
        }

    def recorded(self) -> tuple[tuple[int, int], ...]:
        """When anything was recorded: disjoint, ascending, µs."""
        return covered(self._site.captures(), Window())

    def flows_of(
        self, finding: Finding, sort: str = "first_us", descending: bool = False
    ) -> FlowView:
        """Flows of a finding's conversations in the finding's time; close the view after use."""
        index = self._store.hosts().index
        pieces = [one for one in finding.evidence if one.client in index and one.server in index]
        keys: dict[str, NDArray[Any]] = {
            "client": np.array([index[one.client] for one in pieces], dtype=np.int32),
            "server": np.array([index[one.server] for one in pieces], dtype=np.int32),
            "protocol": np.array([one.protocol for one in pieces], dtype=np.uint8),
            "port": np.array([one.port for one in pieces], dtype=np.uint16),
        }
        times = (
            Term("after", (format_time(finding.first_us),)),
            Term("before", (format_time(finding.last_us + 1),)),
        )
        return self._store.flow_view(FlowQuery(keys, times, sort, descending))

    # ── settings ───────────────────────────────────────────────────────────────────────────

    @property
    def today(self) -> date:
        """The day that expiry dates are judged by."""
        return self._on

    @property
    def file(self) -> Path:
        """Thresholds and suppressions, the user's text."""
        return self._site.workspace / FINDINGS

    def settings(self) -> FindingSettings:
        """What findings.yaml says now. Raises DocumentError."""
        text = read_if_there(self.file)
        if text is None:
            return FindingSettings()
        return detectors.load_settings(text, str(self.file))

    def suppress(self, finding_id: str, reason: str, until: date | None = None) -> None:
        """Say that a finding is known and harmless; written at once."""
        entry, known_by = Suppression(finding_id, reason, until), self._known_by(finding_id)
        self._change(lambda settings: detectors.suppress(settings, entry, known_by))

    def lift(self, finding_id: str) -> None:
        """Take a suppression back. Raises DocumentError when there is none."""
        known_by = self._known_by(finding_id)
        self._change(lambda settings: detectors.lift(settings, finding_id, known_by))

    def _known_by(self, finding_id: str) -> tuple[str, ...]:
        """All ids of a finding of the last look."""
        return next((one.known_by for one in self.latest if one.id == finding_id), ())

    def check_threshold(self, name: str, text: str) -> None:
        """Raises DocumentError where `set_threshold` would."""
        detectors.set_threshold(self.settings(), name, text)

    def set_threshold(self, name: str, text: str) -> None:
        """A threshold as typed; empty for what it is unless told. Raises DocumentError."""
        self._change(lambda settings: detectors.set_threshold(settings, name, text))

    def _change(self, edit: Callable[[FindingSettings], FindingSettings]) -> None:
        old = read_if_there(self.file)
        settings = edit(self.settings())
        text = detectors.dump_settings(settings)
        if old is not None:
            text = detectors.update_settings(old, settings)
        write_atomic(self.file, text, expected=None if old is None else digest(old))

    def check_baseline(self, moment: int) -> None:
        """Raises InputError for a time that has nothing before it, or nothing behind it."""
        begun = [one.first_us for one in self._site.captures() if one.first_us is not None]
        ended = [one.last_us for one in self._site.captures() if one.last_us is not None]
        if begun and not min(begun) < moment <= max(ended):
            side = "before" if moment <= min(begun) else "from then on"
            raise InputError(
                f"nothing was recorded {side} ({format_time(moment)}): there is nothing to compare"
            )

    # ── how ────────────────────────────────────────────────────────────────────────────────

    def _windows(self, baseline: int | None, against: str) -> tuple[Window, Window | None]:
        if baseline is not None and against:
            raise InputError("compare with a time or with captures, not with both")
        if baseline is not None:
            self.check_baseline(baseline)
            return Window(after_us=baseline), Window(before_us=baseline)
        if not against:
            return Window(), None
        numbers = tuple(one.id for one in self._site.captures() if _called(one, against))
        rest = tuple(one.id for one in self._site.captures() if one.id not in numbers)
        if not numbers or not rest:
            kind = "no capture is" if not numbers else "every capture is"
            raise InputError(f"{kind} called {against!r}: there is nothing to compare")
        return Window(captures=_known(rest)), Window(captures=_known(numbers))

    @property
    def unread(self) -> bool:
        """Whether the next look has payload to read; what it says is kept only by a writer."""
        return unread(self._store, self._site.captures())

    def _detect(
        self,
        now: Window,
        before: Window | None,
        settings: FindingSettings,
        progress: Tell,
        cancelled: Stop,
    ) -> tuple[Finding, ...]:
        limits = settings.thresholds
        hosts = self._store.hosts()

        def traces(window: Window, done: int) -> Traces:
            if progress:
                progress(Progress("looking for findings", done, 3))
            return self._store.traces(window, detectors.SERVICES, limits, cancelled)

        earlier = traces(before, 0) if before else None
        unheard = listened(self._store, self._site.captures(), progress, cancelled)
        scene = detectors.Scene(
            hosts=hosts,
            inventory=self._site.inventory,
            now=traces(now, 1),
            before=earlier,
            covered=covered(self._site.captures(), now),
            limits=limits,
            spoken=self._store.spoken(now),
            spoken_before=self._store.spoken(before) if before else (),
            unheard=unheard,
        )
        if len(self._store.hosts()) != len(hosts):
            raise StoreBusy("captures have just been loaded: ask again")
        if progress:
            progress(Progress("looking for findings", 2, 3))
        return detectors.detect(scene, cancelled)


def _in_time(finding: Finding, term: Term) -> bool:
    """`after:` what had not ended before, `before:` what had begun."""
    moments = map(parse_time, term.values)
    if term.field == "after":
        return any(finding.last_us >= moment for moment in moments) != term.negated
    return any(finding.first_us < moment for moment in moments) != term.negated


def covered(reports: Sequence[CaptureReport], window: Window) -> tuple[tuple[int, int], ...]:
    """Recorded stretches of a window: disjoint, ascending, µs."""
    spans: list[tuple[int, int]] = []
    for first, last in sorted(
        (
            first if window.after_us is None else max(first, window.after_us),
            last if window.before_us is None else min(last, window.before_us),
        )
        for one in reports
        if window.captures is None or one.id in window.captures
        for first, last in _stretches(one)
    ):
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], last))
        elif first <= last:
            spans.append((first, last))
    return tuple(spans)


def _stretches(report: CaptureReport) -> Iterator[tuple[int, int]]:
    """From the first packet to the last, long silences left out: then nobody recorded."""
    if report.first_us is None or report.last_us is None:
        return
    begin = report.first_us
    for gap in sorted(report.recording.gaps, key=lambda one: one.start_us):
        if gap.length_us >= _SILENCE_US and begin <= gap.start_us:
            yield begin, gap.start_us
            begin = gap.end_us
    yield begin, max(begin, report.last_us)


def _called(report: CaptureReport, text: str) -> bool:
    return text in (str(report.id), report.path) or fnmatchcase(Path(report.path).name, text)


def _known(numbers: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(number for number in numbers if number is not None)
