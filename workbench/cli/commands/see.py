"""What was recorded: hosts, flows, conversations, the matrix, packets."""

from workbench.cli import records
from workbench.cli.commands.opening import Options, chosen, open_session
from workbench.cli.output import TABLE_LIMIT, emit, pages
from workbench.cli.table import line_width, print_grid, say


def hosts(options: Options) -> int:
    """Hosts seen or listed."""
    shown = (
        "name", "address", "labels", "segments", "as_client", "as_server", "bytes", "services",
        "first_seen", "last_seen",
    )  # fmt: skip
    with open_session(options) as session:
        found = session.hosts(chosen(session, options))
        told = map(records.host_record, found)
        emit(told, options.format, columns=shown, limit=options.limit, total=len(found))
    return 0


def flows(options: Options) -> int:
    """Flows, in the order asked for."""
    shown = (
        "id", "first_seen", "client_name", "server_name", "service", "outcome", "client", "server",
        "bytes_to_server", "bytes_to_client", "direction", "client_port", "packets_to_server",
        "packets_to_client",
    )  # fmt: skip
    with open_session(options) as session:
        wanted = chosen(session, options)
        with session.flow_view(wanted, options.sort, options.descending) as view:
            limit = TABLE_LIMIT if options.limit is None and options.format == "table" else None
            found = (
                records.flow_record(session, one) for one in pages(view, options.limit or limit)
            )
            emit(found, options.format, columns=shown, limit=options.limit, total=view.total)
    return 0


CONVERSATION_COLUMNS = (
    "class", "client_name", "server_name", "service", "flows", "bytes", "outcome", "rules",
    "client", "server", "direction", "verdict", "last_seen", "first_seen",
)  # fmt: skip


def conversations(options: Options) -> int:
    """Conversations with their verdicts."""
    shown = CONVERSATION_COLUMNS
    with open_session(options) as session:
        rows = session.conversation_rows(chosen(session, options), options.sort)
        found = (records.conversation_record(session, session.simulation, int(row)) for row in rows)
        emit(found, options.format, columns=shown, limit=options.limit, total=len(rows))
    return 0


def matrix(options: Options) -> int:
    """Who talks to whom: a grid for people, cells for machines."""
    from workbench.cli.grid import matrix_grid

    with open_session(options) as session:
        by = options.by or session.groupings()[0]
        found = session.matrix(by, chosen(session, options))
    if options.format != "table":
        emit(records.matrix_records(found), options.format, limit=options.limit)
    elif len(found.cells["row"]):
        limit = TABLE_LIMIT if options.limit is None else options.limit
        print_grid(*matrix_grid(found, line_width(), limit))
    else:
        say("nothing to show")
    return 0


def dissect(options: Options) -> int:
    """The packets of one flow."""
    shown = ("number", "time", "to_server", "length", "protocol", "info")
    with open_session(options) as session:
        packets = session.dissect(session.flow(options.flow), limit=options.limit)
    emit(map(records.packet_record, packets), options.format, columns=shown, limit=0)
    return 0
