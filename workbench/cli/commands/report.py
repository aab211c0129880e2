"""The report for the people who sign a policy off."""

from workbench.cli.commands.opening import Options, moment, open_findings
from workbench.cli.meter import Meter
from workbench.cli.output import TABLE_LIMIT, print_paths
from workbench.cli.table import say
from workbench.model.days import read_day
from workbench.model.report import ReportFormat


def report(options: Options) -> int:
    """Write it, and print where it is."""
    from workbench.session import Wish, write_report

    form = ReportFormat(options.format)
    most = options.limit
    if most is None and form is not ReportFormat.CSV:  # a page for people, a folder for programs
        most = TABLE_LIMIT
    wish = Wish(
        most=most or None,
        baseline=moment(options.baseline),
        against=options.against,
        exports=tuple(options.exports),
        kernel=not options.no_kernel,
    )
    with open_findings(options, on=read_day(options.on)) as session, Meter() as meter:
        if options.policy:
            session.read_draft(options.policy)
        paths = write_report(
            session,
            options.out,
            form,
            wish,
            replace=options.replace,
            progress=meter.tell,
            cancelled=meter.cancelled,
        )
    print_paths(paths)
    say(f"report written: {options.out}")
    return 0
