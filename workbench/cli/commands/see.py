"""What was recorded: hosts, flows, conversations, the matrix, packets."""

from workbench.cli import output, records
from workbench.cli.commands.opening import Options, chosen, open_session
from workbench.cli.output import emit


def hosts(options: Options) -> int:
    """Hosts seen or listed."""
    shown = ("name", "address", "labels", "segments", "as_client", "as_server", "bytes", "services")
    with open_session(options) as session:
        found = session.hosts(chosen(session, options))
        emit(map(records.host_record, found), options.format, columns=shown, limit=options.limit)
    return 0


def flows(options: Options) -> int:
    """Flows, in the order asked for."""
    shown = (
        "id", "first_seen", "client", "client_port", "server", "service", "outcome", "direction",
        "packets_to_server", "packets_to_client", "bytes_to_server", "bytes_to_client",
    )  # fmt: skip
    with open_session(options) as session:
        paths = {report.id: report.path for report in session.captures()}
        wanted = chosen(session, options)
        view = session.flow_view(wanted, options.sort, options.descending)
        try:
            found = (records.flow_record(one, paths[one.capture]) for one in output.pages(view))
            emit(found, options.format, columns=shown, limit=options.limit)
        finally:
            view.close()
    return 0


CONVERSATION_COLUMNS = (
    "verdict", "class", "client_name", "server_name", "service", "flows", "bytes", "outcome",
    "direction", "first_seen", "last_seen", "rules",
)  # fmt: skip


def conversations(options: Options) -> int:
    """Conversations with their verdicts."""
    with open_session(options) as session:
        rows = session.conversation_rows(chosen(session, options), options.sort)
        found = (records.conversation_record(session, session.simulation, int(row)) for row in rows)
        emit(found, options.format, columns=CONVERSATION_COLUMNS, limit=options.limit)
    return 0


def matrix(options: Options) -> int:
    """Who talks to whom: a grid for people, cells for machines."""
    from workbench.cli.grid import matrix_grid

    with open_session(options) as session:
        found = session.matrix(options.by, chosen(session, options))
    if options.format == "table":
        output.print_grid(*matrix_grid(found, options.limit))
    else:
        emit(records.matrix_records(found), options.format, limit=options.limit)
    return 0


def dissect(options: Options) -> int:
    """The packets of one flow."""
    shown = ("number", "time", "to_server", "length", "protocol", "info")
    with open_session(options) as session:
        packets = session.dissect(session.flow(options.flow), limit=options.limit)
    emit(map(records.packet_record, packets), options.format, columns=shown, limit=0)
    return 0
