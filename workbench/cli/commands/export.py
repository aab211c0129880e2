"""The policy for other machines, and the proof that it says the same."""

from workbench.cli import heads, records
from workbench.cli.commands.opening import Options, open_session
from workbench.cli.output import emit, emit_object, print_paths
from workbench.cli.table import Record, say
from workbench.model.text import plural


def export(options: Options) -> int:
    """Write the files, read them back, and say whether they mean what was simulated."""
    with open_session(options) as session:
        rendered = session.exports.preview(options.target, options.only)
        for note in rendered.notes:
            say(f"note: {note}")
        print_paths(session.exports.put(rendered, options.out, options.only))
        certificate, edited = session.exports.verify(options.out)
    return _judged(records.verification_record(certificate, edited), narrate=True)


def verify(options: Options) -> int:
    """Exit 1 when the files and the policy differ anywhere."""
    with open_session(options) as session:
        certificate, edited = session.exports.verify(options.folder, kernel=not options.no_kernel)
    record = records.verification_record(certificate, edited)
    if options.format == "json":
        emit_object(record)
    elif options.format == "csv":
        emit(record["mismatches"], "csv", heads.MISMATCH)
    return _judged(record, narrate=options.format != "json")


def _judged(record: Record, *, narrate: bool) -> int:
    if narrate:
        for name in record["edited"]:
            say(f"{name}: edited since it was exported")
        for mismatch in record["mismatches"][:20]:
            say(
                f"✗ {mismatch['conversation']}: the policy says {mismatch['expected']}, "
                f"the files say {mismatch['found']}"
            )
        for one in record["checks"]:
            say(f"{one['name']}: {one['state']}{' – ' + one['detail'] if one['detail'] else ''}")
        say(
            f"{record['target']}: {'proven' if record['proven'] else 'NOT proven'}: "
            f"{plural(record['judged'], 'conversation')} and {plural(record['probes'], 'probe')} "
            f"judged, {plural(len(record['mismatches']), 'mismatch')}"
        )
    return 0 if record["proven"] else 1
