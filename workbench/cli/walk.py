"""The whole loop without a terminal: each step done for real, and printed."""

from pathlib import Path

from workbench.cli.commands.opening import warn_uncompiled
from workbench.cli.grid import matrix_grid
from workbench.cli.table import line_width, print_grid, shortened, show
from workbench.model.errors import UnsupportedPolicy
from workbench.model.filters import NO_FILTER
from workbench.model.text import noun, percent, plural, short_bytes
from workbench.model.verdict import CLASS_GLYPHS, Class
from workbench.session import Session

WIDE = 100
"""Terminal columns where nobody knows."""
SHOWN = 8
"""Lines of a long list."""


def walk(folder: Path, captures: tuple[Path, ...]) -> int:
    """See, name, draft, simulate, export, verify. Returns 0 when every export is proven."""
    with Session.open(folder) as session:
        _load(session, captures)
        _see(session)
        _name(session)
        _simulate(session, "4 Simulate – the drafted policy on the recorded traffic")
        _draft(session)
        _simulate(session, "6 Simulate again – the extended draft")
        return _export(session)


def _title(text: str) -> None:
    wide = line_width() or WIDE
    print("\n" + shortened(f"── {text} " + "─" * wide, wide).replace("…", "─"))


def _line(text: str) -> None:
    print(shortened(text, line_width() or len(text)))


def _load(session: Session, captures: tuple[Path, ...]) -> None:
    _title("1 Load – captures into DuckDB")
    if not session.captures():
        warn_uncompiled()
        session.ingest(captures)
    for report in session.captures():
        lacked = [*report.problems, *(f"{n} × {why}" for why, n in report.skipped.items())]
        print(
            f"{Path(report.path).name}: {plural(report.packets, 'packet')}, "
            f"{plural(report.flows, 'flow')}, {short_bytes(report.wire_bytes)}; not policy traffic "
            f"or lacking: {', '.join(lacked) or 'nothing'}"
        )


def _see(session: Session) -> None:
    _title("2 See – who talks to whom, by segment (✓ allowed, ✗n/m would block, ? uncertain)")
    print_grid(*matrix_grid(session.matrix("segment"), line_width() or WIDE))


def _name(session: Session) -> None:
    _title("3 Name – hosts, labels, segments")
    hosts = session.hosts()
    listed = session.inventory.by_address
    placeless = {  # by name: of a host's addresses the busiest
        host.name: host
        for host in sorted(hosts, key=lambda host: host.conversations)
        if host.address in listed and not host.segments
    }
    print(f"{plural(len(hosts), 'address')}, {plural(len(session.policy.segments), 'segment')}")
    for host in list(placeless.values())[:SHOWN]:
        _line(f"  in no segment: {host.name}  serves {', '.join(host.services) or 'nothing'}")


def _simulate(session: Session, title: str) -> None:
    _title(title)
    simulation = session.simulation
    for klass in Class:
        count = simulation.totals.by_class[klass]
        print(f"  {CLASS_GLYPHS[klass]} {klass.text:13} {count:5} {noun(count, 'conversation')}")
    cover = simulation.coverage
    shares = percent(cover.share, 1), percent(cover.bytes_share, 1)
    print(f"  coverage {shares[0]} of conversations, {shares[1]} of bytes")
    for use in simulation.rules:
        if use.state != "active":
            print(f"  rule {use.id}: {use.state}")
    blocked = session.conversation_rows(NO_FILTER, "last_us")
    blocked = blocked[simulation.classes[blocked] == Class.WOULD_BLOCK]
    for row in blocked[:SHOWN]:
        seen = simulation.table.at(int(row))
        ends = f"{session.name_of(seen.client)} → {session.name_of(seen.server)}"
        print(f"  ✗ would block {ends} {seen.service}")
    if len(blocked) > SHOWN:
        print(f"  … and {len(blocked) - SHOWN} more")


def _draft(session: Session) -> None:
    _title("5 Draft – rules the traffic asks for, each with its evidence")
    suggestion = session.suggest()
    taken = []
    for proposal in suggestion.proposals:
        rule = proposal.rule
        taken += [] if proposal.caution else [rule.id]
        note = f"  (look twice: {proposal.caution})" if proposal.caution else ""
        _line(
            f"  {'+' if not proposal.caution else '?'} {rule.id}: {', '.join(rule.clients)} → "
            f"{', '.join(rule.servers)} on {', '.join(rule.services)}{note}"
        )
    if taken:
        session.draft.accept(suggestion, taken)
    print(
        f"  took the {len(taken)} that need no second look; the others are the engineer's to judge"
    )
    session.save()


def _export(session: Session) -> int:
    proven = True
    for number, target in enumerate(session.exports.targets(), 7):
        _title(f"{number} Export and verify – {target}")
        only = _exportable(session, target)
        paths = session.exports.write(target, None, only)
        certificate, _ = session.exports.verify(session.exports.default_folder(target))
        for path in paths:
            lines = len(path.read_text(encoding="utf-8").splitlines())
            print(f"  {path.name}: {plural(lines, 'line')}")
        if only:
            print(f"  protects only {', '.join(only)}: the rest is not in the cluster")
        for check in certificate.checks:
            print(f"  {check.name}: {check.state} {check.detail}".rstrip())
        print(
            f"  {'✓ proven' if certificate.proven else '✗ NOT proven'}: "
            f"{plural(certificate.judged, 'conversation')} and "
            f"{plural(certificate.probes, 'boundary probe')} judged, "
            f"{plural(len(certificate.mismatches), 'mismatch')}"
        )
        for mismatch in certificate.mismatches[:SHOWN]:
            print(f"  ✗ {show(mismatch.conversation)}: {mismatch.expected} / {mismatch.found}")
        proven &= certificate.proven
    return 0 if proven else 1


def _exportable(session: Session, target: str) -> tuple[str, ...]:
    """Protected segments that this target can enforce; empty when it can enforce all of them."""
    try:
        session.exports.preview(target)
    except UnsupportedPolicy:
        fitting = []
        for protection in session.policy.protect:
            try:
                session.exports.preview(target, (protection.segment,))
            except UnsupportedPolicy:
                continue
            fitting.append(protection.segment)
        return tuple(fitting)
    return ()
