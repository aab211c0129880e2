"""The certificate, and how to get every figure again."""

from collections.abc import Iterator

from workbench.model.report import Certificate, Digest, Report
from workbench.model.text import plural
from workbench.report.document import (
    Block,
    Cell,
    Column,
    Commands,
    Facts,
    Kind,
    Mark,
    Section,
    Table,
    Text,
    Tone,
)
from workbench.report.values import names
from workbench.report.where import command

_EXPORTS = (
    Column("folder", "folder"),
    Column("target", "target"),
    Column("state", "state", Kind.MARK),
    Column("judged", "conversations judged", Kind.COUNT),
    Column("probes", "probes", Kind.COUNT),
    Column("skipped", "no matter of policy", Kind.COUNT),
    Column("mismatches", "mismatches", Kind.COUNT),
    Column("only", "only the segments", Kind.NAMES, under=True),
    Column("edited", "edited since it was written", Kind.NAMES, under=True),
    Column("trouble", "not judged, because", under=True),
)
_CHECKS = (
    Column("folder", "folder"),
    Column("check", "check"),
    Column("state", "state", Kind.MARK),
    Column("detail", "detail"),
)
_MISMATCHES = (
    Column("folder", "folder"),
    Column("conversation", "conversation"),
    Column("expected", "the policy says"),
    Column("found", "the files say"),
    Column("probe", "probe"),
)
_DIGESTS = (
    Column("name", "document"),
    Column("sha256", "SHA-256", Kind.DIGEST),
    Column("note", "note"),
)
MOST_MISMATCHES = 50
_STATES = {
    "passed": Mark("✓", "passed", Tone.GOOD),
    "failed": Mark("✗", "failed", Tone.BAD),
    "not checked": Mark("–", "not checked", Tone.CARE),
}
PROVEN = Mark("✓", "proven", Tone.GOOD)
UNPROVEN = Mark("✗", "NOT proven", Tone.BAD)
UNJUDGED = Mark("?", "not judged", Tone.CARE)


def proof(report: Report) -> Section:
    """What was exported and judged, or that nothing was."""
    return Section("certificate", "Verification certificate", (*_blocks(report),))


def _blocks(report: Report) -> Iterator[Block]:
    yield Text(_of_what(report))
    found = report.certificates
    yield Table(
        "exports",
        "Exports",
        _EXPORTS,
        [_export(one) for one in found],
        empty="nothing was exported",
    )
    yield Table("checks", "Further checks", _CHECKS, [*_checks(found)])
    yield _mismatches(found)
    yield Table("digests", "What this report rests on", _DIGESTS, [*_digests(report)])
    yield Facts(
        (
            ("made by", report.version),
            ("expiry judged for", report.on.isoformat()),
            ("policy", "an unsaved draft" if report.unsaved else "as saved in policy.yaml"),
        )
    )
    yield Commands((command(report, "verify", "DIR"),))


def _of_what(report: Report) -> str:
    if not report.certificates:
        return (
            "Nothing was exported into this workspace, so nothing was verified: this report says "
            "what the policy means, not what any firewall or cluster would do. `workbench export` "
            "writes the files; a report made after it judges them."
        )
    return (
        "The exported files were read back by programs that know nothing of how they were written, "
        "and judged on every recorded conversation and on probes at the edges of every address "
        "range and port range of the policy. Proven: in all of them the files say what the policy "
        "says, and no further check failed. It is a certificate of these files, by their digests "
        "below, and of this policy on the day named below; not of the machines they are loaded on."
    )


def _export(one: Certificate) -> tuple[Cell, ...]:
    found = one.verification
    if found is None:
        return (one.folder, None, UNJUDGED, None, None, None, None, one.only or None,
                one.edited or None, one.trouble)  # fmt: skip
    return (
        one.folder,
        found.target,
        PROVEN if found.proven else UNPROVEN,
        found.judged,
        found.probes,
        found.skipped,
        len(found.mismatches),
        one.only or None,
        one.edited or None,
        None,
    )


def _checks(found: tuple[Certificate, ...]) -> Iterator[tuple[Cell, ...]]:
    for one in found:
        for check in one.verification.checks if one.verification else ():
            state = _STATES.get(check.state, Mark("?", check.state, Tone.CARE))
            yield one.folder, check.name, state, check.detail or None


def _mismatches(found: tuple[Certificate, ...]) -> Table:
    every = [
        (one.folder, each.conversation, each.expected, each.found, "yes" if each.probe else "no")
        for one in found
        if one.verification
        for each in one.verification.mismatches
    ]
    return Table("mismatches", "Mismatches", _MISMATCHES, every, page=MOST_MISMATCHES)


def _digests(report: Report) -> Iterator[tuple[Cell, ...]]:
    exported = [
        Digest(f"{one.folder}/{each.name}", each.sha256)
        for one in report.certificates
        for each in one.files
    ]
    for one in (*report.documents, *exported):
        yield one.name, one.sha256 or None, one.note or None


def again(report: Report) -> Section:
    """Commands for every section, in one place."""
    compared = f", compared by {' '.join(report.compared)}" if report.compared else ""
    options = (*report.compared, "--on", report.on.isoformat())
    lines = (
        command(report, "report", "--out", "report.html", *options),
        command(report, "captures", "--dataset", "--format", "json"),
        command(report, "matrix", "--by", "segment", "--format", "csv"),
        command(report, "simulate", "--format", "json"),
        command(report, "check", "--format", "json"),
        command(report, "findings", *report.compared, "--format", "json"),
        command(report, "replay", "--policy", "draft", *report.compared, "--format", "json"),
        command(report, "exposure", "--format", "json"),
        command(report, "exposure", "--chokes", "--format", "json"),
        command(report, "vulnerabilities", "--format", "json"),
        *(command(report, "verify", _folder(report, one)) for one in report.certificates),
    )
    lead = (
        f"{plural(len(lines), 'command')}, run beside the workspace {names([report.workspace])}, "
        f"print the figures of this report in full{compared}. The other commands judge expiry by "
        "the day on which they run. The same workspace gives the same report, byte for byte, "
        "but for the line that says when it was made."
    )
    if report.unsaved:
        lead += " The policy of this report is not saved: the other commands judge the saved one."
    return Section("reproduce", "How to get these figures again", (Text(lead), Commands(lines)))


def _folder(report: Report, one: Certificate) -> str:
    inside = one.folder.startswith("exports/")
    return f"{report.workspace}/{one.folder}" if inside else one.folder
